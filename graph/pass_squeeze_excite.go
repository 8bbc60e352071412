package graph

// reduceConv makes a Linear of a Conv that has one pixel to work on, as the
// gates of squeeze-and-excite blocks have after their pooling: the product
// reads each weight once and is not cut into tiles of an image.
func reduceConv(r *rewriter, n *Node) (bool, error) {
	if n.Plain() || n.Attributes.Epilogue.Add {
		return false, nil
	}
	x, weight, out := n.Inputs[0], n.Inputs[1], n.Outputs[0]
	a := &n.Attributes
	if x.Shape[2]*x.Shape[3] != 1 || weight.Shape[2]*weight.Shape[3] != 1 || a.Group != 1 || a.Pad != [4]int{} || weight.Role == RoleNone {
		return false, nil
	}
	rows := r.value(n.Name+".pixels", F32, x.Shape[:2]...)
	y := r.value(n.Name+".features", F32, out.Shape[:2]...)
	linear := &Node{Name: n.Name, Kind: Linear, Outputs: []*Value{y}, Attributes: Attributes{Epilogue: a.Epilogue}}
	linear.Inputs = append(linear.Inputs, rows, r.shaped(weight, weight.Shape[:2]))
	linear.Inputs = append(linear.Inputs, n.Inputs[2:]...)
	r.replace(n,
		&Node{Name: r.free(n.Name + ".pixels"), Kind: Reshape, Inputs: []*Value{x}, Outputs: []*Value{rows}, Attributes: Attributes{Shape: rows.Shape}},
		linear,
		&Node{Name: r.free(n.Name + ".features"), Kind: Reshape, Inputs: []*Value{y}, Outputs: []*Value{out}, Attributes: Attributes{Shape: out.Shape}})
	return true, nil
}
