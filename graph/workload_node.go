package graph

import (
	"slices"
	"strings"
)

// op is the workload operator of a kind with attributes of its own; false for
// kinds that only rename or reshape.
func (k Kind) op() (Op, bool) {
	switch k {
	case Conv:
		return OpConv2D, true
	case Linear:
		return OpLinear, true
	case Add:
		return OpAdd, true
	case Mul:
		return OpMul, true
	case MaxPool:
		return OpMaxPool, true
	case AveragePool:
		return OpAvgPool, true
	case GlobalAveragePool:
		return OpGlobalAvgPool, true
	case Softmax:
		return OpSoftmax, true
	}
	return k.activation()
}

// Workload is the work of a node with known shapes; false for kinds that cost
// nothing (Flatten, Reshape, Identity), for nodes without anything to compute,
// and for a BatchNormalization, which Fuse always turns into something else.
func (n *Node) Workload() (Workload, bool) {
	if n.Plain() {
		return n.plainWorkload()
	}
	op, ok := n.Kind.op()
	if !ok || len(n.Inputs) == 0 {
		return Workload{}, false
	}
	a := &n.Attributes
	x := n.Inputs[0].Shape
	w := Workload{Op: op, DType: n.Inputs[0].DType}
	w.N, w.C, w.H, w.W = lift(x)
	f, _ := op.fields()
	switch op {
	case OpConv2D:
		w.K, _, w.R, w.S = lift(n.Inputs[1].Shape)
	case OpLinear:
		w.C, w.K = n.linearSize()
		w.N = product(x) / w.C
	case OpAdd, OpMul:
		if !w.broadcast(x, n.Inputs[1].Shape) {
			return Workload{Op: op, DType: w.DType, Detail: detailOf(n).text(w.DType)}, true
		}
	case OpMaxPool, OpAvgPool:
		w.R, w.S = a.Kernel[0], a.Kernel[1]
	case OpSoftmax:
		axis, err := n.axis(len(x))
		if err != nil {
			return Workload{}, false
		}
		w.N, w.C = product(x[:axis]), x[axis]
	}
	if f&hasPlane == 0 {
		w.H, w.W = 0, 0
	}
	if f&hasStride != 0 {
		w.StrideH, w.StrideW = a.Stride[0], a.Stride[1]
		w.PadTop, w.PadLeft, w.PadBottom, w.PadRight = a.Pad[0], a.Pad[1], a.Pad[2], a.Pad[3]
	}
	if f&hasDilation != 0 {
		w.DilationH, w.DilationW, w.Group = a.Dilation[0], a.Dilation[1], a.Group
	}
	if f&hasEpilogue != 0 {
		w.Epilogue = a.Epilogue.String()
	}
	return w, true
}

// lift gives a shape of any rank four dimensions: ones are appended, or
// dimensions after the fourth joined to it.
func lift(shape []int) (n, c, h, w int) {
	d := [4]int{1, 1, 1, 1}
	copy(d[:], shape)
	if len(shape) > 4 {
		d[3] = product(shape[3:])
	}
	return d[0], d[1], d[2], d[3]
}

// broadcast fills the dimensions of a binary operator; false where none of the
// operands has the result's shape, or the shapes alternate too often.
func (w *Workload) broadcast(x, y []int) bool {
	if len(x) == len(y) && len(x) <= 4 && len(x) > 0 && x[0] == y[0] {
		var n int
		w.N, w.C, w.H, w.W = lift(x)
		n, w.K, w.R, w.S = lift(y)
		if fitsInto(w.K, w.C) && fitsInto(w.R, w.H) && fitsInto(w.S, w.W) && n == w.N {
			return true
		}
	}
	rank := max(len(x), len(y))
	x = append(slices.Repeat([]int{1}, rank-len(x)), x...)
	y = append(slices.Repeat([]int{1}, rank-len(y)), y...)
	// Dimensions that both have, or only the first, joined where neighbours.
	if product(y) > product(x) {
		x, y = y, x
	}
	var sizes []int
	var shared []bool
	for i, d := range x {
		switch {
		case !fitsInto(y[i], d):
			return false
		case d == 1:
		case len(sizes) > 0 && shared[len(sizes)-1] == (y[i] == d):
			sizes[len(sizes)-1] *= d
		default:
			sizes, shared = append(sizes, d), append(shared, y[i] == d)
		}
	}
	if len(sizes) > 0 && !shared[0] {
		sizes, shared = append([]int{1}, sizes...), append([]bool{true}, shared...)
	}
	if len(sizes) > 4 {
		return false
	}
	w.N, w.C, w.H, w.W = lift(sizes)
	for i := range sizes {
		if !shared[i] {
			sizes[i] = 1
		}
	}
	_, w.K, w.R, w.S = lift(sizes)
	return true
}

