package onnx

import (
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
)

// node is a node of the model while it is read.
type node struct {
	*decoder
	proto   *onnxpb.NodeProto
	name    string
	opset   int
	inputs  []operand
	defined bool // its output has been defined
}

// read turns the node into nodes of the graph, or does nothing if it depends on
// one that could not be.
func (n *node) read() error {
	read := operators[n.proto.GetOpType()]
	if read == nil || domain(n.proto.GetDomain()) != "" {
		return unsupported("")
	}
	for _, o := range n.inputs {
		if o.problem != "" {
			return unsupported(o.problem)
		}
	}
	for _, o := range n.inputs {
		if o.name != "" && !o.known() {
			return nil
		}
	}
	for i, name := range n.proto.Output[1:] {
		if name != "" && n.used[name] {
			return unsupportedf("output %d is used; only the first is supported", i+1)
		}
	}
	for _, a := range n.proto.Attribute {
		if a.GetRefAttrName() != "" {
			return fmt.Errorf("attribute %q refers to a function's, but this is none", a.GetName())
		}
	}
	return read(n)
}

func (n *node) has(i int) bool { return i < len(n.inputs) && n.inputs[i].name != "" }

// activation is input i, which must be computed or an input of the model.
func (n *node) activation(i int) (*graph.Value, error) {
	if !n.has(i) {
		return nil, fmt.Errorf("input %d is missing", i)
	}
	if v := n.inputs[i].value; v != nil {
		return v, nil
	}
	return nil, unsupportedf("input %d is constant", i)
}

// constant is input i, which must be an initializer or a constant node's.
func (n *node) constant(i int) (operand, error) {
	if !n.has(i) {
		return operand{}, fmt.Errorf("input %d is missing", i)
	}
	if n.inputs[i].constant == nil {
		return operand{}, unsupportedf("input %d is not constant", i)
	}
	return n.inputs[i], nil
}

// floats is constant input i with its elements' type checked.
func (n *node) floats(i int) (operand, error) {
	o, err := n.constant(i)
	if err == nil && o.constant.floats == nil {
		err = fmt.Errorf("input %d is not of type FLOAT", i)
	}
	return o, err
}

// scalar is the number in constant input i, the default where it is left out.
func (n *node) scalar(i int, missing float32) (float32, error) {
	if !n.has(i) {
		return missing, nil
	}
	o, err := n.floats(i)
	if err != nil {
		return 0, err
	}
	if o.constant.elements() != 1 {
		return 0, fmt.Errorf("input %d has shape %v, want one element", i, o.constant.shape)
	}
	return o.constant.floats()[0], nil
}

// given is a parameter with the elements of the file as they are.
func (n *node) given(o operand, role graph.Role, shape []int) (*graph.Value, error) {
	return n.parameter(o, role, "", shape, func() ([]float32, error) { return o.constant.floats(), nil })
}

// fill is a new constant of one element, of the given rank.
func (n *node) fill(suffix string, rank int, x float32) *graph.Value {
	shape := make([]int, rank)
	for i := range shape {
		shape[i] = 1
	}
	return &graph.Value{
		Name: unique(n.taken, n.proto.Output[0]+"."+suffix), DType: graph.F32,
		Shape: shape, Data: []float32{x}, Role: graph.RoleConstant,
	}
}

// inner adds a node before the last of those that this one becomes.
func (n *node) inner(suffix string, kind graph.Kind, a graph.Attributes, inputs ...*graph.Value) (*graph.Value, error) {
	out := &graph.Value{Name: unique(n.taken, n.proto.Output[0]+"."+suffix), DType: graph.F32}
	return out, n.add(&graph.Node{
		Name: unique(n.nodes, n.name+"."+suffix), Kind: kind, Attributes: a, Inputs: inputs, Outputs: []*graph.Value{out},
	})
}

// last adds the node that computes this node's output.
func (n *node) last(kind graph.Kind, a graph.Attributes, inputs ...*graph.Value) error {
	out := &graph.Value{Name: n.proto.Output[0], DType: graph.F32}
	err := n.add(&graph.Node{
		Name: unique(n.nodes, n.name), Kind: kind, Attributes: a, Inputs: inputs, Outputs: []*graph.Value{out},
	})
	if err != nil {
		return err
	}
	return n.become(operand{value: out})
}

func (n *node) add(g *graph.Node) error {
	n.decoded.Nodes = append(n.decoded.Nodes, g)
	return g.InferShape()
}

// become lets this node's output stand for o.
func (n *node) become(o operand) error {
	o.name = n.proto.Output[0]
	n.defined = true
	return n.define(o)
}

// attribute is the one of that name and type, nil where the node has none.
func (n *node) attribute(name string, kind onnxpb.AttributeProto_AttributeType) (*onnxpb.AttributeProto, error) {
	for _, a := range n.proto.Attribute {
		if a.GetName() != name {
			continue
		}
		if a.GetType() != kind {
			return nil, fmt.Errorf("attribute %q is of type %s, want %s", name, a.GetType(), kind)
		}
		return a, nil
	}
	return nil, nil
}

func (n *node) int(name string, missing int) (int, error) {
	a, err := n.attribute(name, onnxpb.AttributeProto_INT)
	if a == nil {
		return missing, err
	}
	return clampInt(a.GetI()), nil
}

func (n *node) float(name string, missing float32) (float32, error) {
	a, err := n.attribute(name, onnxpb.AttributeProto_FLOAT)
	if a == nil {
		return missing, err
	}
	return a.GetF(), nil
}

func (n *node) string(name, missing string) (string, error) {
	a, err := n.attribute(name, onnxpb.AttributeProto_STRING)
	if a == nil {
		return missing, err
	}
	return string(a.GetS()), nil
}

// ints fills x from the attribute and reports whether the node has it.
func (n *node) ints(name string, x []int) (bool, error) {
	a, err := n.attribute(name, onnxpb.AttributeProto_INTS)
	if a == nil {
		return false, err
	}
	if len(a.GetInts()) != len(x) {
		return false, fmt.Errorf("attribute %q has %d numbers, want %d", name, len(a.GetInts()), len(x))
	}
	for i, v := range a.GetInts() {
		x[i] = clampInt(v)
	}
	return true, nil
}
