package kernels

import (
	"testing"

	"pgregory.net/rapid"
)

func TestHalfMatrix(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		check := func(t rapid.TB, h HalfType, transA, transB bool, m, n, k int, alpha, beta float32) {
			r := newRand(uint64(m*n*k + 1))
			lda, ldb, ldc := k+1, n+2, n+3
			aRows, bRows := m, k
			if transA {
				aRows, lda = k, m+1
			}
			if transB {
				bRows, ldb = n, k+2
			}
			a, b := randomSlice(r, aRows*lda), randomSlice(r, bRows*ldb)
			start := randomSlice(r, m*ldc)
			c, checkC := guarded(start)
			PackHalf(h, transB, k, n, b, ldb).Multiply(&ws, transA, m, alpha, a, lda, beta, c, ldc)
			checkC(t, "Multiply")
			want := make([]expectation, len(c))
			for i, x := range start {
				row, column := i/ldc, i%ldc
				if column >= n {
					want[i].add(float64(x))
					continue
				}
				want[i].add(float64(beta) * float64(x))
				for p := range k {
					at, bt := row*lda+p, p*ldb+column
					if transA {
						at = p*lda + row
					}
					if transB {
						bt = column*ldb + p
					}
					y := b[bt]
					if h == Bfloat16 {
						y = float32FromBfloat16(bfloat16FromFloat32(y))
					} else {
						y = float32FromFloat16(float16FromFloat32(y))
					}
					want[i].add(float64(alpha) * float64(a[at]) * float64(y))
				}
			}
			checkClose(t, "Multiply", c, want)
		}
		rapid.Check(t, func(t *rapid.T) {
			size := func(name string) int { return rapid.IntRange(0, 40).Draw(t, name) }
			check(t, HalfType(rapid.IntRange(0, 1).Draw(t, "type")), rapid.Bool().Draw(t, "transA"), rapid.Bool().Draw(t, "transB"),
				size("m"), size("n"), size("k"), 0.5, rapid.SampledFrom([]float32{0, 1, 2}).Draw(t, "beta"))
		})
		check(t, Float16, false, true, 3, 2*halfColumns+5, halfRows+7, 1, 0)
		check(t, Bfloat16, true, false, 2, halfColumns+1, halfRows+1, 1, 3)
	})
}

func TestHalfMatrixRepeats(t *testing.T) {
	var ws Workspace
	r := newRand(1)
	const m, n, k = 20, 300, 600
	a, b, c := randomSlice(r, m*k), randomSlice(r, n*k), make([]float32, m*n)
	p := PackHalf(Bfloat16, true, k, n, b, k)
	sameBits(t, func() []float32 { p.Multiply(&ws, false, m, 1, a, k, 0, c, n); return c })
}

func BenchmarkHalfMatrix(b *testing.B) {
	var ws Workspace
	for _, s := range []struct {
		name    string
		m, n, k int
	}{{"m1n4096k4096", 1, 4096, 4096}, {"m512n1024k1024", 512, 1024, 1024}} {
		r := newRand(1)
		x, w, y := randomSlice(r, s.m*s.k), randomSlice(r, s.n*s.k), aligned(s.m*s.n)
		b.Run("gemm/f32/"+s.name, func(b *testing.B) {
			for b.Loop() {
				Gemm(&ws, false, true, s.m, s.n, s.k, 1, x, s.k, w, s.k, 0, y, s.n)
			}
			reportGFLOPS(b, 2*s.m*s.n*s.k)
		})
		p := PackHalf(Bfloat16, true, s.k, s.n, w, s.k)
		b.Run("gemm/bf16/"+s.name, func(b *testing.B) {
			for b.Loop() {
				p.Multiply(&ws, false, s.m, 1, x, s.k, 0, y, s.n)
			}
			reportGFLOPS(b, 2*s.m*s.n*s.k)
		})
	}
}
