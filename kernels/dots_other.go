//go:build !amd64 && !arm64

package kernels

func setDotKernels(instructions) { dotTiles = portableDots }
