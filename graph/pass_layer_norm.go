package graph

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph/operator"
)

var layerNormKinds = []Kind{"Div", Mul, Add}

// joinLayerNorm makes one node of a layer norm over the last dimension as
// exporters write it out before opset 17:
//
//	d = x - mean(x), d / sqrt(mean(d^2) + epsilon) * scale + shift
//
// with d^2 as a product or power, and the root as divisor, or its reciprocal
// as factor. Scale and shift join when the rest has.
func joinLayerNorm(r *rewriter, n *Node) (bool, error) {
	if n.Attributes.Epilogue != (Epilogue{}) || len(n.Inputs) != 2 {
		return false, nil
	}
	if r.joinNormFactors(n, "LayerNormalization") {
		return true, nil
	}
	d, root := r.quotient(n)
	if d == nil {
		return false, nil
	}
	x := r.centred(d)
	squares, epsilon, ok := r.rootOf(root)
	if x == nil || !ok || !slices.Equal(n.Outputs[0].Shape, x.Shape) {
		return false, nil
	}
	mean := r.lastMean(squares, x.Shape)
	if mean == nil || r.centred(r.squareOf(mean)) != x {
		return false, nil
	}
	r.emitNorm(n, "LayerNormalization", x, epsilon)
	return true, nil
}

// joinRMSNorm makes one node of x / sqrt(mean(x^2) + epsilon) * scale over the
// last dimension.
func joinRMSNorm(r *rewriter, n *Node) (bool, error) {
	if n.Attributes.Epilogue != (Epilogue{}) || len(n.Inputs) != 2 {
		return false, nil
	}
	if r.joinNormFactors(n, "RMSNormalization") {
		return true, nil
	}
	x, root := r.quotient(n)
	if x == nil {
		return false, nil
	}
	squares, epsilon, ok := r.rootOf(root)
	if !ok || !slices.Equal(n.Outputs[0].Shape, x.Shape) {
		return false, nil
	}
	if mean := r.lastMean(squares, x.Shape); mean == nil || r.squareOf(mean) != x {
		return false, nil
	}
	r.emitNorm(n, "RMSNormalization", x, epsilon)
	return true, nil
}

// emitNorm replaces n by a norm of x with a scale of ones.
func (r *rewriter) emitNorm(n *Node, kind Kind, x *Value, epsilon float64) {
	width := x.Shape[len(x.Shape)-1]
	ones := operator.New(F32, width)
	for i := range ones.Data.([]float32) {
		ones.Data.([]float32)[i] = 1
	}
	scale := r.constant(n.Name+".scale", ones)
	r.units[scale] = true
	r.replace(n, &Node{
		Name: n.Name, Kind: kind, Inputs: []*Value{x, scale}, Outputs: n.Outputs,
		Attributes: Attributes{Named: operator.Attributes{"axis": int64(-1), "epsilon": float32(epsilon)}},
	})
}

// quotient is x and y where n is x / y, or x times the reciprocal of y.
func (r *rewriter) quotient(n *Node) (x, y *Value) {
	if n.Kind == "Div" {
		return n.Inputs[0], n.Inputs[1]
	}
	if n.Kind != Mul {
		return nil, nil
	}
	for i, v := range n.Inputs {
		if p := r.only(v, "Reciprocal"); p != nil {
			return n.Inputs[1-i], p.Inputs[0]
		}
		if p := r.only(v, "Div"); p != nil {
			if c, ok := scalarOf(p.Inputs[0]); ok && c == 1 {
				return n.Inputs[1-i], p.Inputs[1]
			}
		}
		if p := r.only(v, "Pow"); p != nil {
			if c, ok := scalarOf(p.Inputs[1]); ok && c == -0.5 {
				return n.Inputs[1-i], v // the root is part of it
			}
		}
	}
	return nil, nil
}

// rootOf is x and epsilon where v is sqrt(x + epsilon), or its power of -1/2.
func (r *rewriter) rootOf(v *Value) (x *Value, epsilon float64, ok bool) {
	p := r.only(v, "Sqrt")
	if p == nil {
		if p = r.only(v, "Pow"); p == nil {
			return nil, 0, false
		}
		if c, ok := scalarOf(p.Inputs[1]); !ok || c != -0.5 && c != 0.5 {
			return nil, 0, false
		}
	}
	sum := r.only(p.Inputs[0], Add)
	if !sum.plainOrTyped(Add) {
		return nil, 0, false
	}
	for i, v := range sum.Inputs {
		if c, ok := scalarOf(v); ok && c > 0 && c < 1 {
			return sum.Inputs[1-i], c, true
		}
	}
	return nil, 0, false
}

// lastMean is x where v is the mean of x over its last dimension, which stays.
func (r *rewriter) lastMean(v *Value, shape []int) *Value {
	p := r.before(v, "ReduceMean")
	if p == nil || len(shape) == 0 || p.in(1) == nil {
		return nil
	}
	want := slices.Clone(shape)
	want[len(want)-1] = 1
	t := p.in(1).Tensor()
	if p.in(1).Role == RoleNone || t == nil || !slices.Equal(v.Shape, want) {
		return nil
	}
	if axes, _ := t.Ints(); len(axes) != 1 || axes[0] != -1 && axes[0] != int64(len(shape)-1) {
		return nil
	}
	return p.Inputs[0]
}

// centred is x where v is x - mean(x) over the last dimension.
func (r *rewriter) centred(v *Value) *Value {
	if p := r.before(v, "Sub"); p != nil && p.Inputs[0] == r.lastMean(p.Inputs[1], p.Inputs[0].Shape) {
		return p.Inputs[0]
	}
	return nil
}

// squareOf is x where v is x * x or x^2.
func (r *rewriter) squareOf(v *Value) *Value {
	if p := r.only(v, Mul); p.plainOrTyped(Mul) && p.Inputs[0] == p.Inputs[1] {
		return p.Inputs[0]
	}
	if p := r.only(v, "Pow"); p != nil {
		if c, ok := scalarOf(p.Inputs[1]); ok && c == 2 {
			return p.Inputs[0]
		}
	}
	return nil
}

// joinNormFactors makes a multiplication of the result of a norm by constants,
// one for each element of a row, its scale, or an addition its shift.
func (r *rewriter) joinNormFactors(n *Node, kind Kind) bool {
	for i, v := range n.Inputs {
		p, c := r.only(v, kind), n.Inputs[1-i]
		if p == nil || !given(c) || v.DType != F32 || c.DType != F32 || !slices.Equal(v.Shape, n.Outputs[0].Shape) {
			continue
		}
		width := v.Shape[len(v.Shape)-1]
		if axis, err := p.Attributes.Named.Int("axis", -1); err != nil || axis != -1 && axis != len(v.Shape)-1 || c.Elements() != width ||
			len(c.Shape) == 0 || c.Shape[len(c.Shape)-1] != width || !p.onlyFirstOutput() {
			continue
		}
		m := &Node{Name: p.Name, Kind: kind, Outputs: n.Outputs, Attributes: p.Attributes}
		row := c
		if len(c.Shape) != 1 {
			row = r.shaped(c, []int{width})
		}
		switch {
		case n.Kind == Mul && r.units[p.Inputs[1]] && p.in(2) == nil:
			m.Inputs = []*Value{p.Inputs[0], r.as(row, RoleScale)}
		case n.Kind == Add && kind == "LayerNormalization" && p.in(2) == nil:
			m.Inputs = []*Value{p.Inputs[0], p.Inputs[1], r.as(row, RoleShift)}
		default:
			continue
		}
		r.replace(n, m)
		return true
	}
	return false
}
