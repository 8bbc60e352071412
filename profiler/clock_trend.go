package profiler

import (
	"math"

	"github.com/hwprofd/hwprofd/graph"
)

const (
	// Before anything is seen, items are taken to follow the clock with a power of
	// 1, give or take this. A core may run vectors at a clock of their own, whatever
	// its clock is for the chain of the clock's kernel, and what is bound by memory
	// has none.
	powerDeviation = 0.3
	// Visits to an item at the same clock differ by about this part, and those
	// that differ by as much as farVisit tell nothing of the clock.
	visitDeviation = 0.02
	farVisit       = 0.25
)

// workKind is a kind of work, which goes with the machine's clock alike.
type workKind int

const (
	denseWork     workKind = iota // convolutions and products
	groupedWork                   // depthwise convolutions
	streamingWork                 // sums, activations, pooling
	weightsWork                   // products with weights that no cache keeps
	networkWork
)

// Weights are no cache's if they are larger than this, and the multiply-
// accumulates a byte of them few.
const (
	cachedWeights = 1 << 20
	fewMACs       = 4
)

func kindOf(w graph.Workload) workKind {
	weights := w.Params() * elementBytes(w.DType)
	switch {
	case w.MACs() == 0:
		return streamingWork
	case weights > cachedWeights && w.MACs() < fewMACs*weights:
		return weightsWork
	case w.Op == graph.OpConv2D && w.Group > 1:
		return groupedWork
	}
	return denseWork
}

// clockTrend sums up how the times of items went with the clock's, within each.
type clockTrend struct{ xx, xy float64 } // of logarithms, over the items' means

// power is how an item's time goes with the clock's: 1 if about as it does, 0 if
// hardly at all.
func (t *clockTrend) power() float64 {
	if t == nil {
		return 1
	}
	const before, each = 1 / (powerDeviation * powerDeviation), 1 / (visitDeviation * visitDeviation)
	power := (before + each*t.xy) / (before + each*t.xx)
	switch {
	case power > 0.75: // the difference would be noise in most cases
		return 1
	case power < 0.25:
		return 0
	}
	return power
}

// clockMeans are of the quiet visits to an item.
type clockMeans struct {
	visits       float64
	clock, timed float64 // logarithms
}

// follow takes note of a visit to an item.
func (s *sampler) follow(it *item, v visit) {
	if !s.quietVisit(v) {
		return
	}
	x := math.Log(v.Speeds[clock] / s.baseline[clock])
	y := math.Log(v.Median) + x // as timed
	m := &it.means
	if m.visits > 0 && math.Abs(y-m.timed) > farVisit {
		return
	}
	m.visits++
	dx, dy := x-m.clock, y-m.timed
	m.clock += dx / m.visits
	m.timed += dy / m.visits
	if math.Abs(dx) < sameClock {
		return // by which the noise of the clock's kernel is left out
	}
	if s.trends == nil {
		s.trends = map[workKind]*clockTrend{}
	}
	t := s.trends[it.kind]
	if t == nil {
		t = &clockTrend{}
		s.trends[it.kind] = t
	}
	t.xx += dx * (x - m.clock)
	t.xy += dx * (y - m.timed)
}
