package kernels

func setWinogradKernels(in instructions) {
	switch in.base {
	case avx512:
		winogradTransforms = winogradKernels{winogradWeights4AVX512, winogradWeights2AVX512, winogradInput4AVX512, winogradInput2AVX512, winogradOutput4AVX512, winogradOutput2AVX512, streamTilesAVX512}
	case avx2:
		winogradTransforms = winogradKernels{winogradWeights4AVX2, winogradWeights2AVX2, winogradInput4AVX2, winogradInput2AVX2, winogradOutput4AVX2, winogradOutput2AVX2, nil}
	default:
		winogradTransforms = portableWinograd
	}
}

var streamTilesAVX512 = []func(*tile){
	1:  tile1x2AVX512Stream,
	2:  tile2x2AVX512Stream,
	3:  tile3x2AVX512Stream,
	4:  tile4x2AVX512Stream,
	5:  tile5x2AVX512Stream,
	6:  tile6x2AVX512Stream,
	7:  tile7x2AVX512Stream,
	8:  tile8x2AVX512Stream,
	9:  tile9x2AVX512Stream,
	10: tile10x2AVX512Stream,
	11: tile11x2AVX512Stream,
	12: tile12x2AVX512Stream,
	13: tile13x2AVX512Stream,
	14: tile14x2AVX512Stream,
}
