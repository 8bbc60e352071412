package kernels

import "unsafe"

// winogradFilter is the work of one call of a transform of weights: those of
// count input channels, each [9] vectors of output channels, are transformed,
// each element to a matrix of its own.
type winogradFilter struct {
	src     *float32
	dst     *float32
	plane   int // bytes from one matrix to the next
	row     int // bytes of the output channels, here and there
	vectors int // the same in vectors, of four for NEON
	count   int
}

// winogradInput is the work of one call of an input transform: count tiles
// that lie side by side in a block of channels are transformed, each element
// to a matrix of its own.
type winogradInput struct {
	rows    [6]*float32 // of the image, from the first column of the first tile
	dst     *float32    // first tile in the first matrix
	plane   int         // bytes from one matrix to the next
	dstStep int         // bytes from one tile to the next
	count   int
	vectors int // vectors of four that a block of channels has; for NEON
}

// winogradOutput is the work of one call of an output transform: the tiles
// that count tiles of products yield are stored side by side in a block of
// channels, as activation(tile + bias [+ residual]).
type winogradOutput struct {
	src        *float32 // first tile in the first matrix
	plane      int      // bytes from one matrix to the next
	srcStep    int      // bytes from one tile to the next
	dst        *float32
	residual   *float32 // nil, or as dst
	dstRow     int      // bytes from one row of the image to the next
	count      int
	bias       *float32 // of the block
	activation int      // as of a tile of matrix multiplication
	low, high  float32
	vectors    int // as of winogradInput
}

// winogradKernels are the transforms of one instruction set for blocks of as
// many channels as the tile kernels beside them have columns in a vector.
type winogradKernels struct {
	weights4, weights2 func(*winogradFilter)
	input4, input2     func(*winogradInput)
	output4, output2   func(*winogradOutput)
	// stream has tile kernels of two vectors, by rows, that prefetch what lies
	// behind the row of B they are at; or it is nil.
	stream []func(*tile)
}

var portableWinograd = winogradKernels{
	weights4: func(t *winogradFilter) { winogradWeights4Portable(t, portableWidth) },
	weights2: func(t *winogradFilter) { winogradWeights2Portable(t, portableWidth) },
	input4:   func(t *winogradInput) { winogradInput4Portable(t, portableWidth) },
	input2:   func(t *winogradInput) { winogradInput2Portable(t, portableWidth) },
	output4:  func(t *winogradOutput) { winogradOutput4Portable(t, portableWidth) },
	output2:  func(t *winogradOutput) { winogradOutput2Portable(t, portableWidth) },
}

// winogradTransforms is the implementation in use.
var winogradTransforms winogradKernels

// winogradWeights4Portable is the transform of weights of F(4x4, 3x3) with
// vectors of c elements, G g G^T.
func winogradWeights4Portable(t *winogradFilter, c int) {
	for row := range t.count {
		for lane := range t.vectors * c {
			var g [3][3]float32
			var e [6][3]float32
			for i := range 3 {
				for j := range 3 {
					g[i][j] = *floatAt(t.src, (9*row+3*i+j)*t.row+4*lane)
				}
			}
			for j := range 3 {
				e[0][j], e[1][j], e[2][j], e[3][j], e[4][j], e[5][j] = winogradWeights4(g[0][j], g[1][j], g[2][j])
			}
			for i, r := range e {
				var out [6]float32
				out[0], out[1], out[2], out[3], out[4], out[5] = winogradWeights4(r[0], r[1], r[2])
				for j, x := range out {
					*floatAt(t.dst, (6*i+j)*t.plane+row*t.row+4*lane) = x
				}
			}
		}
	}
}

// winogradWeights4 is G of F(4, 3).
func winogradWeights4(g0, g1, g2 float32) (e0, e1, e2, e3, e4, e5 float32) {
	const (
		a, b = winogradA, winogradB
		na   = 1 / (2 * a * a * (a*a - b*b))
		nb   = 1 / (2 * b * b * (b*b - a*a))
	)
	p, q := na*g0+na*a*a*g2, na*a*g1
	u, v := nb*g0+nb*b*b*g2, nb*b*g1
	return 1 / (a * a * b * b) * g0, p + q, p - q, u + v, u - v, g2
}

// winogradWeights2Portable is the transform of weights of F(2x2, 3x3) with
// vectors of c elements.
func winogradWeights2Portable(t *winogradFilter, c int) {
	for row := range t.count {
		for lane := range t.vectors * c {
			var g [3][3]float32
			var e [4][3]float32
			for i := range 3 {
				for j := range 3 {
					g[i][j] = *floatAt(t.src, (9*row+3*i+j)*t.row+4*lane)
				}
			}
			for j := range 3 {
				e[0][j], e[1][j], e[2][j], e[3][j] = winogradWeights2(g[0][j], g[1][j], g[2][j])
			}
			for i, r := range e {
				var out [4]float32
				out[0], out[1], out[2], out[3] = winogradWeights2(r[0], r[1], r[2])
				for j, x := range out {
					*floatAt(t.dst, (4*i+j)*t.plane+row*t.row+4*lane) = x
				}
			}
		}
	}
}

// winogradWeights2 is G of F(2, 3).
func winogradWeights2(g0, g1, g2 float32) (e0, e1, e2, e3 float32) {
	p, q := (g0+g2)*0.5, g1*0.5
	return -g0, p + q, p - q, g2
}

