package graph

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// InferShapes fills the shapes of all nodes' outputs from the shapes of the
// graph's inputs and parameters. Values of the graph are changed in place.
func InferShapes(g *Graph) error {
	for _, n := range g.Nodes {
		if err := n.InferShape(); err != nil {
			return fmt.Errorf("graph %q: %w", g.Name, err)
		}
	}
	return nil
}

// InferShape fills the types and shapes of the node's outputs from its inputs'
// and checks that these fit the node's kind and attributes.
func (n *Node) InferShape() error {
	var one [1]operator.Type
	types, err := n.outputTypes(one[:])
	if err != nil {
		return err
	}
	for i, v := range n.Outputs {
		if v != nil {
			v.DType, v.Shape = types[i].DType, slices.Clone(types[i].Shape)
		}
	}
	return nil
}

// outputTypes are the types of all outputs as the inputs give them; a shape may
// be that of an input. A single type may be put into one, which has that length.
func (n *Node) outputTypes(one []operator.Type) ([]operator.Type, error) {
	if n.Plain() {
		types, err := operator.Infer(string(n.Kind), n.Attributes.Named, n.arguments(), len(n.Outputs))
		if err != nil {
			return nil, n.errorf("%w", err)
		}
		return types, nil
	}
	if len(n.Outputs) != 1 || n.Outputs[0] == nil {
		return nil, n.errorf("%d outputs, want 1", len(n.Outputs))
	}
	shape, err := n.outputShape()
	one[0] = operator.Type{DType: F32, Shape: shape}
	return one, err
}

// arguments is what is known of the inputs.
func (n *Node) arguments() []*operator.Argument {
	args := make([]*operator.Argument, len(n.Inputs))
	for i, v := range n.Inputs {
		if v != nil {
			args[i] = &operator.Argument{Type: operator.Type{DType: v.DType, Shape: v.Shape}, Constant: v.Tensor()}
		}
	}
	return args
}

func (n *Node) outputShape() ([]int, error) {
	for _, v := range n.Inputs {
		if v == nil {
			return nil, n.errorf("an input is missing")
		}
		if v.DType != F32 {
			return nil, n.errorf("input %q is of type %s, want %s", v.Name, v.DType, F32)
		}
		if !fits(v.Shape...) {
			return nil, n.errorf("input %q: shape %v has a dimension below 1 or is too large", v.Name, v.Shape)
		}
	}
	shape, err := n.inferredShape()
	if err == nil && !fits(shape...) {
		err = fmt.Errorf("output %v has a dimension below 1 or is too large", shape)
	}
	if err == nil {
		err = n.checkEpilogue(shape)
	}
	if err != nil {
		return nil, n.errorf("%w", err)
	}
	return shape, nil
}

func (n *Node) errorf(format string, args ...any) error {
	return fmt.Errorf("node %q (%s): %w", n.Name, n.Kind, fmt.Errorf(format, args...))
}

func (n *Node) inferredShape() ([]int, error) {
	least, most := 1, 1
	switch n.Kind {
	case Conv, Linear:
		least, most = 2, 3
	case Add, Mul:
		least, most = 2, 2
	case BatchNormalization:
		least, most = 5, 5
	}
	if k := n.operands(); k < least || k > most {
		return nil, fmt.Errorf("%d inputs, want %d to %d", k, least, most)
	}
	x := n.Inputs[0].Shape
	switch n.Kind {
	case Conv:
		return n.convShape(x)
	case Linear:
		return n.linearShape(x)
	case MaxPool, AveragePool:
		return n.poolShape(x)
	case GlobalAveragePool:
		if len(x) != 4 {
			return nil, fmt.Errorf("input is %v, want [N C H W]", x)
		}
		return []int{x[0], x[1], 1, 1}, nil
	case BatchNormalization:
		if len(x) < 2 {
			return nil, fmt.Errorf("input is %v, want [N C ...]", x)
		}
		for _, v := range n.Inputs[1:] {
			if !slices.Equal(v.Shape, x[1:2]) {
				return nil, fmt.Errorf("%q is %v, want [%d]", v.Name, v.Shape, x[1])
			}
		}
		return x, nil
	case Relu, Relu6, HardSwish, HardSigmoid, Sigmoid, Identity:
		return x, nil
	case Add, Mul:
		y := n.Inputs[1].Shape
		ok := len(x) == len(y)
		for i := 0; ok && i < len(x); i++ {
			ok = y[i] == x[i] || y[i] == 1
		}
		if !ok {
			return nil, fmt.Errorf("%q of %v does not broadcast to %q of %v", n.Inputs[1].Name, y, n.Inputs[0].Name, x)
		}
		return x, nil
	case Flatten:
		return n.flattenShape(x)
	case Reshape:
		return n.reshapeShape(x)
	case Softmax:
		axis, err := n.axis(len(x))
		if err != nil {
			return nil, err
		}
		for _, d := range x[axis+1:] {
			if d != 1 {
				return nil, fmt.Errorf("axis %d of %v is not the last: only that is supported", axis, x)
			}
		}
		return x, nil
	}
	return nil, errors.New("unknown kind")
}

