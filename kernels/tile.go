package kernels

import (
	"math"
	"math/bits"
	"slices"
	"unsafe"
)

// Kinds of activation that the tile kernels apply themselves.
const (
	tileLinear      = iota
	tileClamp       // min(max(x, low), high)
	tileHardSwish   // x * clamp(x+3, 0, 6) / 6
	tileHardSigmoid // clamp(x+3, 0, 6) / 6
)

// tile is the work of one call of a tile kernel, the inner loop of matrix
// multiplication and of convolution: count times, a product of rows rows and
// one or two vectors of columns,
//
//	C = activation(alpha A B [+ C] [+ bias of the row or column] [+ residual])
//
// A is read where it lies, an element of a row at a time: its columns are cut
// into segments of k adjacent elements that start at the offsets given, so
// that A may be a matrix (one segment), or the patches of an image in blocks
// of channels (a segment for every position of the kernel and block). Rows
// are in two groups, of which the first is full if there is a second, so that
// a tile can reach over two rows of an image. B is read row by row through
// all segments. Distances are in bytes.
type tile struct {
	rows, vectors, count int

	a        *float32
	aRow     int  // from one row of a group to the next
	aGroup   int  // from the first group to the second
	offsets  *int // of the segments
	segments int
	k        int // columns of a segment

	b     *float32
	bRow  int
	bEdge int // not 0: columns of B that mask leaves out must not be read

	c          *float32 // nothing else of C's layout is known: rows and vectors lie
	cRow       int      // this far from one row of a group to the next,
	cGroup     int      // from the first group to the second,
	cVector    int      // from the first vector of a row to the second
	residual   *float32 // as C
	bias       *float32 // of rows or of columns
	aStep      int      // from one product to the next
	bStep      int
	cStep      int
	biasStep   int
	biasKind   int // noBias, rowBias, columnBias
	accumulate int // not 0: C is added to

	mask       int // a bit for every column of the last vector that there is
	alpha      float32
	activation int
	low, high  float32

	// Rows of k elements that are brought to the second-level cache, one during
	// each product: what the caller wants next. An address may be any number.
	// During a product it moves on by nextLine after every four columns of A, by
	// which a product with short segments asks for more than a row.
	next     uintptr
	nextStep int
	nextLine int
	// What lies ahead bytes from a segment of A is brought there, too: the line
	// and the next but one, or, for the second half of a block, those between.
	// Only the kernels for blocks do so.
	ahead int

	// For the kernel: where it is. Not pointers, since they go on past the end.
	//lint:ignore U1000 only the assembly uses them
	aNow, bNow, cNow, biasNow, residualNow, nextNow, cLast uintptr
	//lint:ignore U1000 only the assembly uses it
	countNow int
}

// Where the elements of a tile's bias belong.
const (
	noBias = iota
	rowBias
	columnBias
)

// noOffsets is the list of the only segment of a matrix.
var noOffsets = [1]int{0}

// setActivation translates act and reports whether the kernels can apply it.
func (t *tile) setActivation(act Activation) bool {
	t.activation, t.low, t.high = tileLinear, 0, float32(math.Inf(1))
	switch act {
	case NoActivation:
	case ReLU:
		t.activation = tileClamp
	case ReLU6:
		t.activation, t.high = tileClamp, 6
	case HardSwish:
		t.activation, t.high = tileHardSwish, 6
	case HardSigmoid:
		t.activation, t.high = tileHardSigmoid, 6
	default:
		return false
	}
	return true
}

// tileKernel is one implementation of the tile kernels.
type tileKernel struct {
	base  string // instruction set
	width int    // columns of a vector
	rows  int    // most rows of a tile, in two groups of half as many
	// run has the kernel of each number of rows and vectors, [rows][vectors-1].
	run [][2]func(t *tile)
	// masked tells that columns which mask leaves out are neither read nor
	// written; elsewhere mask must be full.
	masked bool

	// blocks has kernels, [rows][vectors-1], for images in blocks of channels:
	// rows of A, B and C that lie side by side, segments of blockColumns columns,
	// all columns there, and no bias of rows. It is nil where run has to do.
	blocks [][3]func(t *tile)
	triple int                                      // most rows of a tile of three vectors
	take   func(to, from *float32, count, step int) // copies blocks, likewise

	// planes has kernels, [pixel-1][rows][vectors-1], for images in planes, with
	// pixels that lie pixel elements apart: rows of B and C side by side, all
	// columns there, and no bias of rows. It is nil where run has to do.
	planes [2][][2]func(t *tile)
}

// blockColumns is the number of columns of a segment that the kernels for blocks
// of channels expect.
const blockColumns = 8

// multiply runs t on k.
func (k *tileKernel) multiply(t *tile) { k.run[t.rows][t.vectors-1](t) }

// multiplyPlanes runs t, which suits the kernels for images in planes but maybe
// for the number of rows or their distance, on k.
func (k *tileKernel) multiplyPlanes(t *tile) {
	if pixel := t.aRow / 4; pixel <= len(k.planes) && t.rows < len(k.planes[pixel-1]) {
		if run := k.planes[pixel-1][t.rows][t.vectors-1]; run != nil {
			run(t)
			return
		}
	}
	k.multiply(t)
}

// tiles is the implementation in use.
var tiles *tileKernel

// Vectors and rows of the tiles of machines without assembly.
const (
	portableWidth = 4
	portableRows  = 4
)

// portableTiles is the implementation of machines without assembly.
var portableTiles = &tileKernel{
	base: portable, width: portableWidth, rows: portableRows, masked: true,
	run: slices.Repeat([][2]func(*tile){{portableTile4, portableTile4}}, portableRows+1),
}

