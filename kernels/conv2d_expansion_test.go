package kernels

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Both convolutions side by side give what they give one after the other, for
// every number of threads, and write nothing else.
func TestExpansion(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			draw := func(name string, from, to int) int { return rapid.IntRange(from, to).Draw(t, name) }
			r := draw("R", 1, 5)
			expand := Conv2D{
				N: draw("N", 1, 2), C: draw("C", 1, 40), H: draw("H", 5, 60), W: draw("W", 5, 70), K: draw("K", 1, 70), R: 1, S: 1,
				StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1,
			}
			depthwise := Conv2D{
				N: expand.N, C: expand.K, H: expand.H, W: expand.W, K: expand.K, R: r, S: draw("S", 1, 5),
				StrideH: draw("strideH", 1, 3), StrideW: draw("strideW", 1, 2), PadTop: draw("top", 0, r-1), PadBottom: draw("bottom", 0, r-1),
				PadLeft: draw("left", 0, 2), PadRight: draw("right", 0, 2), DilationH: 1, DilationW: 1, Groups: expand.K,
			}
			if expand.K == 1 { // no depthwise convolution, but one of all channels
				return
			}
			act := rapid.SampledFrom([]Activation{NoActivation, ReLU6, HardSwish, SiLU})
			first, second := act.Draw(t, "first"), act.Draw(t, "second")
			rnd := newRand(rapid.Uint64().Draw(t, "seed"))
			w1, b1 := randomSlice(rnd, expand.weightSize()), randomSlice(rnd, expand.K)
			w2, b2 := randomSlice(rnd, depthwise.weightSize()), randomSlice(rnd, depthwise.K)

			x := make([]float32, BlockedSize(expand.N, expand.C, expand.H*expand.W))
			ToBlocked(new(Workspace), expand.N, expand.C, expand.H*expand.W, x, randomSlice(rnd, expand.inputSize()))
			one, err := packConv2D(expand, Blocked, Blocked, directTiles, w1, b1)
			if err != nil {
				t.Fatal(err)
			}
			two, err := packConv2D(depthwise, Blocked, Blocked, blocksDepthwise, w2, b2)
			if err != nil {
				t.Fatal(err)
			}
			var ws Workspace
			between := make([]float32, BlockedSize(expand.N, expand.K, expand.H*expand.W))
			want := make([]float32, BlockedSize(depthwise.N, depthwise.K, depthwise.OutH()*depthwise.OutW()))
			one.Forward(&ws, between, x, nil, first)
			two.Forward(&ws, want, between, nil, second)

			both, err := PackExpansion(expand, depthwise, w1, b1, w2, b2)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{1, 3} {
				before := Threads(n)
				got := slices.Repeat([]float32{77}, len(want)+32)
				both.Forward(&ws, got[16:16+len(want)], x, first, second)
				Threads(before)
				for i, v := range got {
					switch k := i - 16; {
					case k < 0 || k >= len(want):
						if v != 77 {
							t.Fatalf("%d threads: wrote at %d of %d", n, k, len(want))
						}
					case v != want[k]:
						t.Fatalf("%d threads: element %d is %v, want %v", n, k, v, want[k])
					}
				}
				if share := ws.ExpansionShare(); !(share > 0 && share < 1) {
					t.Errorf("the first convolution took %v of the time", share)
				}
			}
		})
	})
}

func TestExpansionRejects(t *testing.T) {
	expand := Conv2D{N: 1, C: 8, H: 9, W: 9, K: 16, R: 1, S: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
	depthwise := expand
	depthwise.C, depthwise.Groups, depthwise.R, depthwise.S, depthwise.PadTop = 16, 16, 3, 3, 1
	weights := func(s Conv2D) []float32 { return make([]float32, s.weightSize()) }
	pack := func(a, b Conv2D) error {
		_, err := PackExpansion(a, b, weights(a), nil, weights(b), nil)
		return err
	}
	if err := pack(expand, depthwise); err != nil {
		t.Error(err)
	}
	if ExpansionFits(expand, depthwise) {
		t.Error("a small expansion is said to be worth while")
	}
	other := depthwise
	other.H = 8
	if pack(expand, other) == nil {
		t.Error("images of two sizes are taken")
	}
	strided := expand
	strided.StrideH = 2
	if pack(strided, depthwise) == nil {
		t.Error("a first convolution with a stride is taken")
	}
	if _, err := PackExpansion(expand, depthwise, weights(expand)[1:], nil, weights(depthwise), nil); err == nil {
		t.Error("too few weights are taken")
	}
}
