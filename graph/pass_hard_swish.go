package graph

// joinHardSwish makes one node of the forms in which exporters write out a
// hard swish or hard sigmoid:
//
//	relu6(x+3) * 1/6      HardSigmoid
//	x * HardSigmoid(x)    HardSwish
//	x * relu6(x+3) * 1/6  HardSwish, in any order
func joinHardSwish(r *rewriter, n *Node) (bool, error) {
	factors, scale, ok := r.factors(n)
	if !ok {
		return false, nil
	}
	d := n.Outputs[0].DType
	relu6 := func(v *Value) *Value {
		if clipped := r.activated(v, OpRelu6); clipped != nil {
			return r.plus(clipped, 3)
		}
		return nil
	}
	switch {
	case about(d, scale, 1):
		x := gated(factors, func(v *Value) *Value { return r.activated(v, OpHardSigmoid) })
		return x != nil && r.activate(n, OpHardSwish, x), nil
	case about(d, scale, 1./6) && len(factors) == 1:
		x := relu6(factors[0])
		return x != nil && r.activate(n, OpHardSigmoid, x), nil
	case about(d, scale, 1./6):
		x := gated(factors, relu6)
		return x != nil && r.activate(n, OpHardSwish, x), nil
	}
	return false, nil
}
