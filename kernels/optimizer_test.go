package kernels

import (
	"math"
	"slices"
	"testing"
)

// Weights before, and after the three gradients, in PyTorch 1.13.
var (
	pytorchWeights   = []float32{0.661352158, 0.266924113, 0.0616772585, 0.621317327, -0.451905966, -0.16613023}
	pytorchGradients = [][]float32{
		{-1.5227685, 0.381683916, -1.02760863, -0.563052773, -0.892290533, -0.0582501777},
		{-0.195509583, -0.965635955, 0.422415316, 0.267316997, -0.421195149, -0.510699987},
		{-1.57266521, -0.123247758, 3.5869894, -1.83129013, 1.59870028, -1.27700698},
	}
	pytorchSGD = []struct {
		sgd  SGD
		want []float32
	}{
		{SGD{LearningRate: 0.1}, []float32{0.990446508, 0.3376441, -0.236502349, 0.834019899, -0.480427444, 0.0184654798}},
		{SGD{LearningRate: 0.1, WeightDecay: 0.01}, []float32{0.988140464, 0.336823881, -0.236850396, 0.83207202, -0.479293525, 0.0189006664}},
		{SGD{LearningRate: 0.1, Momentum: 0.9, WeightDecay: 0.01}, []float32{1.26413071, 0.35783565, -0.0994925573, 0.902573645, -0.287786245, 0.0752472654}},
		{SGD{LearningRate: 0.1, Momentum: 0.9, Dampening: 0.3}, []float32{1.21011174, 0.300544709, 0.0328886993, 0.866541803, -0.26598528, 0.0069691469}},
		{SGD{LearningRate: 0.1, Momentum: 0.9, WeightDecay: 0.01, Nesterov: true}, []float32{1.52987003, 0.418666869, -0.382331312, 1.0849781, -0.332095623, 0.236023575}},
	}
	pytorchAdamW = []float32{0.685623765, 0.264769524, 0.069527857, 0.639031172, -0.433017045, -0.139279544}
)

// repeated is several copies of x, so that the vectors and what is left over
// see the same numbers.
func repeated(x []float32) []float32 { return slices.Repeat(x, 13) }

func TestSGDMatchesPyTorch(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		for _, c := range pytorchSGD {
			w, check := guarded(repeated(pytorchWeights))
			v, checkV := guarded(make([]float32, len(w)))
			for i, g := range pytorchGradients {
				c.sgd.First = i == 0
				c.sgd.Scale = 0.5
				g = repeated(g)
				for k := range g {
					g[k] *= 2
				}
				c.sgd.Apply(&ws, w, g, v)
			}
			check(t, "SGD")
			checkV(t, "SGD")
			requireClose(t, "SGD", w, repeated(c.want), 1e-6)
		}
	})
}

func TestAdamWMatchesPyTorch(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		w, check := guarded(repeated(pytorchWeights))
		m, checkM := guarded(make([]float32, len(w)))
		v, checkV := guarded(make([]float32, len(w)))
		for i, g := range pytorchGradients {
			a := AdamW{LearningRate: 0.01, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-6, WeightDecay: 0.1, Step: i + 1}
			a.Apply(&ws, w, repeated(g), m, v)
		}
		check(t, "AdamW")
		checkM(t, "AdamW")
		checkV(t, "AdamW")
		requireClose(t, "AdamW", w, repeated(pytorchAdamW), 1e-6)
	})
}

func TestAverageMatchesPyTorch(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		average := repeated(pytorchWeights)
		Average(&ws, average, repeated(pytorchGradients[0]), 0.99)
		requireClose(t, "Average", average, repeated([]float32{0.63951093, 0.268071711, 0.0507844016, 0.609473646, -0.456309825, -0.16505143}), 1e-6)
	})
}

