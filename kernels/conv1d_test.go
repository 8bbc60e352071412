package kernels

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestConv1D(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			draw := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(t, name) }
			s := Conv1D{
				N: draw("N", 1, 2), L: draw("L", 1, 70), S: draw("S", 1, 5), Stride: draw("Stride", 1, 3),
				PadLeft: draw("PadLeft", 0, 4), PadRight: draw("PadRight", 0, 4), Dilation: draw("Dilation", 1, 4),
				Groups: draw("Groups", 1, 3),
			}
			s.C, s.K = s.Groups*draw("C", 1, 20), s.Groups*draw("K", 1, 20)
			if draw("causal", 0, 1) == 1 || s.Conv2D().Validate() != nil {
				s = s.Causal()
			}
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			src, weight, bias := randomSlice(r, s.N*s.C*s.L), randomSlice(r, s.K*s.C/s.Groups*s.S), randomSlice(r, s.K)
			want := make([]expectation, s.N*s.K*s.OutL())
			for n := range s.N {
				for k := range s.K {
					for x := range s.OutL() {
						e := &want[(n*s.K+k)*s.OutL()+x]
						e.add(float64(bias[k]))
						for c := range s.C / s.Groups {
							for q := range s.S {
								if at := x*s.Stride - s.PadLeft + q*s.Dilation; at >= 0 && at < s.L {
									channel := k/(s.K/s.Groups)*(s.C/s.Groups) + c
									e.add(float64(src[(n*s.C+channel)*s.L+at]) * float64(weight[(k*s.C/s.Groups+c)*s.S+q]))
								}
							}
						}
					}
				}
			}
			p, err := PackConv1D(s, Planar, Planar, weight, bias)
			if err != nil {
				t.Fatal(err)
			}
			dst := make([]float32, len(want))
			p.Forward(&ws, dst, src, nil, NoActivation)
			checkClose(t, fmt.Sprintf("%+v", s), dst, want)
		})
	})
}

// No output of a causal convolution depends on later input.
func TestConv1DCausal(t *testing.T) {
	s := Conv1D{N: 1, C: 5, L: 40, K: 7, S: 3, Stride: 1, Dilation: 4, Groups: 1}.Causal()
	if s.OutL() != s.L {
		t.Fatalf("output has length %d, want %d", s.OutL(), s.L)
	}
	r := newRand(2)
	src := randomSlice(r, s.C*s.L)
	p, err := PackConv1D(s, Planar, Planar, randomSlice(r, s.K*s.C*s.S), nil)
	if err != nil {
		t.Fatal(err)
	}
	var ws Workspace
	before, after := make([]float32, s.K*s.L), make([]float32, s.K*s.L)
	p.Forward(&ws, before, src, nil, NoActivation)
	const at = 23
	for c := range s.C {
		src[c*s.L+at] += 1
	}
	p.Forward(&ws, after, src, nil, NoActivation)
	for i := range before {
		if x := i % s.L; before[i] != after[i] && x < at {
			t.Fatalf("output at %d depends on input at %d", x, at)
		} else if before[i] == after[i] && x == at {
			t.Fatalf("output at %d does not depend on input at %d", x, at)
		}
	}
}

// BenchmarkConv1D runs layers of audio networks.
func BenchmarkConv1D(b *testing.B) {
	for _, s := range []Conv1D{
		{C: 512, L: 300, K: 512, S: 3, Dilation: 2, PadLeft: 2, PadRight: 2},
		{C: 80, L: 1500, K: 384, S: 3, Dilation: 1, PadLeft: 1, PadRight: 1},
		{C: 64, L: 4000, K: 64, S: 2, Dilation: 32, PadLeft: 32},
	} {
		s.N, s.Stride, s.Groups = 1, 1, 1
		b.Run(fmt.Sprintf("n1c%dl%dk%ds%ddil%d", s.C, s.L, s.K, s.S, s.Dilation), func(b *testing.B) {
			p, err := PackConv1D(s, Blocked, Blocked, make([]float32, s.K*s.C*s.S), nil)
			if err != nil {
				b.Fatal(err)
			}
			src, dst := Aligned[float32](BlockedSize(1, s.C, s.L)), Aligned[float32](BlockedSize(1, s.K, s.OutL()))
			var ws Workspace
			for b.Loop() {
				p.Forward(&ws, dst, src, nil, ReLU)
			}
			reportGFLOPS(b, 2*s.OutL()*s.K*s.C*s.S)
		})
	}
}
