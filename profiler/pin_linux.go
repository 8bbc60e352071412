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
	lower := raise()
	return func() {
		lower()
		// Where this fails the thread stays on the core, which slows other
		// goroutines down but makes nothing wrong.
		_ = unix.SchedSetaffinity(0, &allowed)
		runtime.UnlockOSThread()
	}, nil
}

// raisedNice is the nice value of a thread that measures, where it may have that.
const raisedNice = -10

// raise lets the calling thread run before others, where that is allowed, until
// lower is called. Where it is not, interruptions are more; they are counted.
func raise() (lower func()) {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if nice := 20 - raw; err == nil && nice > raisedNice && unix.Setpriority(unix.PRIO_PROCESS, 0, raisedNice) == nil {
		return func() { _ = unix.Setpriority(unix.PRIO_PROCESS, 0, nice) }
	}
	return func() {}
}
