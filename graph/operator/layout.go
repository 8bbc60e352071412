package operator

import "fmt"

// strides are the distances between neighbours along each dimension of a
// row-major tensor.
func strides(shape []int) []int {
	s := make([]int, len(shape))
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = step
		step *= shape[i]
	}
	return s
}

// broadcast is the shape that shapes broadcast to, as numpy does it.
func broadcast(shapes ...[]int) ([]int, error) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	out := make([]int, rank)
	for i := range out {
		out[i] = 1
	}
	for _, s := range shapes {
		for i, d := range s {
			o := &out[rank-len(s)+i]
			if *o == 1 {
				*o = d
			} else if d != 1 && d != *o {
				return nil, fmt.Errorf("shapes %v do not broadcast to one", shapes)
			}
		}
	}
	return out, nil
}

// broadcastStrides are the distances in a tensor of shape from while it is
// read as one of shape to, which it broadcasts to.
func broadcastStrides(from, to []int) []int {
	s := make([]int, len(to))
	for i, step := range strides(from) {
		if from[i] != 1 {
			s[len(to)-len(from)+i] = step
		}
	}
	return s
}

// product is a times b, or some number over MaxDim where that is larger.
func product(a, b int) int {
	return int(min(int64(a)*int64(b), MaxDim+1))
}

// split3 is the number of elements before, at and after an axis.
func split3(shape []int, axis int) (outer, n, inner int) {
	return Elements(shape[:axis]), shape[axis], Elements(shape[axis+1:])
}

// without is a shape less one dimension, or with it set to 1.
func without(shape []int, axis int, keep bool) []int {
	out := append([]int{}, shape[:axis]...)
	if keep {
		out = append(out, 1)
	}
	return append(out, shape[axis+1:]...)
}

// with is a shape with one dimension changed.
func with(shape []int, axis, size int) []int {
	out := append([]int{}, shape...)
	out[axis] = size
	return out
}

// walk goes through the elements of a shape in several tensors at once.
type walk struct {
	empty   bool
	shape   []int   // at least one dimension; neighbours are merged where possible
	strides [][]int // a list for each tensor
}

// newWalk is a walk through shape by tensors of these strides.
func newWalk(shape []int, strides ...[]int) *walk {
	w := &walk{strides: make([][]int, len(strides))}
	for d, n := range shape {
		if n == 0 {
			w.empty = true
			return w
		}
		if n == 1 {
			continue
		}
		last := len(w.shape) - 1
		merge := last >= 0
		for k, s := range strides {
			merge = merge && w.strides[k][last] == s[d]*n
		}
		if merge {
			w.shape[last] *= n
		} else {
			w.shape = append(w.shape, n)
			last++
		}
		for k, s := range strides {
			if merge {
				w.strides[k][last] = s[d]
			} else {
				w.strides[k] = append(w.strides[k], s[d])
			}
		}
	}
	if len(w.shape) == 0 {
		w.shape = []int{1}
		for k := range w.strides {
			w.strides[k] = []int{1}
		}
	}
	return w
}

// elementwise is a walk through an output of a shape and inputs that broadcast
// to it.
func elementwise(out []int, in ...[]int) *walk {
	s := [][]int{strides(out)}
	for _, shape := range in {
		s = append(s, broadcastStrides(shape, out))
	}
	return newWalk(out, s...)
}

// step is the distance between elements of a row in tensor k.
func (w *walk) step(k int) int { return w.strides[k][len(w.shape)-1] }

// rows calls f for each row of n elements; at holds where it starts in each
// tensor and is valid during the call.
func (w *walk) rows(f func(n int, at []int)) {
	if w.empty {
		return
	}
	last := len(w.shape) - 1
	n := w.shape[last]
	at, index := make([]int, len(w.strides)), make([]int, last)
	for {
		f(n, at)
		d := last - 1
		for ; d >= 0; d-- {
			index[d]++
			if index[d] < w.shape[d] {
				for k, s := range w.strides {
					at[k] += s[d]
				}
				break
			}
			for k, s := range w.strides {
				at[k] -= s[d] * (w.shape[d] - 1)
			}
			index[d] = 0
		}
		if d < 0 {
			return
		}
	}
}

