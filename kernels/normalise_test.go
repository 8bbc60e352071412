package kernels

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// moments are the mean and the biased variance of x.
func moments(x []float32) (mean, variance float64) {
	for _, v := range x {
		mean += float64(v) / float64(len(x))
	}
	for _, v := range x {
		variance += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
	}
	return mean, variance
}

func TestLayerNorm(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		const eps = 1e-5
		check := func(t rapid.TB, rows, n int, seed uint64, weight, special bool) {
			r := newRand(seed)
			src, residual := randomSlice(r, rows*n), randomSlice(r, rows*n)
			offset := float32(100 * r.NormFloat64())
			for i := range src {
				src[i] += offset // a mean that dwarfs the deviation
			}
			if special {
				poison(r, src)
			}
			var scale, shift []float32
			if weight {
				scale, shift = randomSlice(r, n), randomSlice(r, n)
			}
			dst, checkDst := guarded(make([]float32, rows*n))
			mean, inverse := make([]float32, rows), make([]float32, rows)
			sum, checkSum := guarded(make([]float32, rows*n))
			fused := make([]float32, rows*n)
			AddLayerNorm(&ws, rows, n, fused, sum, src, residual, scale, shift, nil, nil, eps)
			checkSum(t, "AddLayerNorm")
			for i := range sum {
				if want := src[i] + residual[i]; sum[i] != want && want == want {
					t.Fatalf("sum %v, want %v", sum[i], want)
				}
			}
			LayerNorm(&ws, rows, n, dst, sum, scale, shift, mean, inverse, eps)
			checkDst(t, "LayerNorm")
			requireClose(t, "AddLayerNorm", fused, dst, 0)
			for i := range rows {
				m, v := moments(sum[i*n:][:n])
				want := make([]expectation, n)
				for k, x := range sum[i*n:][:n] {
					y := (float64(x) - m) / math.Sqrt(v+eps)
					if weight {
						y = y*float64(scale[k]) + float64(shift[k])
					}
					// The inputs are rounded relative to their mean.
					want[k] = expectation{y, math.Abs(y) + 3 + math.Abs(m)/math.Sqrt(v+eps)}
					if math.IsNaN(m) || math.IsInf(m, 0) {
						want[k].value = math.NaN()
					}
				}
				checkClose(t, "LayerNorm", dst[i*n:][:n], want)
			}
			RMSNorm(&ws, rows, n, dst, residual, scale, inverse, eps)
			checkDst(t, "RMSNorm")
			for i := range rows {
				var squares float64
				for _, x := range residual[i*n:][:n] {
					squares += float64(x) * float64(x)
				}
				want := make([]expectation, n)
				for k, x := range residual[i*n:][:n] {
					y := float64(x) / math.Sqrt(squares/float64(n)+eps)
					if weight {
						y *= float64(scale[k])
					}
					want[k].add(y)
				}
				checkClose(t, "RMSNorm", dst[i*n:][:n], want)
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			check(t, rapid.IntRange(0, 7).Draw(t, "rows"), rapid.IntRange(1, 100).Draw(t, "n"),
				rapid.Uint64().Draw(t, "seed"), rapid.Bool().Draw(t, "weight"), rapid.Bool().Draw(t, "special"))
		})
		check(t, 2, 2*reductionBlock+17, 1, true, false)
		check(t, 130, 48, 2, true, false)
	})
}

func TestLayerNormGradient(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		const rows, n, eps = 5, 19, 1e-3
		r := newRand(4)
		src, ddst, scale, shift := randomSlice(r, rows*n), randomSlice(r, rows*n), randomSlice(r, n), randomSlice(r, n)
		dst, mean, inverse := make([]float32, rows*n), make([]float32, rows), make([]float32, rows)
		for _, weight := range [][]float32{scale, nil} {
			loss := func() float64 {
				LayerNorm(&ws, rows, n, dst, src, weight, shift, mean, inverse, eps)
				return inner(dst, ddst)
			}
			loss()
			dsrc, dscale, dshift := make([]float32, rows*n), make([]float32, n), make([]float32, n)
			LayerNormBackward(&ws, rows, n, dsrc, dscale, dshift, ddst, src, weight, mean, inverse)
			requireGradient(t, "dsrc", src, dsrc, loss)
			requireGradient(t, "dshift", shift, dshift, loss)
			if weight != nil {
				requireGradient(t, "dscale", scale, dscale, loss)
			}
			loss = func() float64 {
				RMSNorm(&ws, rows, n, dst, src, weight, inverse, eps)
				return inner(dst, ddst)
			}
			loss()
			clear(dsrc)
			clear(dscale)
			RMSNormBackward(&ws, rows, n, dsrc, dscale, ddst, src, weight, inverse)
			requireGradient(t, "dsrc", src, dsrc, loss)
			if weight != nil {
				requireGradient(t, "dscale", scale, dscale, loss)
			}
		}
	})
}

