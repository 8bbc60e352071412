package kernels

func vectorImplementation(name string) vectorKernels {
	if name != neon {
		return portableVector
	}
	return vectorKernels{
		operations: operationKernels{
			OpCopy: {copyVVNEON, nil, copySVNEON},
			OpAbs:  {absVVNEON},
			OpSqrt: {sqrtVVNEON},
			OpAdd:  {addVVNEON, addVSNEON},
			OpSub:  {subVVNEON, subVSNEON, subSVNEON},
			OpMul:  {mulVVNEON, mulVSNEON},
			OpDiv:  {divVVNEON, divVSNEON, divSVNEON},
			OpMax:  {maxVVNEON, maxVSNEON},
			OpMin:  {minVVNEON, minVSNEON},
		},
		shuffleKernels: shuffleKernels{
			split:       splitNEON,
			merge:       mergeNEON,
			maxBackward: maxBackwardNEON,
			transpose:   transposeNEON,
			block:       4,
		},
		rowKernels: rowKernels{
			rowAffine:         rowAffineNEON,
			rowNormalize:      rowNormalizeNEON,
			rowAffineAdd:      rowAffineAddNEON,
			rowScaledAdd:      rowScaledAddNEON,
			rowSum:            rowSumNEON,
			rowMax:            rowMaxNEON,
			rowMin:            rowMinNEON,
			rowProduct:        rowProductNEON,
			rowSquares:        rowSquaresNEON,
			rowProducts:       rowProductsNEON,
			rowScaledProducts: rowScaledProductsNEON,
			columnSum:         columnSumNEON,
			columnMax:         columnMaxNEON,
			columnMin:         columnMinNEON,
			columnProduct:     columnProductNEON,
			columnProducts:    columnProductsNEON,
		},
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

// copyVVNEON is operationPortable.
//
//go:noescape
func copyVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// copySVNEON is operationPortable.
//
//go:noescape
func copySVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// absVVNEON is operationPortable.
//
//go:noescape
func absVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// sqrtVVNEON is operationPortable.
//
//go:noescape
func sqrtVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// addVVNEON is operationPortable.
//
//go:noescape
func addVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// addVSNEON is operationPortable.
//
//go:noescape
func addVSNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// subVVNEON is operationPortable.
//
//go:noescape
func subVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// subVSNEON is operationPortable.
//
//go:noescape
func subVSNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// subSVNEON is operationPortable.
//
//go:noescape
func subSVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// mulVVNEON is operationPortable.
//
//go:noescape
func mulVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// mulVSNEON is operationPortable.
//
//go:noescape
func mulVSNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// divVVNEON is operationPortable.
//
//go:noescape
func divVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// divVSNEON is operationPortable.
//
//go:noescape
func divVSNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// divSVNEON is operationPortable.
//
//go:noescape
func divSVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// maxVVNEON is operationPortable.
//
//go:noescape
func maxVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// maxVSNEON is operationPortable.
//
//go:noescape
func maxVSNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// minVVNEON is operationPortable.
//
//go:noescape
func minVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// minVSNEON is operationPortable.
//
//go:noescape
func minVSNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// rowAffineNEON is rowAffinePortable.
//
//go:noescape
func rowAffineNEON(dst, x, a, b *float32, rows, n, row int)

// rowNormalizeNEON is rowNormalizePortable.
//
//go:noescape
func rowNormalizeNEON(dst, x, scale, shift, a, b *float32, rows, n, row int)

// rowAffineAddNEON is rowAffineAddPortable.
//
//go:noescape
func rowAffineAddNEON(dst, x, y, a, b, c *float32, rows, n, row int)

// rowScaledAddNEON is rowScaledAddPortable.
//
//go:noescape
func rowScaledAddNEON(dst, x, y, scale, a, b, c *float32, rows, n, row int)

// rowSumNEON is rowSumPortable.
//
//go:noescape
func rowSumNEON(x, out *float32, rows, n, row int)

// rowMaxNEON is rowMaxPortable.
//
//go:noescape
func rowMaxNEON(x, out *float32, rows, n, row int)

// rowMinNEON is rowMinPortable.
//
//go:noescape
func rowMinNEON(x, out *float32, rows, n, row int)

// rowProductNEON is rowProductPortable.
//
//go:noescape
func rowProductNEON(x, out *float32, rows, n, row int)

// rowSquaresNEON is rowSquaresPortable.
//
//go:noescape
func rowSquaresNEON(x, out, center *float32, rows, n, row int)

// rowProductsNEON is rowProductsPortable.
//
//go:noescape
func rowProductsNEON(x, y, sums, products, center *float32, rows, n, row int)

// rowScaledProductsNEON is rowScaledProductsPortable.
//
//go:noescape
func rowScaledProductsNEON(x, y, scale, sums, products, center *float32, rows, n, row int)

// columnSumNEON is columnSumPortable.
//
//go:noescape
func columnSumNEON(dst, x *float32, rows, n, row int)

// columnMaxNEON is columnMaxPortable.
//
//go:noescape
func columnMaxNEON(dst, x *float32, rows, n, row int)

// columnMinNEON is columnMinPortable.
//
//go:noescape
func columnMinNEON(dst, x *float32, rows, n, row int)

// columnProductNEON is columnProductPortable.
//
//go:noescape
func columnProductNEON(dst, x *float32, rows, n, row int)

// columnProductsNEON is columnProductsPortable.
//
//go:noescape
func columnProductsNEON(sums, products, x, y, a, b *float32, rows, n, row int)

// splitNEON is splitPortable.
//
//go:noescape
func splitNEON(even, odd, src *float32, rows, n, dstRow, srcRow int)

// mergeNEON is mergePortable.
//
//go:noescape
func mergeNEON(dst, even, odd *float32, rows, n, dstRow, srcRow int)

// maxBackwardNEON is maxBackwardPortable.
//
//go:noescape
func maxBackwardNEON(dx, dy, x, y *float32, rows, n, dxRow, dyRow, xRow, yRow int)

// transposeNEON is transposePortable(4, dst, src, rows, dstRow, srcRow); rows
// is a multiple of 4.
//
//go:noescape
func transposeNEON(dst, src *float32, rows, dstRow, srcRow int)
