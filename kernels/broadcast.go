package kernels

import (
	"fmt"
	"math"
	"slices"
)

// maxRank is the largest number of dimensions of an array.
const maxRank = 8

// partElements is the least number of elements that are worth handing to
// another thread, which spins while it waits.
const partElements = 1 << 14

// broadcastJob is one call of Broadcast: the operands with as few dimensions
// as describe them, of which the last is a row.
type broadcastJob struct {
	op           Operation
	form         operationForm
	dims         int
	size         [maxRank]int
	aStep, bStep [maxRank]int // elements from one index to the next
	dst, a, b    []float32
	chunk        int // rows of a part, elements if there is one row
}

// Broadcast sets dst of the given shape to op of a and b, whose shapes agree
// with the last dimensions of dst's or are 1 there, as in NumPy. Operations of
// one operand ignore b and bShape. a or b may be dst where its shape is dst's.
// Arrays have up to 8 dimensions.
func Broadcast(ws *Workspace, op Operation, dst []float32, shape []int, a []float32, aShape []int, b []float32, bShape []int) {
	j := &ws.broadcast
	*j = broadcastJob{op: op, dst: dst, a: a, b: b}
	if op <= OpSqrt {
		j.op, j.b, b, bShape = OpCopy, a, a, aShape
	}
	n := j.collapse(shape, aShape, bShape)
	checkLength("Broadcast", "dst", len(dst), n)
	checkLength("Broadcast", "a", len(a), volume(aShape))
	checkLength("Broadcast", "b", len(b), volume(bShape))
	if n == 0 {
		return
	}
	inner := j.dims - 1
	switch {
	case j.aStep[inner] == 0:
		j.form = scalarVector
	case j.bStep[inner] == 0:
		j.form = vectorScalar
	}
	row := j.size[inner]
	if j.dims == 1 {
		j.chunk = partElements
		parallel((n+j.chunk-1)/j.chunk, j)
	} else {
		j.chunk = max(partElements/row, 1)
		parallel((n/row+j.chunk-1)/j.chunk, j)
	}
	j.dst, j.a, j.b = nil, nil, nil
	if op == OpAbs || op == OpSqrt {
		apply1(op, dst[:n], dst, dst)
	}
}

// panicShapes formats copies, so that the slices of callers do not escape.
func panicShapes(function string, shape, aShape, bShape []int) {
	panic(fmt.Sprintf("kernels: %s: %v and %v do not give %v", function, slices.Clone(aShape), slices.Clone(bShape), slices.Clone(shape)))
}

