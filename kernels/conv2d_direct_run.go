package kernels

import "unsafe"

// directJob is a direct convolution as work for the threads. A part is a
// region of the output of one group and image, in some of its channels.
type directJob struct {
	d                  *direct
	p                  *phase
	splits             partition // of the panels
	dst, src, residual []float32
	tile               tile // what all tiles have in common
	activation         Activation
	late               Activation // of results that have just been written
	weights            []float32  // in place of the packed ones, or nil
	workers            []directWorker
}

type directWorker struct {
	tile  tile
	strip []float32
}

// noInput is what a phase without taps reads.
var noInput [1]float32

// forward computes dst = act(convolution(src) + bias + residual). Residual may
// be nil or dst itself.
func (d *direct) forward(ws *Workspace, dst, src, residual []float32, act Activation) {
	j := &ws.direct
	fused := j.start(d, dst, src, residual, act)
	for len(j.workers) < threadCount() {
		j.workers = append(j.workers, directWorker{})
	}
	for i := range d.phases {
		j.p = &d.phases[i]
		j.run(threadCount())
	}
	if !fused {
		Activate(act, dst[:d.outSize], dst[:d.outSize])
	}
	j.d, j.p, j.dst, j.src, j.residual = nil, nil, nil, nil, nil
}

// start sets what is common to all phases, and reports whether the activation
// is done with the products.
func (j *directJob) start(d *direct, dst, src, residual []float32, act Activation) (fused bool) {
	j.d, j.dst, j.src, j.residual, j.activation = d, dst, src, residual, act
	j.late = NoActivation
	if j.tile.setActivation(act) {
		return true
	}
	j.activation = NoActivation
	// A panel of a region is still in the cache when it is done.
	if p := &d.phases[0]; len(d.phases) == 1 && p.dy == 1 && p.dx == 1 && d.out.pixel == d.kernel.width {
		j.late = act
		return true
	}
	return false
}

func (j *directJob) run(threads int) {
	d, p := j.d, j.p
	if !p.inPlace {
		for i := range j.workers {
			w := &j.workers[i]
			w.strip = grow(w.strip, d.inBlocks*p.strip.block)
		}
	}
	parts := d.images * d.groups * p.rowParts.count * p.colParts.count
	panels := p.panels.count
	work := p.rows * p.cols * d.images * d.groups * d.outBlocks * d.kernel.width * len(p.offsets) * p.k
	splits := 1
	if threads > 1 {
		splits = min(max(min(regionParts*threads, work/partWork)/parts, 1), panels)
	}
	j.splits = split(panels, (panels+splits-1)/splits)
	shareOut(parts*j.splits.count, work, j)
}

func (j *directJob) part(i, worker int) {
	d, p := j.d, j.p
	next := func(n int) int { // the part's number among n
		at := i % n
		i /= n
		return at
	}
	panels := next(j.splits.count)
	xPart, yPart := next(p.colParts.count), next(p.rowParts.count)
	group, image := next(d.groups), i
	y0, y1 := p.rowParts.start(yPart), p.rowParts.start(yPart+1)
	x0, x1 := p.colParts.start(xPart), p.colParts.start(xPart+1)

	// Rows of the output of which all taps are on the image go by themselves.
	for y0 < y1 {
		end := y1
		if p.edges {
			for _, border := range [2]int{p.innerTop, p.innerBottom} {
				if y0 < border {
					end = min(end, border)
				}
			}
		}
		j.region(worker, image, group, y0, end, x0, x1, panels)
		y0 = end
	}
}

// region computes rows y0 to y1 and columns x0 to x1 of the output.
func (j *directJob) region(worker, image, group, y0, y1, x0, x1, panels int) {
	d, p := j.d, j.p
	w := &j.workers[worker]
	r := directRegion{job: j, worker: w, rows: y1 - y0, cols: x1 - x0, dstRow: p.dy * d.out.row, dstPixel: p.dx * d.out.pixel}
	r.dst = image*d.out.image + group*d.outBlocks*d.out.block + (p.y0+y0*p.dy)*d.out.row + (p.x0+x0*p.dx)*d.out.pixel
	from := image*d.in.image + group*d.inBlocks*d.in.block
	switch {
	case len(p.taps) == 0:
		r.src = noInput[:]
	case p.inPlace:
		r.src = j.src[from+(y0*p.sy+p.minY)*d.in.row+(x0*p.sx+p.minX)*d.in.pixel:]
		r.srcRow, r.srcPixel = p.sy*d.in.row, p.sx*d.in.pixel
		if p.rows == 1 && x1 < p.cols {
			r.ahead = 4 * (x1 - x0) * r.srcPixel
		}
	default:
		if !r.placeInner(w.strip, j.src[from:], y0, y1, x0, x1) {
			p.fillStrip(d, w.strip, j.src[from:], y0, y1, x0, x1)
		}
		r.src, r.srcRow, r.srcPixel = w.strip, p.sy*p.strip.row, p.sx*p.strip.pixel
		if p.split > 0 {
			r.srcPixel = p.strip.pixel
		}
		if p.compact {
			r.srcRow, r.srcPixel = p.strip.row, p.strip.pixel
			if p.colParts.count == 1 { // rows follow each other here and in the output
				r.rows, r.cols = 1, r.rows*r.cols
			}
		}
	}
	r.run(group, j.splits.start(panels), j.splits.start(panels+1))
}

