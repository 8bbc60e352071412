package graph

import (
	"fmt"
	"math"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// activationKind is the node kind of the activations that have one of their own.
var activationKind = map[Op]Kind{
	OpRelu: Relu, OpRelu6: Relu6, OpHardSwish: HardSwish, OpHardSigmoid: HardSigmoid, OpSigmoid: Sigmoid,
}

func (k Kind) activation() (Op, bool) {
	switch k {
	case Relu:
		return OpRelu, true
	case Relu6:
		return OpRelu6, true
	case HardSwish:
		return OpHardSwish, true
	case HardSigmoid:
		return OpHardSigmoid, true
	case Sigmoid:
		return OpSigmoid, true
	}
	return "", false
}

// activation is what a node does if it is an activation that an epilogue can
// do; false for others, and for uses of ONNX's operators that mean more.
func (n *Node) activation() (Op, bool) {
	if !n.Plain() {
		return n.Kind.activation()
	}
	a := n.Attributes.Named
	switch n.Kind {
	case Relu, HardSwish, Sigmoid:
		return n.Kind.activation()
	case HardSigmoid:
		alpha, err := a.Float("alpha", 0.2)
		beta, err2 := a.Float("beta", 0.5)
		return OpHardSigmoid, err == nil && err2 == nil && about(F32, float64(alpha), 1./6) && beta == 0.5
	case "Tanh":
		return OpTanh, true
	case "Gelu":
		approximate, err := a.String("approximate", "none")
		if approximate == "tanh" {
			return OpGELUTanh, err == nil
		}
		return OpGELU, err == nil && approximate == "none"
	case "Swish":
		alpha, err := a.Float("alpha", 1)
		return OpSiLU, err == nil && alpha == 1
	case "Clip":
		if low, ok := clipBound(n, 1, math.Inf(-1)); !ok || low != 0 {
			return "", false
		}
		switch high, ok := clipBound(n, 2, math.Inf(1)); {
		case ok && high == 6:
			return OpRelu6, true
		case ok && high > math.MaxFloat32/2: // exporters write the largest number for none
			return OpRelu, true
		}
	}
	return "", false
}

// clipBound is a bound of Clip, if it is known.
func clipBound(n *Node, i int, missing float64) (float64, bool) {
	if i >= len(n.Inputs) || n.Inputs[i] == nil {
		return missing, true
	}
	return scalarOf(n.Inputs[i])
}

// activationNode is a node that does op, without a name, inputs and outputs.
func activationNode(op Op) *Node {
	if kind, ok := activationKind[op]; ok {
		return &Node{Kind: kind}
	}
	n := &Node{Attributes: Attributes{Named: operator.Attributes{}}}
	switch op {
	case OpGELU:
		n.Kind = "Gelu"
	case OpGELUTanh:
		n.Kind, n.Attributes.Named["approximate"] = "Gelu", "tanh"
	case OpSiLU:
		n.Kind = "Swish"
	case OpTanh:
		n.Kind = "Tanh"
	default:
		return nil
	}
	return n
}

// Workloads is the work of the graph as it stands, in order; Fuse it first
// for what is really run.
func (g *Graph) Workloads() ([]Workload, error) {
	cost := 0
	for _, n := range g.Nodes {
		if !free[n.Kind] {
			cost++
		}
	}
	list := make([]Workload, 0, cost)
	for _, n := range g.Nodes {
		if n.typed(BatchNormalization) {
			return nil, fmt.Errorf("graph %q: node %q is a batch norm, which is no workload: fuse the graph first", g.Name, n.Name)
		}
		w, ok := n.Workload()
		if !ok {
			continue
		}
		if err := w.Validate(); err != nil {
			return nil, fmt.Errorf("graph %q: node %q: %w", g.Name, n.Name, err)
		}
		list = append(list, w)
	}
	return list, nil
}

// MACs is the number of multiply-accumulates of the graph's convolutions,
// linear layers and other products.
func (g *Graph) MACs() int64 {
	var sum int64
	for _, n := range g.Nodes {
		if w, ok := n.Workload(); ok {
			sum += w.MACs()
		}
	}
	return sum
}

// Params is the number of learned parameters: weights, biases, and the scales
// and shifts of batch norms, each tensor counted once.
func (g *Graph) Params() int64 {
	var sum int64
	for _, v := range g.Parameters() {
		switch v.Role {
		case RoleWeight, RoleBias, RoleScale, RoleShift:
			sum += int64(v.Elements())
		}
	}
	return sum
}
