package kernels

import (
	"math"
	"unsafe"
)

// Operation is an elementwise operation.
type Operation int

// The operations. The first three have one operand.
const (
	OpCopy Operation = iota
	OpAbs
	OpSqrt
	OpAdd
	OpSub
	OpMul
	OpDiv
	OpMax // NaN where either operand is one
	OpMin // the same
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
// are dstRow, aRow and bRow bytes apart.
type operationKernel func(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)

// operationKernels has the kernels of every operation. A form is nil where
// another does with the operands exchanged.
type operationKernels [operations][operationForms]operationKernel

// apply runs an operation: the form's kernel, or that of the operands
// exchanged.
func (k *operationKernels) apply(op Operation, form operationForm, dst, a, b *float32, rows, n, dstRow, aRow, bRow int) {
	if f := k[op][form]; f != nil {
		f(dst, a, b, rows, n, dstRow, aRow, bRow)
		return
	}
	k[op][vectorScalar](dst, b, a, rows, n, dstRow, bRow, aRow)
}

// apply1 sets n adjacent elements of dst to op of a and b.
func apply1(op Operation, dst, a, b []float32) {
	if n := len(dst); n > 0 {
		vector.operations[op][bothVectors](&dst[0], &a[0], &b[0], 1, n, 0, 0, 0)
	}
}

// fill sets every element of dst to *x.
func fill(dst []float32, x *float32) {
	if n := len(dst); n > 0 {
		vector.operations[OpCopy][scalarVector](&dst[0], x, nil, 1, n, 0, 0, 0)
	}
}

// of returns op of a and b.
func (op Operation) of(a, b float32) float32 {
	switch op {
	case OpCopy:
		return a
	case OpAbs:
		return math.Float32frombits(math.Float32bits(a) &^ (1 << 31))
	case OpSqrt:
		return sqrt(a)
	case OpAdd:
		return a + b
	case OpSub:
		return a - b
	case OpMul:
		return a * b
	case OpDiv:
		return a / b
	case OpMax:
		return larger(a, b)
	case OpMin:
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
			k[op][form] = func(dst, a, b *float32, rows, n, dstRow, aRow, bRow int) {
				operationPortable(op, form, dst, a, b, rows, n, dstRow, aRow, bRow)
			}
		}
	}
	return k
}()

// elements returns the n elements that begin bytes after p.
func elements(p *float32, bytes, n int) []float32 {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(p), bytes)), n)
}

// operationPortable is the Go twin of the kernels of operations.
func operationPortable(op Operation, form operationForm, dst, a, b *float32, rows, n, dstRow, aRow, bRow int) {
	for i := range rows {
		y := elements(dst, i*dstRow, n)
		switch {
		case op == OpCopy && form == bothVectors:
			copy(y, elements(a, i*aRow, n))
		case op <= OpSqrt && form == scalarVector:
			u := op.of(elements(a, i*aRow, 1)[0], 0)
			for j := range y {
				y[j] = u
			}
		case op <= OpSqrt:
			for j, u := range elements(a, i*aRow, n) {
				y[j] = op.of(u, 0)
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
			case OpAdd:
				addPortable(y, u, v)
			case OpMul:
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
