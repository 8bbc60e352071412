package kernels

import "unsafe"

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

// depthwiseColumnsPortable is the Go twin of the kernels for blocks of width
// channels, size columns of the kernel and strides of stride.
func depthwiseColumnsPortable(t *depthwiseStrip, width, size, stride int) {
	for i, line := range unsafe.Slice(t.lines, t.lineCount) {
		for _, span := range unsafe.Slice(t.spans, t.spanCount) {
			for output := range span.count {
				sum := depthwiseSum{t: t, width: width, place: i*t.dstLine + span.dst + output*4*width}
				sum.begin()
				for row := range line.rows {
					for s := range size {
						if column := output*stride + s; column >= span.first && column < span.end {
							sum.add(line.src+row*t.srcRow+span.src+column*4*width, line.weight+row*t.weightRow+s*4*width)
						}
					}
				}
				sum.end()
			}
		}
	}
}

// depthwiseTapsPortable is the Go twin of the kernels for blocks of width
// channels and any shape.
func depthwiseTapsPortable(t *depthwiseStrip, width int) {
	for i, line := range unsafe.Slice(t.lines, t.lineCount) {
		for _, span := range unsafe.Slice(t.spans, t.spanCount) {
			for output := range span.count {
				sum := depthwiseSum{t: t, width: width, place: i*t.dstLine + span.dst + output*4*width}
				sum.begin()
				for row := range line.rows {
					for s := range span.taps {
						sum.add(line.src+row*t.srcRow+span.src+output*t.srcOutput+s*t.srcTap,
							line.weight+row*t.weightRow+span.weight+s*4*width)
					}
				}
				sum.end()
			}
		}
	}
}

// depthwiseSum is one pixel of the output, at place, in bytes.
type depthwiseSum struct {
	t            *depthwiseStrip
	width, place int
	sum          [16]float32
}

// pixelAt is the vector at a distance in bytes from p.
func pixelAt(p *float32, bytes, width int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(p), bytes)), width)
}

func (a *depthwiseSum) begin() { copy(a.sum[:], pixelAt(a.t.bias, 0, a.width)) }

func (a *depthwiseSum) add(src, weight int) {
	x, w := pixelAt(a.t.src, src, a.width), pixelAt(a.t.weight, weight, a.width)
	for i := range x {
		a.sum[i] += x[i] * w[i]
	}
}

func (a *depthwiseSum) end() {
	t := a.t
	act := tile{activation: t.activation, low: t.low, high: t.high}
	for i, x := range a.sum[:a.width] {
		if t.residual != nil {
			x += pixelAt(t.residual, a.place, a.width)[i]
		}
		pixelAt(t.dst, a.place, a.width)[i] = act.activate(x)
	}
}

// depthwiseSpreadPortable is the Go twin of the kernels that copy pixels of
// width channels, channel lanes[i] to channel i. There is at least one pixel.
func depthwiseSpreadPortable(dst, src *float32, lanes *int32, pixels, width int) {
	from := unsafe.Slice(lanes, width)
	for p := range pixels {
		x, y := pixelAt(src, p*4*width, width), pixelAt(dst, p*4*width, width)
		for i, lane := range from {
			y[i] = x[lane]
		}
	}
}
