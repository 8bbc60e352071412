package kernels

// shuffleKernels move elements of rows that lie some bytes apart.
type shuffleKernels struct {
	// split sets even and odd to the elements of n pairs, n a multiple of 8.
	split func(even, odd, src *float32, rows, n, dstRow, srcRow int)
	// merge sets dst to n pairs of elements, n a multiple of 8.
	merge func(dst, even, odd *float32, rows, n, dstRow, srcRow int)
	// maxBackward moves dy to dx where x is y, the largest of several: dx += dy,
	// dy = 0. A NaN is taken to be equal to everything.
	maxBackward func(dx, dy, x, y *float32, rows, n, dxRow, dyRow, xRow, yRow int)
	// transpose makes the first block elements of each of rows rows, a multiple
	// of block, block rows.
	transpose func(dst, src *float32, rows, dstRow, srcRow int)
	block     int
	// poolMax and poolSum reduce windows, at least one element each, of pixels
	// of a vector. nil if blocks of channels are no vectors.
	poolMax, poolSum poolKernel
}

// poolKernel reduces windows of rows by columns pixels, pixelStep, rowStep and
// columnStep bytes apart, to pixels that lie beside each other.
type poolKernel func(dst, src *float32, pixels, rows, columns, pixelStep, rowStep, columnStep int)

var portableShuffles = shuffleKernels{
	split:       splitPortable,
	merge:       mergePortable,
	maxBackward: maxBackwardPortable,
	transpose: func(dst, src *float32, rows, dstRow, srcRow int) {
		transposePortable(4, dst, src, rows, dstRow, srcRow)
	},
	block:   4,
	poolMax: poolMaxPortable,
	poolSum: poolSumPortable,
}

func splitPortable(even, odd, src *float32, rows, n, dstRow, srcRow int) {
	for i := range rows {
		u, v, x := elements(even, i*dstRow, n), elements(odd, i*dstRow, n), elements(src, i*srcRow, 2*n)
		for j := range u {
			u[j], v[j] = x[2*j], x[2*j+1]
		}
	}
}

func mergePortable(dst, even, odd *float32, rows, n, dstRow, srcRow int) {
	for i := range rows {
		u, v, y := elements(even, i*srcRow, n), elements(odd, i*srcRow, n), elements(dst, i*dstRow, 2*n)
		for j := range u {
			y[2*j], y[2*j+1] = u[j], v[j]
		}
	}
}

func maxBackwardPortable(dx, dy, x, y *float32, rows, n, dxRow, dyRow, xRow, yRow int) {
	for i := range rows {
		d, h, u, v := elements(dx, i*dxRow, n), elements(dy, i*dyRow, n), elements(x, i*xRow, n), elements(y, i*yRow, n)
		for j := range d {
			if !(u[j] < v[j]) && !(u[j] > v[j]) {
				d[j] += h[j]
				h[j] = 0
			}
		}
	}
}

func transposePortable(block int, dst, src *float32, rows, dstRow, srcRow int) {
	for i := range rows {
		for j, x := range elements(src, i*srcRow, block) {
			elements(dst, j*dstRow, rows)[i] = x
		}
	}
}

func poolMaxPortable(dst, src *float32, pixels, rows, columns, pixelStep, rowStep, columnStep int) {
	poolPortable(OpMax, -infinity, portableWidth, dst, src, pixels, rows, columns, pixelStep, rowStep, columnStep)
}

func poolSumPortable(dst, src *float32, pixels, rows, columns, pixelStep, rowStep, columnStep int) {
	poolPortable(OpAdd, 0, portableWidth, dst, src, pixels, rows, columns, pixelStep, rowStep, columnStep)
}

// poolPortable reduces windows of pixels of width elements.
func poolPortable(op Operation, start float32, width int, dst, src *float32, pixels, rows, columns, pixelStep, rowStep, columnStep int) {
	for i := range pixels {
		out := elements(dst, 4*i*width, width)
		for k := range out {
			out[k] = start
		}
		for r := range rows {
			for s := range columns {
				for k, x := range elements(src, i*pixelStep+r*rowStep+s*columnStep, width) {
					out[k] = op.of(x, out[k])
				}
			}
		}
	}
}
