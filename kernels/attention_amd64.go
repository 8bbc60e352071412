package kernels

func attentionImplementation(name string) attentionKernels {
	switch name {
	case avx512:
		return attentionKernels{scoreRowsAVX512, transposeRowsAVX512, 16, dotRowsAVX512}
	case avx2:
		return attentionKernels{scoreRowsAVX2, transposeRowsAVX2, 8, dotRowsAVX2}
	}
	return portableAttention
}