// nearInput is how much input and weights are taken to stay in the first-level
// cache, in bytes.
const nearInput = 28 << 10

// placeInner has the tiles in the middle of the region read the image where it
// lies, if all rows and some of the tiles allow that, and copies what those at
// the left and the right border read.
func (r *directRegion) placeInner(strip, src []float32, y0, y1, x0, x1 int) bool {
	d, p := r.job.d, r.job.p
	parts := split(r.cols, d.kernel.rows)
	if !p.edges || y0 < p.innerTop || y1 > p.innerBottom || r.cols == d.kernel.rows/2 {
		return false
	}
	// Along the rows, if what a row reads stays in the first-level cache.
	r.along = 4*d.inBlocks*(p.maxY-p.minY+1)*d.in.row+4*p.chunks.largest()*p.k*2*d.kernel.width < nearInput
	if !r.along && r.rows < parts.count {
		return false
	}
	first, last := 0, parts.count
	for first < last && x0+parts.start(first) < p.inner0 {
		first++
	}
	for last > first && x0+parts.start(last) > p.inner1 {
		last--
	}
	if first == last {
		return false
	}
	r.inner0, r.inner1 = parts.start(first), parts.start(last)
	r.image, r.imageRow = src[(y0*p.sy+p.minY)*d.in.row:], p.sy*d.in.row
	r.imageColumn = x0*p.sx + p.minX
	r.innerLonger = max(min(last, parts.extra)-first, 0)
	r.innerOthers = last - first - r.innerLonger
	if first > 0 {
		p.fillStrip(d, strip, src, y0, y1, x0, x0+r.inner0)
	}
	if last < parts.count {
		p.fillStrip(d, strip[r.inner1*p.sx*p.strip.pixel:], src, y0, y1, x0+r.inner1, x1)
	}
	return true
}

// fillStrip copies the input of output rows y0 to y1 and columns x0 to x1,
// zero outside of the image.
func (p *phase) fillStrip(d *direct, strip, src []float32, y0, y1, x0, x1 int) {
	unit := p.strip.pixel
	rows, cols := (y1-y0-1)*p.sy+p.maxY-p.minY+1, (x1-x0-1)*p.sx+p.maxX-p.minX+1
	rowStep := 1
	if p.compact {
		rows, cols, rowStep = y1-y0, x1-x0, p.sy
	}
	if p.split > 0 {
		cols = p.split * p.splitCols
	}
	column := x0*p.sx + p.minX // on the image, of the strip's first pixel
	left, right := min(max(-column, 0), cols), max(min(cols, d.w-column), 0)
	for b := range d.inBlocks {
		for i := range rows {
			to := strip[b*p.strip.block+i*p.strip.row:][:cols*unit]
			y := y0*p.sy + p.minY + i*rowStep
			if y < 0 || y >= d.h {
				clear(to)
				continue
			}
			from := src[b*d.in.block+y*d.in.row:][:d.w*unit]
			switch {
			case p.compact:
				takePixels(d.kernel.take, to, from, unit, column, p.sx)
				continue
			case p.split > 0:
				n := (x1 - x0 + (p.maxX-p.minX)/p.sx) * unit
				for i := range p.split {
					takePixels(d.kernel.take, to[i*p.splitCols*unit:][:n], from, unit, column+i, p.sx)
				}
				continue
			}
			clear(to[:left*unit])
			if left < right {
				copy(to[left*unit:right*unit], from[(column+left)*unit:])
			}
			clear(to[max(left, right)*unit:])
		}
	}
}

