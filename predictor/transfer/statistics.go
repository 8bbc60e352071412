package transfer

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
)

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
