package kernels

import "unsafe"

// int8Rows says where the rows of the left operand of an int8 product lie: in
// runs of adjacent rows, perImage of them rowStep bytes apart, and then the
// next image.
type int8Rows struct {
	data      []uint8
	rows, run int // of which the last run may have fewer
	distance  int // of the rows of a run
	perImage  int
	rowStep   int
	imageStep int
	offsets   []int // of the segments of a row
}

// at returns where run i starts.
func (a *int8Rows) at(i int) int { return i/a.perImage*a.imageStep + i%a.perImage*a.rowStep }

// int8Job is an int8 product in parts: blocks of runs times groups of panels.
type int8Job struct {
	packed *int8Packed
	a      int8Rows
	out    Int8Output
	pitch  int // elements from one row of the output to the next
	tile   int8Tile
	kernel *int8Kernel

	summing              bool // the parts sum up rows of A
	runs, panels         int  // of a part
	runParts, panelParts int

	int8Columns
	rowSums []int32
	workers []int8Worker
}

// int8Worker is the scratch memory of a worker.
type int8Worker struct {
	tile     int8Tile
	edge     []uint8 // a tile that does not fit the output
	residual []uint8 // its residual
	start    [16]int32
}

// int8BlockBytes is how much of the left operand a part runs through for each
// panel: it is to stay in the second-level cache.
const int8BlockBytes = 192 << 10

// run computes out from the rows a of a left operand, of which zero is the
// zero point.
func (j *int8Job) run(p *int8Packed, a int8Rows, zero int, out *Int8Output, pitch int) {
	if a.rows == 0 || p.n == 0 {
		return
	}
	k := p.kernel
	j.packed, j.kernel, j.a, j.out, j.pitch = p, k, a, *out, pitch
	j.prepare(p, zero, out)
	j.tile = int8Tile{
		a: unsafe.SliceData(a.data), aRow: a.distance,
		offsets: unsafe.SliceData(a.offsets), segments: p.segments, steps: p.steps,
	}
	out.set(&j.tile, pitch)
	for len(j.workers) < threadCount() {
		j.workers = append(j.workers, int8Worker{})
	}
	if tile := k.rows * 2 * k.width; !k.masked {
		for i := range j.workers {
			w := &j.workers[i]
			w.edge, w.residual = growBytes(w.edge, 4*tile), growBytes(w.residual, tile)
		}
	}
	j.split()
	if p.zero != nil {
		j.rowSums = growInts(j.rowSums, a.rows*k.width)
		j.summing = true
		parallel(j.runParts, j)
		j.summing = false
	}
	parallel(j.runParts*j.panelParts, j)
	j.out = Int8Output{} // keeps no memory of the caller
	j.a, j.tile, j.packed = int8Rows{}, int8Tile{}, nil
	for i := range j.workers {
		j.workers[i].tile = int8Tile{}
	}
}

// int8Columns is what an epilogue needs for every column, for whole vectors.
type int8Columns struct {
	start []int32
	scale []float32
	bias  []float32 // nil without one
	room  []float32 // of bias
}

func (c *int8Columns) prepare(p *int8Packed, zero int, out *Int8Output) {
	columns := (p.n + p.kernel.width - 1) / p.kernel.width * p.kernel.width
	c.start = growInts(c.start, columns)
	p.start(c.start, zero, out.Bias)
	c.scale = grow(c.scale, columns)
	if out.Bytes != nil || out.Floats != nil {
		spread(c.scale, out.Scale, p.n)
	}
	c.bias = nil
	if out.Floats != nil && out.FloatBias != nil {
		c.room = grow(c.room, columns)
		spread(c.room, out.FloatBias, p.n)
		c.bias = c.room
	}
}

