package transfer

import (
	"fmt"
	"math"
)

// Prediction is the cost of every item on the new device, in the unit of the
// measurements.
type Prediction struct {
	answer
	errors []weighted // absolute, over their standard deviation, sorted
}

// Items is the number of items.
func (p *Prediction) Items() int { return len(p.mean) }

// Value is the median of the prediction of an item.
func (p *Prediction) Value(item int) float64 { return math.Exp(p.mean[item]) }

// Interval holds the item's cost with probability coverage, between 0 and 1. An
// interval of more coverage contains those of less.
func (p *Prediction) Interval(item int, coverage float64) (low, high float64, err error) {
	if !(coverage > 0 && coverage < 1) {
		return 0, 0, fmt.Errorf("transfer: coverage is %v, want a number between 0 and 1", coverage)
	}
	// Beyond the ends of what was seen, intervals grow as those of a normal
	// distribution of errors would at most.
	half := quantile(p.errors, coverage) * p.deviation[item]
	return math.Exp(p.mean[item] - half), math.Exp(p.mean[item] + half), nil
}

// predict answers for all items from measurements of some.
func (p *Prior) predict(measured []int, times []float64) (*Prediction, error) {
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
	members := blend(p.conditionAll(p.mixtures, p.kernels, measured, times), p.log)
	if len(members) == 0 {
		return nil, fmt.Errorf("transfer: no model can be fitted to the %d measurements", len(measured))
	}
	g := geometricMean(times)
	out := &Prediction{answer: answerOf(members, p.kernels, measured, g, all)}
	out.errors = p.calibrate(members, times, g)
	return out, nil
}

// calibrate pools the errors of leaving each measurement out with those of the
// rehearsals.
func (p *Prior) calibrate(members []member, times []float64, geometric float64) []weighted {
	n := len(times)
	mean, second := make([]float64, n), make([]float64, n)
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
			second[i] += m.share * (variances[i]*slope*slope + v*v)
		}
	}
	var out []weighted
	for i, v := range times {
		deviation := math.Sqrt(max(second[i]-mean[i]*mean[i], 1e-18))
		out = append(out, weighted{math.Abs(math.Log(v/geometric)-mean[i]) / deviation, 1})
	}
	for _, w := range p.past {
		out = append(out, weighted{w.value, w.weight * pastWeight})
	}
	sortWeighted(out)
	return out
}
