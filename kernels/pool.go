package kernels

// Pool2D is the shape of a pooling window over [N, C, H, W], or over
// [N, ceil(C/c), H, W, c] with c = ChannelBlock() if Blocked.
type Pool2D struct {
	N, C, H, W                           int
	R, S                                 int // window height and width
	StrideH, StrideW                     int
	DilationH, DilationW                 int // 0 is 1
	PadTop, PadLeft, PadBottom, PadRight int
	Ceil                                 bool // the last window may reach over the end, if it starts before it
	CountPadding                         bool // AvgPool divides by elements of the padding too
	Blocked                              bool
}

// OutH returns the height of the output.
func (p Pool2D) OutH() int {
	return p.outputs(p.H, p.PadTop, p.PadBottom, (p.R-1)*max(p.DilationH, 1)+1, p.StrideH)
}

// OutW returns the width of the output.
func (p Pool2D) OutW() int {
	return p.outputs(p.W, p.PadLeft, p.PadRight, (p.S-1)*max(p.DilationW, 1)+1, p.StrideW)
}

func (p Pool2D) outputs(size, before, after, window, stride int) int {
	rest := size + before + after - window
	if rest < 0 {
		return 0
	}
	if !p.Ceil {
		return rest/stride + 1
	}
	n := (rest+stride-1)/stride + 1
	if (n-1)*stride >= size+before {
		n--
	}
	return n
}

// planes returns the number of planes, and the elements of a pixel of a plane.
func (p Pool2D) planes() (planes, pixel int) {
	if p.Blocked {
		c := ChannelBlock()
		return p.N * ((p.C + c - 1) / c), c
	}
	return p.N * p.C, 1
}

// poolBand is about the number of elements of the rows that a pool works on at
// a time, which stay in the first-level cache.
const poolBand = 2048

// poolJob is a call of a pooling function. A band of rows of the output is
// made in two steps, of which the first combines rows of the input, and the
// second columns: with a stride they are first sorted by their remainder.
type poolJob struct {
	Pool2D
	max                  bool
	dst, src, dsrc, ddst []float32
	outH, outW, pixel    int
	rowW                 int // pixels of a row in scratch memory
	sortedW              int // of a row with every StrideW-th pixel
	band                 int // rows of the output
	plane                int // planes of a part
	planeCount           int
	scratch              workerScratch
	inverse              []float32 // 1/elements of the windows of a row, several rows
	inverseRow           []int     // of each row of the output
	identity             [1]float32
}

// workerScratch is scratch memory of each thread.
type workerScratch [][]float32

// grow makes room for n elements for each thread.
func (s *workerScratch) grow(n int) {
	for len(*s) < threadCount() {
		*s = append(*s, nil)
	}
	for i := range *s {
		(*s)[i] = grow((*s)[i], n)
	}
}

// roundUp returns n rounded up to a multiple.
func roundUp(n, multiple int) int { return quotient(n+multiple-1, multiple) * multiple }

// quotient returns a/b. Of numbers that fit 32 bits, as most of those are that
// shapes have, processors take a fraction of the time of a division of 64, which
// small calls would consist of.
func quotient(a, b int) int {
	if uint64(a|b)>>32 == 0 {
		return int(uint32(a) / uint32(b))
	}
	return a / b
}

// ceilDivide returns a/b rounded up, for b > 0.
func ceilDivide(a, b int) int {
	if a <= 0 {
		return -(-a / b)
	}
	return quotient(a+b-1, b)
}

// MaxPool sets dst [N, C, OutH, OutW] to the largest element of each window of
// src [N, C, H, W]. Padding never wins: a window that lies in it altogether
// gives -Inf. NaN propagates.
func MaxPool(ws *Workspace, p Pool2D, dst, src []float32) {
	j := &ws.pool
	j.start(p, true, -infinity)
	j.check("MaxPool", "dst", dst, "src", src)
	j.dst, j.src = dst, src
	j.run()
}

// AvgPool sets dst [N, C, OutH, OutW] to the mean of each window of src
// [N, C, H, W]. Padding does not count unless CountPadding says so; a window
// that lies beyond all that counts gives 0.
func AvgPool(ws *Workspace, p Pool2D, dst, src []float32) {
	j := &ws.pool
	j.start(p, false, 0)
	j.check("AvgPool", "dst", dst, "src", src)
	j.countElements()
	j.dst, j.src = dst, src
	j.run()
}