// portableTile4 is tilePortable(t, portableWidth, portableRows/2), two rows at
// a time where columns are whole.
func portableTile4(t *tile) {
	const width, group = portableWidth, portableRows / 2
	for product := range t.count {
		for i := 0; i < t.rows; i++ {
			a := i/group*t.aGroup + i%group*t.aRow + product*t.aStep
			pair := i%group+1 < group && i+1 < t.rows
			for v := range t.vectors {
				b := elementAtByte(t.b, product*t.bStep+v*width*4)
				var sum [2][width]float32
				switch {
				case v == t.vectors-1 && t.mask != 1<<width-1:
					t.sum(sum[0][:t.columns(v, width)], a, b)
					if pair {
						t.sum(sum[1][:t.columns(v, width)], a+t.aRow, b)
					}
				case pair:
					t.sumPair(&sum, a, b)
				default:
					t.sum(sum[0][:], a, b)
				}
				t.finish(sum[0][:t.columns(v, width)], product, i, v, width, group)
				if pair {
					t.finish(sum[1][:t.columns(v, width)], product, i+1, v, width, group)
				}
			}
			if pair {
				i++
			}
		}
	}
}

// sumPair computes the sums of two rows of A, from a on, and four columns of B.
func (t *tile) sumPair(sum *[2][portableWidth]float32, a int, b *float32) {
	var s00, s01, s02, s03, s10, s11, s12, s13 float32
	row := t.bRow / 4
	for s := range t.segments {
		offset := a + *(*int)(unsafe.Add(unsafe.Pointer(t.offsets), s*int(unsafe.Sizeof(s))))
		x0 := unsafe.Slice(elementAtByte(t.a, offset), t.k)
		x1 := unsafe.Slice(elementAtByte(t.a, offset+t.aRow), t.k)
		right := unsafe.Slice(elementAtByte(b, s*t.k*t.bRow), max(t.k-1, 0)*row+portableWidth)
		for p, x := range x0 {
			z := x1[p]
			y := (*[portableWidth]float32)(right[p*row:])
			s00 += x * y[0]
			s01 += x * y[1]
			s02 += x * y[2]
			s03 += x * y[3]
			s10 += z * y[0]
			s11 += z * y[1]
			s12 += z * y[2]
			s13 += z * y[3]
		}
	}
	*sum = [2][portableWidth]float32{{s00, s01, s02, s03}, {s10, s11, s12, s13}}
}

// tilePortable is the Go twin of the tile kernels with vectors of width
// columns and groups of group rows.
func tilePortable(t *tile, width, group int) {
	for product := range t.count {
		for i := range t.rows {
			a := i/group*t.aGroup + i%group*t.aRow + product*t.aStep
			for v := range t.vectors {
				var sum [16]float32
				columns := t.columns(v, width)
				t.sum(sum[:columns], a, elementAtByte(t.b, product*t.bStep+v*width*4))
				t.finish(sum[:columns], product, i, v, width, group)
			}
		}
	}
}

// columns is the number of columns of vector v that mask leaves.
func (t *tile) columns(v, width int) int {
	if v < t.vectors-1 {
		return width
	}
	return min(bits.OnesCount(uint(t.mask)), width)
}

// sum adds to sum the products of the row of A at a and the columns of B.
func (t *tile) sum(sum []float32, a int, b *float32) {
	for s := range t.segments {
		offset := a + *(*int)(unsafe.Add(unsafe.Pointer(t.offsets), s*int(unsafe.Sizeof(s))))
		for p := range t.k {
			x := *elementAtByte(t.a, offset+4*p)
			row := elementAtByte(b, (s*t.k+p)*t.bRow)
			for j, y := range unsafe.Slice(row, len(sum)) {
				sum[j] += x * y
			}
		}
	}
}

// finish makes the sums of row i and vector v the elements of C that they
// belong to.
func (t *tile) finish(sum []float32, product, i, v, width, group int) {
	at := i/group*t.cGroup + i%group*t.cRow + product*t.cStep + v*t.cVector
	for j, x := range sum {
		c := elementAtByte(t.c, at+4*j)
		x *= t.alpha
		if t.accumulate != 0 {
			x += *c
		}
		switch t.biasKind {
		case rowBias:
			x += *elementAtByte(t.bias, product*t.biasStep+4*i)
		case columnBias:
			x += *elementAtByte(t.bias, product*t.biasStep+4*(v*width+j))
		}
		if t.residual != nil {
			x += *elementAtByte(t.residual, at+4*j)
		}
		*c = t.activate(x)
	}
}

func (t *tile) activate(x float32) float32 {
	switch t.activation {
	case tileClamp:
		return clamp(x, t.low, t.high)
	case tileHardSwish:
		return x * (clamp(x+3, t.low, t.high) * (1.0 / 6))
	case tileHardSigmoid:
		return clamp(x+3, t.low, t.high) * (1.0 / 6)
	}
	return x
}

// clamp limits x to low and high; a NaN stays one.
func clamp(x, low, high float32) float32 {
	if x < low {
		return low
	}
	if x > high {
		return high
	}
	return x
}

// ChannelBlock returns c of the layout NCHWc of the implementation in use, the
// elements of a vector: channels are cut into blocks of c that lie innermost,
// [N, ceil(C/c), H, W, c]. Channels beyond C that fill the last block hold
// values that do not matter, finite where the image is.
func ChannelBlock() int { return tiles.width }
