package kernels

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// eachTerm calls f with the indices into input, weight and output of every
// product that a convolution sums up.
func eachTerm(s Conv2D, f func(input, weight, output int)) {
	cg, kg := s.C/s.Groups, s.K/s.Groups
	for n := range s.N {
		for k := range s.K {
			for y := range s.OutH() {
				for x := range s.OutW() {
					output := ((n*s.K+k)*s.OutH()+y)*s.OutW() + x
					for c := range cg {
						for r := range s.R {
							for q := range s.S {
								iy := y*s.StrideH - s.PadTop + r*s.DilationH
								ix := x*s.StrideW - s.PadLeft + q*s.DilationW
								if iy < 0 || iy >= s.H || ix < 0 || ix >= s.W {
									continue
								}
								f(((n*s.C+k/kg*cg+c)*s.H+iy)*s.W+ix, ((k*cg+c)*s.R+r)*s.S+q, output)
							}
						}
					}
				}
			}
		}
	}
}

func drawConv2D(t *rapid.T) Conv2D {
	small := rapid.IntRange(1, 3)
	s := Conv2D{
		N: small.Draw(t, "N"), Groups: rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "Groups"),
		H: rapid.IntRange(1, 12).Draw(t, "H"), W: rapid.IntRange(1, 20).Draw(t, "W"),
		R: rapid.IntRange(1, 5).Draw(t, "R"), S: rapid.IntRange(1, 5).Draw(t, "S"),
		StrideH: small.Draw(t, "StrideH"), StrideW: small.Draw(t, "StrideW"),
		DilationH: small.Draw(t, "DilationH"), DilationW: small.Draw(t, "DilationW"),
	}
	if rapid.IntRange(0, 3).Draw(t, "pointwise") == 0 {
		s.R, s.S, s.StrideH, s.StrideW = 1, 1, 1, 1
	} else {
		pad := rapid.IntRange(0, 4)
		s.PadTop, s.PadLeft = pad.Draw(t, "PadTop"), pad.Draw(t, "PadLeft")
		s.PadBottom, s.PadRight = pad.Draw(t, "PadBottom"), pad.Draw(t, "PadRight")
	}
	s.C = s.Groups * rapid.IntRange(1, 6).Draw(t, "C")
	s.K = s.Groups * rapid.IntRange(1, 20).Draw(t, "K")
	if s.Validate() != nil { // the kernel does not fit
		s.R, s.S = 1, 1
	}
	return s
}

func TestConv2DInference(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			c := drawConvCase(t)
			c.algorithm, _ = c.shape.selectAlgorithm(c.in, c.out)
			c.check(t, &ws)
		})
	})
}

// TestConv2DOverResidual writes the result over the residual, as a plan that
// shares memory does, with reductions long enough to be done in several blocks.
func TestConv2DOverResidual(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		for _, s := range []Conv2D{
			{N: 1, C: 1500, H: 5, W: 7, K: 9, R: 1, S: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
			{N: 2, C: 170, H: 6, W: 6, K: 20, R: 3, S: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, DilationH: 1, DilationW: 1, Groups: 1},
			{N: 1, C: 12, H: 9, W: 9, K: 12, R: 5, S: 5, StrideH: 1, StrideW: 1, PadTop: 2, PadLeft: 2, PadBottom: 2, PadRight: 2, DilationH: 1, DilationW: 1, Groups: 12},
		} {
			r := newRand(1)
			src, weight, bias, residual := randomSlice(r, s.inputSize()), randomSlice(r, s.weightSize()), randomSlice(r, s.K), randomSlice(r, s.outputSize())
			p, err := PackConv2D(s, weight, bias)
			if err != nil {
				t.Fatal(err)
			}
			apart := make([]float32, s.outputSize())
			p.Forward(&ws, apart, src, residual, ReLU)
			over := slices.Clone(residual)
			p.Forward(&ws, over, src, over, ReLU)
			if diff := cmp.Diff(apart, over); diff != "" {
				t.Errorf("%+v: over the residual (+) other than apart (-):\n%s", s, diff)
			}
		}
	})
}

func TestConv2DTraining(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			s := drawConv2D(t)
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			src, weight, bias := randomSlice(r, s.inputSize()), randomSlice(r, s.weightSize()), randomSlice(r, s.K)
			ddst := randomSlice(r, s.outputSize())
			dsrc, dweight := randomSlice(r, len(src)), randomSlice(r, len(weight))

			wantDst := make([]expectation, len(ddst))
			wantDsrc, wantDweight := make([]expectation, len(src)), make([]expectation, len(weight))
			for i := range wantDst {
				wantDst[i].add(float64(bias[i/(s.OutH()*s.OutW())%s.K]))
			}
			for i, x := range dsrc {
				wantDsrc[i].add(float64(x))
			}
			for i, x := range dweight {
				wantDweight[i].add(float64(x))
			}
			eachTerm(s, func(input, w, output int) {
				wantDst[output].add(float64(src[input]) * float64(weight[w]))
				wantDsrc[input].add(float64(ddst[output]) * float64(weight[w]))
				wantDweight[w].add(float64(ddst[output]) * float64(src[input]))
			})

			dst := randomSlice(r, len(ddst))
			Conv2DForward(&ws, s, dst, src, weight, bias)
			checkClose(t, fmt.Sprintf("forward %+v", s), dst, wantDst)
			Conv2DBackwardInput(&ws, s, dsrc, ddst, weight)
			checkClose(t, fmt.Sprintf("backward input %+v", s), dsrc, wantDsrc)
			Conv2DBackwardWeight(&ws, s, dweight, src, ddst)
			checkClose(t, fmt.Sprintf("backward weight %+v", s), dweight, wantDweight)
		})
	})
}

