package zoo

import (
	"fmt"
	"maps"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// Half is g with weights, inputs, outputs and all between of type F16, as a
// model converted to half precision has them.
func Half(g *graph.Graph) (*graph.Graph, error) {
	r := rewrite{values: make(map[*graph.Value]*graph.Value)}
	r.value = func(v *graph.Value) *graph.Value {
		copied := *v
		if v.DType == operator.F32 {
			copied.DType = operator.F16
		}
		if v.Data != nil {
			bits := make([]uint16, len(v.Data))
			for i, x := range v.Data {
				bits[i] = operator.ToHalf(operator.F16, x)
			}
			copied.Data, copied.Typed = nil, bits
		}
		return &copied
	}
	out := &graph.Graph{Name: g.Name + "_f16", Metadata: g.Metadata}
	for _, v := range g.Inputs {
		out.Inputs = append(out.Inputs, r.of(v))
	}
	for _, n := range g.Nodes {
		plain, err := r.plain(n)
		if err != nil {
			return nil, fmt.Errorf("zoo: %s: %w", g.Name, err)
		}
		// A mask that is cast becomes half too.
		if to, _ := plain.Attributes.Named.Int("to", 0); plain.Kind == "Cast" && to == 1 {
			plain.Attributes.Named = operator.Attributes{"to": int64(10)}
		}
		if err := plain.InferShape(); err != nil {
			return nil, fmt.Errorf("zoo: %s: %w", g.Name, err)
		}
		out.Nodes = append(out.Nodes, plain)
	}
	for _, v := range g.Outputs {
		out.Outputs = append(out.Outputs, r.of(v))
	}
	return out, out.Validate()
}

// rewrite copies nodes with other values.
type rewrite struct {
	values map[*graph.Value]*graph.Value
	value  func(v *graph.Value) *graph.Value // makes the copy of v
}

// of is the copy of v, nil where v is.
func (r *rewrite) of(v *graph.Value) *graph.Value {
	if v == nil {
		return nil
	}
	if r.values[v] == nil {
		r.values[v] = r.value(v)
	}
	return r.values[v]
}

// plain is n as an operator of ONNX.
func (r *rewrite) plain(n *graph.Node) (*graph.Node, error) {
	p := &graph.Node{Name: n.Name, Kind: n.Kind, Attributes: graph.Attributes{Named: maps.Clone(n.NamedAttributes())}}
	for _, v := range n.Inputs {
		p.Inputs = append(p.Inputs, r.of(v))
	}
	for _, v := range n.Outputs {
		p.Outputs = append(p.Outputs, r.of(v))
	}
	if n.Plain() {
		return p, nil
	}
	constant := func(suffix string, t *operator.Tensor) {
		v := &graph.Value{Name: n.Name + "." + suffix, Role: graph.RoleConstant}
		v.Fill(t)
		p.Inputs = append(p.Inputs, r.value(v))
	}
	switch {
	case n.Attributes.Epilogue != (graph.Epilogue{}) || n.Attributes.Transposed:
		return nil, fmt.Errorf("node %q (%s) is fused already", n.Name, n.Kind)
	case n.Kind == graph.Linear:
		p.Kind, p.Attributes.Named = "Gemm", operator.Attributes{"transB": int64(1)}
	case n.Kind == graph.Relu6:
		p.Kind = "Clip"
		constant("min", &operator.Tensor{DType: operator.F32, Shape: []int{}, Data: []float32{0}})
		constant("max", &operator.Tensor{DType: operator.F32, Shape: []int{}, Data: []float32{6}})
	case n.Kind == graph.Reshape:
		shape := make([]int64, len(n.Attributes.Shape))
		for i, d := range n.Attributes.Shape {
			shape[i] = int64(d)
		}
		constant("shape", &operator.Tensor{DType: operator.I64, Shape: []int{len(shape)}, Data: shape})
	}
	return p, nil
}
