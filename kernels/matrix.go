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

// plain reports whether the first columns columns of every row are adjacent
// and the rows ld apart.
func (x *matrix) plain(columns int) bool { return x.offsets == nil && x.run >= columns }

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
