package kernels

var (
	avx512Dots = &dotKernel{rows: 6, run: []func(*dots){
		1: dots1AVX512, 2: dots2AVX512, 3: dots3AVX512, 4: dots4AVX512, 5: dots5AVX512, 6: dots6AVX512,
	}}
	avx2Dots = &dotKernel{rows: 2, run: []func(*dots){1: dots1AVX2, 2: dots2AVX2}}
)

func setDotKernels(in instructions) {
	switch in.base {
	case avx512:
		dotTiles = avx512Dots
	case avx2:
		dotTiles = avx2Dots
	default:
		dotTiles = portableDots
	}
}
