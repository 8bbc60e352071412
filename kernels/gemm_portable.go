package kernels

import "unsafe"

// portableGemm is the inner kernel of machines without assembly.
var portableGemm = newGemmKernel(portable, 2, 4, func(t *oldTile) { portableTile(t, 4) }, portablePacker)

// portableTile is the Go twin of the assembly kernels, for nr columns, a
// multiple of 4.
func portableTile(t *oldTile, nr int) {
	stride := t.cStride / 4
	for panel := range t.count {
		for i := 0; i < t.rows; i += 2 {
			a := elementAt(t.a, panel*t.aStride/4+i)
			rows := min(2, t.rows-i)
			for j := 0; j < nr; j += 4 {
				var sum [2][4]float32
				if rows == 2 {
					sum = portableDot2(t, a, elementAt(t.b, j))
				} else {
					sum[0] = portableDot1(t, a, elementAt(t.b, j))
				}
				for r := range rows {
					t.finish(&sum[r], panel*t.rows+i+r, (panel*t.rows+i+r)*stride+j)
				}
			}
		}
	}
}

// finish writes four sums of a row to element at of C.
func (t *oldTile) finish(sum *[4]float32, row, at int) {
	c := (*[4]float32)(unsafe.Pointer(elementAt(t.c, at)))
	if t.accumulate != 0 {
		for i, x := range c {
			sum[i] += x
		}
	}
	if t.bias != nil {
		for i, x := 0, *elementAt(t.bias, row); i < 4; i++ {
			sum[i] += x
		}
	}
	if t.residual != nil {
		for i, x := range (*[4]float32)(unsafe.Pointer(elementAt(t.residual, at))) {
			sum[i] += x
		}
	}
	for i, x := range sum {
		switch t.activation {
		case oldTileClamp:
			sum[i] = clamp(x, t.low, t.high)
		case oldTileHardSwish:
			sum[i] = x * (clamp(x+3, t.low, t.high) * (1.0 / 6))
		case oldTileHardSigmoid:
			sum[i] = clamp(x+3, t.low, t.high) * (1.0 / 6)
		}
	}
	*c = *sum
}

// portableDot2 multiplies two rows of the packed a by four columns of b.
func portableDot2(t *oldTile, a, b *float32) (sum [2][4]float32) {
	if t.k == 0 {
		return sum
	}
	left := unsafe.Slice(a, (t.k-1)*t.rows+2)
	stride := t.bStride / 4
	right := unsafe.Slice(b, (t.k-1)*stride+4)
	var s00, s01, s02, s03, s10, s11, s12, s13 float32
	for p := range t.k {
		x := (*[2]float32)(left[p*t.rows:])
		y := (*[4]float32)(right[p*stride:])
		s00 += x[0] * y[0]
		s01 += x[0] * y[1]
		s02 += x[0] * y[2]
		s03 += x[0] * y[3]
		s10 += x[1] * y[0]
		s11 += x[1] * y[1]
		s12 += x[1] * y[2]
		s13 += x[1] * y[3]
	}
	return [2][4]float32{{s00, s01, s02, s03}, {s10, s11, s12, s13}}
}

// portableDot1 multiplies one row of the packed a by four columns of b.
func portableDot1(t *oldTile, a, b *float32) (sum [4]float32) {
	if t.k == 0 {
		return sum
	}
	left := unsafe.Slice(a, (t.k-1)*t.rows+1)
	stride := t.bStride / 4
	right := unsafe.Slice(b, (t.k-1)*stride+4)
	var s0, s1, s2, s3 float32
	for p := range t.k {
		x := left[p*t.rows]
		y := (*[4]float32)(right[p*stride:])
		s0 += x * y[0]
		s1 += x * y[1]
		s2 += x * y[2]
		s3 += x * y[3]
	}
	return [4]float32{s0, s1, s2, s3}
}
