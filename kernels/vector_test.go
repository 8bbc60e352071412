package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// special returns n elements, some of them NaN, infinite, zero or at the
// kinks of the activations.
func special(random *rand.Rand, skip, n int) []float32 {
	values := []float32{float32(math.NaN()), infinity, -infinity, 0, float32(math.Copysign(0, -1)), -3, 3, 6, 1e-42}
	x := normal(random, skip, n)
	for i := range x {
		x[i] *= 4
		if random.IntN(5) == 0 {
			x[i] = values[random.IntN(len(values))]
		}
	}
	return x
}

// vectorShape is a set of segments.
type vectorShape struct{ segments, stride, length, skip int }

func drawVectorShape(t *rapid.T) vectorShape {
	s := vectorShape{
		segments: rapid.IntRange(0, 4).Draw(t, "segments"),
		length:   rapid.IntRange(0, 150).Draw(t, "length"),
		skip:     rapid.IntRange(0, 5).Draw(t, "skip"),
	}
	s.stride = s.length + rapid.IntRange(0, 20).Draw(t, "gap")
	return s
}

// checkVector compares every vector kernel in use with its portable twin.
func checkVector(t rapid.TB, s vectorShape, seed uint64, fill func(random *rand.Rand, skip, n int) []float32) {
	random := rand.New(rand.NewPCG(seed, 1))
	n := s.length
	if s.segments > 0 {
		n = (s.segments-1)*s.stride + s.length
	}
	a, b, start := fill(random, s.skip, n), fill(random, s.skip+1, n), fill(random, 0, n)
	alpha, beta, gamma := float32(random.NormFloat64()), float32(random.NormFloat64()), float32(random.NormFloat64())

	elementwise := func(name string, run func(k *vectorKernels, dst []float32)) {
		t.Helper()
		want := append([]float32(nil), start...)
		run(&portableVector, want)
		got, check := guarded(start)
		run(&vector, got)
		check(t, name)
		// Terms of opposite sign cancel, and are not all rounded in both.
		requireClose(t, name, got, want, 3e-5)
	}
	elementwise("add", func(k *vectorKernels, dst []float32) { k.operate(OpAdd, dst, a, b) })
	elementwise("mul", func(k *vectorKernels, dst []float32) { k.operate(OpMul, dst, a, b) })
	elementwise("add in place", func(k *vectorKernels, dst []float32) { k.operate(OpAdd, dst, dst, b) })
	elementwise("mulAdd", func(k *vectorKernels, dst []float32) { k.mulAdd(dst, a, b) })
	elementwise("axpy", func(k *vectorKernels, dst []float32) { k.axpy(alpha, a, dst) })
	elementwise("clamp", func(k *vectorKernels, dst []float32) { k.clamp(dst, a, 0, 6) })
	elementwise("clamp from below", func(k *vectorKernels, dst []float32) { k.clamp(dst, a, 0, infinity) })
	elementwise("clampBackward", func(k *vectorKernels, dst []float32) { k.clampBackward(dst, a, b, -3, 3, alpha) })
	elementwise("hardSigmoid", func(k *vectorKernels, dst []float32) { k.hardSigmoid(dst, a) })
	elementwise("hardSwish", func(k *vectorKernels, dst []float32) { k.hardSwish(dst, a) })
	elementwise("hardSwishBackward", func(k *vectorKernels, dst []float32) { k.hardSwishBackward(dst, a, b) })
	elementwise("affine", func(k *vectorKernels, dst []float32) {
		k.affine(dst, a, s.segments, s.stride, s.length, alpha, beta)
	})
	elementwise("affineAdd", func(k *vectorKernels, dst []float32) {
		k.affineAdd(dst, a, b, s.segments, s.stride, s.length, alpha, beta, gamma)
	})

	reduction := func(name string, run func(k *vectorKernels) float32) {
		t.Helper()
		got := run(&vector)
		if again := run(&vector); math.Float32bits(again) != math.Float32bits(got) {
			t.Fatalf("%s: %v, then %v", name, got, again)
		}
		// The sums cancel; the tolerance is relative to what was added.
		requireClose(t, name, []float32{got}, []float32{run(&portableVector)}, 1e-5*float64(n+1))
	}
	reduction("dot", func(k *vectorKernels) float32 { return k.dot(a, b) })
	reduction("sumSegments", func(k *vectorKernels) float32 { return k.sumSegments(a, s.segments, s.stride, s.length) })
	reduction("sumSquares", func(k *vectorKernels) float32 {
		return k.sumSquares(a, s.segments, s.stride, s.length, alpha)
	})
	reduction("sumProducts, sum", func(k *vectorKernels) float32 {
		sum, _ := k.sumProducts(a, b, s.segments, s.stride, s.length, alpha)
		return sum
	})
	reduction("sumProducts, product", func(k *vectorKernels) float32 {
		_, product := k.sumProducts(a, b, s.segments, s.stride, s.length, alpha)
		return product
	})
}

func TestVectorMatchesPortable(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for n := range 140 {
			checkVector(t, vectorShape{segments: 1, stride: n, length: n, skip: n % 4}, uint64(n), normal)
		}
		rapid.Check(t, func(t *rapid.T) {
			s, seed := drawVectorShape(t), rapid.Uint64().Draw(t, "seed")
			checkVector(t, s, seed, normal)
			checkVector(t, s, seed, special)
		})
	})
}

func FuzzVector(f *testing.F) {
	f.Add(uint64(1), uint8(1), uint8(33), uint8(0), uint8(1))
	f.Add(uint64(2), uint8(3), uint8(49), uint8(7), uint8(2))
	f.Fuzz(func(t *testing.T, seed uint64, segments, length, gap, skip uint8) {
		s := vectorShape{segments: int(segments % 5), length: int(length), stride: int(length) + int(gap), skip: int(skip % 8)}
		checkVector(t, s, seed, special)
	})
}

