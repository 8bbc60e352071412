// Package rank compares orders of values.
package rank

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Of are the ranks of v, counted from 1; equal values share the mean of their ranks.
func Of(v []float64) []float64 {
	type place struct {
		value float64
		at    int
	}
	order := make([]place, len(v))
	for i, x := range v {
		order[i] = place{x, i}
	}
	slices.SortFunc(order, func(a, b place) int { return cmp.Compare(a.value, b.value) })
	out := make([]float64, len(v))
	for from := 0; from < len(v); {
		to := from + 1
		for to < len(v) && order[to].value == order[from].value {
			to++
		}
		for _, p := range order[from:to] {
			out[p.at] = float64(from+to+1) / 2
		}
		from = to
	}
	return out
}

// Correlation is Pearson's, 0 where a side does not vary.
func Correlation(a, b []float64) float64 {
	r := stat.Correlation(a, b, nil)
	if math.IsNaN(r) {
		return 0
	}
	return r
}

// Spearman is the correlation of ranks.
func Spearman(a, b []float64) float64 { return Correlation(Of(a), Of(b)) }
