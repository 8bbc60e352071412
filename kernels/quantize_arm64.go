package kernels

var neonQuantize = &quantizeKernels{8, quantizeNEON, dequantizeNEON, extentNEON}

// quantizeNEON is quantizePortable(q, 8).
//
//go:noescape
func quantizeNEON(q *quantizer)

// dequantizeNEON is dequantizePortable(q, 8).
//
//go:noescape
func dequantizeNEON(q *quantizer)

// extentNEON is extentPortable(e, unsafe.Slice(e.floats, e.n)), lane by lane;
// instead of e.nan it leaves NaNs in the lanes.
//
//go:noescape
func extentNEON(e *extent)

func setQuantizeKernels(in instructions) {
	if in.base == neon {
		quantization = neonQuantize
	} else {
		quantization = portableQuantize
	}
}
