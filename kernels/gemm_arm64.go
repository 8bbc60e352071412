package kernels

var neonGemm = newGemmKernel(neon, 8, 8, gemmNEON)

//go:noescape
func gemmNEON(t *tile)

func setGemmKernels(name string) {
	if name == neon {
		gemm = neonGemm
	} else {
		gemm = portableGemm
	}
}
