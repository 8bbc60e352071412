package main

import (
	"math/rand/v2"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/profiler"
)

const (
	pairShare = 0.25                   // of the time to profile, at most, for pairs and their parts
	pairTime  = 400 * time.Millisecond // about what each of them takes
	leastTime = 50 * time.Millisecond  // for a workload or network, if the time runs out
	mostSizes = 3                      // of a kind of pair
	pairDraws = 6                      // networks of a space in which pairs are looked for, beside the smallest and the largest
)

// pairs are the neighbours of which it is measured whether the runtime fuses
// them, and what they are made of: of the spaces and models, in as many sizes as
// there is time for.
func (p *profilePlan) pairs(seed uint64, budget time.Duration, networks []profiler.NamedGraph) ([]profiler.NamedGraph, []graph.Workload, error) {
	var graphs []*graph.Graph
	spaces, err := p.published()
	if err != nil {
		return nil, nil, err
	}
	for _, s := range spaces {
		rng := rand.New(rand.NewPCG(seed, streamPairs))
		drawn := []nas.Architecture{s.Smallest(), s.Largest()}
		for range pairDraws {
			drawn = append(drawn, nas.Random(s, rng))
		}
		for _, a := range drawn {
			g, err := s.Lower(a)
			if err != nil {
				return nil, nil, err
			}
			graphs = append(graphs, g)
		}
	}
	for _, n := range networks {
		g, err := n.Lowered()
		if err != nil {
			return nil, nil, err
		}
		graphs = append(graphs, g)
	}
	most := int(pairShare * float64(budget) / float64(pairTime))
	for sizes := mostSizes; ; sizes-- {
		pairs, parts, err := profiler.Pairs(graphs, sizes)
		if err != nil || sizes == 1 || len(pairs)+len(parts) <= most {
			return pairs, parts, err
		}
	}
}

// afterPairs lets a run that begins with first items measure its workloads once
// the pairs have shown what the runtime fuses, as it does them. The time is for
// all alike, and where a design chooses more, half of it for that, unless networks
// tell the times of their workloads.
func afterPairs(o *profiler.Options, first int, workloads []graph.Workload, accounts bool) {
	then, done := o.Choose, false
	items := first + len(workloads)
	if then != nil && !accounts {
		items *= 2
	}
	each := max(o.Budget/time.Duration(max(items, 1)), leastTime)
	if o.MaxPerItem == 0 || each < o.MaxPerItem {
		o.MaxPerItem = min(each, time.Second)
	}
	o.Choose = func(measured *lut.Table, left time.Duration) ([]graph.Workload, error) {
		if done {
			if then == nil {
				return nil, nil
			}
			return then(measured, left)
		}
		done = true
		if len(measured.Rows) == 0 { // there are no pairs
			return workloads, nil
		}
		p, err := predictor.Fit(measured)
		if err != nil {
			return nil, err
		}
		return distinct(p.Cut(workloads)), nil
	}
}
