package predictor

import (
	"cmp"
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
)

// Suggestion is a workload whose measurement would narrow a prediction.
type Suggestion struct {
	Workload  graph.Workload
	Times     int     // that the network does it
	LatencyNS float64 // of the workload alone, as predicted now
	Source    string  // of that, as in Part
	// Width is the half width of the interval in ln(ns) once this and the
	// suggestions before it are measured as well as the table's usual row.
	Width float64
}

// Suggest returns at most n workloads, those first whose measurement narrows
// the interval of the network most: that have the largest part in its latency
// times uncertainty. Once none is left, only more whole networks for "fit" and
// "calibrate" narrow it.
func (p *Predictor) Suggest(workloads []graph.Workload, n int) ([]Suggestion, error) {
	s, parts, err := p.sum(workloads)
	if err != nil {
		return nil, err
	}
	gains := map[graph.Workload]float64{} // ns of spread
	known := map[graph.Workload]*Suggestion{}
	var list []*Suggestion
	for _, part := range parts {
		w := part.Workload
		if known[w] == nil {
			known[w] = &Suggestion{Workload: w, LatencyNS: part.LatencyNS, Source: part.Source}
			list = append(list, known[w])
		}
		known[w].Times++
		c, err := p.cost(w)
		if err != nil {
			return nil, err
		}
		if c.source != SourceNetwork { // a row would tell less
			gains[w] += c.network * max(0, c.spread-p.usualNoise)
		}
	}
	list = slices.DeleteFunc(list, func(s *Suggestion) bool { return gains[s.Workload] == 0 })
	slices.SortStableFunc(list, func(a, b *Suggestion) int { return cmp.Compare(gains[b.Workload], gains[a.Workload]) })
	out := make([]Suggestion, 0, max(0, min(n, len(list))))
	for _, x := range list[:cap(out)] {
		s.spread = math.Max(0, s.spread-gains[x.Workload])
		x.Width = p.halfWidth(&s)
		out = append(out, *x)
	}
	return out, nil
}
