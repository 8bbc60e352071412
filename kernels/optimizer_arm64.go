package kernels

func optimizerImplementation(base string) optimizerKernels {
	if base != neon {
		return portableOptimizers
	}
	return optimizerKernels{momentumStep: momentumStepNEON, adamStep: adamStepNEON}
}

// momentumStepNEON is momentumStepPortable.
//
//go:noescape
func momentumStepNEON(w, grad, v, k *float32, n int)

// adamStepNEON is adamStepPortable.
//
//go:noescape
func adamStepNEON(w, grad, m, v, k *float32, n int)
