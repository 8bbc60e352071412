package autograd

import (
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/kernels"
)

// elementwise calls f for the index ranges of every part of a tensor.
func (t *Tape) elementwise(x *Tensor, f func(w *worker, first, last int)) {
	if len(x.Shape) == 0 || x.Shape[0] == 0 {
		f(&t.workers[0], 0, x.Len())
		return
	}
	row := x.Len() / x.Shape[0]
	t.parallel(x.Shape[0], func(w *worker, _, first, last int) { f(w, first*row, last*row) })
}

// Activation returns act of every element of x.
func (t *Tape) Activation(act kernels.Activation, x *Tensor) *Tensor {
	if act == kernels.NoActivation {
		return x
	}
	y := t.empty(x.Shape...)
	t.elementwise(x, func(_ *worker, i, j int) { kernels.Activate(act, y.Data[i:j], x.Data[i:j]) })
	t.record(node{backward: activationBackward, out: y, in: [3]*Tensor{x}, activation: act})
	return y
}

func activationBackward(t *Tape, n *node) {
	x := n.in[0]
	z := x.Data
	if slopeFromOutput(n.activation) {
		z = n.out.Data
	}
	t.elementwise(x, func(w *worker, i, j int) { w.activateBackward(n.activation, n.out.Grad[i:j], z[i:j]) })
	t.pass(n, x)
}

// slopeFromOutput reports whether the activation's slope is the same function
// of its output as of its input, so that the input need not be kept.
func slopeFromOutput(act kernels.Activation) bool {
	return act == kernels.ReLU || act == kernels.ReLU6
}

// activateBackward multiplies g by the activation's slope at z.
func (w *worker) activateBackward(act kernels.Activation, g, z []float32) {
	const step = 1024 // stays in the first-level cache
	for i := 0; i < len(g); i += step {
		part := g[i:min(i+step, len(g))]
		d := w.slopes[:len(part)]
		clear(d)
		kernels.ActivateBackward(act, d, part, z[i:])
		copy(part, d)
	}
}

// Add returns x + y of equal shapes.
func (t *Tape) Add(x, y *Tensor) *Tensor {
	sameShape("Add", x, y)
	z := t.empty(x.Shape...)
	t.elementwise(x, func(_ *worker, i, j int) { kernels.Add(z.Data[i:j], x.Data[i:j], y.Data[i:j]) })
	t.record(node{backward: addBackward, out: z, in: [3]*Tensor{x, y}})
	return z
}

func addBackward(t *Tape, n *node) {
	x, y := n.in[0], n.in[1]
	if y.differentiable && x.differentiable {
		g, fresh := t.gradient(y)
		t.elementwise(n.out, func(_ *worker, i, j int) {
			if fresh {
				copy(g[i:j], n.out.Grad[i:j])
			} else {
				kernels.Add(g[i:j], g[i:j], n.out.Grad[i:j])
			}
		})
		t.pass(n, x)
		return
	}
	if y.differentiable {
		x = y
	}
	t.pass(n, x)
}

// Mul returns x · y. The shapes are equal, or y is [N, C, 1, 1] and multiplies
// the channels of x [N, C, H, W] (squeeze-and-excitation).
func (t *Tape) Mul(x, y *Tensor) *Tensor {
	z := t.empty(x.Shape...)
	if slices.Equal(x.Shape, y.Shape) {
		t.elementwise(x, func(_ *worker, i, j int) { kernels.Mul(z.Data[i:j], x.Data[i:j], y.Data[i:j]) })
		t.record(node{backward: mulBackward, out: z, in: [3]*Tensor{x, y}})
		return z
	}
	n, c, h, w := x.images("Mul")
	if !slices.Equal(y.Shape, []int{n, c, 1, 1}) {
		panic(fmt.Sprintf("autograd: Mul of shapes %v and %v", x.Shape, y.Shape))
	}
	hw := h * w
	t.parallel(n, func(_ *worker, _, i, j int) {
		kernels.ScaleChannels(j-i, c, hw, z.Data[i*c*hw:j*c*hw], x.Data[i*c*hw:j*c*hw], y.Data[i*c:j*c])
	})
	t.record(node{backward: mulChannelsBackward, out: z, in: [3]*Tensor{x, y}})
	return z
}

func mulBackward(t *Tape, n *node) {
	x, y := n.in[0], n.in[1]
	for k, of := range [2]*Tensor{x, y} {
		if !of.differentiable {
			continue
		}
		other := n.in[1-k]
		g, fresh := t.gradient(of)
		t.elementwise(n.out, func(_ *worker, i, j int) {
			if fresh {
				clear(g[i:j])
			}
			kernels.MulAdd(g[i:j], n.out.Grad[i:j], other.Data[i:j])
		})
	}
}

func mulChannelsBackward(t *Tape, n *node) {
	x, y := n.in[0], n.in[1]
	images, c, h, w := x.images("Mul")
	hw := h * w
	dx, freshX := t.gradientOrScratch(x)
	dy, freshY := t.gradientOrScratch(y)
	t.parallel(images, func(_ *worker, _, i, j int) {
		dx, dy := dx.data[i*c*hw:j*c*hw], dy.data[i*c:j*c]
		if freshX {
			clear(dx)
		}
		if freshY {
			clear(dy)
		}
		kernels.ScaleChannelsBackward(j-i, c, hw, dx, dy, n.out.Grad[i*c*hw:j*c*hw], x.Data[i*c*hw:j*c*hw], y.Data[i*c:j*c])
	})
	dx.release(t)
	dy.release(t)
}

// target is where an operator adds a gradient: the tensor's own, or memory
// that is thrown away where no gradient is asked for.
type target struct {
	data    []float32
	discard *block
}

func (t *Tape) gradientOrScratch(x *Tensor) (target, bool) {
	if x.differentiable {
		g, fresh := t.gradient(x)
		return target{data: g}, fresh
	}
	b := t.arena.get(x.Len())
	return target{b.data[:x.Len()], b}, true
}

func (d target) release(t *Tape) { t.arena.put(d.discard) }

// Scale returns alpha · x.
func (t *Tape) Scale(x *Tensor, alpha float32) *Tensor {
	y := t.empty(x.Shape...)
	copy(y.Data, x.Data)
	kernels.Scale(alpha, y.Data)
	t.record(node{backward: scaleBackward, out: y, in: [3]*Tensor{x}, alpha: alpha})
	return y
}

func scaleBackward(t *Tape, n *node) {
	kernels.Scale(n.alpha, n.out.Grad)
	t.pass(n, n.in[0])
}

// Sum returns the sum of all elements of x: [1].
func (t *Tape) Sum(x *Tensor) *Tensor {
	y := t.empty(1)
	y.Data[0] = kernels.Sum(x.Data)
	t.record(node{backward: sumBackward, out: y, in: [3]*Tensor{x}})
	return y
}

func sumBackward(t *Tape, n *node) {
	g, fresh := t.gradient(n.in[0])
	d := n.out.Grad[0]
	for i := range g {
		if fresh {
			g[i] = d
		} else {
			g[i] += d
		}
	}
}
