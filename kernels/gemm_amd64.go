package kernels

var (
	avx2Packer   = packer{copyRowsAVX2, 16, copyPanelsAVX2, transpose4AVX2}
	avx512Packer = packer{copyRowsAVX2, 16, copyPanelsAVX512, transpose4AVX2}
	avx2Gemm     = newGemmKernel(avx2Tiles, avx2Packer)
	avx512Gemm   = newGemmKernel(avx512Tiles, avx512Packer)
)

func setGemmKernels(in instructions) {
	switch in.base {
	case avx512:
		gemm = avx512Gemm
	case avx2:
		gemm = avx2Gemm
	default:
		gemm = portableGemm
	}
}
