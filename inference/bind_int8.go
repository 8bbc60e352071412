package inference

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// These are operators that ONNX itself does not have.
const (
	qlinearAdd graph.Kind = "com.microsoft.QLinearAdd"
	qgemm      graph.Kind = "com.microsoft.QGemm"
)

// isByte reports whether v is of a type of one byte that is a number.
func isByte(v *graph.Value) bool { return v.DType == graph.U8 || v.DType == graph.I8 }

// bytesAt is the memory of a value of bytes, as unsigned ones.
func (m *memory) bytesAt(v *graph.Value) []uint8 {
	switch x := m.data(v).(type) {
	case []uint8:
		return x
	case []int8:
		return unsignedBytes(x)
	}
	panic("inference: value " + v.Name + " is not of bytes")
}

// quantization are constant scales and zero points; inner is the number of
// elements side by side that have the same. False if they are not constant, or
// not of a kind that kernels have.
func quantization(scale, zero *graph.Value, bytes graph.DType, inner int) (*kernels.Quantization, bool) {
	if !constant(scale) || scale.DType != graph.F32 || len(scale.Shape) > 1 || zero != nil && !constant(zero) || bytes != graph.U8 && bytes != graph.I8 {
		return nil, false
	}
	q := &kernels.Quantization{Scale: scale.Data, Signed: bytes == graph.I8, Channels: len(scale.Data), Inner: inner}
	if zero != nil {
		list, ok := constantInts(zero)
		if !ok || len(list) != q.Channels {
			return nil, false
		}
		for _, z := range list {
			q.Zero = append(q.Zero, int32(z))
		}
	}
	return q, true
}

// innerOf is the number of elements side by side along the axis of scales.
func innerOf(n *graph.Node) (int, bool) {
	shape := n.Inputs[0].Shape
	if n.Inputs[1].Elements() == 1 {
		return 1, true
	}
	axis := axisOf(n, 1, len(shape))
	if intOf(n, "block_size", 0) != 0 || axis < 0 || axis >= len(shape) {
		return 0, false
	}
	return product(shape[axis+1:]), true
}

func bindQuantize(n *graph.Node) *step {
	x, out := n.Inputs[0], n.Outputs[0]
	inner, ok := innerOf(n)
	if !ok || x.DType != graph.F32 {
		return nil
	}
	q, ok := quantization(n.Inputs[1], input(n, 2), out.DType, inner)
	if !ok {
		return nil
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.bytesAt(out), m.floats(x)
		return always(func(ws *kernels.Workspace) { kernels.Quantize(ws, dst, src, q) })
	}}
}

func bindDequantize(n *graph.Node) *step {
	x, out := n.Inputs[0], n.Outputs[0]
	inner, ok := innerOf(n)
	if !ok || out.DType != graph.F32 {
		return nil
	}
	q, ok := quantization(n.Inputs[1], input(n, 2), x.DType, inner)
	if !ok {
		return nil
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.floats(out), m.bytesAt(x)
		return always(func(ws *kernels.Workspace) { kernels.Dequantize(ws, dst, src, q) })
	}}
}

func bindDynamicQuantize(n *graph.Node) *step {
	x := n.Inputs[0]
	if len(n.Outputs) != 3 || slices.Contains(n.Outputs, nil) {
		return nil
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.bytesAt(n.Outputs[0]), m.floats(x)
		scale, zero := m.floats(n.Outputs[1]), m.bytesAt(n.Outputs[2])
		q := &kernels.Quantization{Scale: scale, Zero: []int32{0}, Channels: 1, Inner: 1}
		return always(func(ws *kernels.Workspace) {
			scale[0], q.Zero[0] = kernels.DynamicQuantization(kernels.MinMax(ws, src))
			zero[0] = uint8(q.Zero[0])
			kernels.Quantize(ws, dst, src, q)
		})
	}}
}