// winogradInput4Portable is the input transform of F(4x4, 3x3) for blocks of
// c channels, B^T d B of every 6x6 patch d.
func winogradInput4Portable(t *winogradInput, c int) {
	for tile := range t.count {
		for lane := range c {
			var d, e [6][6]float32
			for i := range 6 {
				for j := range 6 {
					d[i][j] = *floatAt(t.rows[i], 4*((4*tile+j)*c+lane))
				}
			}
			for j := range 6 {
				e[0][j], e[1][j], e[2][j], e[3][j], e[4][j], e[5][j] = winogradInput4(d[0][j], d[1][j], d[2][j], d[3][j], d[4][j], d[5][j])
			}
			for i, r := range e {
				r[0], r[1], r[2], r[3], r[4], r[5] = winogradInput4(r[0], r[1], r[2], r[3], r[4], r[5])
				for j, x := range r {
					*floatAt(t.dst, (6*i+j)*t.plane+tile*t.dstStep+4*lane) = x
				}
			}
		}
	}
}

// winogradInput4 is B^T of F(4, 3).
func winogradInput4(d0, d1, d2, d3, d4, d5 float32) (e0, e1, e2, e3, e4, e5 float32) {
	const a, b = winogradA, winogradB
	p, q := d4-b*b*d2, d3-b*b*d1
	u, v := d4-a*a*d2, d3-a*a*d1
	return d4 - (a*a+b*b)*d2 + a*a*b*b*d0,
		p + a*q, p - a*q,
		u + b*v, u - b*v,
		d5 - (a*a+b*b)*d3 + a*a*b*b*d1
}

// winogradInput2Portable is the input transform of F(2x2, 3x3) for blocks of
// c channels.
func winogradInput2Portable(t *winogradInput, c int) {
	for tile := range t.count {
		for lane := range c {
			var d, e [4][4]float32
			for i := range 4 {
				for j := range 4 {
					d[i][j] = *floatAt(t.rows[i], 4*((2*tile+j)*c+lane))
				}
			}
			for j := range 4 {
				e[0][j], e[1][j], e[2][j], e[3][j] = winogradInput2(d[0][j], d[1][j], d[2][j], d[3][j])
			}
			for i, r := range e {
				r[0], r[1], r[2], r[3] = winogradInput2(r[0], r[1], r[2], r[3])
				for j, x := range r {
					*floatAt(t.dst, (4*i+j)*t.plane+tile*t.dstStep+4*lane) = x
				}
			}
		}
	}
}

// winogradInput2 is B^T of F(2, 3).
func winogradInput2(d0, d1, d2, d3 float32) (e0, e1, e2, e3 float32) {
	return d2 - d0, d2 + d1, d2 - d1, d3 - d1
}

// winogradOutput4Portable is the output transform of F(4x4, 3x3) for blocks
// of c channels, A^T m A of every 6x6 tile m of products.
func winogradOutput4Portable(t *winogradOutput, c int) {
	for tile := range t.count {
		for lane := range c {
			var m [6][6]float32
			var y [4][6]float32
			for i := range 6 {
				for j := range 6 {
					m[i][j] = *floatAt(t.src, (6*i+j)*t.plane+tile*t.srcStep+4*lane)
				}
			}
			for j := range 6 {
				y[0][j], y[1][j], y[2][j], y[3][j] = winogradOutput4(m[0][j], m[1][j], m[2][j], m[3][j], m[4][j], m[5][j])
			}
			for i, r := range y {
				r[0], r[1], r[2], r[3] = winogradOutput4(r[0], r[1], r[2], r[3], r[4], r[5])
				for j, x := range r[:4] {
					t.store(x, i*t.dstRow+4*((4*tile+j)*c+lane), lane)
				}
			}
		}
	}
}

// winogradOutput4 is A^T of F(4, 3).
func winogradOutput4(m0, m1, m2, m3, m4, m5 float32) (y0, y1, y2, y3 float32) {
	const a, b = winogradA, winogradB
	u, v, w, z := m1+m2, m1-m2, m3+m4, m3-m4
	return m0 + u + w, a*v + b*z, a*a*u + b*b*w, m5 + a*a*a*v + b*b*b*z
}

// winogradOutput2Portable is the output transform of F(2x2, 3x3) for blocks
// of c channels.
func winogradOutput2Portable(t *winogradOutput, c int) {
	for tile := range t.count {
		for lane := range c {
			var m [4][4]float32
			var y [2][4]float32
			for i := range 4 {
				for j := range 4 {
					m[i][j] = *floatAt(t.src, (4*i+j)*t.plane+tile*t.srcStep+4*lane)
				}
			}
			for j := range 4 {
				y[0][j], y[1][j] = winogradOutput2(m[0][j], m[1][j], m[2][j], m[3][j])
			}
			for i, r := range y {
				r[0], r[1] = winogradOutput2(r[0], r[1], r[2], r[3])
				for j, x := range r[:2] {
					t.store(x, i*t.dstRow+4*((2*tile+j)*c+lane), lane)
				}
			}
		}
	}
}

// winogradOutput2 is A^T of F(2, 3).
func winogradOutput2(m0, m1, m2, m3 float32) (y0, y1 float32) {
	return m0 + (m1 + m2), m3 + (m1 - m2)
}

// store finishes an element of the output, which lies offset bytes after dst.
func (t *winogradOutput) store(x float32, offset, lane int) {
	x += *floatAt(t.bias, 4*lane)
	if t.residual != nil {
		x += *floatAt(t.residual, offset)
	}
	f := tile{activation: t.activation, low: t.low, high: t.high}
	*floatAt(t.dst, offset) = f.activate(x)
}

// floatAt returns the element that lies bytes after p.
func floatAt(p *float32, bytes int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes))
}
