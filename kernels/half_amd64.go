package kernels

func halfImplementation(base string) halfKernels {
	if base == portable {
		return portableHalves
	}
	return halfKernels{
		float16FromFloat32:  float16FromFloat32AVX2,
		float32FromFloat16:  float32FromFloat16AVX2,
		bfloat16FromFloat32: bfloat16FromFloat32AVX2,
		float32FromBfloat16: float32FromBfloat16AVX2,
	}
}
