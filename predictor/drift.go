package predictor

import (
	"fmt"
	"maps"
	"math"

	"github.com/hwprofd/hwprofd/lut"
)

// Drift is what became of a device since its table was measured, as factors on
// latencies: of all that does not depend on the weights of a network, and of what
// it costs to fetch these. Caches and memory that are shared with others have
// good and bad hours, the clock has not.
type Drift struct {
	Speed    float64 `json:"speed"`
	Weights  float64 `json:"weights"`
	Networks int     `json:"networks"` // measured again
}

// LeastDrift networks measured again tell of a drift.
const LeastDrift = 8

const (
	// driftPull is the pull of the two factors towards each other, in networks all of
	// whose time goes to weights: they differ by about 30%, networks from their
	// predictions by about 2%.
	driftPull = 0.005
	// steadyDrift is how far a network may be from what the others say to count in
	// full.
	steadyDrift = 0.03
	driftRounds = 20
)

// Drift compares networks, such as some of the table's measured again, with their
// predictions.
func (p *Predictor) Drift(now []lut.Network) (Drift, error) {
	d := Drift{Speed: 1, Weights: 1, Networks: len(now)}
	if len(now) < LeastDrift {
		return d, fmt.Errorf("predictor: %d networks measured again do not tell what became of the device; want at least %d", len(now), LeastDrift)
	}
	ratio, share := make([]float64, len(now)), make([]float64, len(now))
	for i, n := range now {
		workloads, err := networkWorkloads(n)
		if err != nil {
			return d, err
		}
		s, _, err := p.sum(workloads)
		if err != nil {
			return d, fmt.Errorf("predictor: network %q: %w", n.Name, err)
		}
		ratio[i], share[i] = n.LatencyMedianNS/s.ns, (p.overhead.once(s.weights)-p.overhead.constant)/s.ns
	}
	// Least squares of ratio = speed (1 - share) + weights share, with Huber's weights.
	for range driftRounds {
		aa, ab, bb, ay, by := driftPull, -driftPull, driftPull, 0.0, 0.0
		for i, y := range ratio {
			a, b := 1-share[i], share[i]
			w := 1.0
			if off := math.Abs(y - d.Speed*a - d.Weights*b); off > steadyDrift {
				w = steadyDrift / off
			}
			aa, ab, bb = aa+w*a*a, ab+w*a*b, bb+w*b*b
			ay, by = ay+w*a*y, by+w*b*y
		}
		det := aa*bb - ab*ab
		d.Speed, d.Weights = (ay*bb-by*ab)/det, (by*aa-ay*ab)/det
	}
	if !(d.Speed > 0) || !(d.Weights >= 0) {
		return Drift{Speed: 1, Weights: 1, Networks: len(now)}, fmt.Errorf("predictor: the %d networks measured again contradict each other", len(now))
	}
	return d, nil
}

// Drifted is the predictor for the device as a drift left it.
func (p *Predictor) Drifted(d Drift) *Predictor {
	other := *p
	overhead := *p.overhead
	overhead.factors, overhead.spill = scaled(p.overhead.factors, d.Speed), scaled(p.overhead.spill, d.Weights)
	overhead.perWorkload *= d.Speed
	overhead.perByte *= d.Speed
	overhead.constant *= d.Speed
	other.overhead, other.memory = &overhead, newMemory()
	p.memory.mu.RLock()
	defer p.memory.mu.RUnlock()
	maps.Copy(other.memory.cuts, p.memory.cuts)
	for w, c := range p.memory.costs {
		c.network *= d.Speed
		other.memory.costs[w] = c
	}
	return &other
}

func scaled(values []float64, factor float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = factor * v
	}
	return out
}
