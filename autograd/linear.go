package autograd

import (
	"fmt"

	"github.com/hwprofd/hwprofd/kernels"
)

// Linear returns x Wᵀ + b of x [N, in], w [out, in] and the bias b [out],
// which may be nil: [N, out].
func (t *Tape) Linear(x, w, b *Tensor) *Tensor {
	n, in := x.rows("Linear")
	if len(w.Shape) != 2 || w.Shape[1] != in {
		panic(fmt.Sprintf("autograd: Linear of input %v with weight %v, which must be [out, %d]", x.Shape, w.Shape, in))
	}
	out := w.Shape[0]
	checkBias("Linear", b, out)
	y := t.empty(n, out)
	t.parallel(n, func(wk *worker, _, first, last int) {
		dst := y.Data[first*out : last*out]
		beta := float32(0)
		if b != nil {
			beta = 1
			for i := 0; i < len(dst); i += out {
				copy(dst[i:], b.Data)
			}
		}
		kernels.Gemm(&wk.ws, false, true, last-first, out, in, 1, x.Data[first*in:], in, w.Data, in, beta, dst, out)
	})
	t.record(node{backward: linearBackward, out: y, in: [3]*Tensor{x, w, b}})
	return y
}

func linearBackward(t *Tape, n *node) {
	x, w, b := n.in[0], n.in[1], n.in[2]
	images, in := x.rows("Linear")
	out := w.Shape[0]
	var dx []float32
	beta := float32(1)
	if x.differentiable {
		g, fresh := t.gradient(x)
		if dx = g; fresh {
			beta = 0
		}
	}
	dw, db := t.partialGradients(w, images), t.partialGradients(b, images)
	t.parallel(images, func(wk *worker, p, first, last int) {
		rows := last - first
		dy := n.out.Grad[first*out : last*out]
		if w.differentiable {
			d := dw.part(p)
			kernels.Gemm(&wk.ws, true, false, out, in, rows, 1, dy, out, x.Data[first*in:], in, 0, d, in)
		}
		if b != nil && b.differentiable {
			kernels.BiasGradient(rows, out, 1, db.part(p), dy)
		}
		if dx != nil {
			kernels.Gemm(&wk.ws, false, false, rows, in, out, 1, dy, out, w.Data, in, beta, dx[first*in:last*in], in)
		}
	})
	t.reduce(w, dw)
	t.reduce(b, db)
}
