package inference

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// bindMatMul multiplies matrices, or batches of them.
func bindMatMul(n *graph.Node) *step {
	a, b, out := n.Inputs[0], n.Inputs[1], n.Outputs[0]
	// A vector is a matrix of one row or column.
	aShape, bShape := a.Shape, b.Shape
	if len(aShape) == 1 {
		aShape = []int{1, aShape[0]}
	}
	if len(bShape) == 1 {
		bShape = []int{bShape[0], 1}
	}
	rows, k := aShape[len(aShape)-2], aShape[len(aShape)-1]
	columns := bShape[len(bShape)-1]
	aBatch, bBatch := aShape[:len(aShape)-2], bShape[:len(bShape)-2]
	if product(bBatch) == 1 { // one product of all rows
		rows *= product(aBatch)
		if constant(b) {
			var packed *kernels.PackedMatrix
			return &step{
				pack: func() error {
					packed = kernels.PackMatrix(false, k, columns, b.Data, columns)
					return nil
				},
				kernel: func(m *memory) call {
					dst, x := m.floats(out), m.floats(a)
					return always(func(ws *kernels.Workspace) {
						packed.Multiply(ws, false, rows, 1, x, k, 0, dst, columns, nil, kernels.NoActivation)
					})
				},
			}
		}
		aBatch = nil
	}
	counts := batchOffsets(aBatch, bBatch, rows*k, k*columns)
	count := len(counts)
	aStride, aEven := stride(counts, 0)
	bStride, bEven := stride(counts, 1)
	return &step{kernel: func(m *memory) call {
		dst, x, y := m.floats(out), m.floats(a), m.floats(b)
		if aEven && bEven {
			return always(func(ws *kernels.Workspace) {
				kernels.GemmBatch(ws, count, false, false, rows, columns, k, 1, x, k, aStride, y, columns, bStride, 0, dst, columns, rows*columns)
			})
		}
		return always(func(ws *kernels.Workspace) {
			for i, at := range counts {
				kernels.Gemm(ws, false, false, rows, columns, k, 1, x[at[0]:], k, y[at[1]:], columns, 0, dst[i*rows*columns:], columns)
			}
		})
	}}
}

// batchOffsets returns for each product of batches that are broadcast to each
// other where its operands start.
func batchOffsets(aBatch, bBatch []int, aSize, bSize int) [][2]int {
	rank := max(len(aBatch), len(bBatch))
	dim := func(batch []int, d int) int {
		if d += len(batch) - rank; d >= 0 {
			return batch[d]
		}
		return 1
	}
	offsets := [][2]int{{0, 0}}
	for d := range rank {
		p, q := dim(aBatch, d), dim(bBatch, d)
		var next [][2]int
		for _, at := range offsets {
			for i := range max(p, q) {
				next = append(next, [2]int{at[0]*p + min(i, p-1), at[1]*q + min(i, q-1)})
			}
		}
		offsets = next
	}
	for i := range offsets {
		offsets[i][0] *= aSize
		offsets[i][1] *= bSize
	}
	return offsets
}

// stride is the distance between the starts of an operand of one product and
// the next, and whether it is the same for all.
func stride(offsets [][2]int, operand int) (int, bool) {
	if len(offsets) < 2 {
		return 0, true
	}
	distance := offsets[1][operand]
	for i, at := range offsets {
		if at[operand] != i*distance {
			return 0, false
		}
	}
	return distance, true
}

// bindGemm is alpha op(A) op(B) + beta C.
func bindGemm(n *graph.Node) *step {
	a, b, c, out := n.Inputs[0], n.Inputs[1], input(n, 2), n.Outputs[0]
	transA, transB := intOf(n, "transA", 0) != 0, intOf(n, "transB", 0) != 0
	alpha, beta := floatOf(n, "alpha", 1), floatOf(n, "beta", 1)
	rows, columns := out.Shape[0], out.Shape[1]
	lda, ldb := a.Shape[1], b.Shape[1]
	k := a.Shape[1]
	if transA {
		k = a.Shape[0]
	}
	var packed *kernels.PackedMatrix
	var bias []float32
	s := &step{}
	if constant(b) {
		s.pack = func() error {
			packed = kernels.PackMatrix(transB, k, columns, b.Data, ldb)
			return nil
		}
		if c != nil && constant(c) && c.Elements() == columns && (len(c.Shape) == 1 || c.Shape[0] == 1) {
			bias = slices.Clone(c.Data)
			kernels.Scale(beta, bias)
			c = nil
		}
	}
	if c == nil {
		beta = 0
	}
	s.kernel = func(m *memory) call {
		dst, x, y, z := m.floats(out), m.floats(a), m.floats(b), m.floats(c)
		return always(func(ws *kernels.Workspace) {
			if z != nil {
				kernels.Broadcast(ws, kernels.OpCopy, dst, out.Shape, z, c.Shape, nil, nil)
			}
			if packed != nil {
				packed.Multiply(ws, transA, rows, alpha, x, lda, beta, dst, columns, bias, kernels.NoActivation)
			} else {
				kernels.Gemm(ws, transA, transB, rows, columns, k, alpha, x, lda, y, ldb, beta, dst, columns)
			}
		})
	}
	return s
}

