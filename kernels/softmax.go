package kernels

import "math"

// Softmax sets each row of dst [rows, cols] to the softmax of that row of src:
// exp(x-max) over its sum. dst and src may be the same slice. A row with NaN,
// or whose largest element is infinite, gives NaN.
func Softmax(rows, cols int, dst, src []float32) {
	checkLength("Softmax", "dst", len(dst), rows*cols)
	checkLength("Softmax", "src", len(src), rows*cols)
	k := &transcendental
	for i := range rows {
		x, y := src[i*cols:(i+1)*cols], dst[i*cols:(i+1)*cols]
		sum := k.softmaxExp(y, x, k.largest(x))
		Scale(1/sum, y)
	}
}

// SoftmaxBackward adds the gradient of Softmax to dsrc [rows, cols], given its
// result dst: dsrc += dst * (ddst - the row's sum of dst*ddst).
func SoftmaxBackward(rows, cols int, dsrc, ddst, dst []float32) {
	checkLength("SoftmaxBackward", "dsrc", len(dsrc), rows*cols)
	checkLength("SoftmaxBackward", "ddst", len(ddst), rows*cols)
	checkLength("SoftmaxBackward", "dst", len(dst), rows*cols)
	for i := range rows {
		from, to := i*cols, (i+1)*cols
		y, dy := dst[from:to], ddst[from:to]
		transcendental.softmaxBackward(dsrc[from:to], dy, y, vector.dot(y, dy))
	}
}

// LogSoftmax sets each row of dst [rows, cols] to the logarithm of the softmax
// of that row of src: x - max - log of the sum of exp(x-max). dst and src may
// be the same slice. A row with NaN, or whose largest element is infinite,
// gives NaN.
func LogSoftmax(rows, cols int, dst, src []float32) {
	checkLength("LogSoftmax", "dst", len(dst), rows*cols)
	checkLength("LogSoftmax", "src", len(src), rows*cols)
	k := &transcendental
	for i := range rows {
		x, y := src[i*cols:(i+1)*cols], dst[i*cols:(i+1)*cols]
		largest := k.largest(x)
		sum := k.sumExp(x, largest)
		if !(sum >= 1) { // NaN, in every element
			largest = sum
		}
		logSum := float32(math.Log(float64(sum)))
		// Apart, so that the difference to the largest is exact where it is small.
		vector.affine(y, x, 1, cols, cols, 1, -largest)
		vector.affine(y, y, 1, cols, cols, 1, -logSum)
	}
}

// LogSoftmaxBackward adds the gradient of LogSoftmax to dsrc [rows, cols],
// given its result dst: dsrc += ddst - exp(dst) * the row's sum of ddst.
func LogSoftmaxBackward(rows, cols int, dsrc, ddst, dst []float32) {
	checkLength("LogSoftmaxBackward", "dsrc", len(dsrc), rows*cols)
	checkLength("LogSoftmaxBackward", "ddst", len(ddst), rows*cols)
	checkLength("LogSoftmaxBackward", "dst", len(dst), rows*cols)
	for i := range rows {
		from, to := i*cols, (i+1)*cols
		dy := ddst[from:to]
		transcendental.logSoftmaxBackward(dsrc[from:to], dy, dst[from:to], Sum(dy))
	}
}
