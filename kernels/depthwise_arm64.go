package kernels

func depthwiseBlockImplementation(string) *depthwiseBlockKernels { return portableDepthwiseBlocks }

func depthwiseImplementation(name string) depthwiseKernels {
	if name != neon {
		return portableDepthwise
	}
	return depthwiseKernels{
		convolve: convolveNEON, correlate: correlateNEON, copyPlane: copyPlaneNEON,
		addPlane: addPlaneNEON, splitPlane: splitPlaneNEON, mergePlane: mergePlaneNEON,
	}
}

//go:noescape
func convolveNEON(dst, src []float32, n int, offsets []int, weights []float32, bias, lo, hi float32)

//go:noescape
func correlateNEON(sums *[correlateTaps]float32, grad, src []float32, n int, offsets *[correlateTaps]int)

//go:noescape
func copyPlaneNEON(dst, src []float32, rows, dstStep, srcStep, width int)

//go:noescape
func splitPlaneNEON(even, odd, src []float32, rows, dstStep, srcStep, width int)

//go:noescape
func addPlaneNEON(dst, src []float32, rows, dstStep, srcStep, width int)

//go:noescape
func mergePlaneNEON(dst, even, odd []float32, rows, dstStep, srcStep, width int)
