package onnx

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// widenHalf returns a graph that computes in F32 where g computes in F16 or
// BF16: what has kernels is F32. Inputs and outputs keep their types, with a
// Cast behind or before each. g is not changed, and returned as it is where
// there is nothing to do.
func widenHalf(g *graph.Graph) (*graph.Graph, error) {
	if !hasHalf(g) {
		return g, nil
	}
	w := &widening{values: make(map[*graph.Value]*graph.Value), taken: make(map[string]bool), names: make(map[string]bool)}
	for _, n := range g.Nodes {
		w.names[n.Name] = true
		for _, v := range slices.Concat(n.Inputs, n.Outputs) {
			if v != nil {
				w.taken[v.Name] = true
			}
		}
	}
	for _, v := range g.Inputs {
		w.taken[v.Name] = true
	}
	for _, v := range g.Inputs {
		if v.DType.IsHalf() {
			wide := &graph.Value{Name: unique(w.taken, v.Name+".wide"), DType: graph.F32, Shape: v.Shape}
			w.values[v] = wide
			w.cast(v, wide)
		}
	}
	out := &graph.Graph{Name: g.Name, Inputs: g.Inputs, Outputs: g.Outputs, Metadata: g.Metadata}
	for _, v := range g.Outputs {
		// The Cast before it computes it under its name.
		if v.DType.IsHalf() && v.Role == graph.RoleNone && w.values[v] == nil {
			w.values[v] = &graph.Value{Name: unique(w.taken, v.Name+".wide"), DType: graph.F32, Shape: v.Shape}
		}
	}
	for _, n := range g.Nodes {
		copied := *n
		copied.Inputs, copied.Outputs = w.widened(n.Inputs), w.widened(n.Outputs)
		if n.Plain() {
			copied.Attributes.Named = widenedAttributes(n.Attributes.Named)
		}
		if err := copied.InferShape(); err != nil {
			return nil, fmt.Errorf("widen half types: %w", err)
		}
		w.nodes = append(w.nodes, &copied)
	}
	for _, v := range g.Outputs {
		if v.DType.IsHalf() && v.Role == graph.RoleNone && !slices.Contains(g.Inputs, v) {
			w.cast(w.values[v], v)
		}
	}
	out.Nodes = w.nodes
	return out, nil
}

func hasHalf(g *graph.Graph) bool {
	half := func(v *graph.Value) bool { return v != nil && v.DType.IsHalf() }
	return slices.ContainsFunc(g.Inputs, half) || slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool {
		return slices.ContainsFunc(n.Inputs, half) || slices.ContainsFunc(n.Outputs, half)
	})
}

type widening struct {
	values map[*graph.Value]*graph.Value
	taken  map[string]bool
	names  map[string]bool
	nodes  []*graph.Node
}

// cast adds a node that makes to of from.
func (w *widening) cast(from, to *graph.Value) {
	w.nodes = append(w.nodes, &graph.Node{
		Name: unique(w.names, to.Name+".cast"), Kind: "Cast", Inputs: []*graph.Value{from}, Outputs: []*graph.Value{to},
		Attributes: graph.Attributes{Named: operator.Attributes{"to": int64(dataType(to.DType))}},
	})
}

func (w *widening) widened(list []*graph.Value) []*graph.Value {
	list = slices.Clone(list)
	for i, v := range list {
		if v == nil || !v.DType.IsHalf() {
			continue
		}
		wide := w.values[v]
		if wide == nil {
			wide = &graph.Value{Name: v.Name, DType: graph.F32, Shape: v.Shape, Role: v.Role}
			if t := v.Tensor(); t != nil {
				wide.Data, _ = t.Floats()
			}
			w.values[v] = wide
		}
		list[i] = wide
	}
	return list
}

// widenedAttributes have F32 where they name a half type.
func widenedAttributes(a operator.Attributes) operator.Attributes {
	b := maps.Clone(a)
	for name, v := range b {
		switch v := v.(type) {
		case int64:
			switch name {
			case "to", "dtype", "output_dtype":
				if t := onnxpb.TensorProto_DataType(v); int64(t) == v && dtypes[t].IsHalf() {
					b[name] = int64(onnxpb.TensorProto_FLOAT)
				}
			}
		case *operator.Tensor:
			if v.DType.IsHalf() {
				x, _ := v.Floats()
				b[name] = &operator.Tensor{DType: operator.F32, Shape: v.Shape, Data: x}
			}
		}
	}
	return b
}
