package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestBatchNormStats(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		for _, shape := range [][3]int{{1, 1, 1}, {3, 2, 7}, {70, 3, 100}, {2, 2, 5000}, {9, 35, 6}} {
			n, c, hw := shape[0], shape[1], shape[2]
			src := normal(random, 1, n*c*hw)
			for i := range src {
				src[i] = src[i]*0.5 + 300 // a mean that dwarfs the deviation
			}
			wantMean, wantVariance := make([]float64, c), make([]float64, c)
			for i, v := range src {
				wantMean[i/hw%c] += float64(v) / float64(n*hw)
			}
			for i, v := range src {
				d := float64(v) - wantMean[i/hw%c]
				wantVariance[i/hw%c] += d * d / float64(n*hw)
			}
			mean, variance := make([]float32, c), make([]float32, c)
			BatchNormStats(n, c, hw, mean[:1], variance[:1], src)
			BatchNormStats(n, c, hw, mean[1:], variance[1:], src[min(hw, len(src)):])
			requireClose(t, "mean", mean, narrow(wantMean), 1e-6)
			requireClose(t, "variance", variance, narrow(wantVariance), 1e-5)
		}
	})
}

func TestBatchNormOfNothing(t *testing.T) {
	mean, variance := []float32{1, 1}, []float32{1, 1}
	BatchNormStats(0, 2, 4, mean, variance, nil)
	requireClose(t, "mean", mean, []float32{0, 0}, 0)
	requireClose(t, "variance", variance, []float32{0, 0}, 0)
	BatchNormForward(0, 2, 4, nil, nil, mean, variance, mean, mean, 1e-5)
	BatchNormBackward(0, 2, 4, nil, mean, mean, nil, nil, mean, variance, mean, 1e-5)
}

func TestBatchNormNaN(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		src := make([]float32, 3*2*5)
		src[7] = float32(math.NaN()) // channel 1
		mean, variance := make([]float32, 2), make([]float32, 2)
		BatchNormStats(3, 2, 5, mean, variance, src)
		if mean[0] != 0 || variance[0] != 0 || mean[1] == mean[1] || variance[1] == variance[1] {
			t.Errorf("mean %v, variance %v", mean, variance)
		}
	})
}

func TestBatchNormGradient(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		const n, c, hw, eps = 10, 18, 2, 1e-3 // more than a block of channels and images
		random := rand.New(rand.NewPCG(3, 4))
		src, ddst := normal(random, 0, n*c*hw), normal(random, 0, n*c*hw)
		scale, shift := normal(random, 0, c), normal(random, 0, c)
		mean, variance := make([]float32, c), make([]float32, c)
		dst := make([]float32, len(src))
		loss := func() float64 {
			BatchNormStats(n, c, hw, mean, variance, src)
			BatchNormForward(n, c, hw, dst, src, mean, variance, scale, shift, eps)
			return inner(dst, ddst)
		}
		loss()
		dsrc, dscale, dshift := make([]float32, len(src)), make([]float32, c), make([]float32, c)
		BatchNormBackward(n, c, hw, dsrc, dscale, dshift, ddst, src, mean, variance, scale, eps)
		requireGradient(t, "dsrc", src, dsrc, loss)
		requireGradient(t, "dscale", scale, dscale, loss)
		requireGradient(t, "dshift", shift, dshift, loss)
	})
}

func BenchmarkBatchNorm(b *testing.B) {
	for _, s := range []struct{ c, h int }{{16, 28}, {64, 14}, {96, 14}, {160, 14}, {160, 7}, {240, 7}} {
		const n = 64
		hw := s.h * s.h
		size := n * s.c * hw
		random := rand.New(rand.NewPCG(1, 1))
		x, g, y, d := normal(random, 0, size), normal(random, 0, size), Aligned[float32](size), Aligned[float32](size)
		mean, variance, scale, shift := make([]float32, s.c), make([]float32, s.c), normal(random, 0, s.c), normal(random, 0, s.c)
		dscale, dshift := make([]float32, s.c), make([]float32, s.c)
		forward := func() {
			BatchNormStats(n, s.c, hw, mean, variance, x)
			BatchNormForward(n, s.c, hw, y, x, mean, variance, scale, shift, 1e-5)
		}
		shape := fmt.Sprintf("f32/n%dc%dh%dw%d", n, s.c, s.h, s.h)
		b.Run("batchnorm/"+shape, func(b *testing.B) {
			for b.Loop() {
				forward()
			}
			reportGBs(b, 4*3*size)
		})
		b.Run("batchnorm-training/"+shape, func(b *testing.B) {
			for b.Loop() {
				forward()
				BatchNormBackward(n, s.c, hw, d, dscale, dshift, g, x, mean, variance, scale, 1e-5)
			}
			reportGBs(b, 4*9*size)
		})
	}
}
