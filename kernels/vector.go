package kernels

import "fmt"

// vectorKernels are the implementations of one instruction set. Functions
// with segments work on segments pieces of length elements, whose starts lie
// stride elements apart in every operand: the planes of one channel in a
// batch. Reductions add in an order that depends on the lengths alone, so
// that they are deterministic within an implementation.
type vectorKernels struct {
	operations operationKernels
	rowKernels
	shuffleKernels

	mulAdd func(dst, a, b []float32)
	axpy   func(alpha float32, x, y []float32) // len(x) elements
	dot    func(a, b []float32) float32        // len(a) elements

	clamp             func(dst, src []float32, lo, hi float32)
	clampBackward     func(dsrc, ddst, src []float32, lo, hi, scale float32)
	hardSigmoid       func(dst, src []float32)
	hardSwish         func(dst, src []float32)
	hardSwishBackward func(dsrc, ddst, src []float32)

	// affine: dst = a*src + b.
	affine func(dst, src []float32, segments, stride, length int, a, b float32)
	// affineAdd: dst += a*x + b*y + c.
	affineAdd func(dst, x, y []float32, segments, stride, length int, a, b, c float32)
	// sumSegments: the sum of x.
	sumSegments func(x []float32, segments, stride, length int) float32
	// sumSquares: the sum of (x-center)^2.
	sumSquares func(x []float32, segments, stride, length int, center float32) float32
	// sumProducts: the sum of x, and that of x*(y-center).
	sumProducts func(x, y []float32, segments, stride, length int, center float32) (sum, product float32)
}

var portableVector = vectorKernels{
	operations:        portableOperations,
	rowKernels:        portableRowKernels,
	shuffleKernels:    portableShuffles,
	mulAdd:            mulAddPortable,
	axpy:              axpyPortable,
	dot:               dotPortable,
	clamp:             clampPortable,
	clampBackward:     clampBackwardPortable,
	hardSigmoid:       hardSigmoidPortable,
	hardSwish:         hardSwishPortable,
	hardSwishBackward: hardSwishBackwardPortable,
	affine:            affinePortable,
	affineAdd:         affineAddPortable,
	sumSegments:       sumSegmentsPortable,
	sumSquares:        sumSquaresPortable,
	sumProducts:       sumProductsPortable,
}

var vector = portableVector

// setVectorKernels makes the vector functions use the instructions in.
func setVectorKernels(in instructions) {
	vector = vectorImplementation(in.base)
}

func checkLength(function, operand string, got, want int) {
	if got < want {
		panicLength(function, operand, got, want)
	}
}

func panicLength(function, operand string, got, want int) {
	panic(fmt.Sprintf("kernels: %s: %s has %d elements, want at least %d", function, operand, got, want))
}

// Add sets dst[i] = a[i] + b[i] for every i < len(dst). The slices may be the same.
func Add(dst, a, b []float32) {
	checkLength("Add", "a", len(a), len(dst))
	checkLength("Add", "b", len(b), len(dst))
	apply1(OpAdd, dst, a, b)
}

// Mul sets dst[i] = a[i] * b[i] for every i < len(dst). The slices may be the same.
func Mul(dst, a, b []float32) {
	checkLength("Mul", "a", len(a), len(dst))
	checkLength("Mul", "b", len(b), len(dst))
	apply1(OpMul, dst, a, b)
}

// MulAdd adds a[i] * b[i] to dst[i] for every i < len(dst).
func MulAdd(dst, a, b []float32) {
	checkLength("MulAdd", "a", len(a), len(dst))
	checkLength("MulAdd", "b", len(b), len(dst))
	vector.mulAdd(dst, a, b)
}

// Axpy adds alpha*x[i] to y[i] for every i < len(x).
func Axpy(alpha float32, x, y []float32) {
	checkLength("Axpy", "y", len(y), len(x))
	vector.axpy(alpha, x, y)
}

// Scale multiplies every element of x by alpha.
func Scale(alpha float32, x []float32) {
	vector.affine(x, x, 1, len(x), len(x), alpha, 0)
}

// Sum returns the sum of x.
func Sum(x []float32) float32 { return vector.sumSegments(x, 1, len(x), len(x)) }

// Dot returns the sum of a[i] * b[i] over i < len(a).
func Dot(a, b []float32) float32 {
	checkLength("Dot", "b", len(b), len(a))
	return vector.dot(a, b)
}

