package kernels

import "unsafe"

// multiplication is a product at work: the job whose parts are rectangles of
// C. How an element of C is computed depends on the shapes alone, not on the
// part that it belongs to.
type multiplication struct {
	product
	kernel        *gemmKernel
	plan          gemmPlan
	rows, columns partition // parts of C: panels of rows, and of columns
	workers       []*gemmWorker
	left          leftBlock
	packing       bool // parts are row panels of left that are being packed
}

// leftBlock is the part of op(A) that is multiplied at a time: columns p0 to
// p1 of row panels i0 to i1, copied if the plan says so.
type leftBlock struct {
	i0, i1, p0, p1 int
	data           []float32
	ld             int
}

// gemmPlan is how a product is gone about, which depends on its shape alone.
type gemmPlan struct {
	dots       bool // dot products, of all rows of A or, fewColumns, of all columns of B
	fewColumns bool
	direct     bool // B is read where it lies
	copyA      bool // rows of A are copied, not read where they lie,
	packA      bool // all of a block before it is multiplied, not a panel at a time
	inner      bool // row panels follow each other innermost, not panels of columns
	depth      int  // rows of B of a block
	width      int  // columns of a block
}

// gemmWorker is what one thread works with.
type gemmWorker struct {
	product
	kernel *gemmKernel
	plan   gemmPlan
	tile   tile
	dots   dots
	left   leftBlock

	packedRows     []float32 // of the left operand
	packedColumns  []float32 // panels of the right operand
	edge           []float32 // tiles that do not fit the output,
	edgeResidual   []float32 // what is added to them,
	edgeColumnBias []float32
}

// Shapes up to which another way than the general one is taken.
const (
	// directPanels is the number of row panels up to which B is read where it
	// lies: packing pays only if the copy is read often.
	directPanels = 2
	// directElements is the number of elements of B up to which a few row
	// panels more may do so: it stays in the first-level cache.
	directElements = 1 << 12
	// streamedBytes is how much of B, as stored, the rows span that are read side
	// by side where B is read once, from memory: 8 to 32 of them, as many as the
	// processor fetches ahead at a time.
	streamedBytes = 128 << 10
	// copyPanels is the number of panels of columns from which on rows of A
	// are copied.
	copyPanels = 2
	// transposedPanels is the number of row panels of a transposed A that are
	// packed together, so that a cache line of it is read once.
	transposedPanels = 4
	// packedPanels is the number of panels of columns above which A is packed
	// once for all of them, in blocks of packedDepth columns and packedElements
	// elements, which stay in the last level of the caches.
	packedPanels   = 8
	packedDepth    = 1024
	packedElements = 2 << 20
	packedLeast    = 64 // fewer columns are copied for each panel of C
	// edgePanels is the number of row panels that go through edge at a time.
	edgePanels = 8
	// partRows is the number of rows that fewer count as in the work of a
	// part: they take the time in which B is read.
	partRows = 16
)

// planFor decides how p is gone about.
func (k *gemmKernel) planFor(p *product) gemmPlan {
	x := gemmPlan{depth: k.kc, width: k.nc}
	if x.dots, x.fewColumns = p.dotProducts(); x.dots {
		x.width = k.nr() // any division will do
		return x
	}
	panels, columns := ceilDivide(p.m, k.rows), ceilDivide(p.n, k.nr())
	plain := p.packedB == nil && !p.transB && p.b.plain(p.n)
	x.direct = plain && p.k > 0 && (panels <= directPanels || panels <= 4*directPanels && p.k*p.n <= directElements && !collide(p.b.ld*4, p.k, k.nr()*4))
	if x.direct && panels == 1 && p.k*p.n > k.kc*k.nc/2 {
		x.depth = min(max(streamedBytes/(4*p.b.ld), 8), 32)
		x.width = max(k.nc, k.kc*k.nc/max(p.m, 1)/2/k.nr()*k.nr())
	} else if panels == 1 { // nothing of B is used twice
		x.depth = quotient(k.kc*k.rows, p.m)
	}
	blocks := max(ceilDivide(p.k, x.depth), 1)
	x.depth = max(ceilDivide(p.k, blocks)+3, 4) &^ 3
	rowwise := !p.transA && p.a.plain(p.k)
	x.copyA = !rowwise || columns >= copyPanels && collide(p.a.ld*4, min(p.m, k.rows), x.depth*4)
	if x.copyA && p.batch <= 1 && p.k >= packedLeast && columns > packedPanels && panels > directPanels {
		x.packA = true
		blocks = (p.k + packedDepth - 1) / packedDepth
		x.depth = max(ceilDivide(p.k, blocks)+3, 4) &^ 3
		// Half of the second-level cache is enough, since A need not be copied
		// again for every block.
		x.width = min(max(k.kc*k.nc*2/3/x.depth/k.nr(), 1)*k.nr(), k.nc)
	}
	if rowwise && blocks == 1 && columns <= copyPanels && x.depth*k.nr() <= 1<<12 && panels > 1 {
		x.inner, x.copyA = true, false
	}
	return x
}

