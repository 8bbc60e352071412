package onnx

import (
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// lower turns the plain nodes of g into nodes with attributes of their own
// where these are exactly the same, and constants into parameters of these.
func lower(g *graph.Graph) error {
	l := &lowering{
		taken:      make(map[string]bool),
		names:      make(map[string]bool),
		uses:       make(map[*graph.Value]int),
		parameters: make(map[parameterKey]*graph.Value),
		claimed:    make(map[*graph.Value]bool),
	}
	for _, v := range g.Inputs {
		l.taken[v.Name] = true
	}
	for _, n := range g.Nodes {
		l.names[n.Name] = true
		for _, v := range slices.Concat(n.Inputs, n.Outputs) {
			if v != nil {
				l.taken[v.Name] = true
				l.uses[v]++
			}
		}
	}
	for _, v := range g.Outputs {
		l.taken[v.Name] = true
		l.uses[v]++
		// What the graph gives out stays as it is.
		if v.Role != graph.RoleNone {
			l.claimed[v] = true
			l.parameters[parameterKey{v, v.Role, fmt.Sprint(v.Shape), ""}] = v
		}
	}
	for _, n := range g.Nodes {
		if !l.fits(n) || !lowerings[n.Kind](l, n) {
			l.keep(n)
		}
		if l.err != nil {
			return l.err
		}
	}
	g.Nodes = l.nodes
	return nil
}

// lowerings write a node as one with attributes of its own, or report that it
// is none. The first input is computed and the first output is the only one;
// all are F32 and have elements.
var lowerings = map[graph.Kind]func(*lowering, *graph.Node) bool{
	"Add":                func(l *lowering, n *graph.Node) bool { return l.broadcast(graph.Add, n) },
	"AveragePool":        func(l *lowering, n *graph.Node) bool { return l.pool(graph.AveragePool, n) },
	"BatchNormalization": (*lowering).batchNormalization,
	"Clip":               (*lowering).clip,
	"Conv":               (*lowering).conv,
	"Flatten":            (*lowering).flatten,
	"Gemm":               (*lowering).gemm,
	"GlobalAveragePool":  (*lowering).globalAveragePool,
	"HardSigmoid":        (*lowering).hardSigmoid,
	"HardSwish":          func(l *lowering, n *graph.Node) bool { return l.unary(graph.HardSwish, n) },
	"Identity":           func(l *lowering, n *graph.Node) bool { return l.unary(graph.Identity, n) },
	"MatMul":             (*lowering).matMul,
	"MaxPool":            func(l *lowering, n *graph.Node) bool { return l.pool(graph.MaxPool, n) },
	"Mul":                func(l *lowering, n *graph.Node) bool { return l.broadcast(graph.Mul, n) },
	"Relu":               func(l *lowering, n *graph.Node) bool { return l.unary(graph.Relu, n) },
	"Reshape":            (*lowering).reshape,
	"Sigmoid":            func(l *lowering, n *graph.Node) bool { return l.unary(graph.Sigmoid, n) },
	"Softmax":            (*lowering).softmax,
}

type lowering struct {
	nodes      []*graph.Node
	taken      map[string]bool // names of values
	names      map[string]bool // names of nodes
	uses       map[*graph.Value]int
	parameters map[parameterKey]*graph.Value
	claimed    map[*graph.Value]bool // constants whose name is in use
	err        error
}

// parameterKey tells apart the values made from one constant.
type parameterKey struct {
	constant *graph.Value
	role     graph.Role
	shape    string
	variant  string
}

// fits reports whether a node may become one with attributes of its own at all.
func (l *lowering) fits(n *graph.Node) bool {
	if lowerings[n.Kind] == nil || !n.Plain() || len(n.Outputs) != 1 || n.Outputs[0] == nil || n.Outputs[0].DType != graph.F32 || n.Outputs[0].Elements() == 0 {
		return false
	}
	if len(n.Inputs) == 0 || n.Inputs[0] == nil || len(n.Outputs[0].Shape) == 0 {
		return false
	}
	for i, v := range n.Inputs {
		if v == nil || n.Kind == "Reshape" && i == 1 {
			continue
		}
		if v.DType != graph.F32 || v.Elements() == 0 {
			return false
		}
	}
	x := n.Inputs[0]
	if n.Kind == "Add" || n.Kind == "Mul" {
		return x.Role == graph.RoleNone || n.Inputs[1].Role == graph.RoleNone
	}
	return x.Role == graph.RoleNone && len(x.Shape) > 0
}

// keep leaves a node as it is.
func (l *lowering) keep(n *graph.Node) {
	for i, v := range n.Inputs {
		if v != nil && v.Role != graph.RoleNone {
			n.Inputs[i] = l.parameter(v, graph.RoleConstant, v.Shape)
		}
	}
	l.nodes = append(l.nodes, n)
}

// constant reports whether v is known.
func constant(v *graph.Value) bool { return v != nil && v.Role != graph.RoleNone && v.Filled() }

// input is input i of n, nil where it is left out.
func input(n *graph.Node, i int) *graph.Value {
	if i < len(n.Inputs) {
		return n.Inputs[i]
	}
	return nil
}

// parameter is the constant v in a role, with a shape of as many elements;
// equal uses share one. The first keeps its name.
func (l *lowering) parameter(v *graph.Value, role graph.Role, shape []int) *graph.Value {
	return l.variant(v, role, shape, "", nil)
}

// variant is like parameter, with other data: make makes it.
func (l *lowering) variant(v *graph.Value, role graph.Role, shape []int, variant string, data func() []float32) *graph.Value {
	key := parameterKey{v, role, fmt.Sprint(shape), variant}
	if p := l.parameters[key]; p != nil {
		return p
	}
	p := &graph.Value{Name: v.Name, DType: v.DType, Shape: shape, Data: v.Data, Typed: v.Typed, Role: role}
	if data != nil {
		p.Data = data()
	}
	if l.claimed[v] {
		p.Name = unique(l.taken, v.Name+"."+string(role))
	}
	l.claimed[v] = true
	l.parameters[key] = p
	return p
}

// last adds the node that computes what n did.
func (l *lowering) last(n *graph.Node, kind graph.Kind, a graph.Attributes, inputs ...*graph.Value) bool {
	l.add(&graph.Node{Name: n.Name, Kind: kind, Attributes: a, Inputs: inputs, Outputs: n.Outputs})
	return true
}

// inner adds a node before the last of those that n becomes.
func (l *lowering) inner(n *graph.Node, suffix string, kind graph.Kind, a graph.Attributes, inputs ...*graph.Value) *graph.Value {
	out := &graph.Value{Name: unique(l.taken, n.Outputs[0].Name+"."+suffix), DType: graph.F32}
	l.add(&graph.Node{Name: unique(l.names, n.Name+"."+suffix), Kind: kind, Attributes: a, Inputs: inputs, Outputs: []*graph.Value{out}})
	return out
}

func (l *lowering) add(n *graph.Node) {
	want := n.Outputs[0].Shape
	err := n.InferShape()
	if err == nil && want != nil && !slices.Equal(want, n.Outputs[0].Shape) {
		err = fmt.Errorf("node %q (%s) gives %v, but its operator %v", n.Name, n.Kind, n.Outputs[0].Shape, want)
	}
	if l.err == nil {
		l.err = err
	}
	l.nodes = append(l.nodes, n)
}

func (l *lowering) unary(kind graph.Kind, n *graph.Node) bool {
	return l.last(n, kind, graph.Attributes{}, n.Inputs[0])
}

func (l *lowering) globalAveragePool(n *graph.Node) bool {
	return len(n.Inputs[0].Shape) == 4 && l.unary(graph.GlobalAveragePool, n)
}

func (l *lowering) flatten(n *graph.Node) bool {
	axis, err := n.Attributes.Named.Int("axis", 1)
	return err == nil && l.last(n, graph.Flatten, graph.Attributes{Axis: axis}, n.Inputs[0])
}

func (l *lowering) reshape(n *graph.Node) bool {
	if !constant(input(n, 1)) {
		return false
	}
	list, ok := n.Inputs[1].Tensor().Ints()
	if !ok || len(list) == 0 {
		return false
	}
	shape := make([]int, len(list))
	for i, d := range list {
		shape[i] = clampInt(d)
	}
	return l.last(n, graph.Reshape, graph.Attributes{Shape: shape}, n.Inputs[0])
}

func (l *lowering) softmax(n *graph.Node) bool {
	shape := n.Inputs[0].Shape
	axis, err := n.Attributes.Named.Int("axis", -1)
	if axis < 0 {
		axis += len(shape)
	}
	if err != nil || axis < 0 || axis >= len(shape) || operator.Elements(shape[axis+1:]) != 1 {
		return false
	}
	return l.last(n, graph.Softmax, graph.Attributes{Axis: axis}, n.Inputs[0])
}

func (l *lowering) batchNormalization(n *graph.Node) bool {
	a := n.Attributes.Named
	training, err := a.Int("training_mode", 0)
	epsilon, err2 := a.Float("epsilon", 1e-5)
	if err != nil || err2 != nil || training != 0 || len(n.Inputs) != 5 || len(n.Inputs[0].Shape) < 2 {
		return false
	}
	inputs := []*graph.Value{n.Inputs[0]}
	roles := []graph.Role{graph.RoleScale, graph.RoleShift, graph.RoleMean, graph.RoleVariance}
	for _, v := range n.Inputs[1:] {
		if !constant(v) || !slices.Equal(v.Shape, n.Inputs[0].Shape[1:2]) {
			return false
		}
	}
	for i, v := range n.Inputs[1:] {
		inputs = append(inputs, l.parameter(v, roles[i], v.Shape))
	}
	return l.last(n, graph.BatchNormalization, graph.Attributes{Epsilon: epsilon}, inputs...)
}
