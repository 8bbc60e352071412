package profiler

import (
	"context"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/hwprofd/hwprofd/inference"
)

// Trace is the time of each workload of a network within whole runs.
type Trace struct {
	Steps []inference.Step // of the traced run whose time is the median
	// MedianNS is, for each step, the median of its time over all traced runs.
	MedianNS []float64
	// SumNS is the median over the traced runs of the sum of their steps. The
	// sum of medians, StepsNS, is less where some steps of most runs are
	// disturbed.
	SumNS float64
	// RunNS is the median time of runs of which only start and end were timed,
	// each between two traced ones.
	RunNS float64
	// Runs is the number of traced runs.
	Runs int
}

// StepsNS is the sum of the steps' median times.
func (t *Trace) StepsNS() float64 {
	sum := 0.0
	for _, ns := range t.MedianNS {
		sum += ns
	}
	return sum
}

// Trace times the steps of plan in as many runs as fit the limit, at least
// five, and whole runs between them, so that both see the same machine.
func (p *Profiler) Trace(ctx context.Context, plan *inference.Plan, limit time.Duration) (*Trace, error) {
	release, _ := pin() // an unpinned thread shows in the times
	defer release()
	if err := plan.Run(); err != nil {
		return nil, err
	}
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	const fewest, most = 5, 1000
	var (
		traces [][]inference.Step
		whole  []float64
	)
	for begin := time.Now(); len(traces) < fewest || len(traces) < most && time.Since(begin) < limit; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		steps, err := plan.Trace()
		if err != nil {
			return nil, err
		}
		traces = append(traces, steps)
		start := time.Now()
		if err := plan.Run(); err != nil {
			return nil, err
		}
		whole = append(whole, float64(time.Since(start).Nanoseconds()))
	}
	t := &Trace{RunNS: median(whole), Runs: len(traces), MedianNS: make([]float64, len(traces[0]))}
	times := make([]float64, len(traces))
	for i := range t.MedianNS {
		for j, steps := range traces {
			times[j] = float64(steps[i].NS)
		}
		t.MedianNS[i] = median(times)
	}
	for j, steps := range traces {
		times[j] = 0
		for _, s := range steps {
			times[j] += float64(s.NS)
		}
	}
	middle := stat.Quantile(0.5, stat.Empirical, slices.Sorted(slices.Values(times)), nil)
	t.SumNS = middle
	t.Steps = traces[slices.Index(times, middle)]
	return t, nil
}
