package kernels

import (
	"testing"
	"unsafe"

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

// Tiles against their twin. A tile with VDPBF16PS is among them where there is
// the instruction.
func TestHalfTilesMatchPortable(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			pairs := rapid.IntRange(0, 40).Draw(t, "pairs")
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			for _, c := range []struct {
				name   string
				h      HalfType
				aPairs bool
				tiles  *[5]halfTile
			}{
				{"Float16", Float16, false, &halfTiles.float16},
				{"Bfloat16", Bfloat16, false, &halfTiles.bfloat16},
				{"pairs", Bfloat16, true, &halfTiles.pairs},
			} {
				for rows, tile := range c.tiles {
					if tile == nil {
						continue
					}
					wide := randomSlice(r, 2*pairs*halfPanel)
					b := make([]uint16, 2*pairs*halfPanel+1)
					c.h.FromFloat32(b[:2*pairs*halfPanel], wide)
					row := 2*pairs + 1
					af := randomSlice(r, rows*row+1)
					ab := make([]uint16, 2*len(af))
					aRow, a := 4*row, (*uint16)(unsafe.Pointer(&af[0]))
					if c.aPairs {
						Bfloat16.FromFloat32(ab[:len(af)], af)
						aRow, a = 2*row, &ab[0]
					}
					got, check := guarded(make([]float32, rows*halfPanel))
					want := make([]float32, rows*halfPanel)
					tile(&got[0], a, &b[0], pairs, aRow)
					halfTilePortable(c.h, rows, c.aPairs, &want[0], a, &b[0], pairs, aRow)
					check(t, c.name)
					requireClose(t, c.name, got, want, 1e-4)
				}
			}
		})
	})
}

func TestMultiplyBfloat16(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		for _, s := range [][3]int{{1, 1, 1}, {3, 40, 33}, {8, 130, 17}, {20, 65, 600}} {
			m, n, k := s[0], s[1], s[2]
			r := newRand(uint64(m))
			a, b, start := make([]uint16, m*k), randomSlice(r, n*k), randomSlice(r, m*n)
			Bfloat16.FromFloat32(a, randomSlice(r, m*k))
			wide := make([]float32, m*k)
			Bfloat16.Float32(wide, a)
			p := PackHalf(Bfloat16, true, k, n, b, k)
			want, check := guarded(start)
			p.Multiply(&ws, false, m, 0.5, wide, k, 2, want, n)
			check(t, "Multiply")
			got, check := guarded(start)
			p.MultiplyBfloat16(&ws, m, 0.5, a, k, 2, got, n)
			check(t, "MultiplyBfloat16")
			requireClose(t, "MultiplyBfloat16", got, want, 1e-4)
		}
	})
}

func TestHalfMatrixRepeats(t *testing.T) {
	var ws Workspace
	r := newRand(1)
	const m, n, k = 20, 300, 600
	a, b, c := randomSlice(r, m*k), randomSlice(r, n*k), make([]float32, m*n)
	p := PackHalf(Bfloat16, true, k, n, b, k)
	sameBits(t, func() []float32 { p.Multiply(&ws, false, m, 1, a, k, 0, c, n); return c })
	sameBits(t, func() []float32 { p.Multiply(&ws, false, 3, 1, a, k, 0, c, n); return c[:3*n] })
	bits := make([]uint16, len(a))
	Bfloat16.FromFloat32(bits, a)
	sameBits(t, func() []float32 { p.MultiplyBfloat16(&ws, m, 1, bits, k, 0, c, n); return c })
}

func BenchmarkHalfMatrix(b *testing.B) {
	var ws Workspace
	for _, s := range []struct {
		name    string
		m, n, k int
	}{{"m1n4096k4096", 1, 4096, 4096}, {"m512n1024k1024", 512, 1024, 1024}} {
		r := newRand(1)
		x, w, y := randomSlice(r, s.m*s.k), randomSlice(r, s.n*s.k), Aligned[float32](s.m*s.n)
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
