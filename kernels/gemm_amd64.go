package kernels

var (
	avx2Gemm   = newGemmKernel(avx2, 6, 16, gemmAVX2)
	avx512Gemm = newGemmKernel(avx512, 12, 32, gemmAVX512)
)

//go:noescape
func gemmAVX2(t *tile)

//go:noescape
func gemmAVX512(t *tile)

func setGemmKernels(name string) {
	switch name {
	case avx512:
		gemm = avx512Gemm
	case avx2:
		gemm = avx2Gemm
	default:
		gemm = portableGemm
	}
}
