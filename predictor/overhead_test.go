package predictor

import (
	"math"
	"slices"
	"testing"
)

// TestOverheadPull wants a network to cost the sum of its workloads where
// nothing speaks against it, and where the pull drowns what does.
func TestOverheadPull(t *testing.T) {
	var agreeing, slower []observation
	for i := range 6 {
		families := []float64{float64(1000 * (i + 1)), float64(500 * (7 - i)), 0}
		o := observation{families: families, count: float64(10 + i%3), bytes: 1e5, ns: total(families)}
		agreeing = append(agreeing, o)
		o.ns *= 1.5
		slower = append(slower, o)
	}
	free := fitOverhead(agreeing, 3, nil, nil)
	for i, o := range agreeing {
		if e := math.Abs(free.predict(o)/o.ns - 1); e > 1e-6 {
			t.Errorf("network %d: error %g; want none", i, e)
		}
	}
	for _, split := range []bool{false, true} {
		for family, factor := range (overheadForm{families: 3, split: split}).solve(slower, 1e6).factors {
			if math.Abs(factor-1) > 1e-3 {
				t.Errorf("split %v: factor %g of family %d under a strong pull, want 1", split, factor, family)
			}
		}
	}
	if f := (overheadForm{families: 3, split: true}).solve(slower, 1e-3).factors[2]; f != 1 {
		t.Errorf("factor %g of a family that no network has, want 1", f)
	}
	learned := fitOverhead(slower, 3, nil, nil)
	for i, o := range slower {
		if e := math.Abs(learned.predict(o)/o.ns - 1); e > 0.01 {
			t.Errorf("network %d that takes 1.5 times its sum: error %g", i, e)
		}
	}
}

func TestOverheadOfTooFew(t *testing.T) {
	two := []observation{
		{families: []float64{100, 200}, count: 3, ns: 600},
		{families: []float64{50, 20}, count: 3, ns: 140},
	}
	o := fitOverhead(two, 2, nil, nil)
	if got := o.predict(two[0]); got != 300 {
		t.Errorf("two networks: prediction %g, want the sum 300", got)
	}
}

// TestSpill has networks whose weights cost from one size to another, and
// finds what.
func TestSpill(t *testing.T) {
	truth := func(weights float64) float64 { return 3 * (min(max(weights, 700), 1400) - 700) }
	var observations []observation
	for i := range 12 {
		o := observation{families: []float64{float64(1000 * (i + 2))}, count: 10, weights: float64(300 * (i * 5 % 9))}
		o.ns = o.families[0] + truth(o.weights)
		observations = append(observations, o)
	}
	o := fitOverhead(observations, 1, []float64{700, 1400, 2800}, nil)
	if len(o.knots) != 2 || math.Abs(o.spill[0]-3) > 0.1 || math.Abs(o.spill[1]) > 0.1 {
		t.Errorf("a byte between %v costs %v ns, want 3 from 700 to 1400", o.knots, o.spill)
	}
	for i, e := range o.form.leftOut(observations, o.strength) {
		if math.Abs(e) > 0.05 {
			t.Errorf("network %d: left out it errs by %g", i, e)
		}
	}
	last := 0.0
	for weights := 0.0; weights < 5000; weights += 100 {
		ns := o.once(weights)
		if ns < last {
			t.Errorf("weights of %g bytes cost %g ns, fewer %g", weights, ns, last)
		}
		last = ns
	}
}

func TestWeightKnots(t *testing.T) {
	if got := weightKnots([]float64{32, 100, 450}); !slices.Equal(got, []float64{100, 200, 400}) {
		t.Errorf("knots %v", got)
	}
	if got := weightKnots([]float64{32}); got != nil {
		t.Errorf("knots %v with one cache, want none", got)
	}
}
