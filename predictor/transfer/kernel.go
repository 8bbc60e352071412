package transfer

import (
	"math"
	"slices"
)

// kernel is a covariance between items. Its features are centred and scaled so
// that the mean squared length of an item's is 1, which makes the weights of
// kernels comparable.
type kernel struct {
	name   string
	radial bool // exp(-distance^2 / (2 length^2)), else the inner product
	length float64
	dim    int
	f      []float64 // a row an item
}

func (k *kernel) row(i int) []float64 { return k.f[i*k.dim : (i+1)*k.dim] }

func (k *kernel) at(i, j int) float64 {
	a, b := k.row(i), k.row(j)
	b = b[:len(a)]
	if !k.radial {
		sum := 0.0
		for x, v := range a {
			sum += v * b[x]
		}
		return sum
	}
	distance := 0.0
	for x, v := range a {
		d := v - b[x]
		distance += d * d
	}
	return math.Exp(-distance / (2 * k.length * k.length))
}

// fill writes the covariances of items with others, a row an item.
func (k *kernel) fill(out []float64, items, others []int) {
	for r, i := range items {
		for c, j := range others {
			out[r*len(others)+c] = k.at(i, j)
		}
	}
}

// normalise centres and scales the features in place.
func (k *kernel) normalise(standardise bool) {
	n := len(k.f) / k.dim
	total := 0.0
	for x := range k.dim {
		mean := 0.0
		for i := range n {
			mean += k.f[i*k.dim+x]
		}
		mean /= float64(n)
		square := 0.0
		for i := range n {
			k.f[i*k.dim+x] -= mean
			square += k.f[i*k.dim+x] * k.f[i*k.dim+x]
		}
		square /= float64(n)
		if standardise && square > 1e-12 {
			s := 1 / math.Sqrt(square)
			for i := range n {
				k.f[i*k.dim+x] *= s
			}
			square = 1
		}
		total += square
	}
	if total > 0 {
		s := 1 / math.Sqrt(total)
		for i := range k.f {
			k.f[i] *= s
		}
	}
}

// kernelOf makes a kernel of columns. Columns that are standardised count alike,
// others as much as they vary.
func kernelOf(name string, standardise bool, columns ...[]float64) *kernel {
	k := &kernel{name: name, dim: len(columns), length: 1}
	k.f = make([]float64, len(columns)*len(columns[0]))
	for x, column := range columns {
		for i, v := range column {
			k.f[i*k.dim+x] = v
		}
	}
	k.normalise(standardise)
	return k
}

// near is the radial kernel on the features of k.
func (k *kernel) near(length float64) *kernel {
	r := *k
	r.name, r.radial, r.length = "near "+k.name, true, length
	return &r
}

// descriptionKernels compare items by what they are. rich is for many
// measurements: kernels that reach every surface, but tell little of one from
// ten measurements.
func descriptionKernels(groups [][]group, rich bool) []*kernel {
	var out []*kernel
	for g, first := range groups[0] {
		k := kernelOf(first.name, true, columnsOf(groups, g)...)
		out = append(out, k)
		if first.smooth {
			out = append(out, k.near(1))
		}
		if rich {
			out = append(out, k.near(0.5))
			if !first.smooth {
				out = append(out, k.near(1))
			}
		}
	}
	return out
}

// deviceKernels compare items by their cost on known devices, under a scale.
func deviceKernels(known []surfaces, use []int) []*kernel {
	var whole, pruned, kinds, stages [][]float64
	mean := make([]float64, len(known[use[0]].whole))
	for _, d := range use {
		s := known[d]
		whole = append(whole, s.whole)
		if s.pruned != nil {
			pruned = append(pruned, s.pruned)
		}
		kinds, stages = append(kinds, s.kinds...), append(stages, s.stages...)
		for i, v := range s.whole {
			mean[i] += v
		}
	}
	each := kernelOf("devices", false, whole...)
	out := []*kernel{kernelOf("mean device", false, mean), each, each.near(1)}
	if pruned != nil {
		p := kernelOf("devices, pruned", false, pruned...)
		out = append(out, p, p.near(1))
	}
	if len(kinds) > 0 {
		out = append(out, kernelOf("devices by kind", false, kinds...))
	}
	if len(stages) > 0 {
		out = append(out, kernelOf("devices by stage", false, stages...))
	}
	return slices.Clip(out)
}