func TestConv2DValidate(t *testing.T) {
	good := Conv2D{N: 1, C: 4, H: 5, W: 6, K: 8, R: 3, S: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 2}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		change func(s *Conv2D)
		want   string
	}{
		{func(s *Conv2D) { s.N = 0 }, "N is 0"},
		{func(s *Conv2D) { s.StrideW = 0 }, "StrideW is 0"},
		{func(s *Conv2D) { s.PadLeft = -1 }, "PadLeft is -1"},
		{func(s *Conv2D) { s.Groups = 3 }, "3 groups do not divide 4"},
		{func(s *Conv2D) { s.R = 6 }, "6 high"},
		{func(s *Conv2D) { s.S, s.DilationW = 3, 3 }, "7 wide"},
	} {
		s := good
		test.change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Validate of %+v: %v, want %q", s, err, test.want)
		}
		if _, err := PackConv2D(s, nil, nil); err == nil {
			t.Errorf("PackConv2D accepts %+v", s)
		}
	}
	if _, err := PackConv2D(good, make([]float32, 3), nil); err == nil || !strings.Contains(err.Error(), "weight has 3 elements, want 144") {
		t.Errorf("PackConv2D with a short weight: %v", err)
	}
	if _, err := PackConv2D(good, make([]float32, good.weightSize()), make([]float32, 7)); err == nil {
		t.Error("PackConv2D accepts a short bias")
	}
}

func TestConv2DAllocatesNothing(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		s := Conv2D{N: 2, C: 4, H: 9, W: 9, K: 8, R: 3, S: 3, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1}
		r := newRand(1)
		src, dst, weight := randomSlice(r, s.inputSize()), randomSlice(r, s.outputSize()), randomSlice(r, s.weightSize())
		p, err := PackConv2D(s, weight, nil)
		if err != nil {
			t.Fatal(err)
		}
		var ws Workspace
		for name, call := range map[string]func(){
			"Forward":         func() { p.Forward(&ws, dst, src, dst, ReLU) },
			"Conv2DForward":   func() { Conv2DForward(&ws, s, dst, src, weight, nil) },
			"BackwardInput":   func() { Conv2DBackwardInput(&ws, s, src, dst, weight) },
			"BackwardWeights": func() { Conv2DBackwardWeight(&ws, s, weight, src, dst) },
		} {
			if n := testing.AllocsPerRun(5, call); n != 0 {
				t.Errorf("%s allocates %v times a call", name, n)
			}
		}
	})
}

// BenchmarkConv2DTraining runs the three passes of a batch.
func BenchmarkConv2DTraining(b *testing.B) {
	for _, s := range []Conv2D{
		{C: 96, H: 14, W: 14, K: 24, R: 1},
		{C: 40, H: 7, W: 7, K: 240, R: 1},
		{C: 16, H: 28, W: 28, K: 16, R: 3, PadTop: 1},
	} {
		s.N, s.S, s.StrideH, s.StrideW, s.DilationH, s.DilationW, s.Groups = 32, s.R, 1, 1, 1, 1, 1
		s.PadLeft, s.PadBottom, s.PadRight = s.PadTop, s.PadTop, s.PadTop
		r := newRand(1)
		src, dst, weight := randomSlice(r, s.inputSize()), randomSlice(r, s.outputSize()), randomSlice(r, s.weightSize())
		var ws Workspace
		name := fmt.Sprintf("conv2d/f32/n%dc%dh%dw%d/k%dr%ds%d/stride1.pad%d.dil1.group1/none", s.N, s.C, s.H, s.W, s.K, s.R, s.S, s.PadTop)
		for _, pass := range []struct {
			name string
			call func()
		}{
			{"forward", func() { Conv2DForward(&ws, s, dst, src, weight, nil) }},
			{"backwardInput", func() { Conv2DBackwardInput(&ws, s, src, dst, weight) }},
			{"backwardWeight", func() { Conv2DBackwardWeight(&ws, s, weight, src, dst) }},
		} {
			b.Run(pass.name+"/"+name, func(b *testing.B) {
				for b.Loop() {
					pass.call()
				}
				reportGFLOPS(b, 2*s.outputSize()*s.C*s.R*s.S)
			})
		}
	}
}

// BenchmarkLinear runs linear layers of a single row.
func BenchmarkLinear(b *testing.B) {
	for _, size := range [][2]int{{96, 24}, {1280, 1000}} {
		in, out := size[0], size[1]
		b.Run(fmt.Sprintf("linear/f32/n1c%d/k%d/none", in, out), func(b *testing.B) {
			r := newRand(1)
			p := PackLinear(in, out, randomSlice(r, in*out), randomSlice(r, out))
			src, dst := randomSlice(r, in), randomSlice(r, out)
			var ws Workspace
			for b.Loop() {
				p.Forward(&ws, 1, dst, src, NoActivation)
			}
			reportGFLOPS(b, 2*in*out)
		})
	}
}
