package main

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/profiler"
)

const (
	coverTime     = 400 * time.Millisecond // the most for one workload or network
	coverNetworks = 300                    // whose prediction is to become better, of all spaces
	leastCover    = 60                     // of them, of each space
	coverFamily   = 12                     // workloads of each family that are measured alone in any case
	coverBatch    = 48                     // workloads chosen at once
	// coverEnough is how much of the networks' latency is unsure and could still
	// be measured away when further rows no longer help.
	coverEnough = 0.003
)

// cover is the experiment design of --cover: which workloads of the spaces are
// measured in the time given.
type cover struct {
	aims [][]graph.Workload // the workloads of each network
	say  func(format string, args ...any)
}

// coverItems is the design for spaces, which count the same, with the workloads
// that it begins with: those of the smallest and the largest networks, and some of each
// family, of the spaces' and of others, so that what only some networks have is
// known for networks that are like none of these.
func coverItems(spaces []nas.Space, others []graph.Workload, seed uint64, fusing ...graph.Option) (*cover, []graph.Workload, error) {
	var workloads []graph.Workload
	c := &cover{}
	for _, s := range spaces {
		for _, a := range []nas.Architecture{s.Smallest(), s.Largest()} {
			of, err := fusedWorkloads(s, a, fusing...)
			if err != nil {
				return nil, nil, err
			}
			workloads = append(workloads, of...)
		}
		// Half of the networks are of any size, as a search meets them, half are
		// drawn as a user may, each choice for itself.
		rng := rand.New(rand.NewPCG(seed, streamCoverage))
		for i := range max(coverNetworks/len(spaces), leastCover) {
			draw := nas.RandomSized
			if i%2 == 1 {
				draw = nas.Random
			}
			of, err := fusedWorkloads(s, draw(s, rng), fusing...)
			if err != nil {
				return nil, nil, err
			}
			c.aims = append(c.aims, of)
		}
	}
	return c, append(workloads, ofEachFamily(slices.Concat(append(c.aims, others)...), coverFamily)...), nil
}

// ofEachFamily are at most each workloads of a family, from the smallest to the
// largest.
func ofEachFamily(workloads []graph.Workload, each int) (some []graph.Workload) {
	families := map[string][]graph.Workload{}
	for _, w := range distinct(workloads) {
		f := w.Family() + "/" + string(w.DType)
		families[f] = append(families[f], w)
	}
	for _, f := range slices.Sorted(maps.Keys(families)) {
		of := families[f]
		slices.SortFunc(of, func(a, b graph.Workload) int {
			return cmp.Or(cmp.Compare(a.MACs(), b.MACs()), cmp.Compare(a.Bytes(), b.Bytes()), cmp.Compare(a.String(), b.String()))
		})
		n := min(each, len(of))
		for i := range n {
			some = append(some, of[i*(len(of)-1)/max(n-1, 1)])
		}
	}
	return some
}

// choose returns what to measure next, or nothing where that would not help.
func (c *cover) choose(measured *lut.Table, left time.Duration) ([]graph.Workload, error) {
	p, err := predictor.Fit(measured)
	if err != nil {
		return nil, err
	}
	aims := make([][]graph.Workload, len(c.aims))
	for i, workloads := range c.aims {
		aims[i] = p.Cut(workloads)
	}
	design, err := p.Design(aims, max(1, min(coverBatch, int(left/coverTime))))
	if err != nil {
		return nil, err
	}
	if design.Gain < coverEnough {
		c.say("%d workloads are enough: others would make the latency of networks surer by %.1f%% at most; the time left goes to those that are not", len(measured.Rows), 100*design.Gain)
		return nil, nil
	}
	return design.Workloads, nil
}

// follow lets a run measure what the design chooses, with progress by time.
func (c *cover) follow(o *profiler.Options, p *progress) {
	c.say = p.say
	begin, whole := time.Now(), o.Budget
	o.Choose, o.MaxPerItem = c.choose, coverTime
	o.Progress = func(_, _ int, current string, _ time.Duration) {
		gone := min(time.Since(begin), whole)
		p.report(float64(gone)/float64(whole), whole-gone, current)
	}
}
