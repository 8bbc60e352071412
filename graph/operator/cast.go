package operator

import (
	"fmt"
	"math"
)

func init() {
	define("Cast", definition{least: 1, most: 1, outputs: 1, infer: inferCast, run: runCast, exact: true})
	define("CastLike", definition{least: 2, most: 2, outputs: 1, infer: inferCastLike, run: runCast, exact: true})
	define("BitCast", definition{least: 1, most: 1, outputs: 1, infer: inferBitCast, run: runBitCast, exact: true})
}

// dataTypes are the element types by their number in the ONNX format.
var dataTypes = map[int]DType{
	1: F32, 2: U8, 3: I8, 4: U16, 5: I16, 6: I32, 7: I64, 9: Bool, 10: F16, 11: F64, 12: U32, 13: U64, 16: BF16,
}

// dataType is the element type that an attribute names.
func (c *Call) dataType(name string, missing DType) (DType, error) {
	if _, ok := c.Attributes[name]; !ok && missing != "" {
		return missing, nil
	}
	n, err := c.Attributes.Int(name, 0)
	if err != nil {
		return "", err
	}
	d, ok := dataTypes[n]
	if !ok {
		return "", unsupportedf("attribute %q is element type %d, which tensors here cannot have", name, n)
	}
	return d, nil
}

func inferCast(c *Call) ([]Type, error) {
	to, err := c.dataType("to", "")
	return []Type{{to, c.In[0].Shape}}, err
}

func inferCastLike(c *Call) ([]Type, error) {
	return []Type{{c.In[1].DType, c.In[0].Shape}}, nil
}

func runCast(c *Call, out []*Tensor) error {
	cast(out[0], c.In[0])
	return nil
}

// cast converts the elements of a tensor. Floating-point numbers are cut off
// towards zero or rounded to nearest, whole numbers lose their upper bits.
func cast(to, from *Tensor) {
	switch x := from.Data.(type) {
	case []float32:
		castFrom(to, x)
	case []float64:
		castFrom(to, x)
	case []int8:
		castFrom(to, x)
	case []int16:
		castFrom(to, x)
	case []int32:
		castFrom(to, x)
	case []int64:
		castFrom(to, x)
	case []uint8:
		castFrom(to, x)
	case []uint16:
		switch {
		case to.DType == from.DType:
			copy(to.Data.([]uint16), x)
		case from.DType == U16:
			castFrom(to, x)
		default:
			castFrom(to, widen(from.DType, x))
		}
	case []uint32:
		castFrom(to, x)
	case []uint64:
		castFrom(to, x)
	case []bool:
		y := New(U8, from.Shape...)
		for i, v := range x {
			if v {
				y.Data.([]uint8)[i] = 1
			}
		}
		cast(to, y)
	}
}

func castFrom[T number](to *Tensor, x []T) {
	switch y := to.Data.(type) {
	case []float32:
		castTo(y, x)
	case []float64:
		castTo(y, x)
	case []int8:
		castTo(y, x)
	case []int16:
		castTo(y, x)
	case []int32:
		castTo(y, x)
	case []int64:
		castTo(y, x)
	case []uint8:
		castTo(y, x)
	case []uint16:
		if to.DType == U16 {
			castTo(y, x)
			return
		}
		for i, v := range x {
			y[i] = ToHalf(to.DType, roundToOdd(float64(v)))
		}
	case []uint32:
		castTo(y, x)
	case []uint64:
		castTo(y, x)
	case []bool:
		for i, v := range x {
			y[i] = v != 0
		}
	}
}

func castTo[To, From number](y []To, x []From) {
	if isFloat[From]() && !isFloat[To]() {
		// By way of int64, so that the upper bits are lost as those of whole
		// numbers are; what is outside that differs between machines.
		const most = 1 << 63
		for i, v := range x {
			if f := float64(v); f >= most {
				y[i] = To(uint64(f))
			} else {
				y[i] = To(int64(f))
			}
		}
		return
	}
	for i, v := range x {
		y[i] = To(v)
	}
}

// roundToOdd rounds to single precision so that rounding the result to fewer
// bits is as if x had been rounded at once.
func roundToOdd(x float64) float32 {
	f := float32(x)
	if d := float64(f); d == x || x != x || math.IsInf(d, 0) {
		return f
	}
	b := math.Float32bits(f)
	if b&1 != 0 {
		return f
	}
	if math.Abs(float64(f)) > math.Abs(x) {
		return math.Float32frombits(b - 1)
	}
	return math.Float32frombits(b + 1)
}

func inferBitCast(c *Call) ([]Type, error) {
	to, err := c.dataType("to", "")
	if err == nil && to.Size() != c.In[0].DType.Size() {
		err = fmt.Errorf("input is of type %s, whose elements are not as large as those of %s", c.In[0].DType, to)
	}
	return []Type{{to, c.In[0].Shape}}, err
}

// runBitCast goes by way of the bits of each element.
func runBitCast(c *Call, out []*Tensor) error {
	var word func(i int) uint64
	switch x := c.In[0].Data.(type) {
	case []float32:
		word = func(i int) uint64 { return uint64(math.Float32bits(x[i])) }
	case []float64:
		word = func(i int) uint64 { return math.Float64bits(x[i]) }
	default:
		y := New(I64, c.In[0].Shape...)
		whole := c.In[0]
		if isHalf(whole) {
			whole = &Tensor{U16, whole.Shape, whole.Data}
		}
		cast(y, whole)
		word = func(i int) uint64 { return uint64(y.Data.([]int64)[i]) }
	}
	n := Elements(out[0].Shape)
	switch y := out[0].Data.(type) {
	case []float32:
		for i := range y {
			y[i] = math.Float32frombits(uint32(word(i)))
		}
	case []float64:
		for i := range y {
			y[i] = math.Float64frombits(word(i))
		}
	default:
		x := New(U64, n)
		for i := range n {
			x.Data.([]uint64)[i] = word(i)
		}
		whole := *out[0]
		if isHalf(&whole) {
			whole.DType = U16
		}
		cast(&whole, x)
	}
	return nil
}
