package kernels

func setGemmKernels(name string) {
	gemm = portableGemm
}
