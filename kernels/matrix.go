package kernels

// matrix is a view of a matrix whose rows are pieced together from runs of
// adjacent elements: column j of row i is
//
//	data[row(i) + j/run*stride + j%run]
//
// where row(i) is offsets[i] or, without offsets, i*ld. A batch of images
// [N, C, H*W] is, as C rows of N*H*W columns, such a matrix, and so is an
// unfolded image.
type matrix struct {
	data        []float32
	ld          int
	offsets     []int
	run, stride int
	slack       bool // packSlack elements may be read beyond any element
}

// dense is the view of a row-major matrix.
func dense(data []float32, ld, columns int) matrix {
	return matrix{data: data, ld: ld, run: max(columns, 1)}
}

// batch is the view of images [n, channels, hw] as channels rows of n*hw
// columns; data may start at a later channel.
func batch(data []float32, channels, hw int) matrix {
	return matrix{data: data, ld: hw, run: hw, stride: channels * hw}
}

func (x *matrix) row(i int) int {
	if x.offsets != nil {
		return x.offsets[i]
	}
	return i * x.ld
}

// segment returns where in a row column j lies, and how many adjacent columns
// start there.
func (x *matrix) segment(j int) (offset, length int) {
	if j < x.run {
		return j, x.run - j
	}
	q := j / x.run
	return q*x.stride + j - q*x.run, (q+1)*x.run - j
}

// gather copies columns j0 to j1 of count rows of data, which is laid out as
// x.data, to dst, whose rows are width apart.
func (x *matrix) gather(dst []float32, width int, data []float32, row, count, j0, j1 int) {
	for j := j0; j < j1; {
		offset, n := x.segment(j)
		n = min(n, j1-j)
		for i := range count {
			from := x.row(row+i) + offset
			copy(dst[i*width+j-j0:][:n], data[from:from+n])
		}
		j += n
	}
}

// scatter is the reverse of gather, into x.data.
func (x *matrix) scatter(src []float32, width, row, count, j0, j1 int) {
	for j := j0; j < j1; {
		offset, n := x.segment(j)
		n = min(n, j1-j)
		for i := range count {
			to := x.row(row+i) + offset
			copy(x.data[to:to+n], src[i*width+j-j0:][:n])
		}
		j += n
	}
}

const (
	packChunk = 16 // elements copied at a time
	packSlack = 64 // elements beyond a packed operand that may be touched
)

// chunk is a piece of a row of a panel: lanes columns from offset on.
type chunk struct{ lane, lanes, offset int }

// packColumns packs rows p0 to p1 and columns j0 to j1 of x into a panel of
// width columns: dst[(p-p0)*width + j-j0].
func packColumns(dst []float32, width int, x *matrix, p0, p1, j0, j1 int) {
	offset, left := x.segment(j0)
	if j1-j0 == width && left >= width && width%packChunk == 0 {
		for p := p0; p < p1; p++ {
			src := x.data[x.row(p)+offset:][:width]
			to := dst[(p-p0)*width:][:width]
			for len(to) >= packChunk && len(src) >= packChunk {
				*(*[packChunk]float32)(to) = *(*[packChunk]float32)(src)
				to, src = to[packChunk:], src[packChunk:]
			}
		}
		return
	}
	var buffer [64]chunk
	chunks := buffer[:0]
	for j := j0; j < j1; {
		offset, n := x.segment(j)
		n = min(n, j1-j)
		if x.slack {
			n = min(n, packChunk)
		}
		chunks = append(chunks, chunk{j - j0, n, offset})
		j += n
	}
	if x.slack && width%packChunk == 0 {
		// Whole chunks are copied. What one writes beyond its lanes, the
		// next one overwrites.
		for p := p0; p < p1; p++ {
			row := x.row(p)
			for _, c := range chunks {
				*(*[packChunk]float32)(dst[(p-p0)*width+c.lane:]) = *(*[packChunk]float32)(x.data[row+c.offset:])
			}
		}
		return
	}
	for p := p0; p < p1; p++ {
		row := x.row(p)
		to := dst[(p-p0)*width:][:width]
		for _, c := range chunks {
			src := x.data[row+c.offset:][:c.lanes]
			if c.lanes <= 8 {
				for i, v := range src {
					to[c.lane+i] = v
				}
				continue
			}
			copy(to[c.lane:], src)
		}
		clear(to[j1-j0:])
	}
}

// packRows packs the transpose of rows i0 to i1 and columns p0 to p1 of x into
// a panel of width columns: dst[(p-p0)*width + i-i0].
func packRows(dst []float32, width int, x *matrix, i0, i1, p0, p1 int) {
	for p := p0; p < p1; {
		offset, n := x.segment(p)
		n = min(n, p1-p)
		to := dst[(p-p0)*width:][:n*width]
		i := i0
		for ; i+4 <= i1; i += 4 {
			r0 := x.data[x.row(i)+offset:][:n]
			r1 := x.data[x.row(i+1)+offset:][:n]
			r2 := x.data[x.row(i+2)+offset:][:n]
			r3 := x.data[x.row(i+3)+offset:][:n]
			for q := range n {
				d := (*[4]float32)(to[q*width+i-i0:])
				d[0], d[1], d[2], d[3] = r0[q], r1[q], r2[q], r3[q]
			}
		}
		for ; i < i1; i++ {
			for q, v := range x.data[x.row(i)+offset:][:n] {
				to[q*width+i-i0] = v
			}
		}
		if pad := width - (i1 - i0); pad > 0 {
			for q := range n {
				clear(to[q*width+i1-i0:][:pad])
			}
		}
		p += n
	}
}
