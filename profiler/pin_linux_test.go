package profiler

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPinRaises looks at the thread's priority, where that may be raised, while
// it is pinned and afterwards.
func TestPinRaises(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	nice := func() int {
		raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
		if err != nil {
			t.Fatal(err)
		}
		return 20 - raw
	}
	before := nice()
	if before <= raisedNice {
		t.Skip("the priority of this process is as high already")
	}
	if unix.Setpriority(unix.PRIO_PROCESS, 0, before-1) != nil {
		t.Skip("no right to raise the priority")
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, before); err != nil {
		t.Fatal(err)
	}
	release, err := pin()
	if err != nil {
		t.Skip("the thread cannot be pinned here: ", err)
	}
	if got := nice(); got != raisedNice {
		t.Errorf("pinned: nice %d, want %d", got, raisedNice)
	}
	release()
	if got := nice(); got != before {
		t.Errorf("released: nice %d, want %d", got, before)
	}
}
