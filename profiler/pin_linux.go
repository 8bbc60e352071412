package profiler

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// pin ties the calling goroutine to its thread and the thread to one of the
// cores that it may use, until release is called. The last core is taken:
// interrupts tend to go to the first, and where cores differ the fast ones
// tend to be last.
func pin() (release func(), err error) {
	var allowed, one unix.CPUSet
	runtime.LockOSThread()
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return runtime.UnlockOSThread, fmt.Errorf("reading the thread's affinity: %w", err)
	}
	for core := range len(allowed) * 64 {
		if allowed.IsSet(core) {
			one.Zero()
			one.Set(core)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return runtime.UnlockOSThread, fmt.Errorf("pinning the thread to a core: %w", err)
	}
	return func() {
		// Where this fails the thread stays on the core, which slows other
		// goroutines down but makes nothing wrong.
		_ = unix.SchedSetaffinity(0, &allowed)
		runtime.UnlockOSThread()
	}, nil
}
