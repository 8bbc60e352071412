package kernels

func depthwiseImplementation(name string) depthwiseKernels {
	switch name {
	case avx512:
		return depthwiseKernels{
			convolve: convolveAVX512, correlate: correlateAVX512, copyRows: copyRowsAVX512,
			addRows: addRowsAVX512, splitRows: splitRowsAVX512, mergeRows: mergeRowsAVX512,
		}
	case avx2:
		return depthwiseKernels{
			convolve: convolveAVX2, correlate: correlateAVX2, copyRows: copyRowsAVX2,
			addRows: addRowsAVX2, splitRows: splitRowsAVX2, mergeRows: mergeRowsAVX2,
		}
	}
	return portableDepthwise
}

//go:noescape
func convolveAVX2(dst, src []float32, n int, offsets []int, weights []float32, bias, lo, hi float32)

//go:noescape
func correlateAVX2(sums *[correlateTaps]float32, grad, src []float32, n int, offsets *[correlateTaps]int)

//go:noescape
func copyRowsAVX2(dst, src []float32, rows, dstStep, srcStep, width int)

//go:noescape
func splitRowsAVX2(even, odd, src []float32, rows, dstStep, srcStep, width int)

//go:noescape
func addRowsAVX2(dst, src []float32, rows, dstStep, srcStep, width int)

//go:noescape
func mergeRowsAVX2(dst, even, odd []float32, rows, dstStep, srcStep, width int)

//go:noescape
func convolveAVX512(dst, src []float32, n int, offsets []int, weights []float32, bias, lo, hi float32)

//go:noescape
func correlateAVX512(sums *[correlateTaps]float32, grad, src []float32, n int, offsets *[correlateTaps]int)

//go:noescape
func copyRowsAVX512(dst, src []float32, rows, dstStep, srcStep, width int)

//go:noescape
func splitRowsAVX512(even, odd, src []float32, rows, dstStep, srcStep, width int)

//go:noescape
func addRowsAVX512(dst, src []float32, rows, dstStep, srcStep, width int)

//go:noescape
func mergeRowsAVX512(dst, even, odd []float32, rows, dstStep, srcStep, width int)
