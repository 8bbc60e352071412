package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lateTimers is by how much, in ns, timers of this program may be late.
const lateTimers = 50e6

// letTimersBeLate starts this program anew with timers that may be late. Go's
// monitor wakes up every 20 us for milliseconds after each request that was
// waited for, on the core that is measured, which makes runs longer by 2 to 4
// percent. It has started by now, and only a process that is started with such
// timers has a monitor with such. Where that cannot be done, the times stay
// longer by that.
func letTimersBeLate() {
	const mark = "HWPROFD_ONNXRUNTIME_TIMERS"
	if os.Getenv(mark) != "" {
		os.Unsetenv(mark)
		return
	}
	if unix.Prctl(unix.PR_SET_TIMERSLACK, lateTimers, 0, 0, 0) != nil {
		return
	}
	self, err := os.Executable()
	if err == nil {
		_ = syscall.Exec(self, os.Args, append(os.Environ(), mark+"=late"))
	}
}
