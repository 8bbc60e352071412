package profiler

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// confidence is the coverage of every interval that this package states.
const confidence = 0.95

// summary describes the samples of one item, in ns per run.
type summary struct {
	Median, Mean, P10, P90 float64
	// Low and High bound the median with at least 95% confidence, or are the
	// smallest and the largest sample where there are too few samples for that.
	Low, High float64
	// Bounded says that Low and High have the confidence stated.
	Bounded bool
}

// width is the width of the median's interval as a part of the median.
func (s summary) width() float64 { return (s.High - s.Low) / s.Median }

// summarize sorts samples, of which there must be at least one.
func summarize(samples []float64) summary {
	slices.Sort(samples)
	low, high, bounded := medianInterval(len(samples))
	return summary{
		Median:  middle(samples),
		Mean:    stat.Mean(samples, nil),
		P10:     stat.Quantile(0.1, stat.Empirical, samples, nil),
		P90:     stat.Quantile(0.9, stat.Empirical, samples, nil),
		Low:     samples[low],
		High:    samples[high],
		Bounded: bounded,
	}
}

// medianInterval returns the ranks, from 0, of the order statistics between
// which the median of the population lies with at least 95% confidence.
//
// The number of n independent samples that fall below the median is binomial
// with p = 1/2, whatever the population's distribution, so that the interval
// from the sample of rank k to that of rank n-1-k misses the median with
// probability 2 P(B <= k): David and Nagaraja, "Order Statistics" (3rd
// edition, 2003), section 7.1. The largest such k is taken. Fewer than six
// samples cannot give that confidence: then the ranks of the extremes and
// false are returned.
func medianInterval(n int) (low, high int, bounded bool) {
	b := distuv.Binomial{N: float64(n), P: 0.5}
	const tail = (1 - confidence) / 2
	// The normal approximation is right to a rank or two.
	k := int(float64(n)/2 - 1.96*math.Sqrt(float64(n))/2)
	k = max(k, 0)
	for k > 0 && b.CDF(float64(k)) > tail {
		k--
	}
	for b.CDF(float64(k+1)) <= tail {
		k++
	}
	return k, n - 1 - k, b.CDF(float64(k)) <= tail
}

// median returns the median of samples, of which there must be at least one,
// and leaves them in their order.
func median(samples []float64) float64 {
	return middle(slices.Sorted(slices.Values(samples)))
}

// middle returns the median of sorted samples.
func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
