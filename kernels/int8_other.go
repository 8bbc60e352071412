//go:build !amd64

package kernels

func setInt8Kernels(instructions) { int8Tiles = portableInt8 }
