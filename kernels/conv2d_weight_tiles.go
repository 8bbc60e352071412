package kernels

import "unsafe"

// Weight gradients by tiles: for every place (r, s) of the kernel a product of
// matrices,
//
//	dW[r][s][c][k] += sum over n, y, x of X[n][c][y+r][x+s] * dY[n][y][x][k]
//
// in which the image is the left operand, read where it lies, and the gradient
// of the output, transposed, the right one. The planes are those of
// weightGradient: with gaps of zeros in dY, a plane is one segment.
type weightTiles struct {
	tile     tile
	offsets  []int     // of the segments, in bytes
	gradient []float32 // dY in panels of the tile's columns, [n][y][x][k]
	sums     []float32 // dW[r][s][c][k]
}

const (
	// Channels of a group from which on tiles are used.
	weightTileInputs  = 6
	weightTileOutputs = 12
	// weightTileBytes is how much of both operands is worked on at a time: it is
	// to stay in the second-level cache.
	weightTileBytes = 384 << 10
)

// suitsTiles tells whether w is better computed by tiles than by dot products.
func (w *weightGradient) suitsTiles() bool {
	s := w.shape
	return !s.pointwise() && !w.rows && s.C/s.Groups >= weightTileInputs && s.K/s.Groups >= weightTileOutputs
}

// runTiles adds the gradient to dweight.
func (w *weightGradient) runTiles(dweight, src, ddst []float32) {
	s, ws := w.shape, w.ws
	m, channels, area := s.K/s.Groups, s.C/s.Groups, s.R*s.S
	outHW, inHW := s.OutH()*s.OutW(), s.H*s.W
	x, nr := &ws.ofWeight.tiles, gemm.nr()
	columns := roundUp(m, nr)
	images := min(max(weightTileBytes/(4*w.length*(columns+channels)), 1), s.N)
	span := w.length // columns of A that are worked on at a time
	if images == 1 {
		span = max(weightTileBytes/(4*(columns+channels)), 64)
	}
	plane := w.unfold.size()
	ws.image = grow(ws.image, images*plane)
	x.gradient = grow(x.gradient, images*w.length*columns+packSlack)
	x.sums = grow(x.sums, area*channels*columns)
	x.offsets = growOffsets(x.offsets, images)
	for i := range x.offsets {
		x.offsets[i] = 4 * i * plane
	}
	// What is never written: gaps, borders, and columns that fill a panel up.
	clear(x.gradient)
	clear(ws.image)
	for g := range s.Groups {
		clear(x.sums)
		for n := 0; n < s.N; n += images {
			count := min(images, s.N-n)
			for i := range count {
				w.fill(ws.image[i*plane:], src[((n+i)*s.C+g*channels)*inHW:])
				dY := dense(ddst[((n+i)*s.K+g*m)*outHW:], outHW, outHW)
				for j := 0; j < m; j += nr {
					panel := x.gradient[(j*images+i*nr)*w.length:]
					for y := range s.OutH() {
						gemm.pack.rows(panel[y*w.pitch*nr:], nr, &dY, j, min(j+nr, m), y*s.OutW(), (y+1)*s.OutW())
					}
				}
			}
			for p := 0; p < w.length; p += span {
				w.multiplyTiles(x, images, count, p, min(p+span, w.length))
			}
		}
		for tap := range area {
			for c := range channels {
				for k, v := range x.sums[(tap*channels+c)*columns:][:m] {
					dweight[((g*m+k)*channels+c)*area+tap] += v
				}
			}
		}
	}
	x.tile = tile{}
}

// fill copies an image to the inside of its padded planes.
func (w *weightGradient) fill(dst, src []float32) {
	s := w.shape
	for c := range s.C / s.Groups {
		for y := range s.H {
			at := (c*w.unfold.height+y+s.PadTop)*w.unfold.width + s.PadLeft
			copy(dst[at:at+s.W], src[(c*s.H+y)*s.W:])
		}
	}
}

// multiplyTiles adds the products of columns p0 to p1 of the planes of count
// images to x.sums. There is room for images images.
func (w *weightGradient) multiplyTiles(x *weightTiles, images, count, p0, p1 int) {
	s := w.shape
	channels, area, nr := s.C/s.Groups, s.R*s.S, gemm.nr()
	columns := roundUp(s.K/s.Groups, nr)
	row := w.unfold.size() / channels
	t := &x.tile
	*t = tile{
		vectors: 2, count: 1, mask: 1<<gemm.width - 1, alpha: 1, accumulate: 1, next: uintptr(unsafe.Pointer(&x.gradient[0])),
		aRow: 4 * row, aGroup: 4 * row * (gemm.rows / 2), offsets: &x.offsets[0], segments: count, k: p1 - p0,
		bRow: 4 * nr, cRow: 4 * columns, cGroup: 4 * columns * (gemm.rows / 2), cVector: 4 * gemm.width,
	}
	panels := split(channels, gemm.rows)
	for j := 0; j < columns; j += nr {
		t.b = &x.gradient[j*images*w.length+p0*nr]
		for i := range panels.count {
			c := panels.start(i)
			t.rows = panels.start(i+1) - c
			for tap := range area {
				t.a = &w.ws.image[w.ws.offsets[c*area+tap]+p0]
				t.c = &x.sums[(tap*channels+c)*columns+j]
				gemm.multiply(t)
			}
		}
	}
}

// growOffsets returns n offsets, in the memory of s where that is enough.
func growOffsets(s []int, n int) []int {
	if cap(s) >= n {
		return s[:n]
	}
	return make([]int, n)
}
