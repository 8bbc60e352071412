package rank

import (
	"math"
	"testing"
)

func TestSpearman(t *testing.T) {
	for _, test := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{1, 2, 3, 4}, []float64{10, 200, 3000, 40000}, 1},
		{[]float64{1, 2, 3, 4}, []float64{4, 3, 2, 1}, -1},
		{[]float64{1, 2, 3, 4, 5}, []float64{2, 1, 4, 3, 5}, 0.8}, // 1 - 6*4/(5*24)
		{[]float64{1, 1, 2}, []float64{5, 6, 7}, math.Sqrt(3) / 2},
		{[]float64{1, 1, 1}, []float64{5, 6, 7}, 0},
		{[]float64{1}, []float64{5}, 0},
	} {
		if got := Spearman(test.a, test.b); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("Spearman(%v, %v) = %g, want %g", test.a, test.b, got, test.want)
		}
	}
}
