package kernels

func optimizerImplementation(base string) optimizerKernels {
	switch base {
	case avx512:
		return optimizerKernels{momentumStep: momentumStepAVX512, adamStep: adamStepAVX512}
	case avx2:
		return optimizerKernels{momentumStep: momentumStepAVX2, adamStep: adamStepAVX2}
	}
	return portableOptimizers
}
