package kernels

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// atPageEnd returns a copy of x after which, and before the page of whose
// start, lie pages that may be neither read nor written, and a function that
// frees it. A kernel that touches them ends the test with a fault.
func atPageEnd[T any](x []T) (y []T, free func()) {
	page := unix.Getpagesize()
	size := len(x) * int(unsafe.Sizeof(*new(T)))
	pages := (size + page - 1) / page
	all, err := unix.Mmap(-1, 0, (pages+2)*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for _, guard := range [][]byte{all[:page], all[(pages+1)*page:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			panic(err)
		}
	}
	if size > 0 {
		start := (pages+1)*page - size
		y = unsafe.Slice((*T)(unsafe.Pointer(&all[start])), len(x))
		copy(y, x)
	}
	return y, func() {
		if err := unix.Munmap(all); err != nil {
			panic(err)
		}
	}
}
