package graph

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// maxFolded bounds the elements of a constant that is computed from smaller
// ones, so that a small model does not become a large one.
const maxFolded = 1 << 20

// random are operators whose outputs differ from run to run.
var random = []Kind{"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}

// foldConstants computes nodes that read constants only, and the shapes of
// values, which are known. Bytes that stand for numbers stay such until it is
// clear whether they may.
func foldConstants(r *rewriter, n *Node) (bool, error) {
	if n.Kind == "DequantizeLinear" {
		return false, nil
	}
	return foldConstant(r, n)
}

func foldConstant(r *rewriter, n *Node) (bool, error) {
	shape := n.Plain() && (n.Kind == "Shape" || n.Kind == "Size")
	if !shape {
		for _, v := range n.Inputs {
			if v != nil && (v.Role == RoleNone || !v.Filled()) {
				return false, nil
			}
		}
	}
	if slices.Contains(random, n.Kind) || n.typed(BatchNormalization) {
		return false, nil
	}
	var elements, result int
	for _, v := range n.Outputs {
		if v == nil {
			continue
		}
		if r.outputs(v) {
			return false, nil // it has to stay a value that is computed
		}
		result += v.Elements()
	}
	in := make([]*operator.Tensor, len(n.Inputs))
	for i, v := range n.Inputs {
		if v != nil && !shape {
			in[i] = v.Tensor()
			elements += v.Elements()
		}
	}
	if result > max(maxFolded, 2*elements) {
		return false, nil
	}
	compute := func() ([]*operator.Tensor, error) { return n.Compute(in) }
	if shape {
		compute = n.shapeOf
	}
	out, err := compute()
	if err != nil {
		return false, nil // the run will say so, unless nothing needs the node
	}
	for i, v := range n.Outputs {
		if v != nil {
			r.replaceValue(v, r.constant(v.Name, out[i]))
		}
	}
	r.releaseInputs(n)
	return true, nil
}

// shapeOf is the result of a Shape or Size, which read the shape alone.
func (n *Node) shapeOf() ([]*operator.Tensor, error) {
	x, out := n.Inputs[0], operator.New(I64, n.Outputs[0].Shape...)
	list := out.Data.([]int64)
	if n.Kind == "Size" {
		list[0] = int64(x.Elements())
		return []*operator.Tensor{out}, nil
	}
	start, err := n.Attributes.Named.Int("start", 0)
	if start < 0 {
		start += len(x.Shape)
	}
	start = max(start, 0)
	for i := range list {
		list[i] = int64(x.Shape[start+i])
	}
	return []*operator.Tensor{out}, err
}

// removeDead leaves out what nothing needs. It visits nodes from the last.
func removeDead(r *rewriter) {
	for i := len(r.nodes) - 1; i >= 0; i-- {
		n := r.nodes[i].Node
		used := slices.ContainsFunc(n.Outputs, func(v *Value) bool { return v != nil && r.uses(v) > 0 })
		if !used && !r.dead[n] {
			r.dead[n] = true
			r.releaseInputs(n)
		}
	}
	r.removeDead()
}
