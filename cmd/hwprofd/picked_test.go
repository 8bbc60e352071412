package main

import (
	"testing"

	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/predictor"
)

// TestPicked wants intervals that grow with the number of networks that could
// as well have been the fastest, and stay where there are none.
func TestPicked(t *testing.T) {
	p := predictor.Prediction{LatencyNS: 100, LowNS: 95, HighNS: 105, Coverage: 0.9, Spread: 0.03}
	outcome := searchOutcome{objectives: allObjectives[:2]}
	for _, latency := range []float64{50, 94, 106, 500} {
		outcome.Evaluated = append(outcome.Evaluated, nas.Evaluation{Values: []float64{90, latency}})
	}
	if got := outcome.picked(p); got.HighNS != p.HighNS {
		t.Errorf("without rivals the interval ends at %g, want %g", got.HighNS, p.HighNS)
	}
	last := p.HighNS
	for range 3 {
		outcome.Evaluated = append(outcome.Evaluated, nas.Evaluation{Values: []float64{90, 101}})
		got := outcome.picked(p)
		if got.HighNS <= last || got.LowNS != p.LowNS || got.LatencyNS != p.LatencyNS {
			t.Errorf("with one more rival the interval is [%g, %g] around %g, before it ended at %g", got.LowNS, got.HighNS, got.LatencyNS, last)
		}
		last = got.HighNS
	}
}