// start prepares a job.
func (j *poolJob) start(p Pool2D, largest bool, identity float32) {
	p.DilationH, p.DilationW = max(p.DilationH, 1), max(p.DilationW, 1)
	j.Pool2D, j.max, j.identity[0] = p, largest, identity
	j.dst, j.src, j.dsrc, j.ddst = nil, nil, nil, nil
	j.outH, j.outW = p.OutH(), p.OutW()
	j.planeCount, j.pixel = p.planes()
	reach := max((j.outW-1)*p.StrideW+(p.S-1)*p.DilationW+1, p.W)
	j.rowW, j.sortedW = reach, 0
	if p.StrideW > 1 && !p.Blocked {
		j.sortedW = roundUp(ceilDivide(reach, p.StrideW), 8)
		j.rowW = j.sortedW * p.StrideW
	}
	j.band = min(max(poolBand/max(j.rowW*j.pixel, 1), 1), max(j.outH, 1))
	j.plane = max(partElements/max(p.H*p.W*j.pixel, 1), 1)
}

// check panics if the operands are too short.
func (j *poolJob) check(function, output string, dst []float32, input string, src []float32) {
	checkLength(function, output, len(dst), j.planeCount*j.pixel*j.outH*j.outW)
	checkLength(function, input, len(src), j.planeCount*j.pixel*j.H*j.W)
}

func (j *poolJob) run() {
	// rows and sorted rows; those of the gradient
	j.scratch.grow(j.band * j.pixel * (3*j.rowW + j.outW))
	if j.outH*j.outW > 0 {
		parallel((j.planeCount+j.plane-1)/j.plane, j)
	}
	j.dst, j.src, j.dsrc, j.ddst = nil, nil, nil, nil
}

// countElements fills inverse and inverseRow.
func (j *poolJob) countElements() {
	if cap(j.inverseRow) < j.outH {
		j.inverseRow = make([]int, j.outH)
	}
	j.inverseRow = j.inverseRow[:j.outH]
	j.inverse = j.inverse[:0]
	last, rows := -1, 0
	for y := range j.outH {
		h := j.count(y, j.H, j.R, j.StrideH, j.DilationH, j.PadTop, j.PadBottom)
		if h != last {
			need := (rows + 1) * j.outW
			if cap(j.inverse) < need {
				bigger := Aligned[float32](2 * need)
				copy(bigger, j.inverse)
				j.inverse = bigger
			}
			j.inverse = j.inverse[:need]
			for x := range j.outW {
				w := j.count(x, j.W, j.S, j.StrideW, j.DilationW, j.PadLeft, j.PadRight)
				j.inverse[rows*j.outW+x] = 1 / float32(max(h*w, 1))
			}
			last = h
			rows++
		}
		j.inverseRow[y] = rows - 1
	}
}

// count is the number of elements of window i along a dimension that count.
func (j *poolJob) count(i, size, window, stride, dilation, before, after int) int {
	low, high := 0, size
	if j.CountPadding {
		low, high = -before, size+after
	}
	n := 0
	for k := range window {
		if at := i*stride + k*dilation - before; at >= low && at < high {
			n++
		}
	}
	return n
}

func (j *poolJob) part(i, worker int) {
	scratch := j.scratch[worker]
	if j.ddst == nil { // the padding of the rows, which stays
		fill(scratch[:j.band*j.rowW*j.pixel], &j.identity[0])
	}
	for plane := i * j.plane; plane < min((i+1)*j.plane, j.planeCount); plane++ {
		for y := 0; y < j.outH; y += j.band {
			rows := min(j.band, j.outH-y)
			switch {
			case j.ddst == nil && j.Blocked && j.StrideW > 1 && vector.poolMax != nil: // else steps overlap, and two are less work
				j.forwardPixels(plane, y, rows)
			case j.ddst == nil:
				j.forward(plane, y, rows, scratch)
			case j.max:
				j.maxBackward(plane, y, rows, scratch)
			default:
				j.averageBackward(plane, y, rows, scratch)
			}
		}
	}
}

