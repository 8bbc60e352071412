package kernels

import (
	"testing"
	"unsafe"
)

func TestAligned(t *testing.T) {
	for n := range 70 {
		testAligned[uint8](t, n)
		testAligned[float32](t, n)
	}
	testAligned[int8](t, 5<<20+3) // of more than a huge page
	testAligned[float32](t, leastHuge/4)
}

func testAligned[T float32 | int8 | uint8](t *testing.T, n int) {
	t.Helper()
	s := Aligned[T](n)
	if len(s) != n || cap(s) != n {
		t.Fatalf("%d elements of %T: length %d, capacity %d", n, s, len(s), cap(s))
	}
	if past := uintptr(unsafe.Pointer(unsafe.SliceData(s))) % cacheLine; n > 0 && past != 0 {
		t.Fatalf("%d elements of %T start %d bytes past a cache line", n, s, past)
	}
	for i := range s {
		if s[i] != 0 {
			t.Fatalf("element %d of %d of %T is %v", i, n, s, s[i])
		}
		s[i] = 1
	}
}
