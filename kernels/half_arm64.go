package kernels

func halfImplementation(base string) halfKernels {
	if base == portable {
		return portableHalves
	}
	return halfKernels{
		float16FromFloat32:  float16FromFloat32NEON,
		float32FromFloat16:  float32FromFloat16NEON,
		bfloat16FromFloat32: bfloat16FromFloat32NEON,
		float32FromBfloat16: float32FromBfloat16NEON,
		bfloat16Pairs:       bfloat16PairsNEON,
	}
}

// float16FromFloat32NEON is float16FromFloat32 of n elements, a multiple of 16.
//
//go:noescape
func float16FromFloat32NEON(dst *uint16, src *float32, n int)

// float32FromFloat16NEON is float32FromFloat16 of n elements, a multiple of 16.
//
//go:noescape
func float32FromFloat16NEON(dst *float32, src *uint16, n int)

// bfloat16FromFloat32NEON is bfloat16FromFloat32 of n elements, a multiple of 16.
//
//go:noescape
func bfloat16FromFloat32NEON(dst *uint16, src *float32, n int)

// float32FromBfloat16NEON is float32FromBfloat16 of n elements, a multiple of 16.
//
//go:noescape
func float32FromBfloat16NEON(dst *float32, src *uint16, n int)

// bfloat16PairsNEON is bfloat16PairsPortable; n is a multiple of 8.
//
//go:noescape
func bfloat16PairsNEON(even, odd *float32, src *uint16, n int)

// halfTileImplementation leaves products to blocks that are converted.
func halfTileImplementation(instructions) halfTileKernels { return halfTileKernels{} }