// fitsInto reports whether dimension y broadcasts to x.
func fitsInto(y, x int) bool { return y == x || y == 1 }

// free are the plain operators that only rename or describe their input.
var free = map[Kind]bool{
	Identity: true, Reshape: true, Flatten: true, "Squeeze": true, "Unsqueeze": true, "Shape": true, "Size": true,
	"Constant": true, "Dropout": true,
}

// plainWorkload is the work of a plain operator.
func (n *Node) plainWorkload() (Workload, bool) {
	i := slices.IndexFunc(n.Inputs, func(v *Value) bool { return v != nil })
	if i < 0 || free[n.Kind] {
		return Workload{}, false
	}
	for _, v := range n.Outputs {
		if v != nil && v.Elements() == 0 {
			return Workload{}, false
		}
	}
	w := Workload{DType: n.Inputs[i].DType}
	if n.Outputs[0] != nil && n.onlyFirstOutput() && n.fill(&w) && w.validate() == nil {
		return w, true
	}
	w = Workload{Op: Op(strings.ToLower(string(n.Kind))), DType: w.DType}
	d := detailOf(n)
	switch n.Kind {
	case "Transpose":
		if d, ok := transposeDetail(n); ok {
			w.Detail = d.text(w.DType)
			return w, true
		}
		return Workload{}, false
	case "Cast":
		size := []int{n.Outputs[0].Elements()}
		d.inputs[0].shape, d.outputs[0].shape = size, size
	}
	w.Detail = d.text(w.DType)
	return w, true
}

func (n *Node) onlyFirstOutput() bool {
	for _, v := range n.Outputs[1:] {
		if v != nil {
			return false
		}
	}
	return true
}

// in is input i, nil where it is left out.
func (n *Node) in(i int) *Value {
	if i >= len(n.Inputs) {
		return nil
	}
	return n.Inputs[i]
}

