package profiler

import (
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	kernel32                  = windows.NewLazySystemDLL("kernel32.dll")
	queryPerformanceCounter   = kernel32.NewProc("QueryPerformanceCounter")
	queryPerformanceFrequency = kernel32.NewProc("QueryPerformanceFrequency")
)

// newClock returns a monotonic clock. Go's own steps by half a millisecond or
// more on Windows, the performance counter by 100 ns or less. Since Windows XP
// neither of the two calls fails.
func newClock() func() time.Duration {
	var frequency, start int64 // ticks a second, ticks
	queryPerformanceFrequency.Call(uintptr(unsafe.Pointer(&frequency)))
	queryPerformanceCounter.Call(uintptr(unsafe.Pointer(&start)))
	perTick := float64(time.Second) / float64(frequency)
	return func() time.Duration {
		var ticks int64
		queryPerformanceCounter.Call(uintptr(unsafe.Pointer(&ticks)))
		return time.Duration(float64(ticks-start) * perTick)
	}
}
