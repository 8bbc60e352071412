package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// eachImplementation runs test with every implementation of this processor.
func eachImplementation(t *testing.T, test func(t *testing.T)) {
	before := Implementation()
	t.Cleanup(func() {
		if err := Use(before); err != nil {
			t.Fatal(err)
		}
	})
	for _, name := range Implementations() {
		t.Run(name, func(t *testing.T) {
			if err := Use(name); err != nil {
				t.Fatal(err)
			}
			test(t)
		})
	}
}

// normal returns n normally distributed elements that start skip elements
// into their allocation, so that they are unaligned, and end with it.
func normal(random *rand.Rand, skip, n int) []float32 {
	x := make([]float32, skip+n)[skip:]
	for i := range x {
		x[i] = float32(random.NormFloat64())
	}
	return x
}

// guarded returns a copy of x between guard elements, and a function that
// fails the test if they were written to.
func guarded(x []float32) ([]float32, func(tb rapid.TB, name string)) {
	const guard = 40
	// Adding a zero to it changes even this pattern.
	pattern := float32(math.Copysign(0, -1))
	all := make([]float32, len(x)+2*guard)
	for i := range all {
		all[i] = pattern
	}
	inner := all[guard : guard+len(x)]
	copy(inner, x)
	return inner, func(tb rapid.TB, name string) {
		tb.Helper()
		for i, v := range all {
			if (i < guard || i >= guard+len(x)) && math.Float32bits(v) != math.Float32bits(pattern) {
				tb.Fatalf("%s: wrote %v at %d of %d elements", name, v, i-guard, len(x))
			}
		}
	}
}

// requireClose fails unless got is within tolerance of want, relative to the
// larger of 1 and |want|; NaN and infinities must be the same.
func requireClose(tb rapid.TB, name string, got, want []float32, tolerance float64) {
	tb.Helper()
	if len(got) != len(want) {
		tb.Fatalf("%s: %d elements, want %d", name, len(got), len(want))
	}
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		if !(math.Abs(g-w) <= tolerance*max(1, math.Abs(w))) {
			tb.Fatalf("%s: element %d is %v, want %v", name, i, g, w)
		}
	}
}

// drawDepthwise draws a shape small enough for the reference.
func drawDepthwise(t *rapid.T) Conv2D {
	s := Conv2D{
		C: rapid.IntRange(1, 4).Draw(t, "C"),
		H: rapid.IntRange(1, 34).Draw(t, "H"), W: rapid.IntRange(1, 34).Draw(t, "W"),
		R: rapid.IntRange(1, 7).Draw(t, "R"), S: rapid.IntRange(1, 7).Draw(t, "S"),
		StrideH: rapid.IntRange(1, 3).Draw(t, "strideH"), StrideW: rapid.IntRange(1, 3).Draw(t, "strideW"),
		DilationH: rapid.IntRange(1, 2).Draw(t, "dilationH"), DilationW: rapid.IntRange(1, 2).Draw(t, "dilationW"),
		PadTop: rapid.IntRange(0, 7).Draw(t, "top"), PadLeft: rapid.IntRange(0, 7).Draw(t, "left"),
		PadBottom: rapid.IntRange(0, 7).Draw(t, "bottom"), PadRight: rapid.IntRange(0, 7).Draw(t, "right"),
	}
	// Small images are stacked; of those, more than one stack.
	s.N = rapid.IntRange(1, max(3, min(2*scratchImages+2, 1000/(s.H*s.W)))).Draw(t, "N")
	s.K, s.Groups = s.C*max(1, rapid.IntRange(-3, 3).Draw(t, "multiplier")), s.C
	if s.H+s.PadTop+s.PadBottom <= (s.R-1)*s.DilationH {
		s.PadBottom += (s.R - 1) * s.DilationH
	}
	if s.W+s.PadLeft+s.PadRight <= (s.S-1)*s.DilationW {
		s.PadRight += (s.S - 1) * s.DilationW
	}
	return s
}