// planeOf is the height and width of an image of three or four dimensions: a
// sequence is an image of one row.
func planeOf(shape []int) (h, w int) {
	if len(shape) == 3 {
		return 1, shape[2]
	}
	return shape[2], shape[3]
}

// pair gives a list of one or two numbers, of a sequence or an image, the
// height's first; missing where it is empty.
func pair(list []int, rank, missing, single int) (h, w int) {
	switch {
	case len(list) == 0 && rank == 3:
		return single, missing
	case len(list) == 0:
		return missing, missing
	case rank == 3:
		return single, list[0]
	}
	return list[0], list[1]
}

// window is the attributes of windows over an image.
type window struct {
	r, s, strideH, strideW, dilationH, dilationW int
	top, left, bottom, right                     int
}

// windowOf reads the attributes of a convolution or pool; false if padding is
// not given in numbers.
func windowOf(n *graph.Node, kernel []int) (window, bool) {
	rank := len(n.Inputs[0].Shape)
	if pad := stringOf(n, "auto_pad", "NOTSET"); pad != "NOTSET" && pad != "" || rank != 3 && rank != 4 {
		return window{}, false
	}
	var w window
	w.r, w.s = pair(kernel, rank, 1, 1)
	w.strideH, w.strideW = pair(intsOf(n, "strides"), rank, 1, 1)
	w.dilationH, w.dilationW = pair(intsOf(n, "dilations"), rank, 1, 1)
	pads := intsOf(n, "pads")
	w.top, w.left = pair(pads[:len(pads)/2], rank, 0, 0)
	w.bottom, w.right = pair(pads[len(pads)/2:], rank, 0, 0)
	return w, min(w.top, w.left, w.bottom, w.right) >= 0
}

// bindPlainConv convolves images or sequences.
func bindPlainConv(n *graph.Node) *step {
	x, weight, bias, out := n.Inputs[0], n.Inputs[1], input(n, 2), n.Outputs[0]
	if !constant(weight) || bias != nil && !constant(bias) || len(x.Shape) < 3 {
		return nil
	}
	w, ok := windowOf(n, weight.Shape[2:])
	if !ok {
		return nil
	}
	h, wd := planeOf(x.Shape)
	shape := kernels.Conv2D{
		N: x.Shape[0], C: x.Shape[1], H: h, W: wd, K: weight.Shape[0], R: w.r, S: w.s, StrideH: w.strideH, StrideW: w.strideW,
		PadTop: w.top, PadLeft: w.left, PadBottom: w.bottom, PadRight: w.right,
		DilationH: w.dilationH, DilationW: w.dilationW, Groups: intOf(n, "group", 1),
	}
	var packed *kernels.PackedConv2D
	return &step{
		pack: func() (err error) {
			packed, err = kernels.PackConv2D(shape, weight.Data, data(bias))
			return err
		},
		kernel: func(m *memory) call {
			dst, src := m.floats(out), m.floats(x)
			return always(func(ws *kernels.Workspace) { packed.Forward(ws, dst, src, nil, kernels.NoActivation) })
		},
	}
}

func bindConvTranspose(n *graph.Node) *step {
	x, weight, bias, out := n.Inputs[0], n.Inputs[1], input(n, 2), n.Outputs[0]
	if !constant(weight) || bias != nil && !constant(bias) || len(x.Shape) < 3 || intsOf(n, "output_shape") != nil {
		return nil
	}
	w, ok := windowOf(n, weight.Shape[2:])
	if !ok {
		return nil
	}
	h, wd := planeOf(x.Shape)
	groups := intOf(n, "group", 1)
	shape := kernels.ConvTranspose2D{
		N: x.Shape[0], C: x.Shape[1], H: h, W: wd, K: weight.Shape[1] * groups, R: w.r, S: w.s, StrideH: w.strideH, StrideW: w.strideW,
		PadTop: w.top, PadLeft: w.left, PadBottom: w.bottom, PadRight: w.right,
		DilationH: w.dilationH, DilationW: w.dilationW, Groups: groups,
	}
	shape.OutPadH, shape.OutPadW = pair(intsOf(n, "output_padding"), len(x.Shape), 0, 0)
	if outH, outW := planeOf(out.Shape); shape.OutH() != outH || shape.OutW() != outW || shape.Validate() != nil {
		return nil
	}
	var packed *kernels.PackedConvTranspose2D
	return &step{
		pack: func() (err error) {
			packed, err = kernels.PackConvTranspose2D(shape, kernels.Planar, kernels.Planar, weight.Data, data(bias))
			return err
		},
		kernel: func(m *memory) call {
			dst, src := m.floats(out), m.floats(x)
			return always(func(ws *kernels.Workspace) { packed.Forward(ws, dst, src, nil, kernels.NoActivation) })
		},
	}
}
