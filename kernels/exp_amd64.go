package kernels

func expImplementation(name string) expKernels {
	switch name {
	case avx512:
		return expKernels{
			exp: expAVX512, log: logAVX512, tanh: tanhAVX512, erf: erfAVX512,
			sigmoid: sigmoidAVX512, silu: siluAVX512, gelu: geluAVX512, geluTanh: geluTanhAVX512,
			sigmoidBackward: sigmoidBackwardAVX512, tanhBackward: tanhBackwardAVX512, siluBackward: siluBackwardAVX512,
			geluBackward: geluBackwardAVX512, geluTanhBackward: geluTanhBackwardAVX512,
			largest: largestAVX512, softmaxExp: softmaxExpAVX512, sumExp: sumExpAVX512,
			softmaxBackward: softmaxBackwardAVX512, logSoftmaxBackward: logSoftmaxBackwardAVX512,
			scoreExp: scoreExpAVX512, scoreGradient: scoreGradientAVX512,
		}
	case avx2:
		return expKernels{
			exp: expAVX2, log: logAVX2, tanh: tanhAVX2, erf: erfAVX2,
			sigmoid: sigmoidAVX2, silu: siluAVX2, gelu: geluAVX2, geluTanh: geluTanhAVX2,
			sigmoidBackward: sigmoidBackwardAVX2, tanhBackward: tanhBackwardAVX2, siluBackward: siluBackwardAVX2,
			geluBackward: geluBackwardAVX2, geluTanhBackward: geluTanhBackwardAVX2,
			largest: largestAVX2, softmaxExp: softmaxExpAVX2, sumExp: sumExpAVX2,
			softmaxBackward: softmaxBackwardAVX2, logSoftmaxBackward: logSoftmaxBackwardAVX2,
			scoreExp: scoreExpAVX2, scoreGradient: scoreGradientAVX2,
		}
	}
	return portableExp
}