// BiasGradient adds to dbias[k] the sum of channel k of ddst over the batch
// and the plane. ddst is [n, c, hw]. dbias may be shorter than c: the leading
// channels alone are then worked on, so that callers can share out ranges of
// channels as dbias[from:to] with ddst[from*hw:].
func BiasGradient(n, c, hw int, dbias, ddst []float32) {
	checkPlanes("BiasGradient", "ddst", n, c, hw, len(dbias), ddst)
	for from := 0; from < len(dbias); from += channelBlock {
		var sums [channelBlock]float64
		pieces(n, c, hw, from, len(dbias), func(k, start, segments, length int) {
			sums[k] += float64(vector.sumSegments(ddst[start:], segments, c*hw, length))
		})
		for k := from; k < min(from+channelBlock, len(dbias)); k++ {
			dbias[k] += float32(sums[k-from])
		}
	}
}

// ScaleChannels multiplies each plane of src [n, c, hw] by its factor in
// scale [n, c]. dst and src may be the same slice.
func ScaleChannels(n, c, hw int, dst, src, scale []float32) {
	checkLength("ScaleChannels", "dst", len(dst), n*c*hw)
	checkLength("ScaleChannels", "src", len(src), n*c*hw)
	checkLength("ScaleChannels", "scale", len(scale), n*c)
	for i, factor := range scale[:n*c] {
		vector.affine(dst[i*hw:(i+1)*hw], src[i*hw:(i+1)*hw], 1, hw, hw, factor, 0)
	}
}

// ScaleChannelsBackward adds the gradients of ScaleChannels to dsrc [n, c, hw]
// and dscale [n, c].
func ScaleChannelsBackward(n, c, hw int, dsrc, dscale, ddst, src, scale []float32) {
	checkLength("ScaleChannelsBackward", "dsrc", len(dsrc), n*c*hw)
	checkLength("ScaleChannelsBackward", "dscale", len(dscale), n*c)
	checkLength("ScaleChannelsBackward", "ddst", len(ddst), n*c*hw)
	checkLength("ScaleChannelsBackward", "src", len(src), n*c*hw)
	checkLength("ScaleChannelsBackward", "scale", len(scale), n*c)
	for i, factor := range scale[:n*c] {
		g := ddst[i*hw : (i+1)*hw]
		vector.axpy(factor, g, dsrc[i*hw:(i+1)*hw])
		dscale[i] += vector.dot(g, src[i*hw:(i+1)*hw])
	}
}

func addPortable(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func mulAddPortable(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] += a[i] * b[i]
	}
}

func axpyPortable(alpha float32, x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += alpha * v
	}
}

// sumPortable keeps four partial sums: faster, and closer to the vector forms.
func sumPortable(x []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(x) >= 4 {
		s0 += x[0]
		s1 += x[1]
		s2 += x[2]
		s3 += x[3]
		x = x[4:]
	}
	for _, v := range x {
		s0 += v
	}
	return (s0 + s1) + (s2 + s3)
}

func dotPortable(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func affinePortable(dst, src []float32, segments, stride, length int, a, b float32) {
	for s := range segments {
		x := src[s*stride:][:length]
		y := dst[s*stride:][:length]
		for i, v := range x {
			y[i] = a*v + b
		}
	}
}

func affineAddPortable(dst, x, y []float32, segments, stride, length int, a, b, c float32) {
	for s := range segments {
		u := x[s*stride:][:length]
		v := y[s*stride:][:length]
		d := dst[s*stride:][:length]
		for i := range d {
			d[i] += a*u[i] + (b*v[i] + c)
		}
	}
}

func sumSegmentsPortable(x []float32, segments, stride, length int) float32 {
	var sum float32
	for s := range segments {
		sum += sumPortable(x[s*stride:][:length])
	}
	return sum
}

func sumSquaresPortable(x []float32, segments, stride, length int, center float32) float32 {
	var s0, s1 float32
	for s := range segments {
		v := x[s*stride:][:length]
		for len(v) >= 2 {
			d0, d1 := v[0]-center, v[1]-center
			s0 += d0 * d0
			s1 += d1 * d1
			v = v[2:]
		}
		if len(v) > 0 {
			s0 += (v[0] - center) * (v[0] - center)
		}
	}
	return s0 + s1
}

func sumProductsPortable(x, y []float32, segments, stride, length int, center float32) (sum, product float32) {
	for s := range segments {
		u := x[s*stride:][:length]
		v := y[s*stride:][:length]
		for i := range u {
			sum += u[i]
			product += u[i] * (v[i] - center)
		}
	}
	return sum, product
}
