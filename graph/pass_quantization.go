package graph

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph/operator"
)

var quantizationKinds = []Kind{"QuantizeLinear"}

// quantized is what a DequantizeLinear reads: bytes with their scale and zero
// point.
type quantized struct {
	bytes, scale, zero *Value // zero may be nil
	axis               int    // of scales that are more than one
}

// joinQuantized makes operators on bytes of those on numbers that stand
// between DequantizeLinear and QuantizeLinear. A Relu before a QuantizeLinear
// whose smallest byte stands for 0 is what quantizing does anyway. Weights stay
// bytes; biases become whole numbers of products of steps.
func joinQuantized(r *rewriter, n *Node) (bool, error) {
	y, scale, zero, out := n.Inputs[0], n.in(1), n.in(2), n.Outputs[0]
	if out == nil || out.DType != U8 && out.DType != I8 || y.DType != F32 || !isScalarConstant(scale) || scale.Data == nil || zero != nil && !isScalarConstant(zero) {
		return false, nil
	}
	if block, err := n.Attributes.Named.Int("block_size", 0); err != nil || block != 0 {
		return false, nil
	}
	to := quantized{bytes: out, scale: scale, zero: zero}
	if from, ok := r.dequantized(y); ok && from.same(to) && from.bytes.DType == out.DType && !r.outputs(out) {
		r.forward(n, from.bytes)
		return true, nil
	}
	p := r.sole(y)
	if p == nil {
		return false, nil
	}
	if op, ok := p.activation(); ok && op == OpRelu && to.startsAtZero() {
		y = p.Inputs[0]
		if p = r.sole(y); p == nil {
			return false, nil
		}
	}
	m := r.onBytes(p, to)
	if m == nil {
		return false, nil
	}
	m.Name, m.Outputs = p.Name, n.Outputs
	if m.check() != nil {
		return false, nil
	}
	r.replace(n, m)
	return true, nil
}

// isScalarConstant reports whether v is a constant of one element.
func isScalarConstant(v *Value) bool { return v != nil && given(v) && v.Filled() && v.Elements() == 1 }

// dequantized is what v is dequantized from, if its scale is constant.
func (r *rewriter) dequantized(v *Value) (quantized, bool) {
	n := r.before(v, "DequantizeLinear")
	if n == nil {
		return quantized{}, false
	}
	q := quantized{bytes: n.Inputs[0], scale: n.in(1), zero: n.in(2)}
	block, err := n.Attributes.Named.Int("block_size", 0)
	axis, err2 := n.Attributes.Named.Int("axis", 1)
	if axis < 0 {
		axis += len(v.Shape)
	}
	q.axis = axis
	d := q.bytes.DType
	ok := err == nil && err2 == nil && block == 0 && v.DType == F32 && (d == U8 || d == I8 || d == I32) &&
		given(q.scale) && len(q.scale.Data) > 0 && len(q.scale.Shape) <= 1 &&
		(q.zero == nil || given(q.zero) && q.zero.Filled() && q.zero.DType == d && q.zero.Elements() == q.scale.Elements())
	return q, ok
}

// tensor is dequantized with one scale for all.
func (r *rewriter) dequantizedTensor(v *Value) (quantized, bool) {
	q, ok := r.dequantized(v)
	return q, ok && q.bytes.Role == RoleNone && q.scale.Elements() == 1 && q.bytes.DType != I32
}

// same reports whether equal bytes stand for equal numbers.
func (q quantized) same(o quantized) bool {
	if !slices.Equal(q.scale.Data, o.scale.Data) {
		return false
	}
	return slices.Equal(q.zeros(), o.zeros())
}

// zeros are the zero points, one for each scale.
func (q quantized) zeros() []int64 {
	if q.zero == nil {
		return make([]int64, q.scale.Elements())
	}
	list, _ := q.zero.Tensor().Ints()
	return list
}

// startsAtZero reports whether the smallest byte stands for 0.
func (q quantized) startsAtZero() bool {
	least := int64(0)
	if q.bytes.DType == I8 {
		least = math.MinInt8
	}
	return q.zeros()[0] == least
}

