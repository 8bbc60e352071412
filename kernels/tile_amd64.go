package kernels

var avx512Tiles = &tileKernel{base: avx512, width: 16, rows: 14, masked: true, run: [][2]func(*tile){
	1:  {tile1x1AVX512, tile1x2AVX512},
	2:  {tile2x1AVX512, tile2x2AVX512},
	3:  {tile3x1AVX512, tile3x2AVX512},
	4:  {tile4x1AVX512, tile4x2AVX512},
	5:  {tile5x1AVX512, tile5x2AVX512},
	6:  {tile6x1AVX512, tile6x2AVX512},
	7:  {tile7x1AVX512, tile7x2AVX512},
	8:  {tile8x1AVX512, tile8x2AVX512},
	9:  {tile9x1AVX512, tile9x2AVX512},
	10: {tile10x1AVX512, tile10x2AVX512},
	11: {tile11x1AVX512, tile11x2AVX512},
	12: {tile12x1AVX512, tile12x2AVX512},
	13: {tile13x1AVX512, tile13x2AVX512},
	14: {tile14x1AVX512, tile14x2AVX512},
}, take: takeBlocksAVX512, triple: 9, blocks: [][3]func(*tile){
	1:  {blockTile1x1AVX512, blockTile1x2AVX512, blockTile1x3AVX512},
	2:  {blockTile2x1AVX512, blockTile2x2AVX512, blockTile2x3AVX512},
	3:  {blockTile3x1AVX512, blockTile3x2AVX512, blockTile3x3AVX512},
	4:  {blockTile4x1AVX512, blockTile4x2AVX512, blockTile4x3AVX512},
	5:  {blockTile5x1AVX512, blockTile5x2AVX512, blockTile5x3AVX512},
	6:  {blockTile6x1AVX512, blockTile6x2AVX512, blockTile6x3AVX512},
	7:  {blockTile7x1AVX512, blockTile7x2AVX512, blockTile7x3AVX512},
	8:  {blockTile8x1AVX512, blockTile8x2AVX512, blockTile8x3AVX512},
	9:  {blockTile9x1AVX512, blockTile9x2AVX512, blockTile9x3AVX512},
	10: {blockTile10x1AVX512, blockTile10x2AVX512},
	11: {blockTile11x1AVX512, blockTile11x2AVX512},
	12: {blockTile12x1AVX512, blockTile12x2AVX512},
	13: {blockTile13x1AVX512, blockTile13x2AVX512},
	14: {blockTile14x1AVX512, blockTile14x2AVX512},
}, planes: [2][][2]func(*tile){
	{
		10: {planeTile1x10x1AVX512, planeTile1x10x2AVX512},
		11: {planeTile1x11x1AVX512, planeTile1x11x2AVX512},
		12: {planeTile1x12x1AVX512, planeTile1x12x2AVX512},
		13: {planeTile1x13x1AVX512, planeTile1x13x2AVX512},
		14: {planeTile1x14x1AVX512, planeTile1x14x2AVX512},
	},
	{
		10: {planeTile2x10x1AVX512, planeTile2x10x2AVX512},
		11: {planeTile2x11x1AVX512, planeTile2x11x2AVX512},
		12: {planeTile2x12x1AVX512, planeTile2x12x2AVX512},
		13: {planeTile2x13x1AVX512, planeTile2x13x2AVX512},
		14: {planeTile2x14x1AVX512, planeTile2x14x2AVX512},
	},
}}

var avx2Tiles = &tileKernel{base: avx2, width: 8, rows: 6, run: [][2]func(*tile){
	1: {tile1x1AVX2, tile1x2AVX2},
	2: {tile2x1AVX2, tile2x2AVX2},
	3: {tile3x1AVX2, tile3x2AVX2},
	4: {tile4x1AVX2, tile4x2AVX2},
	5: {tile5x1AVX2, tile5x2AVX2},
	6: {tile6x1AVX2, tile6x2AVX2},
}, triple: 4, blocks: [][3]func(*tile){
	1: {blockTile1x1AVX2, blockTile1x2AVX2, blockTile1x3AVX2},
	2: {blockTile2x1AVX2, blockTile2x2AVX2, blockTile2x3AVX2},
	3: {blockTile3x1AVX2, blockTile3x2AVX2, blockTile3x3AVX2},
	4: {blockTile4x1AVX2, blockTile4x2AVX2, blockTile4x3AVX2},
	5: {blockTile5x1AVX2, blockTile5x2AVX2},
	6: {blockTile6x1AVX2, blockTile6x2AVX2},
}, planes: [2][][2]func(*tile){
	{
		4: {planeTile1x4x1AVX2, planeTile1x4x2AVX2},
		5: {planeTile1x5x1AVX2, planeTile1x5x2AVX2},
		6: {planeTile1x6x1AVX2, planeTile1x6x2AVX2},
	},
	{
		4: {planeTile2x4x1AVX2, planeTile2x4x2AVX2},
		5: {planeTile2x5x1AVX2, planeTile2x5x2AVX2},
		6: {planeTile2x6x1AVX2, planeTile2x6x2AVX2},
	},
}}

func setTileKernels(in instructions) {
	switch in.base {
	case avx512:
		tiles = avx512Tiles
	case avx2:
		tiles = avx2Tiles
	default:
		tiles = portableTiles
	}
}
