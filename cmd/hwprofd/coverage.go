package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
)

// Streams of randomness, one a purpose, so that a change of one does not shift
// the others.
const (
	streamCoverage uint64 = iota + 1
	streamFit
	streamCalibrate
	streamCheck
	streamEvaluate
	streamPairs
	streamAgain
)

// drawDistinct draws n architectures that are not in seen, and adds them.
func drawDistinct(space nas.Space, seed, stream uint64, n int, seen map[string]bool) ([]nas.Architecture, error) {
	rng := rand.New(rand.NewPCG(seed, stream))
	var drawn []nas.Architecture
	for tries := 0; len(drawn) < n; tries++ {
		if tries > 1000*n {
			return nil, fmt.Errorf("space %s has fewer than %d networks beyond the %d already drawn", space.Name(), n, len(seen))
		}
		a := nas.RandomSized(space, rng)
		if key := a.String(); !seen[key] {
			seen[key] = true
			drawn = append(drawn, a)
		}
	}
	return drawn, nil
}

// fusedWorkloads are the workloads that an architecture runs.
func fusedWorkloads(space nas.Space, a nas.Architecture, fusing ...graph.Option) ([]graph.Workload, error) {
	g, err := space.Lower(a)
	if err != nil {
		return nil, err
	}
	return graphWorkloads(g, fusing...)
}

// graphWorkloads are those of a graph once fused.
func graphWorkloads(g *graph.Graph, fusing ...graph.Option) ([]graph.Workload, error) {
	fused, err := graph.Optimize(g, fusing...)
	if err != nil {
		return nil, err
	}
	return fused.Workloads()
}

// coverSpace picks at most n workloads of a space to measure: those of its
// smallest and largest network, then those that make up most of the work of
// its networks, judged by a sample.
func coverSpace(space nas.Space, seed uint64, n int, fusing ...graph.Option) ([]graph.Workload, error) {
	const sample = 400
	share := map[graph.Workload]float64{}
	rng := rand.New(rand.NewPCG(seed, streamCoverage))
	for range sample {
		workloads, err := fusedWorkloads(space, nas.RandomSized(space, rng), fusing...)
		if err != nil {
			return nil, err
		}
		for _, w := range workloads {
			share[w] += roughCost(w)
		}
	}
	var picked []graph.Workload
	for _, a := range []nas.Architecture{space.Smallest(), space.Largest()} {
		workloads, err := fusedWorkloads(space, a, fusing...)
		if err != nil {
			return nil, err
		}
		for _, w := range workloads {
			if !slices.Contains(picked, w) {
				picked = append(picked, w)
			}
			delete(share, w)
		}
	}
	rest := make([]graph.Workload, 0, len(share))
	for w := range share {
		rest = append(rest, w)
	}
	slices.SortFunc(rest, func(a, b graph.Workload) int {
		return cmp.Or(cmp.Compare(share[b], share[a]), cmp.Compare(a.String(), b.String()))
	})
	picked = append(picked, rest...)
	return picked[:min(n, len(picked))], nil
}

// roughCost weighs workloads against each other before anything is measured:
// a core does some ten multiply-accumulates in the time that it moves a byte,
// and a call costs as much as some thousand of them.
func roughCost(w graph.Workload) float64 {
	return 1000 + float64(w.MACs()) + 10*float64(w.Bytes())
}