func TestGroupNorm(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		const eps = 1e-5
		check := func(t rapid.TB, n, groups, channels, hw int, seed uint64) {
			r := newRand(seed)
			c := groups * channels
			src, scale, shift := randomSlice(r, n*c*hw), randomSlice(r, c), randomSlice(r, c)
			dst, checkDst := guarded(make([]float32, n*c*hw))
			mean, inverse := make([]float32, n*groups), make([]float32, n*groups)
			GroupNorm(&ws, n, c, hw, groups, dst, src, scale, shift, mean, inverse, eps)
			checkDst(t, "GroupNorm")
			size := channels * hw
			for g := range n * groups {
				m, v := moments(src[g*size:][:size])
				want := make([]expectation, size)
				for i, x := range src[g*size:][:size] {
					k := g%groups*channels + i/hw
					y := (float64(x)-m)/math.Sqrt(v+eps)*float64(scale[k]) + float64(shift[k])
					want[i] = expectation{y, math.Abs(y) + 3 + math.Abs(m)/math.Sqrt(v+eps)*math.Abs(float64(scale[k]))}
				}
				checkClose(t, "GroupNorm", dst[g*size:][:size], want)
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			check(t, rapid.IntRange(0, 3).Draw(t, "n"), rapid.IntRange(1, 3).Draw(t, "groups"),
				rapid.IntRange(1, 3).Draw(t, "channels"), rapid.IntRange(1, 70).Draw(t, "hw"), rapid.Uint64().Draw(t, "seed"))
		})
		check(t, 1, 2, 2, 5000, 1)
	})
}

func TestGroupNormGradient(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		const n, c, hw, eps = 2, 6, 5, 1e-3
		for _, groups := range []int{1, 3, 6} {
			r := newRand(5)
			src, ddst, scale, shift := randomSlice(r, n*c*hw), randomSlice(r, n*c*hw), randomSlice(r, c), randomSlice(r, c)
			dst, mean, inverse := make([]float32, n*c*hw), make([]float32, n*groups), make([]float32, n*groups)
			loss := func() float64 {
				GroupNorm(&ws, n, c, hw, groups, dst, src, scale, shift, mean, inverse, eps)
				return inner(dst, ddst)
			}
			loss()
			dsrc, dscale, dshift := make([]float32, n*c*hw), make([]float32, c), make([]float32, c)
			GroupNormBackward(&ws, n, c, hw, groups, dsrc, dscale, dshift, ddst, src, scale, mean, inverse)
			requireGradient(t, "dsrc", src, dsrc, loss)
			requireGradient(t, "dscale", scale, dscale, loss)
			requireGradient(t, "dshift", shift, dshift, loss)
		}
		// Sums of planes of more than a block.
		const long = 2*reductionBlock + 9
		x, y := randomSlice(newRand(6), 2*long), randomSlice(newRand(7), 2*long)
		got, want := make([]float32, 4), make([]expectation, 4)
		planeProducts(x, y, got[:2], got[2:], []float32{1, 2}, make([]float32, 2), make([]float32, 2), long)
		for i := range x {
			want[i/long].add(float64(x[i]))
			want[2+i/long].add(float64(x[i]) * (float64(y[i]) - float64(1+i/long)))
		}
		checkClose(t, "planeProducts", got, want)
	})
}

func TestNormaliseRepeats(t *testing.T) {
	var ws Workspace
	r := newRand(8)
	const rows, n, eps = 1000, 200, 1e-5
	src, ddst, scale, shift := randomSlice(r, rows*n), randomSlice(r, rows*n), randomSlice(r, n), randomSlice(r, n)
	dst, mean, inverse := make([]float32, rows*n), make([]float32, rows), make([]float32, rows)
	sameBits(t, func() []float32 {
		LayerNorm(&ws, rows, n, dst, src, scale, shift, mean, inverse, eps)
		return dst
	})
	gradients := make([]float32, rows*n+2*n)
	sameBits(t, func() []float32 {
		clear(gradients)
		LayerNormBackward(&ws, rows, n, gradients[2*n:], gradients[:n], gradients[n:2*n], ddst, src, scale, mean, inverse)
		return gradients
	})
	sameBits(t, func() []float32 {
		RMSNorm(&ws, rows, n, dst, src, scale, inverse, eps)
		return dst
	})
	const c, groups, hw = 40, 8, 1000
	sameBits(t, func() []float32 {
		GroupNorm(&ws, rows*n/c/hw, c, hw, groups, dst, src, scale, shift, mean, inverse, eps)
		return dst
	})
	sameBits(t, func() []float32 {
		clear(gradients)
		GroupNormBackward(&ws, rows*n/c/hw, c, hw, groups, gradients[2*n:], gradients[:n], gradients[n:2*n], ddst, src, scale, mean, inverse)
		return gradients
	})
}

func BenchmarkNormalise(b *testing.B) {
	var ws Workspace
	for _, s := range []struct{ rows, n int }{{3136, 128}, {512, 768}, {64, 4096}} {
		r := newRand(1)
		x, g, y, d := randomSlice(r, s.rows*s.n), randomSlice(r, s.rows*s.n), Aligned[float32](s.rows*s.n), Aligned[float32](s.rows*s.n)
		scale, shift, dscale, dshift := randomSlice(r, s.n), randomSlice(r, s.n), make([]float32, s.n), make([]float32, s.n)
		mean, inverse := make([]float32, s.rows), make([]float32, s.rows)
		for _, f := range []struct {
			name    string
			streams int
			run     func()
		}{
			{"layernorm", 2, func() { LayerNorm(&ws, s.rows, s.n, y, x, scale, shift, mean, inverse, 1e-5) }},
			{"layernorm-add", 4, func() { AddLayerNorm(&ws, s.rows, s.n, y, d, x, g, scale, shift, mean, inverse, 1e-5) }},
			{"layernorm-backward", 4, func() {
				LayerNormBackward(&ws, s.rows, s.n, d, dscale, dshift, g, x, scale, mean, inverse)
			}},
			{"rmsnorm", 2, func() { RMSNorm(&ws, s.rows, s.n, y, x, scale, inverse, 1e-5) }},
		} {
			b.Run(fmt.Sprintf("%s/f32/m%dn%d", f.name, s.rows, s.n), func(b *testing.B) {
				for b.Loop() {
					f.run()
				}
				reportGBs(b, 4*f.streams*s.rows*s.n)
			})
		}
	}
}
