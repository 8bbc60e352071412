package main

import (
	"math/rand/v2"

	"github.com/hwprofd/hwprofd/graph"
)

// mostWork keeps workloads short enough for some hundred of them to be measured
// in minutes.
const mostWork = 60e6 // multiply-accumulates

// choose draws workloads: the typical ones, with other numbers of channels and
// of pixels.
func choose(n int, seed uint64) []graph.Workload {
	rng := rand.New(rand.NewPCG(seed, 1))
	typical := graph.Typical()
	seen := map[string]bool{}
	var chosen []graph.Workload
	for i := 0; len(chosen) < n; i++ {
		w := typical[i%len(typical)]
		if i >= len(typical) {
			w = vary(w, rng)
		}
		if w.Validate() != nil || w.MACs() > mostWork || seen[w.String()] {
			continue
		}
		seen[w.String()] = true
		chosen = append(chosen, w)
	}
	return chosen
}

func vary(w graph.Workload, rng *rand.Rand) graph.Workload {
	channels := func(c int) int { return max(8, int(float64(c)*(0.25+0.75*rng.Float64()))/8*8) }
	same := w.C == w.K
	grouped := w.Group > 1
	if w.C > 8 {
		w.C = channels(w.C)
	}
	switch {
	case grouped:
		w.K, w.Group = w.C, w.C
	case same:
		w.K = w.C
	case w.K > 8:
		w.K = channels(w.K)
	}
	if w.H > 7 {
		h := max(7, int(float64(w.H)*(0.5+0.5*rng.Float64())))
		if w.R == w.H && w.S == w.W { // a second operand of the same size
			w.R, w.S = h, h
		}
		w.H, w.W = h, h
	}
	return w
}