// inputRows returns the rows from first on, n at most, whose element r of the
// window lies in the input, and the row of the input of the first of them.
func (j *poolJob) inputRows(r, first, n int) (from, to, row int) {
	offset := r*j.DilationH - j.PadTop
	from = max(first, ceilDivide(-offset, j.StrideH))
	to = max(min(first+n, ceilDivide(j.H-offset, j.StrideH)), from)
	return from, to, from*j.StrideH + offset
}

// inside is the number of pixels of a row of scratch memory that are not
// padding.
func (j *poolJob) inside() int { return max(min(j.W, j.rowW-j.PadLeft), 0) }

func (j *poolJob) forward(plane, y, rows int, scratch []float32) {
	src := j.src[plane*j.H*j.W*j.pixel:]
	op := OpAdd
	if j.max {
		op = OpMax
	}
	row := j.rowW * j.pixel
	combined := scratch[:j.band*row]
	inside := j.inside() * j.pixel
	for r := range j.R {
		from, to, at := j.inputRows(r, y, rows)
		how := op
		if r == 0 {
			how = OpCopy
			for k := range rows { // rows that the copy leaves out
				if inside > 0 && (y+k < from || y+k >= to) {
					fill(combined[k*row+j.PadLeft*j.pixel:][:inside], &j.identity[0])
				}
			}
		}
		if from == to || inside == 0 {
			continue
		}
		d := &combined[(from-y)*row+j.PadLeft*j.pixel]
		vector.operations[how][bothVectors](d, &src[at*j.W*j.pixel], d, to-from, inside, 4*row, 4*j.StrideH*j.W*j.pixel, 4*row)
	}

	out := j.outW * j.pixel
	dst := j.dst[(plane*j.outH+y)*out:]
	sorted := scratch[j.band*row:]
	if j.sortedW > 0 {
		j.sort(sorted, combined, rows)
	}
	for s := range max(j.S-1, 1) {
		how, first := op, s+1
		if j.S == 1 {
			how, first = OpCopy, 0
		}
		a, aRow := j.column(combined, sorted, first)
		b, bRow := &dst[0], 4*out
		if s == 0 {
			b, bRow = j.column(combined, sorted, 0)
		}
		if !j.Blocked || j.StrideW == 1 {
			vector.operations[how][bothVectors](&dst[0], a, b, rows, out, 4*out, aRow, bRow)
			continue
		}
		bStep := 4 * j.pixel
		if s == 0 {
			bStep *= j.StrideW
		}
		for k := range rows {
			vector.operations[how][bothVectors](&dst[k*out], &elements(a, k*aRow, 1)[0], &elements(b, k*bRow, 1)[0],
				j.outW, j.pixel, 4*j.pixel, 4*j.StrideW*j.pixel, bStep)
		}
	}
	if !j.max {
		j.scale(dst, y, rows)
	}
}

// taps returns the elements of window i along a dimension that are in the
// input, and where the first of them is.
func taps(i, size, window, stride, dilation, before int) (from, to, at int) {
	start := i*stride - before
	from = max(0, ceilDivide(-start, dilation))
	to = max(min(window, ceilDivide(size-start, dilation)), from)
	return from, to, start + from*dilation
}

// forwardPixels reduces windows of pixels that are vectors.
func (j *poolJob) forwardPixels(plane, y, rows int) {
	e := j.pixel
	reduce := vector.poolSum
	if j.max {
		reduce = vector.poolMax
	}
	src := j.src[plane*j.H*j.W*e:]
	dst := j.dst[(plane*j.outH+y)*j.outW*e:]
	for k := range rows {
		r0, r1, h := taps(y+k, j.H, j.R, j.StrideH, j.DilationH, j.PadTop)
		for x := 0; x < j.outW; {
			s0, s1, w := taps(x, j.W, j.S, j.StrideW, j.DilationW, j.PadLeft)
			n := 1
			if whole := j.W - (j.S-1)*j.DilationW - w; s1-s0 == j.S && whole > 0 {
				n = min((whole-1)/j.StrideW+1, j.outW-x)
			}
			to := dst[(k*j.outW+x)*e:][:n*e]
			if r1 > r0 && s1 > s0 {
				reduce(&to[0], &src[(h*j.W+w)*e], n, r1-r0, s1-s0, 4*j.StrideW*e, 4*j.DilationH*j.W*e, 4*j.DilationW*e)
			} else {
				fill(to, &j.identity[0])
			}
			x += n
		}
	}
	if !j.max {
		j.scale(dst, y, rows)
	}
}

