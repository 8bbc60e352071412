package transfer

import (
	"fmt"
	"math"
	"slices"
)

const (
	deviationSize = 200 // measurements that deviations are computed from, at most
	outlier       = 5   // robust standard deviations beyond which a measurement is pulled in
)

// predictMany answers where there are so many measurements that they tell the
// weights of kernels by themselves: a mixture is tuned for each scale, and
// conditioned on all measurements.
func (p *experience) predictMany(measured []int, times []float64) (*prediction, error) {
	g := geometricMean(times)
	kernels := make([][]*kernel, len(scales))
	all := make([]int, len(p.items.times))
	for d := range all {
		all[d] = d
	}
	describe := descriptionKernels(p.items.groups, true)
	for s := range scales {
		kernels[s] = append(deviceKernels(p.known[s], all), describe...)
		kernels[s] = append(kernels[s], p.sums...)
	}
	tuned := make([]mixture, len(scales))
	evidence := make([]float64, len(scales))
	logs := make([][]float64, len(scales)) // pulled-in values of the measurements
	some := min(tuneSize, len(measured))
	for s, l := range scales {
		within := covariances(kernels[s], measured[:some])
		m := mixture{scale: s, weights: make([]float64, len(kernels[s])), noise: 0.05}
		for k := range m.weights {
			m.weights[k] = 1 / float64(len(m.weights))
		}
		y := make([]float64, some)
		for i := range y {
			y[i] = boxCox(times[i]/g, l)
		}
		q, ok := m.condition(within, y)
		if !ok {
			evidence[s] = math.Inf(-1)
			continue
		}
		raw := slices.Clone(y)
		loo, variances := q.leaveOneOut(y)
		pullIn(y, loo, variances)
		tuned[s] = m.tune(within, y)
		q, _ = tuned[s].condition(within, y)
		evidence[s] = q.evidence
		if s == len(scales)-1 {
			// Tuning does not reach a single kernel with next to no noise, and before
			// it that is seen, what is exact seems to be wrong in places.
			for _, m := range sumMixtures(len(kernels[s]), len(p.sums)) {
				if q, ok := m.condition(within, raw); ok && q.evidence > evidence[s] {
					tuned[s], evidence[s] = m, q.evidence
				}
			}
		}
		// The change of variables, of what was not pulled in.
		for i := range y {
			evidence[s] += (l - 1) * math.Log(times[i]/g)
		}
		logs[s] = y
	}
	best := slices.Index(evidence, slices.Max(evidence))
	if math.IsInf(evidence[best], -1) || math.IsNaN(evidence[best]) {
		return nil, fmt.Errorf("transfer: no model can be fitted to the %d measurements", len(measured))
	}
	m, l := tuned[best], scales[best]
	y := make([]float64, len(times))
	for i, v := range times {
		y[i] = boxCox(v/g, l)
	}
	q, from, loo, err := conditionMany(m, kernels[best], measured, y)
	if err != nil {
		return nil, err
	}
	items := make([]int, len(p.items.groups))
	for i := range items {
		items[i] = i
	}
	// Deviations come from some of the measurements; how wrong they are is seen
	// on the others, or on all where there are no others.
	part := min(deviationSize, len(measured)/2)
	subset, _, err := conditionRobustly(m, kernels[best], measured[:part], y[:part])
	if err != nil {
		return nil, err
	}
	out := &prediction{answer: answerOf([]member{{&subset, 1}}, kernels, measured[:part], g, items)}
	// A process predicts means. Times that are sometimes far too long, as on a
	// device that does other work, have a median below.
	wrong := make([]float64, len(measured))
	for i, v := range times {
		wrong[i] = math.Log(v/g) - logOf(loo[i], l)
	}
	shift := median(wrong)
	means := q.means(kernels[best], from, items)
	for i, v := range means {
		out.mean[i] = logOf(v, l) + math.Log(g) + shift
	}
	out.limit(times)
	out.round(times)
	var errors []weighted
	for i := part; i < len(measured); i++ {
		errors = append(errors, weighted{math.Abs(wrong[i]-shift) / out.deviation[measured[i]], 1})
	}
	out.errors = distributionOf(errors)
	return out, nil
}

// conditionRobustly conditions on all measurements, pulls in those that no other
// supports, and conditions again; y becomes what was conditioned on.
func conditionRobustly(m mixture, kernels []*kernel, measured []int, y []float64) (posterior, []float64, error) {
	total := make([]float64, len(measured)*len(measured))
	inParallel(len(measured), func(r int) {
		row := total[r*len(measured) : (r+1)*len(measured)]
		for k, w := range m.weights {
			if w != 0 {
				for c, o := range measured[:r+1] {
					row[c] += w * kernels[k].at(measured[r], o)
				}
			}
		}
	})
	one := mixture{scale: m.scale, weights: []float64{1}, noise: m.noise}
	var q posterior
	var loo []float64
	for range 2 {
		var ok bool
		if q, ok = one.condition([][]float64{total}, y); !ok {
			return q, nil, fmt.Errorf("transfer: no model can be fitted to the %d measurements", len(measured))
		}
		var variances []float64
		loo, variances = q.leaveOneOut(y)
		if !pullIn(y, loo, variances) {
			break
		}
	}
	q.mixture = m
	return q, loo, nil
}

// pullIn moves values that are further from their prediction than outlier
// robust standard deviations to that distance, and tells whether there were any.
// Distances are relative to their expected ones: a measurement that is the only
// one with an operator is far from what the others say without being wrong.
func pullIn(y, predicted, variances []float64) bool {
	distance := make([]float64, len(y))
	for i := range y {
		distance[i] = math.Abs(y[i]-predicted[i]) / math.Sqrt(variances[i])
	}
	limit := outlier * 1.4826 * median(distance)
	pulled := false
	for i := range y {
		if distance[i] > limit {
			y[i], pulled = predicted[i]+math.Copysign(limit*math.Sqrt(variances[i]), y[i]-predicted[i]), true
		}
	}
	return pulled
}

func covariances(kernels []*kernel, which []int) [][]float64 {
	out := make([][]float64, len(kernels))
	inParallel(len(kernels), func(k int) {
		out[k] = make([]float64, len(which)*len(which))
		kernels[k].fill(out[k], which, which)
	})
	return out
}

// means of the posterior at items. What linear kernels add is summed up in the
// space of their features.
func (p *posterior) means(kernels []*kernel, measured, items []int) []float64 {
	constant := p.center
	for _, a := range p.alpha {
		constant += level * a
	}
	slopes := make([][]float64, len(kernels))
	for k, w := range p.weights {
		if w == 0 || kernels[k].radial {
			continue
		}
		slopes[k] = make([]float64, kernels[k].dim)
		for j, o := range measured {
			for x, v := range kernels[k].row(o) {
				slopes[k][x] += w * p.alpha[j] * v
			}
		}
	}
	out := make([]float64, len(items))
	inParallel(len(items), func(i int) {
		sum := constant
		for k, w := range p.weights {
			switch {
			case w == 0:
			case kernels[k].radial:
				for j, o := range measured {
					sum += w * p.alpha[j] * kernels[k].at(items[i], o)
				}
			default:
				for x, v := range kernels[k].row(items[i]) {
					sum += slopes[k][x] * v
				}
			}
		}
		out[i] = sum
	})
	return out
}
