//go:build !amd64 && !arm64

package kernels

func setInt8Kernels(instructions) { int8Tiles = portableInt8 }
