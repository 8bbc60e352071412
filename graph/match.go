package graph

import (
	"math"
	"slices"
)

// plainOrTyped reports whether n is an operator of that name that works on its
// inputs alone: it has no epilogue.
func (n *Node) plainOrTyped(kind Kind) bool {
	return n != nil && n.Kind == kind && n.Attributes.Epilogue == (Epilogue{})
}

// scalarOf is the one element of a constant.
func scalarOf(v *Value) (float64, bool) {
	if v == nil || v.Role == RoleNone || v.Elements() != 1 {
		return 0, false
	}
	t := v.Tensor()
	if t == nil {
		return 0, false
	}
	if x, ok := t.Data.([]float64); ok {
		return x[0], true
	}
	x, ok := t.Floats()
	if !ok {
		return 0, false
	}
	return float64(x[0]), true
}

// about reports whether two numbers are equal but for rounding to the type.
func about(d DType, x, want float64) bool {
	tolerance := 1e-5
	if d.IsHalf() {
		tolerance = 4e-3
	}
	return math.Abs(x-want) <= tolerance*math.Abs(want)
}

// product is the factors that v is the product of, and the constant that they
// are multiplied by. It looks into nodes that nothing else reads.
func (r *rewriter) product(v *Value) (factors []*Value, scale float64) {
	if p := r.sole(v); p != nil {
		if factors, scale, ok := r.factors(p); ok {
			return factors, scale
		}
	}
	return []*Value{v}, 1
}

// factors are those of the result of n, if it is a product.
func (r *rewriter) factors(n *Node) (factors []*Value, scale float64, ok bool) {
	if len(n.Inputs) != 2 || n.Inputs[0] == nil || n.Inputs[1] == nil {
		return nil, 0, false
	}
	x, y := n.Inputs[0], n.Inputs[1]
	switch {
	case n.plainOrTyped(Mul):
		if _, ok := scalarOf(x); ok {
			x, y = y, x
		}
		if c, ok := scalarOf(y); ok {
			factors, scale = r.product(x)
			return factors, scale * c, true
		}
		factors, scale = r.product(x)
		more, by := r.product(y)
		return slices.Concat(factors, more), scale * by, true
	case n.plainOrTyped("Div"):
		if c, ok := scalarOf(y); ok && c != 0 {
			factors, scale = r.product(x)
			return factors, scale / c, true
		}
	}
	return nil, 0, false
}

// plus is x where v is x + c, and nothing else reads v.
func (r *rewriter) plus(v *Value, c float64) *Value {
	n := r.only(v, Add)
	if !n.plainOrTyped(Add) {
		return nil
	}
	for i, x := range n.Inputs {
		if s, ok := scalarOf(n.Inputs[1-i]); ok && about(v.DType, s, c) {
			return x
		}
	}
	return nil
}

// activated is x where v is op(x), and nothing else reads v.
func (r *rewriter) activated(v *Value, op Op) *Value {
	p := r.sole(v)
	if p == nil {
		return nil
	}
	if o, ok := p.activation(); !ok || o != op {
		return nil
	}
	return p.Inputs[0]
}

// gated is the other factor where one of two satisfies the gate.
func gated(factors []*Value, gate func(v *Value) *Value) *Value {
	if len(factors) != 2 {
		return nil
	}
	for i, v := range factors {
		if x := gate(v); x != nil && x == factors[1-i] {
			return x
		}
	}
	return nil
}

// activate replaces n by an activation of x; false where x has another shape.
func (r *rewriter) activate(n *Node, op Op, x *Value) bool {
	if out := n.Outputs[0]; !slices.Equal(x.Shape, out.Shape) || x.DType != out.DType {
		return false
	}
	m := activationNode(op)
	m.Name, m.Inputs, m.Outputs = n.Name, []*Value{x}, n.Outputs
	if x.DType != F32 && !m.Plain() {
		if m.Kind == Relu6 {
			return false
		}
		m.Attributes.Named = m.NamedAttributes()
	}
	r.replace(n, m)
	return true
}
