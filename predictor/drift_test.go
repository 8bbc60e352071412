package predictor

import (
	"math"
	"testing"

	"github.com/hwprofd/hwprofd/lut"
)

// TestDrift slows a device down by 4%, and by 40% where weights are fetched.
func TestDrift(t *testing.T) {
	const speed, weights = 1.04, 1.4
	m := newMachine(4)
	p := mustFit(t, m.table(100, 12, 16))
	p.overhead.knots, p.overhead.spill = []float64{2000, 9000}, []float64{2, 1}
	networks := m.networks("test", 24)
	share := 0.0
	for i := range networks {
		workloads, err := networkWorkloads(networks[i])
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := p.sum(workloads)
		if err != nil {
			t.Fatal(err)
		}
		fetching := p.overhead.once(s.weights) - p.overhead.constant
		share = max(share, fetching/s.ns)
		networks[i].LatencyMedianNS = speed*(s.ns-fetching) + weights*fetching
	}
	if share < 0.1 {
		t.Fatalf("weights are %.2f of the latency at most: the test tells nothing", share)
	}
	check := func(networks []lut.Network, tolerance float64) {
		t.Helper()
		d, err := p.Drift(networks)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(d.Speed/speed-1) > tolerance || math.Abs(d.Weights/weights-1) > 10*tolerance || d.Networks != len(networks) {
			t.Errorf("%+v, want %g and %g", d, speed, weights)
		}
		a, err := p.Drifted(d).Evaluate(networks[1:])
		if err != nil {
			t.Fatal(err)
		}
		if a.MaxError > 3*tolerance {
			t.Errorf("predictions for the device as it is now err by up to %.1f%%", 100*a.MaxError)
		}
	}
	check(networks, 0.01)
	disturbed := append([]lut.Network(nil), networks...)
	disturbed[0].LatencyMedianNS *= 2
	check(disturbed, 0.015)

	// As a device without drift, and its own speed, are nothing to divide by.
	if a, err := p.Drifted(Drift{Speed: 1, Weights: 1}).Evaluate(networks); err != nil || a.MAPE < 0.03 {
		t.Errorf("without a drift: %+v, %v", a, err)
	}
	if _, err := p.Drift(networks[:3]); err == nil {
		t.Error("three networks told of a drift")
	}
}
