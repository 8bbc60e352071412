package kernels

import "unsafe"

// Depthwise convolution of bytes. Of every output row, the input rows under
// the kernel are laid side by side, four at a time, so that the four bytes of
// a channel that one column of the kernel meets are adjacent: a tile of pixels
// is then summed up as in type int8Tile, except that every column, a channel,
// has bytes of A of its own.

// int8DepthwisePortable is the Go twin of the kernels of depthwise
// convolution with vectors of width channels. With offset 128 the bytes of A
// are signed, 128 having been taken off when they were interleaved. One vector,
// one group of rows and one step are all there is.
func int8DepthwisePortable(t *int8Tile, width, offset int) {
	columns := width
	for columns > 0 && t.mask>>(columns-1)&1 == 0 {
		columns--
	}
	for product := range t.count {
		for i := range t.rows {
			var sum [16]int32
			copy(sum[:columns], unsafe.Slice(t.start, width))
			for s := range t.segments {
				from := *(*int)(unsafe.Add(unsafe.Pointer(t.offsets), s*int(unsafe.Sizeof(s))))
				a := unsafe.Slice((*uint8)(unsafe.Add(unsafe.Pointer(t.a), product*t.aStep+i*t.aRow+from)), 4*columns)
				b := unsafe.Slice((*int8)(unsafe.Add(unsafe.Pointer(t.b), s*width*4)), 4*columns)
				for j, x := range a {
					sum[j/4] += (int32(x^uint8(offset)) - int32(offset)) * int32(b[j])
				}
			}
			t.finish(sum[:columns], product*t.cStep+i*t.cRow, 0)
		}
	}
}

func portableInt8Depthwise(t *int8Tile) { int8DepthwisePortable(t, portableWidth, 0) }

// interleavePortable sets dst[4*i+j] to rows[j][i]^flip for i < n.
func interleavePortable(dst *uint8, rows *[4]*uint8, n int, flip uint8) {
	to := unsafe.Slice(dst, 4*n)
	for j, row := range rows {
		for i, x := range unsafe.Slice(row, n) {
			to[4*i+j] = x ^ flip
		}
	}
}

// int8Depthwise is the weights of a depthwise convolution: for every vector of
// channels, group of four rows and column of the kernel, four bytes a channel.
type int8Depthwise struct {
	int8Packed
	groups  int   // of rows of the kernel
	row     int   // bytes of an interleaved row
	offsets []int // of what meets the columns of every group
}

func packInt8Depthwise(s Conv2D, weight []int8) *int8Depthwise {
	kernel := int8Tiles
	width := kernel.width
	p := &int8Depthwise{
		int8Packed: int8Packed{kernel: kernel, n: s.C, sums: make([]int32, s.C)},
		groups:     (s.R + 3) / 4,
	}
	pixel := 4 * Int8Channels(s.C)
	p.row = (s.W + s.PadLeft + s.PadRight) * pixel
	p.segments, p.steps = p.groups*s.S, 1
	for g := range p.groups {
		for q := range s.S {
			p.offsets = append(p.offsets, g*p.row+q*s.DilationW*pixel)
		}
	}
	p.panels = Aligned[int8]((s.C + width - 1) / width * width * 4 * p.segments)
	for c := range s.C {
		for r := range s.R {
			for q := range s.S {
				x := weight[(c*s.R+r)*s.S+q]
				p.sums[c] += int32(x)
				p.panels[((c/width*p.segments+r/4*s.S+q)*width+c%width)*4+r%4] = x
			}
		}
	}
	return p
}

// int8DepthwiseJob is a depthwise convolution, of which a part is a number of
// output rows.
type int8DepthwiseJob struct {
	shape  Conv2D
	packed *int8Depthwise
	src    []uint8
	flip   uint8
	outH   int
	outW   int
	out    Int8Output
	pitch  int
	tile   int8Tile
	int8Columns

	rows    int // of a part
	border  []uint8
	workers []int8DepthwiseWorker
}

// int8DepthwiseWorker is the scratch memory of a worker.
type int8DepthwiseWorker struct {
	tile     int8Tile
	rows     [4]*uint8
	image    []uint8 // interleaved rows
	edge     []uint8 // an output row of a vector that does not fit
	residual []uint8 // its residual
}

