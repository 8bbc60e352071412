package graph

import "slices"

// fuseEpilogue emits n, or makes it the epilogue of the node before it: an
// addition of a Conv, an activation of a Conv, Linear, Add or Mul. The result of
// that node must have no other use, and no activation yet.
func (f *fusion) fuseEpilogue(n *Node) {
	if n.Kind == Add && n.Attributes.Epilogue == (Epilogue{}) {
		if result, residual := f.residual(n); result != nil {
			p := f.absorb(result, n.Outputs[0])
			p.Inputs = append(slices.Clone(p.Inputs), residual)
			p.Attributes.Epilogue.Add = true
			return
		}
	}
	if op, ok := n.Kind.activation(); ok {
		x := n.Inputs[0]
		if p := f.before(x); p != nil && f.uses[x] == 1 && p.takesActivation() {
			f.absorb(x, n.Outputs[0]).Attributes.Epilogue.Activation = op
			return
		}
	}
	f.emit(n)
}

func (n *Node) takesActivation() bool {
	switch n.Kind {
	case Conv, Linear, Add, Mul:
		return n.Attributes.Epilogue.Activation == ""
	}
	return false
}

// residual splits the operands of an Add into the result of the Conv that can
// add the other operand itself. Of two convolutions that is the later one, as
// the other operand must be there when it runs.
func (f *fusion) residual(n *Node) (result, other *Value) {
	for i, v := range n.Inputs {
		other := n.Inputs[1-i]
		p := f.before(v)
		if p == nil || p.Kind != Conv || p.Attributes.Epilogue != (Epilogue{}) || f.uses[v] != 1 {
			continue
		}
		if other.Role == RoleNone && slices.Equal(other.Shape, v.Shape) && f.position(other) < f.producer[v] {
			return v, other
		}
	}
	return nil, nil
}
