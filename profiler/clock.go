package profiler

import "time"

// clockResolution is the smallest step seen of now.
func clockResolution(now func() time.Duration) time.Duration {
	smallest := time.Duration(0)
	for range 50 {
		start := now()
		step := now() - start
		for step == 0 {
			step = now() - start
		}
		if smallest == 0 || step < smallest {
			smallest = step
		}
	}
	return smallest
}
