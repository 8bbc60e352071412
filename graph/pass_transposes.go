package graph

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph/operator"
)

var transposeKinds = []Kind{"Transpose"}

// cancelTranspose joins a transpose with the one before it, takes one that
// moves nothing but dimensions of 1 as a change of shape, and moves one up
// through what works on each element alone where another cancels it there.
func cancelTranspose(r *rewriter, n *Node) (bool, error) {
	x, out := n.Inputs[0], n.Outputs[0]
	perm := n.permutation()
	if p := r.before(x, "Transpose"); p != nil {
		inner := p.permutation()
		joined := make([]int, len(perm))
		for i, at := range perm {
			joined[i] = inner[at]
		}
		if slices.IsSorted(joined) && !r.outputs(out) {
			r.forward(n, p.Inputs[0])
			return true, nil
		}
		r.replace(n, &Node{
			Name: n.Name, Kind: "Transpose", Inputs: p.Inputs, Outputs: n.Outputs,
			Attributes: Attributes{Named: operator.Attributes{"perm": int64s(joined)}},
		})
		return true, nil
	}
	if _, moved := smallestTranspose(x.Shape, perm); len(moved) < 2 && x.DType == F32 && x.Role == RoleNone && fits(out.Shape...) && len(out.Shape) > 0 {
		r.replace(n, &Node{Name: n.Name, Kind: Reshape, Inputs: n.Inputs, Outputs: n.Outputs, Attributes: Attributes{Shape: out.Shape}})
		return true, nil
	}
	if p := r.only(x, Reshape); p != nil && p.typed(Reshape) && len(p.Inputs[0].Shape) == len(x.Shape)+1 && p.Inputs[0].Shape[0] == 1 &&
		slices.Equal(p.Inputs[0].Shape[1:], x.Shape) {
		// A leading 1 may go after the transpose as well.
		with := []int{0}
		for _, at := range perm {
			with = append(with, at+1)
		}
		y, node := r.transposed(p.Inputs[0], with, n.Name+".transposed")
		r.replace(n, node, &Node{Name: n.Name, Kind: Reshape, Inputs: []*Value{y}, Outputs: n.Outputs, Attributes: Attributes{Shape: out.Shape}})
		return true, nil
	}
	lift := lifting{r: r, perm: perm}
	if !lift.possible(x, 0) || lift.cancelled == 0 {
		return false, nil
	}
	top := lift.lifted(x, out)
	if top == out {
		r.replace(n, lift.nodes...)
		return true, nil
	}
	return false, nil
}

// lifting moves a transpose up to where others cancel it.
type lifting struct {
	r         *rewriter
	perm      []int
	cancelled int
	nodes     []*Node
}

// maxLift bounds how far up a transpose is moved.
const maxLift = 16

// possible reports whether v can be computed transposed for nothing: it is the
// result of the opposite transpose, or of an elementwise node all of whose
// operands can.
func (l *lifting) possible(v *Value, depth int) bool {
	if v.Elements() == 1 && v.Role != RoleNone {
		return true
	}
	if p := l.r.before(v, "Transpose"); p != nil {
		inner := p.permutation()
		for i, at := range l.perm {
			if inner[at] != i {
				return false
			}
		}
		l.cancelled++
		return true
	}
	if v.Role != RoleNone {
		return v.DType == F32 && v.Data != nil && len(v.Shape) == len(l.perm)
	}
	p := l.r.sole(v)
	if p == nil || depth == maxLift || !p.elementwise() {
		return false
	}
	for _, x := range p.Inputs {
		if x == nil || len(x.Shape) != len(l.perm) && x.Elements() != 1 || !l.possible(x, depth+1) {
			return false
		}
	}
	return true
}

// elementwise reports whether each element of the result comes from those at
// the same place of the inputs.
func (n *Node) elementwise() bool {
	if _, ok := n.activation(); ok {
		return len(n.Inputs) == 1
	}
	if n.typed(Add, Mul) {
		return true
	}
	op := Op("")
	for o, name := range operatorNames() {
		if name == string(n.Kind) {
			op = o
		}
	}
	return n.Plain() && (op.isUnary() || op.isBinary()) && n.onlyFirstOutput()
}

// lifted is v transposed, as out unless that is nil.
func (l *lifting) lifted(v *Value, out *Value) *Value {
	if v.Elements() == 1 && v.Role != RoleNone {
		return v
	}
	if p := l.r.before(v, "Transpose"); p != nil {
		return p.Inputs[0]
	}
	if v.Role != RoleNone {
		moved, err := operator.Evaluate("Transpose", operator.Attributes{"perm": int64s(l.perm)}, []*operator.Tensor{v.Tensor()}, 1)
		if err != nil {
			return v // possible has checked the rank
		}
		return l.r.constant(v.Name, moved[0])
	}
	p := *l.r.producer(v)
	p.Inputs = slices.Clone(p.Inputs)
	for i, x := range p.Inputs {
		p.Inputs[i] = l.lifted(x, nil)
	}
	if out == nil {
		shape := make([]int, len(l.perm))
		for i, at := range l.perm {
			shape[i] = v.Shape[at]
		}
		out = l.r.value(v.Name, v.DType, shape...)
	}
	p.Outputs = []*Value{out}
	l.nodes = append(l.nodes, &p)
	return out
}
