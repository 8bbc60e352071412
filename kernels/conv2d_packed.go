package kernels

import (
	"fmt"
	"slices"
)

// PackedConv2D is a convolution with its weights laid out for inference.
type PackedConv2D struct {
	shape   Conv2D
	kernel  *gemmKernel
	weight  []float32 // as given
	bias    []float32
	unfold  unfolding
	offsets []int
	linear  *PackedLinear // for images of one element a channel
}

// PackConv2D copies weight [K, C/Groups, R, S] and bias [K], which may be nil,
// into the layout that suits the shape. It fails if the shape is invalid or a
// slice too short for it.
func PackConv2D(s Conv2D, weight, bias []float32) (*PackedConv2D, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if len(weight) != s.weightSize() {
		return nil, fmt.Errorf("kernels: convolution: weight has %d elements, want %d", len(weight), s.weightSize())
	}
	if bias != nil && len(bias) != s.K {
		return nil, fmt.Errorf("kernels: convolution: bias has %d elements, want %d", len(bias), s.K)
	}
	p := &PackedConv2D{shape: s, kernel: gemm, bias: slices.Clone(bias)}
	switch {
	case s.depthwise():
		p.weight = slices.Clone(weight)
		return p, nil
	case s.single():
		p.linear = PackLinear(s.C, s.K, weight, bias)
		return p, nil
	}
	p.weight = slices.Clone(weight)
	if !s.pointwise() {
		p.unfold = s.unfolding()
		p.offsets = p.unfold.offsets(nil)
	}
	return p, nil
}

// Forward computes dst = act(convolution(src) + bias + residual), where src is
// [N, C, H, W], and dst and residual, which may be nil or dst itself, are
// [N, K, OutH, OutW].
func (p *PackedConv2D) Forward(ws *Workspace, dst, src, residual []float32, act Activation) {
	s := p.shape
	checkLength("Conv2D", "input", len(src), s.inputSize())
	checkLength("Conv2D", "output", len(dst), s.outputSize())
	if residual != nil {
		checkLength("Conv2D", "residual", len(residual), s.outputSize())
	}
	switch {
	case s.depthwise():
		depthwiseForward(s, dst, src, p.weight, p.bias, residual, act)
		return
	case p.linear != nil:
		if residual == nil {
			p.linear.Forward(ws, s.N, dst, src, act)
			return
		}
		p.linear.forward(ws, s.N, dst, src, residual, act)
		return
	}
	k := s.C / s.Groups * s.R * s.S
	conv2DForward(ws, p.kernel, s, &p.unfold, p.offsets, product{
		m: s.K / s.Groups, k: k, alpha: 1, a: dense(p.weight, k, k),
		bias: p.bias, residual: residual, activation: act,
	}, dst, src)
}

// conv2DForward runs p, of which it fills in what depends on group and image,
// for every group and image.
func conv2DForward(ws *Workspace, kernel *gemmKernel, s Conv2D, u *unfolding, offsets []int, p product, dst, src []float32) {
	outHW, inHW := s.OutH()*s.OutW(), s.H*s.W
	weight, bias, residual := p.a.data, p.bias, p.residual
	for g := range s.Groups {
		p.a.data = weight[g*p.m*p.k:]
		if bias != nil {
			p.bias = bias[g*p.m:]
		}
		if s.pointwise() {
			p.n = s.N * outHW
			p.b = batch(src[g*s.C/s.Groups*inHW:], s.C, inHW)
			p.c = batch(dst[g*p.m*outHW:], s.K, outHW)
			if residual != nil {
				p.residual = residual[g*p.m*outHW:]
			}
			ws.multiply(kernel, &p)
			continue
		}
		ws.image = grow(ws.image, u.size())
		for n := range s.N {
			u.pad(ws.image, src[(n*s.C+g*s.C/s.Groups)*inHW:])
			first := (n*s.K + g*p.m) * outHW
			p.n = outHW
			p.b = u.matrix(ws.image, offsets)
			p.c = dense(dst[first:], outHW, outHW)
			if residual != nil {
				p.residual = residual[first:]
			}
			ws.multiply(kernel, &p)
		}
	}
}
