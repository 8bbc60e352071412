package kernels

import (
	"fmt"
	"slices"
)

// PackedLinear is a linear layer with its weights laid out for inference.
type PackedLinear struct {
	in, out int
	kernel  *gemmKernel
	packed  []float32 // panels of nr outputs
	bias    []float32
}

// PackLinear copies weight [out, in] and bias [out], which may be nil, into
// the layout of the implementation in use.
func PackLinear(in, out int, weight, bias []float32) *PackedLinear {
	if in < 1 || out < 1 {
		panic(fmt.Sprintf("kernels: linear layer from %d to %d", in, out))
	}
	checkLength("PackedLinear", "weight", len(weight), in*out)
	if bias != nil {
		checkLength("PackedLinear", "bias", len(bias), out)
		bias = slices.Clone(bias[:out])
	}
	p := &PackedLinear{in: in, out: out, kernel: gemm, bias: bias}
	nr := p.kernel.nr()
	p.packed = aligned((out+nr-1)/nr*nr*in + packSlack)
	rows := dense(weight, in, in)
	for j := 0; j < out; j += nr {
		p.kernel.pack.rows(p.packed[j*in:], nr, &rows, j, min(j+nr, out), 0, in)
	}
	return p
}

// Forward computes dst = act(src weightᵀ + bias) for n rows: src is [n, in]
// and dst is [n, out].
func (p *PackedLinear) Forward(ws *Workspace, n int, dst, src []float32, act Activation) {
	p.forward(ws, n, dst, src, nil, act)
}

// forward is Forward with a residual [n, out] that is added before act.
func (p *PackedLinear) forward(ws *Workspace, n int, dst, src, residual []float32, act Activation) {
	checkLength("PackedLinear", "input", len(src), n*p.in)
	checkLength("PackedLinear", "output", len(dst), n*p.out)
	if residual != nil {
		checkLength("PackedLinear", "residual", len(residual), n*p.out)
	}
	ws.multiply(p.kernel, &product{
		m: n, n: p.out, k: p.in, alpha: 1,
		a: dense(src, p.in, p.in), packedB: p.packed, c: dense(dst, p.out, p.out),
		columnBias: p.bias, residual: residual, activation: act,
	})
}