// fill writes the work of a plain node with one output into the fields of w;
// false where it does not fit them.
func (n *Node) fill(w *Workload) bool {
	out := n.Outputs[0]
	x := n.Inputs[0]
	if x == nil {
		return false
	}
	if op, ok := n.activation(); ok {
		w.Op = op
		w.N, w.C, w.H, w.W = lift(x.Shape)
		return true
	}
	name := strings.ToLower(string(n.Kind))
	switch op := Op(name); {
	case op.isUnary() || op == OpClip:
		w.Op = op
		w.N, w.C, w.H, w.W = lift(x.Shape)
		return true
	case op.isBinary():
		w.Op, w.Epilogue = op, ""
		if op == OpAdd || op == OpMul {
			w.Epilogue = "none"
		}
		return len(n.Inputs) == 2 && out.DType == x.DType && w.broadcast(x.Shape, n.Inputs[1].Shape)
	case op.isReduction():
		w.Op = op
		return n.fillReduction(w)
	}
	switch n.Kind {
	case "QuantizeLinear", "DequantizeLinear":
		bytes := out
		w.Op = OpQuantize
		if n.Kind == "DequantizeLinear" {
			w.Op, bytes = OpDequantize, x
		}
		w.N, w.C, w.H, w.W = lift(x.Shape)
		return (bytes.DType == U8 || bytes.DType == I8) && (x.DType == F32 || out.DType == F32)
	case "com.microsoft.QLinearAdd", "com.microsoft.QLinearMul":
		w.Op, w.Epilogue = OpAdd, "none"
		if n.Kind == "com.microsoft.QLinearMul" {
			w.Op = OpMul
		}
		y := n.in(3)
		return y != nil && y.DType == x.DType && out.DType == x.DType && w.broadcast(x.Shape, y.Shape)
	case GlobalAveragePool, "com.microsoft.QLinearGlobalAveragePool":
		w.Op = OpGlobalAvgPool
		w.N, w.C, w.H, w.W = lift(x.Shape)
		last, err := n.Attributes.Named.Int("channels_last", 0)
		return err == nil && last == 0 && len(x.Shape) > 2
	case Conv:
		return n.fillConv(w, n.in(1))
	case "QLinearConv":
		return out.DType == x.DType && n.fillConv(w, n.in(3))
	case MaxPool, AveragePool:
		w.Op = OpMaxPool
		if n.Kind == AveragePool {
			w.Op = OpAvgPool
		}
		kernel, err := n.Attributes.Named.Ints("kernel_shape")
		return err == nil && n.fillWindows(w, kernel)
	case "MatMul":
		return n.fillProduct(w, n.in(1))
	case "QLinearMatMul":
		return out.DType == x.DType && n.fillProduct(w, n.in(3))
	case "com.microsoft.QGemm":
		transA, err := n.Attributes.Named.Int("transA", 0)
		if err != nil || transA != 0 || out.DType != x.DType || n.in(3).Role == RoleNone {
			return false
		}
		w.Op, w.Epilogue = OpLinear, "none"
		w.N, w.C, w.K = x.Shape[0], x.Shape[1], out.Shape[1]
		return true
	case "Gemm":
		a := n.Attributes.Named
		transA, err := a.Int("transA", 0)
		y := n.in(1)
		if err != nil || transA != 0 || y.Role == RoleNone {
			return false
		}
		w.Op, w.Epilogue = OpLinear, "none"
		w.N, w.C, w.K = x.Shape[0], x.Shape[1], out.Shape[1]
		return true
	case Softmax, "LogSoftmax":
		w.Op = Op(name)
		return n.fillRows(w, true)
	case "LayerNormalization":
		w.Op = OpLayerNorm
		return n.fillRows(w, false)
	case "RMSNormalization":
		w.Op = OpRMSNorm
		return n.fillRows(w, false)
	case "GroupNormalization", "InstanceNormalization":
		w.Op = OpInstanceNorm
		w.N, w.C, w.H, w.W = lift(x.Shape)
		if n.Kind == "GroupNormalization" {
			w.Op = OpGroupNorm
			groups, err := n.Attributes.Named.Int("num_groups", 0)
			w.Group = groups
			return err == nil
		}
		return true
	case "Attention":
		return n.fillAttention(w)
	}
	return false
}

// fillRows takes the dimensions from axis on as one row; with single, only the
// axis itself, after which only ones may follow.
func (n *Node) fillRows(w *Workload, single bool) bool {
	x := n.Inputs[0].Shape
	axis, err := n.Attributes.Named.Int("axis", -1)
	if axis < 0 {
		axis += len(x)
	}
	if err != nil || axis < 0 || axis >= len(x) || single && product(x[axis+1:]) != 1 {
		return false
	}
	w.N, w.C = product(x[:axis]), product(x[axis:])
	return true
}

func (n *Node) fillProduct(w *Workload, b *Value) bool {
	x, out := n.Inputs[0].Shape, n.Outputs[0].Shape
	if b == nil || len(x) < 2 || len(b.Shape) < 2 {
		return false
	}
	k := b.Shape[len(b.Shape)-1]
	w.C, w.K = x[len(x)-1], k
	if len(b.Shape) == 2 {
		if b.Role != RoleNone {
			w.Op, w.Epilogue = OpLinear, "none"
			w.N = product(out) / k
			return true
		}
		w.Op, w.N, w.H = OpMatMul, 1, product(out)/k
		return true
	}
	w.Op, w.H = OpMatMul, x[len(x)-2]
	w.N = product(out[:len(out)-2])
	return true
}

