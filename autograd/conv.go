package autograd

import (
	"fmt"

	"github.com/hwprofd/hwprofd/kernels"
)

// Conv2DOptions are the attributes of a convolution. A zero stride, dilation
// or group count means 1.
type Conv2DOptions struct {
	Stride   [2]int // height, width
	Pad      [4]int // top, left, bottom, right
	Dilation [2]int // height, width
	Groups   int    // as many as channels: depthwise
}

func (o Conv2DOptions) shape(x, w *Tensor) kernels.Conv2D {
	n, c, h, wd := x.images("Conv2D")
	if len(w.Shape) != 4 {
		panic(fmt.Sprintf("autograd: Conv2D needs a weight [K, C/groups, R, S], got %v", w.Shape))
	}
	s := kernels.Conv2D{
		N: n, C: c, H: h, W: wd, K: w.Shape[0], R: w.Shape[2], S: w.Shape[3],
		StrideH: max(o.Stride[0], 1), StrideW: max(o.Stride[1], 1),
		PadTop: o.Pad[0], PadLeft: o.Pad[1], PadBottom: o.Pad[2], PadRight: o.Pad[3],
		DilationH: max(o.Dilation[0], 1), DilationW: max(o.Dilation[1], 1),
		Groups: max(o.Groups, 1),
	}
	if err := s.Validate(); err != nil {
		panic("autograd: Conv2D: " + err.Error())
	}
	if w.Shape[1]*s.Groups != c {
		panic(fmt.Sprintf("autograd: Conv2D of input %v in %d groups with weight %v", x.Shape, s.Groups, w.Shape))
	}
	return s
}

// Conv2D returns the convolution (cross-correlation) of x [N, C, H, W] with w
// [K, C/groups, R, S] plus the bias b [K], which may be nil: [N, K, OH, OW].
func (t *Tape) Conv2D(x, w, b *Tensor, o Conv2DOptions) *Tensor {
	s := o.shape(x, w)
	checkBias("Conv2D", b, s.K)
	y := t.empty(s.N, s.K, s.OutH(), s.OutW())
	in, out := s.C*s.H*s.W, s.K*s.OutH()*s.OutW()
	var bias []float32
	if b != nil {
		bias = b.Data
	}
	t.parallel(s.N, func(wk *worker, _, first, last int) {
		part := s
		part.N = last - first
		kernels.Conv2DForward(&wk.ws, part, y.Data[first*out:last*out], x.Data[first*in:last*in], w.Data, bias)
	})
	t.record(node{backward: convBackward, out: y, in: [3]*Tensor{x, w, b}, conv: s})
	return y
}

func convBackward(t *Tape, n *node) {
	s := n.conv
	x, w, b := n.in[0], n.in[1], n.in[2]
	in, spatial := s.C*s.H*s.W, s.OutH()*s.OutW()
	out := s.K * spatial
	var dx []float32
	var fresh bool
	if x.differentiable {
		dx, fresh = t.gradient(x)
	}
	dw, db := t.partialGradients(w, s.N), t.partialGradients(b, s.N)
	t.parallel(s.N, func(wk *worker, p, first, last int) {
		part := s
		part.N = last - first
		dy := n.out.Grad[first*out : last*out]
		if w.differentiable {
			kernels.Conv2DBackwardWeight(&wk.ws, part, dw.part(p), x.Data[first*in:last*in], dy)
		}
		if b != nil && b.differentiable {
			kernels.BiasGradient(part.N, s.K, spatial, db.part(p), dy)
		}
		if dx != nil {
			d := dx[first*in : last*in]
			if fresh {
				clear(d)
			}
			kernels.Conv2DBackwardInput(&wk.ws, part, d, dy, w.Data)
		}
	})
	t.reduce(w, dw)
	t.reduce(b, db)
}

// partials holds a gradient for every part of a batch, to be summed in order.
type partials struct {
	block *block
	n     int
	count int
}

// partialGradients returns room for the gradients of the parts of a batch; x
// may be nil.
func (t *Tape) partialGradients(x *Tensor, images int) partials {
	if x == nil || !x.differentiable {
		return partials{}
	}
	count := partsOf(images)
	return partials{t.arena.get(x.Len() * count), x.Len(), count}
}

// part returns the i-th part, cleared.
func (p partials) part(i int) []float32 {
	d := p.block.data[i*p.n : (i+1)*p.n]
	clear(d)
	return d
}

// reduce adds the parts to x's gradient, in order, and frees them.
func (t *Tape) reduce(x *Tensor, p partials) {
	if p.count == 0 {
		return
	}
	g, fresh := t.gradient(x)
	if fresh {
		clear(g)
	}
	for i := range p.count {
		kernels.Add(g, g, p.block.data[i*p.n:(i+1)*p.n])
	}
	t.arena.put(p.block)
}

func checkBias(op string, b *Tensor, k int) {
	if b != nil && b.Len() != k {
		panic(fmt.Sprintf("autograd: %s with %d outputs and bias %v", op, k, b.Shape))
	}
}