// takePixels copies every step-th pixel of a row from the given column on,
// which may lie outside; take may do so for blocks.
func takePixels(take func(to, from *float32, count, step int), to, from []float32, unit, column, step int) {
	before := 0 // elements outside, on the left
	if column < 0 {
		before = min((-column+step-1)/step*unit, len(to))
	}
	first := column*unit + before*step
	inside := 0
	if first < len(from) {
		inside = min((len(from)-first+step*unit-1)/(step*unit)*unit, len(to)-before)
	}
	clear(to[:before])
	clear(to[before+inside:])
	switch {
	case inside == 0:
	case take != nil && unit == 16:
		_ = from[first+(inside-unit)*step:][:unit]
		take(&to[before], &from[first], inside/unit, 4*step*unit)
	default:
		to, from = to[before:before+inside], from[first:]
		for at := 0; at < inside; at += unit {
			copy(to[at:at+unit], from[at*step:])
		}
	}
}

// directRegion is the work of one part: rows of cols pixels.
type directRegion struct {
	job              *directJob
	worker           *directWorker
	rows, cols       int
	tileRows         int       // most of a tile of the panel
	src              []float32 // from the first pixel on
	dst              int       // where the first pixel of the group lies
	srcRow, srcPixel int       // distances in elements
	next             uintptr   // weights to bring closer
	ahead            int       // bytes to the next region, of which to do so, or 0
	dstRow, dstPixel int
	residual         bool

	// Pixels inner0 to inner1 of every row are read from image, that is from the
	// first row of the region on, in which the region begins at imageColumn.
	inner0, inner1        int
	image                 []float32
	imageRow, imageColumn int
	along                 bool // tiles of a row follow each other,
	innerLonger           int  // so many of the longer ones
	innerOthers           int  // and of the others
	segment               int  // first of the chunk
}

// run computes panels q0 to q1 of a group, a chunk of the reduction after the
// other, for all pixels of the region.
func (r *directRegion) run(group, q0, q1 int) {
	j := r.job
	d, p, t := j.d, j.p, &r.worker.tile
	packed := p.packed
	if j.weights != nil {
		packed = j.weights
	}
	*t = j.tile
	c := d.kernel.width
	t.mask, t.alpha, t.k = 1<<c-1, 1, p.k
	r.next = uintptr(unsafe.Pointer(&packed[0])) // something that is there
	t.aRow, t.cRow, t.cVector = 4*r.srcPixel, 4*r.dstPixel, 4*d.out.block
	steps := len(p.offsets) * p.k
	dst := r.dst
	for q := q0; q < q1; q++ {
		first, vectors := p.panels.start(q)
		t.vectors, t.bRow = vectors, 4*c*vectors
		r.tileRows = d.kernel.rows
		if vectors == 3 {
			r.tileRows = d.kernel.triple
		}
		block := group*d.outBlocks + first
		r.dst = dst + first*d.out.block
		for chunk := range p.chunks.count {
			first := p.chunks.start(chunk)
			r.segment, t.segments = first, p.chunks.start(chunk+1)-first
			weights := &packed[block*c*steps+first*p.k*c*t.vectors]
			t.accumulate, t.biasKind, r.residual, t.activation = 1, noBias, false, tileLinear
			var bias *float32
			if chunk == 0 {
				// The residual joins here, since the result may be written over it.
				t.accumulate, r.residual = 0, j.residual != nil
				if d.bias != nil {
					t.biasKind, bias = columnBias, &d.bias[block*c]
				}
			}
			if chunk == p.chunks.count-1 {
				t.activation = j.tile.activation
			}
			t.ahead = 0
			if r.ahead > 0 && q <= d.kernel.rows/4 { // four lines of each block at a time
				t.ahead = r.ahead + 4*cacheLine*q
			}
			if p.stream {
				// Over all tiles, the next chunk is fetched.
				bytes := t.segments * p.k * t.bRow
				r.next = uintptr(unsafe.Pointer(weights)) + uintptr(bytes)
				t.nextStep = (bytes/r.tileCount() + cacheLine) &^ (cacheLine - 1)
				t.nextLine = t.nextStep / max(t.segments*p.k/4, 1)
				if p.blocks {
					t.nextLine = t.nextStep / t.segments
				}
			}
			r.tiles(weights, bias)
		}
		if j.late != NoActivation {
			for v := range t.vectors {
				for y := range r.rows {
					x := j.dst[r.dst+v*d.out.block+y*r.dstRow:][:r.cols*r.dstPixel]
					Activate(j.late, x, x)
				}
			}
		}
	}
	t.a, t.b, t.c, t.residual, t.bias, t.offsets = nil, nil, nil, nil, nil, nil
}