// zeroPoint is that of q as a value, which operators on bytes want; of the
// given shape.
func (r *rewriter) zeroPoint(q quantized, shape ...int) *Value {
	if q.zero != nil && slices.Equal(q.zero.Shape, shape) {
		return q.zero
	}
	t := operator.New(q.bytes.DType, shape...)
	for i, z := range q.zeros() {
		switch data := t.Data.(type) {
		case []uint8:
			data[i] = uint8(z)
		case []int8:
			data[i] = int8(z)
		}
	}
	return r.constant(q.bytes.Name+".zero", t)
}

// scalePoint is the scale of q in the given shape.
func (r *rewriter) scalePoint(q quantized, shape ...int) *Value {
	if slices.Equal(q.scale.Shape, shape) {
		return q.scale
	}
	return r.constant(q.bytes.Name+".scale", &operator.Tensor{DType: F32, Shape: shape, Data: q.scale.Data})
}

// pair is the scale and zero point of a tensor, as scalars.
func (r *rewriter) pair(q quantized) []*Value {
	return []*Value{r.scalePoint(q), r.zeroPoint(q)}
}

// onBytes is the operator on bytes that does what p does between dequantizing
// and quantizing; nil where there is none.
func (r *rewriter) onBytes(p *Node, to quantized) *Node {
	if p.Attributes.Epilogue != (Epilogue{}) || !p.onlyFirstOutput() {
		return nil
	}
	x, ok := r.dequantizedTensor(p.Inputs[0])
	if !ok {
		return nil
	}
	m := &Node{Attributes: Attributes{Named: operator.Attributes{}}}
	switch p.Kind {
	case Conv:
		return r.convOnBytes(p, x, to)
	case "MatMul":
		return r.productOnBytes(p, x, to)
	case "Gemm":
		return r.gemmOnBytes(p, x, to)
	case Add, Mul:
		y, ok := r.dequantizedTensor(p.Inputs[1])
		if !ok || y.bytes.DType != x.bytes.DType || to.bytes.DType != x.bytes.DType {
			return nil
		}
		m.Kind = "com.microsoft.QLinearAdd"
		if p.Kind == Mul {
			m.Kind = "com.microsoft.QLinearMul"
		}
		m.Inputs = slices.Concat([]*Value{x.bytes}, r.pair(x), []*Value{y.bytes}, r.pair(y), r.pair(to))
		return m
	case GlobalAveragePool:
		if to.bytes.DType != x.bytes.DType {
			return nil
		}
		m.Kind = "com.microsoft.QLinearGlobalAveragePool"
		m.Inputs = slices.Concat([]*Value{x.bytes}, r.pair(x), r.pair(to))
		m.Attributes.Named["channels_last"] = int64(0)
		return m
	case MaxPool, "Transpose", Reshape, Flatten, "Squeeze", "Unsqueeze":
		// These move bytes, whatever they stand for.
		if !x.same(to) || x.bytes.DType != to.bytes.DType {
			return nil
		}
		m.Kind, m.Attributes.Named = p.Kind, p.NamedAttributes()
		m.Inputs = slices.Clone(p.Inputs)
		m.Inputs[0] = x.bytes
		if p.typed(Reshape) {
			m.Inputs = append(m.Inputs, r.constant(p.Name+".shape", int64Tensor(int64s(p.Outputs[0].Shape)...)))
		}
		return m
	}
	return nil
}

// convOnBytes is a QLinearConv.
func (r *rewriter) convOnBytes(p *Node, x, to quantized) *Node {
	w, ok := r.dequantized(p.Inputs[1])
	if !ok || !given(w.bytes) || w.bytes.DType == I32 || w.scale.Elements() > 1 && w.axis != 0 {
		return nil
	}
	channels := w.bytes.Shape[0]
	shape := []int{}
	if w.scale.Elements() > 1 {
		if w.scale.Elements() != channels {
			return nil
		}
		shape = []int{channels}
	}
	m := &Node{Kind: "QLinearConv", Attributes: Attributes{Named: p.NamedAttributes()}}
	m.Inputs = slices.Concat([]*Value{x.bytes}, r.pair(x), []*Value{w.bytes, r.scalePoint(w, shape...), r.zeroPoint(w, shape...)}, r.pair(to))
	if bias := p.in(2); bias != nil {
		whole := r.wholeBias(bias, x, w, channels)
		if whole == nil {
			return nil
		}
		m.Inputs = append(m.Inputs, whole)
	}
	return m
}