func (n *Node) fillConv(w *Workload, weight *Value) bool {
	if weight == nil {
		return false
	}
	group, err := n.Attributes.Named.Int("group", 1)
	if err != nil {
		return false
	}
	w.Op, w.Epilogue, w.Group, w.K = OpConv2D, "none", group, weight.Shape[0]
	w.DilationH, w.DilationW = 1, 1
	dilations, err := n.Attributes.Named.Ints("dilations")
	if err != nil || !setPair(dilations, &w.DilationH, &w.DilationW) {
		return false
	}
	return n.fillWindows(w, weight.Shape[2:])
}

// fillWindows fills in the image, the window, strides and padding. Images of
// one dimension are rows.
func (n *Node) fillWindows(w *Workload, kernel []int) bool {
	x, out := n.Inputs[0].Shape, n.Outputs[0].Shape
	switch {
	case len(x) == 4 && len(kernel) == 2:
		w.H, w.W = x[2], x[3]
	case len(x) == 3 && len(kernel) == 1:
		w.H, w.W = 1, x[2]
	default:
		return false
	}
	w.N, w.C, w.R, w.S, w.StrideH, w.StrideW = x[0], x[1], 1, 1, 1, 1
	a := n.Attributes.Named
	strides, err := a.Ints("strides")
	pads, err2 := a.Ints("pads")
	auto, err3 := a.String("auto_pad", "NOTSET")
	if err != nil || err2 != nil || err3 != nil || !setPair(kernel, &w.R, &w.S) || !setPair(strides, &w.StrideH, &w.StrideW) {
		return false
	}
	if d, err := a.Ints("dilations"); err != nil || w.Op != OpConv2D && slices.ContainsFunc(d, func(d int) bool { return d != 1 }) {
		return false
	}
	outH, outW := 1, out[len(out)-1]
	if len(out) == 4 {
		outH = out[2]
	}
	switch auto {
	case "NOTSET", "":
		switch len(pads) {
		case 0:
		case 2:
			w.PadLeft, w.PadRight = pads[0], pads[1]
		case 4:
			w.PadTop, w.PadLeft, w.PadBottom, w.PadRight = pads[0], pads[1], pads[2], pads[3]
		default:
			return false
		}
	case "SAME_UPPER", "SAME_LOWER":
		h := max((outH-1)*w.StrideH+(w.R-1)*max(w.DilationH, 1)+1-w.H, 0)
		v := max((outW-1)*w.StrideW+(w.S-1)*max(w.DilationW, 1)+1-w.W, 0)
		w.PadTop, w.PadLeft, w.PadBottom, w.PadRight = h/2, v/2, h-h/2, v-v/2
		if auto == "SAME_LOWER" {
			w.PadTop, w.PadLeft, w.PadBottom, w.PadRight = h-h/2, v-v/2, h/2, v/2
		}
	}
	return w.OutH() == outH && w.OutW() == outW
}

// setPair sets the last of the two variables to the only of one value, or both
// to two.
func setPair(values []int, h, w *int) bool {
	switch len(values) {
	case 0:
	case 1:
		*w = values[0]
	case 2:
		*h, *w = values[0], values[1]
	default:
		return false
	}
	return true
}

func (n *Node) fillReduction(w *Workload) bool {
	x := n.Inputs[0].Shape
	reduced := make([]bool, len(x))
	axes, all := []int{}, true
	if w.Op == OpArgMax {
		axis, err := n.Attributes.Named.Int("axis", 0)
		if err != nil {
			return false
		}
		axes, all = []int{axis}, false
	} else if v := n.in(1); v != nil {
		t := v.Tensor()
		if v.Role == RoleNone || t == nil {
			return false
		}
		list, _ := t.Ints()
		for _, a := range list {
			axes = append(axes, int(a))
		}
		all = len(axes) == 0
	}
	if all {
		if noop, err := n.Attributes.Named.Int("noop_with_empty_axes", 0); err != nil || noop != 0 {
			return false
		}
	}
	for i := range reduced {
		reduced[i] = all || slices.Contains(axes, i) || slices.Contains(axes, i-len(x))
	}
	// Kept, reduced, kept, reduced, each of any size.
	dims, at := [4]int{1, 1, 1, 1}, 0
	for i, d := range x {
		if d == 1 {
			continue
		}
		if reduced[i] != (at%2 == 1) {
			if at++; at > 3 {
				return false
			}
		}
		dims[at] *= d
	}
	w.N, w.C, w.H, w.W = dims[0], dims[1], dims[2], dims[3]
	return true
}