// depthwiseTerms is the definition: it visits every pair of an output and an
// input that one position of the kernel joins.
func depthwiseTerms(s Conv2D, visit func(channel, dst, src, weight int)) {
	outH, outW := s.OutH(), s.OutW()
	for i := range s.N * s.K {
		c := i % s.K
		plane := i / (s.K / s.C) // of the input
		for y := range outH {
			for x := range outW {
				for r := range s.R {
					iy := y*s.StrideH - s.PadTop + r*s.DilationH
					for q := range s.S {
						ix := x*s.StrideW - s.PadLeft + q*s.DilationW
						if iy >= 0 && iy < s.H && ix >= 0 && ix < s.W {
							visit(c, (i*outH+y)*outW+x, (plane*s.H+iy)*s.W+ix, (c*s.R+r)*s.S+q)
						}
					}
				}
			}
		}
	}
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

var activations = []Activation{NoActivation, ReLU, ReLU6, HardSwish, HardSigmoid, Sigmoid}

func checkDepthwise(t rapid.TB, s Conv2D, act Activation, hasBias, hasResidual, inPlace bool, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	var ws Workspace
	inLen, outLen := s.inputSize(), s.outputSize()
	src, weight := normal(random, 3, inLen), normal(random, 1, s.K*s.R*s.S)
	ddst := normal(random, 1, outLen)
	var bias, residual []float32
	if hasBias {
		bias = normal(random, 0, s.K)
	}
	if hasResidual {
		residual = normal(random, 2, outLen)
	}

	want := make([]float64, outLen)
	plane := s.OutH() * s.OutW()
	for i := range want {
		if bias != nil {
			want[i] = float64(bias[i/plane%s.K])
		}
		if residual != nil {
			want[i] += float64(residual[i])
		}
	}
	dst, checkDst := guarded(ddst)
	if hasResidual && inPlace {
		copy(dst, residual)
		residual = dst
	}
	depthwiseTerms(s, func(_, d, i, w int) { want[d] += float64(src[i]) * float64(weight[w]) })
	activated := make([]float32, outLen)
	Activate(act, activated, narrow(want))
	depthwiseForward(&ws, s, dst, src, weight, bias, residual, act)
	checkDst(t, "forward")
	requireClose(t, "forward", dst, activated, 1e-5)

	start := normal(random, 0, inLen)
	wantSrc := widen(start)
	depthwiseTerms(s, func(_, d, i, w int) { wantSrc[i] += float64(ddst[d]) * float64(weight[w]) })
	dsrc, checkSrc := guarded(start)
	depthwiseBackwardInput(&ws, s, dsrc, ddst, weight)
	checkSrc(t, "backward input")
	requireClose(t, "backward input", dsrc, narrow(wantSrc), 1e-5)

	startWeight := normal(random, 0, len(weight))
	wantWeight := widen(startWeight)
	depthwiseTerms(s, func(_, d, i, w int) { wantWeight[w] += float64(ddst[d]) * float64(src[i]) })
	dweight, checkWeight := guarded(startWeight)
	depthwiseBackwardWeight(&ws, s, dweight, src, ddst)
	checkWeight(t, "backward weight")
	requireClose(t, "backward weight", dweight, narrow(wantWeight), 1e-4)
}

// TestDepthwiseMatchesDefinition compares the three passes with the sum that
// defines them, in float64.
func TestDepthwiseMatchesDefinition(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			checkDepthwise(t, drawDepthwise(t), rapid.SampledFrom(activations).Draw(t, "activation"),
				rapid.Bool().Draw(t, "bias"), rapid.Bool().Draw(t, "residual"), rapid.Bool().Draw(t, "in place"),
				rapid.Uint64().Draw(t, "seed"))
		})
	})
}