// set makes t compute the columns from column on.
func (c *int8Columns) set(t *int8Tile, column int) {
	t.start, t.scale = &c.start[column], &c.scale[column]
	if c.bias != nil {
		t.bias = &c.bias[column]
	}
	t.c = unsafe.Add(t.c, column*t.size())
	if t.residual != nil {
		t.residual = (*uint8)(unsafe.Add(unsafe.Pointer(t.residual), column))
	}
}

// spread copies values, n or one for all, to dst, and fills up with zeros.
func spread(dst, values []float32, n int) {
	if len(values) == 1 {
		for i := range dst[:n] {
			dst[i] = values[0]
		}
	} else {
		copy(dst, values[:n])
	}
	clear(dst[n:])
}

// split decides what a part is.
func (j *int8Job) split() {
	runs := (j.a.rows + j.a.run - 1) / j.a.run
	panels := j.packed.count()
	j.runs = min(max(int8BlockBytes/max(j.a.rowStep, 1), 1), runs)
	j.panels = panels
	// Dot products of four bytes take the time of a multiply-add.
	work := j.a.rows * j.packed.n * j.packed.segments * j.packed.steps
	if n := threadCount(); n > 1 && work >= 2*partWork {
		for parts := min(3*n, work/partWork); (runs+j.runs-1)/j.runs*((panels+j.panels-1)/j.panels) < parts; {
			switch {
			case j.runs > 1:
				j.runs = (j.runs + 1) / 2
			case j.panels > 1:
				j.panels = (j.panels + 1) / 2
			default:
				parts = 0
			}
		}
	}
	j.runParts, j.panelParts = (runs+j.runs-1)/j.runs, (panels+j.panels-1)/j.panels
}

func (j *int8Job) part(i, worker int) {
	w := &j.workers[worker]
	runs := (j.a.rows + j.a.run - 1) / j.a.run
	if j.summing {
		r0 := i * j.runs
		w.tile = j.tile
		t := &w.tile
		t.vectors, t.mask, t.b, t.kind, t.residual = 1, 1<<j.kernel.width-1, unsafe.SliceData(j.packed.ones), int8Sums, nil
		for i := range w.start {
			w.start[i] = int32(j.kernel.offset * j.packed.k)
		}
		t.start = &w.start[0]
		t.c, t.cRow = unsafe.Pointer(unsafe.SliceData(j.rowSums)), 4*j.kernel.width
		j.column(w, r0, min(r0+j.runs, runs), j.kernel.width)
		return
	}
	r0, p0 := i%j.runParts*j.runs, i/j.runParts*j.panels
	r1, p1 := min(r0+j.runs, runs), min(p0+j.panels, j.packed.count())
	for p := p0; p < p1; p++ {
		panel, width, column := j.packed.panel(p)
		w.tile = j.tile
		t := &w.tile
		t.vectors = width / j.kernel.width
		columns := min(width, j.packed.n-column)
		t.mask = 1<<(columns-width+j.kernel.width) - 1
		t.b = unsafe.SliceData(panel)
		if j.packed.zero != nil {
			t.columnZero = &j.packed.zero[column]
		}
		j.set(t, column)
		j.column(w, r0, r1, columns)
	}
	if !j.out.late() {
		return
	}
	c0, c1 := p0*2*j.kernel.width, min(p1*2*j.kernel.width, j.packed.n)
	for r := r0 * j.a.run; r < min(r1*j.a.run, j.a.rows); r++ {
		j.out.activate(r*j.pitch+c0, c1-c0)
	}
}

// column computes runs r0 to r1 of the panel in w.tile, of which columns
// columns are wanted.
func (j *int8Job) column(w *int8Worker, r0, r1, columns int) {
	half := j.kernel.rows / 2
	for i := r0; i < r1; {
		rows := min(j.a.run, j.a.rows-i*j.a.run)
		if pairs := min(r1-i, j.a.perImage-i%j.a.perImage) / 2; j.a.run == half && rows == half && pairs > 0 {
			j.products(w, i, 0, 2*half, pairs, j.a.rowStep, 2*j.a.rowStep, columns)
			i += 2 * pairs
			continue
		}
		tiles := (rows + 2*half - 1) / (2 * half)
		each := (rows + tiles - 1) / tiles
		count := rows / each
		j.products(w, i, 0, each, count, half*j.a.distance, each*j.a.distance, columns)
		if rest := rows - count*each; rest > 0 {
			j.products(w, i, count*each, rest, 1, half*j.a.distance, 0, columns)
		}
		i++
	}
}

