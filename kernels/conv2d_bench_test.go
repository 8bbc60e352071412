package kernels

import (
	"fmt"
	"testing"
)

// networkConvolutions lists the distinct convolutions with one group of
// ResNet-50 and MobileNetV3-large: C, H = W, K, R = S, stride.
var networkConvolutions = [][5]int{
	{16, 112, 16, 1, 1}, {16, 112, 64, 1, 1}, {24, 56, 72, 1, 1}, {40, 28, 120, 1, 1},
	{40, 28, 240, 1, 1}, {64, 56, 24, 1, 1}, {64, 56, 64, 1, 1}, {64, 56, 256, 1, 1},
	{72, 28, 40, 1, 1}, {72, 56, 24, 1, 1}, {80, 14, 184, 1, 1}, {80, 14, 200, 1, 1},
	{80, 14, 480, 1, 1}, {112, 14, 672, 1, 1}, {120, 28, 40, 1, 1}, {128, 28, 512, 1, 1},
	{160, 7, 960, 1, 1}, {184, 14, 80, 1, 1}, {200, 14, 80, 1, 1}, {240, 14, 80, 1, 1},
	{256, 14, 1024, 1, 1}, {256, 56, 64, 1, 1}, {256, 56, 128, 1, 1}, {480, 14, 112, 1, 1},
	{512, 7, 2048, 1, 1}, {512, 28, 128, 1, 1}, {512, 28, 256, 1, 1}, {672, 7, 160, 1, 1},
	{672, 14, 112, 1, 1}, {960, 7, 160, 1, 1}, {1024, 14, 256, 1, 1}, {1024, 14, 512, 1, 1},
	{2048, 7, 512, 1, 1}, {256, 56, 512, 1, 2}, {512, 28, 1024, 1, 2}, {1024, 14, 2048, 1, 2},
	{64, 56, 64, 3, 1}, {128, 28, 128, 3, 1}, {256, 14, 256, 3, 1}, {512, 7, 512, 3, 1},
	{3, 224, 16, 3, 2}, {128, 56, 128, 3, 2}, {256, 28, 256, 3, 2}, {512, 14, 512, 3, 2},
	{3, 224, 64, 7, 2},
}

// squareConv2D is a convolution that keeps the size of the image but for the
// stride.
func squareConv2D(c, h, k, r, stride int) Conv2D {
	return Conv2D{
		N: 1, C: c, H: h, W: h, K: k, R: r, S: r, StrideH: stride, StrideW: stride,
		PadTop: r / 2, PadLeft: r / 2, PadBottom: r / 2, PadRight: r / 2, DilationH: 1, DilationW: 1, Groups: 1,
	}
}

// BenchmarkConv2D runs the convolutions of networks by their canonical
// workload name, in blocks of channels but for the first layer's input.
func BenchmarkConv2D(b *testing.B) {
	for _, x := range networkConvolutions {
		s := squareConv2D(x[0], x[1], x[2], x[3], x[4])
		in := Blocked
		if s.C == 3 {
			in = Planar
		}
		name := fmt.Sprintf("conv2d/f32/n%dc%dh%dw%d/k%dr%ds%d/stride%d.pad%d.dil1.group1/none", s.N, s.C, s.H, s.W, s.K, s.R, s.S, s.StrideH, s.PadTop)
		b.Run(name, func(b *testing.B) {
			r := newRand(1)
			src, dst := Aligned[float32](in.Size(s.N, s.C, s.H*s.W)), Aligned[float32](Blocked.Size(s.N, s.K, s.OutH()*s.OutW()))
			p, err := PackConv2DLayouts(s, in, Blocked, randomSlice(r, s.weightSize()), randomSlice(r, s.K))
			if err != nil {
				b.Fatal(err)
			}
			var ws Workspace
			for b.Loop() {
				p.Forward(&ws, dst, src, nil, NoActivation)
			}
			reportGFLOPS(b, 2*s.outputSize()*s.C*s.R*s.S)
		})
	}
}
