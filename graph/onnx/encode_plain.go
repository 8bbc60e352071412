package onnx

import (
	"slices"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// oldestWritten is the opset of models whose operators need no later one.
const oldestWritten = 17

// plain writes a node that is an operator of ONNX.
func (e *encoder) plain(n *graph.Node) error {
	if n.Kind == "Swish" {
		alpha, err := n.Attributes.Named.Float("alpha", 1)
		if err != nil {
			return err
		}
		out := n.Outputs[0]
		e.swish(n.Name, n.Inputs[0].Name, out.Name, alpha, out.DType, out.Shape)
		return nil
	}
	attributes, err := attributeProtos(n.Attributes.Named)
	if err != nil {
		return err
	}
	e.opset = max(e.opset, newerOpset(n))
	outputs := make([]string, len(n.Outputs))
	for i, v := range n.Outputs {
		if v != nil {
			outputs[i] = v.Name
		}
	}
	inputs := names(n.Inputs)
	if n.Kind == "Attention" {
		e.wholeMask(n, inputs)
	}
	e.add(n.Kind, n.Name, inputs, outputs, attributes...)
	return nil
}

// wholeMask puts the mask of an attention in the place of inputs[3] as one that
// has a row for each query, which ONNX Runtime wants.
func (e *encoder) wholeMask(n *graph.Node, inputs []string) {
	mask, q := input(n, 3), n.Inputs[0].Shape
	if mask == nil {
		return
	}
	rank, queries := len(mask.Shape), q[len(q)-2]
	if rank < 2 || mask.Shape[rank-2] == queries {
		return
	}
	shape := slices.Clone(mask.Shape)
	shape[rank-2] = queries
	inputs[3] = e.inner(n.Name+".mask", mask.DType, shape)
	e.add("Expand", e.nodeName(n.Name+".mask"), []string{mask.Name, e.ints(n.Name+".mask.shape", shape)}, []string{inputs[3]})
}

// newerOpset is the opset that a use of an operator needs, where it is one of a
// later version than that of oldestWritten.
func newerOpset(n *graph.Node) int {
	a := n.Attributes.Named
	has := func(names ...string) bool {
		for _, name := range names {
			if _, ok := a[name]; ok {
				return true
			}
		}
		return false
	}
	given := func(i int) bool { return input(n, i) != nil }
	kind := string(n.Kind)
	switch {
	case kind == "ReduceSum":
	case strings.HasPrefix(kind, "Reduce"):
		if n.Inputs[0].DType == graph.Bool {
			return 20
		}
		if given(1) || has("noop_with_empty_axes") {
			return 18
		}
	case kind == "Split":
		if !given(1) {
			return 18
		}
	case kind == "Pad":
		if a["mode"] == "wrap" {
			return 19
		}
		if given(3) {
			return 18
		}
	case kind == "Resize":
		if a["coordinate_transformation_mode"] == "half_pixel_symmetric" {
			return 19
		}
		if has("antialias", "axes", "keep_aspect_ratio_policy") {
			return 18
		}
	case kind == "ScatterElements", kind == "ScatterND":
		if a["reduction"] == "max" || a["reduction"] == "min" {
			return 18
		}
	case kind == "AveragePool", kind == "LpPool":
		if has("dilations") {
			return 19
		}
	case kind == "GridSample", kind == "DFT":
		return 20
	case kind == "GroupNormalization":
		return 21
	case kind == "QuantizeLinear", kind == "DequantizeLinear":
		if has("block_size", "output_dtype") {
			return 21
		}
		for _, v := range n.Inputs {
			if v != nil && (v.DType == operator.I16 || v.DType == operator.U16) {
				return 21
			}
		}
	case kind == "Cast":
		if has("round_mode") {
			return 24
		}
		if has("saturate") {
			return 19
		}
	case kind == "CastLike":
		if has("saturate") {
			return 19
		}
	}
	return 0
}
