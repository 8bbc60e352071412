// Package autograd trains small networks on the CPU: tensors, operators with
// their gradients (reverse mode), losses, initialisers, stochastic gradient
// descent, learning-rate schedules and checkpoints, on top of package kernels.
//
// A [Tape] records the operators of one forward pass and [Tape.Backward] adds
// the gradient of a loss to the Grad of every parameter that took part. A
// parameter may take part as a [Tape.Slice] of itself, which is how networks
// of different sizes share one set of weights.
//
// All values are float32 and all images are [N, C, H, W], row major. Shapes
// that do not fit each other are a programming error and panic, as in
// gonum/mat; whatever comes from a file returns an error.
package autograd

import (
	"fmt"
	"slices"
)

// Tensor is a dense float32 array. Parameters outlive a tape; every other
// tensor is owned by the tape whose operator returned it and is valid until
// that tape's next Reset.
type Tensor struct {
	Name  string    // of a parameter, unique in its network
	Shape []int     // outermost first
	Data  []float32 // row major, len = product of Shape
	Grad  []float32 // as Data; nil until a backward pass has reached the tensor

	differentiable bool
	onTape         bool   // Grad is the tape's memory and does not outlive the pass
	unrecorded     bool   // computed while recording was off
	data, grad     *block // of the tape's arena; nil where the memory is not the tape's
}

// NewTensor returns a constant of zeros.
func NewTensor(shape ...int) *Tensor {
	return &Tensor{Shape: slices.Clone(shape), Data: make([]float32, volume(shape))}
}

// NewParameter returns a tensor of zeros of which gradients are taken.
func NewParameter(name string, shape ...int) *Tensor {
	p := NewTensor(shape...)
	p.Name, p.differentiable = name, true
	return p
}

// Len returns the number of elements.
func (x *Tensor) Len() int { return len(x.Data) }

// Differentiable reports whether a backward pass computes x's gradient.
func (x *Tensor) Differentiable() bool { return x.differentiable }

// ZeroGrad clears the gradients of params.
func ZeroGrad(params []*Tensor) {
	for _, p := range params {
		clear(p.Grad)
	}
}

func volume(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 {
			panic(fmt.Sprintf("autograd: negative dimension in shape %v", shape))
		}
		n *= d
	}
	return n
}

// images returns the dimensions of an [N, C, H, W] tensor.
func (x *Tensor) images(op string) (n, c, h, w int) {
	if len(x.Shape) != 4 {
		panic(fmt.Sprintf("autograd: %s needs [N, C, H, W], got %v", op, x.Shape))
	}
	return x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]
}

// rows returns the dimensions of an [N, C] tensor.
func (x *Tensor) rows(op string) (n, c int) {
	if len(x.Shape) != 2 {
		panic(fmt.Sprintf("autograd: %s needs [N, C], got %v", op, x.Shape))
	}
	return x.Shape[0], x.Shape[1]
}

func sameShape(op string, x, y *Tensor) {
	if !slices.Equal(x.Shape, y.Shape) {
		panic(fmt.Sprintf("autograd: %s of shapes %v and %v", op, x.Shape, y.Shape))
	}
}
