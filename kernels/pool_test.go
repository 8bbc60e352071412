package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestPool(t *testing.T) {
	p := Pool2D{N: 1, C: 2, H: 3, W: 3, R: 2, S: 2, StrideH: 2, StrideW: 2, PadBottom: 1, PadRight: 1}
	src := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7, -8, -9}
	dst := make([]float32, 8)
	MaxPool(p, dst, src)
	requireClose(t, "max", dst, []float32{5, 6, 8, 9, -1, -3, -7, -9}, 0)
	AvgPool(p, dst, src)
	requireClose(t, "average", dst, []float32{3, 4.5, 7.5, 9, -3, -4.5, -7.5, -9}, 1e-6)
}

func TestPoolOfPadding(t *testing.T) {
	p := Pool2D{N: 1, C: 1, H: 1, W: 1, R: 1, S: 1, StrideH: 1, StrideW: 1, PadLeft: 1}
	dst := make([]float32, 2)
	MaxPool(p, dst, []float32{float32(math.NaN())})
	requireClose(t, "max", dst, []float32{-infinity, float32(math.NaN())}, 0)
	AvgPool(p, dst, []float32{3})
	requireClose(t, "average", dst, []float32{0, 3}, 0)
}

func TestGlobalAvgPool(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		const n, c, hw = 2, 3, 21
		random := rand.New(rand.NewPCG(1, 2))
		src, ddst := normal(random, 0, n*c*hw), normal(random, 0, n*c)
		want := make([]float32, n*c)
		for i, v := range src {
			want[i/hw] += v / hw
		}
		dst := make([]float32, n*c)
		GlobalAvgPool(n, c, hw, dst, src)
		requireClose(t, "forward", dst, want, 1e-5)
		dsrc := make([]float32, len(src))
		GlobalAvgPoolBackward(n, c, hw, dsrc, ddst)
		requireGradient(t, "dsrc", src, dsrc, func() float64 {
			GlobalAvgPool(n, c, hw, dst, src)
			return inner(dst, ddst)
		})
	})
}

func TestSoftmax(t *testing.T) {
	src := []float32{1, 2, 3, 1000, 1000, -infinity}
	dst := make([]float32, 6)
	Softmax(2, 3, dst, src)
	requireClose(t, "softmax", dst, []float32{0.09003057, 0.24472848, 0.66524094, 0.5, 0.5, 0}, 1e-6)
}
