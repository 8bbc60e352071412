//go:build !amd64 && !arm64

package kernels

func setGemmKernels(string) { gemm = portableGemm }
