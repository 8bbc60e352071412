package autograd

import (
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/kernels"
)

// Reshape returns x's values, in the same memory, with another shape.
func (t *Tape) Reshape(x *Tensor, shape ...int) *Tensor {
	if volume(shape) != x.Len() {
		panic(fmt.Sprintf("autograd: Reshape of %v to %v", x.Shape, shape))
	}
	y := t.tensor(shape...)
	y.Data = x.Data
	if x.unrecorded {
		y.data, x.data = x.data, nil // whoever frees y frees the memory
	}
	t.record(node{backward: reshapeBackward, out: y, in: [3]*Tensor{x}})
	return y
}

func reshapeBackward(t *Tape, n *node) { t.pass(n, n.in[0]) }

// Flatten returns x [N, ...] as [N, C].
func (t *Tape) Flatten(x *Tensor) *Tensor {
	return t.Reshape(x, x.Shape[0], x.Len()/max(x.Shape[0], 1))
}

// Slice returns the box of x that starts at offset and has the given shape,
// such as the first channels of a weight or the centre of its kernel; offset
// and shape have a number for each of x's dimensions. The gradient goes back
// to that box of x. A box that is contiguous in x is not copied.
func (t *Tape) Slice(x *Tensor, offset, shape []int) *Tensor {
	if len(offset) != len(x.Shape) || len(shape) != len(x.Shape) {
		panic(fmt.Sprintf("autograd: Slice of %v with offset %v and shape %v", x.Shape, offset, shape))
	}
	for d := range shape {
		if offset[d] < 0 || shape[d] < 0 || offset[d]+shape[d] > x.Shape[d] {
			panic(fmt.Sprintf("autograd: Slice of %v at %v with shape %v is outside", x.Shape, offset, shape))
		}
	}
	if start, ok := contiguous(x.Shape, offset, shape); ok {
		end := start + volume(shape)
		if !x.differentiable || t.noGrad || !x.onTape {
			y := t.tensor(shape...)
			y.Data = x.Data[start:end:end]
			if x.differentiable && !t.noGrad {
				g, _ := t.gradient(x)
				y.Grad, y.differentiable = g[start:end:end], true
			}
			return y
		}
	}
	y := t.empty(shape...)
	eachRun(x.Shape, offset, shape, func(box, of, n int) { copy(y.Data[box:box+n], x.Data[of:of+n]) })
	t.record(node{backward: sliceBackward, out: y, in: [3]*Tensor{x}, offset: slices.Clone(offset)})
	return y
}

func sliceBackward(t *Tape, n *node) {
	x := n.in[0]
	g, fresh := t.gradient(x)
	if fresh {
		clear(g)
	}
	eachRun(x.Shape, n.offset, n.out.Shape, func(box, of, k int) {
		kernels.Add(g[of:of+k], g[of:of+k], n.out.Grad[box:box+k])
	})
}

// contiguous returns where in an array of dimensions dims the box starts, and
// whether it is one run of memory: behind the first dimension in which it has
// more than one index, it takes everything.
func contiguous(dims, offset, shape []int) (start int, ok bool) {
	ok = true
	wide := false
	for d := range dims {
		start = start*dims[d] + offset[d]
		if wide && shape[d] != dims[d] {
			ok = false
		}
		if shape[d] != 1 {
			wide = true
		}
	}
	return start, ok
}

// eachRun calls f for every run of memory of a box: its position in the box,
// its position in the array of dimensions dims, and its length.
func eachRun(dims, offset, shape []int, f func(box, of, n int)) {
	// Behind the last dimension that is cut, whole runs.
	last := len(dims) - 1
	run := 1
	for last >= 0 && shape[last] == dims[last] {
		run *= dims[last]
		last--
	}
	if last < 0 {
		f(0, 0, run)
		return
	}
	stride := run
	run *= shape[last]
	rows := 1
	for d := range last {
		rows *= shape[d]
	}
	if run == 0 {
		return
	}
	for r := range rows {
		of, step, rest := offset[last]*stride, stride*dims[last], r
		for d := last - 1; d >= 0; d-- {
			of += (offset[d] + rest%shape[d]) * step
			rest /= shape[d]
			step *= dims[d]
		}
		f(r*run, of, run)
	}
}
