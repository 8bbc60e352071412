package graph

import "slices"

// foldConstant emits n; an addition of or multiplication by one constant per
// channel (as exporters write the bias of a matrix product) becomes part of
// the Conv or Linear before it.
func (f *fusion) foldConstant(n *Node) {
	if n.Kind != Add && n.Kind != Mul || n.Attributes.Epilogue != (Epilogue{}) {
		f.emit(n)
		return
	}
	x, c := n.Inputs[0], n.Inputs[1]
	p := f.foldable(x)
	if p == nil || p.Inputs[1].Data == nil || !perChannel(c, x.Shape[1]) {
		f.emit(n)
		return
	}
	scale := slices.Repeat([]float64{1}, x.Shape[1])
	shift := make([]float64, x.Shape[1])
	to := shift
	if n.Kind == Mul {
		to = scale
	}
	for i := range to {
		to[i] = float64(c.Data[i%len(c.Data)])
	}
	f.foldInto(f.absorb(x, n.Outputs[0]), scale, shift)
}

// foldable is the Conv or Linear that computes v for one user alone.
func (f *fusion) foldable(v *Value) *Node {
	p := f.before(v)
	if p == nil || p.Kind != Conv && p.Kind != Linear || f.uses[v] != 1 || p.Attributes.Epilogue != (Epilogue{}) {
		return nil
	}
	return p
}

// perChannel reports whether v is a filled constant of one element, or of one
// for each of c channels.
func perChannel(v *Value, c int) bool {
	if v.Role != RoleConstant || v.Data == nil {
		return false
	}
	for i, d := range v.Shape {
		if d != 1 && (i != 1 || d != c) {
			return false
		}
	}
	return true
}
