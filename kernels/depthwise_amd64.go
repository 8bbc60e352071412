package kernels

// depthwiseBlockImplementation returns the kernels for blocks of channels.
func depthwiseBlockImplementation(base string) *depthwiseBlockKernels {
	switch base {
	case avx512:
		return &depthwiseBlockKernels{
			width: 16, taps: depthwiseTapsAVX512, spread: depthwiseSpreadAVX512, outputs: [8]int{3: 14, 5: 14, 7: 14},
			columns: [8][3]func(*depthwiseStrip){
				3: {1: depthwiseColumns3s1AVX512, 2: depthwiseColumns3s2AVX512},
				5: {1: depthwiseColumns5s1AVX512, 2: depthwiseColumns5s2AVX512},
				7: {1: depthwiseColumns7s1AVX512, 2: depthwiseColumns7s2AVX512},
			},
		}
	case avx2:
		return &depthwiseBlockKernels{
			width: 8, taps: depthwiseTapsAVX2, spread: depthwiseSpreadAVX2, outputs: [8]int{3: 12, 5: 10, 7: 8},
			columns: [8][3]func(*depthwiseStrip){
				3: {1: depthwiseColumns3s1AVX2, 2: depthwiseColumns3s2AVX2},
				5: {1: depthwiseColumns5s1AVX2, 2: depthwiseColumns5s2AVX2},
				7: {1: depthwiseColumns7s1AVX2, 2: depthwiseColumns7s2AVX2},
			},
		}
	}
	return portableDepthwiseBlocks
}

func depthwiseImplementation(name string) depthwiseKernels {
	switch name {
	case avx512:
		return depthwiseKernels{
			convolve: convolveAVX512, correlate: correlateAVX512, copyPlane: copyPlaneAVX2,
			addPlane: addPlaneAVX2, splitPlane: splitPlaneAVX512, mergePlane: mergePlaneAVX512,
		}
	case avx2:
		return depthwiseKernels{
			convolve: convolveAVX2, correlate: correlateAVX2, copyPlane: copyPlaneAVX2,
			addPlane: addPlaneAVX2, splitPlane: splitPlaneAVX2, mergePlane: mergePlaneAVX2,
		}
	}
	return portableDepthwise
}
