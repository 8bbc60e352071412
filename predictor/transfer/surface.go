package transfer

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// scales are the exponents of the Box-Cox transforms under which costs are
// modelled: costs multiply under 0, the logarithm, and add under 1.
var scales = []float64{0, 0.5, 1}

// boxCox is (x^l - 1) / l, the logarithm where l is 0.
func boxCox(x, l float64) float64 {
	switch l {
	case 0:
		return math.Log(x)
	case 1:
		return x - 1
	case 0.5:
		return 2 * (math.Sqrt(x) - 1)
	}
	return (math.Pow(x, l) - 1) / l
}

// logOf is the logarithm of the x whose transform is v. Where a model adds up to
// nothing or less, the answer continues below every positive one, in order.
func logOf(v, l float64) float64 {
	if l == 0 {
		return v
	}
	const least = 0.05
	x := 1 + l*v
	if x < least {
		return (math.Log(least) + (x-least)/least) / l
	}
	return math.Log(x) / l
}

// tails of the values of a known device that are cut off before they are
// smoothed: a timer that fails once must not bend the surface.
const tail = 0.002

// surfaces are a known device's costs under a transform, smoothed by the
// additive model of the space; each is standardised over the items.
type surfaces struct {
	whole []float64 // by item
	// pruned is the surface at the pruned items, on the scale of whole.
	pruned []float64
	// kinds and stages are the parts of whole that the terms of a kind or of a
	// stage contribute, a column each.
	kinds, stages [][]float64
}

// smooth fits, for each device and scale, the additive model of terms to the
// items that were measured on the device. times[d][i] is NaN where item i was
// not measured. The result is indexed by scale and device.
func smooth(terms, pruned [][]term, times [][]float64) ([][]surfaces, error) {
	n, kinds, stages := 0, 0, 0
	for _, list := range [2][][]term{terms, pruned} {
		for _, item := range list {
			for _, t := range item {
				n, kinds, stages = max(n, t.index+1), max(kinds, t.kind+1), max(stages, t.stage+1)
			}
		}
	}
	out := make([][]surfaces, len(scales))
	for s := range out {
		out[s] = make([]surfaces, len(times))
	}
	var factor mat.Cholesky
	var factored []bool // the items that factor is of
	for d, column := range times {
		measured := make([]bool, len(column))
		count := 0
		for i, v := range column {
			if measured[i] = !math.IsNaN(v); measured[i] {
				count++
			}
		}
		if count < 2 {
			return nil, fmt.Errorf("known device %d has %d measurements, want at least 2", d, count)
		}
		if !slices.Equal(measured, factored) {
			if err := factorGram(&factor, terms, measured, n); err != nil {
				return nil, err
			}
			factored = measured
		}
		for s, l := range scales {
			values := winsorised(column, l)
			mean := 0.0
			for i, v := range values {
				if measured[i] {
					mean += v / float64(count)
				}
			}
			right := mat.NewVecDense(n+1, nil)
			for i, v := range values {
				if !measured[i] {
					continue
				}
				right.SetVec(n, right.AtVec(n)+v-mean)
				for _, t := range terms[i] {
					right.SetVec(t.index, right.AtVec(t.index)+t.value*(v-mean))
				}
			}
			coefficients := mat.NewVecDense(n+1, nil)
			if err := factor.SolveVecTo(coefficients, right); err != nil {
				return nil, fmt.Errorf("known device %d: %w", d, err)
			}
			out[s][d] = surfacesOf(terms, pruned, coefficients.RawVector().Data, kinds, stages)
		}
	}
	return out, nil
}

// factorGram factors the Gram matrix of the terms of the measured items, with a
// ridge, and a constant as the last term.
func factorGram(factor *mat.Cholesky, terms [][]term, measured []bool, n int) error {
	gram := make([]float64, (n+1)*(n+1))
	for i, item := range terms {
		if !measured[i] {
			continue
		}
		gram[n*(n+1)+n]++
		for _, a := range item {
			gram[a.index*(n+1)+n] += a.value
			for _, b := range item {
				if a.index <= b.index {
					gram[a.index*(n+1)+b.index] += a.value * b.value
				}
			}
		}
	}
	for j := range n + 1 {
		gram[j*(n+1)+j]++
	}
	if !factor.Factorize(mat.NewSymDense(n+1, gram)) {
		return fmt.Errorf("the additive model of the known devices cannot be solved")
	}
	return nil
}

// winsorised returns the transformed values, those in the tails pulled in.
func winsorised(column []float64, l float64) []float64 {
	var sorted []float64
	for _, v := range column {
		if !math.IsNaN(v) {
			sorted = append(sorted, v)
		}
	}
	slices.Sort(sorted)
	cut := int(tail * float64(len(sorted)))
	low, high := sorted[cut], sorted[len(sorted)-1-cut]
	scale := sorted[len(sorted)/2]
	out := make([]float64, len(column))
	for i, v := range column {
		out[i] = boxCox(min(max(v, low), high)/scale, l)
	}
	return out
}

func surfacesOf(terms, pruned [][]term, coefficients []float64, kinds, stages int) surfaces {
	s := surfaces{whole: make([]float64, len(terms)), kinds: newColumns(kinds, len(terms)), stages: newColumns(stages, len(terms))}
	for i, item := range terms {
		for _, t := range item {
			v := t.value * coefficients[t.index]
			s.whole[i] += v
			if t.kind >= 0 {
				s.kinds[t.kind][i] += v
			}
			if t.stage >= 0 {
				s.stages[t.stage][i] += v
			}
		}
	}
	if pruned != nil {
		s.pruned = make([]float64, len(pruned))
		for i, item := range pruned {
			for _, t := range item {
				s.pruned[i] += t.value * coefficients[t.index]
			}
		}
	}
	mean, deviation := moments(s.whole)
	for i := range s.whole {
		s.whole[i] = (s.whole[i] - mean) / deviation
		if pruned != nil {
			s.pruned[i] = (s.pruned[i] - mean) / deviation
		}
	}
	for _, columns := range [2][][]float64{s.kinds, s.stages} {
		for _, c := range columns {
			mean, _ := moments(c)
			for i := range c {
				c[i] = (c[i] - mean) / deviation
			}
		}
	}
	return s
}

func newColumns(n, rows int) [][]float64 {
	out := make([][]float64, n)
	for i := range out {
		out[i] = make([]float64, rows)
	}
	return out
}

// moments returns the mean and the standard deviation, which is 1 where all
// values are equal.
func moments(v []float64) (mean, deviation float64) {
	for _, x := range v {
		mean += x
	}
	mean /= float64(len(v))
	for _, x := range v {
		deviation += (x - mean) * (x - mean)
	}
	if deviation = math.Sqrt(deviation / float64(len(v))); deviation < 1e-9 {
		deviation = 1
	}
	return mean, deviation
}
