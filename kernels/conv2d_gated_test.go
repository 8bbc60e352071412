package kernels

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Factors in the weights give what factors in the image give.
func TestGated(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			s := Conv2D{
				N: 1, C: rapid.IntRange(1, 70).Draw(t, "C"), H: rapid.IntRange(2, 20).Draw(t, "H"), W: rapid.IntRange(1, 20).Draw(t, "W"),
				K: rapid.IntRange(1, 100).Draw(t, "K"), R: 1, S: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1,
			}
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			weight, bias, factors, image := randomSlice(r, s.weightSize()), randomSlice(r, s.K), randomSlice(r, s.C), randomSlice(r, s.inputSize())
			p, err := packConv2D(s, Blocked, Blocked, directTiles, weight, bias)
			if err != nil {
				t.Fatal(err)
			}
			var ws Workspace
			hw := s.H * s.W
			x, y := make([]float32, BlockedSize(1, s.C, hw)), make([]float32, BlockedSize(1, s.C, hw))
			ToBlocked(&ws, 1, s.C, hw, x, image)
			for i := range image {
				image[i] *= factors[i/hw]
			}
			ToBlocked(&ws, 1, s.C, hw, y, image)
			residual := randomSlice(r, BlockedSize(1, s.K, hw))
			want, got := make([]float32, len(residual)), make([]float32, len(residual))
			p.Forward(&ws, want, y, residual, ReLU)
			gated := make([]float32, p.GatedSize())
			p.Gate(gated, factors)
			p.ForwardGated(&ws, got, x, residual, gated, ReLU)
			for i := range want {
				if d := math.Abs(float64(got[i] - want[i])); d > 1e-5*math.Sqrt(float64(s.C)) {
					t.Fatalf("element %d is %v, want %v", i, got[i], want[i])
				}
			}
			p.Forward(&ws, got, y, residual, ReLU) // the weights stay as they were
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("afterwards element %d is %v, want %v", i, got[i], want[i])
				}
			}
		})
	})
}

func TestGateFits(t *testing.T) {
	s := Conv2D{N: 1, C: 64, H: 28, W: 28, K: 40, R: 1, S: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
	if !GateFits(s) {
		t.Error("few weights do not fit")
	}
	for name, change := range map[string]func(s *Conv2D){
		"many weights": func(s *Conv2D) { s.K = 400 },
		"two images":   func(s *Conv2D) { s.N = 2 },
		"a kernel":     func(s *Conv2D) { s.R, s.S = 3, 3 },
		"a stride":     func(s *Conv2D) { s.StrideH = 2 },
		"groups":       func(s *Conv2D) { s.Groups = 2 },
	} {
		x := s
		if change(&x); GateFits(x) {
			t.Errorf("%s fit", name)
		}
	}
}
