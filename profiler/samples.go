package profiler

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
)

// Samples times each workload in a number of rounds, a sample of about the
// given time a round, and returns the ns of a run of each sample, by workload.
// A round goes through all workloads, so that a machine that becomes slower
// does so to all of them. The samples are as timed: it is for comparisons that
// look at their distribution, and leaves out what [Profiler.Workload] does to
// give a figure that holds. A workload is measured as it is there.
func (p *Profiler) Samples(ctx context.Context, workloads []graph.Workload, rounds int, sample time.Duration) ([][]float64, error) {
	release, _ := pin() // an unpinned thread shows in wider intervals
	defer release()
	now := newClock()
	items := make([]timedRun, len(workloads))
	all := make([][]float64, len(workloads))
	begin := now()
	for i, w := range workloads {
		g, err := graph.FromWorkload(w, p.options.Seed)
		if err != nil {
			return nil, err
		}
		n := copies(w)
		plan, _, err := compile(replicate(g, n), p.options.Seed, inference.CompilePart)
		if err != nil {
			return nil, fmt.Errorf("profiler: %w", err)
		}
		items[i] = timedRun{run: runOf(plan), copies: float64(n)}
	}
	runtime.GC() // what compiling has left
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for round := range rounds {
		for i := range items {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if p.options.Progress != nil {
				done, total := round*len(items)+i, rounds*len(items)
				left := time.Duration(float64(now()-begin) * float64(total-done) / float64(max(done, 1)))
				p.options.Progress(done, total, workloads[i].String(), left)
			}
			t := &items[i]
			t.run() // brings its data back into the caches
			if t.runs == 0 {
				for t.runs = 1; t.sample(now) < sample/2; {
					t.runs *= 2
				}
			}
			all[i] = append(all[i], float64(t.sample(now).Nanoseconds())/float64(t.runs)/t.copies)
		}
	}
	return all, nil
}

// timedRun is what Samples knows of a workload.
type timedRun struct {
	run    func()
	runs   int     // of a sample
	copies float64 // how often a run does the workload
}

// sample runs as often as a sample has runs, and returns the time of it.
func (t *timedRun) sample(now func() time.Duration) time.Duration {
	start := now()
	for range t.runs {
		t.run()
	}
	return now() - start
}