func (j *int8DepthwiseJob) run(s Conv2D, p *int8Depthwise, src []uint8, flip uint8, zero int, out *Int8Output, pitch int) {
	j.shape, j.packed, j.src, j.flip, j.out, j.pitch = s, p, src, flip, *out, pitch
	j.prepare(&p.int8Packed, zero, out)
	pixel := Int8Channels(s.C)
	j.tile = int8Tile{
		vectors: 1, aRow: 4 * s.StrideW * pixel, offsets: unsafe.SliceData(p.offsets), segments: p.segments, steps: 1,
	}
	out.set(&j.tile, pitch)
	j.border = growBytes(j.border, s.W*pixel)
	fillBytes(j.border, uint8(zero)^flip)
	fill := uint8(zero) ^ uint8(p.kernel.offset)
	j.flip ^= uint8(p.kernel.offset)
	j.outH, j.outW = s.OutH(), s.OutW()
	for len(j.workers) < threadCount() {
		j.workers = append(j.workers, int8DepthwiseWorker{})
	}
	for i := range j.workers {
		w := &j.workers[i]
		// Vectors reach beyond the channels of the last pixel.
		w.image = growBytes(w.image, p.groups*p.row+4*p.kernel.width)
		w.edge = growBytes(w.edge, 4*p.kernel.width*s.OutW())
		w.residual = growBytes(w.residual, p.kernel.width*s.OutW())
		for g := range p.groups { // what is interleaved leaves these as they are
			row := w.image[g*p.row : (g+1)*p.row]
			fillBytes(row[:4*s.PadLeft*pixel], fill)
			fillBytes(row[4*(s.PadLeft+s.W)*pixel:], fill)
		}
	}
	j.rows = max(1<<14/(s.OutW()*pixel*p.segments), 1)
	parallel((s.N*s.OutH()+j.rows-1)/j.rows, j)
	j.src, j.out, j.tile, j.packed = nil, Int8Output{}, int8Tile{}, nil
	for i := range j.workers {
		w := &j.workers[i]
		w.tile, w.rows = int8Tile{}, [4]*uint8{}
	}
}

func (j *int8DepthwiseJob) part(i, worker int) {
	w := &j.workers[worker]
	width := j.packed.kernel.width
	for row := i * j.rows; row < min((i+1)*j.rows, j.shape.N*j.outH); row++ {
		j.interleave(w, row)
		for c := 0; c < j.shape.C; c += width {
			w.tile = j.tile
			t := &w.tile
			columns := min(width, j.shape.C-c)
			t.mask = 1<<columns - 1
			t.a = &w.image[4*c]
			t.b = &j.packed.panels[c*4*j.packed.segments]
			j.set(t, c)
			first := row * j.outW * t.cRow
			t.c = unsafe.Add(t.c, first)
			if t.residual != nil {
				t.residual = (*uint8)(unsafe.Add(unsafe.Pointer(t.residual), first))
			}
			j.pixels(w, columns)
		}
		if !j.out.late() {
			continue
		}
		for x := range j.outW {
			j.out.activate((row*j.outW+x)*j.pitch, j.shape.C)
		}
	}
}

// pixels computes a row of the output, columns channels of it.
func (j *int8DepthwiseJob) pixels(w *int8DepthwiseWorker, columns int) {
	t, kernel := &w.tile, j.packed.kernel
	width, outW := kernel.width, j.outW
	c, cRow := t.c, t.cRow
	edge := !kernel.masked && columns < width
	if edge {
		if t.residual != nil {
			for x := range outW {
				copy(w.residual[x*width:], unsafe.Slice((*uint8)(unsafe.Add(unsafe.Pointer(t.residual), x*cRow)), columns))
			}
			t.residual = unsafe.SliceData(w.residual)
		}
		t.c, t.cRow = unsafe.Pointer(unsafe.SliceData(w.edge)), width*t.size()
	}
	a, to, residual := t.a, t.c, t.residual
	first := 0
	for i, rows := range [2]int{kernel.depthwiseRows, 1} {
		t.rows, t.count = rows, (outW-first)/rows
		if t.count == 0 {
			continue
		}
		t.aStep, t.cStep = rows*t.aRow, rows*t.cRow
		t.a = (*uint8)(unsafe.Add(unsafe.Pointer(a), first*t.aRow))
		t.c = unsafe.Add(to, first*t.cRow)
		if residual != nil {
			t.residual = (*uint8)(unsafe.Add(unsafe.Pointer(residual), first*t.cRow))
		}
		kernel.depthwise[i](t)
		first += rows * t.count
	}
	if edge {
		size := t.size()
		for x := range outW {
			copy(unsafe.Slice((*uint8)(unsafe.Add(c, x*cRow)), columns*size), w.edge[x*width*size:])
		}
	}
}

// interleave lays the rows of the image under output row row side by side.
func (j *int8DepthwiseJob) interleave(w *int8DepthwiseWorker, row int) {
	s := &j.shape
	n, y := row/j.outH, row%j.outH
	pixel := Int8Channels(s.C)
	size := s.W * pixel
	for g := range j.packed.groups {
		for i := range w.rows {
			r := min(4*g+i, s.R-1) // beyond the kernel: any row, weights are 0
			in := y*s.StrideH - s.PadTop + r*s.DilationH
			w.rows[i] = unsafe.SliceData(j.border)
			if in >= 0 && in < s.H {
				w.rows[i] = &j.src[(n*s.H+in)*size]
			}
		}
		to := w.image[g*j.packed.row:][:j.packed.row]
		to = to[4*s.PadLeft*pixel:]
		done := size / j.packed.kernel.interleaved * j.packed.kernel.interleaved
		if done > 0 {
			j.packed.kernel.interleave(&to[0], &w.rows, done, j.flip)
		}
		if done < size {
			for i := range w.rows {
				w.rows[i] = (*uint8)(unsafe.Add(unsafe.Pointer(w.rows[i]), done))
			}
			interleavePortable(&to[4*done], &w.rows, size-done, j.flip)
		}
	}
}
