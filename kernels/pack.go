package kernels

import "unsafe"

// packSlack is the number of elements after a packed operand that a kernel
// may read.
const packSlack = 16

// packer lays operands out for the inner kernels.
type packer struct {
	// copyRows copies n elements, 1 to chunk, from each of count rows of src
	// to rows of dst that are width apart. The rows of src start at offsets,
	// or, if that is nil, are ld apart.
	copyRows func(dst, src *float32, width, ld int, offsets *int, count, n int)
	chunk    int
	// copyPanels copies panels*width elements of each of rows rows, ld apart,
	// to as many panels that are step elements apart.
	copyPanels func(dst *float32, step int, src *float32, ld, rows, panels int)
	// transpose4 writes element i of each of four rows, side by side, to
	// element i*width of dst, for n elements.
	transpose4 func(dst, r0, r1, r2, r3 *float32, width, n int)
}

var portablePacker = packer{copyRowsPortable, 4, copyPanelsPortable(2 * portableWidth), transpose4Portable}

// panels packs the first count*width columns of rows rows of src, ld apart,
// into panels of width columns.
func (k *packer) panels(dst []float32, width int, src []float32, ld, rows, count int) {
	_ = dst[rows*count*width-1]
	_ = src[(rows-1)*ld+count*width-1]
	k.copyPanels(&dst[0], rows*width, &src[0], ld, rows, count)
}

// columns packs rows p0 to p1 and columns j0 to j1 of x into a panel of width
// columns: dst[(p-p0)*width + j-j0].
func (k *packer) columns(dst []float32, width int, x *matrix, p0, p1, j0, j1 int) {
	if p0 == p1 {
		return
	}
	var offsets *int
	base := p0 * x.ld
	if x.offsets != nil {
		offsets, base = &x.offsets[p0], 0
	}
	last := x.row(p1 - 1)
	for j := j0; j < j1; {
		offset, n := x.segment(j)
		n = min(n, j1-j, k.chunk)
		_ = x.data[last+offset+n-1]
		_ = dst[(p1-1-p0)*width+j-j0+n-1]
		k.copyRows(&dst[j-j0], &x.data[base+offset], width, x.ld, offsets, p1-p0, n)
		j += n
	}
}

// rows packs the transpose of rows i0 to i1 and columns p0 to p1 of x into a
// panel of width columns: dst[(p-p0)*width + i-i0].
func (k *packer) rows(dst []float32, width int, x *matrix, i0, i1, p0, p1 int) {
	for p := p0; p < p1; {
		offset, n := x.segment(p)
		n = min(n, p1-p)
		to := dst[(p-p0)*width:][:(n-1)*width+i1-i0]
		if i1-i0 < 4 {
			for i := i0; i < i1; i++ {
				for q, v := range x.data[x.row(i)+offset:][:n] {
					to[q*width+i-i0] = v
				}
			}
			p += n
			continue
		}
		for i := i0; i < i1; i += 4 {
			i = min(i, i1-4) // the last four rows may have been written partly
			r0 := x.data[x.row(i)+offset:][:n]
			r1 := x.data[x.row(i+1)+offset:][:n]
			r2 := x.data[x.row(i+2)+offset:][:n]
			r3 := x.data[x.row(i+3)+offset:][:n]
			k.transpose4(&to[i-i0], &r0[0], &r1[0], &r2[0], &r3[0], width, n)
		}
		p += n
	}
}

func copyRowsPortable(dst, src *float32, width, ld int, offsets *int, count, n int) {
	to := unsafe.Slice(dst, (count-1)*width+n)
	if offsets == nil {
		from := unsafe.Slice(src, (count-1)*ld+n)
		for p := range count {
			for i, v := range from[p*ld:][:n] {
				to[p*width+i] = v
			}
		}
		return
	}
	for p, at := range unsafe.Slice(offsets, count) {
		for i, v := range unsafe.Slice(elementAt(src, at), n) {
			to[p*width+i] = v
		}
	}
}

// copyPanelsPortable returns copyPanels for panels of width columns.
func copyPanelsPortable(width int) func(dst *float32, step int, src *float32, ld, rows, panels int) {
	return func(dst *float32, step int, src *float32, ld, rows, panels int) {
		for p := range rows {
			for q := range panels {
				copy(unsafe.Slice(elementAt(dst, q*step+p*width), width), unsafe.Slice(elementAt(src, p*ld+q*width), width))
			}
		}
	}
}

func transpose4Portable(dst, r0, r1, r2, r3 *float32, width, n int) {
	to := unsafe.Slice(dst, (n-1)*width+4)
	x0, x1, x2, x3 := unsafe.Slice(r0, n), unsafe.Slice(r1, n), unsafe.Slice(r2, n), unsafe.Slice(r3, n)
	for i := range n {
		d := (*[4]float32)(to[i*width:])
		d[0], d[1], d[2], d[3] = x0[i], x1[i], x2[i], x3[i]
	}
}
