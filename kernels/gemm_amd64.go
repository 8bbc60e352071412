package kernels

var (
	avx2Gemm = newGemmKernel(avx2, 6, 16, gemmAVX2)
)

//go:noescape
func gemmAVX2(t *tile)

func setGemmKernels(name string) {
	switch name {
	case avx2:
		gemm = avx2Gemm
	default:
		gemm = portableGemm
	}
}
