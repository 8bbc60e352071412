package predictor

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestTreesFindSteps gives steps of two features that no line follows.
func TestTreesFindSteps(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	truth := func(x []float64) float64 {
		y := 1.0
		if x[0] > 0.3 {
			y += 2
		}
		if x[0] > 0.3 && x[2] <= -0.5 {
			y -= 4
		}
		return y
	}
	var x [][]float64
	var y, weights []float64
	for range 300 {
		row := []float64{2*rng.Float64() - 1, rng.Float64(), 2*rng.Float64() - 1}
		x, y, weights = append(x, row), append(y, truth(row)), append(weights, 1)
	}
	grown := boosting{rounds: 100, depth: 3, rate: 0.2, leaf: 2, ridge: 0.1}.grow(x, y, weights)
	for range 200 {
		row := []float64{2*rng.Float64() - 1, rng.Float64(), 2*rng.Float64() - 1}
		if math.Abs(row[0]-0.3) < 0.03 || math.Abs(row[2]+0.5) < 0.03 {
			continue // where rows leave open where the step is
		}
		if e := math.Abs(grown.predict(row) - truth(row)); e > 0.05 {
			t.Errorf("at %v the trees give %g, want %g", row, grown.predict(row), truth(row))
		}
	}
}

// TestOneSplit compares with the split of four rows worked out by hand.
func TestOneSplit(t *testing.T) {
	x := [][]float64{{0, 5}, {1, 3}, {2, 5}, {3, 4}}
	y := []float64{1, 2, 7, 8}
	grown := boosting{rounds: 1, depth: 1, rate: 1, leaf: 1}.grow(x, y, []float64{1, 1, 1, 3})
	root := grown.nodes[grown.roots[0]]
	if root.feature != 0 || root.threshold != 1.5 {
		t.Fatalf("split of feature %d at %g, want 0 at 1.5", root.feature, root.threshold)
	}
	if l, r := grown.predict([]float64{1.5, 0}), grown.predict([]float64{1.6, 0}); l != 1.5 || r != 7.75 {
		t.Errorf("leaves are %g and %g, want 1.5 and the weighted 7.75", l, r)
	}
	none := boosting{rounds: 1, depth: 1, rate: 1, leaf: 3}.grow(x, y, []float64{1, 1, 1, 1})
	if v := none.predict(x[0]); v != 4.5 {
		t.Errorf("with leaves of three no split is possible: %g, want the mean 4.5", v)
	}
}

// TestShrinkage wants what r rounds of rate s leave of a constant: (1-s)^r.
func TestShrinkage(t *testing.T) {
	grown := boosting{rounds: 5, depth: 2, rate: 0.3, leaf: 1}.grow([][]float64{{0}, {1}}, []float64{2, 2}, []float64{1, 1})
	if got, want := grown.predict([]float64{7}), 2*(1-math.Pow(0.7, 5)); math.Abs(got-want) > 1e-12 {
		t.Errorf("after 5 rounds %g, want %g", got, want)
	}
}
