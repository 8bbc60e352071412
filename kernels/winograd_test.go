package kernels

import (
	"fmt"
	"math"
	"slices"
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

func newWinogradCase(n, c, h, w, k int, pads [4]int, size int) winogradCase {
	return winogradCase{size: size, Conv2D: Conv2D{
		N: n, C: c, H: h, W: w, K: k, R: 3, S: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1,
		PadTop: pads[0], PadLeft: pads[1], PadBottom: pads[2], PadRight: pads[3],
	}}
}

// direct is element i of the output, without bias.
func (w winogradCase) direct(src, weight []float32, i int) expectation {
	s, outHW := w.Conv2D, w.OutH()*w.OutW()
	n, k, y, x := i/(s.K*outHW), i/outHW%s.K, i/s.OutW()%s.OutH(), i%s.OutW()
	var e expectation
	for c := range s.C {
		for p := range 3 {
			for q := range 3 {
				iy, ix := y+p-s.PadTop, x+q-s.PadLeft
				if iy >= 0 && iy < s.H && ix >= 0 && ix < s.W {
					e.add(float64(src[((n*s.C+c)*s.H+iy)*s.W+ix]) * float64(weight[((k*s.C+c)*3+p)*3+q]))
				}
			}
		}
	}
	return e
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
			t.Fatalf("%+v: written beyond the output", w)
		}
	}
	got := unblocked(c, s.N, s.K, outHW, dst)
	for i := range got {
		k := i / outHW % s.K
		e := w.direct(src, weight, i)
		if w.bias {
			e.add(float64(bias[k]))
		}
		if w.residual {
			e.add(float64(residual[i]))
		}
		want := activated(w.act, e)
		if d := math.Abs(float64(got[i]) - want.value); !(d <= 1e-4*(1+math.Sqrt(float64(s.C)))) {
			t.Fatalf("%+v: output %d is %v, want %v", w, i, got[i], want.value)
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
				rapid.IntRange(1, 2).Draw(t, "N"), rapid.IntRange(1, 36).Draw(t, "C"),
				rapid.IntRange(3, 16).Draw(t, "H"), rapid.OneOf(rapid.IntRange(3, 16), rapid.IntRange(33, 42)).Draw(t, "W"), rapid.IntRange(1, 36).Draw(t, "K"),
				[4]int{pad.Draw(t, "top"), pad.Draw(t, "left"), pad.Draw(t, "bottom"), pad.Draw(t, "right")},
				rapid.SampledFrom([]int{2, 4}).Draw(t, "size"))
			w.act = rapid.SampledFrom([]Activation{NoActivation, ReLU, ReLU6, HardSwish, HardSigmoid, Sigmoid}).Draw(t, "act")
			w.bias, w.residual = rapid.Bool().Draw(t, "bias"), rapid.Bool().Draw(t, "residual")
			w.seed = rapid.Uint64().Draw(t, "seed")
			w.check(t, &ws)
		})
	})
}

// winogradAccuracy is the root mean square of the error against a convolution
// in double precision, in units in the last place of the output's own root
// mean square.
func winogradAccuracy(size int) float64 {
	w := newWinogradCase(1, 64, 16, 16, 8, [4]int{1, 1, 1, 1}, size)
	s, r, c := w.Conv2D, newRand(9), ChannelBlock()
	src, weight := randomSlice(r, s.inputSize()), randomSlice(r, s.weightSize())
	prepared := newWinograd(s, size, weight)
	dst := Aligned[float32](prepared.target * c * s.OutH() * s.OutW())
	var ws Workspace
	prepared.forward(&ws, dst, blocked(c, s.N, s.C, s.H*s.W, src, 0), nil, nil, NoActivation)
	var errors, values float64
	for i, x := range unblocked(c, s.N, s.K, s.OutH()*s.OutW(), dst) {
		want := w.direct(src, weight, i)
		errors += (float64(x) - want.value) * (float64(x) - want.value)
		values += want.value * want.value
	}
	return math.Sqrt(errors/values) * (1 << 24)
}

func TestWinogradAccuracy(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for size, most := range map[int]float64{2: 6, 4: 16} {
			got := winogradAccuracy(size)
			t.Logf("F(%d, 3): %.1f units in the last place", size, got)
			if got > most || got == 0 {
				t.Errorf("F(%d, 3): error of %.1f units in the last place, want at most %v", size, got, most)
			}
		}
	})
}