// column returns the first element of column s of the windows, and the bytes
// to that of the next row.
func (j *poolJob) column(combined, sorted []float32, s int) (*float32, int) {
	offset := s * j.DilationW
	if j.sortedW == 0 {
		return &combined[offset*j.pixel], 4 * j.rowW * j.pixel
	}
	return &sorted[offset%j.StrideW*j.band*j.sortedW+offset/j.StrideW], 4 * j.sortedW
}

// sort sorts the elements of rows by the remainder of their column divided by
// the stride.
func (j *poolJob) sort(sorted, combined []float32, rows int) {
	each := j.band * j.sortedW
	if j.StrideW == 2 {
		vector.split(&sorted[0], &sorted[each], &combined[0], rows, j.sortedW, 4*j.sortedW, 4*j.rowW)
		return
	}
	for remainder := range j.StrideW {
		for k := range rows {
			to := sorted[remainder*each+k*j.sortedW:][:j.sortedW]
			for x := range to {
				to[x] = combined[k*j.rowW+x*j.StrideW+remainder]
			}
		}
	}
}

// unsort undoes sort.
func (j *poolJob) unsort(combined, sorted []float32, rows int) {
	each := j.band * j.sortedW
	if j.StrideW == 2 {
		vector.merge(&combined[0], &sorted[0], &sorted[each], rows, j.sortedW, 4*j.rowW, 4*j.sortedW)
		return
	}
	for remainder := range j.StrideW {
		for k := range rows {
			for x, v := range sorted[remainder*each+k*j.sortedW:][:j.sortedW] {
				combined[k*j.rowW+x*j.StrideW+remainder] = v
			}
		}
	}
}

// scale divides rows of sums from row y on by the numbers of elements.
func (j *poolJob) scale(x []float32, y, rows int) {
	out := j.outW * j.pixel
	for k := 0; k < rows; {
		row := j.inverseRow[y+k]
		inverse := &j.inverse[row*j.outW]
		n := 1
		if j.Blocked {
			d := &x[k*out]
			vector.operations[OpMul][vectorScalar](d, d, inverse, j.outW, j.pixel, 4*j.pixel, 4*j.pixel, 4)
		} else {
			for k+n < rows && j.inverseRow[y+k+n] == row {
				n++
			}
			d := &x[k*out]
			vector.operations[OpMul][bothVectors](d, d, inverse, n, out, 4*out, 4*out, 0)
		}
		k += n
	}
}

// GlobalAvgPool sets dst [n, c] to the mean of each plane of src [n, c, hw].
// Images in blocks of channels are for [Reduce].
func GlobalAvgPool(n, c, hw int, dst, src []float32) {
	checkLength("GlobalAvgPool", "dst", len(dst), n*c)
	checkLength("GlobalAvgPool", "src", len(src), n*c*hw)
	for i := range n * c {
		dst[i] = vector.sumSegments(src[i*hw:], 1, hw, hw) / float32(hw)
	}
}

// GlobalAvgPoolBackward adds the gradient of GlobalAvgPool, from ddst [n, c],
// to dsrc [n, c, hw].
func GlobalAvgPoolBackward(n, c, hw int, dsrc, ddst []float32) {
	checkLength("GlobalAvgPoolBackward", "dsrc", len(dsrc), n*c*hw)
	checkLength("GlobalAvgPoolBackward", "ddst", len(ddst), n*c)
	for i, g := range ddst[:n*c] {
		plane := dsrc[i*hw : (i+1)*hw]
		vector.affine(plane, plane, 1, hw, hw, 1, g/float32(hw))
	}
}

// GlobalMaxPool sets dst [n, c] to the largest element of each plane of src
// [n, c, hw]. NaN propagates.
func GlobalMaxPool(n, c, hw int, dst, src []float32) {
	checkLength("GlobalMaxPool", "dst", len(dst), n*c)
	checkLength("GlobalMaxPool", "src", len(src), n*c*hw)
	if n*c > 0 && hw > 0 {
		vector.rowMax(&src[0], &dst[0], n*c, hw, 4*hw)
	}
}
