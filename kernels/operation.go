package kernels

import (
	"math"
	"unsafe"
)

// Operation is an elementwise operation.
type Operation int

// The operations. The first three have one operand.
const (
	Copy Operation = iota
	Abs
	Sqrt
	AddOp
	SubOp
	MulOp
	DivOp
	MaxOp // NaN where either operand is one
	MinOp // the same
	operations
)

// operationForm tells which operands of an operation are vectors; the others
// have one element for each row.
type operationForm int

const (
	bothVectors operationForm = iota
	vectorScalar
	scalarVector
	operationForms
)

// operationKernel is an operation in one form over rows of n elements. Rows
// are dstRow, aRow and bRow bytes apart. If stream is not 0 dst and dstRow are
// multiples of 64, and dst is written past the caches.
type operationKernel func(dst, a, b *float32, rows, n, dstRow, aRow, bRow, stream int)

// operationKernels has the kernels of every operation. A form is nil where
// another does with the operands exchanged.
type operationKernels [operations][operationForms]operationKernel

// apply runs an operation: the form's kernel, or that of the operands
// exchanged.
func (k *operationKernels) apply(op Operation, form operationForm, dst, a, b *float32, rows, n, dstRow, aRow, bRow, stream int) {
	if f := k[op][form]; f != nil {
		f(dst, a, b, rows, n, dstRow, aRow, bRow, stream)
		return
	}
	k[op][vectorScalar](dst, b, a, rows, n, dstRow, bRow, aRow, stream)
}

// streamBytes is the least size of a result that is written past the caches:
// beyond it the lines would be evicted before they are read again, and a
// cached store reads a line before it writes it.
const streamBytes = 16 << 20

// streaming reports whether a result of n elements at dst is to be written past
// the caches, as the argument of the kernels.
func streaming(dst *float32, n int) int {
	if n*4 >= streamBytes && uintptr(unsafe.Pointer(dst))%cacheLine == 0 {
		return 1
	}
	return 0
}

// apply1 sets n adjacent elements of dst to op of a and b.
func apply1(op Operation, dst, a, b []float32) {
	if n := len(dst); n > 0 {
		d := &dst[0]
		vector.operations[op][bothVectors](d, &a[0], &b[0], 1, n, 0, 0, 0, streaming(d, n))
	}
}

// fill sets every element of dst to *x.
func fill(dst []float32, x *float32) {
	if n := len(dst); n > 0 {
		vector.operations[Copy][scalarVector](&dst[0], x, nil, 1, n, 0, 0, 0, 0)
	}
}

// of returns op of a and b.
func (op Operation) of(a, b float32) float32 {
	switch op {
	case Copy:
		return a
	case Abs:
		return math.Float32frombits(math.Float32bits(a) &^ (1 << 31))
	case Sqrt:
		return sqrt(a)
	case AddOp:
		return a + b
	case SubOp:
		return a - b
	case MulOp:
		return a * b
	case DivOp:
		return a / b
	case MaxOp:
		return larger(a, b)
	case MinOp:
		return smaller(a, b)
	}
	panic("kernels: no such operation")
}

// larger returns the larger of a and b, NaN if either is one.
func larger(a, b float32) float32 {
	if a > b || a != a {
		return a
	}
	return b
}

// smaller returns the smaller of a and b, NaN if either is one.
func smaller(a, b float32) float32 {
	if a < b || a != a {
		return a
	}
	return b
}

// portableOperations are the operations in Go.
var portableOperations = func() (k operationKernels) {
	for op := range operations {
		for form := range operationForms {
			k[op][form] = func(dst, a, b *float32, rows, n, dstRow, aRow, bRow, _ int) {
				operationPortable(op, form, dst, a, b, rows, n, dstRow, aRow, bRow)
			}
		}
	}
	return k
}()

// elements returns the n elements that begin bytes after p.
func elements(p *float32, bytes, n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(p), bytes)), n)
}

// operationPortable is the Go twin of the kernels of operations.
func operationPortable(op Operation, form operationForm, dst, a, b *float32, rows, n, dstRow, aRow, bRow int) {
	for i := range rows {
		y := elements(dst, i*dstRow, n)
		switch {
		case op == Copy && form == bothVectors:
			copy(y, elements(a, i*aRow, n))
		case op <= Sqrt:
			aStep := 1
			if form == scalarVector {
				aStep = 0
			}
			for j := range y {
				y[j] = op.of(elements(a, i*aRow, n)[j*aStep], 0)
			}
		case form == vectorScalar:
			u, v := elements(a, i*aRow, n), elements(b, i*bRow, 1)[0]
			for j := range y {
				y[j] = op.of(u[j], v)
			}
		case form == scalarVector:
			u, v := elements(a, i*aRow, 1)[0], elements(b, i*bRow, n)
			for j := range y {
				y[j] = op.of(u, v[j])
			}
		default:
			u, v := elements(a, i*aRow, n), elements(b, i*bRow, n)
			switch op {
			case AddOp:
				addPortable(y, u, v)
			case MulOp:
				for j := range y {
					y[j] = u[j] * v[j]
				}
			default:
				for j := range y {
					y[j] = op.of(u[j], v[j])
				}
			}
		}
	}
}
