package kernels

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// eachTransposedTerm is eachTerm of a transposed convolution.
func eachTransposedTerm(s ConvTranspose2D, f func(input, weight, output int)) {
	cg, kg := s.C/s.Groups, s.K/s.Groups
	outH, outW := s.OutH(), s.OutW()
	for n := range s.N {
		for c := range s.C {
			for y := range s.H {
				for x := range s.W {
					for k := range kg {
						for r := range s.R {
							for q := range s.S {
								oy, ox := y*s.StrideH-s.PadTop+r*s.DilationH, x*s.StrideW-s.PadLeft+q*s.DilationW
								if oy >= 0 && oy < outH && ox >= 0 && ox < outW {
									f(((n*s.C+c)*s.H+y)*s.W+x, ((c*kg+k)*s.R+r)*s.S+q, ((n*s.K+c/cg*kg+k)*outH+oy)*outW+ox)
								}
							}
						}
					}
				}
			}
		}
	}
}

func drawConvTranspose2D(t *rapid.T) ConvTranspose2D {
	draw := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(t, name) }
	s := ConvTranspose2D{
		N: draw("N", 1, 2), H: draw("H", 1, 6), W: draw("W", 1, 18), R: draw("R", 1, 4), S: draw("S", 1, 4),
		StrideH: draw("StrideH", 1, 3), StrideW: draw("StrideW", 1, 3),
		PadTop: draw("PadTop", 0, 2), PadLeft: draw("PadLeft", 0, 2), PadBottom: draw("PadBottom", 0, 2), PadRight: draw("PadRight", 0, 2),
		OutPadH: draw("OutPadH", 0, 2), OutPadW: draw("OutPadW", 0, 2),
		DilationH: draw("DilationH", 1, 2), DilationW: draw("DilationW", 1, 2),
		Groups: rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(t, "Groups"),
	}
	s.C, s.K = s.Groups*draw("C", 1, 20), s.Groups*draw("K", 1, 35)
	if s.Validate() != nil {
		s.PadTop, s.PadLeft, s.PadBottom, s.PadRight = 0, 0, 0, 0
	}
	return s
}

func TestConvTranspose2D(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			s := drawConvTranspose2D(t)
			in, out := Layout(rapid.IntRange(0, 1).Draw(t, "in")), Layout(rapid.IntRange(0, 1).Draw(t, "out"))
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			inHW, outHW := s.H*s.W, s.OutH()*s.OutW()
			src, weight := randomSlice(r, s.N*s.C*inHW), randomSlice(r, s.weightSize())
			if rapid.IntRange(0, 3).Draw(t, "poisoned") == 0 {
				poison(r, src)
			}
			want := make([]expectation, s.N*s.K*outHW)
			var bias, residual []float32
			if rapid.Bool().Draw(t, "bias") {
				bias = randomSlice(r, s.K)
				for i := range want {
					want[i].add(float64(bias[i/outHW%s.K]))
				}
			}
			dst, canary := inLayout(&ws, out, s.N, s.K, outHW, make([]float32, len(want)))
			if rapid.Bool().Draw(t, "residual") {
				planar := randomSlice(r, len(want))
				for i, x := range planar {
					want[i].add(float64(x))
				}
				residual, _ = inLayout(&ws, out, s.N, s.K, outHW, planar)
			}
			eachTransposedTerm(s, func(input, w, output int) {
				want[output].add(float64(src[input]) * float64(weight[w]))
			})
			for i := range want {
				want[i] = activated(ReLU6, want[i])
			}
			p, err := PackConvTranspose2D(s, in, out, weight, bias)
			if err != nil {
				t.Fatal(err)
			}
			image, _ := inLayout(&ws, in, s.N, s.C, inHW, src)
			p.Forward(&ws, dst, image, residual, ReLU6)
			if slices.ContainsFunc(canary, func(x float32) bool { return x != 1e30 }) {
				t.Fatalf("%+v: written behind the output", s)
			}
			got := dst
			if out == Blocked {
				got = make([]float32, len(want))
				FromBlocked(&ws, s.N, s.K, outHW, got, dst)
			}
			checkClose(t, fmt.Sprintf("%+v", s), got, want)
		})
	})
}

