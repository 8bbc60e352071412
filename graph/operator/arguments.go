package operator

import (
	"fmt"
	"slices"
)

// wantFloat checks that the inputs listed, where given, are of the same
// floating-point type.
func (c *Call) wantFloat(inputs ...int) error {
	for _, i := range inputs {
		if c.has(i) && !c.In[i].DType.IsFloat() {
			return fmt.Errorf("input %d is of type %s, want a floating-point type", i, c.In[i].DType)
		}
	}
	return c.wantSame(inputs...)
}

// wantSame checks that the inputs listed, where given, are of one type.
func (c *Call) wantSame(inputs ...int) error {
	first := -1
	for _, i := range inputs {
		if !c.has(i) {
			continue
		}
		if first < 0 {
			first = i
		}
		if c.In[i].DType != c.In[first].DType {
			return fmt.Errorf("input %d is of type %s, want %s as input %d is", i, c.In[i].DType, c.In[first].DType, first)
		}
	}
	return nil
}

// wantType checks that input i, where given, is of one of the types.
func (c *Call) wantType(i int, types ...DType) error {
	if c.has(i) && !slices.Contains(types, c.In[i].DType) {
		return fmt.Errorf("input %d is of type %s, want one of %v", i, c.In[i].DType, types)
	}
	return nil
}

// wantShape checks that input i, where given, has that shape.
func (c *Call) wantShape(i int, shape ...int) error {
	if c.has(i) && !slices.Equal(c.In[i].Shape, shape) {
		return fmt.Errorf("input %d is of shape %v, want %v", i, c.In[i].Shape, shape)
	}
	return nil
}

// wantRank checks that input i, where given, has from least to most dimensions.
func (c *Call) wantRank(i, least, most int) error {
	if !c.has(i) {
		return nil
	}
	if n := len(c.In[i].Shape); n < least || n > most {
		if least == most {
			return fmt.Errorf("input %d is of shape %v, want %d dimensions", i, c.In[i].Shape, least)
		}
		return fmt.Errorf("input %d is of shape %v, want %d to %d dimensions", i, c.In[i].Shape, least, most)
	}
	return nil
}

// wantScalar checks that input i, where given, has one element.
func (c *Call) wantScalar(i int) error {
	if c.has(i) && (Elements(c.In[i].Shape) != 1 || len(c.In[i].Shape) > 1) {
		return fmt.Errorf("input %d is of shape %v, want one element", i, c.In[i].Shape)
	}
	return nil
}

// firstError is the first of errs that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// input is input i, nil where it is left out.
func (c *Call) input(i int) *Tensor {
	if !c.has(i) {
		return nil
	}
	return c.In[i]
}

// types gives the first c.Outputs of list.
func (c *Call) types(list ...Type) ([]Type, error) {
	if c.Outputs > len(list) {
		return nil, fmt.Errorf("%d outputs are listed, of which there are %d", c.Outputs, len(list))
	}
	return list[:c.Outputs], nil
}

// float64s are the elements of a tensor in double precision; nil of nil. They
// may be the tensor's own.
func float64s(t *Tensor) []float64 {
	if t == nil {
		return nil
	}
	switch x := t.Data.(type) {
	case []float64:
		return x
	case []float32:
		return convert[float64](x)
	case []uint16:
		if t.DType.IsHalf() {
			return convert[float64](widen(t.DType, x))
		}
	}
	v, _ := t.Ints()
	return convert[float64](v)
}

// setFloat64s rounds v to the elements of t; whole numbers are cut off towards
// zero and saturated. It does nothing where t is nil.
func setFloat64s(t *Tensor, v []float64) {
	if t == nil {
		return
	}
	switch x := t.Data.(type) {
	case []float64:
		copy(x, v)
	case []float32:
		for i, f := range v {
			x[i] = float32(f)
		}
	case []uint16:
		if t.DType.IsHalf() {
			for i, f := range v {
				x[i] = ToHalf(t.DType, float32(f))
			}
			return
		}
		setSaturated(x, v, 0, 1<<16-1)
	case []int8:
		setSaturated(x, v, -1<<7, 1<<7-1)
	case []int16:
		setSaturated(x, v, -1<<15, 1<<15-1)
	case []int32:
		setSaturated(x, v, -1<<31, 1<<31-1)
	case []int64:
		setSaturated(x, v, -1<<63, 1<<63-1024)
	case []uint8:
		setSaturated(x, v, 0, 1<<8-1)
	case []uint32:
		setSaturated(x, v, 0, 1<<32-1)
	case []uint64:
		setSaturated(x, v, 0, 1<<64-2048)
	case []bool:
		for i, f := range v {
			x[i] = f != 0
		}
	}
}

func setSaturated[T number](dst []T, v []float64, least, most float64) {
	for i, f := range v {
		if f != f {
			f = 0
		}
		dst[i] = T(max(least, min(most, f)))
	}
}

// int32s are the elements of an integer tensor of up to 32 bits.
func int32s(t *Tensor) []int32 {
	switch x := t.Data.(type) {
	case []int8:
		return convert[int32](x)
	case []uint8:
		return convert[int32](x)
	case []int16:
		return convert[int32](x)
	case []uint16:
		return convert[int32](x)
	case []int32:
		return x
	}
	v, _ := t.Ints()
	return convert[int32](v)
}
