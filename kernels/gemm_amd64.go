package kernels

var (
	avx2Packer = packer{copyRowsAVX2, 16, transpose4AVX2}
	avx2Gemm   = newGemmKernel(avx2, 6, 16, gemmAVX2, avx2Packer)
	avx512Gemm = newGemmKernel(avx512, 12, 32, gemmAVX512, avx2Packer)
)

//go:noescape
func gemmAVX2(t *oldTile)

//go:noescape
func gemmAVX512(t *oldTile)

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
