//go:build !amd64 && !arm64

package kernels

func attentionImplementation(string) attentionKernels { return portableAttention }