// TestDepthwiseKernelsMatchPortable holds the kernels to what they may write.
func TestDepthwiseKernelsMatchPortable(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
			compare := func(name string, size int, run func(k *depthwiseKernels, dst []float32) (used int)) {
				t.Helper()
				start := normal(random, 0, size)
				want := append([]float32(nil), start...)
				used := run(&portableDepthwise, want)
				got, check := guarded(start)
				run(&depthwise, got)
				check(t, name)
				requireClose(t, name, got[:used], want[:used], 1e-4)
			}
			n := rapid.IntRange(1, 300).Draw(t, "n")
			src := normal(random, 1, 2*n+scratchSlack)
			offsets := make([]int, correlateTaps)
			for i := range offsets {
				offsets[i] = random.IntN(n)
			}
			weights := normal(random, 1, correlateTaps)
			taps := rapid.IntRange(0, correlateTaps).Draw(t, "taps")
			compare("convolve", n+scratchSlack, func(k *depthwiseKernels, dst []float32) int {
				k.convolve(dst, src, n, offsets[:taps], weights[:taps], 0.5, -2, 3)
				return n
			})
			grad := make([]float32, n+scratchSlack)
			copy(grad, normal(random, 0, n))
			compare("correlate", correlateTaps, func(k *depthwiseKernels, sums []float32) int {
				k.correlate((*[correlateTaps]float32)(sums), grad, src, n, (*[correlateTaps]int)(offsets))
				return correlateTaps
			})

			rows, width := rapid.IntRange(1, 5).Draw(t, "rows"), rapid.IntRange(1, 70).Draw(t, "width")
			pitch := width + rapid.IntRange(0, 9).Draw(t, "gap")
			plane := normal(random, 3, rows*pitch+scratchSlack)
			last := (rows-1)*pitch + width
			compare("copyPlane", last, func(k *depthwiseKernels, dst []float32) int {
				k.copyPlane(dst, plane, rows, pitch, width, width)
				return last
			})
			compare("addPlane", last, func(k *depthwiseKernels, dst []float32) int {
				k.addPlane(dst, plane, rows, pitch, pitch, width)
				return last
			})
			odd := normal(random, 2, len(plane))
			compare("mergePlane", last, func(k *depthwiseKernels, dst []float32) int {
				k.mergePlane(dst, plane, odd, rows, pitch, pitch, width)
				return last
			})
			half := (width + 1) / 2
			for _, part := range []string{"even", "odd"} {
				compare("splitPlane, "+part, last+scratchSlack/2, func(k *depthwiseKernels, dst []float32) int {
					clear(dst)
					other := make([]float32, len(dst))
					if part == "even" {
						k.splitPlane(dst, other, plane, rows, half, pitch, width)
					} else {
						k.splitPlane(other, dst, plane, rows, half, pitch, width)
						return rows*half - half + width/2
					}
					return rows * half
				})
			}
		})
	})
}

// TestDepthwiseShapes covers the layers of mobile networks.
func TestDepthwiseShapes(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for _, size := range []int{4, 7, 14, 28, 56} {
			for _, kernel := range []int{3, 5, 7} {
				for _, stride := range []int{1, 2} {
					s := squareDepthwise(3, 2, size, kernel, stride)
					checkDepthwise(t, s, ReLU6, true, false, false, 1)
				}
			}
		}
		// Without any padding between them, two stacks of which one is not full.
		checkDepthwise(t, squareDepthwise(scratchImages+3, 2, 5, 1, 1), NoActivation, false, false, false, 1)
	})
}

func squareDepthwise(n, c, size, kernel, stride int) Conv2D {
	pad := kernel / 2
	return Conv2D{
		N: n, C: c, H: size, W: size, K: c, R: kernel, S: kernel, StrideH: stride, StrideW: stride,
		PadTop: pad, PadLeft: pad, PadBottom: pad, PadRight: pad, DilationH: 1, DilationW: 1, Groups: c,
	}
}

// TestDepthwiseNaN: what an output depends on is NaN if that is, and nothing else.
func TestDepthwiseNaN(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		s := squareDepthwise(2, 3, 9, 3, 1)
		random := rand.New(rand.NewPCG(1, 2))
		src, weight := normal(random, 0, s.N*s.C*81), normal(random, 0, s.C*9)
		src[100] = float32(math.NaN())
		for _, act := range activations {
			want := make([]bool, len(src))
			depthwiseTerms(s, func(_, d, i, _ int) { want[d] = want[d] || i == 100 })
			dst := make([]float32, len(src))
			var ws Workspace
			depthwiseForward(&ws, s, dst, src, weight, nil, nil, act)
			for i, v := range dst {
				if math.IsNaN(float64(v)) != want[i] {
					t.Fatalf("activation %d: element %d is %v", act, i, v)
				}
			}
		}
	})
}

func TestDepthwiseAllocatesNothing(t *testing.T) {
	s := squareDepthwise(2, 8, 14, 3, 2)
	src, weight := make([]float32, s.N*s.C*196), make([]float32, s.C*9)
	dst := make([]float32, s.N*s.C*49)
	var ws Workspace
	if n := testing.AllocsPerRun(100, func() {
		depthwiseForward(&ws, s, dst, src, weight, nil, nil, ReLU)
		depthwiseBackwardInput(&ws, s, src, dst, weight)
		depthwiseBackwardWeight(&ws, s, weight, src, dst)
	}); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

// TestDepthwiseRepeats: any number of threads gives the same bits, and no call
// allocates.
func TestDepthwiseRepeats(t *testing.T) {
	defer Threads(Threads(1))
	r := newRand(5)
	for _, s := range []Conv2D{squareDepthwise(9, 21, 14, 5, 1), squareDepthwise(5, 20, 28, 3, 2)} {
		src, ddst, weight := randomSlice(r, s.inputSize()), randomSlice(r, s.outputSize()), randomSlice(r, s.weightSize())
		var want []float32
		var ws Workspace
		dst, dsrc, dweight := make([]float32, len(ddst)), make([]float32, len(src)), make([]float32, len(weight))
		run := func() {
			clear(dsrc)
			clear(dweight)
			depthwiseForward(&ws, s, dst, src, weight, nil, nil, ReLU)
			depthwiseBackwardInput(&ws, s, dsrc, ddst, weight)
			depthwiseBackwardWeight(&ws, s, dweight, src, ddst)
		}
		for _, threads := range []int{1, 2, 3} {
			Threads(threads)
			for range 4 {
				run()
				got := slices.Concat(dst, dsrc, dweight)
				if want == nil {
					want = got
				}
				for i := range got {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Fatalf("%d threads: element %d is %v, was %v", threads, i, got[i], want[i])
					}
				}
			}
			if n := testing.AllocsPerRun(10, run); n != 0 {
				t.Errorf("%d threads: %v allocations a run", threads, n)
			}
		}
	}
}

