package kernels

func vectorImplementation(name string) vectorKernels {
	if name != neon {
		return portableVector
	}
	return vectorKernels{
		add:               addNEON,
		mul:               mulNEON,
		mulAdd:            mulAddNEON,
		axpy:              axpyNEON,
		dot:               dotNEON,
		clamp:             clampNEON,
		clampBackward:     clampBackwardNEON,
		hardSigmoid:       hardSigmoidNEON,
		hardSwish:         hardSwishNEON,
		hardSwishBackward: hardSwishBackwardNEON,
		affine:            affineNEON,
		affineAdd:         affineAddNEON,
		sumSegments:       sumSegmentsNEON,
		sumSquares:        sumSquaresNEON,
		sumProducts:       sumProductsNEON,
	}
}

//go:noescape
func addNEON(dst, a, b []float32)

//go:noescape
func mulNEON(dst, a, b []float32)

//go:noescape
func mulAddNEON(dst, a, b []float32)

//go:noescape
func axpyNEON(alpha float32, x, y []float32)

//go:noescape
func clampNEON(dst, src []float32, lo, hi float32)

//go:noescape
func clampBackwardNEON(dsrc, ddst, src []float32, lo, hi, scale float32)

//go:noescape
func hardSigmoidNEON(dst, src []float32)

//go:noescape
func hardSwishNEON(dst, src []float32)

//go:noescape
func hardSwishBackwardNEON(dsrc, ddst, src []float32)

//go:noescape
func affineNEON(dst, src []float32, segments, stride, length int, a, b float32)

//go:noescape
func affineAddNEON(dst, x, y []float32, segments, stride, length int, a, b, c float32)

//go:noescape
func dotNEON(a, b []float32) float32

//go:noescape
func sumSegmentsNEON(x []float32, segments, stride, length int) float32

//go:noescape
func sumSquaresNEON(x []float32, segments, stride, length int, center float32) float32

//go:noescape
func sumProductsNEON(x, y []float32, segments, stride, length int, center float32) (sum, product float32)
