// Package graph describes neural networks as work: what is computed, on which
// shapes, at what cost. A Graph is a DAG of nodes with tensors between them; a
// Workload is one operator with its shapes, type and fused epilogue, and its
// canonical name is the key under which costs are kept everywhere. The package
// infers shapes, fuses what one kernel does in one pass, and counts
// multiply-accumulates, parameters and bytes. It computes nothing itself.
package graph

import (
	"errors"
	"fmt"
	"slices"
)

// Role says what a value is for.
type Role string

// Roles. A value with a role is given, not computed; its Data may still be nil
// where only the cost of the graph is asked for.
const (
	RoleNone     Role = ""         // an input of the graph or a node's output
	RoleWeight   Role = "weight"   // Conv [K, C/group, R, S], Gemm [out, in]
	RoleBias     Role = "bias"     // [K]
	RoleScale    Role = "scale"    // batch norm's gamma, [C]
	RoleShift    Role = "shift"    // batch norm's beta, [C]
	RoleMean     Role = "mean"     // batch norm's running mean, [C]
	RoleVariance Role = "variance" // batch norm's running variance, [C]
	RoleConstant Role = "constant" // the second operand of Add or Mul
)

// Value is a tensor, row major.
type Value struct {
	Name  string
	DType DType
	Shape []int
	Data  []float32 // of values with a role; nil where not filled
	Role  Role
}

// Elements is the product of the dimensions.
func (v *Value) Elements() int {
	n := 1
	for _, d := range v.Shape {
		n *= d
	}
	return n
}

// Kind is a node's operator, by its ONNX name.
type Kind string

// Kinds of node. x is the first input; every node has one output.
const (
	Conv               Kind = "Conv"               // x [N, C, H, W], weight [K, C/Group, R, S], bias [K] (optional), residual (with Epilogue.Add)
	BatchNormalization Kind = "BatchNormalization" // x [N, C, ...], scale, shift, mean, variance [C]
	Relu               Kind = "Relu"
	Clip               Kind = "Clip" // to 0..6
	HardSwish          Kind = "HardSwish"
	HardSigmoid        Kind = "HardSigmoid" // relu6(x+3) / 6
	Sigmoid            Kind = "Sigmoid"
	Add                Kind = "Add"               // x and y of equal rank; y's dimensions equal x's or are 1
	Mul                Kind = "Mul"               // as Add
	GlobalAveragePool  Kind = "GlobalAveragePool" // x [N, C, H, W] to [N, C, 1, 1]
	AveragePool        Kind = "AveragePool"       // padding is not counted
	MaxPool            Kind = "MaxPool"
	Gemm               Kind = "Gemm" // y = x W^T + b: x [N, in], weight [out, in], bias [out] (optional)
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
	Epilogue Epilogue // Conv; Gemm, Add and Mul without Add
}

// Node is one operation.
type Node struct {
	Name       string
	Kind       Kind
	Inputs     []*Value
	Outputs    []*Value
	Attributes Attributes
}

// Bias is the bias of a Conv or Gemm, nil where it has none.
func (n *Node) Bias() *Value {
	if n.Kind != Conv && n.Kind != Gemm || n.operands() < 3 {
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
			if v.Role != RoleNone && !seen[v] {
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
	if err := g.validate(); err != nil {
		return fmt.Errorf("graph %q: %w", g.Name, err)
	}
	return nil
}

func (g *Graph) validate() error {
	if len(g.Inputs) == 0 || len(g.Outputs) == 0 {
		return errors.New("it needs an input and an output")
	}
	values := make(map[string]*Value, 4*len(g.Nodes))
	define := func(v *Value) error {
		switch {
		case v == nil:
			return errors.New("a value is nil")
		case v.Name == "":
			return errors.New("a value has no name")
		case values[v.Name] != nil:
			return fmt.Errorf("value %q is defined twice", v.Name)
		}
		values[v.Name] = v
		return checkValue(v)
	}
	for _, v := range g.Inputs {
		if err := define(v); err != nil {
			return err
		}
		if v.Role != RoleNone {
			return fmt.Errorf("input %q has role %q", v.Name, v.Role)
		}
	}
	nodes := make(map[string]bool, len(g.Nodes))
	for i, n := range g.Nodes {
		switch {
		case n == nil:
			return fmt.Errorf("node %d is nil", i)
		case n.Name == "":
			return fmt.Errorf("node %d (%s) has no name", i, n.Kind)
		case nodes[n.Name]:
			return fmt.Errorf("two nodes are named %q", n.Name)
		case len(n.Outputs) != 1 || n.Outputs[0] == nil:
			return fmt.Errorf("node %q (%s) has %d outputs, want 1", n.Name, n.Kind, len(n.Outputs))
		}
		nodes[n.Name] = true
		for _, v := range n.Inputs {
			if v != nil && v.Role != RoleNone && values[v.Name] == nil {
				if err := define(v); err != nil {
					return err
				}
			}
			if v == nil || values[v.Name] != v {
				return fmt.Errorf("node %q (%s) reads a value that is not defined before it: %s", n.Name, n.Kind, nameOf(v))
			}
		}
		shape, err := n.outputShape()
		if err != nil {
			return err
		}
		out := n.Outputs[0]
		if out.Role != RoleNone {
			return fmt.Errorf("node %q (%s): its output has role %q", n.Name, n.Kind, out.Role)
		}
		if !slices.Equal(shape, out.Shape) {
			return fmt.Errorf("node %q (%s): output %q is %v, but the inputs give %v", n.Name, n.Kind, out.Name, out.Shape, shape)
		}
		if err := define(out); err != nil {
			return err
		}
	}
	for _, v := range g.Outputs {
		if v == nil || values[v.Name] != v {
			return fmt.Errorf("output %s is not defined", nameOf(v))
		}
	}
	return nil
}

func nameOf(v *Value) string {
	if v == nil {
		return "nil"
	}
	return fmt.Sprintf("%q", v.Name)
}

func checkValue(v *Value) error {
	if v.DType != F32 {
		return fmt.Errorf("value %q: element type %q, want %q", v.Name, v.DType, F32)
	}
	if !fits(v.Shape...) {
		return fmt.Errorf("value %q: shape %v has a dimension below 1 or is too large", v.Name, v.Shape)
	}
	if v.Data != nil && len(v.Data) != v.Elements() {
		return fmt.Errorf("value %q: %d elements of data for shape %v", v.Name, len(v.Data), v.Shape)
	}
	return nil
}
