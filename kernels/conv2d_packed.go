package kernels

import (
	"fmt"
	"slices"
)

// PackedConv2D is a convolution with its weights laid out for inference.
type PackedConv2D struct {
	shape     Conv2D
	algorithm algorithm
	in, out   border

	kernel    *gemmKernel
	weight    []float32 // as given
	bias      []float32
	unfold    unfolding
	offsets   []int
	linear    *PackedLinear // for images of one element a channel
	direct    *direct
	winograd  *winogradWeights
	depthwise *blockedDepthwise
}

// PackConv2D copies weight [K, C/Groups, R, S] and bias [K], which may be nil,
// into the layout that suits the shape, for input and output in the layout
// [Planar]. It fails if the shape is invalid or a slice too short for it.
func PackConv2D(s Conv2D, weight, bias []float32) (*PackedConv2D, error) {
	return PackConv2DLayouts(s, Planar, Planar, weight, bias)
}

// PackConv2DLayouts is [PackConv2D] for input and output in the given layouts.
func PackConv2DLayouts(s Conv2D, in, out Layout, weight, bias []float32) (*PackedConv2D, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	a, _ := s.selectAlgorithm(in, out)
	return packConv2D(s, in, out, a, weight, bias)
}

// PackConv2DBy is [PackConv2DLayouts] for the algorithm of a name, which has to
// be one that computes s.
func PackConv2DBy(algorithm string, s Conv2D, in, out Layout, weight, bias []float32) (*PackedConv2D, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	a, ok := s.algorithmOf(algorithm)
	if !ok {
		return nil, fmt.Errorf("kernels: convolution: %q is no algorithm for this shape", algorithm)
	}
	return packConv2D(s, in, out, a, weight, bias)
}

func packConv2D(s Conv2D, in, out Layout, a algorithm, weight, bias []float32) (*PackedConv2D, error) {
	if len(weight) != s.weightSize() {
		return nil, fmt.Errorf("kernels: convolution: weight has %d elements, want %d", len(weight), s.weightSize())
	}
	if bias != nil && len(bias) != s.K {
		return nil, fmt.Errorf("kernels: convolution: bias has %d elements, want %d", len(bias), s.K)
	}
	workIn, workOut := a.layouts()
	groups := s.Groups
	if a == blocksDepthwise { // whose blocks have several groups each
		groups = 1
	}
	p := &PackedConv2D{
		shape: s, algorithm: a,
		in:  border{in, workIn, s.N, s.C, groups, s.H * s.W},
		out: border{out, workOut, s.N, s.K, groups, s.OutH() * s.OutW()},
	}
	switch a {
	case planarDepthwise:
		p.weight, p.bias = slices.Clone(weight), slices.Clone(bias)
	case linearLayer:
		p.linear = PackLinear(s.C, s.K, weight, bias)
	case directTiles, directPlanes:
		p.direct = newDirect(s, workIn, weight, bias)
	case winograd4, winograd2:
		size := 4
		if a == winograd2 {
			size = 2
		}
		if bias != nil {
			p.bias = make([]float32, BlockedSize(1, s.K, 1))
			copy(p.bias, bias)
		}
		p.winograd = newWinograd(s, size, weight)
	case blocksDepthwise:
		p.depthwise = packDepthwiseBlocked(s, weight, bias)
	default:
		p.bias = slices.Clone(bias)
		p.packGemm(weight)
	}
	return p, nil
}

func (p *PackedConv2D) packGemm(weight []float32) {
	s := p.shape
	p.kernel, p.weight = gemm, slices.Clone(weight)
	if !s.pointwise() {
		p.unfold = s.unfolding()
		p.offsets = p.unfold.offsets(nil)
	}
}

// Forward computes dst = act(convolution(src) + bias + residual), where src is
// [N, C, H, W], and dst and residual, which may be nil or dst itself, are
// [N, K, OutH, OutW], in the layouts that the convolution was packed for.
func (p *PackedConv2D) Forward(ws *Workspace, dst, src, residual []float32, act Activation) {
	checkLength("Conv2D", "input", len(src), p.in.size())
	checkLength("Conv2D", "output", len(dst), p.out.size())
	if residual != nil {
		checkLength("Conv2D", "residual", len(residual), p.out.size())
	}
	src = p.in.enter(ws, &ws.otherIn, src)
	to, residual := p.out.target(ws, dst, residual)
	p.forward(ws, to, src, residual, act)
	p.out.leave(ws, dst, to)
}

// forward is Forward in the layouts of the algorithm.
func (p *PackedConv2D) forward(ws *Workspace, dst, src, residual []float32, act Activation) {
	s := p.shape
	switch p.algorithm {
	case directTiles, directPlanes:
		p.direct.forward(ws, dst, src, residual, act)
	case winograd4, winograd2:
		p.winograd.forward(ws, dst, src, p.bias, residual, act)
	case blocksDepthwise:
		p.depthwise.forward(ws, dst, src, residual, act)
	case planarDepthwise:
		depthwiseForward(ws, s, dst, src, p.weight, p.bias, residual, act)
	case linearLayer:
		if residual == nil {
			p.linear.Forward(ws, s.N, dst, src, act)
			return
		}
		p.linear.ForwardAdd(ws, s.N, dst, src, residual, act)
	default:
		k := s.C / s.Groups * s.R * s.S
		conv2DForward(ws, p.kernel, s, &p.unfold, p.offsets, product{
			m: s.K / s.Groups, k: k, alpha: 1, a: dense(p.weight, k, k),
			bias: p.bias, residual: residual, activation: act,
		}, dst, src)
	}
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
