package kernels

import "unsafe"

// Workspace is the scratch memory of the functions that need any. The zero
// value is ready for use. It grows to the largest call that it has seen, and
// from then on the calls that use it allocate nothing. A Workspace serves one
// call at a time; goroutines need one each.
type Workspace struct {
	gemm      multiplication
	image     []float32 // padded image of a convolution
	columns   []float32 // gradient of unfolded columns
	offsets   []int     // rows of an unfolded image
	weight    []float32 // turned weights of a convolution
	gradient  []float32 // gradient of an output, with gaps
	dots      dots
	pointwise pointwiseJob
	ofWeight  weightGradient

	conversion conversion
	direct     directJob
	planar     []float32 // images between two layouts in blocks
	otherIn    []float32 // input, and output or residual, of a convolution in
	otherOut   []float32 // the layout that its algorithm works in
	zeros      []float32 // rows beyond the border of an image, never written
	winograd   winogradJob
	training   trainingWinograd
	depthwise  depthwiseJob
	expansion  expansionJob
	int8       int8Scratch
	quantize   quantizeScratch
	planes     planesJob
	attention  attentionJob

	operatorJobs
}

// cacheLine is the alignment of packed operands, in bytes.
const cacheLine = 64

// leastHuge is for how many bytes huge pages are asked for: for less, the call
// would cost more than it saves.
const leastHuge = 32 << 10

// Aligned returns n elements that start at a cache line, if they are many on huge
// pages where the system has them: packed operands and a plan's tensors lie well
// there.
func Aligned[T float32 | int8 | uint8](n int) []T {
	var element T
	size := int(unsafe.Sizeof(element))
	s := make([]T, n+cacheLine/size-1)
	p := unsafe.Pointer(unsafe.SliceData(s))
	if bytes := len(s) * size; bytes >= leastHuge {
		adviseHugePages(p, bytes)
	}
	skip := int(-uintptr(p)%cacheLine) / size
	return s[skip : skip+n : skip+n]
}

// grow returns at least n elements, in the memory of s where that is enough.
func grow(s []float32, n int) []float32 {
	if cap(s) >= n {
		return s[:n]
	}
	return Aligned[float32](n)
}

// elementAtByte returns the element that lies n bytes after p.
func elementAtByte(p *float32, n int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), n))
}
