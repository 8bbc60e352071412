package graph

var identityKinds = []Kind{Identity}

// removeIdentity removes an Identity; what reads it reads its input.
func removeIdentity(r *rewriter, n *Node) (bool, error) {
	out := n.Outputs[0]
	if out == nil || r.outputs[out] {
		return false, nil
	}
	r.forward(n, n.Inputs[0])
	return true, nil
}
