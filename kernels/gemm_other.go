//go:build !amd64 && !arm64

package kernels

func setGemmKernels(instructions) { gemm = portableGemm }
