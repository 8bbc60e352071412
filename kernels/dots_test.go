package kernels

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The assembly kernels add what their Go twin adds, and write nothing else.
func TestDotsTwin(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			x := dots{
				rows:     rapid.IntRange(1, dotTiles.rows).Draw(t, "rows"),
				columns:  rapid.IntRange(1, dotColumns).Draw(t, "columns"),
				segments: rapid.IntRange(1, 4).Draw(t, "segments"),
				length:   rapid.IntRange(1, 50).Draw(t, "length"),
			}
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			aRow := x.length + r.IntN(5)
			aSegment := aRow*x.rows + r.IntN(5)
			bSegment := x.length + r.IntN(9)
			cRow := x.columns + r.IntN(3)
			a := randomSlice(r, aSegment*(x.segments-1)+aRow*(x.rows-1)+x.length)
			b := randomSlice(r, bSegment*(x.segments-1)+x.length+20)
			if rapid.IntRange(0, 3).Draw(t, "poisoned") == 0 {
				poison(r, a)
				poison(r, b)
			}
			for j := range x.bColumn {
				x.bColumn[j] = 4 * r.IntN(21)
			}
			a, freeA := atPageEnd(a)
			defer freeA()
			bEnd := 0
			for _, offset := range x.bColumn {
				bEnd = max(bEnd, offset/4)
			}
			b, freeB := atPageEnd(b[:bSegment*(x.segments-1)+x.length+bEnd])
			defer freeB()
			c := randomSlice(r, cRow*(x.rows-1)+x.columns)
			x.aRow, x.aSegment, x.bSegment, x.cRow = 4*aRow, 4*aSegment, 4*bSegment, 4*cRow
			x.a, x.b = &a[0], &b[0]
			run := func(kernel func(*dots)) []float32 {
				inside, check := guarded(c)
				y := x
				y.c = &inside[0]
				kernel(&y)
				check(t, "c")
				inside, free := atPageEnd(c)
				defer free()
				y.c = &inside[0]
				kernel(&y)
				return slices.Clone(inside)
			}
			got, want := run(dotTiles.run[x.rows]), run(dotsPortable)
			for i, g := range got {
				g, w := float64(g), float64(want[i])
				if g == w || math.IsNaN(g) && math.IsNaN(w) || math.Abs(g-w) <= 1e-4*(1+math.Abs(w)) {
					continue
				}
				t.Fatalf("%+v: element %d is %v, want %v", x, i, g, w)
			}
		})
	})
}
