package graph

import "slices"

var epilogueKinds = []Kind{Add, Relu, Relu6, HardSwish, HardSigmoid, Sigmoid, "Clip", "Gelu", "Swish", "Tanh"}

// fuseEpilogue makes n the epilogue of the node before it: an addition of a
// Conv or Linear, an activation of a Conv, Linear, Add or Mul. The result of
// that node must have no other use, and no activation yet.
func fuseEpilogue(r *rewriter, n *Node) (bool, error) {
	if n.Outputs[0] == nil || n.Outputs[0].DType != F32 {
		return false, nil
	}
	if n.Kind == Add && n.Attributes.Epilogue == (Epilogue{}) {
		if result, residual := r.residual(n); result != nil {
			p := r.copyOf(r.producer(result))
			p.Inputs = r.list(p.Inputs, residual)
			p.Outputs = n.Outputs
			p.Attributes.Epilogue.Add = true
			r.replace(n, p)
			return true, nil
		}
	}
	if n.Kind == Add && n.Attributes.Epilogue == (Epilogue{}) && r.addReshaped(n) {
		return true, nil
	}
	if op, ok := n.activation(); ok {
		x := n.Inputs[0]
		if p := r.sole(x); p != nil && p.typed(Conv, Linear, Add, Mul) && p.Attributes.Epilogue.Activation == "" {
			fused := r.copyOf(p)
			fused.Outputs = n.Outputs
			fused.Attributes.Epilogue.Activation = op
			r.replace(n, fused)
			return true, nil
		}
	}
	return false, nil
}

// residual splits the operands of an Add into the result of the Conv or Linear
// that can add the other operand itself; of two the later one, as the other is
// there by then.
func (r *rewriter) residual(n *Node) (result, other *Value) {
	latest := -1
	for i, v := range n.Inputs {
		p := r.foldable(v)
		if p == nil || n.Inputs[1-i].Role != RoleNone || !slices.Equal(n.Inputs[1-i].Shape, v.Shape) {
			continue
		}
		if at := r.position(p); at > latest {
			latest, result, other = at, v, n.Inputs[1-i]
		}
	}
	return result, other
}

// addReshaped lets a Linear add what is added to its result in another shape.
func (r *rewriter) addReshaped(n *Node) bool {
	for i, v := range n.Inputs {
		other := n.Inputs[1-i]
		view := r.only(v, Reshape)
		if view == nil || !view.typed(Reshape) || other.Role != RoleNone || !slices.Equal(other.Shape, v.Shape) {
			continue
		}
		result := view.Inputs[0]
		p := r.foldable(result)
		if p == nil || p.Kind != Linear {
			continue
		}
		residual := r.value(other.Name+".reshaped", F32, result.Shape...)
		sum := r.value(result.Name+".sum", F32, result.Shape...)
		fused := *p
		fused.Inputs = append(slices.Clone(p.Inputs), residual)
		fused.Outputs = []*Value{sum}
		fused.Attributes.Epilogue.Add = true
		r.replace(n,
			&Node{Name: r.free(residual.Name), Kind: Reshape, Inputs: []*Value{other}, Outputs: []*Value{residual}, Attributes: Attributes{Shape: residual.Shape}},
			&fused,
			&Node{Name: n.Name, Kind: Reshape, Inputs: []*Value{sum}, Outputs: n.Outputs, Attributes: Attributes{Shape: n.Outputs[0].Shape}})
		return true
	}
	return false
}

// position is the place of an emitted node, found from the end.
func (r *rewriter) position(n *Node) int {
	for i := len(r.nodes) - 1; i >= 0; i-- {
		if r.nodes[i].Node == n {
			return i
		}
	}
	return -1
}
