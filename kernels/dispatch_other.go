//go:build !amd64 && !arm64

package kernels

func vectorImplementations() []instructions { return nil }
