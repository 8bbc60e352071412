package kernels

func convolvePortable(dst, src []float32, n int, offsets []int, weights []float32, bias, lo, hi float32) {
	dst = dst[:n]
	for i := range dst {
		dst[i] = bias
	}
	for t, offset := range offsets {
		w := weights[t]
		for i, x := range src[offset:][:n] {
			dst[i] += w * x
		}
	}
	if lo > -infinity || hi < infinity {
		clampPortable(dst, dst, lo, hi)
	}
}

func correlatePortable(sums *[correlateTaps]float32, grad, src []float32, n int, offsets *[correlateTaps]int) {
	for t, offset := range offsets {
		sums[t] += dotPortable(grad[:n], src[offset:])
	}
}

func copyPlanePortable(dst, src []float32, rows, dstStep, srcStep, width int) {
	for r := range rows {
		copy(dst[r*dstStep:], src[r*srcStep:][:width])
	}
}

func splitPlanePortable(even, odd, src []float32, rows, dstStep, srcStep, width int) {
	for r := range rows {
		for i, x := range src[r*srcStep:][:width] {
			if i%2 == 0 {
				even[r*dstStep+i/2] = x
			} else {
				odd[r*dstStep+i/2] = x
			}
		}
	}
}

func addPlanePortable(dst, src []float32, rows, dstStep, srcStep, width int) {
	for r := range rows {
		addPortable(dst[r*dstStep:][:width], dst[r*dstStep:], src[r*srcStep:])
	}
}

func mergePlanePortable(dst, even, odd []float32, rows, dstStep, srcStep, width int) {
	for r := range rows {
		to := dst[r*dstStep:][:width]
		for i := range to {
			if i%2 == 0 {
				to[i] += even[r*srcStep+i/2]
			} else {
				to[i] += odd[r*srcStep+i/2]
			}
		}
	}
}
