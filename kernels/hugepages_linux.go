package kernels

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is a huge page's size in bytes; a system whose pages are larger ignores
// advice for parts of one.
const hugePage = 2 << 20

// adviseHugePages asks the system to put the n bytes at p, and what lies in the
// same huge pages, on huge pages: then fewer addresses have to be translated,
// and it is not left to which small pages are free where in the caches the bytes
// come to lie. A system that has no huge pages refuses, which makes nothing wrong.
func adviseHugePages(p unsafe.Pointer, n int) {
	first := uintptr(p) / hugePage * hugePage
	length := (uintptr(p) + uintptr(n) - first + hugePage - 1) / hugePage * hugePage
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, first, length, unix.MADV_HUGEPAGE)
}