// elements moves the elements of one Go type between two tensors.
type elements interface {
	// copy copies n neighbours.
	copy(to, from, n int)
	// set sets n neighbours to one element.
	set(to, from, n int)
	// zero sets n neighbours to zero.
	zero(to, n int)
	// strided copies what a walk by both tensors, the first the one written
	// to, visits; it starts at the given places.
	strided(w *walk, to, from int)
	// choose copies where the condition is true; a walk by the tensor written
	// to, the condition and the one read.
	choose(w *walk, condition []bool, when bool)
	// gather copies elements from places that indices say, in order; a walk by
	// the indices and what they are relative to, one index being a step.
	gather(w *walk, indices []int64, step int)
	// scatter copies elements, in order, to places that indices say.
	scatter(w *walk, indices []int64, step int)
}

type pair[T any] struct{ to, from []T }

func (p pair[T]) copy(to, from, n int) { copy(p.to[to:to+n], p.from[from:from+n]) }

func (p pair[T]) set(to, from, n int) {
	v := p.from[from]
	for i := range p.to[to : to+n] {
		p.to[to+i] = v
	}
}

func (p pair[T]) zero(to, n int) { clear(p.to[to : to+n]) }

func (p pair[T]) strided(w *walk, to, from int) {
	if w.empty {
		return
	}
	s, t := w.step(0), w.step(1)
	w.rows(func(n int, at []int) {
		i, j := to+at[0], from+at[1]
		if s == 1 && t == 1 {
			copy(p.to[i:i+n], p.from[j:j+n])
			return
		}
		for range n {
			p.to[i] = p.from[j]
			i += s
			j += t
		}
	})
}

func (p pair[T]) choose(w *walk, condition []bool, when bool) {
	if w.empty {
		return
	}
	r, s, t := w.step(0), w.step(1), w.step(2)
	w.rows(func(n int, at []int) {
		i, c, j := at[0], at[1], at[2]
		for range n {
			if condition[c] == when {
				p.to[i] = p.from[j]
			}
			i += r
			c += s
			j += t
		}
	})
}

func (p pair[T]) gather(w *walk, indices []int64, step int) {
	if w.empty {
		return
	}
	s := w.step(1)
	w.rows(func(n int, at []int) {
		i, base := at[0], at[1]
		for range n {
			p.to[i] = p.from[base+int(indices[i])*step]
			i++
			base += s
		}
	})
}

func (p pair[T]) scatter(w *walk, indices []int64, step int) {
	if w.empty {
		return
	}
	s := w.step(1)
	w.rows(func(n int, at []int) {
		i, base := at[0], at[1]
		for range n {
			p.to[base+int(indices[i])*step] = p.from[i]
			i++
			base += s
		}
	})
}

// between moves elements from one tensor to another of the same type.
func between(to, from *Tensor) elements {
	switch t := to.Data.(type) {
	case []float32:
		return pair[float32]{t, from.Data.([]float32)}
	case []float64:
		return pair[float64]{t, from.Data.([]float64)}
	case []int8:
		return pair[int8]{t, from.Data.([]int8)}
	case []int16:
		return pair[int16]{t, from.Data.([]int16)}
	case []int32:
		return pair[int32]{t, from.Data.([]int32)}
	case []int64:
		return pair[int64]{t, from.Data.([]int64)}
	case []uint8:
		return pair[uint8]{t, from.Data.([]uint8)}
	case []uint16:
		return pair[uint16]{t, from.Data.([]uint16)}
	case []uint32:
		return pair[uint32]{t, from.Data.([]uint32)}
	case []uint64:
		return pair[uint64]{t, from.Data.([]uint64)}
	}
	return pair[bool]{to.Data.([]bool), from.Data.([]bool)}
}