// bindQLinearAdd adds numbers that bytes stand for.
func bindQLinearAdd(n *graph.Node) *step {
	a, b, out := n.Inputs[0], n.Inputs[3], n.Outputs[0]
	qa, okA := quantization(n.Inputs[1], n.Inputs[2], a.DType, 1)
	qb, okB := quantization(n.Inputs[4], n.Inputs[5], b.DType, 1)
	qc, okC := quantization(n.Inputs[6], input(n, 7), out.DType, 1)
	if !okA || !okB || !okC || qa.Channels*qb.Channels*qc.Channels != 1 || !slices.Equal(a.Shape, b.Shape) {
		return nil
	}
	return &step{inPlace: []int{0, 3}, kernel: func(m *memory) call {
		dst, x, y := m.bytesAt(out), m.bytesAt(a), m.bytesAt(b)
		return always(func(ws *kernels.Workspace) { kernels.AddBytes(ws, dst, x, y, qc, qa, qb) })
	}}
}

// bindCast turns integers into numbers of single precision.
func bindCast(n *graph.Node) *step {
	x, out := n.Inputs[0], n.Outputs[0]
	if x.DType != graph.I32 || out.DType != graph.F32 {
		return nil
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.floats(out), m.data(x).([]int32)
		return always(func(*kernels.Workspace) {
			for i, v := range src {
				dst[i] = float32(v)
			}
		})
	}}
}

// signedWeight is a constant weight of bytes as int8, with its zero points,
// nil where they are all 0. Unsigned bytes are moved down by 128.
func signedWeight(weight, zero *graph.Value, columns int) (w, z []int8, ok bool) {
	if !constant(weight) || zero != nil && !constant(zero) {
		return nil, nil, false
	}
	var zeros []int
	if zero != nil {
		if zeros, ok = constantInts(zero); !ok || len(zeros) != 1 && len(zeros) != columns {
			return nil, nil, false
		}
	}
	if len(zeros) == 0 {
		zeros = []int{0}
	}
	shift := 0
	switch x := weight.Typed.(type) {
	case []int8:
		w = x
	case []uint8:
		shift = 128
		w = make([]int8, len(x))
		for i, v := range x {
			w[i] = int8(int(v) - shift)
		}
	default:
		return nil, nil, false
	}
	z = make([]int8, columns)
	all := 0
	for i := range z {
		z[i] = int8(zeros[min(i, len(zeros)-1)] - shift)
		all |= int(z[i])
	}
	if all == 0 {
		z = nil
	}
	return w, z, true
}

// qlinearConv is a QLinearConv taken apart.
type qlinearConv struct {
	shape  kernels.Conv2D
	weight []int8
	zero   []int8
	input  kernels.Int8Input
	output kernels.Int8Output
}

// qlinearConvOf reads a convolution of bytes; false if there is no kernel for
// it.
func qlinearConvOf(n *graph.Node) (*qlinearConv, bool) {
	x, weight, out := n.Inputs[0], n.Inputs[3], n.Outputs[0]
	if len(x.Shape) != 4 || x.Elements() == 0 {
		return nil, false
	}
	w, ok := windowOf(n, weight.Shape[2:])
	in, okIn := quantization(n.Inputs[1], n.Inputs[2], x.DType, 1)
	to, okOut := quantization(n.Inputs[6], n.Inputs[7], out.DType, 1)
	scale, bias := n.Inputs[4], input(n, 8)
	if !ok || !okIn || !okOut || in.Channels*to.Channels != 1 || !constant(scale) || bias != nil && !constant(bias) {
		return nil, false
	}
	k := weight.Shape[0]
	if len(scale.Data) != 1 && len(scale.Data) != k {
		return nil, false
	}
	c := &qlinearConv{shape: w.convolution(n, x.Shape, k)}
	if c.weight, c.zero, ok = signedWeight(weight, n.Inputs[5], k); !ok || c.shape.Validate() != nil {
		return nil, false
	}
	c.input.Zero, c.input.Signed = zeroOf(in), in.Signed
	c.output.Zero, c.output.Signed = zeroOf(to), to.Signed
	for _, s := range scale.Data {
		c.output.Scale = append(c.output.Scale, float32(float64(in.Scale[0])*float64(s)/float64(to.Scale[0])))
	}
	if bias != nil {
		c.output.Bias, ok = bias.Typed.([]int32)
	}
	return c, ok
}

