package kernels

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// blocked returns the layout NCHWc of channel-major images [n, channels, hw].
// Lanes beyond the channels get the value fill.
func blocked(c, n, channels, hw int, src []float32, fill float32) []float32 {
	blocks := (channels + c - 1) / c
	dst := unaligned(n * blocks * hw * c)
	for i := range dst {
		image, block, p, lane := i/(blocks*hw*c), i/(hw*c)%blocks, i/c%hw, i%c
		dst[i] = fill
		if channel := block*c + lane; channel < channels {
			dst[i] = src[(image*channels+channel)*hw+p]
		}
	}
	return dst
}

// unblocked is the reverse of blocked.
func unblocked(c, n, channels, hw int, src []float32) []float32 {
	blocks := (channels + c - 1) / c
	dst := make([]float32, n*channels*hw)
	for i := range dst {
		image, channel, p := i/(channels*hw), i/hw%channels, i%hw
		dst[i] = src[((image*blocks+channel/c)*hw+p)*c+channel%c]
	}
	return dst
}

// winogradCase is a convolution by Winograd's method.
type winogradCase struct {
	Conv2D
	size           int
	act            Activation
	bias, residual bool
	seed           uint64
}

func (w winogradCase) String() string { return fmt.Sprintf("%+v", struct{ winogradCase }{w}) }

func newWinogradCase(n, c, h, w, k int, pads [4]int, size int) winogradCase {
	return winogradCase{size: size, Conv2D: Conv2D{
		N: n, C: c, H: h, W: w, K: k, R: 3, S: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1,
		PadTop: pads[0], PadLeft: pads[1], PadBottom: pads[2], PadRight: pads[3],
	}}
}

// check compares the convolution with a direct one in double precision.
func (w winogradCase) check(t interface {
	Helper()
	Fatalf(string, ...any)
}, ws *Workspace) {
	t.Helper()
	s, r, c := w.Conv2D, newRand(w.seed), ChannelBlock()
	src, weight := randomSlice(r, s.inputSize()), randomSlice(r, s.weightSize())
	outHW := s.OutH() * s.OutW()
	kBlocks := (s.K + c - 1) / c
	var bias, residual, blockedResidual []float32
	if w.bias {
		bias = randomSlice(r, kBlocks*c)
	}
	if w.residual {
		residual = randomSlice(r, s.outputSize())
		blockedResidual = blocked(c, s.N, s.K, outHW, residual, 7)
	}
	const guard = 32
	dst := unaligned(s.N*kBlocks*outHW*c + guard)
	for i := range dst {
		dst[i] = 1234
	}
	newWinograd(s, w.size, weight).forward(ws, dst[:len(dst)-guard], blocked(c, s.N, s.C, s.H*s.W, src, 5), bias, blockedResidual, w.act)
	for _, x := range dst[len(dst)-guard:] {
		if x != 1234 {
			t.Fatalf("%v: written beyond the output", w)
		}
	}
	got := unblocked(c, s.N, s.K, outHW, dst)
	for i := range got {
		n, k, y, x := i/(s.K*outHW), i/outHW%s.K, i/s.OutW()%s.OutH(), i%s.OutW()
		// Errors spread over a tile.
		var e expectation
		for ic := range s.C {
			for p := range 3 {
				for q := range 3 {
					iy, ix := y+p-s.PadTop, x+q-s.PadLeft
					if iy >= 0 && iy < s.H && ix >= 0 && ix < s.W {
						e.add(float64(src[((n*s.C+ic)*s.H+iy)*s.W+ix]) * float64(weight[((k*s.C+ic)*3+p)*3+q]))
					}
				}
			}
		}
		if w.bias {
			e.add(float64(bias[k]))
		}
		if w.residual {
			e.add(float64(residual[i]))
		}
		want := activated(w.act, e)
		if d := math.Abs(float64(got[i]) - want.value); !(d <= 1e-4*(1+math.Sqrt(float64(s.C)))) {
			t.Fatalf("%v: output %d (image %d, channel %d, row %d, column %d) is %v, want %v", w, i, n, k, y, x, got[i], want.value)
		}
	}
}

func TestWinograd(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		for _, size := range []int{2, 4} {
			newWinogradCase(1, 16, 8, 8, 16, [4]int{1, 1, 1, 1}, size).check(t, &ws)
			newWinogradCase(2, 3, 3, 3, 5, [4]int{}, size).check(t, &ws)
			newWinogradCase(1, 1, 1, 1, 1, [4]int{2, 2, 2, 2}, size).check(t, &ws)
		}
		rapid.Check(t, func(t *rapid.T) {
			pad := rapid.IntRange(0, 2)
			w := newWinogradCase(
				rapid.IntRange(1, 3).Draw(t, "N"), rapid.IntRange(1, 40).Draw(t, "C"),
				rapid.IntRange(3, 20).Draw(t, "H"), rapid.IntRange(3, 20).Draw(t, "W"), rapid.IntRange(1, 50).Draw(t, "K"),
				[4]int{pad.Draw(t, "top"), pad.Draw(t, "left"), pad.Draw(t, "bottom"), pad.Draw(t, "right")},
				rapid.SampledFrom([]int{2, 4}).Draw(t, "size"))
			w.act = rapid.SampledFrom([]Activation{NoActivation, ReLU, ReLU6, HardSwish, HardSigmoid, Sigmoid}).Draw(t, "act")
			w.bias, w.residual = rapid.Bool().Draw(t, "bias"), rapid.Bool().Draw(t, "residual")
			w.seed = rapid.Uint64().Draw(t, "seed")
			w.check(t, &ws)
		})
	})
}

// winogradWorkloads are the 3x3 convolutions of stride 1 of ResNet-50.
var winogradWorkloads = []Conv2D{
	newWinogradCase(1, 64, 56, 56, 64, [4]int{1, 1, 1, 1}, 0).Conv2D,
	newWinogradCase(1, 128, 28, 28, 128, [4]int{1, 1, 1, 1}, 0).Conv2D,
	newWinogradCase(1, 256, 14, 14, 256, [4]int{1, 1, 1, 1}, 0).Conv2D,
	newWinogradCase(1, 512, 7, 7, 512, [4]int{1, 1, 1, 1}, 0).Conv2D,
}

func BenchmarkWinograd(b *testing.B) {
	for _, s := range winogradWorkloads {
		for _, size := range []int{4, 2} {
			b.Run(fmt.Sprintf("size%d/conv2d/f32/n%dc%dh%dw%d/k%dr3s3/stride1.pad1.dil1.group1/none", size, s.N, s.C, s.H, s.W, s.K), func(b *testing.B) {
				r := newRand(1)
				w := newWinograd(s, size, randomSlice(r, s.weightSize()))
				src, dst, bias := aligned(s.inputSize()), aligned(s.outputSize()), aligned(s.K)
				copy(src, randomSlice(r, len(src)))
				var ws Workspace
				for b.Loop() {
					w.forward(&ws, dst, src, bias, nil, NoActivation)
				}
				reportGFLOPS(b, 2*s.outputSize()*s.C*9)
			})
		}
	}
}
