package autograd

import (
	"fmt"

	"github.com/hwprofd/hwprofd/kernels"
)

// Tape records the operators of a forward pass so that Backward can walk them
// in reverse. It owns the memory of all that its operators return and keeps it
// over Reset, so that a training step allocates next to nothing after the
// first.
//
// An operator's threads share parts of eight images each, or channels; sums
// over parts are taken in order, so results do not depend on the number of
// threads. A Tape is not safe for concurrent use.
type Tape struct {
	threads int
	noGrad  bool
	arena   arena
	nodes   []node
	tensors []*Tensor // slab, reused from the start after Reset
	inUse   int
	workers []worker
}

// node is one recorded operator.
type node struct {
	backward func(t *Tape, n *node)
	out      *Tensor
	in       [3]*Tensor // operands; unused ones are nil

	conv       kernels.Conv2D
	activation kernels.Activation
	statistics Statistics
	frozen     bool // statistics were given
	alpha      float32
	offset     []int
}

// worker is the private scratch of one thread.
type worker struct {
	ws      kernels.Workspace
	scratch []float32
	slopes  [1024]float32
}

// floats returns n floats of arbitrary content, valid until the next call.
func (w *worker) floats(n int) []float32 {
	if cap(w.scratch) < n {
		w.scratch = make([]float32, n)
	}
	return w.scratch[:n]
}

// NewTape returns an empty tape whose operators use the given number of
// threads (at least 1).
func NewTape(threads int) *Tape {
	threads = max(threads, 1)
	return &Tape{threads: threads, workers: make([]worker, threads)}
}

// Reset forgets the recorded pass. Tensors that the tape's operators returned
// become invalid; their memory is used for the next pass.
func (t *Tape) Reset() {
	t.nodes = t.nodes[:0]
	t.inUse = 0
	t.arena.reset()
}

// SetGrad switches recording on (as in a new tape) or off. While it is off,
// operators record nothing and their results are constants.
func (t *Tape) SetGrad(on bool) { t.noGrad = !on }

// Free hands the memory of x back before Reset. It is for a result that was
// computed while recording was off and is not needed again; for any other
// tensor it does nothing.
func (t *Tape) Free(x *Tensor) {
	if x.unrecorded {
		t.arena.put(x.data)
		x.data = nil
	}
}

// Bytes returns the memory that the tape holds.
func (t *Tape) Bytes() int64 { return t.arena.bytes() }

// Constant returns a tensor over data, which is not copied. No gradient is
// taken of it.
func (t *Tape) Constant(data []float32, shape ...int) *Tensor {
	if len(data) != volume(shape) {
		panic(fmt.Sprintf("autograd: %d values for shape %v", len(data), shape))
	}
	x := t.tensor(shape...)
	x.Data = data
	return x
}

// Detach returns x as a constant.
func (t *Tape) Detach(x *Tensor) *Tensor { return t.Constant(x.Data, x.Shape...) }

// tensor returns a tensor of the slab, without memory for its values.
func (t *Tape) tensor(shape ...int) *Tensor {
	if t.inUse == len(t.tensors) {
		t.tensors = append(t.tensors, new(Tensor))
	}
	x := t.tensors[t.inUse]
	t.inUse++
	*x = Tensor{Shape: append(x.Shape[:0], shape...), onTape: true, unrecorded: t.noGrad}
	return x
}

// empty returns a tensor of the slab whose values are arbitrary.
func (t *Tape) empty(shape ...int) *Tensor {
	x := t.tensor(shape...)
	n := volume(shape)
	x.data = t.arena.get(n)
	x.Data = x.data.data[:n]
	return x
}

// record appends an operator if a gradient of one of its operands is asked
// for; n must not be kept.
func (t *Tape) record(n node) {
	if t.noGrad {
		return
	}
	for _, x := range n.in {
		if x != nil && x.differentiable {
			n.out.differentiable = true
			t.nodes = append(t.nodes, n)
			return
		}
	}
}

// Backward adds weight times the gradient of loss, a single value, to the
// Grad of every parameter that the loss depends on. It may be called once for
// each of several losses of the recorded pass.
func (t *Tape) Backward(loss *Tensor, weight float32) {
	if loss.Len() != 1 {
		panic(fmt.Sprintf("autograd: Backward needs a single value, got shape %v", loss.Shape))
	}
	if !loss.differentiable {
		panic("autograd: Backward of a value that depends on no parameter (was it computed with SetGrad(false)?)")
	}
	g, fresh := t.gradient(loss)
	if fresh {
		g[0] = 0
	}
	g[0] += weight
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := &t.nodes[i]
		if n.out.Grad == nil {
			continue
		}
		n.backward(t, n)
		t.arena.put(n.out.grad)
		n.out.Grad, n.out.grad = nil, nil
	}
}

// gradient returns x's gradient for adding to it. If fresh is true its
// content is arbitrary and must be overwritten.
func (t *Tape) gradient(x *Tensor) (g []float32, fresh bool) {
	switch {
	case x.Grad != nil:
		return x.Grad, false
	case x.onTape:
		x.grad = t.arena.get(len(x.Data))
		x.Grad = x.grad.data[:len(x.Data)]
		return x.Grad, true
	}
	x.Grad = make([]float32, len(x.Data))
	return x.Grad, false
}

// pass adds the gradient of n's result to x's gradient, by moving it where x
// has none yet. n's result has no gradient afterwards.
func (t *Tape) pass(n *node, x *Tensor) {
	if x.Grad == nil && x.onTape {
		x.Grad, x.grad = n.out.Grad, n.out.grad
		n.out.grad = nil
		return
	}
	g, _ := t.gradient(x)
	kernels.Add(g, g, n.out.Grad)
}