// convolution is the shape of a convolution of images of shape x.
func (w window) convolution(n *graph.Node, x []int, k int) kernels.Conv2D {
	return kernels.Conv2D{
		N: x[0], C: x[1], H: x[2], W: x[3], K: k, R: w.r, S: w.s, StrideH: w.strideH, StrideW: w.strideW,
		PadTop: w.top, PadLeft: w.left, PadBottom: w.bottom, PadRight: w.right,
		DilationH: w.dilationH, DilationW: w.dilationW, Groups: intOf(n, "group", 1),
	}
}

// zeroOf is the only zero point.
func zeroOf(q *kernels.Quantization) int {
	if q.Zero == nil {
		return 0
	}
	return int(q.Zero[0])
}

// packed is the step of a convolution whose weights are packed once.
func (c *qlinearConv) packed(kernel func(m *memory, packed *kernels.PackedInt8Conv2D) call) *step {
	var packed *kernels.PackedInt8Conv2D
	return &step{
		pack: func() (err error) {
			packed, err = kernels.PackInt8Conv2D(c.shape, c.weight, c.zero)
			return err
		},
		kernel: func(m *memory) call { return kernel(m, packed) },
	}
}

// bindQLinearConv convolves images of bytes, which lie pixel by pixel.
func bindQLinearConv(n *graph.Node) *step {
	c, ok := qlinearConvOf(n)
	if !ok {
		return nil
	}
	return c.packed(func(m *memory, packed *kernels.PackedInt8Conv2D) call {
		in, out := c.input, c.output
		in.Data, out.Bytes = m.bytesAt(n.Inputs[0]), m.bytesAt(n.Outputs[0])
		return always(func(ws *kernels.Workspace) { packed.Forward(ws, in, &out) })
	})
}

// productOf is the shape of a product of a matrix, or a batch of them, by a
// constant matrix; false if it is none.
func productOf(a, b *graph.Value) (rows, k, columns int, ok bool) {
	if len(a.Shape) < 2 || len(b.Shape) != 2 {
		return 0, 0, 0, false
	}
	k, columns = b.Shape[0], b.Shape[1]
	return product(a.Shape[:len(a.Shape)-1]), k, columns, true
}

func bindQLinearMatMul(n *graph.Node) *step {
	a, b, out := n.Inputs[0], n.Inputs[3], n.Outputs[0]
	rows, k, columns, ok := productOf(a, b)
	in, okIn := quantization(n.Inputs[1], n.Inputs[2], a.DType, 1)
	to, okOut := quantization(n.Inputs[6], n.Inputs[7], out.DType, 1)
	scale := n.Inputs[4]
	if !ok || !okIn || !okOut || in.Channels*to.Channels != 1 || !constant(scale) || len(scale.Shape) > 1 ||
		len(scale.Data) != 1 && len(scale.Data) != columns {
		return nil
	}
	weight, zero, ok := signedWeight(b, n.Inputs[5], columns)
	if !ok {
		return nil
	}
	var scales []float32
	for _, s := range scale.Data {
		scales = append(scales, float32(float64(in.Scale[0])*float64(s)/float64(to.Scale[0])))
	}
	var packed *kernels.PackedInt8Gemm
	return &step{
		pack: func() error {
			packed = kernels.PackInt8Gemm(k, columns, weight, zero)
			return nil
		},
		kernel: func(m *memory) call {
			from := kernels.Int8Input{Data: m.bytesAt(a), Zero: zeroOf(in), Signed: in.Signed}
			result := &kernels.Int8Output{Bytes: m.bytesAt(out), Scale: scales, Zero: zeroOf(to), Signed: to.Signed}
			return always(func(ws *kernels.Workspace) { packed.Forward(ws, rows, from, result) })
		},
	}
}

