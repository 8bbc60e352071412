package kernels

// depthwiseBlockImplementation returns the kernels for blocks of channels.
func depthwiseBlockImplementation(base string) *depthwiseBlockKernels {
	if base != neon {
		return portableDepthwiseBlocks
	}
	return &depthwiseBlockKernels{
		width: 8, taps: depthwiseTapsNEON, spread: depthwiseSpreadNEON, outputs: [8]int{3: 7, 5: 7, 7: 7}, exact: true,
		columns: [8][3]func(*depthwiseStrip){
			3: {1: depthwiseColumns3s1NEON, 2: depthwiseColumns3s2NEON},
			5: {1: depthwiseColumns5s1NEON, 2: depthwiseColumns5s2NEON},
			7: {1: depthwiseColumns7s1NEON, 2: depthwiseColumns7s2NEON},
		},
	}
}

func depthwiseImplementation(name string) depthwiseKernels {
	if name != neon {
		return portableDepthwise
	}
	return depthwiseKernels{
		convolve: convolveNEON, correlate: correlateNEON, copyPlane: copyPlaneNEON,
		addPlane: addPlaneNEON, splitPlane: splitPlaneNEON, mergePlane: mergePlaneNEON,
	}
}

// convolveNEON is convolvePortable; dst may be written, and src read, up to
// scratchSlack elements beyond n.
//
//go:noescape
func convolveNEON(dst, src []float32, n int, offsets []int, weights []float32, bias, lo, hi float32)

// correlateNEON is correlatePortable; it reads up to a vector beyond n.
//
//go:noescape
func correlateNEON(sums *[correlateTaps]float32, grad, src []float32, n int, offsets *[correlateTaps]int)

// copyPlaneNEON is copyPlanePortable.
//
//go:noescape
func copyPlaneNEON(dst, src []float32, rows, dstStep, srcStep, width int)

// splitPlaneNEON is splitPlanePortable.
//
//go:noescape
func splitPlaneNEON(even, odd, src []float32, rows, dstStep, srcStep, width int)

// addPlaneNEON is addPlanePortable.
//
//go:noescape
func addPlaneNEON(dst, src []float32, rows, dstStep, srcStep, width int)

// mergePlaneNEON is mergePlanePortable.
//
//go:noescape
func mergePlaneNEON(dst, even, odd []float32, rows, dstStep, srcStep, width int)

// depthwiseColumns3s1NEON is depthwiseColumnsPortable(t, 8, 3, 1), for spans of 7 outputs of
// which up to 1 columns are missing at each side.
//
//go:noescape
func depthwiseColumns3s1NEON(t *depthwiseStrip)

// depthwiseColumns3s2NEON is depthwiseColumnsPortable(t, 8, 3, 2), for spans of 7 outputs of
// which up to 1 columns are missing at each side.
//
//go:noescape
func depthwiseColumns3s2NEON(t *depthwiseStrip)

// depthwiseColumns5s1NEON is depthwiseColumnsPortable(t, 8, 5, 1), for spans of 7 outputs of
// which up to 2 columns are missing at each side.
//
//go:noescape
func depthwiseColumns5s1NEON(t *depthwiseStrip)

// depthwiseColumns5s2NEON is depthwiseColumnsPortable(t, 8, 5, 2), for spans of 7 outputs of
// which up to 2 columns are missing at each side.
//
//go:noescape
func depthwiseColumns5s2NEON(t *depthwiseStrip)

// depthwiseColumns7s1NEON is depthwiseColumnsPortable(t, 8, 7, 1), for spans of 7 outputs of
// which up to 3 columns are missing at each side.
//
//go:noescape
func depthwiseColumns7s1NEON(t *depthwiseStrip)

// depthwiseColumns7s2NEON is depthwiseColumnsPortable(t, 8, 7, 2), for spans of 7 outputs of
// which up to 3 columns are missing at each side.
//
//go:noescape
func depthwiseColumns7s2NEON(t *depthwiseStrip)

// depthwiseTapsNEON is depthwiseTapsPortable(t, 8).
//
//go:noescape
func depthwiseTapsNEON(t *depthwiseStrip)

// depthwiseSpreadNEON is depthwiseSpreadPortable(dst, src, lanes, pixels, 8).
//
//go:noescape
func depthwiseSpreadNEON(dst, src *float32, lanes *int32, pixels int)
