package kernels

import "fmt"

// PackedMatrix is the right operand of matrix multiplications, [k, n], laid
// out once for the implementation that was in use then.
type PackedMatrix struct {
	k, n   int
	kernel *gemmKernel
	panels []float32 // of nr columns each, one after the other
}

// PackMatrix copies op(B), which is [k, n], for use by Multiply: B, or its
// transpose if transB is set. ldb is the distance between the rows of B as
// stored.
func PackMatrix(transB bool, k, n int, b []float32, ldb int) *PackedMatrix {
	x := operandOf("B", k, n, transB, b, ldb, 0)
	p := &PackedMatrix{k: k, n: n, kernel: gemm}
	nr := p.kernel.nr()
	p.panels = Aligned[float32]((n+nr-1)/nr*nr*k + packSlack)
	for j := 0; j < n && k > 0; j += nr {
		panel := p.panels[j*k:]
		if transB {
			p.kernel.pack.rows(panel, nr, &x, j, min(j+nr, n), 0, k)
		} else {
			p.kernel.pack.columns(panel, nr, &x, 0, k, j, min(j+nr, n))
		}
	}
	return p
}

// Multiply computes C = act(alpha op(A) B + beta C + bias), where B is the
// packed matrix, op(A) is A, or its transpose if transA is set, [m, k], C is
// [m, n], and bias, which is added to every row, is [n] or nil. lda and ldc
// are the distances between the rows of A and C as stored. With beta 0, what
// C held does not matter, not even a NaN.
func (p *PackedMatrix) Multiply(ws *Workspace, transA bool, m int, alpha float32, a []float32, lda int, beta float32, c []float32, ldc int, bias []float32, act Activation) {
	if bias != nil {
		checkLength("PackedMatrix", "bias", len(bias), p.n)
	}
	q := product{
		m: m, n: p.n, k: p.k, alpha: alpha, transA: transA, packedB: p.panels,
		accumulate: beta != 0, columnBias: bias, activation: act,
	}
	q.a = operandOf("A", m, p.k, transA, a, lda, 0)
	q.c = operandOf("C", m, p.n, false, c, ldc, 0)
	scaleRows(beta, m, p.n, c, ldc)
	if alpha == 0 {
		q.k = 0
	}
	ws.multiply(p.kernel, &q)
}

// PackedLinear is a linear layer with its weights laid out for inference.
type PackedLinear struct {
	weight *PackedMatrix
	bias   []float32
}

// PackLinear copies weight [out, in] and bias [out], which may be nil, into
// the layout of the implementation in use.
func PackLinear(in, out int, weight, bias []float32) *PackedLinear {
	return packLinear(true, in, out, weight, bias)
}

// PackLinearTransposed is [PackLinear] for a weight that is [in, out].
func PackLinearTransposed(in, out int, weight, bias []float32) *PackedLinear {
	return packLinear(false, in, out, weight, bias)
}

func packLinear(transB bool, in, out int, weight, bias []float32) *PackedLinear {
	if in < 1 || out < 1 {
		panic(fmt.Sprintf("kernels: linear layer from %d to %d", in, out))
	}
	checkLength("PackedLinear", "weight", len(weight), in*out)
	if bias != nil {
		checkLength("PackedLinear", "bias", len(bias), out)
		bias = append([]float32(nil), bias[:out]...)
	}
	ld := out
	if transB {
		ld = in
	}
	return &PackedLinear{weight: PackMatrix(transB, in, out, weight, ld), bias: bias}
}

// Forward computes dst = act(src weightᵀ + bias) for n rows: src is [n, in]
// and dst is [n, out].
func (p *PackedLinear) Forward(ws *Workspace, n int, dst, src []float32, act Activation) {
	p.ForwardAdd(ws, n, dst, src, nil, act)
}

// ForwardAdd is Forward with a residual [n, out] that is added before act; it
// may be dst, or nil.
func (p *PackedLinear) ForwardAdd(ws *Workspace, n int, dst, src, residual []float32, act Activation) {
	in, out := p.weight.k, p.weight.n
	checkLength("PackedLinear", "input", len(src), n*in)
	checkLength("PackedLinear", "output", len(dst), n*out)
	if residual != nil {
		checkLength("PackedLinear", "residual", len(residual), n*out)
	}
	ws.multiply(p.weight.kernel, &product{
		m: n, n: out, k: in, alpha: 1,
		a: dense(src, in, in), packedB: p.weight.panels, c: dense(dst, out, out),
		columnBias: p.bias, residual: residual, activation: act,
	})
}