func bindMatMulInteger(n *graph.Node) *step { return bindIntegerProduct(n, false) }

// bindIntegerProduct is a MatMulInteger whose result is numbers of single
// precision, in the memory of the sums, with asFloats.
func bindIntegerProduct(n *graph.Node, asFloats bool) *step {
	a, b, aZero, out := n.Inputs[0], n.Inputs[1], input(n, 2), n.Outputs[0]
	rows, k, columns, ok := productOf(a, b)
	if !ok || aZero != nil && aZero.Elements() != 1 {
		return nil
	}
	weight, zero, ok := signedWeight(b, input(n, 3), columns)
	if !ok {
		return nil
	}
	var packed *kernels.PackedInt8Gemm
	return &step{
		pack: func() error {
			packed = kernels.PackInt8Gemm(k, columns, weight, zero)
			return nil
		},
		kernel: func(m *memory) call {
			from, readZero := m.int8Input(a, aZero)
			result := m.sums(out, asFloats)
			return always(func(ws *kernels.Workspace) {
				readZero()
				packed.Forward(ws, rows, *from, result)
			})
		},
	}
}

// sums is an output of whole numbers, or the same as numbers of single
// precision in its memory.
func (m *memory) sums(v *graph.Value, asFloats bool) *kernels.Int8Output {
	x := m.data(v).([]int32)
	if asFloats {
		return &kernels.Int8Output{Floats: floatBits(x), Scale: []float32{1}}
	}
	return &kernels.Int8Output{Sums: x}
}

// int8Input is an operand of bytes whose zero point, which may be left out,
// may be computed: readZero reads it.
func (m *memory) int8Input(x, zero *graph.Value) (in *kernels.Int8Input, readZero func()) {
	in = &kernels.Int8Input{Data: m.bytesAt(x), Signed: x.DType == graph.I8}
	if zero == nil {
		return in, func() {}
	}
	at := m.bytesAt(zero)
	return in, func() {
		in.Zero = int(at[0])
		if in.Signed {
			in.Zero = int(int8(at[0]))
		}
	}
}

// integerConvOf reads a convolution of bytes that gives sums; false if there is
// no kernel for it.
func integerConvOf(n *graph.Node) (*qlinearConv, bool) {
	x, weight, zero := n.Inputs[0], n.Inputs[1], input(n, 2)
	if len(x.Shape) != 4 || x.Elements() == 0 || zero != nil && zero.Elements() != 1 {
		return nil, false
	}
	w, ok := windowOf(n, weight.Shape[2:])
	if !ok {
		return nil, false
	}
	k := weight.Shape[0]
	c := &qlinearConv{shape: w.convolution(n, x.Shape, k)}
	c.weight, c.zero, ok = signedWeight(weight, input(n, 3), k)
	return c, ok && c.shape.Validate() == nil
}

// bindConvInteger convolves images of bytes, which lie pixel by pixel, as do
// the sums that it gives: numbers of single precision in their memory with
// asFloats.
func bindConvInteger(n *graph.Node, asFloats bool) *step {
	c, ok := integerConvOf(n)
	if !ok {
		return nil
	}
	return c.packed(func(m *memory, packed *kernels.PackedInt8Conv2D) call {
		in, readZero := m.int8Input(n.Inputs[0], input(n, 2))
		out := m.sums(n.Outputs[0], asFloats)
		return always(func(ws *kernels.Workspace) {
			readZero()
			packed.Forward(ws, *in, out)
		})
	})
}

