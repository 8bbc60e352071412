package kernels

import "math"

// Softmax sets each row of dst [rows, cols] to the softmax of that row of src:
// exp(x-max) over its sum. dst and src may be the same slice. A row with NaN,
// or whose largest element is infinite, gives NaN.
func Softmax(rows, cols int, dst, src []float32) {
	checkLength("Softmax", "dst", len(dst), rows*cols)
	checkLength("Softmax", "src", len(src), rows*cols)
	for i := range rows {
		x := src[i*cols : (i+1)*cols]
		y := dst[i*cols : (i+1)*cols]
		largest := -infinity
		for _, v := range x {
			largest = max(largest, v)
		}
		var sum float64
		for j, v := range x {
			e := math.Exp(float64(v - largest))
			y[j] = float32(e)
			sum += e
		}
		Scale(float32(1/sum), y)
	}
}
