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
	// Low and High bound the median with 95% confidence, or are the smallest
	// and the largest sample where there are too few samples for that.
	Low, High float64
	// Bounded says that Low and High have the confidence stated.
	Bounded bool
	// Independent is how many independent samples would tell as much of the
	// median.
	Independent int
}

// width is the width of the median's interval as a part of the median.
func (s summary) width() float64 { return (s.High - s.Low) / s.Median }

// summarize sorts samples, of which there must be at least one, in the order in
// which they were taken: what one of them tells of the next one makes the
// interval wider.
func summarize(samples []float64) summary {
	independent := int(effectiveSize(samples))
	slices.Sort(samples)
	n := len(samples)
	low, high, bounded := medianInterval(independent)
	if independent != n { // the same quantiles among more samples
		low = (low+1)/float64(independent+1)*float64(n+1) - 1
		high = float64(n-1) - low
	}
	return summary{
		Median:  middle(samples),
		Mean:    stat.Mean(samples, nil),
		P10:     stat.Quantile(0.1, stat.Empirical, samples, nil),
		P90:     stat.Quantile(0.9, stat.Empirical, samples, nil),
		Low:     atRank(samples, low),
		High:    atRank(samples, high),
		Bounded: bounded, Independent: independent,
	}
}

// atRank interpolates between the sorted samples next to a rank from 0.
func atRank(sorted []float64, rank float64) float64 {
	rank = min(max(rank, 0), float64(len(sorted)-1))
	i := min(int(rank), len(sorted)-1)
	j := min(i+1, len(sorted)-1)
	return sorted[i] + (rank-float64(i))*(sorted[j]-sorted[i])
}

// medianInterval returns the ranks, from 0, of the order statistics between
// which the median of the population lies with 95% confidence; between two
// samples the rank has a fraction.
//
// The number of n independent samples that fall below the median is binomial
// with p = 1/2, whatever the population's distribution, so that the interval
// from the sample of rank k to that of rank n-1-k misses the median with
// probability 2 P(B <= k): David and Nagaraja, "Order Statistics" (3rd
// edition, 2003), section 7.1. The largest such k covers more than 95%, the
// next one less, and the interpolation between them of Hettmansperger and
// Sheather, "Confidence intervals based on interpolated order statistics"
// (1986), nearly 95% for about any population. Fewer than six samples cannot
// give that confidence: then the ranks of the extremes and false are returned.
func medianInterval(n int) (low, high float64, bounded bool) {
	b := distuv.Binomial{N: float64(n), P: 0.5}
	const tail = (1 - confidence) / 2
	// The normal approximation is right to a rank or two.
	k := int(float64(n)/2 - 1.96*math.Sqrt(float64(n))/2)
	k = max(k, 0)
	for k > 0 && b.CDF(float64(k)) > tail {
		k--
	}
	for k+1 < n && b.CDF(float64(k+1)) <= tail {
		k++
	}
	if b.CDF(float64(k)) > tail {
		return 0, float64(max(n-1, 0)), false
	}
	// Their formula counts ranks from 1: its k is k+1 here.
	wider, narrower := 1-2*b.CDF(float64(k)), 1-2*b.CDF(float64(k+1))
	part := (wider - confidence) / (wider - narrower)
	d := float64(k + 1)
	lambda := (float64(n) - d) * part / (d + (float64(n)-2*d)*part)
	low = float64(k) + lambda
	return low, float64(n-1) - low, true
}

