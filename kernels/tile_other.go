//go:build !amd64 && !arm64

package kernels

func setTileKernels(instructions) { tiles = portableTiles }