// products computes count tiles of rows rows, which are step bytes apart and
// begin at row first of run i.
func (j *int8Job) products(w *int8Worker, i, first, rows, count, group, step, columns int) {
	t := &w.tile
	a, c, residual, rowSums := t.a, t.c, t.residual, t.rowSums
	row := i*j.a.run + first
	t.rows, t.count, t.aGroup, t.aStep = rows, count, group, step
	t.a = (*uint8)(unsafe.Add(unsafe.Pointer(a), j.a.at(i)+first*j.a.distance))
	if t.columnZero != nil {
		t.rowSums, t.rowSum = &j.rowSums[row*j.kernel.width], 0
	}
	t.c = unsafe.Add(c, row*t.cRow)
	if residual != nil {
		t.residual = (*uint8)(unsafe.Add(unsafe.Pointer(residual), row*t.cRow))
	}
	if j.kernel.masked || columns == t.vectors*j.kernel.width {
		t.cGroup, t.cStep = j.kernel.rows/2*t.cRow, rows*t.cRow
		j.kernel.multiply(t)
	} else {
		j.edge(w, columns)
	}
	t.a, t.c, t.residual, t.rowSums = a, c, residual, rowSums
}

// edge computes the tiles in w, of which only the first columns fit C, in
// scratch memory.
func (j *int8Job) edge(w *int8Worker, columns int) {
	t := &w.tile
	size := t.size()
	a, c, residual, rowSums, cRow, count := t.a, t.c, t.residual, t.rowSums, t.cRow, t.count
	width := t.vectors * j.kernel.width
	t.count, t.cRow, t.cGroup = 1, width*size, j.kernel.rows/2*width*size
	t.c = unsafe.Pointer(unsafe.SliceData(w.edge))
	for i := range count {
		first := i * t.rows
		if residual != nil {
			for r := range t.rows {
				copy(w.residual[r*width:], unsafe.Slice((*uint8)(unsafe.Add(unsafe.Pointer(residual), (first+r)*cRow)), columns))
			}
			t.residual = unsafe.SliceData(w.residual)
		}
		t.a = (*uint8)(unsafe.Add(unsafe.Pointer(a), i*t.aStep))
		if t.columnZero != nil {
			t.rowSums, t.rowSum = (*int32)(unsafe.Add(unsafe.Pointer(rowSums), 4*first*j.kernel.width)), 0
		}
		j.kernel.multiply(t)
		for r := range t.rows {
			copy(unsafe.Slice((*uint8)(unsafe.Add(c, (first+r)*cRow)), columns*size), w.edge[r*width*size:])
		}
	}
	t.count, t.cRow = count, cRow
}

// late tells that there is something that the kernels cannot apply.
func (out *Int8Output) late() bool {
	_, _, ok := out.Activation.bounds()
	return out.Floats != nil && !ok || out.Bytes != nil && out.Table != nil
}

// activate applies what the kernels cannot to n elements of the output, from
// element first on.
func (out *Int8Output) activate(first, n int) {
	if out.Floats != nil {
		row := out.Floats[first : first+n]
		Activate(out.Activation, row, row)
		return
	}
	row := out.Bytes[first : first+n]
	for i, q := range row {
		row[i] = out.Table[q]
	}
}

// int8Run is the length of the runs into which rows at equal distances are
// cut, a multiple of the rows of most tiles.
const int8Run = 168
