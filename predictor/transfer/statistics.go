package transfer

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"
)

// ranks are counted from 1; equal values share the mean of their ranks.
func ranks(v []float64) []float64 {
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

// correlation is Pearson's, 0 where a side does not vary.
func correlation(a, b []float64) float64 {
	n := float64(len(a))
	var ma, mb, aa, bb, ab float64
	for i := range a {
		ma += a[i] / n
		mb += b[i] / n
	}
	for i := range a {
		x, y := a[i]-ma, b[i]-mb
		aa += x * x
		bb += y * y
		ab += x * y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// spearman is the rank correlation of two columns, ties sharing their rank.
func spearman(a, b []float64) float64 { return correlation(ranks(a), ranks(b)) }

// weighted is a value and how much it counts.
type weighted struct{ value, weight float64 }

// distribution holds weighted values in ascending order.
type distribution struct {
	values []weighted
	until  []float64 // weight up to and with each value
}

// quantile returns the smallest value that values with at least share q of the
// weight do not exceed.
func (d distribution) quantile(q float64) float64 {
	last := len(d.values) - 1
	i, _ := slices.BinarySearch(d.until, q*d.until[last])
	return d.values[min(i, last)].value
}

func (d distribution) weight() float64 { return d.until[len(d.until)-1] }

// distributionOf sorts v in place.
func distributionOf(v []weighted) distribution {
	slices.SortFunc(v, func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
	d := distribution{values: v}
	sum := 0.0
	for _, w := range v {
		sum += w.weight
		d.until = append(d.until, sum)
	}
	return d
}

// inParallel calls f for each number below n, on all processors.
func inParallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	wg.Wait()
}

func median(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
