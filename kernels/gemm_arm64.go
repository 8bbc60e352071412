package kernels

var neonGemm = newGemmKernel(neonTiles, packer{copyRowsNEON, 8, copyPanelsPortable(16), transpose4NEON})

//go:noescape
func copyRowsNEON(dst, src *float32, width, ld int, offsets *int, count, n int)

//go:noescape
func transpose4NEON(dst, r0, r1, r2, r3 *float32, width, n int)

func setGemmKernels(in instructions) {
	if in.base == neon {
		gemm = neonGemm
	} else {
		gemm = portableGemm
	}
}
