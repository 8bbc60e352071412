//go:build !amd64 && !arm64

package kernels

func setWinogradKernels(instructions) { winogradTransforms = portableWinograd }
