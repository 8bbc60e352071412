package kernels

var (
	avx2Packer   = packer{copyRowsAVX2, 16, copyPanelsAVX2, transpose4AVX2}
	avx512Packer = packer{copyRowsAVX2, 16, copyPanelsAVX512, transpose4AVX2}
	avx2Gemm     = newGemmKernel(avx2Tiles, avx2Packer)
	avx512Gemm   = newGemmKernel(avx512Tiles, avx512Packer)
)

//go:noescape
func copyRowsAVX2(dst, src *float32, width, ld int, offsets *int, count, n int)

//go:noescape
func transpose4AVX2(dst, r0, r1, r2, r3 *float32, width, n int)

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
