package kernels

// Products of so few rows or columns are done as dot products, if they are at
// least as long as dotLength: vectors along the columns would be mostly empty,
// or B would have to be transposed for a single use.
const (
	dotLines  = 4
	dotLength = 64
)

// dotProducts tells whether p is done as dot products of rows of A and columns
// of op(B), and whether it is the columns that are few.
func (p *product) dotProducts() (ok, fewColumns bool) {
	switch {
	case p.k < dotLength || p.packedB != nil || p.transA || !p.a.plain(p.k) || !p.c.plain(p.n):
		return false, false
	case p.m <= dotLines && p.transB && p.b.plain(p.k):
		return true, false
	}
	return p.n <= dotLines && (p.transB && p.b.plain(p.k) || !p.transB && p.b.plain(p.n)), true
}

// dotBlock is the number of lines of the longer operand that are multiplied by
// those of the other at a time.
const dotBlock = 64

// dotPart computes rows i0 to i1 and columns j0 to j1 of C. Lines of the
// operands, rows of A and columns of op(B), are called few or many.
func (w *gemmWorker) dotPart(i0, i1, j0, j1 int) {
	few, fewLd, many, manyLd := w.a.data, w.a.ld, w.b.data, w.b.ld
	count, first, last := w.m, j0, j1
	if w.plan.fewColumns {
		few, fewLd, many, manyLd = w.columnsOfB(), w.k, w.a.data, w.a.ld
		count, first, last = w.n, i0, i1
	}
	t := &w.dots
	*t = dots{segments: 1, length: w.k, aRow: fewLd * 4, cRow: dotBlock * 4}
	w.edge = grow(w.edge, dotLines*dotBlock)
	for l := first; l < last; l += dotBlock {
		lines := min(dotBlock, last-l)
		clear(w.edge)
		for i := 0; i < lines; i += dotColumns {
			t.columns = min(dotColumns, lines-i)
			t.b = &many[(l+i)*manyLd]
			_ = many[(l+i+t.columns-1)*manyLd+w.k-1]
			for c := range t.bColumn {
				t.bColumn[c] = min(c, t.columns-1) * manyLd * 4
			}
			for f := 0; f < count; f += dotTiles.rows {
				t.rows = min(dotTiles.rows, count-f)
				t.a, t.c = &few[f*fewLd], &w.edge[f*dotBlock+i]
				_ = few[(f+t.rows-1)*fewLd+w.k-1]
				dotTiles.run[t.rows](t)
			}
		}
		for f := range count {
			sums := w.edge[f*dotBlock:][:lines]
			if w.plan.fewColumns {
				for i, x := range sums {
					w.finish(l+i, f, x)
				}
			} else {
				for j, x := range sums {
					w.finish(f, l+j, x)
				}
			}
		}
	}
	w.dots = dots{}
	if w.activation != NoActivation {
		w.activate(i0, i1-i0, j0, j1)
	}
}

// columnsOfB returns the columns of op(B) as rows of k adjacent elements.
func (w *gemmWorker) columnsOfB() []float32 {
	w.packedColumns = grow(w.packedColumns, w.n*w.k)
	for j := range w.n {
		column := w.packedColumns[j*w.k:][:w.k]
		if w.transB {
			copy(column, w.b.data[j*w.b.ld:])
			continue
		}
		for p := range column {
			column[p] = w.b.data[p*w.b.ld+j]
		}
	}
	return w.packedColumns
}

// finish makes a dot product the element of C that it belongs to, all but its
// activation.
func (w *gemmWorker) finish(i, j int, x float32) {
	c := &w.c.data[i*w.c.ld+j]
	x *= w.alpha
	if w.accumulate {
		x += *c
	}
	switch {
	case w.bias != nil:
		x += w.bias[i]
	case w.columnBias != nil:
		x += w.columnBias[j]
	}
	if w.residual != nil {
		x += w.residual[i*w.c.ld+j]
	}
	*c = x
}
