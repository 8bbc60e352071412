package profiler

import (
	"context"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/graph"
)

const (
	// A network's steps are timed for this part of its time, in so many runs at
	// least and at most.
	traceShare  = 6
	fewestTrace = 5
	mostTrace   = 200
	// Reading the clock and what it keeps from overlapping costs a step no more
	// than this.
	mostClockNS = 200
)

// sharer is a session that tells the shares itself, from some runs, which take ns
// each.
type sharer interface {
	shares(ctx context.Context, workloads []graph.Workload, runs int, ns float64) ([]float64, error)
}

// shares are the parts that workloads have in the time of a network, in the order
// of plan.Workloads, from runs of which each step is timed. Of each step the lower
// quartile counts, since other work only ever adds to it. They are nil where the
// session does not tell. A run takes ns.
func (p *Profiler) shares(ctx context.Context, session Session, workloads []graph.Workload, limit time.Duration, ns float64) ([]float64, error) {
	if len(workloads) == 0 {
		return nil, nil
	}
	if s, ok := session.(sharer); ok {
		runs := min(max(float64(limit/traceShare)/ns, fewestTrace), mostTrace)
		return s.shares(ctx, workloads, int(runs), ns)
	}
	own, ok := session.(*planSession)
	if !ok {
		return nil, nil
	}
	var steps [][]float64 // of each step, the times
	var isWorkload []bool
	var traced, whole []float64
	for start := p.sampler.now(); len(traced) < fewestTrace || len(traced) < mostTrace && p.sampler.now()-start < limit/traceShare; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		trace, err := own.plan.Trace()
		if err != nil {
			return nil, err
		}
		if steps == nil {
			steps = make([][]float64, len(trace))
			for _, s := range trace {
				isWorkload = append(isWorkload, s.Workload != graph.Workload{})
			}
		}
		sum := 0.0
		for i, s := range trace {
			steps[i] = append(steps[i], float64(s.NS))
			sum += float64(s.NS)
		}
		before := p.sampler.now()
		if err := own.plan.Run(); err != nil {
			return nil, err
		}
		traced, whole = append(traced, sum), append(whole, float64(p.sampler.now()-before))
	}
	return divide(steps, isWorkload, (median(traced)-median(whole))/float64(len(steps))), nil
}

// divide takes clock, the ns that timing costs a step, off the lower quartiles
// of the steps' times, and returns the parts of their sum of those that are
// workloads.
func divide(steps [][]float64, isWorkload []bool, clock float64) (shares []float64) {
	clock = min(max(clock, 0), mostClockNS)
	sum := 0.0
	for i, times := range steps {
		slices.Sort(times)
		least := times[len(times)/4]
		// A step may hardly take longer than reading the clock does.
		step := max(least-clock, least/10, 1)
		sum += step
		if isWorkload[i] {
			shares = append(shares, step)
		}
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}