// bindSumsToPlanes brings sums of a convolution, which lie pixel by pixel
// without padding, into planes.
func bindSumsToPlanes(n *graph.Node) *step {
	v := n.Inputs[0]
	count, c, hw, _ := image(v)
	shape, permutation := []int{count, hw, c}, []int{0, 2, 1}
	return &step{kernel: func(m *memory) call {
		dst, src := floatBits(m.data(n.Outputs[0]).([]int32)), floatBits(m.data(v).([]int32))[:count*hw*c]
		return always(func(ws *kernels.Workspace) { kernels.Transpose(ws, dst, src, shape, permutation) })
	}}
}

// bindQGemm is a product of bytes with whole numbers added, of the domain of
// ONNX Runtime.
func bindQGemm(n *graph.Node) *step {
	a, b, bias, out := n.Inputs[0], n.Inputs[3], input(n, 6), n.Outputs[0]
	in, okIn := quantization(n.Inputs[1], input(n, 2), a.DType, 1)
	scale := n.Inputs[4]
	rows, k := a.Shape[0], a.Shape[1]
	columns := out.Shape[1]
	if !okIn || in.Channels != 1 || intOf(n, "transA", 0) != 0 || !constant(scale) || len(scale.Data) != 1 && len(scale.Data) != columns ||
		bias != nil && (!constant(bias) || bias.Elements() != columns && bias.Elements() != 1) {
		return nil
	}
	weight, zero, ok := signedWeight(b, input(n, 5), columns)
	if !ok {
		return nil
	}
	if intOf(n, "transB", 0) != 0 {
		weight = turned(weight, columns, k)
	}
	result := kernels.Int8Output{}
	unit := 1.0 // number that a step of the output stands for
	if to := input(n, 7); to != nil {
		q, ok := quantization(to, input(n, 8), out.DType, 1)
		if !ok || q.Channels != 1 {
			return nil
		}
		result.Zero, result.Signed, unit = zeroOf(q), q.Signed, float64(q.Scale[0])
	}
	for _, s := range scale.Data {
		result.Scale = append(result.Scale, float32(float64(floatOf(n, "alpha", 1))*float64(in.Scale[0])*float64(s)/unit))
	}
	if bias != nil {
		result.Bias = make([]int32, columns)
		list := bias.Typed.([]int32)
		for i := range result.Bias {
			result.Bias[i] = list[min(i, len(list)-1)]
		}
	}
	var packed *kernels.PackedInt8Gemm
	return &step{
		pack: func() error {
			packed = kernels.PackInt8Gemm(k, columns, weight, zero)
			return nil
		},
		kernel: func(m *memory) call {
			from, to := kernels.Int8Input{Data: m.bytesAt(a), Zero: zeroOf(in), Signed: in.Signed}, result
			if out.DType == graph.F32 {
				to.Floats = m.floats(out)
			} else {
				to.Bytes = m.bytesAt(out)
			}
			return always(func(ws *kernels.Workspace) { packed.Forward(ws, rows, from, &to) })
		},
	}
}

// turned is the transpose of a matrix.
func turned(x []int8, rows, columns int) []int8 {
	y := make([]int8, len(x))
	for i := range rows {
		for j := range columns {
			y[j*rows+i] = x[i*columns+j]
		}
	}
	return y
}

// bytePool is a pool of images of bytes that lie pixel by pixel.
type bytePool struct {
	window
	count, h, w, outH, outW, pixel int
	signed                         bool
	row                            []uint8 // the largest of the rows under a window
	wide                           []uint8 // the largest of the pixels of row from each on, as many as a window has
}

// bindBytePool takes the maximum of windows of an image of bytes.
func bindBytePool(n *graph.Node) *step {
	x, out := n.Inputs[0], n.Outputs[0]
	w, _ := windowOf(n, intsOf(n, "kernel_shape"))
	p := bytePool{
		window: w, count: x.Shape[0], h: x.Shape[2], w: x.Shape[3], outH: out.Shape[2], outW: out.Shape[3],
		pixel: kernels.Int8Channels(x.Shape[1]), signed: x.DType == graph.I8,
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.bytesAt(out), m.bytesAt(x)
		p := p
		p.row, p.wide = make([]uint8, p.w*p.pixel), make([]uint8, p.w*p.pixel)
		return always(func(ws *kernels.Workspace) { p.run(ws, dst, src) })
	}}
}