// tileCount returns the number of tiles of the region.
func (r *directRegion) tileCount() int {
	rows := r.tileRows
	if r.cols == rows/2 {
		return (r.rows + 1) / 2
	}
	return r.rows * ((r.cols + rows - 1) / rows)
}

// tiles computes the tiles of the region with one panel of weights.
func (r *directRegion) tiles(weights, bias *float32) {
	t, half := &r.worker.tile, r.job.d.kernel.rows/2
	if r.cols == half && r.rows > 1 && r.tileRows == 2*half { // two rows to a tile
		r.products(weights, bias, 0, 0, r.tileRows, r.srcRow, r.dstRow, r.rows/2, 2*r.srcRow, 2*r.dstRow)
		if r.rows%2 != 0 {
			last := r.rows - 1
			r.products(weights, bias, last*r.srcRow, last*r.dstRow, half, 0, 0, 1, 0, 0)
		}
		return
	}
	parts := split(r.cols, r.tileRows)
	if r.rows >= parts.count || r.inner0 < r.inner1 {
		for i := range parts.count {
			x, n := parts.start(i), parts.start(i+1)-parts.start(i)
			if x >= r.inner0 && x < r.inner1 {
				if r.along {
					continue
				}
				sx := r.job.p.sx
				t.a, t.offsets = &r.image[r.imageColumn+x*sx], &r.job.p.placed[r.segment]
				r.multiply(weights, bias, x*r.dstPixel, n, half*sx, half*r.dstPixel, r.rows, r.imageRow, r.dstRow)
				continue
			}
			r.products(weights, bias, x*r.srcPixel, x*r.dstPixel, n, half*r.srcPixel, half*r.dstPixel, r.rows, r.srcRow, r.dstRow)
		}
		if !r.along {
			return
		}
		sx := r.job.p.sx
		for y := range r.rows {
			x := r.inner0
			run := func(n, count int) {
				if count > 0 {
					t.a, t.offsets = &r.image[y*r.imageRow+r.imageColumn+x*sx], &r.job.p.placed[r.segment]
					r.multiply(weights, bias, y*r.dstRow+x*r.dstPixel, n, half*sx, half*r.dstPixel, count, n*sx, n*r.dstPixel)
				}
				x += n * count
			}
			run(parts.base+1, r.innerLonger)
			run(parts.base, r.innerOthers)
		}
		return
	}
	for y := range r.rows {
		src, dst := y*r.srcRow, y*r.dstRow
		run := func(n, count int) {
			if count > 0 {
				r.products(weights, bias, src, dst, n, half*r.srcPixel, half*r.dstPixel, count, n*r.srcPixel, n*r.dstPixel)
			}
			src, dst = src+n*count*r.srcPixel, dst+n*count*r.dstPixel
		}
		run(parts.base+1, parts.extra)
		run(parts.base, parts.count-parts.extra)
	}
}

// products runs count tiles of the given number of rows, the first of which is
// for the pixel at src and dst. Distances are in elements.
func (r *directRegion) products(weights, bias *float32, src, dst, rows, srcGroup, dstGroup, count, srcStep, dstStep int) {
	t := &r.worker.tile
	t.a, t.offsets = &r.src[src], &r.job.p.offsets[r.segment]
	r.multiply(weights, bias, dst, rows, srcGroup, dstGroup, count, srcStep, dstStep)
}

// multiply is products for the pixel that the tile's a and offsets say.
func (r *directRegion) multiply(weights, bias *float32, dst, rows, srcGroup, dstGroup, count, srcStep, dstStep int) {
	j, t := r.job, &r.worker.tile
	t.rows, t.count = rows, count
	t.aGroup, t.aStep = 4*srcGroup, 4*srcStep
	t.b, t.bias = weights, bias
	t.c, t.cGroup, t.cStep = &j.dst[r.dst+dst], 4*dstGroup, 4*dstStep
	t.residual = nil
	if r.residual {
		t.residual = &j.residual[r.dst+dst]
	}
	t.next = r.next
	switch {
	case j.p.blocks:
		j.d.kernel.blocks[rows][t.vectors-1](t)
	case j.p.planes:
		j.d.kernel.multiplyPlanes(t)
	default:
		j.d.kernel.multiply(t)
	}
	r.next += uintptr(count * t.nextStep)
}
