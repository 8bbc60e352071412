package kernels

var avx512Quantize = &quantizeKernels{16, quantizeAVX512, dequantizeAVX512, extentAVX512}

var avx2Quantize = &quantizeKernels{8, quantizeAVX2, dequantizeAVX2, extentAVX2}

var avx512Bytes = &byteKernelSet{16, addBytesAVX512, maxBytesAVX512}

var avx2Bytes = &byteKernelSet{8, addBytesAVX2, maxBytesAVX2}

func setQuantizeKernels(in instructions) {
	byteKernels = nil
	switch in.base {
	case avx512:
		byteKernels = avx512Bytes
		quantization = avx512Quantize
	case avx2:
		byteKernels = avx2Bytes
		quantization = avx2Quantize
	default:
		quantization = portableQuantize
	}
}