// wholeBias is a bias in steps of the products of x and w.
func (r *rewriter) wholeBias(bias *Value, x, w quantized, channels int) *Value {
	numbers := bias.Data
	if q, ok := r.dequantized(bias); ok && given(q.bytes) && q.bytes.Filled() && q.bytes.DType == I32 {
		list, _ := q.bytes.Tensor().Ints()
		numbers = make([]float32, len(list))
		for i, b := range list {
			numbers[i] = float32(float64(b-q.zeros()[i%len(q.zeros())]) * float64(q.scale.Data[i%len(q.scale.Data)]))
		}
	} else if !given(bias) {
		return nil
	}
	if len(numbers) != channels {
		return nil
	}
	whole := make([]int32, channels)
	for i, b := range numbers {
		step := float64(x.scale.Data[0]) * float64(w.scale.Data[i%len(w.scale.Data)])
		steps := math.RoundToEven(float64(b) / step)
		if !(math.Abs(steps) < math.MaxInt32) {
			return nil
		}
		whole[i] = int32(steps)
	}
	v := r.constant(bias.Name+".whole", &operator.Tensor{DType: I32, Shape: []int{channels}, Data: whole})
	v.Role = RoleBias
	return v
}

// productOnBytes is a QLinearMatMul.
func (r *rewriter) productOnBytes(p *Node, x, to quantized) *Node {
	w, ok := r.dequantized(p.Inputs[1])
	if !ok || w.bytes.DType == I32 || to.bytes.DType != x.bytes.DType {
		return nil
	}
	rank := len(w.bytes.Shape)
	shape := []int{}
	if w.scale.Elements() > 1 {
		if rank != 2 || w.axis != 1 || !given(w.bytes) {
			return nil
		}
		shape = []int{w.bytes.Shape[1]}
	}
	return &Node{
		Kind: "QLinearMatMul", Attributes: Attributes{Named: operator.Attributes{}},
		Inputs: slices.Concat([]*Value{x.bytes}, r.pair(x), []*Value{w.bytes, r.scalePoint(w, shape...), r.zeroPoint(w, shape...)}, r.pair(to)),
	}
}

// gemmOnBytes is a QGemm.
func (r *rewriter) gemmOnBytes(p *Node, x, to quantized) *Node {
	a := p.Attributes.Named
	alpha, err := a.Float("alpha", 1)
	beta, err2 := a.Float("beta", 1)
	transA, err3 := a.Int("transA", 0)
	transB, err4 := a.Int("transB", 0)
	w, ok := r.dequantized(p.Inputs[1])
	if err != nil || err2 != nil || err3 != nil || err4 != nil || alpha != 1 || beta != 1 || transA != 0 || !ok || !given(w.bytes) || w.bytes.DType == I32 {
		return nil
	}
	columns, axis := p.Outputs[0].Shape[1], 1
	if transB != 0 {
		axis = 0
	}
	shape := []int{}
	if w.scale.Elements() > 1 {
		if w.axis != axis || w.scale.Elements() != columns {
			return nil
		}
		shape = []int{columns}
	}
	var whole *Value
	if bias := p.in(2); bias != nil {
		if whole = r.wholeBias(bias, x, w, columns); whole == nil {
			return nil
		}
	}
	return &Node{
		Kind: "com.microsoft.QGemm", Attributes: Attributes{Named: operator.Attributes{"transB": int64(transB)}},
		Inputs: slices.Concat([]*Value{x.bytes}, r.pair(x), []*Value{w.bytes, r.scalePoint(w, shape...), r.zeroPoint(w, shape...), whole}, r.pair(to)),
	}
}
