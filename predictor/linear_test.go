package predictor

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestSolveNonNegativeOptimal checks the conditions of Karush, Kuhn and Tucker:
// at the optimum the gradient is zero where b > 0 and not negative where b = 0.
func TestSolveNonNegativeOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.IntRange(1, 5).Draw(t, "columns")
		value := rapid.Float64Range(-3, 3)
		x := rapid.SliceOfN(rapid.SliceOfN(value, d, d), 1, 12).Draw(t, "x")
		y := rapid.SliceOfN(value, len(x), len(x)).Draw(t, "y")
		priors := make([]prior, d)
		for j := range priors {
			priors[j] = prior{value: rapid.Float64Range(0, 2).Draw(t, "prior"), scale: rapid.SampledFrom([]float64{0, 1}).Draw(t, "scale")}
		}
		const lambda = 0.1
		b := solveNonNegative(x, y, priors, lambda)
		for j := range d {
			var gradient, square float64
			for i, row := range x {
				gradient += row[j] * (dot(row, b) - y[i]) / float64(len(x))
				square += row[j] * row[j] / float64(len(x))
			}
			if square == 0 {
				if b[j] != priors[j].value {
					t.Fatalf("coefficient %d of an empty column is %g, want its prior %g", j, b[j], priors[j].value)
				}
				continue
			}
			pull := square
			if priors[j].scale > 0 {
				pull = 1
			}
			gradient += lambda * pull * (b[j] - priors[j].value)
			switch {
			case b[j] < 0:
				t.Fatalf("coefficient %d is %g", j, b[j])
			case b[j] > 0 && math.Abs(gradient) > 1e-6, b[j] == 0 && gradient < -1e-6:
				t.Fatalf("coefficient %d is %g, where the gradient is %g", j, b[j], gradient)
			}
		}
	})
}

func TestSolveRelativeExact(t *testing.T) {
	want := []float64{100, 3, 0.25}
	var x [][]float64
	var y []float64
	for i := range 12 {
		row := []float64{1, float64(i * i * 50), math.Exp2(float64(i))}
		x, y = append(x, row), append(y, dot(row, want))
	}
	got := solveRelative(x, y, make([]float64, len(y)), make([]prior, 3), 1e-12)
	for j := range want {
		if math.Abs(got[j]/want[j]-1) > 1e-3 {
			t.Errorf("coefficient %d is %g, want %g", j, got[j], want[j])
		}
	}
}

// TestSolveRelativeWeighs has a wild measurement that says so, and one that
// does not.
func TestSolveRelativeWeighs(t *testing.T) {
	x, y, noise := [][]float64{{1}, {1}, {1}, {1}}, []float64{100, 100, 100, 150}, []float64{0, 0, 0, 0.5}
	honest := solveRelative(x, y, noise, make([]prior, 1), 1e-12)[0]
	silent := solveRelative(x, y, make([]float64, 4), make([]prior, 1), 1e-12)[0]
	if math.Abs(honest-100) > 0.2 || silent < 105 {
		t.Errorf("estimate %g with the noise stated, %g without; want 100 and more than 105", honest, silent)
	}
}
