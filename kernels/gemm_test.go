package kernels

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// gemmCase is one call of Gemm on matrices with padded rows.
type gemmCase struct {
	transA, transB bool
	m, n, k        int
	pad            [3]int
	alpha, beta    float32
	poisoned       bool
	seed           uint64
}

func (g gemmCase) check(t interface {
	Helper()
	Fatalf(string, ...any)
}, ws *Workspace) {
	t.Helper()
	r := newRand(g.seed)
	rowsA, columnsA, rowsB, columnsB := g.m, g.k, g.k, g.n
	if g.transA {
		rowsA, columnsA = columnsA, rowsA
	}
	if g.transB {
		rowsB, columnsB = columnsB, rowsB
	}
	lda, ldb, ldc := columnsA+g.pad[0], columnsB+g.pad[1], g.n+g.pad[2]
	size := func(rows, columns, ld int) int {
		if rows == 0 {
			return 0
		}
		return (rows-1)*ld + columns
	}
	a := randomSlice(r, size(rowsA, columnsA, lda))
	b := randomSlice(r, size(rowsB, columnsB, ldb))
	c := randomSlice(r, size(g.m, g.n, ldc))
	if g.poisoned {
		poison(r, a)
		poison(r, b)
		poison(r, c)
	}
	want := make([]expectation, len(c))
	for i, x := range c { // what lies between the rows stays
		want[i] = expectation{float64(x), 0}
	}
	for i := range g.m {
		for j := range g.n {
			var e expectation
			for p := range g.k {
				x, y := i*lda+p, p*ldb+j
				if g.transA {
					x = p*lda + i
				}
				if g.transB {
					y = j*ldb + p
				}
				e.add(float64(g.alpha) * float64(a[x]) * float64(b[y]))
			}
			if g.beta != 0 {
				e.add(float64(g.beta) * float64(c[i*ldc+j]))
			}
			want[i*ldc+j] = e
		}
	}
	for _, x := range []*[]float32{&a, &b, &c} { // nothing beyond may be touched
		guarded, free := atPageEnd(*x)
		defer free()
		*x = guarded
	}
	Gemm(ws, g.transA, g.transB, g.m, g.n, g.k, g.alpha, a, lda, b, ldb, g.beta, c, ldc)
	checkClose(t, fmt.Sprintf("%+v", g), c, want)
}

func TestGemm(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		// Every height and width of a tile, and both sides of a block.
		for _, g := range []gemmCase{
			{m: 0, n: 3, k: 3, alpha: 1}, {m: 3, n: 0, k: 3, alpha: 1}, {m: 3, n: 3, k: 0, alpha: 1},
			{m: 3, n: 3, k: 0, alpha: 1, beta: 1}, {m: 300, n: 33, k: 5, alpha: 1},
			{m: 3, n: 130, k: 65, alpha: -1, beta: 1, transB: true}, {m: 1, n: 67, k: 300, alpha: 1, transB: true, pad: [3]int{1, 2, 3}},
			{m: 130, n: 3, k: 65, alpha: -1, beta: 1}, {m: 67, n: 1, k: 300, alpha: 1, transB: true, pad: [3]int{1, 2, 3}},
			{m: 1, n: 40, k: 700, alpha: 1}, {m: 9, n: 65, k: 700, alpha: 1, beta: 1},
			{m: gemm.nc + 1, n: gemm.nr() + 1, k: gemm.kc + 1, alpha: 1},
			{m: gemm.nc + 5, n: gemm.nr(), k: gemm.kc, alpha: -1, beta: 2, transA: true},
			{m: 3*gemm.rows + 1, n: (packedPanels+1)*gemm.nr() - 3, k: 99, alpha: 1, beta: 1, transA: true},
			{m: 3*gemm.rows + 1, n: (packedPanels+1)*gemm.nr() + 1, k: 2*packedDepth/3 + 400, pad: [3]int{2*packedDepth - 2*packedDepth/3 - 400}, alpha: -1},
		} {
			g.check(t, &ws)
		}
		for m := 1; m <= 2*gemm.rows+1; m++ {
			for _, n := range []int{1, gemm.nr()/2 - 1, gemm.nr() / 2, gemm.nr()/2 + 1, gemm.nr() - 1, gemm.nr(), 2*gemm.nr() + 1} {
				gemmCase{m: m, n: n, k: 1 + (m*n)%11, alpha: 1, beta: float32(m % 2), seed: uint64(m)}.check(t, &ws)
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			dim := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(20, 120))
			gemmCase{
				transA: rapid.Bool().Draw(t, "transA"), transB: rapid.Bool().Draw(t, "transB"),
				m: dim.Draw(t, "m"), n: dim.Draw(t, "n"), k: dim.Draw(t, "k"),
				pad:   [3]int{rapid.IntRange(0, 3).Draw(t, "padA"), rapid.IntRange(0, 3).Draw(t, "padB"), rapid.IntRange(0, 3).Draw(t, "padC")},
				alpha: rapid.SampledFrom([]float32{1, -0.5}).Draw(t, "alpha"),
				beta:  rapid.SampledFrom([]float32{0, 1, 0.25}).Draw(t, "beta"),
				seed:  rapid.Uint64().Draw(t, "seed"), poisoned: rapid.IntRange(0, 3).Draw(t, "poisoned") == 0,
			}.check(t, &ws)
		})
	})
}

