package kernels

import "fmt"

// PackedInt8Conv2D is an int8 convolution with its weights laid out for the
// implementation in use.
type PackedInt8Conv2D struct {
	shape  Conv2D
	groups []*int8Packed

	depthwise *int8Depthwise // instead of groups

	// Layout of the image as the kernels read it: padded, and with the
	// channels of every group filled up to a multiple of four.
	channels int  // of a group
	pixel    int  // bytes
	row      int  // bytes
	copied   bool // the image as given is not laid out so
	offsets  []int
}

// PackInt8Conv2D copies weight [K, C/Groups, R, S] and the zero points of the
// output channels [K], which may be nil for 0 throughout. It fails if the
// shape is invalid or a slice has another length.
func PackInt8Conv2D(s Conv2D, weight, zero []int8) (*PackedInt8Conv2D, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if len(weight) != s.weightSize() {
		return nil, fmt.Errorf("kernels: int8 convolution: weight has %d elements, want %d", len(weight), s.weightSize())
	}
	if zero != nil && len(zero) != s.K {
		return nil, fmt.Errorf("kernels: int8 convolution: zero has %d elements, want %d", len(zero), s.K)
	}
	if s.depthwise() && s.K == s.C && zero == nil {
		return &PackedInt8Conv2D{shape: s, depthwise: packInt8Depthwise(s, weight)}, nil
	}
	cg, kg := s.C/s.Groups, s.K/s.Groups
	p := &PackedInt8Conv2D{shape: s, channels: Int8Channels(cg)}
	p.pixel = s.Groups * p.channels
	p.row = p.pixel * (s.W + s.PadLeft + s.PadRight)
	p.copied = s.PadTop+s.PadLeft+s.PadBottom+s.PadRight > 0 || p.pixel != Int8Channels(s.C) || s.Groups > 1 && cg != p.channels

	// The pixels under a row of the kernel are one segment if they are adjacent.
	joined := s.S == 1 || s.Groups == 1 && s.DilationW == 1
	segments, length := s.R*s.S, cg
	if joined {
		segments, length = s.R, s.S*p.channels
	}
	for i := range segments {
		r, q := i/s.S, i%s.S
		if joined {
			r, q = i, 0
		}
		p.offsets = append(p.offsets, r*s.DilationH*p.row+q*s.DilationW*p.pixel)
	}
	for g := range s.Groups {
		var zeros []int8
		if zero != nil {
			zeros = zero[g*kg : (g+1)*kg]
		}
		size := cg * s.R * s.S // weights of an output channel
		p.groups = append(p.groups, packInt8(int8Tiles, segments, length, kg, zeros, weight[g*kg*size:], size, func(segment, i int) (int, bool) {
			r, q, c := segment/s.S, segment%s.S, i
			if joined {
				r, q, c = segment, i/p.channels, i%p.channels
			}
			return (c*s.R+r)*s.S + q, c < cg
		}))
	}
	return p, nil
}

// Forward convolves the image src, [N, H, W, C] with pixels of Int8Channels(C)
// bytes, which gives [N, OutH, OutW, K] in out, with pixels of Int8Channels(K)
// where they are bytes.
func (p *PackedInt8Conv2D) Forward(ws *Workspace, src Int8Input, out *Int8Output) {
	s := p.shape
	checkLength("int8 convolution", "input", len(src.Data), s.N*s.H*s.W*Int8Channels(s.C))
	checkByte("Zero of the input", src.Zero, src.Signed)
	pitch := s.K
	if out.Bytes != nil {
		pitch = Int8Channels(s.K)
	}
	out.check(s.N*s.OutH()*s.OutW(), s.K, pitch)
	scratch := &ws.int8
	zero := src.Zero
	if p.depthwise != nil {
		flip := flipOf(src.Signed)
		scratch.depthwise.run(s, p.depthwise, src.Data, flip, zero+int(flip), out, pitch)
		return
	}
	height := s.H + s.PadTop + s.PadBottom
	if p.copied || src.Signed {
		flip := flipOf(src.Signed)
		zero += int(flip)
		scratch.image.copy(int8Image{
			from: src.Data, n: s.N, h: s.H, w: s.W, pixel: Int8Channels(s.C),
			groups: s.Groups, channels: s.C / s.Groups, top: s.PadTop, left: s.PadLeft,
			outH: height, outW: s.W + s.PadLeft + s.PadRight, flip: flip, fill: uint8(zero),
		}, p.pixel)
		src.Data = scratch.image.to
	}
	a := int8Rows{
		rows: s.N * s.OutH() * s.OutW(), run: s.OutW(), distance: s.StrideW * p.pixel,
		perImage: s.OutH(), rowStep: s.StrideH * p.row, imageStep: height * p.row, offsets: p.offsets,
	}
	if s.pointwise() {
		a.run = int8Run
		a.rowStep, a.perImage = a.run*a.distance, a.rows
	}
	columns := s.K / s.Groups
	for g, packed := range p.groups {
		a.data = src.Data[g*p.channels:]
		group := out.columns(g * columns)
		scratch.job.run(packed, a, zero, &group, pitch)
	}
	scratch.image.from = nil
}

// columns returns out from column first on.
func (out *Int8Output) columns(first int) Int8Output {
	part := *out
	from := func(s []float32) []float32 {
		if len(s) <= 1 {
			return s
		}
		return s[first:]
	}
	part.Scale, part.FloatBias = from(out.Scale), from(out.FloatBias)
	if out.Bias != nil {
		part.Bias = out.Bias[first:]
	}
	switch {
	case out.Bytes != nil:
		part.Bytes = out.Bytes[first:]
		if out.Residual != nil {
			part.Residual = out.Residual[first:]
		}
	case out.Floats != nil:
		part.Floats = out.Floats[first:]
	default:
		part.Sums = out.Sums[first:]
	}
	return part
}
