package kernels

// pointwiseJob multiplies the planes of images by a matrix, which is a
// pointwise convolution in the layout [Planar], or the gradient of its input:
// C [m, hw] (+)= A [m, k] B [k, hw] for every image. The planes are read where
// they lie, and each panel of rows of C is written from left to right, so that
// the processor follows as many streams as a tile has rows. An image is a part.
type pointwiseJob struct {
	m, k, hw       int
	a              []float32 // rows of A, aRow elements apart
	aRow           int
	b, c           []float32
	bImage, cImage int
	bias           []float32 // [m] or nil
	accumulate     bool
	workers        []pointwiseWorker
}

// pointwiseWorker is what one thread works with.
type pointwiseWorker struct {
	tile  tile
	panel []float32 // columns of B that are no whole tile
	edge  []float32 // columns of C
}

// pointwiseSpan is the number of elements of B that are gone through for a
// panel of rows of C before the next panel: they stay in the second-level
// cache.
const pointwiseSpan = 1 << 16

// multiplyPlanes computes C for n images, whose planes of B and C lie bImage
// and cImage elements apart. a is [m, k], or [k, m] if transposed.
func (ws *Workspace) multiplyPlanes(n, m, k, hw int, a []float32, transposed bool, b []float32, bImage int, c []float32, cImage int, bias []float32, accumulate bool) {
	j := &ws.pointwise
	j.m, j.k, j.hw, j.b, j.bImage, j.c, j.cImage, j.bias, j.accumulate = m, k, hw, b, bImage, c, cImage, bias, accumulate
	j.aRow = roundUp(k, 16) + 16
	j.a = grow(j.a, m*j.aRow)
	if transposed {
		x := dense(a, m, m)
		gemm.pack.rows(j.a, j.aRow, &x, 0, k, 0, m)
	} else {
		x := dense(a, k, k)
		x.gather(j.a, j.aRow, a, 0, m, 0, k)
	}
	for len(j.workers) < threadCount() {
		j.workers = append(j.workers, pointwiseWorker{})
	}
	shareOut(n, n*m*k*hw, j)
	j.b, j.c, j.bias = nil, nil, nil
}

// part computes an image.
func (j *pointwiseJob) part(image, worker int) {
	w := &j.workers[worker]
	b, c := j.b[image*j.bImage:][:j.k*j.hw], j.c[image*j.cImage:][:j.m*j.hw]
	width := tiles.width
	nr, full := 2*width, 1<<width-1
	t := &w.tile
	*t = tile{
		aRow: 4 * j.aRow, aGroup: tiles.rows / 2 * 4 * j.aRow, offsets: &noOffsets[0], segments: 1, k: j.k,
		bRow: 4 * j.hw, bStep: 4 * nr, cStep: 4 * nr, cVector: 4 * width, vectors: 2, mask: full, alpha: 1,
	}
	if j.accumulate {
		t.accumulate = 1
	}
	t.setActivation(NoActivation)
	whole := j.hw / nr
	span := max(pointwiseSpan/(j.k*nr), 1)
	for x := 0; x < whole; x += span {
		t.b, t.count = &b[x*nr], min(span, whole-x)
		j.rows(t, c[x*nr:], j.hw)
	}
	x := whole * nr
	columns := j.hw - x
	if columns == 0 {
		*t = tile{}
		return
	}
	t.count = 1
	if tiles.masked {
		t.vectors = (columns + width - 1) / width
		t.mask = full >> (t.vectors*width - columns)
		t.b, t.bEdge = &b[x], 1
		j.rows(t, c[x:], j.hw)
		*t = tile{}
		return
	}
	w.panel = grow(w.panel, j.k*nr+packSlack)
	planes := dense(b, j.hw, j.hw)
	gemm.pack.columns(w.panel, nr, &planes, 0, j.k, x, j.hw)
	t.b, t.bRow = &w.panel[0], 4*nr
	w.edge = grow(w.edge, j.m*nr)
	planes = dense(c, j.hw, j.hw)
	if j.accumulate {
		planes.gather(w.edge, nr, c, 0, j.m, x, j.hw)
	}
	j.rows(t, w.edge, nr)
	planes.scatter(w.edge, nr, 0, j.m, x, j.hw)
	*t = tile{}
}

// rows computes all rows of the columns of C that t is set to, which start at
// c; rows are cRow elements apart.
func (j *pointwiseJob) rows(t *tile, c []float32, cRow int) {
	t.cRow, t.cGroup = 4*cRow, tiles.rows/2*4*cRow
	panels := split(j.m, tiles.rows)
	for i := range panels.count {
		row := panels.start(i)
		t.rows = panels.start(i+1) - row
		t.a, t.c = &j.a[row*j.aRow], &c[row*cRow]
		if t.biasKind = noBias; j.bias != nil {
			t.biasKind, t.bias = rowBias, &j.bias[row]
		}
		tiles.multiply(t)
	}
}
