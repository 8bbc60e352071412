//go:build !amd64 && !arm64

package kernels

func setPeakKernels(in instructions) { peaks = portablePeaks }
