package kernels

// Pool2D is the shape of a pooling window over [N, C, H, W].
type Pool2D struct {
	N, C, H, W                           int
	R, S                                 int // window height and width
	StrideH, StrideW                     int
	PadTop, PadLeft, PadBottom, PadRight int
}

// OutH returns the height of the output.
func (p Pool2D) OutH() int { return (p.H+p.PadTop+p.PadBottom-p.R)/p.StrideH + 1 }

// OutW returns the width of the output.
func (p Pool2D) OutW() int { return (p.W+p.PadLeft+p.PadRight-p.S)/p.StrideW + 1 }

// MaxPool sets dst [N, C, OutH, OutW] to the largest element of each window of
// src [N, C, H, W]. Padding never wins: a window that lies in it altogether
// gives -Inf. NaN propagates.
func MaxPool(p Pool2D, dst, src []float32) {
	pool("MaxPool", p, dst, src, func(plane []float32, y0, y1, x0, x1 int) float32 {
		best := -infinity
		for y := y0; y < y1; y++ {
			for _, v := range plane[y*p.W+x0 : y*p.W+x1] {
				best = max(best, v)
			}
		}
		return best
	})
}

// AvgPool sets dst [N, C, OutH, OutW] to the mean of each window of src
// [N, C, H, W]. Padding does not count; a window that lies in it altogether
// gives 0.
func AvgPool(p Pool2D, dst, src []float32) {
	pool("AvgPool", p, dst, src, func(plane []float32, y0, y1, x0, x1 int) float32 {
		var sum float32
		for y := y0; y < y1; y++ {
			for _, v := range plane[y*p.W+x0 : y*p.W+x1] {
				sum += v
			}
		}
		return sum / float32(max((y1-y0)*(x1-x0), 1))
	})
}

// pool reduces the part of each window that lies inside the plane.
func pool(function string, p Pool2D, dst, src []float32, reduce func(plane []float32, y0, y1, x0, x1 int) float32) {
	outH, outW := p.OutH(), p.OutW()
	checkLength(function, "dst", len(dst), p.N*p.C*outH*outW)
	checkLength(function, "src", len(src), p.N*p.C*p.H*p.W)
	o := 0
	for i := range p.N * p.C {
		plane := src[i*p.H*p.W:][:p.H*p.W]
		for y := range outH {
			top := y*p.StrideH - p.PadTop
			y0, y1 := max(top, 0), min(top+p.R, p.H)
			for x := range outW {
				left := x*p.StrideW - p.PadLeft
				x0, x1 := max(left, 0), min(left+p.S, p.W)
				if x1 <= x0 || y1 <= y0 {
					dst[o] = reduce(plane, 0, 0, 0, 0)
				} else {
					dst[o] = reduce(plane, y0, y1, x0, x1)
				}
				o++
			}
		}
	}
}

// GlobalAvgPool sets dst [n, c] to the mean of each plane of src [n, c, hw].
func GlobalAvgPool(n, c, hw int, dst, src []float32) {
	checkLength("GlobalAvgPool", "dst", len(dst), n*c)
	checkLength("GlobalAvgPool", "src", len(src), n*c*hw)
	for i := range n * c {
		dst[i] = vector.sumSegments(src[i*hw:], 1, hw, hw) / float32(hw)
	}
}

// GlobalAvgPoolBackward adds the gradient of GlobalAvgPool, from ddst [n, c],
// to dsrc [n, c, hw].
func GlobalAvgPoolBackward(n, c, hw int, dsrc, ddst []float32) {
	checkLength("GlobalAvgPoolBackward", "dsrc", len(dsrc), n*c*hw)
	checkLength("GlobalAvgPoolBackward", "ddst", len(ddst), n*c)
	for i, g := range ddst[:n*c] {
		plane := dsrc[i*hw : (i+1)*hw]
		vector.affine(plane, plane, 1, hw, hw, 1, g/float32(hw))
	}
}