// A NaN or an infinity spoils the tiles that it belongs to and no others.
func TestWinogradNaN(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for _, size := range []int{2, 4} {
			for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
				s, r, c := newWinogradCase(1, 3, 13, 13, 4, [4]int{1, 1, 1, 1}, size).Conv2D, newRand(1), ChannelBlock()
				src, weight := randomSlice(r, s.inputSize()), randomSlice(r, s.weightSize())
				const y, x = 6, 5
				src[(1*s.H+y)*s.W+x] = bad
				blocks := (s.K + c - 1) / c
				dst := unaligned(blocks * s.H * s.W * c)
				var ws Workspace
				newWinograd(s, size, weight).forward(&ws, dst, blocked(c, 1, s.C, s.H*s.W, src, 0), nil, nil, ReLU)
				for i, v := range unblocked(c, 1, s.K, s.H*s.W, dst) {
					oy, ox := i/s.W%s.H, i%s.W
					// The patch of a tile starts a padding before it.
					py, px := oy/size*size-1, ox/size*size-1
					inPatch := y >= py && y < py+size+2 && x >= px && x < px+size+2
					direct := oy >= y-1 && oy <= y+1 && ox >= x-1 && ox <= x+1
					finite := !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0)
					if finite != !inPatch && !finite || direct && math.IsNaN(float64(bad)) && finite {
						t.Fatalf("F(%d, 3): %v in row %d, column %d of the input, output %v in row %d, column %d", size, bad, y, x, v, oy, ox)
					}
				}
			}
		}
	})
}

func TestWinogradAllocatesNothing(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		defer Threads(Threads(2))
		s, r, c := newWinogradCase(1, 16, 9, 9, 32, [4]int{1, 1, 1, 1}, 4).Conv2D, newRand(1), ChannelBlock()
		w := newWinograd(s, 4, randomSlice(r, s.weightSize()))
		src, dst := randomSlice(r, s.C*s.H*s.W+c), randomSlice(r, s.K*s.H*s.W)
		var ws Workspace
		if n := testing.AllocsPerRun(5, func() { w.forward(&ws, dst, src, nil, dst, Sigmoid) }); n != 0 {
			t.Errorf("forward allocates %v times a call", n)
		}
	})
}

// Neither repetition nor the number of threads changes a bit.
func TestWinogradRepeats(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		defer Threads(Threads(1))
		for _, s := range []Conv2D{
			newWinogradCase(1, 40, 11, 9, 40, [4]int{1, 1, 1, 1}, 0).Conv2D,  // one block of tiles
			newWinogradCase(3, 20, 22, 31, 12, [4]int{0, 1, 2, 0}, 0).Conv2D, // several
		} {
			for _, size := range []int{2, 4} {
				r, c := newRand(1), ChannelBlock()
				w := newWinograd(s, size, randomSlice(r, s.weightSize()))
				src := randomSlice(r, s.N*w.source*s.H*s.W*c)
				want := make([]float32, s.N*w.target*s.OutH()*s.OutW()*c)
				var ws Workspace
				w.forward(&ws, want, src, nil, nil, HardSwish)
				got := make([]float32, len(want))
				for run := range 9 {
					Threads(run%3 + 1)
					clear(got)
					w.forward(&ws, got, src, nil, nil, HardSwish)
					for i := range got {
						if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
							t.Fatalf("%+v, F(%d, 3), %d threads: element %d is %v, was %v", s, size, run%3+1, i, got[i], want[i])
						}
					}
				}
			}
		}
	})
}

func TestWinogradShortSlices(t *testing.T) {
	s := newWinogradCase(1, 4, 6, 6, 4, [4]int{1, 1, 1, 1}, 4).Conv2D
	w := newWinograd(s, 4, make([]float32, s.weightSize()))
	n := 36 * ChannelBlock()
	var ws Workspace
	for what, call := range map[string]func(){
		"input":    func() { w.forward(&ws, make([]float32, n), make([]float32, n-1), nil, nil, ReLU) },
		"output":   func() { w.forward(&ws, make([]float32, n-1), make([]float32, n), nil, nil, ReLU) },
		"bias":     func() { w.forward(&ws, make([]float32, n), make([]float32, n), make([]float32, 3), nil, ReLU) },
		"residual": func() { w.forward(&ws, make([]float32, n), make([]float32, n), nil, make([]float32, n-1), ReLU) },
		"weight":   func() { newWinograd(s, 4, make([]float32, s.weightSize()-1)) },
		"stride":   func() { s := s; s.StrideH = 2; newWinograd(s, 4, make([]float32, s.weightSize())) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a bad %s does not panic", what)
				}
			}()
			call()
		}()
	}
}

// eachWinogradBlock calls compare with the blocks of channels that the
// transforms in use work on.
func eachWinogradBlock(compare func(c int)) {
	if selected.base == neon {
		compare(4)
		compare(8)
		return
	}
	compare(tiles.width)
}

// checkTwin compares what a transform wrote with what its twin did. Both may
// round, by as much as most.
func checkTwin(t interface {
	Helper()
	Fatalf(string, ...any)
}, got, want []float32, most float64) {
	t.Helper()
	for i := range got {
		g, w := float64(got[i]), float64(want[i])
		if g == w || math.IsNaN(g) && math.IsNaN(w) || math.Abs(g-w) <= most {
			continue
		}
		t.Fatalf("element %d of %d is %v, want %v", i, len(got), g, w)
	}
}

