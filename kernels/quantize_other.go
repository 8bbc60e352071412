//go:build !amd64 && !arm64

package kernels

func setQuantizeKernels(instructions) { quantization = portableQuantize }