func FuzzDepthwise(f *testing.F) {
	f.Add(uint64(1), uint8(7), uint8(7), uint8(3), uint8(3), uint8(1), uint8(1), uint8(1))
	f.Add(uint64(2), uint8(14), uint8(5), uint8(5), uint8(7), uint8(2), uint8(3), uint8(2))
	f.Fuzz(func(t *testing.T, seed uint64, h, w, r, q, strideH, strideW, pad uint8) {
		s := Conv2D{
			N: 1 + int(seed%4), C: 2, H: 1 + int(h%40), W: 1 + int(w%40), R: 1 + int(r%8), S: 1 + int(q%8),
			StrideH: 1 + int(strideH%4), StrideW: 1 + int(strideW%4), DilationH: 1, DilationW: 1,
			PadTop: int(pad % 8), PadLeft: int(pad / 8 % 8), PadBottom: 8, PadRight: 8,
			K: 2, Groups: 2,
		}
		checkDepthwise(t, s, activations[seed%6], seed&8 != 0, seed&16 != 0, seed&32 != 0, seed)
		checkDepthwiseBlocked(t, s, activations[seed%6], seed&8 != 0, seed&16 != 0, seed&32 != 0, seed&64 != 0, seed)
	})
}

// depthwiseName is the canonical name of the workload.
func depthwiseName(s Conv2D) string {
	return fmt.Sprintf("conv2d/f32/n%dc%dh%dw%d/k%dr%ds%d/stride%d.pad%d.dil1.group%d/none",
		s.N, s.C, s.H, s.W, s.K, s.R, s.S, s.StrideH, s.PadTop, s.Groups)
}

func BenchmarkDepthwiseTraining(b *testing.B) {
	before := Implementation()
	defer Use(before)
	shapes := []Conv2D{
		squareDepthwise(64, 64, 28, 3, 2), squareDepthwise(64, 96, 14, 3, 1), squareDepthwise(64, 96, 14, 5, 2),
		squareDepthwise(64, 160, 7, 5, 1), squareDepthwise(64, 160, 7, 3, 1), squareDepthwise(64, 240, 14, 3, 1),
		squareDepthwise(64, 240, 7, 5, 1), squareDepthwise(64, 96, 28, 3, 1), squareDepthwise(64, 144, 14, 5, 1),
		squareDepthwise(64, 240, 14, 5, 2), squareDepthwise(64, 120, 28, 3, 2),
	}
	random := rand.New(rand.NewPCG(1, 1))
	var ws Workspace
	for _, name := range Implementations() {
		for _, s := range shapes {
			src, weight := normal(random, 0, s.N*s.C*s.H*s.W), normal(random, 0, s.C*s.R*s.S)
			dst := normal(random, 0, s.N*s.C*s.OutH()*s.OutW())
			flops := 2 * float64(len(dst)) * float64(s.R*s.S)
			for _, pass := range []struct {
				name string
				run  func()
			}{
				{"forward", func() { depthwiseForward(&ws, s, dst, src, weight, nil, nil, NoActivation) }},
				{"input", func() { depthwiseBackwardInput(&ws, s, src, dst, weight) }},
				{"weight", func() { depthwiseBackwardWeight(&ws, s, weight, src, dst) }},
			} {
				b.Run(name+"/"+pass.name+"/"+depthwiseName(s), func(b *testing.B) {
					if err := Use(name); err != nil {
						b.Fatal(err)
					}
					clear(weight)
					for b.Loop() {
						pass.run()
					}
					b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