// effectiveSize is how many independent samples tell as much of the median as
// these, which are in the order in which they were taken.
//
// The variance of the median of a stationary series goes by the long-run
// variance of the indicator that a sample is below the median, which for
// independent samples is 1/4. It is estimated from the indicator's
// autocovariances by the initial monotone sequence of Geyer, "Practical Markov
// chain Monte Carlo" (1992): sums of two neighbouring lags, as long as they are
// positive and fall.
func effectiveSize(samples []float64) float64 {
	n := len(samples)
	if n < 6 {
		return float64(n)
	}
	m := median(samples)
	below := make([]float64, n)
	for i, x := range samples {
		switch { // several samples may be the median
		case x < m:
			below[i] = 0.5
		case x > m:
			below[i] = -0.5
		}
	}
	lag := func(k int) float64 {
		sum := 0.0
		for i := k; i < n; i++ {
			sum += below[i] * below[i-k]
		}
		return sum / float64(n)
	}
	variance := lag(0)
	if variance == 0 {
		return float64(n)
	}
	sum, before := 0.0, math.Inf(1)
	for k := 0; k+1 <= n/2; k += 2 {
		pair := min(lag(k)+lag(k+1), before)
		if pair <= 0 {
			break
		}
		sum += pair
		before = pair
	}
	time := 2*sum/variance - 1 // samples that tell as much as one independent one
	// The estimate is too small for a short series, of which it takes the median
	// out, and uncertain; simulated series of 50 to 800 samples want about this.
	time *= 1 + 7*(time-1)/float64(n)
	return float64(n) / max(1, time)
}

// A series is bimodal if it falls into two clusters of at least minCluster of
// it each, whose means are minGap times (more in a short series) as far apart as
// its values are from the mean of their cluster, in the root of the mean square,
// and at least minDistance of the median.
const (
	minCluster  = 0.15
	minGap      = 4.2
	shortGap    = 70 // over the number of samples
	minDistance = 0.02
	trimmed     = 0.02 // of the values at either end may be anything
)

// bimodal reports whether samples, which are sorted, fall into two clusters: of
// all ways to cut them in two, the one with the least squares within. Where
// they have one mode the gap is at most that of the uniform distribution,
// sqrt(12): Ashman, Bird and Zepf, "Detecting bimodality in astronomical
// datasets" (1994), use the same ratio. Fewer than 20 samples tell nothing.
func bimodal(sorted []float64) bool {
	if len(sorted) < minSamples {
		return false
	}
	cut := int(math.Ceil(trimmed * float64(len(sorted))))
	x := sorted[cut : len(sorted)-cut]
	n := len(x)
	center := middle(x) // keeps the sums of squares exact
	total, squares := 0.0, 0.0
	for _, v := range x {
		total += v - center
		squares += (v - center) * (v - center)
	}
	least := int(math.Ceil(minCluster * float64(n)))
	best, gap, left := math.Inf(1), 0.0, 0.0
	for i, v := range x[:n-least] {
		left += v - center
		k := float64(i + 1)
		if i+1 < least {
			continue
		}
		low, high := left/k, (total-left)/(float64(n)-k)
		within := squares - k*low*low - (float64(n)-k)*high*high
		if within < best {
			best, gap = within, high-low
		}
	}
	spread := math.Sqrt(max(best, 0) / float64(n))
	return gap > (minGap+shortGap/float64(n))*spread && gap > minDistance*center
}

// lastChange finds the moment at which the level of a series changed, by the
// test of Pettitt, "A non-parametric approach to the change-point problem"
// (1979), at 1%. It returns the number of samples before it, or 0 where the
// series may well have one level.
func lastChange(series []float64) int {
	n := len(series)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case series[a] < series[b]:
			return -1
		case series[a] > series[b]:
			return 1
		}
		return 0
	})
	rank := make([]float64, n)
	for i := 0; i < n; { // equal values share the mean of their ranks
		j := i
		for j < n && series[order[j]] == series[order[i]] {
			j++
		}
		for k := i; k < j; k++ {
			rank[order[k]] = float64(i+j+1) / 2
		}
		i = j
	}
	most, at, sum := 0.0, 0, 0.0
	for i := range n - 1 {
		sum += rank[i]
		u := math.Abs(2*sum - float64((i+1)*(n+1)))
		if u > most {
			most, at = u, i+1
		}
	}
	size := float64(n)
	if p := 2 * math.Exp(-6*most*most/(size*size*size+size*size)); p > 0.01 {
		return 0
	}
	return at
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
