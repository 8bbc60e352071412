package kernels

func vectorImplementation(name string) vectorKernels {
	switch name {
	case avx512:
		return vectorKernels{
			add:               addAVX512,
			mul:               mulAVX512,
			mulAdd:            mulAddAVX512,
			axpy:              axpyAVX512,
			dot:               dotAVX512,
			clamp:             clampAVX512,
			clampBackward:     clampBackwardAVX512,
			hardSigmoid:       hardSigmoidAVX512,
			hardSwish:         hardSwishAVX512,
			hardSwishBackward: hardSwishBackwardAVX512,
			affine:            affineAVX512,
			affineAdd:         affineAddAVX512,
			sumSegments:       sumSegmentsAVX512,
			sumSquares:        sumSquaresAVX512,
			sumProducts:       sumProductsAVX512,
		}
	case avx2:
		return vectorKernels{
			add:               addAVX2,
			mul:               mulAVX2,
			mulAdd:            mulAddAVX2,
			axpy:              axpyAVX2,
			dot:               dotAVX2,
			clamp:             clampAVX2,
			clampBackward:     clampBackwardAVX2,
			hardSigmoid:       hardSigmoidAVX2,
			hardSwish:         hardSwishAVX2,
			hardSwishBackward: hardSwishBackwardAVX2,
			affine:            affineAVX2,
			affineAdd:         affineAddAVX2,
			sumSegments:       sumSegmentsAVX2,
			sumSquares:        sumSquaresAVX2,
			sumProducts:       sumProductsAVX2,
		}
	}
	return portableVector
}

//go:noescape
func addAVX2(dst, a, b []float32)

//go:noescape
func mulAVX2(dst, a, b []float32)

//go:noescape
func mulAddAVX2(dst, a, b []float32)

//go:noescape
func axpyAVX2(alpha float32, x, y []float32)

//go:noescape
func clampAVX2(dst, src []float32, lo, hi float32)

//go:noescape
func clampBackwardAVX2(dsrc, ddst, src []float32, lo, hi, scale float32)

//go:noescape
func hardSigmoidAVX2(dst, src []float32)

//go:noescape
func hardSwishAVX2(dst, src []float32)

//go:noescape
func hardSwishBackwardAVX2(dsrc, ddst, src []float32)

//go:noescape
func affineAVX2(dst, src []float32, segments, stride, length int, a, b float32)

//go:noescape
func affineAddAVX2(dst, x, y []float32, segments, stride, length int, a, b, c float32)

//go:noescape
func dotAVX2(a, b []float32) float32

//go:noescape
func sumSegmentsAVX2(x []float32, segments, stride, length int) float32

//go:noescape
func sumSquaresAVX2(x []float32, segments, stride, length int, center float32) float32

//go:noescape
func sumProductsAVX2(x, y []float32, segments, stride, length int, center float32) (sum, product float32)

//go:noescape
func addAVX512(dst, a, b []float32)

//go:noescape
func mulAVX512(dst, a, b []float32)

//go:noescape
func mulAddAVX512(dst, a, b []float32)

//go:noescape
func axpyAVX512(alpha float32, x, y []float32)

//go:noescape
func clampAVX512(dst, src []float32, lo, hi float32)

//go:noescape
func clampBackwardAVX512(dsrc, ddst, src []float32, lo, hi, scale float32)

//go:noescape
func hardSigmoidAVX512(dst, src []float32)

//go:noescape
func hardSwishAVX512(dst, src []float32)

//go:noescape
func hardSwishBackwardAVX512(dsrc, ddst, src []float32)

//go:noescape
func affineAVX512(dst, src []float32, segments, stride, length int, a, b float32)

//go:noescape
func affineAddAVX512(dst, x, y []float32, segments, stride, length int, a, b, c float32)

//go:noescape
func dotAVX512(a, b []float32) float32

//go:noescape
func sumSegmentsAVX512(x []float32, segments, stride, length int) float32

//go:noescape
func sumSquaresAVX512(x []float32, segments, stride, length int, center float32) float32

//go:noescape
func sumProductsAVX512(x, y []float32, segments, stride, length int, center float32) (sum, product float32)
