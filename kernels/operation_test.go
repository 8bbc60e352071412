package kernels

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// operate runs an operation on slices.
func (k *vectorKernels) operate(op Operation, dst, a, b []float32) {
	if n := len(dst); n > 0 {
		k.operations.apply(op, bothVectors, &dst[0], &a[0], &b[0], 1, n, 0, 0, 0)
	}
}

// first is the address of a slice's first element.
func first(x []float32) *float32 {
	if len(x) == 0 {
		return new(float32)
	}
	return &x[0]
}

// rowShape is a number of rows of n elements, and the elements between them.
type rowShape struct{ rows, n, gap, skip int }

func drawRowShape(t *rapid.T) rowShape {
	return rowShape{
		rows: rapid.IntRange(0, 5).Draw(t, "rows"),
		n:    rapid.IntRange(0, 150).Draw(t, "n"),
		gap:  rapid.IntRange(0, 20).Draw(t, "gap"),
		skip: rapid.IntRange(0, 5).Draw(t, "skip"),
	}
}

// size is the number of elements of an operand.
func (s rowShape) size() int { return max(s.rows-1, 0)*(s.n+s.gap) + s.n }

// checkRows compares the row functions and operations in use with their twins.
func checkRows(t rapid.TB, s rowShape, seed uint64, fill func(random *rand.Rand, skip, n int) []float32) {
	random := rand.New(rand.NewPCG(seed, 2))
	size, row := s.size(), (s.n+s.gap)*4
	x, y, start := fill(random, s.skip, size+s.rows), fill(random, s.skip+1, size+s.rows), fill(random, 0, size) // as scalars, they take an element a row
	scale, shift := fill(random, 1, s.n), fill(random, 2, s.n)
	a, b, c := normal(random, 0, s.rows), normal(random, 1, s.rows), normal(random, 2, s.rows)

	for op := range operations {
		for form := range operationForms {
			if (op == OpAbs || op == OpSqrt) && form != bothVectors || op == OpCopy && form == vectorScalar {
				continue
			}
			want := append([]float32(nil), start...)
			got, check := guarded(start)
			ax, bx := row, row
			if form == scalarVector {
				ax = 4
			}
			if form == vectorScalar {
				bx = 4
			}
			portableOperations.apply(op, form, first(want), first(x), first(y), s.rows, s.n, row, ax, bx)
			vector.operations.apply(op, form, first(got), first(x), first(y), s.rows, s.n, row, ax, bx)
			check(t, "operation")
			requireClose(t, "operation", got, want, 1e-6)
		}
	}

	// run compares a function that writes dst, and one element for each row.
	run := func(name string, f func(k *vectorKernels, dst, out, out2 *float32)) {
		t.Helper()
		want, wantOut, wantOut2 := append([]float32(nil), start...), make([]float32, s.rows), make([]float32, s.rows)
		f(&portableVector, first(want), first(wantOut), first(wantOut2))
		got, check := guarded(start)
		out, checkOut := guarded(make([]float32, s.rows))
		out2, checkOut2 := guarded(make([]float32, s.rows))
		f(&vector, first(got), first(out), first(out2))
		check(t, name)
		checkOut(t, name)
		checkOut2(t, name)
		requireClose(t, name, got, want, 3e-5)
		// The sums cancel; the tolerance is relative to what was added.
		requireClose(t, name, out, wantOut, 1e-5*float64(s.n+1))
		requireClose(t, name, out2, wantOut2, 1e-5*float64(s.n+1))
	}
	z := normal(random, s.skip, size) // products of infinities and small numbers depend on the order
	pz := first(z)
	px, py, ps, pt, pa, pb, pc := first(x), first(y), first(scale), first(shift), first(a), first(b), first(c)
	run("rowAffine", func(k *vectorKernels, dst, _, _ *float32) { k.rowAffine(dst, px, pa, pb, s.rows, s.n, row) })
	run("rowNormalize", func(k *vectorKernels, dst, _, _ *float32) { k.rowNormalize(dst, px, ps, pt, pa, pb, s.rows, s.n, row) })
	run("rowAffineAdd", func(k *vectorKernels, dst, _, _ *float32) { k.rowAffineAdd(dst, px, py, pa, pb, pc, s.rows, s.n, row) })
	run("rowScaledAdd", func(k *vectorKernels, dst, _, _ *float32) {
		k.rowScaledAdd(dst, px, py, ps, pa, pb, pc, s.rows, s.n, row)
	})
	run("rowSum", func(k *vectorKernels, _, out, _ *float32) { k.rowSum(px, out, s.rows, s.n, row) })
	run("rowMax", func(k *vectorKernels, _, out, _ *float32) { k.rowMax(px, out, s.rows, s.n, row) })
	run("rowMin", func(k *vectorKernels, _, out, _ *float32) { k.rowMin(px, out, s.rows, s.n, row) })
	run("rowProduct", func(k *vectorKernels, _, out, _ *float32) { k.rowProduct(pz, out, s.rows, s.n, row) })
	run("rowSquares", func(k *vectorKernels, _, out, _ *float32) { k.rowSquares(px, out, pa, s.rows, s.n, row) })
	run("rowProducts", func(k *vectorKernels, _, out, out2 *float32) {
		k.rowProducts(px, py, out, out2, pa, s.rows, s.n, row)
	})
	run("rowScaledProducts", func(k *vectorKernels, _, out, out2 *float32) {
		k.rowScaledProducts(px, py, ps, out, out2, pa, s.rows, s.n, row)
	})
	run("columnSum", func(k *vectorKernels, dst, _, _ *float32) { k.columnSum(dst, px, s.rows, s.n, row) })
	run("columnMax", func(k *vectorKernels, dst, _, _ *float32) { k.columnMax(dst, px, s.rows, s.n, row) })
	run("columnMin", func(k *vectorKernels, dst, _, _ *float32) { k.columnMin(dst, px, s.rows, s.n, row) })
	run("columnProduct", func(k *vectorKernels, dst, _, _ *float32) { k.columnProduct(dst, px, s.rows, s.n, row) })
	products, wantProducts := make([]float32, s.n), make([]float32, s.n)
	run("columnProducts", func(k *vectorKernels, dst, _, _ *float32) {
		to := products
		if k == &portableVector {
			to = wantProducts
		}
		k.columnProducts(dst, first(to), px, py, pa, pb, s.rows, s.n, row)
	})
	requireClose(t, "columnProducts, products", products, wantProducts, 1e-4)
}

func TestRowsMatchPortable(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for n := range 80 {
			checkRows(t, rowShape{rows: 2, n: n, skip: n % 4}, uint64(n), special)
		}
		rapid.Check(t, func(t *rapid.T) {
			s, seed := drawRowShape(t), rapid.Uint64().Draw(t, "seed")
			checkRows(t, s, seed, normal)
		})
	})
}
