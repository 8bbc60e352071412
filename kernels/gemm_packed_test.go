package kernels

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPackedMatrix(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			dim := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(20, 100))
			m, n, k := dim.Draw(t, "m"), dim.Draw(t, "n"), dim.Draw(t, "k")
			transA, transB := rapid.Bool().Draw(t, "transA"), rapid.Bool().Draw(t, "transB")
			alpha := rapid.SampledFrom([]float32{0, 1, -0.5}).Draw(t, "alpha")
			beta := rapid.SampledFrom([]float32{0, 1, 0.25}).Draw(t, "beta")
			act := Activation(rapid.IntRange(int(NoActivation), int(Tanh)).Draw(t, "act"))
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			a, freeA := atPageEnd(randomSlice(r, m*k))
			defer freeA()
			b, freeB := atPageEnd(randomSlice(r, k*n))
			defer freeB()
			c, freeC := atPageEnd(randomSlice(r, m*n))
			defer freeC()
			var bias []float32
			if rapid.Bool().Draw(t, "bias") {
				var free func()
				bias, free = atPageEnd(randomSlice(r, n))
				defer free()
			}
			// What Gemm makes of it is tested on its own.
			want := make([]float32, m*n)
			for i := range want {
				if beta != 0 {
					want[i] = beta * c[i]
				}
				if bias != nil {
					want[i] += bias[i%n]
				}
			}
			lda, ldb := max(k, 1), max(n, 1)
			if transA {
				lda = max(m, 1)
			}
			if transB {
				ldb = max(k, 1)
			}
			Gemm(&ws, transA, transB, m, n, k, alpha, a, lda, b, ldb, 1, want, max(n, 1))
			Activate(act, want, want)
			PackMatrix(transB, k, n, b, ldb).Multiply(&ws, transA, m, alpha, a, lda, beta, c, max(n, 1), bias, act)
			for i, w := range want {
				if d := math.Abs(float64(c[i] - w)); !(d <= 1e-4*(1+math.Abs(float64(w)))) {
					t.Fatalf("element %d is %v, want %v", i, c[i], w)
				}
			}
		})
	})
}

// A batch is so many products, each of the same bits as alone.
func TestGemmBatch(t *testing.T) {
	defer Threads(Threads(2))
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			count := rapid.IntRange(0, 5).Draw(t, "count")
			dim := rapid.IntRange(0, 70)
			m, n, k := dim.Draw(t, "m"), dim.Draw(t, "n"), dim.Draw(t, "k")
			transA, transB := rapid.Bool().Draw(t, "transA"), rapid.Bool().Draw(t, "transB")
			beta := rapid.SampledFrom([]float32{0, 1, 0.25}).Draw(t, "beta")
			gap := rapid.IntRange(0, 3)
			strideA, strideB := m*k+gap.Draw(t, "gapA"), k*n+gap.Draw(t, "gapB")
			lda, ldb, ldc, strideC := max(k, 1), max(n, 1), max(n, 1), m*n+gap.Draw(t, "gapC")
			if rapid.Bool().Draw(t, "interleaved") {
				ldc, strideC = max(n*count, 1), n
			}
			if rapid.Bool().Draw(t, "shared") {
				strideB = 0
			}
			if transA {
				lda = max(m, 1)
			}
			if transB {
				ldb = max(k, 1)
			}
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			a := randomSlice(r, max(count-1, 0)*strideA+m*k)
			b := randomSlice(r, max(count-1, 0)*strideB+k*n)
			c := randomSlice(r, max(count-1, 0)*strideC+max(m-1, 0)*ldc+n)
			want := slices.Clone(c)
			for i := range count {
				Gemm(&ws, transA, transB, m, n, k, 1, a[i*strideA:], lda, b[i*strideB:], ldb, beta, want[i*strideC:], ldc)
			}
			GemmBatch(&ws, count, transA, transB, m, n, k, 1, a, lda, strideA, b, ldb, strideB, beta, c, ldc, strideC)
			checkSameBits(t, "batch", c, want)
		})
	})
}

// checkSameBits reports the first element of which got has other bits.
func checkSameBits(t interface {
	Helper()
	Fatalf(string, ...any)
}, what string, got, want []float32) {
	t.Helper()
	for i, w := range want {
		if math.Float32bits(got[i]) != math.Float32bits(w) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], w)
		}
	}
}