// collide tells whether rows rows of length bytes, distance bytes apart, fill
// more than the eight lines which the first-level cache has for an address
// modulo 4096.
func collide(distance, rows, length int) bool {
	const way, lines = 4096, 8
	step := distance & -distance // rows start at its multiples, modulo way
	if step == 0 || step > way {
		step = way
	}
	starts := quotient(way, step)
	return starts < rows && ceilDivide(rows, starts)*ceilDivide(length, step) > lines
}

// multiply computes p on the threads that there are.
func (ws *Workspace) multiply(kernel *gemmKernel, p *product) {
	if p.m == 0 || p.n == 0 {
		return
	}
	x := &ws.gemm
	x.product, x.kernel, x.plan = *p, kernel, kernel.planFor(p)
	threads := threadCount()
	for len(x.workers) < threads {
		x.workers = append(x.workers, new(gemmWorker))
	}
	panels := ceilDivide(p.m, kernel.rows)
	x.left = leftBlock{i1: panels, p1: p.k, data: x.left.data}
	if x.plan.packA {
		x.multiplyPacked(panels)
	} else {
		x.divide(threads)
		parallel(max(x.batch, 1)*x.rows.count*x.columns.count, x)
	}
	x.product = product{} // keep no operand alive
}

// multiplyPacked does a multiplication block by block of A, each of which is
// packed first. It stays in the last level of the caches.
func (x *multiplication) multiplyPacked(panels int) {
	l := &x.left
	l.ld = (x.plan.depth+15)/16*16 + 16 // not a power of two
	chunk := split(panels, max(packedElements/(l.ld*x.kernel.rows), 1))
	for i := range chunk.count {
		l.i0, l.i1 = chunk.start(i), chunk.start(i+1)
		l.data = grow(l.data, (l.i1-l.i0)*x.kernel.rows*l.ld)
		for p := 0; p < x.k; p += x.plan.depth {
			l.p0, l.p1 = p, min(p+x.plan.depth, x.k)
			x.packing = true
			parallel((l.i1-l.i0+transposedPanels-1)/transposedPanels, x)
			x.packing = false
			x.divide(threadCount())
			parallel(x.rows.count*x.columns.count, x)
		}
	}
}

// divide cuts C into parts: some for every thread, so that one which is held
// up delays the others little.
func (x *multiplication) divide(threads int) {
	panels := x.left.i1 - x.left.i0
	columns := ceilDivide(x.n, x.kernel.nr())
	wanted := 1
	if threads > 1 {
		batch := max(x.batch, 1)
		wanted = min(ceilDivide(4*threads, batch), max(x.m, partRows)*x.n*max(x.k, 1)/partWork)
	}
	// Columns first: a part packs what it needs of B itself. But a copy of A
	// should serve many columns.
	least := max(quotient(x.plan.width, 2*x.kernel.nr()), 1)
	c := max(min(wanted, quotient(columns, least)), 1)
	r := max(min(quotient(wanted, c), panels/4), 1)
	if c*r < min(wanted, threads) {
		if c = min(wanted, columns); c < min(wanted, threads) {
			r = max(min(quotient(wanted, c), panels), 1)
		} else {
			r = 1
		}
	}
	x.rows, x.columns = split(panels, ceilDivide(panels, r)), split(columns, ceilDivide(columns, c))
}

