//go:build !windows

package profiler

import "time"

// newClock returns a monotonic clock.
func newClock() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
