package kernels

import "unsafe"

// Workspace is the scratch memory of the functions that need any. The zero
// value is ready for use. It grows to the largest call that it has seen, and
// from then on the calls that use it allocate nothing. A Workspace serves one
// call at a time; goroutines need one each.
type Workspace struct {
	tile     oldTile
	a        []float32 // packed block of the left operand
	b        []float32 // packed panel of the right operand
	edge     []float32 // tiles that do not fit the output
	residual []float32 // residual of the tiles in edge
	image    []float32 // padded image of a convolution
	columns  []float32 // gradient of unfolded columns
	offsets  []int     // rows of an unfolded image

	broadcast broadcastJob
	pool      poolJob
	normalise normaliseJob
	groupNorm groupNormJob
	move      moveJob
	gather    gatherJob
	reduce    reduceJob
	argMax    argMaxJob
	optimizer optimizerJob
	norm      normJob
	resize    resizeJob
	half      halfJob
}

// cacheLine is the alignment of packed operands, in bytes.
const cacheLine = 64

// aligned returns n elements that start at a cache line.
func aligned(n int) []float32 {
	const line = cacheLine / 4
	s := make([]float32, n+line-1)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s)))%cacheLine) / 4
	return s[skip : skip+n : skip+n]
}

// grow returns at least n elements, in the memory of s where that is enough.
func grow(s []float32, n int) []float32 {
	if cap(s) >= n {
		return s[:n]
	}
	return aligned(n)
}