func FuzzGemm(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint8(1), uint8(0), uint64(0))
	f.Add(uint8(13), uint8(33), uint8(7), uint8(0xff), uint64(1))
	f.Fuzz(func(t *testing.T, m, n, k, flags uint8, seed uint64) {
		g := gemmCase{
			m: int(m), n: int(n), k: int(k), alpha: 1, beta: float32(flags >> 2 & 1), seed: seed,
			transA: flags&1 != 0, transB: flags&2 != 0, poisoned: flags&8 != 0,
			pad: [3]int{int(flags >> 4 & 1), int(flags >> 5 & 1), int(flags >> 6 & 1)},
		}
		before := Implementation()
		for _, name := range Implementations() {
			if err := Use(name); err != nil {
				t.Fatal(err)
			}
			var ws Workspace
			g.check(t, &ws)
		}
		if err := Use(before); err != nil {
			t.Fatal(err)
		}
	})
}

func TestGemmRejects(t *testing.T) {
	var ws Workspace
	x := make([]float32, 12)
	for name, call := range map[string]func(){
		"short":        func() { Gemm(&ws, false, false, 4, 4, 4, 1, x, 4, x, 4, 0, x, 4) },
		"row distance": func() { Gemm(&ws, false, false, 3, 4, 4, 1, x, 3, x, 4, 0, x, 4) },
		"batch":        func() { GemmBatch(&ws, 3, false, false, 2, 2, 2, 1, x, 2, 4, x, 2, 5, 0, x, 2, 4) },
		"stride":       func() { GemmBatch(&ws, 2, false, false, 2, 2, 2, 1, x, 2, 4, x, 2, -1, 0, x, 2, 4) },
		"negative":     func() { Gemm(&ws, false, false, -1, 4, 3, 1, x, 3, x, 4, 0, x, 4) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}

func TestBlocking(t *testing.T) {
	for _, test := range []struct{ mr, nr, l1, l2, kc, nc int }{
		{6, 16, 32 << 10, 512 << 10, 384, 256},
		{14, 32, 32 << 10, 1 << 20, 384, 512},
		{14, 32, -1, -1, 384, 128},
		{14, 32, 48 << 10, 2 << 20, 384, 1024},
		{6, 16, 64 << 10, 0, 384, 128},
		{14, 32, 1 << 10, 1 << 10, 64, 32},
	} {
		if kc, nc := blocking(test.mr, test.nr, test.l1, test.l2); kc != test.kc || nc != test.nc {
			t.Errorf("blocking(%d, %d, %d, %d) = %d, %d, want %d, %d", test.mr, test.nr, test.l1, test.l2, kc, nc, test.kc, test.nc)
		}
	}
}

func BenchmarkGemm(b *testing.B) {
	for _, size := range [][3]int{
		{64, 64, 64}, {256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024}, {2048, 2048, 2048},
		{1, 1000, 1280}, {1, 4096, 4096}, {8, 1024, 1024}, {196, 768, 768}, {196, 3072, 768}, {196, 768, 192},
		{49, 1280, 320}, {3136, 64, 24}, {3136, 24, 16}, {784, 120, 40}, {12544, 16, 27}, {12544, 64, 64},
		{64, 12544, 147}, {128, 784, 1152}, {512, 49, 4608},
	} {
		m, n, k := size[0], size[1], size[2]
		b.Run(fmt.Sprintf("m%dn%dk%d", m, n, k), func(b *testing.B) {
			r := newRand(1)
			x, y, z := randomSlice(r, m*k), randomSlice(r, k*n), randomSlice(r, m*n)
			var ws Workspace
			for b.Loop() {
				Gemm(&ws, false, false, m, n, k, 1, x, k, y, n, 0, z, n)
			}
			reportGFLOPS(b, 2*m*n*k)
		})
	}
}

// reportGFLOPS reports the rate of a benchmark whose every turn takes flop
// floating-point operations.
func reportGFLOPS(b *testing.B, flop int) {
	b.ReportMetric(float64(flop)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
}
