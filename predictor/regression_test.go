package predictor

import (
	"math"
	"testing"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
)

// pointwiseSamples are n 1x1 convolutions that cost as the function says.
func pointwiseSamples(n int, ns func(graph.Workload) float64) []sample {
	m := newMachine(4)
	var samples []sample
	seen := map[graph.Workload]bool{}
	for len(samples) < n {
		for _, w := range m.draw() {
			if w.Family() == "pointwise" && !seen[w] && len(samples) < n {
				seen[w] = true
				samples = append(samples, sample{workload: w, ns: ns(w)})
			}
		}
	}
	return samples
}

func describe(samples []sample) describer {
	return describer{hardware: hardwareOf(device.Info{}), roofline: fitRoofline(map[string][]sample{"all": samples}).coefficients}
}

func TestRegressionPrefersSimple(t *testing.T) {
	truth := func(w graph.Workload) float64 { return 500 + 0.02*float64(w.MACs()) + 0.1*float64(w.BytesRead()) }
	samples := pointwiseSamples(60, truth)
	r := fitRegression(samples[:40], describe(samples))
	if r.kind != additive {
		t.Errorf("kind is %s for an additive truth", r.kind)
	}
	for _, s := range samples[40:] {
		if e := math.Abs(math.Log(r.predict(s.workload) / s.ns)); e > 0.01 {
			t.Errorf("%s: error %g", s.workload, e)
		}
	}
}

func TestRegressionLearnsShape(t *testing.T) {
	m := newMachine(1)
	samples := pointwiseSamples(150, m.latency)
	r := fitRegression(samples[:100], describe(samples))
	if r.kind == additive {
		t.Errorf("kind is %s for a truth that is not", r.kind)
	}
	var errors []float64
	for _, s := range samples[100:] {
		errors = append(errors, math.Log(r.predict(s.workload)/s.ns))
	}
	if e := rootMeanSquare(errors); e > 0.05 {
		t.Errorf("error %g on rows not seen", e)
	}
	if ratio := rootMeanSquare(errors) / r.spread; ratio < 0.3 || ratio > 2 {
		t.Errorf("error on rows not seen is %.2g times the %g that cross-validation states", ratio, r.spread)
	}
}

func TestRegressionExtrapolates(t *testing.T) {
	m := newMachine(1)
	samples := pointwiseSamples(100, m.latency)
	r := fitRegression(samples, describe(samples))
	near := conv(48, 96, 14, 1, 1, 1, "relu")
	far := conv(2048, 4096, 112, 1, 1, 1, "relu") // thousands of times the largest row
	if e := math.Abs(math.Log(r.predict(far) / m.latency(far))); e > math.Ln2 {
		t.Errorf("far outside the rows, the prediction is off by a factor of %g", math.Exp(e))
	}
	if a, b := r.uncertainty(near), r.uncertainty(far); b <= a {
		t.Errorf("uncertainty is %g far outside the rows, %g among them", b, a)
	}
}

func TestRooflineExact(t *testing.T) {
	truth := func(w graph.Workload) float64 { return 700 + 0.04*float64(w.MACs()) + 0.3*float64(w.Bytes()) }
	families := map[string][]sample{"pointwise/f32": pointwiseSamples(9, truth)}
	r := fitRoofline(families)
	w := conv(16, 16, 20, 3, 1, 1, "none")
	ns, spread, err := r.predict("conv2d/f32", w)
	if err != nil {
		t.Fatal(err)
	}
	if e := math.Abs(ns/truth(w) - 1); e > 0.01 {
		t.Errorf("error %g where the truth is a roofline", e)
	}
	if spread < strangerSpread {
		t.Errorf("spread %g of a family without rows, want at least %g", spread, strangerSpread)
	}
}

// TestRooflineFactor wants a family's few rows to count.
func TestRooflineFactor(t *testing.T) {
	m := newMachine(1)
	pointwise := pointwiseSamples(9, m.latency)
	slow := conv(64, 64, 14, 3, 1, 64, "relu")
	families := map[string][]sample{"pointwise/f32": pointwise}
	without, _, err := fitRoofline(families).predict("depthwise/f32", slow)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []int{16, 32, 96, 128} {
		w := conv(c, c, 14, 3, 1, c, "relu")
		families["depthwise/f32"] = append(families["depthwise/f32"], sample{workload: w, ns: m.latency(w)})
	}
	with, _, err := fitRoofline(families).predict("depthwise/f32", slow)
	if err != nil {
		t.Fatal(err)
	}
	truth := m.latency(slow)
	if a, b := math.Abs(math.Log(with/truth)), math.Abs(math.Log(without/truth)); a >= b {
		t.Errorf("four rows of the family: off by a factor of %g; none: %g", math.Exp(a), math.Exp(b))
	}
}
