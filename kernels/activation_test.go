package kernels

import (
	"math"
	"testing"
)

func TestActivate(t *testing.T) {
	nan := float32(math.NaN())
	src := []float32{-infinity, -4, -3, -1, 0, 1, 3, 5, 7, infinity, nan}
	for _, tt := range []struct {
		act  Activation
		want []float32
	}{
		{NoActivation, src},
		{ReLU, []float32{0, 0, 0, 0, 0, 1, 3, 5, 7, infinity, nan}},
		{ReLU6, []float32{0, 0, 0, 0, 0, 1, 3, 5, 6, 6, nan}},
		{HardSwish, []float32{nan, 0, 0, -1.0 / 3, 0, 2.0 / 3, 3, 5, 7, infinity, nan}},
		{HardSigmoid, []float32{0, 0, 0, 1.0 / 3, 0.5, 2.0 / 3, 1, 1, 1, 1, nan}},
		{Sigmoid, []float32{0, 0.01798621, 0.04742587, 0.26894142, 0.5, 0.7310586, 0.95257413, 0.9933072, 0.999089, 1, nan}},
	} {
		eachImplementation(t, func(t *testing.T) {
			// Longer than a vector, so that both the vectors and the tail are seen.
			long := make([]float32, 0, 5*len(src))
			want := make([]float32, 0, 5*len(src))
			for range 5 {
				long, want = append(long, src...), append(want, tt.want...)
			}
			Activate(tt.act, long, long)
			requireClose(t, "in place", long, want, 1e-6)
		})
	}
}

func TestActivateBackward(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for _, act := range activations {
			// Away from the kinks at -3, 0, 3 and 6.
			src := []float32{-5, -3.5, -2.5, -1, -0.5, 0.5, 1, 2.5, 3.5, 5, 6.5, 8}
			src = append(src, src...)
			ddst := make([]float32, len(src))
			for i := range ddst {
				ddst[i] = float32(i%5) - 1.5
			}
			dsrc := make([]float32, len(src))
			ActivateBackward(act, dsrc, ddst, src)
			dst := make([]float32, len(src))
			requireGradient(t, "activation", src, dsrc, func() float64 {
				Activate(act, dst, src)
				return inner(dst, ddst)
			})
		}
	})
}