// TestReductionsMatchFloat64 bounds the rounding of Sum and Dot.
func TestReductionsMatchFloat64(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		for _, n := range []int{0, 1, 15, 1000, 100_000} {
			a, b := normal(random, 1, n), normal(random, 2, n)
			var sum, dot, sumScale, dotScale float64
			for i := range a {
				sum += float64(a[i])
				dot += float64(a[i]) * float64(b[i])
				sumScale += math.Abs(float64(a[i]))
				dotScale += math.Abs(float64(a[i]) * float64(b[i]))
			}
			if got := float64(Sum(a)); math.Abs(got-sum) > 1e-6*sumScale {
				t.Errorf("Sum of %d is %v, want %v", n, got, sum)
			}
			if got := float64(Dot(a, b)); math.Abs(got-dot) > 1e-6*dotScale {
				t.Errorf("Dot of %d is %v, want %v", n, got, dot)
			}
		}
	})
}

func TestShortSlicePanics(t *testing.T) {
	defer func() {
		want := "kernels: Add: b has 2 elements, want at least 3"
		if got := recover(); got != want {
			t.Errorf("panic %v, want %q", got, want)
		}
	}()
	Add(make([]float32, 3), make([]float32, 3), make([]float32, 2))
}

func TestScaleChannels(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		const n, c, hw = 2, 3, 11
		random := rand.New(rand.NewPCG(5, 6))
		src, scale, ddst := normal(random, 0, n*c*hw), normal(random, 0, n*c), normal(random, 0, n*c*hw)
		dst, want := make([]float32, len(src)), make([]float32, len(src))
		for i := range src {
			want[i] = src[i] * scale[i/hw]
		}
		ScaleChannels(n, c, hw, dst, src, scale)
		requireClose(t, "forward", dst, want, 1e-6)

		dsrc, dscale := make([]float32, len(src)), make([]float32, len(scale))
		ScaleChannelsBackward(n, c, hw, dsrc, dscale, ddst, src, scale)
		loss := func() float64 {
			ScaleChannels(n, c, hw, dst, src, scale)
			return inner(dst, ddst)
		}
		requireGradient(t, "dsrc", src, dsrc, loss)
		requireGradient(t, "dscale", scale, dscale, loss)
	})
}

func TestBiasGradient(t *testing.T) {
	const n, c, hw = 3, 4, 5
	ddst := normal(rand.New(rand.NewPCG(7, 8)), 0, n*c*hw)
	want := []float32{1, 1, 1, 1}
	for i, v := range ddst {
		want[i/hw%c] += v
	}
	got := []float32{1, 1, 1, 1}
	BiasGradient(n, c, hw, got[:2], ddst)
	BiasGradient(n, c, hw, got[2:], ddst[2*hw:])
	requireClose(t, "dbias", got, want, 1e-5)
}

// inner is the loss whose gradient with respect to x is g.
func inner(x, g []float32) float64 {
	var sum float64
	for i := range x {
		sum += float64(x[i]) * float64(g[i])
	}
	return sum
}

// requireGradient compares gradient with central differences of loss.
func requireGradient(t testing.TB, name string, x, gradient []float32, loss func() float64) {
	t.Helper()
	const step = 1e-2
	for i := range x {
		before := x[i]
		x[i] = before + step
		up := loss()
		x[i] = before - step
		down := loss()
		x[i] = before
		want := (up - down) / (2 * step)
		if got := float64(gradient[i]); math.Abs(got-want) > 5e-3*max(1, math.Abs(want)) {
			t.Fatalf("%s: gradient %d is %v, numerically %v", name, i, got, want)
		}
	}
}

func BenchmarkVector(b *testing.B) {
	before := Implementation()
	defer Use(before)
	const n, c, hw = 8, 96, 196
	random := rand.New(rand.NewPCG(1, 1))
	x, y, z := normal(random, 0, n*c*hw), normal(random, 0, n*c*hw), normal(random, 0, n*c*hw)
	mean, variance, scale := make([]float32, c), make([]float32, c), normal(random, 0, c)
	dscale, dshift := make([]float32, c), make([]float32, c)
	shape := fmt.Sprintf("f32/n%dc%dh14w14", n, c)
	for _, name := range Implementations() {
		for _, f := range []struct {
			name    string
			streams int64
			run     func()
		}{
			{"add/" + shape + "/k96r14s14/none", 3, func() { Add(z, x, y) }},
			{"relu/" + shape, 2, func() { Activate(ReLU, z, x) }},
			{"hswish/" + shape, 2, func() { Activate(HardSwish, z, x) }},
			{"hswish-backward/" + shape, 4, func() { ActivateBackward(HardSwish, z, x, y) }},
			{"sum/" + shape, 1, func() { Sum(x) }},
			{"dot/" + shape, 2, func() { Dot(x, y) }},
			{"batchnorm-stats/" + shape, 1, func() { BatchNormStats(n, c, hw, mean, variance, x) }},
			{"batchnorm/" + shape, 2, func() { BatchNormForward(n, c, hw, z, x, mean, variance, scale, scale, 1e-5) }},
			{"batchnorm-backward/" + shape, 6, func() {
				BatchNormBackward(n, c, hw, z, dscale, dshift, x, y, mean, variance, scale, 1e-5)
			}},
		} {
			b.Run(name+"/"+f.name, func(b *testing.B) {
				if err := Use(name); err != nil {
					b.Fatal(err)
				}
				clear(z)
				b.SetBytes(4 * n * c * hw * f.streams)
				for b.Loop() {
					f.run()
				}
			})
		}
	}
}
