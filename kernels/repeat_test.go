package kernels

import (
	"slices"
	"testing"
)

// For each number of threads a hundred runs give the same bits, and so do all
// numbers of threads.
func TestHundredRuns(t *testing.T) {
	const runs = 100
	image := func(c, h, k, window, stride, groups int) Conv2D {
		return Conv2D{
			N: 2, C: c, H: h, W: h, K: k, R: window, S: window, StrideH: stride, StrideW: stride, DilationH: 1, DilationW: 1,
			PadTop: window / 2, PadLeft: window / 2, PadBottom: window / 2, PadRight: window / 2, Groups: groups,
		}
	}
	r := newRand(1)
	var ws Workspace
	convolution := func(in Layout, s Conv2D) func(dst []float32) int {
		p, err := PackConv2DLayouts(s, in, Blocked, randomSlice(r, s.weightSize()), randomSlice(r, s.K))
		if err != nil {
			t.Fatal(err)
		}
		src := randomSlice(r, in.Size(s.N, s.C, s.H*s.W))
		n := BlockedSize(s.N, s.K, s.OutH()*s.OutW())
		return func(dst []float32) int {
			p.Forward(&ws, dst[:n], src, nil, ReLU)
			return n
		}
	}
	a, b, q := randomSlice(r, 150*130), randomSlice(r, 130*140), randomSlice(r, 2*3*40*32)
	attention := Attention{Batch: 2, Heads: 3, QueryLen: 40, KVLen: 40, KeyDim: 32, ValueDim: 32}
	cache := randomSlice(r, 2*960*32)
	decode := Attention{Batch: 1, Heads: 2, QueryLen: 1, KVLen: 960, KeyDim: 32, ValueDim: 32}
	left, right, scale := randomBytes(r, 100*128), signed(randomBytes(r, 128*140)), randomSlice(r, 140)
	bytes := PackInt8Gemm(128, 140, right, nil)
	for name, run := range map[string]func(dst []float32) int{
		"gemm": func(dst []float32) int {
			Gemm(&ws, false, false, 150, 140, 130, 1, a, 130, b, 140, 0, dst, 140)
			return 150 * 140
		},
		"pointwise": convolution(Blocked, image(40, 14, 48, 1, 1, 1)),
		"3x3":       convolution(Blocked, image(64, 14, 64, 3, 1, 1)),
		"stride 2":  convolution(Blocked, image(32, 15, 40, 3, 2, 1)),
		"depthwise": convolution(Blocked, image(64, 28, 64, 5, 1, 64)),
		"planes":    convolution(Planar, image(3, 60, 40, 3, 2, 1)),
		"int8": func(dst []float32) int {
			bytes.Forward(&ws, 100, Int8Input{Data: left}, &Int8Output{Floats: dst[:100*140], Scale: scale})
			return 100 * 140
		},
		"attention": func(dst []float32) int {
			AttentionForward(&ws, attention, dst, q, q, q, nil, nil)
			return 2 * 3 * 40 * 32
		},
		"decode": func(dst []float32) int {
			AttentionForward(&ws, decode, dst, a, cache, cache, nil, nil)
			return 2 * 32
		},
		"reduce": func(dst []float32) int {
			return copy(dst, []float32{Sum(a), Dot(a[:1000], b)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer Threads(Threads(1))
			first, next := make([]float32, 1<<18), make([]float32, 1<<18)
			n := run(first)
			for threads := 1; threads <= 3; threads++ {
				Threads(threads)
				for i := range runs {
					run(next)
					if !slices.Equal(first[:n], next[:n]) {
						t.Fatalf("run %d on %d threads gives other bits than the first on 1", i, threads)
					}
				}
			}
		})
	}
}
