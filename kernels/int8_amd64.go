package kernels

var avx512VNNIInt8 = &int8Kernel{width: 16, rows: 14, masked: true, run: [][2]func(*int8Tile){
	1:  {int8Tile1x1AVX512VNNI, int8Tile1x2AVX512VNNI},
	2:  {int8Tile2x1AVX512VNNI, int8Tile2x2AVX512VNNI},
	3:  {int8Tile3x1AVX512VNNI, int8Tile3x2AVX512VNNI},
	4:  {int8Tile4x1AVX512VNNI, int8Tile4x2AVX512VNNI},
	5:  {int8Tile5x1AVX512VNNI, int8Tile5x2AVX512VNNI},
	6:  {int8Tile6x1AVX512VNNI, int8Tile6x2AVX512VNNI},
	7:  {int8Tile7x1AVX512VNNI, int8Tile7x2AVX512VNNI},
	8:  {int8Tile8x1AVX512VNNI, int8Tile8x2AVX512VNNI},
	9:  {int8Tile9x1AVX512VNNI, int8Tile9x2AVX512VNNI},
	10: {int8Tile10x1AVX512VNNI, int8Tile10x2AVX512VNNI},
	11: {int8Tile11x1AVX512VNNI, int8Tile11x2AVX512VNNI},
	12: {int8Tile12x1AVX512VNNI, int8Tile12x2AVX512VNNI},
	13: {int8Tile13x1AVX512VNNI, int8Tile13x2AVX512VNNI},
	14: {int8Tile14x1AVX512VNNI, int8Tile14x2AVX512VNNI},
},
	depthwise:     [2]func(*int8Tile){int8Depthwise7AVX512VNNI, int8Depthwise1AVX512VNNI},
	depthwiseRows: 7, interleave: interleaveAVX2, interleaved: 32,
}

var avx512Int8 = &int8Kernel{width: 16, rows: 14, masked: true, run: [][2]func(*int8Tile){
	1:  {int8Tile1x1AVX512, int8Tile1x2AVX512},
	2:  {int8Tile2x1AVX512, int8Tile2x2AVX512},
	3:  {int8Tile3x1AVX512, int8Tile3x2AVX512},
	4:  {int8Tile4x1AVX512, int8Tile4x2AVX512},
	5:  {int8Tile5x1AVX512, int8Tile5x2AVX512},
	6:  {int8Tile6x1AVX512, int8Tile6x2AVX512},
	7:  {int8Tile7x1AVX512, int8Tile7x2AVX512},
	8:  {int8Tile8x1AVX512, int8Tile8x2AVX512},
	9:  {int8Tile9x1AVX512, int8Tile9x2AVX512},
	10: {int8Tile10x1AVX512, int8Tile10x2AVX512},
	11: {int8Tile11x1AVX512, int8Tile11x2AVX512},
	12: {int8Tile12x1AVX512, int8Tile12x2AVX512},
	13: {int8Tile13x1AVX512, int8Tile13x2AVX512},
	14: {int8Tile14x1AVX512, int8Tile14x2AVX512},
},
	depthwise:     [2]func(*int8Tile){int8Depthwise7AVX512, int8Depthwise1AVX512},
	depthwiseRows: 7, interleave: interleaveAVX2, interleaved: 32,
}

var avxVNNIInt8 = &int8Kernel{width: 8, rows: 6, run: [][2]func(*int8Tile){
	1: {int8Tile1x1AVXVNNI, int8Tile1x2AVXVNNI},
	2: {int8Tile2x1AVXVNNI, int8Tile2x2AVXVNNI},
	3: {int8Tile3x1AVXVNNI, int8Tile3x2AVXVNNI},
	4: {int8Tile4x1AVXVNNI, int8Tile4x2AVXVNNI},
	5: {int8Tile5x1AVXVNNI, int8Tile5x2AVXVNNI},
	6: {int8Tile6x1AVXVNNI, int8Tile6x2AVXVNNI},
},
	depthwise:     [2]func(*int8Tile){int8Depthwise7AVXVNNI, int8Depthwise1AVXVNNI},
	depthwiseRows: 7, interleave: interleaveAVX2, interleaved: 32,
}

var avx2Int8 = &int8Kernel{width: 8, rows: 6, run: [][2]func(*int8Tile){
	1: {int8Tile1x1AVX2, int8Tile1x2AVX2},
	2: {int8Tile2x1AVX2, int8Tile2x2AVX2},
	3: {int8Tile3x1AVX2, int8Tile3x2AVX2},
	4: {int8Tile4x1AVX2, int8Tile4x2AVX2},
	5: {int8Tile5x1AVX2, int8Tile5x2AVX2},
	6: {int8Tile6x1AVX2, int8Tile6x2AVX2},
},
	depthwise:     [2]func(*int8Tile){int8Depthwise7AVX2, int8Depthwise1AVX2},
	depthwiseRows: 7, interleave: interleaveAVX2, interleaved: 32,
}

func setInt8Kernels(in instructions) {
	switch {
	case in.base == avx512 && in.dot8:
		int8Tiles = avx512VNNIInt8
	case in.base == avx512:
		int8Tiles = avx512Int8
	case in.base == avx2 && in.dot8:
		int8Tiles = avxVNNIInt8
	case in.base == avx2:
		int8Tiles = avx2Int8
	default:
		int8Tiles = portableInt8
	}
}
