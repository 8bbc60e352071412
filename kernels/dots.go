package kernels

import "unsafe"

// dotColumns is the number of columns of a dot kernel.
const dotColumns = 4

// dots is the work of one call of a dot kernel: it adds to C [rows, columns]
// the dot products of rows of A and columns of B,
//
//	C[i][j] += sum over segments s and p < length of A[i][s][p] * B[j][s][p]
//
// for up to dotColumns columns. The elements of a segment are adjacent in both
// operands, which is how planes of images lie. Distances are in bytes.
type dots struct {
	rows, columns int

	segments, length int

	a        *float32
	aRow     int // from one row to the next
	aSegment int // from one segment to the next

	b        *float32
	bColumn  [dotColumns]int // offset of each column; all must be readable
	bSegment int

	c    *float32
	cRow int
}

// dotKernel is one implementation of the dot kernels.
type dotKernel struct {
	rows int
	run  []func(t *dots) // by number of rows
}

// dotTiles is the implementation in use.
var dotTiles *dotKernel

var portableDots = &dotKernel{rows: 2, run: []func(*dots){1: dotsPortable, 2: dotsPortable}}

// dotsPortable is the Go twin of the dot kernels.
func dotsPortable(t *dots) {
	at := func(p *float32, bytes, n int) []float32 {
		return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(p), bytes)), n)
	}
	for i := range t.rows {
		c := at(t.c, i*t.cRow, t.columns)
		for j := range c {
			var s0, s1, s2, s3 float32
			for s := range t.segments {
				x := at(t.a, i*t.aRow+s*t.aSegment, t.length)
				y := at(t.b, t.bColumn[j]+s*t.bSegment, t.length)
				for len(x) >= 4 && len(y) >= 4 {
					s0 += x[0] * y[0]
					s1 += x[1] * y[1]
					s2 += x[2] * y[2]
					s3 += x[3] * y[3]
					x, y = x[4:], y[4:]
				}
				for p, v := range x {
					s0 += v * y[p]
				}
			}
			c[j] += (s0 + s1) + (s2 + s3)
		}
	}
}