// The transforms do what their Go twins do, and touch nothing else.
func TestWinogradTwins(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			size := rapid.SampledFrom([]int{2, 4}).Draw(t, "size")
			count := rapid.IntRange(1, 5).Draw(t, "count")
			poisoned := rapid.IntRange(0, 3).Draw(t, "poisoned") == 0
			residual := rapid.Bool().Draw(t, "residual")
			act := rapid.SampledFrom([]Activation{NoActivation, ReLU, ReLU6, HardSwish, HardSigmoid}).Draw(t, "act")
			eachWinogradBlock(func(c int) {
				points := size + 2
				step := c + rapid.IntRange(0, 3).Draw(t, "step")
				plane := step*count + rapid.IntRange(0, 9).Draw(t, "plane")
				in, inTwin := winogradTransforms.input4, winogradInput4Portable
				out, outTwin := winogradTransforms.output4, winogradOutput4Portable
				if size == 2 {
					in, inTwin = winogradTransforms.input2, winogradInput2Portable
					out, outTwin = winogradTransforms.output2, winogradOutput2Portable
				}

				weights, weightsTwin := winogradTransforms.weights4, winogradWeights4Portable
				if size == 2 {
					weights, weightsTwin = winogradTransforms.weights2, winogradWeights2Portable
				}
				vectors := rapid.IntRange(1, 2).Draw(t, "vectors")
				filters := randomSlice(r, count*9*vectors*c)
				if poisoned {
					poison(r, filters)
				}
				matrix := count*vectors*c + rapid.IntRange(0, 9).Draw(t, "matrix")
				g := &winogradFilter{src: &filters[0], plane: 4 * matrix, row: 4 * vectors * c, vectors: vectors, count: count}
				got := randomSlice(r, points*points*matrix)
				want := slices.Clone(got)
				g.dst = &got[0]
				weights(g)
				g.dst = &want[0]
				weightsTwin(g, c)
				checkTwin(t, got, want, 1e-5)

				x := &winogradInput{plane: 4 * plane, dstStep: 4 * step, count: count, vectors: c / 4}
				for i := range points {
					row := randomSlice(r, (count*size+2)*c)
					if poisoned {
						poison(r, row)
					}
					x.rows[i] = &row[0]
				}
				got = randomSlice(r, points*points*plane)
				want = slices.Clone(got)
				x.dst = &got[0]
				in(x)
				x.dst = &want[0]
				inTwin(x, c)
				checkTwin(t, got, want, 1e-4)

				src, bias := randomSlice(r, points*points*plane), randomSlice(r, c)
				if poisoned {
					poison(r, src)
				}
				dstRow := count*size*c + rapid.IntRange(0, 9).Draw(t, "row")
				f := &tile{}
				f.setActivation(act)
				y := &winogradOutput{
					src: &src[0], plane: 4 * plane, srcStep: 4 * step, dstRow: 4 * dstRow, count: count, bias: &bias[0],
					activation: f.activation, low: f.low, high: f.high, vectors: c / 4,
				}
				got = randomSlice(r, size*dstRow)
				want = slices.Clone(got)
				if residual {
					y.residual = &randomSlice(r, size*dstRow)[0]
				}
				y.dst = &got[0]
				out(y)
				y.dst = &want[0]
				outTwin(y, c)
				checkTwin(t, got, want, 1e-3)
			})
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
				src, dst, bias := Aligned[float32](s.inputSize()), Aligned[float32](s.outputSize()), Aligned[float32](s.K)
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

// The gradient of the input is a convolution with turned weights, which pack
// turns itself.
func TestWinogradTurned(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for _, size := range []int{2, 4} {
			s := newWinogradCase(1, 37, 5, 6, 20, [4]int{1, 0, 2, 1}, size).Conv2D
			gradient, ok := s.gradientConvolution()
			if !ok {
				t.Fatal("there is no gradient convolution")
			}
			weight := randomSlice(newRand(3), s.weightSize())
			turned := make([]float32, len(weight))
			turnWeights(turned, weight, s)
			want, got := newWinograd(gradient, size, turned), newWinograd(gradient, size, turned)
			clear(got.packed)
			var ws Workspace
			got.pack(&ws, weight, true)
			if !slices.Equal(got.packed, want.packed) {
				t.Errorf("F(%d, 3): weights turned by pack differ", size)
			}
			if n := testing.AllocsPerRun(3, func() { got.pack(&ws, weight, true) }); n != 0 {
				t.Errorf("F(%d, 3): pack allocates %v times", size, n)
			}
		}
	})
}