func (n *Node) fillAttention(w *Workload) bool {
	q, k, v, mask := n.in(0), n.in(1), n.in(2), n.in(3)
	if q == nil || k == nil || v == nil || n.in(4) != nil || n.in(5) != nil || n.in(6) != nil {
		return false
	}
	a := n.Attributes.Named
	causal, err := a.Int("is_causal", 0)
	if err != nil {
		return false
	}
	w.Op, w.Epilogue = OpAttention, "none"
	if causal != 0 {
		w.Epilogue = "causal"
	}
	if mask != nil {
		w.Epilogue = strings.TrimPrefix(w.Epilogue+".mask", "none.")
	}
	switch {
	case len(q.Shape) == 4 && len(k.Shape) == 4 && len(v.Shape) == 4:
		w.N, w.C, w.H, w.R = q.Shape[0], q.Shape[1], q.Shape[2], q.Shape[3]
		w.K, w.W, w.S = k.Shape[1], k.Shape[2], v.Shape[3]
		return true
	case len(q.Shape) == 3 && len(k.Shape) == 3 && len(v.Shape) == 3:
		heads, err := a.Int("q_num_heads", 0)
		kv, err2 := a.Int("kv_num_heads", 0)
		if err != nil || err2 != nil || heads < 1 || kv < 1 {
			return false
		}
		w.N, w.C, w.H, w.R = q.Shape[0], heads, q.Shape[1], q.Shape[2]/heads
		w.K, w.W, w.S = kv, k.Shape[1], v.Shape[2]/kv
		return true
	}
	return false
}

// transposeDetail is that of a transpose as the smallest that moves the same;
// false for one that moves nothing.
func transposeDetail(n *Node) (detail, bool) {
	shape, perm := smallestTranspose(n.Inputs[0].Shape, n.permutation())
	if len(perm) < 2 {
		return detail{}, false
	}
	d := detailOf(n)
	to := make([]int64, len(perm))
	out := make([]int, len(perm))
	for i, p := range perm {
		to[i], out[i] = int64(p), shape[p]
	}
	d.inputs[0].shape, d.outputs[0].shape = shape, out
	d.attributes["perm"] = to
	return d, true
}

// permutation is that of a Transpose.
func (n *Node) permutation() []int {
	perm, _ := n.Attributes.Named.Ints("perm")
	if perm == nil {
		for i := len(n.Inputs[0].Shape) - 1; i >= 0; i-- {
			perm = append(perm, i)
		}
	}
	return perm
}

// smallestTranspose leaves out dimensions of 1, and joins those that stay
// together in their order.
func smallestTranspose(shape, perm []int) (dims, to []int) {
	var kept []int // of the input, in the output's order
	for _, p := range perm {
		if shape[p] != 1 {
			kept = append(kept, p)
		}
	}
	sorted := slices.Sorted(slices.Values(kept))
	rank := make(map[int]int) // among those kept
	for i, p := range sorted {
		rank[p] = i
	}
	first := make(map[int]bool) // those that begin a joined dimension
	for i, p := range kept {
		first[rank[p]] = i == 0 || rank[kept[i-1]]+1 != rank[p]
	}
	index := make([]int, len(sorted))
	for i, p := range sorted {
		if first[i] {
			dims = append(dims, 1)
		}
		index[i] = len(dims) - 1
		dims[len(dims)-1] *= shape[p]
	}
	for _, p := range kept {
		if first[rank[p]] {
			to = append(to, index[rank[p]])
		}
	}
	return dims, to
}
