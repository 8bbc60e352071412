package kernels

var avx512Quantize = &quantizeKernels{16, quantizeAVX512, dequantizeAVX512, extentAVX512}

var avx2Quantize = &quantizeKernels{8, quantizeAVX2, dequantizeAVX2, extentAVX2}

func setQuantizeKernels(in instructions) {
	switch in.base {
	case avx512:
		quantization = avx512Quantize
	case avx2:
		quantization = avx2Quantize
	default:
		quantization = portableQuantize
	}
}
