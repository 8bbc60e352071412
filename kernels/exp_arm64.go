package kernels

func expImplementation(name string) expKernels {
	if name == neon {
		return expKernels{
			exp: expNEON, log: logNEON, tanh: tanhNEON, erf: erfNEON,
			sigmoid: sigmoidNEON, silu: siluNEON, gelu: geluNEON, geluTanh: geluTanhNEON,
			sigmoidBackward: sigmoidBackwardNEON, tanhBackward: tanhBackwardNEON, siluBackward: siluBackwardNEON,
			geluBackward: geluBackwardNEON, geluTanhBackward: geluTanhBackwardNEON,
			largest: largestNEON, softmaxExp: softmaxExpNEON, sumExp: sumExpNEON,
			softmaxBackward: softmaxBackwardNEON, logSoftmaxBackward: logSoftmaxBackwardNEON,
			scoreExp: scoreExpNEON, scoreGradient: scoreGradientNEON,
		}
	}
	return portableExp
}
