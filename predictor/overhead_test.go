package predictor

import (
	"math"
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
	free, errors := fitOverhead(agreeing, 3)
	for i, o := range agreeing {
		if e := math.Abs(free.predict(o)/o.ns - 1); e > 1e-6 || math.Abs(errors[i]) > 1e-6 {
			t.Errorf("network %d: error %g, left out %g; want none", i, e, errors[i])
		}
	}
	for _, split := range []bool{false, true} {
		for family, factor := range solveOverhead(slower, 3, split, 1e6).factors {
			if math.Abs(factor-1) > 1e-3 {
				t.Errorf("split %v: factor %g of family %d under a strong pull, want 1", split, factor, family)
			}
		}
	}
	if f := solveOverhead(slower, 3, true, 1e-3).factors[2]; f != 1 {
		t.Errorf("factor %g of a family that no network has, want 1", f)
	}
	learned, _ := fitOverhead(slower, 3)
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
	o, errors := fitOverhead(two, 2)
	if got := o.predict(two[0]); got != 300 {
		t.Errorf("two networks: prediction %g, want the sum 300", got)
	}
	for i, e := range errors {
		if math.Abs(e-math.Ln2) > 1e-12 {
			t.Errorf("error %d is %g, want ln 2", i, e)
		}
	}
}
