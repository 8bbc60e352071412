package main

import (
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/kernels"
)

// Times are taken as the peers' programs take theirs.
const (
	warmUp = 100 * time.Millisecond
	// A sample is as many runs as fit a twentieth of the warm-up.
	samplesPerWarmUp = 20
	// The median is over so many samples,
	samples = 41
	// or over those that fit this time, but at least fewestSamples.
	longest       = 2 * time.Second
	fewestSamples = 11
)

// measure returns the median time in ns of a run of work with a number of
// threads.
func measure(work func(), threads int) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := kernels.Threads(threads)
	defer kernels.Threads(before)
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	runs := 0
	begin := time.Now()
	for ; time.Since(begin) < warmUp; runs++ {
		work()
	}
	inner := runs/samplesPerWarmUp + 1
	times := make([]float64, 0, samples)
	begin = time.Now()
	for len(times) < samples && (len(times) < fewestSamples || time.Since(begin) < longest) {
		start := time.Now()
		for range inner {
			work()
		}
		times = append(times, float64(time.Since(start).Nanoseconds())/float64(inner))
	}
	return median(times)
}

// median returns the median of x, which it sorts.
func median(x []float64) float64 {
	slices.Sort(x)
	n := len(x)
	return (x[n/2] + x[(n-1)/2]) / 2
}