func TestNormMatchesPyTorch(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		g := pytorchGradients[0]
		norm := Norm(&ws, [][]float32{g[:2], nil, g[2:]})
		if math.Abs(norm-2.153390407562256) > 1e-6 {
			t.Errorf("norm %v", norm)
		}
		if got := ClipFactor(norm, 1) * g[0]; math.Abs(float64(got)+0.707148969) > 1e-6 {
			t.Errorf("clipped to %v", got)
		}
		if got := ClipFactor(norm, 3); got != 1 {
			t.Errorf("factor %v of a norm below the limit", got)
		}
		if got := ClipFactor(math.NaN(), 3); got == got {
			t.Errorf("factor %v of NaN", got)
		}
		x := randomSlice(newRand(1), 3*optimizerPart/2)
		var want float64
		for _, v := range x {
			want += float64(v) * float64(v)
		}
		if got := Norm(&ws, [][]float32{x}); math.Abs(got/math.Sqrt(want)-1) > 1e-6 {
			t.Errorf("norm %v, want %v", got, math.Sqrt(want))
		}
	})
}

// NaN and infinities in, lengths of all kinds: as the twins.
func TestOptimizersMatchPortable(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for n := range 70 {
			r := newRand(uint64(n))
			k := randomSlice(r, 9)
			var want, got [4][]float32
			var checks []func()
			for i := range want {
				want[i] = randomSlice(r, n)
				if i == 3 {
					for j, x := range want[3] {
						want[3][j] = x * x
					}
				}
				if n%3 == 0 {
					poison(r, want[i])
				}
				g, check := guarded(want[i])
				got[i] = g
				checks = append(checks, func() { check(t, "optimizer") })
			}
			for i, x := range k {
				k[i] = max(x, -x) // no roots of negative numbers
			}
			momentumStepPortable(first(want[0]), first(want[1]), first(want[2]), &k[0], n)
			optimizers.momentumStep(first(got[0]), first(got[1]), first(got[2]), &k[0], n)
			adamStepPortable(first(want[0]), first(want[1]), first(want[2]), first(want[3]), &k[0], n)
			optimizers.adamStep(first(got[0]), first(got[1]), first(got[2]), first(got[3]), &k[0], n)
			for i := range want {
				checks[i]()
				requireClose(t, "optimizer", got[i], want[i], 2e-5)
			}
		}
	})
}

func TestOptimizersRepeat(t *testing.T) {
	var ws Workspace
	n := 3*optimizerPart + 5
	r := newRand(1)
	w0, g, w := randomSlice(r, n), randomSlice(r, n), make([]float32, n)
	m, v := make([]float32, n), make([]float32, n)
	a := AdamW{LearningRate: 0.01, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-6, WeightDecay: 0.1, Step: 1}
	arrays, norm := [][]float32{w, g}, []float32{0}
	sameBits(t, func() []float32 { copy(w, w0); clear(m); clear(v); a.Apply(&ws, w, g, m, v); return w })
	sameBits(t, func() []float32 {
		copy(w, w0)
		SGD{LearningRate: 0.1, Momentum: 0.9, First: true}.Apply(&ws, w, g, v)
		return w
	})
	sameBits(t, func() []float32 { norm[0] = float32(Norm(&ws, arrays)); return norm })
}

func BenchmarkOptimizer(b *testing.B) {
	var ws Workspace
	for _, size := range memorySizes {
		n := size.bytes / 4
		w, g, m, v := Aligned[float32](n), Aligned[float32](n), Aligned[float32](n), Aligned[float32](n)
		for i := range w {
			w[i], g[i] = 1, 1e-3
		}
		arrays := [][]float32{g}
		for _, f := range []struct {
			name    string
			streams int
			run     func()
		}{
			{"sgd-momentum", 5, func() {
				SGD{LearningRate: 1e-3, Momentum: 0.9, WeightDecay: 1e-4}.Apply(&ws, w, g, v)
			}},
			{"adamw", 7, func() {
				AdamW{LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.01, Step: 10}.Apply(&ws, w, g, m, v)
			}},
			{"ema", 3, func() { Average(&ws, m, w, 0.99) }},
			{"norm", 1, func() { Norm(&ws, arrays) }},
		} {
			b.Run(f.name+"/"+size.name, func(b *testing.B) {
				for b.Loop() {
					f.run()
				}
				reportGBs(b, f.streams*size.bytes)
			})
		}
	}
}
