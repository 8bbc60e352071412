package kernels

import (
	"math"
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

	// For the kernel: where it is. Not pointers, since they go on past the end.
	aNow, bNow, biasNow, nextNow uintptr
	countNow                     int
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
}

// multiply runs t on k.
func (k *tileKernel) multiply(t *tile) { k.run[t.rows][t.vectors-1](t) }

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

func portableTile4(t *tile) { tilePortable(t, portableWidth, portableRows/2) }

// tilePortable is the Go twin of the tile kernels with vectors of width
// columns and groups of group rows.
func tilePortable(t *tile, width, group int) {
	at := func(p *float32, bytes int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes)) }
	for product := range t.count {
		for i := range t.rows {
			aRow := i/group*t.aGroup + i%group*t.aRow + product*t.aStep
			cRow := i/group*t.cGroup + i%group*t.cRow + product*t.cStep
			for v := range t.vectors {
				columns := width
				if v == t.vectors-1 {
					for columns > 0 && t.mask>>(columns-1)&1 == 0 {
						columns--
					}
				}
				var sum [16]float32
				step := 0
				for s := range t.segments {
					offset := *(*int)(unsafe.Add(unsafe.Pointer(t.offsets), s*int(unsafe.Sizeof(s))))
					for p := range t.k {
						x := *at(t.a, aRow+offset+4*p)
						row := at(t.b, product*t.bStep+step*t.bRow+v*width*4)
						for j, y := range unsafe.Slice(row, columns) {
							sum[j] += x * y
						}
						step++
					}
				}
				for j, x := range sum[:columns] {
					c := cRow + v*t.cVector + 4*j
					x *= t.alpha
					if t.accumulate != 0 {
						x += *at(t.c, c)
					}
					switch t.biasKind {
					case rowBias:
						x += *at(t.bias, product*t.biasStep+4*i)
					case columnBias:
						x += *at(t.bias, product*t.biasStep+4*(v*width+j))
					}
					if t.residual != nil {
						x += *at(t.residual, c)
					}
					*at(t.c, c) = t.activate(x)
				}
			}
		}
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
