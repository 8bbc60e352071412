package kernels

import (
	"math"
	"slices"
	"unsafe"
)

// What a tile of int8 products becomes.
const (
	int8Sums   = iota // the sums, int32
	int8Floats        // float32
	int8Bytes         // uint8 or int8, by low, high and zero
)

// int8Tile is the work of one call of an int8 tile kernel: count times, a
// product of rows rows of unsigned bytes and one or two vectors of columns of
// signed bytes,
//
//	sum = start of the column + A B - row sum * columnZero
//
// in int32 arithmetic, of which becomes, by kind, C itself or
//
//	float: clamp(sum * scale + bias, low, high)
//	byte:  round(clamp(sum * scale + ((residual ^ residualFlip) - residualZero) * residualScale, low, high)) + zero
//
// each operation rounded to float32, no two fused; round is to the nearest
// integer and to the even one of two. A is read where it lies, in segments of
// steps times four bytes, as in type tile; rows are in two groups likewise.
// B is packed: four bytes of every column of the tile, step after step. Scale,
// bias, start and columnZero have an element for every column of the tile.
// Distances are in bytes.
type int8Tile struct {
	rows, vectors, count int

	a        *uint8
	aRow     int
	aGroup   int
	offsets  *int
	segments int
	steps    int
	b        *int8
	start    *int32

	c      unsafe.Pointer
	cRow   int
	cGroup int
	aStep  int // from one product to the next
	cStep  int
	mask   int // a bit for every column of the last vector that there is

	columnZero *int32 // zero points of the columns of B, or nil
	rowSums    *int32 // a vector for every row, of which the first element is the sum of the row of A
	rowSum     int    // bytes of rowSums before the next product, 0 at first: a pointer beyond them would be stray

	kind          int
	scale         *float32
	bias          *float32 // or nil
	residual      *uint8   // as C, or nil
	residualFlip  int32    // exclusive or of every byte of it: 128 turns a signed byte into an unsigned one, 128 larger
	residualZero  int32
	residualScale float32
	low, high     float32
	zero          int32
}

// int8Kernel is one implementation of the int8 tile kernels.
type int8Kernel struct {
	width int // columns of a vector
	rows  int // most rows of a tile, in two groups of half as many
	// run has the kernel of each number of rows and vectors, [rows][vectors-1].
	run [][2]func(t *int8Tile)
	// masked tells that columns which mask leaves out are not written and
	// their residual not read; elsewhere mask must be full.
	masked bool
	// paired tells that B is packed eight bytes of a column at a time, the last
	// four of a segment of an odd number of steps being 0.
	paired bool
	// depthwise has the kernel of depthwiseRows pixels and that of one.
	depthwise     [2]func(t *int8Tile)
	depthwiseRows int
	// interleave lays four rows of n bytes, a multiple of interleaved, side by
	// side.
	interleave  func(dst *uint8, rows *[4]*uint8, n int, flip uint8)
	interleaved int
	// offset is taken off every byte of A: 0, or 128 where products are of
	// signed bytes.
	offset int
}

// size returns the bytes of an element of C.
func (t *int8Tile) size() int {
	if t.kind == int8Bytes {
		return 1
	}
	return 4
}

// unit returns how many bytes of a column are adjacent in B.
func (k *int8Kernel) unit() int {
	if k.paired {
		return 8
	}
	return 4
}

func (k *int8Kernel) multiply(t *int8Tile) { k.run[t.rows][t.vectors-1](t) }

// int8Tiles is the implementation in use.
var int8Tiles *int8Kernel

// portableInt8 is the implementation of machines without assembly.
var portableInt8 = &int8Kernel{
	width: portableWidth, rows: portableRows, masked: true,
	run:           slices.Repeat([][2]func(*int8Tile){{portableInt8Tile, portableInt8Tile}}, portableRows+1),
	depthwise:     [2]func(*int8Tile){portableInt8Depthwise, portableInt8Depthwise},
	depthwiseRows: portableRows, interleave: interleavePortable, interleaved: 1,
}

func portableInt8Tile(t *int8Tile) { int8TilePortable(t, portableWidth, portableRows/2, 0) }

// int8TilePortable is the Go twin of the int8 tile kernels with vectors of
// width columns and groups of group rows, which take offset off the bytes of
// A.
func int8TilePortable(t *int8Tile, width, group, offset int) {
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
				var sum [16]int32
				copy(sum[:columns], unsafe.Slice(t.start, t.vectors*width)[v*width:])
				b := unsafe.Slice(t.b, t.segments*t.steps*t.vectors*width*4)[v*width*4:]
				for s := range t.segments {
					from := *(*int)(unsafe.Add(unsafe.Pointer(t.offsets), s*int(unsafe.Sizeof(s))))
					a := unsafe.Slice((*uint8)(unsafe.Add(unsafe.Pointer(t.a), aRow+from)), 4*t.steps)
					for ; len(a) >= 4; a = a[4:] {
						x0, x1 := int32(a[0])-int32(offset), int32(a[1])-int32(offset)
						x2, x3 := int32(a[2])-int32(offset), int32(a[3])-int32(offset)
						row := b[:4*columns]
						for j := range columns {
							y := row[4*j : 4*j+4]
							sum[j] += x0*int32(y[0]) + x1*int32(y[1]) + x2*int32(y[2]) + x3*int32(y[3])
						}
						b = b[min(t.vectors*width*4, len(b)):]
					}
				}
				if t.columnZero != nil {
					row := unsafe.Slice(t.rowSums, (product*t.rows+i+1)*width)[(product*t.rows+i)*width]
					for j, z := range unsafe.Slice(t.columnZero, t.vectors*width)[v*width:][:columns] {
						sum[j] -= row * z
					}
				}
				t.finish(sum[:columns], cRow, v*width)
			}
		}
	}
}

// finish turns the sums of the columns from column on into what belongs into
// the row at cRow of C.
func (t *int8Tile) finish(sum []int32, cRow, column int) {
	columns := column + len(sum)
	c := unsafe.Add(t.c, cRow)
	if t.kind == int8Sums {
		copy(unsafe.Slice((*int32)(c), columns)[column:], sum)
		return
	}
	scale := unsafe.Slice(t.scale, columns)[column:]
	if t.kind == int8Floats {
		for j, s := range sum {
			x := float32(s) * scale[j]
			if t.bias != nil {
				x = float32(x) + unsafe.Slice(t.bias, columns)[column+j]
			}
			unsafe.Slice((*float32)(c), columns)[column+j] = clamp(x, t.low, t.high)
		}
		return
	}
	bytes := unsafe.Slice((*uint8)(c), columns)[column:]
	for j, s := range sum {
		x := float32(float32(s) * scale[j])
		if t.residual != nil {
			y := unsafe.Slice((*uint8)(unsafe.Add(unsafe.Pointer(t.residual), cRow)), columns)[column+j]
			z := int32(y) ^ t.residualFlip
			x += float32(float32(z-t.residualZero) * t.residualScale)
		}
		bytes[j] = uint8(roundWithin(x, t.low, t.high) + t.zero)
	}
}

// roundWithin limits x to low and high, integers or not, and rounds it to the
// nearest integer, to the even one of two. A NaN becomes low.
func roundWithin(x, low, high float32) int32 {
	if !(x > low) {
		x = low
	}
	if x > high {
		x = high
	}
	return int32(math.RoundToEven(float64(x)))
}
