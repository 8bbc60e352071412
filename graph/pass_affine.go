package graph

import "slices"

// foldAffine makes an addition of or multiplication by one constant for each
// channel (as exporters write the bias of a matrix product) part of the Conv
// or Linear before it.
func foldAffine(r *rewriter, n *Node) (bool, error) {
	if n.Attributes.Epilogue != (Epilogue{}) || len(n.Inputs) != 2 {
		return false, nil
	}
	for i, x := range n.Inputs {
		p, c := r.foldable(x), n.Inputs[1-i]
		if p == nil || !slices.Equal(x.Shape, n.Outputs[0].Shape) || p.Inputs[1].Data == nil || p.Bias() != nil && p.Bias().Data == nil {
			continue
		}
		axis := p.channelAxis()
		along, ok := alongAxis(c, x.Shape, axis)
		if !ok {
			continue
		}
		scale := slices.Repeat([]float64{1}, x.Shape[axis])
		shift := make([]float64, x.Shape[axis])
		to := shift
		if n.Kind == Mul {
			to = scale
		}
		for i := range to {
			to[i] = float64(along[i%len(along)])
		}
		r.foldInto(n, p, scale, shift)
		return true, nil
	}
	return false, nil
}

// alongAxis is the data of a constant that broadcasts to a shape and differs
// along one axis only: one element, or one for each index.
func alongAxis(v *Value, shape []int, axis int) ([]float32, bool) {
	if v.Role == RoleNone || v.Data == nil || len(v.Shape) > len(shape) {
		return nil, false
	}
	skipped := len(shape) - len(v.Shape)
	for i, d := range v.Shape {
		if d != 1 && (i+skipped != axis || d != shape[axis]) {
			return nil, false
		}
	}
	return v.Data, len(v.Data) > 0
}
