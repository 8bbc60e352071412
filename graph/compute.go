package graph

import (
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// call is an operator of ONNX on tensors.
type call struct {
	name       string
	attributes operator.Attributes
	in         []*operator.Tensor
}

// Compute does the node's work by the definitions of package operator, in plain
// Go: for constants, and as the reference of fast kernels. in has a tensor for
// each input, nil where it is left out.
func (n *Node) Compute(in []*operator.Tensor) ([]*operator.Tensor, error) {
	if len(in) != len(n.Inputs) {
		return nil, n.errorf("%d tensors for %d inputs", len(in), len(n.Inputs))
	}
	if n.Plain() {
		out, err := operator.Evaluate(string(n.Kind), n.Attributes.Named, in, len(n.Outputs))
		if err != nil {
			return nil, n.errorf("%w", err)
		}
		return out, nil
	}
	e := n.Attributes.Epilogue
	operands := in
	if e.Add {
		operands = in[:len(in)-1]
	}
	calls := n.calls(operands)
	if e.Add {
		calls = append(calls, call{name: "Add", in: []*operator.Tensor{nil, in[len(in)-1]}})
	}
	if e.Activation != "" {
		calls = append(calls, activationCalls(e.Activation)...)
	}
	var result []*operator.Tensor
	for _, c := range calls {
		if c.in == nil {
			c.in = []*operator.Tensor{nil}
		}
		if c.in[0] == nil {
			c.in[0] = result[0]
		}
		var err error
		if result, err = operator.Evaluate(c.name, c.attributes, c.in, 1); err != nil {
			return nil, n.errorf("%w", err)
		}
	}
	return result, nil
}

// calls are the operators that a node with attributes of its own stands for,
// without its epilogue. The first input of a call is the result of the one
// before where it is nil.
func (n *Node) calls(in []*operator.Tensor) []call {
	if op, ok := n.Kind.activation(); ok {
		calls := activationCalls(op)
		if calls[0].in == nil {
			calls[0].in = []*operator.Tensor{nil}
		}
		calls[0].in[0] = in[0]
		return calls
	}
	switch n.Kind {
	case Linear:
		weight := in[1]
		if !n.Attributes.Transposed {
			out, err := operator.Evaluate("Transpose", nil, in[1:2], 1)
			if err != nil {
				panic(fmt.Sprintf("a weight of two dimensions is transposed: %v", err))
			}
			weight = out[0]
		}
		calls := []call{{name: "MatMul", in: []*operator.Tensor{in[0], weight}}}
		if len(in) > 2 {
			calls = append(calls, call{name: "Add", in: []*operator.Tensor{nil, in[2]}})
		}
		return calls
	case Reshape:
		shape := operator.New(I64, len(n.Attributes.Shape))
		for i, d := range n.Attributes.Shape {
			shape.Data.([]int64)[i] = int64(d)
		}
		in = []*operator.Tensor{in[0], shape}
	}
	return []call{{name: string(n.Kind), attributes: n.NamedAttributes(), in: slices.Clone(in)}}
}

// activationCalls are the operators of an activation; the first has no input yet.
func activationCalls(op Op) []call {
	scalar := func(x float32) *operator.Tensor {
		return &operator.Tensor{DType: F32, Shape: []int{}, Data: []float32{x}}
	}
	switch op {
	case OpRelu6:
		return []call{{name: "Clip", in: []*operator.Tensor{nil, scalar(0), scalar(6)}}}
	case OpHardSigmoid:
		return []call{{name: "HardSigmoid", attributes: hardSigmoid()}}
	}
	n := activationNode(op)
	return []call{{name: string(n.Kind), attributes: n.Attributes.Named}}
}

func hardSigmoid() operator.Attributes {
	return operator.Attributes{"alpha": float32(1. / 6), "beta": float32(0.5)}
}

// NamedAttributes are the node's attributes by their ONNX names.
func (n *Node) NamedAttributes() operator.Attributes {
	a := &n.Attributes
	if n.Plain() {
		return a.Named
	}
	windows := func(kernel []int) operator.Attributes {
		return operator.Attributes{"kernel_shape": int64s(kernel), "strides": int64s(a.Stride[:]), "pads": int64s(a.Pad[:])}
	}
	switch n.Kind {
	case Conv:
		m := windows(n.Inputs[1].Shape[2:])
		m["dilations"], m["group"] = int64s(a.Dilation[:]), int64(a.Group)
		return m
	case MaxPool, AveragePool:
		return windows(a.Kernel[:])
	case BatchNormalization:
		return operator.Attributes{"epsilon": a.Epsilon}
	case Flatten, Softmax:
		return operator.Attributes{"axis": int64(a.Axis)}
	case HardSigmoid:
		return hardSigmoid()
	}
	return operator.Attributes{}
}

func int64s(x []int) []int64 {
	y := make([]int64, len(x))
	for i, v := range x {
		y[i] = int64(v)
	}
	return y
}