// part computes rectangle i of C.
func (x *multiplication) part(i, worker int) {
	w := x.workers[worker]
	w.product, w.kernel, w.plan, w.left = x.product, x.kernel, x.plan, x.left
	if x.packing {
		w.packLeft(i*transposedPanels, transposedPanels)
		return
	}
	parts := x.rows.count * x.columns.count
	if entry := quotient(i, parts); entry > 0 {
		w.a.data = w.a.data[entry*x.strideA:]
		w.b.data = w.b.data[entry*x.strideB:]
		w.c.data = w.c.data[entry*x.strideC:]
		i -= entry * parts
	}
	row := quotient(i, x.columns.count)
	column := i - row*x.columns.count
	nr := x.kernel.nr()
	panels := split(x.m, x.kernel.rows)
	i0, i1 := x.left.i0+x.rows.start(row), x.left.i0+x.rows.start(row+1)
	j0, j1 := x.columns.start(column)*nr, min(x.columns.start(column+1)*nr, x.n)
	if x.plan.dots {
		w.dotPart(panels.start(i0), panels.start(i1), j0, j1)
		w.product = product{}
		return
	}
	for j := j0; j < j1; j += x.plan.width {
		end := min(j+x.plan.width, j1)
		for p := x.left.p0; p == x.left.p0 || p < x.left.p1; p += x.plan.depth {
			w.block(panels, i0, i1, j, end, p, min(p+x.plan.depth, x.left.p1))
		}
	}
	w.product, w.tile = product{}, tile{}
}

// block multiplies columns p0 to p1 of the row panels i0 to i1 of op(A) by
// columns j0 to j1 of op(B).
func (w *gemmWorker) block(panels partition, i0, i1, j0, j1, p0, p1 int) {
	t := &w.tile
	*t = tile{
		offsets: &noOffsets[0], segments: 1, k: p1 - p0, alpha: w.alpha, aRow: w.a.ld * 4,
	}
	if w.accumulate || p0 > 0 {
		t.accumulate = 1
	}
	last := p1 == w.k
	applied := true
	t.setActivation(NoActivation)
	if last {
		applied = t.setActivation(w.activation)
	}
	b := w.blockB(j0, j1, p0, p1)
	// Panels of two heights: the higher ones come first.
	for i0 < i1 {
		end := i1
		if i0 < panels.extra {
			end = min(end, panels.extra)
		}
		row, rows := panels.start(i0), panels.start(i0+1)-panels.start(i0)
		count := 1
		switch {
		case w.plan.inner:
			count = min(end-i0, max(quotient(innerBudget, rows*max(t.k, 1)), 1))
		case w.transA:
			count = min(end-i0, transposedPanels)
		}
		a, step := w.rowsA(row, rows, count, p0, p1)
		if w.plan.inner {
			w.panels(a, step, b, row, rows, count, j0, j1, p0, last)
		} else {
			for i := range count {
				if w.plan.packA {
					w.wantPanel(panels, i0+i+1, i1, quotient(j1-j0, w.kernel.nr()))
				} else if i0+i+1 < i1 && !w.transA && t.k > 0 {
					t.next = uintptr(unsafe.Pointer(&w.a.data[w.a.row(panels.start(i0+i+1))+p0%w.a.run]))
					t.nextStep = w.a.ld * 4
				} else {
					t.next, t.nextStep = uintptr(unsafe.Pointer(b)), 0
				}
				w.panels(elementAt(a, i*step), step, b, row+i*rows, rows, 1, j0, j1, p0, last)
			}
		}
		if last && !applied {
			w.activate(row, rows*count, j0, j1)
		}
		i0 += count
	}
}

// innerBudget is the number of elements of A that are gone through for a
// panel of B at a time: they should stay in the second-level cache.
const innerBudget = 1 << 15

// rowsA returns columns p0 to p1 of count panels of rows rows of op(A), from
// row on, as rows of adjacent elements, and how many elements one panel lies
// after the other. It sets the tile's row distances.
func (w *gemmWorker) rowsA(row, rows, count, p0, p1 int) (a *float32, step int) {
	t, k := &w.tile, p1-p0
	if k == 0 {
		return &noElement, 0
	}
	ld := w.a.ld
	if w.plan.packA {
		ld = w.left.ld
		first := split(w.m, w.kernel.rows).start(w.left.i0)
		a = &w.left.data[(row-first)*ld]
	} else if w.plan.copyA {
		ld = (k+15)/16*16 + 16
		w.packedRows = grow(w.packedRows, rows*count*ld)
		if w.transA {
			w.kernel.pack.rows(w.packedRows, ld, &w.a, p0, p1, row, row+rows*count)
		} else {
			w.a.gather(w.packedRows, ld, w.a.data, row, rows*count, p0, p1)
		}
		a = &w.packedRows[0]
	} else {
		a = &w.a.data[row*ld+p0]
		_ = w.a.data[(row+rows*count-1)*ld+p1-1]
	}
	t.aRow = ld * 4
	t.aGroup = w.kernel.rows / 2 * t.aRow
	return a, rows * ld
}

