// Package graph describes neural networks as work: what is computed, on which
// shapes, at what cost. A Graph is a DAG of nodes with tensors between them; a
// Workload is one operator with its shapes, type and fused epilogue, and its
// canonical name is the key under which costs are kept everywhere. The package
// infers shapes, fuses what one kernel does in one pass, and counts
// multiply-accumulates, parameters and bytes. What the operators are, and what
// they compute, is in graph/operator.
package graph

import (
	"fmt"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// Role says what a value is for.
type Role string

// Roles. A value with a role is given, not computed; its Data may still be nil
// where only the cost of the graph is asked for.
const (
	RoleNone     Role = ""         // an input of the graph or a node's output
	RoleWeight   Role = "weight"   // Conv [K, C/group, R, S], Linear [out, in]
	RoleBias     Role = "bias"     // [K]
	RoleScale    Role = "scale"    // batch norm's gamma, [C]
	RoleShift    Role = "shift"    // batch norm's beta, [C]
	RoleMean     Role = "mean"     // batch norm's running mean, [C]
	RoleVariance Role = "variance" // batch norm's running variance, [C]
	RoleConstant Role = "constant" // anything else that is given
)

// Value is a tensor, row major. A shape without dimensions is one element.
type Value struct {
	Name  string
	DType DType
	Shape []int
	Data  []float32 // of F32 values with a role; nil where not filled
	// Typed is the data of values with a role of other types: []int64 for I64,
	// and so on as in operator.Tensor; nil where not filled.
	Typed any
	Role  Role
}

// Tensor is the data of a value with a role, which is not copied; nil where it
// is not filled.
func (v *Value) Tensor() *operator.Tensor {
	switch {
	case v.Typed != nil:
		return &operator.Tensor{DType: v.DType, Shape: v.Shape, Data: v.Typed}
	case v.Data != nil:
		return &operator.Tensor{DType: F32, Shape: v.Shape, Data: v.Data}
	}
	return nil
}

// Fill gives the value the type, shape and data of t, which is not copied.
func (v *Value) Fill(t *operator.Tensor) {
	v.DType, v.Shape, v.Data, v.Typed = t.DType, t.Shape, nil, nil
	if data, ok := t.Data.([]float32); ok {
		v.Data = data
	} else {
		v.Typed = t.Data
	}
}

// Filled reports whether the value has data.
func (v *Value) Filled() bool { return v.Data != nil || v.Typed != nil }

// Elements is the product of the dimensions.
func (v *Value) Elements() int {
	n := 1
	for _, d := range v.Shape {
		n *= d
	}
	return n
}

// Kind is a node's operator, by its ONNX name.
//
// A node whose Attributes.Named is not nil is that operator of ONNX, in its
// newest version, with all its inputs and outputs; see package
// graph/operator for what there is. A node without is one of the kinds below,
// which have attributes of their own: the forms that have kernels made for
// them.
type Kind string

// Kinds of node with attributes of their own. x is the first input; each has
// one output, and computes on F32.
const (
	Conv               Kind = "Conv"               // x [N, C, H, W], weight [K, C/Group, R, S], bias [K] (optional), residual (with Epilogue.Add)
	BatchNormalization Kind = "BatchNormalization" // x [N, C, ...], scale, shift, mean, variance [C]
	Relu               Kind = "Relu"
	Relu6              Kind = "Relu6" // ONNX's Clip to 0..6
	HardSwish          Kind = "HardSwish"
	HardSigmoid        Kind = "HardSigmoid" // relu6(x+3) / 6
	Sigmoid            Kind = "Sigmoid"
	Add                Kind = "Add"               // x and y of equal rank; y's dimensions equal x's or are 1
	Mul                Kind = "Mul"               // as Add
	GlobalAveragePool  Kind = "GlobalAveragePool" // x [N, C, H, W] to [N, C, 1, 1]
	AveragePool        Kind = "AveragePool"       // padding is not counted
	MaxPool            Kind = "MaxPool"
	Linear             Kind = "Linear" // y = x W^T + b, ONNX's Gemm or MatMul by a constant: x [..., in], weight [out, in] or, if Transposed, [in, out], bias [out] (optional), residual (with Epilogue.Add)
	Flatten            Kind = "Flatten"
	Reshape            Kind = "Reshape"
	Softmax            Kind = "Softmax" // over Axis, after which only dimensions of 1 may follow
	Identity           Kind = "Identity"
)

// Attributes of a node; each kind reads only its own.
type Attributes struct {
	Kernel   [2]int   // AveragePool, MaxPool: height, width (Conv has it in the weight's shape)
	Stride   [2]int   // Conv, AveragePool, MaxPool: height, width
	Pad      [4]int   // Conv, AveragePool, MaxPool: top, left, bottom, right
	Dilation [2]int   // Conv: height, width
	Group    int      // Conv
	Epsilon  float32  // BatchNormalization
	Axis     int      // Flatten, Softmax; negative counts from the end
	Shape    []int    // Reshape: 0 keeps the input's dimension, one -1 takes what is left
	Epilogue Epilogue // Conv, Linear; Add and Mul without Add
	// Transposed says that the weight of Linear is [in, out].
	Transposed bool
	// Named are the attributes of a plain operator of ONNX; see Kind.
	Named operator.Attributes
}

// Node is one operation. Plain ONNX operators may leave out inputs and
// outputs, which then are nil.
type Node struct {
	Name       string
	Kind       Kind
	Inputs     []*Value
	Outputs    []*Value
	Attributes Attributes
}

// Plain reports whether n is a plain ONNX operator; see Kind.
func (n *Node) Plain() bool { return n.Attributes.Named != nil }

// Bias is the bias of a Conv or Linear, nil where it has none.
func (n *Node) Bias() *Value {
	if n.Plain() || n.Kind != Conv && n.Kind != Linear || n.operands() < 3 {
		return nil
	}
	return n.Inputs[2]
}

// Residual is the value that the epilogue adds, nil where it adds none.
func (n *Node) Residual() *Value {
	if !n.Attributes.Epilogue.Add || len(n.Inputs) == 0 {
		return nil
	}
	return n.Inputs[len(n.Inputs)-1]
}

// operands is the number of inputs without the residual.
func (n *Node) operands() int {
	if n.Attributes.Epilogue.Add {
		return len(n.Inputs) - 1
	}
	return len(n.Inputs)
}

// Graph is a network: nodes in topological order.
type Graph struct {
	Name     string
	Inputs   []*Value
	Outputs  []*Value
	Nodes    []*Node
	Metadata map[string]string
}

// Parameters are the distinct values with a role, in order of first use.
func (g *Graph) Parameters() []*Value {
	var list []*Value
	seen := make(map[*Value]bool)
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			if v != nil && v.Role != RoleNone && !seen[v] {
				seen[v] = true
				list = append(list, v)
			}
		}
	}
	return list
}

// Validate checks that names are unique and present, that every value exists
// before it is used, that data fits its shape, and that all shapes are what
// the nodes make of them.
func (g *Graph) Validate() error {
	r, err := newRewriter(g)
	if err != nil {
		return fmt.Errorf("graph %q: %w", g.Name, err)
	}
	r.done()
	return nil
}
