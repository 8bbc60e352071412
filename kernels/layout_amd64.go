package kernels

func setLayoutKernels(in instructions) {
	switch in.base {
	case avx512:
		transposeBlocks = transposeBlocksAVX512
	case avx2:
		transposeBlocks = transposeBlocksAVX2
	default:
		transposeBlocks = transposeBlocks4
	}
}
