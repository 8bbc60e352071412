package kernels

func setWinogradKernels(in instructions) {
	switch in.base {
	case avx512:
		winogradTransforms = winogradKernels{winogradWeights4AVX512, winogradWeights2AVX512, winogradInput4AVX512, winogradInput2AVX512, winogradOutput4AVX512, winogradOutput2AVX512}
	case avx2:
		winogradTransforms = winogradKernels{winogradWeights4AVX2, winogradWeights2AVX2, winogradInput4AVX2, winogradInput2AVX2, winogradOutput4AVX2, winogradOutput2AVX2}
	default:
		winogradTransforms = portableWinograd
	}
}
