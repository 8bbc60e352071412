package autograd

import "github.com/hwprofd/hwprofd/kernels"

// GlobalAvgPool returns the mean over height and width of x [N, C, H, W]:
// [N, C, 1, 1].
func (t *Tape) GlobalAvgPool(x *Tensor) *Tensor {
	n, c, h, w := x.images("GlobalAvgPool")
	hw := h * w
	y := t.empty(n, c, 1, 1)
	t.parallel(n, func(_ *worker, _, i, j int) {
		kernels.GlobalAvgPool(j-i, c, hw, y.Data[i*c:j*c], x.Data[i*c*hw:j*c*hw])
	})
	t.record(node{backward: globalAvgPoolBackward, out: y, in: [3]*Tensor{x}})
	return y
}

func globalAvgPoolBackward(t *Tape, n *node) {
	x := n.in[0]
	images, c, h, w := x.images("GlobalAvgPool")
	hw := h * w
	g, fresh := t.gradient(x)
	t.parallel(images, func(_ *worker, _, i, j int) {
		d := g[i*c*hw : j*c*hw]
		if fresh {
			clear(d)
		}
		kernels.GlobalAvgPoolBackward(j-i, c, hw, d, n.out.Grad[i*c:j*c])
	})
}
