package operator

import (
	"fmt"
	"math"
	"reflect"
)

// DType is the element type of a tensor.
type DType string

// Element types. A Tensor's Data is a slice of the Go type named beside.
const (
	F32  DType = "f32"  // float32
	F64  DType = "f64"  // float64
	F16  DType = "f16"  // uint16, the bits of IEEE 754 binary16
	BF16 DType = "bf16" // uint16, the upper bits of a binary32
	I8   DType = "i8"   // int8
	I16  DType = "i16"  // int16
	I32  DType = "i32"  // int32
	I64  DType = "i64"  // int64
	U8   DType = "u8"   // uint8
	U16  DType = "u16"  // uint16
	U32  DType = "u32"  // uint32
	U64  DType = "u64"  // uint64
	Bool DType = "bool" // bool
)

// Size is the number of bytes of one element, 0 for an unknown type.
func (d DType) Size() int64 {
	switch d {
	case I8, U8, Bool:
		return 1
	case F16, BF16, I16, U16:
		return 2
	case F32, I32, U32:
		return 4
	case F64, I64, U64:
		return 8
	}
	return 0
}

// IsFloat reports whether d is a floating-point type.
func (d DType) IsFloat() bool { return d == F32 || d == F64 || d.IsHalf() }

// IsHalf reports whether d is a floating-point type of 16 bits.
func (d DType) IsHalf() bool { return d == F16 || d == BF16 }

// Limits of one tensor, so that arithmetic on sizes cannot overflow, on 32-bit
// machines either.
const (
	MaxDim      = 1 << 24
	MaxElements = math.MaxInt32
)

// Tensor is elements with a type and a shape, row major. A shape without
// dimensions is one element; a dimension of 0 makes a tensor without any.
type Tensor struct {
	DType DType
	Shape []int
	Data  any // a slice of the Go type that belongs to DType
}

// New is a tensor of zeros.
func New(d DType, shape ...int) *Tensor {
	return &Tensor{DType: d, Shape: shape, Data: Make(d, Elements(shape))}
}

// Make is n zeros of the Go type of d; nil for an unknown type.
func Make(d DType, n int) any {
	switch d {
	case F32:
		return make([]float32, n)
	case F64:
		return make([]float64, n)
	case F16, BF16, U16:
		return make([]uint16, n)
	case I8:
		return make([]int8, n)
	case I16:
		return make([]int16, n)
	case I32:
		return make([]int32, n)
	case I64:
		return make([]int64, n)
	case U8:
		return make([]uint8, n)
	case U32:
		return make([]uint32, n)
	case U64:
		return make([]uint64, n)
	case Bool:
		return make([]bool, n)
	}
	return nil
}

// Elements is the number of elements of a shape.
func Elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// CheckShape reports a dimension that is negative or too large, or more
// elements than a tensor may have.
func CheckShape(shape []int) error {
	n := int64(1)
	for i, d := range shape {
		if d < 0 || d > MaxDim {
			return fmt.Errorf("dimension %d of %v is outside 0..%d", i, shape, MaxDim)
		}
		if n *= int64(d); n > MaxElements {
			return fmt.Errorf("%v is more than %d elements", shape, MaxElements)
		}
	}
	return nil
}

// Check reports data that is not of the tensor's type, or does not fit its
// shape.
func (t *Tensor) Check() error {
	if err := CheckShape(t.Shape); err != nil {
		return err
	}
	want, data := reflect.TypeOf(Make(t.DType, 0)), reflect.ValueOf(t.Data)
	if want == nil || !data.IsValid() || data.Type() != want {
		return fmt.Errorf("data is a %T, which elements of type %s are not", t.Data, t.DType)
	}
	if n := data.Len(); n != Elements(t.Shape) {
		return fmt.Errorf("%d elements of data for shape %v", n, t.Shape)
	}
	return nil
}

// number is the Go types that operators compute with.
type number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Ints are the elements of an integer or boolean tensor as numbers; false for
// other types.
func (t *Tensor) Ints() ([]int64, bool) {
	switch x := t.Data.(type) {
	case []int64:
		return x, true
	case []int32:
		return convert[int64](x), true
	case []int16:
		return convert[int64](x), true
	case []int8:
		return convert[int64](x), true
	case []uint8:
		return convert[int64](x), true
	case []uint16:
		if t.DType != U16 {
			return nil, false
		}
		return convert[int64](x), true
	case []uint32:
		return convert[int64](x), true
	case []uint64:
		return convert[int64](x), true
	case []bool:
		y := make([]int64, len(x))
		for i, v := range x {
			if v {
				y[i] = 1
			}
		}
		return y, true
	}
	return nil, false
}

// Floats are the elements of a floating-point tensor in single precision;
// false for other types. Those of an F32 tensor are not copied.
func (t *Tensor) Floats() ([]float32, bool) {
	switch x := t.Data.(type) {
	case []float32:
		return x, true
	case []float64:
		return convert[float32](x), true
	case []uint16:
		if t.DType.IsHalf() {
			return widen(t.DType, x), true
		}
	}
	return nil, false
}

func convert[To, From number](x []From) []To {
	y := make([]To, len(x))
	for i, v := range x {
		y[i] = To(v)
	}
	return y
}