// packLeft copies count row panels of the left block, from i on.
func (w *gemmWorker) packLeft(i, count int) {
	l, panels := &w.left, split(w.m, w.kernel.rows)
	first := panels.start(l.i0)
	row, end := panels.start(l.i0+i), panels.start(min(l.i0+i+count, l.i1))
	to := l.data[(row-first)*l.ld:]
	if w.transA {
		w.kernel.pack.rows(to, l.ld, &w.a, l.p0, l.p1, row, end)
	} else {
		w.a.gather(to, l.ld, w.a.data, row, end-row, l.p0, l.p1)
	}
	w.product = product{}
}

// wantPanel has row panel i of the packed left block brought to the
// second-level cache in the course of products products, if there is one
// before end.
func (w *gemmWorker) wantPanel(panels partition, i, end, products int) {
	t, l := &w.tile, &w.left
	t.next, t.nextStep, t.nextLine = uintptr(unsafe.Pointer(&l.data[0])), 0, 0
	if i == end || products == 0 || t.k < 4 {
		return
	}
	first, row := panels.start(l.i0), panels.start(i)
	bytes := 4 * l.ld * (panels.start(i+1) - row) / products
	// The kernel asks for two lines after every four steps, and goes 16 bytes
	// back and nextLine on.
	t.nextStep = bytes
	t.nextLine = 16 + bytes/(t.k/4) + 1
	t.next += uintptr(4 * (l.ld*(row-first) - (t.k - 4)))
}

// noElement stands for operands without elements.
var noElement float32

// blockB makes rows p0 to p1 and columns j0 to j1 of op(B) the right operand
// of the tile, packed or where they lie. It sets the distance of its rows and
// the step from panel to panel.
func (w *gemmWorker) blockB(j0, j1, p0, p1 int) *float32 {
	t, nr := &w.tile, w.kernel.nr()
	k := p1 - p0
	t.bRow, t.bStep = nr*4, k*nr*4
	switch {
	case k == 0:
		t.bStep = 0
		return &noElement
	case w.packedB != nil:
		t.bStep = w.k * nr * 4
		return &w.packedB[j0*w.k+p0*nr]
	case w.plan.direct:
		t.bRow, t.bStep = w.b.ld*4, nr*4
		t.bEdge = 1
		_ = w.b.data[(p1-1)*w.b.ld+j1-1]
		b := &w.b.data[p0*w.b.ld+j0]
		if tail := (j1 - j0) % nr; tail != 0 && !w.kernel.masked {
			w.packedColumns = grow(w.packedColumns, k*nr+packSlack)
			w.kernel.pack.columns(w.packedColumns, nr, &w.b, p0, p1, j1-tail, j1)
		}
		return b
	}
	columns := ceilDivide(j1-j0, nr)
	w.packedColumns = grow(w.packedColumns, columns*k*nr+packSlack)
	full := 0
	if !w.transB && w.b.plain(w.n) {
		full = quotient(j1-j0, nr)
		if full > 0 {
			w.kernel.pack.panels(w.packedColumns, nr, w.b.data[p0*w.b.ld+j0:], w.b.ld, k, full)
		}
	}
	for q := full; q < columns; q++ {
		j := j0 + q*nr
		panel := w.packedColumns[q*k*nr:]
		if w.transB {
			w.kernel.pack.rows(panel, nr, &w.b, j, min(j+nr, j1), p0, p1)
		} else {
			w.kernel.pack.columns(panel, nr, &w.b, p0, p1, j, min(j+nr, j1))
		}
	}
	return &w.packedColumns[0]
}

