//go:build !amd64

package kernels

func setTileKernels(instructions) { tiles = portableTiles }
