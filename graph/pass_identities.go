package graph

import "slices"

var identityKinds = []Kind{Identity, "Dropout", "Cast", Reshape, "Squeeze", "Unsqueeze", Flatten, "Expand", "Transpose", Add, Mul, "Sub", "Div", "Concat", "Sum", "Max", "Min", "Pad", "Slice", "Clip"}

// removeIdentity removes what gives its input as it is: an Identity, a change
// to the same type or shape, an addition of 0 or multiplication by 1. What
// reads it reads its input.
func removeIdentity(r *rewriter, n *Node) (bool, error) {
	if n.typed(Reshape) {
		if p := r.before(n.Inputs[0], Reshape); p != nil && !p.Plain() { // of two, the last counts
			m := *n
			m.Inputs, m.Attributes.Shape = p.Inputs, n.Outputs[0].Shape
			if x := p.Inputs[0]; slices.Equal(x.Shape, m.Attributes.Shape) && !r.outputs(n.Outputs[0]) {
				r.forward(n, x)
			} else {
				r.replace(n, &m)
			}
			return true, nil
		}
	}
	out, x := n.Outputs[0], identical(r, n)
	if out == nil || x == nil || r.outputs(out) || !n.onlyFirstOutput() || x.DType != out.DType || !slices.Equal(x.Shape, out.Shape) {
		return false, nil
	}
	r.forward(n, x)
	return true, nil
}

// identical is the input that n gives as it is, if the shapes are the same.
func identical(r *rewriter, n *Node) *Value {
	x := n.Inputs[0]
	if x == nil || n.Attributes.Epilogue != (Epilogue{}) {
		return nil
	}
	neutral := func(i int, c float64) bool {
		s, ok := scalarOf(n.Inputs[i])
		return ok && s == c
	}
	switch n.Kind {
	case Identity, Reshape, "Squeeze", "Unsqueeze", Flatten, "Expand", "Cast":
		return x
	case "Dropout":
		training := n.in(2)
		if training == nil {
			return x
		}
		if on, ok := training.Typed.([]bool); ok && training.Role != RoleNone && len(on) == 1 && !on[0] {
			return x
		}
	case "Concat", "Sum", "Max", "Min":
		if len(n.Inputs) == 1 {
			return x
		}
	case Add, Mul:
		c := 0.
		if n.Kind == Mul {
			c = 1
		}
		for i := range n.Inputs {
			if neutral(i, c) {
				return n.Inputs[1-i]
			}
		}
	case "Sub":
		if neutral(1, 0) {
			return x
		}
	case "Div":
		if neutral(1, 1) {
			return x
		}
	case "Transpose":
		if slices.IsSorted(n.permutation()) {
			return x
		}
	case "Pad":
		if t := n.in(1).Tensor(); n.in(1).Role != RoleNone && t != nil {
			if list, ok := t.Ints(); ok && !slices.ContainsFunc(list, func(p int64) bool { return p != 0 }) {
				return x
			}
		}
	case "Slice":
		if steps := n.in(4); steps == nil {
			return x
		} else if t := steps.Tensor(); steps.Role != RoleNone && t != nil {
			if list, ok := t.Ints(); ok && !slices.ContainsFunc(list, func(s int64) bool { return s != 1 }) {
				return x
			}
		}
	case "Clip":
		if n.in(1) == nil && n.in(2) == nil {
			return x
		}
	}
	return nil
}
