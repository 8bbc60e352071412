package transfer

import (
	"fmt"
	"math"
	"slices"
)

// farthest is how far predictions may lie from all measurements, and the ends of
// intervals from predictions, as a logarithm: three measurements can leave so much
// open that what is computed from them overflows.
const farthest = 6 * math.Ln10

// prediction is the cost of every item on the new device, in the unit of the
// measurements.
type prediction struct {
	answer
	errors distribution // absolute, over their standard deviation
}

// value is the median of the prediction of an item.
func (p *prediction) value(item int) float64 { return math.Exp(p.mean[item]) }

// interval holds the item's cost with probability coverage, between 0 and 1. An
// interval of more coverage contains those of less.
func (p *prediction) interval(item int, coverage float64) (low, high float64, err error) {
	if !(coverage > 0 && coverage < 1) {
		return 0, 0, fmt.Errorf("transfer: coverage is %v, want a number between 0 and 1", coverage)
	}
	// One more error, as large as any, keeps the coverage of a finite sample.
	half := min(p.errors.quantile(coverage*(1+1/p.errors.weight()))*p.deviation[item], farthest)
	return math.Exp(p.mean[item] - half), math.Exp(p.mean[item] + half), nil
}

// predict answers for all items from measurements of some.
func (p *experience) predict(measured []int, times []float64) (*prediction, error) {
	if err := checkMeasured(measured, times, len(p.items.groups)); err != nil {
		return nil, err
	}
	if len(measured) > few {
		return p.predictMany(measured, times)
	}
	all := make([]int, len(p.items.groups))
	for i := range all {
		all[i] = i
	}
	var members []member
	robust := slices.Clone(times)
	for range 2 {
		posteriors := p.conditionAll(p.mixtures, p.kernels, measured, robust)
		members = blend(posteriors, p.plausible(posteriors, measured), temper)
		if len(members) == 0 {
			return nil, fmt.Errorf("transfer: no model can be fitted to the %d measurements", len(measured))
		}
		if !pullInTimes(robust, members) {
			break
		}
	}
	g := geometricMean(robust)
	out := &prediction{answer: answerOf(members, p.kernels, measured, g, all)}
	out.limit(times)
	out.round(times)
	var left answer
	left.mean, left.deviation = leftOut(members, robust)
	left.round(times)
	var errors []weighted
	for i, v := range times {
		errors = append(errors, weighted{math.Abs(math.Log(v)-left.mean[i]) / left.deviation[i], 1})
	}
	sums := 0.0 // how probable it is that the device costs a sum
	for _, m := range members {
		if p.isSum(m.mixture) {
			sums += m.share
		}
	}
	for _, w := range p.past {
		errors = append(errors, weighted{w.value, w.weight * pastWeight * (1 - sums)})
	}
	for _, w := range p.pastSums {
		errors = append(errors, weighted{w.value, w.weight * pastWeight * sums})
	}
	out.errors = distributionOf(errors)
	return out, nil
}

// limit keeps means and deviations where they stand for a cost.
func (a answer) limit(times []float64) {
	low, high := math.Log(slices.Min(times))-farthest, math.Log(slices.Max(times))+farthest
	for i, m := range a.mean {
		a.mean[i] = min(max(m, low), high)
		a.deviation[i] = min(a.deviation[i], farthest)
	}
}

// pullInTimes pulls in measurements that no other supports, and tells whether
// there were any: a phone that did something else meanwhile shows one network
// two times too slow.
func pullInTimes(times []float64, members []member) bool {
	mean, deviation := leftOut(members, times)
	y := make([]float64, len(times))
	for i, v := range times {
		y[i] = math.Log(v)
	}
	variances := make([]float64, len(times))
	for i, d := range deviation {
		variances[i] = d * d
	}
	if !pullIn(y, mean, variances) {
		return false
	}
	for i, v := range y {
		times[i] = math.Exp(v)
	}
	return true
}

// leftOut predicts the logarithm of each measurement from the others, with its
// standard deviation.
func leftOut(members []member, times []float64) (mean, deviation []float64) {
	n, geometric := len(times), geometricMean(times)
	mean, deviation = make([]float64, n), make([]float64, n)
	for _, m := range members {
		l := scales[m.scale]
		y := make([]float64, n)
		for i, v := range times {
			y[i] = boxCox(v/geometric, l)
		}
		means, variances := m.leaveOneOut(y)
		for i := range times {
			v := logOf(means[i], l)
			slope := math.Exp(-l * max(v, -2))
			mean[i] += m.share * v
			deviation[i] += m.share * (variances[i]*slope*slope + v*v)
		}
	}
	for i := range times {
		deviation[i] = math.Sqrt(max(deviation[i]-mean[i]*mean[i], 1e-18))
		mean[i] += math.Log(geometric)
	}
	return mean, deviation
}