// The result has the same bits for any number of threads, and every time.
func TestGemmThreads(t *testing.T) {
	defer Threads(Threads(1))
	eachImplementation(t, func(t *testing.T) {
		for i, size := range [][3]int{{150, 330, 100}, {1, 3000, 600}, {6000, 1, 300}, {5, 2000, 300}, {3000, 20, 30}, {40, 1500, 50}, {50, 70, 1100}} {
			for _, flags := range []int{i % 4, (i + 1) % 4} {
				m, n, k := size[0], size[1], size[2]
				r := newRand(1)
				a, b, c := randomSlice(r, m*k), randomSlice(r, k*n), randomSlice(r, m*n)
				lda, ldb := k, n
				if flags&1 != 0 {
					lda = m
				}
				if flags&2 != 0 {
					ldb = k
				}
				bias := randomSlice(r, n)
				packed := PackMatrix(flags&2 != 0, k, n, b, ldb)
				var want, wantPacked []float32
				for _, threads := range []int{1, 2, 3, 2} {
					Threads(threads)
					var ws Workspace
					got, gotPacked := slices.Clone(c), slices.Clone(c)
					Gemm(&ws, flags&1 != 0, flags&2 != 0, m, n, k, 1, a, lda, b, ldb, 1, got, n)
					packed.Multiply(&ws, flags&1 != 0, m, 1, a, lda, 0, gotPacked, n, bias, SiLU)
					if want == nil {
						want, wantPacked = got, gotPacked
					}
					what := fmt.Sprintf("%v, flags %d, %d threads", size, flags, threads)
					checkSameBits(t, what, got, want)
					checkSameBits(t, what+", packed", gotPacked, wantPacked)
				}
			}
		}
	})
}

func TestGemmAllocatesNothing(t *testing.T) {
	defer Threads(Threads(2))
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		const m, n, k = 50, 300, 70
		a, b, c := make([]float32, 2*m*k), make([]float32, 2*k*n), make([]float32, 2*m*n)
		packed := PackMatrix(false, k, n, b, n)
		for name, call := range map[string]func(){
			"NN":     func() { Gemm(&ws, false, false, m, n, k, 1, a, k, b, n, 0, c, n) },
			"NT":     func() { Gemm(&ws, false, true, m, n, k, 1, a, k, b, k, 0, c, n) },
			"TN":     func() { Gemm(&ws, true, false, m, n, k, 1, a, m, b, n, 0, c, n) },
			"row":    func() { Gemm(&ws, false, true, 1, n, k, 1, a, k, b, k, 0, c, n) },
			"column": func() { Gemm(&ws, false, false, m, 1, k, 1, a, k, b, 1, 0, c, 1) },
			"batch":  func() { GemmBatch(&ws, 2, false, false, m, n, k, 1, a, k, m*k, b, n, k*n, 0, c, n, m*n) },
			"packed": func() { packed.Multiply(&ws, false, m, 1, a, k, 0, c, n, nil, SiLU) },
		} {
			if n := testing.AllocsPerRun(10, call); n != 0 {
				t.Errorf("%s allocates %v times a call", name, n)
			}
		}
	})
}

func TestLinear(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.IntRange(0, 9).Draw(t, "n")
			in := rapid.OneOf(rapid.IntRange(1, 40), rapid.IntRange(1, 1000)).Draw(t, "in")
			out := rapid.IntRange(1, 70).Draw(t, "out")
			act := Activation(rapid.IntRange(int(NoActivation), int(Sigmoid)).Draw(t, "act"))
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			weight, src := randomSlice(r, in*out), randomSlice(r, n*in)
			var bias []float32
			if rapid.Bool().Draw(t, "bias") {
				bias = randomSlice(r, out)
			}
			want := make([]expectation, n*out)
			for i := range n {
				for j := range out {
					var e expectation
					for p := range in {
						e.add(float64(src[i*in+p]) * float64(weight[j*in+p]))
					}
					if bias != nil {
						e.add(float64(bias[j]))
					}
					want[i*out+j] = activated(act, e)
				}
			}
			dst := randomSlice(r, n*out)
			PackLinear(in, out, weight, bias).Forward(&ws, n, dst, src, act)
			checkClose(t, "linear", dst, want)
		})
	})
}
