//go:build !amd64 && !arm64

package kernels

func halfImplementation(string) halfKernels { return portableHalves }

func optimizerImplementation(string) optimizerKernels { return portableOptimizers }

func halfTileImplementation(instructions) halfTileKernels { return halfTileKernels{} }