func (n *Node) convShape(x []int) ([]int, error) {
	w, a := n.Inputs[1], &n.Attributes
	if len(x) != 4 || len(w.Shape) != 4 {
		return nil, fmt.Errorf("input is %v and weight %v, want [N C H W] and [K C/group R S]", x, w.Shape)
	}
	k := w.Shape[0]
	if a.Group < 1 || x[1] != w.Shape[1]*a.Group || k%a.Group != 0 {
		return nil, fmt.Errorf("weight %v does not fit input %v with group %d", w.Shape, x, a.Group)
	}
	if b := n.Bias(); b != nil && !slices.Equal(b.Shape, []int{k}) {
		return nil, fmt.Errorf("bias is %v, want [%d]", b.Shape, k)
	}
	if min(a.Dilation[0], a.Dilation[1]) < 1 || max(a.Dilation[0], a.Dilation[1]) > maxDim {
		return nil, fmt.Errorf("dilation is %v, want 1 or more", a.Dilation)
	}
	h, wd, err := a.windows(x, w.Shape[2], w.Shape[3])
	return []int{x[0], k, h, wd}, err
}

func (n *Node) poolShape(x []int) ([]int, error) {
	a := &n.Attributes
	if len(x) != 4 {
		return nil, fmt.Errorf("input is %v, want [N C H W]", x)
	}
	if !fits(a.Kernel[:]...) {
		return nil, fmt.Errorf("kernel is %v, want 1 or more", a.Kernel)
	}
	if max(a.Pad[0], a.Pad[2]) >= a.Kernel[0] || max(a.Pad[1], a.Pad[3]) >= a.Kernel[1] {
		return nil, fmt.Errorf("padding %v is not smaller than the window %v", a.Pad, a.Kernel)
	}
	h, w, err := a.windows(x, a.Kernel[0], a.Kernel[1])
	return []int{x[0], x[1], h, w}, err
}

// windows is the number of windows of r x s down and across x.
func (a *Attributes) windows(x []int, r, s int) (h, w int, err error) {
	if min(a.Stride[0], a.Stride[1]) < 1 || max(a.Stride[0], a.Stride[1]) > maxDim {
		return 0, 0, fmt.Errorf("stride is %v, want 1 or more", a.Stride)
	}
	for _, p := range a.Pad {
		if p < 0 || p > maxDim {
			return 0, 0, fmt.Errorf("padding is %v, want 0 or more", a.Pad)
		}
	}
	h = outSize(x[2], a.Pad[0]+a.Pad[2], r, a.Stride[0], a.Dilation[0])
	w = outSize(x[3], a.Pad[1]+a.Pad[3], s, a.Stride[1], a.Dilation[1])
	if h < 1 || w < 1 {
		return 0, 0, fmt.Errorf("window %dx%d is larger than the padded input %v", r, s, x)
	}
	return h, w, nil
}

func (n *Node) linearShape(x []int) ([]int, error) {
	w := n.Inputs[1].Shape
	if len(x) < 2 || len(w) != 2 {
		return nil, fmt.Errorf("input is %v and weight %v, want [... in] and [out in]", x, w)
	}
	in, out := n.linearSize()
	last := len(x) - 1
	if x[last] != in {
		return nil, fmt.Errorf("input is %v, but the weight takes %d features", x, in)
	}
	if b := n.Bias(); b != nil && !slices.Equal(b.Shape, []int{out}) {
		return nil, fmt.Errorf("bias is %v, want [%d]", b.Shape, out)
	}
	return append(slices.Clone(x[:last]), out), nil
}

// linearSize is the number of features that a Linear takes and gives.
func (n *Node) linearSize() (in, out int) {
	w := n.Inputs[1].Shape
	if n.Attributes.Transposed {
		return w[0], w[1]
	}
	return w[1], w[0]
}

// axis is Attributes.Axis counted from the front.
func (n *Node) axis(rank int) (int, error) {
	a := n.Attributes.Axis
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= rank {
		return 0, fmt.Errorf("axis %d is outside rank %d", n.Attributes.Axis, rank)
	}
	return a, nil
}

func (n *Node) flattenShape(x []int) ([]int, error) {
	axis := n.Attributes.Axis
	if axis != len(x) {
		var err error
		if axis, err = n.axis(len(x)); err != nil {
			return nil, err
		}
	}
	return []int{product(x[:axis]), product(x[axis:])}, nil
}

func (n *Node) reshapeShape(x []int) ([]int, error) {
	want := n.Attributes.Shape
	shape := slices.Clone(want)
	left := -1
	for i, d := range want {
		switch {
		case d == 0 && i < len(x):
			shape[i] = x[i]
		case d == -1 && left < 0:
			left, shape[i] = i, 1
		case d < 1:
			return nil, fmt.Errorf("shape %v does not fit input %v", want, x)
		}
	}
	if !fits(shape...) {
		return nil, fmt.Errorf("shape %v does not fit input %v", want, x)
	}
	total := product(x)
	if left >= 0 {
		shape[left] = total / product(shape)
	}
	if !fits(shape...) || product(shape) != total {
		return nil, fmt.Errorf("shape %v does not fit input %v", want, x)
	}
	return shape, nil
}

func (n *Node) checkEpilogue(out []int) error {
	e := n.Attributes.Epilogue
	if e.Activation != "" && !e.Activation.IsActivation() {
		return fmt.Errorf("epilogue %q is no activation", e.Activation)
	}
	switch n.Kind {
	case Conv, Linear:
		if r := n.Residual(); r != nil && !slices.Equal(r.Shape, out) {
			return fmt.Errorf("residual %q is %v, want %v", r.Name, r.Shape, out)
		}
		return nil
	case Add, Mul:
		if !e.Add {
			return nil
		}
	}
	if e != (Epilogue{}) {
		return fmt.Errorf("epilogue %q is not supported here", e)
	}
	return nil
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