// A transposed convolution is the gradient of a convolution's input.
func TestConvTranspose2DIsGradient(t *testing.T) {
	var ws Workspace
	s := ConvTranspose2D{N: 2, C: 12, H: 5, W: 6, K: 20, R: 3, S: 4, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 2, PadBottom: 1, PadRight: 1, OutPadH: 1, DilationH: 1, DilationW: 2, Groups: 2}
	of := Conv2D{
		N: s.N, C: s.K, H: s.OutH(), W: s.OutW(), K: s.C, R: s.R, S: s.S, StrideH: s.StrideH, StrideW: s.StrideW,
		PadTop: s.PadTop, PadLeft: s.PadLeft, PadBottom: s.PadBottom, PadRight: s.PadRight,
		DilationH: s.DilationH, DilationW: s.DilationW, Groups: s.Groups,
	}
	if of.OutH() != s.H || of.OutW() != s.W {
		t.Fatalf("%+v is not the transpose of %+v", s, of)
	}
	r := newRand(4)
	src, weight := randomSlice(r, of.outputSize()), randomSlice(r, s.weightSize())
	got, gradient := make([]float32, of.inputSize()), make([]float32, of.inputSize())
	p, err := PackConvTranspose2D(s, Planar, Planar, weight, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Forward(&ws, got, src, nil, NoActivation)
	Conv2DBackwardInput(&ws, of, gradient, src, weight)
	want := make([]expectation, len(gradient))
	for i, x := range gradient {
		want[i] = expectation{float64(x), 10}
	}
	checkClose(t, "gradient", got, want)
}

func TestConvTranspose2DValidate(t *testing.T) {
	good := ConvTranspose2D{N: 1, C: 4, H: 5, W: 6, K: 8, R: 3, S: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 2}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		change func(s *ConvTranspose2D)
		want   string
	}{
		{func(s *ConvTranspose2D) { s.N = 0 }, "N is 0"},
		{func(s *ConvTranspose2D) { s.PadLeft = -1 }, "PadLeft is -1"},
		{func(s *ConvTranspose2D) { s.Groups = 3 }, "3 groups do not divide 4"},
		{func(s *ConvTranspose2D) { s.PadTop, s.PadBottom = 4, 4 }, "output is -1 by 8"},
	} {
		s := good
		test.change(&s)
		if _, err := PackConvTranspose2D(s, Planar, Planar, nil, nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("PackConvTranspose2D of %+v: %v, want %q", s, err, test.want)
		}
	}
	if _, err := PackConvTranspose2D(good, Planar, Planar, make([]float32, 3), nil); err == nil {
		t.Error("PackConvTranspose2D accepts a short weight")
	}
	if _, err := PackConvTranspose2D(good, Planar, Planar, make([]float32, good.weightSize()), make([]float32, 7)); err == nil {
		t.Error("PackConvTranspose2D accepts a short bias")
	}
}

func TestConvTranspose2DAllocatesNothing(t *testing.T) {
	defer Threads(Threads(2))
	s := ConvTranspose2D{N: 1, C: 24, H: 7, W: 7, K: 12, R: 3, S: 3, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 2}
	p, err := PackConvTranspose2D(s, Planar, Blocked, make([]float32, s.weightSize()), nil)
	if err != nil {
		t.Fatal(err)
	}
	src, dst := make([]float32, s.N*s.C*s.H*s.W), make([]float32, BlockedSize(s.N, s.K, s.OutH()*s.OutW()))
	var ws Workspace
	if n := testing.AllocsPerRun(5, func() { p.Forward(&ws, dst, src, nil, ReLU) }); n != 0 {
		t.Errorf("Forward allocates %v times a call", n)
	}
}