// run reduces rows first, then the pixels of the result.
func (p *bytePool) run(ws *kernels.Workspace, dst, src []uint8) {
	line := p.w * p.pixel
	for i := range p.count * p.outH {
		image, oy := i/p.outH, i%p.outH
		row, first := src[:0], true
		for r := range p.r {
			y := oy*p.strideH + r*p.dilationH - p.top
			if y < 0 || y >= p.h {
				continue
			}
			from := src[(image*p.h+y)*line:][:line]
			if first {
				row, first = from, false
				continue
			}
			kernels.MaxBytes(ws, p.row, row, from, p.signed)
			row = p.row
		}
		// A few long rows take less time than many short pixels.
		wide, inside := row, p.w-(p.s-1)*p.dilationW
		for s := 1; s < p.s && inside > 0; s++ {
			from := row[s*p.dilationW*p.pixel:][:inside*p.pixel]
			kernels.MaxBytes(ws, p.wide[:len(from)], wide[:len(from)], from, p.signed)
			wide = p.wide
		}
		for ox := range p.outW {
			to := dst[(i*p.outW+ox)*p.pixel:][:p.pixel]
			if x := ox*p.strideW - p.left; x >= 0 && x < inside {
				copy(to, wide[x*p.pixel:])
				continue
			}
			first := true
			for s := range p.s {
				x := ox*p.strideW + s*p.dilationW - p.left
				if x < 0 || x >= p.w {
					continue
				}
				from := row[x*p.pixel:][:p.pixel]
				if first {
					copy(to, from)
					first = false
				} else {
					kernels.MaxBytes(ws, to, to, from, p.signed)
				}
			}
		}
	}
}

// takesBytePool reports whether bindBytePool does n: every window has an
// element of the image.
func takesBytePool(n *graph.Node) bool {
	x, out := n.Inputs[0], n.Outputs[0]
	if n.Kind != "MaxPool" || !isByte(x) || len(x.Shape) != 4 || x.Elements() == 0 || len(n.Outputs) != 1 {
		return false
	}
	w, ok := windowOf(n, intsOf(n, "kernel_shape"))
	covered := func(size, outputs, window, stride, dilation, before int) bool {
		last := (outputs-1)*stride - before
		return before <= (window-1)*dilation && last < size && (last >= 0 || last+(window-1)*dilation >= 0) && dilation <= size
	}
	return ok && covered(x.Shape[2], out.Shape[2], w.r, w.strideH, w.dilationH, w.top) &&
		covered(x.Shape[3], out.Shape[3], w.s, w.strideW, w.dilationW, w.left)
}

// bindPixels copies images of bytes from channel by channel to pixel by pixel,
// or back.
func bindPixels(n *graph.Node, back bool) *step {
	v := n.Inputs[0]
	count, c, hw := v.Shape[0], v.Shape[1], product(v.Shape[2:])
	pixel := kernels.Int8Channels(c)
	return &step{kernel: func(m *memory) call {
		dst, src := m.bytesAt(n.Outputs[0]), m.bytesAt(v)
		return always(func(*kernels.Workspace) {
			const block = 8 // pixels: lines so far apart that more would share a set of the cache
			for i := range count {
				for from := 0; from < hw; from += block {
					n := min(block, hw-from)
					for j := range c {
						plane, image := (i*c+j)*hw+from, (i*hw+from)*pixel+j
						if back {
							for k := range dst[plane:][:n] {
								dst[plane+k] = src[image+k*pixel]
							}
							continue
						}
						for k, q := range src[plane:][:n] {
							dst[image+k*pixel] = q
						}
					}
				}
			}
		})
	}}
}