// panels computes count panels of rows rows of C, from row on, in columns j0
// to j1, with the left operand at a, panels of which lie aStep elements apart,
// and the right operand at b.
func (w *gemmWorker) panels(a *float32, aStep int, b *float32, row, rows, count, j0, j1, p0 int, last bool) {
	t, nr, width := &w.tile, w.kernel.nr(), w.kernel.width
	bStep := t.bStep
	t.a, t.rows = a, rows
	t.cRow, t.cGroup, t.cVector = w.c.ld*4, w.kernel.rows/2*w.c.ld*4, width*4
	full := 1<<width - 1
	for j := j0; j < j1; {
		offset, left := w.c.segment(j)
		left = min(left, j1-j)
		columns := min(nr, j1-j)
		at := quotient(j-j0, nr) * bStep / 4
		t.b = elementAt(b, at)
		t.vectors, t.mask = 2, full
		if columns < nr {
			t.vectors = ceilDivide(columns, width)
			t.mask = full >> (t.vectors*width - columns)
			if w.plan.direct && !w.kernel.masked { // not whole where it lies
				t.b, t.bRow = &w.packedColumns[0], nr*4
			}
		}
		if left < columns || columns < nr && !w.kernel.masked {
			w.edges(row, rows, count, j, j+columns, aStep, p0, last)
			j += columns
			continue
		}
		t.c = &w.c.data[row*w.c.ld+offset]
		_ = w.c.data[(row+rows*count-1)*w.c.ld+offset+columns-1]
		t.addends(w, row, j, offset, p0, last)
		if w.plan.inner {
			t.count, t.aStep, t.bStep, t.cStep = count, aStep*4, 0, rows*w.c.ld*4
			t.biasStep = 0
			if t.biasKind == rowBias {
				t.biasStep = rows * 4
			}
		} else {
			t.count, t.aStep, t.bStep, t.cStep = 1, 0, bStep, nr*4
			if columns == nr {
				t.count = quotient(left, nr)
			}
			columns *= t.count
			t.biasStep = 0
			if t.biasKind == columnBias {
				t.biasStep = nr * 4
			}
		}
		w.kernel.multiply(t)
		j += columns
	}
	t.bStep = bStep
	if w.plan.direct {
		t.bRow = w.b.ld * 4
	}
}

// addends sets the bias and the residual of a tile at row and column j of C,
// offset elements from the start of its row. The residual joins the first
// block, since the result may be written over it.
func (t *tile) addends(w *gemmWorker, row, j, offset, p0 int, last bool) {
	t.bias, t.biasKind, t.residual = nil, noBias, nil
	switch {
	case !last:
	case w.bias != nil:
		t.bias, t.biasKind = &w.bias[row], rowBias
	case w.columnBias != nil:
		t.bias, t.biasKind = &w.columnBias[j], columnBias
	}
	if w.residual != nil && p0 == 0 {
		t.residual = &w.residual[row*w.c.ld+offset]
	}
}

// edges computes what panels says for columns j0 to j1 that do not lie side
// by side in C, or are too few for the kernel: by way of w.edge.
func (w *gemmWorker) edges(row, rows, count, j0, j1, aStep, p0 int, last bool) {
	t, nr := &w.tile, w.kernel.nr()
	c := t.cRow
	a := t.a
	for done := 0; done < count; done += edgePanels {
		t.count = min(edgePanels, count-done)
		row := row + done*rows
		height := rows * t.count
		t.a = elementAt(a, done*aStep)
		t.addends(w, row, j0, 0, p0, last)
		w.edge = grow(w.edge, height*nr)
		if t.accumulate != 0 {
			w.c.gather(w.edge, nr, w.c.data, row, height, j0, j1)
		}
		if t.residual != nil {
			w.edgeResidual = grow(w.edgeResidual, height*nr)
			w.c.gather(w.edgeResidual, nr, w.residual, row, height, j0, j1)
			t.residual = &w.edgeResidual[0]
		}
		if t.biasKind == columnBias && !w.kernel.masked { // which may be read whole
			w.edgeColumnBias = grow(w.edgeColumnBias, nr)
			copy(w.edgeColumnBias, w.columnBias[j0:j1])
			t.bias = &w.edgeColumnBias[0]
		}
		mask := t.mask
		if !w.kernel.masked {
			t.mask = 1<<w.kernel.width - 1
		}
		t.c, t.cRow, t.cGroup = &w.edge[0], nr*4, w.kernel.rows/2*nr*4
		t.aStep, t.bStep, t.cStep, t.biasStep = aStep*4, 0, rows*nr*4, 0
		if t.biasKind == rowBias {
			t.biasStep = rows * 4
		}
		w.kernel.multiply(t)
		w.c.scatter(w.edge, nr, row, height, j0, j1)
		t.mask = mask
	}
	t.a, t.cRow, t.cGroup = a, c, w.kernel.rows/2*c
}

// activate applies an activation that the kernels do not know to rows of C
// that have just been written.
func (w *gemmWorker) activate(row, rows, j0, j1 int) {
	for i := row; i < row+rows; i++ {
		for j := j0; j < j1; {
			offset, n := w.c.segment(j)
			n = min(n, j1-j)
			c := w.c.data[w.c.row(i)+offset:][:n]
			Activate(w.activation, c, c)
			j += n
		}
	}
}
