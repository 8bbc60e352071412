package kernels

func halfImplementation(base string) halfKernels {
	if base == portable {
		return portableHalves
	}
	return halfKernels{
		float16FromFloat32:  float16FromFloat32AVX2,
		float32FromFloat16:  float32FromFloat16AVX2,
		bfloat16FromFloat32: bfloat16FromFloat32AVX2,
		float32FromBfloat16: float32FromBfloat16AVX2,
		bfloat16Pairs:       bfloat16PairsAVX2,
	}
}

func halfTileImplementation(in instructions) halfTileKernels {
	switch in.base {
	case avx512:
		k := halfTileKernels{
			float16:  [5]halfTile{1: halfTileFloat161AVX512, 2: halfTileFloat162AVX512, 4: halfTileFloat164AVX512},
			bfloat16: [5]halfTile{1: halfTileBfloat161AVX512, 2: halfTileBfloat162AVX512, 4: halfTileBfloat164AVX512},
			pairs:    [5]halfTile{1: halfTilePairs1AVX512, 2: halfTilePairs2AVX512, 4: halfTilePairs4AVX512},
		}
		if in.bf16 {
			k.pairs = [5]halfTile{1: halfTileDot1AVX512, 2: halfTileDot2AVX512, 4: halfTileDot4AVX512}
			k.dot = true
		}
		return k
	case avx2:
		return halfTileKernels{
			float16:  [5]halfTile{1: halfTileFloat161AVX2, 2: halfTileFloat162AVX2},
			bfloat16: [5]halfTile{1: halfTileBfloat161AVX2, 2: halfTileBfloat162AVX2},
			pairs:    [5]halfTile{1: halfTilePairs1AVX2, 2: halfTilePairs2AVX2},
		}
	}
	return halfTileKernels{}
}
