//go:build !amd64

package kernels

// setLayoutKernels goes by the width of the tiles.
func setLayoutKernels(instructions) {
	transposeBlocks = func(t *transposition) { transposeBlocksPortable(t, tiles.width) }
}
