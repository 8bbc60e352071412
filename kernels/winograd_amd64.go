package kernels

func setWinogradKernels(in instructions) {
	switch in.base {
	case avx512:
		winogradTransforms = winogradKernels{winogradInput4AVX512, winogradInput2AVX512, winogradOutput4AVX512, winogradOutput2AVX512}
	case avx2:
		winogradTransforms = winogradKernels{winogradInput4AVX2, winogradInput2AVX2, winogradOutput4AVX2, winogradOutput2AVX2}
	default:
		winogradTransforms = portableWinograd
	}
}
