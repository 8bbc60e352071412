package graph

// joinSiLU makes one node of x * sigmoid(x).
func joinSiLU(r *rewriter, n *Node) (bool, error) {
	factors, scale, ok := r.factors(n)
	if !ok || !about(n.Outputs[0].DType, scale, 1) {
		return false, nil
	}
	x := gated(factors, func(v *Value) *Value { return r.activated(v, OpSigmoid) })
	return x != nil && r.activate(n, OpSiLU, x), nil
}
