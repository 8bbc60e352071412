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
	pixels, features := n.Name+".pixels", n.Name+".features"
	rows := r.value(pixels, F32, x.Shape[:2]...)
	y := r.value(features, F32, out.Shape[:2]...)
	linear := r.node(n.Name, Linear, r.list(n.Inputs), r.list(nil, y))
	linear.Inputs[0], linear.Inputs[1] = rows, r.shaped(weight, weight.Shape[:2])
	linear.Attributes.Epilogue = a.Epilogue
	r.replace(n,
		r.reshape(r.free(pixels), x, rows),
		linear,
		r.reshape(r.free(features), y, out))
	return true, nil
}
