//go:build !amd64

package kernels

func setWinogradKernels(instructions) { winogradTransforms = portableWinograd }