// volume is the number of elements of an array.
func volume(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// collapse finds the dimensions and returns the number of elements.
func (j *broadcastJob) collapse(shape, aShape, bShape []int) int {
	if len(shape) > maxRank || len(aShape) > len(shape) || len(bShape) > len(shape) {
		panicShapes("Broadcast", shape, aShape, bShape)
	}
	var size, aStep, bStep [maxRank]int // innermost first
	n, aSize, bSize, dims := 1, 1, 1, 0
	for i := range shape {
		s := shape[len(shape)-1-i]
		x, y := 1, 1
		if i < len(aShape) {
			x = aShape[len(aShape)-1-i]
		}
		if i < len(bShape) {
			y = bShape[len(bShape)-1-i]
		}
		if x != s && x != 1 || y != s && y != 1 {
			panicShapes("Broadcast", shape, aShape, bShape)
		}
		u, v := aSize, bSize
		if x != s {
			u = 0
		}
		if y != s {
			v = 0
		}
		n *= s
		aSize *= x
		bSize *= y
		if s == 1 {
			continue
		}
		if dims > 0 && u == aStep[dims-1]*size[dims-1] && v == bStep[dims-1]*size[dims-1] {
			size[dims-1] *= s
			continue
		}
		size[dims], aStep[dims], bStep[dims] = s, u, v
		dims++
	}
	if dims == 0 {
		size[0], aStep[0], bStep[0], dims = 1, 1, 1, 1
	}
	for i := range dims {
		j.size[i], j.aStep[i], j.bStep[i] = size[dims-1-i], aStep[dims-1-i], bStep[dims-1-i]
	}
	j.dims = dims
	if n > 0 && aStep[0] == 0 && bStep[0] == 0 && j.op > OpSqrt {
		panicShapes("Broadcast", shape, aShape, bShape)
	}
	return n
}

func (j *broadcastJob) part(i, _ int) {
	inner := j.dims - 1
	n := j.size[inner]
	if j.dims == 1 {
		from, to := i*j.chunk, min((i+1)*j.chunk, n)
		vector.operations.apply(j.op, j.form, &j.dst[from], &j.a[from*j.aStep[0]], &j.b[from*j.bStep[0]], 1, to-from, 0, 0, 0)
		return
	}
	rows := j.size[inner-1]
	last := min((i+1)*j.chunk, volume(j.size[:inner]))
	for r := i * j.chunk; r < last; {
		first := r % rows
		count := min(rows-first, last-r)
		a, b := first*j.aStep[inner-1], first*j.bStep[inner-1]
		rest := r / rows
		for d := inner - 2; d >= 0; d-- {
			at := rest % j.size[d]
			rest /= j.size[d]
			a += at * j.aStep[d]
			b += at * j.bStep[d]
		}
		vector.operations.apply(j.op, j.form, &j.dst[r*n], &j.a[a], &j.b[b], count, n, n*4, j.aStep[inner-1]*4, j.bStep[inner-1]*4)
		r += count
	}
}

var (
	one      = [1]float32{1}
	minusOne = [1]float32{-1}
)

// Neg sets dst[i] = -src[i] for every i < len(dst). The slices may be the same.
func Neg(dst, src []float32) {
	checkLength("Neg", "src", len(src), len(dst))
	if n := len(dst); n > 0 {
		vector.operations.apply(OpMul, vectorScalar, &dst[0], &src[0], &minusOne[0], 1, n, 0, 0, 0)
	}
}

// Reciprocal sets dst[i] = 1/src[i] for every i < len(dst). The slices may be
// the same.
func Reciprocal(dst, src []float32) {
	checkLength("Reciprocal", "src", len(src), len(dst))
	if n := len(dst); n > 0 {
		vector.operations.apply(OpDiv, scalarVector, &dst[0], &one[0], &src[0], 1, n, 0, 0, 0)
	}
}

// Abs sets dst[i] = |src[i]| for every i < len(dst). The slices may be the same.
func Abs(dst, src []float32) {
	checkLength("Abs", "src", len(src), len(dst))
	apply1(OpAbs, dst, src, src)
}

// Sqrt sets dst[i] to the square root of src[i] for every i < len(dst). The
// slices may be the same.
func Sqrt(dst, src []float32) {
	checkLength("Sqrt", "src", len(src), len(dst))
	apply1(OpSqrt, dst, src, src)
}

// Clip sets dst[i] = min(max(src[i], low), high) for every i < len(dst). The
// slices may be the same.
func Clip(dst, src []float32, low, high float32) {
	checkLength("Clip", "src", len(src), len(dst))
	vector.clamp(dst, src, low, high)
}

// Pow sets dst[i] = src[i]^exponent for every i < len(dst). The slices may be
// the same. Powers 0.5, -1, 1, 2 and 3 are vectorised.
func Pow(dst, src []float32, exponent float32) {
	checkLength("Pow", "src", len(src), len(dst))
	switch exponent {
	case 0.5:
		apply1(OpSqrt, dst, src, src)
	case -1:
		Reciprocal(dst, src)
	case 1:
		apply1(OpCopy, dst, src, src)
	case 2:
		apply1(OpMul, dst, src, src)
	case 3:
		for i := 0; i < len(dst); i += reductionBlock {
			d, s := dst[i:min(i+reductionBlock, len(dst))], src[i:]
			if &d[0] == &s[0] {
				for k, x := range d {
					d[k] = x * x * x
				}
				continue
			}
			apply1(OpMul, d, s, s)
			apply1(OpMul, d, d, s)
		}
	default:
		for i := range dst {
			dst[i] = float32(math.Pow(float64(src[i]), float64(exponent)))
		}
	}
}
