package operator

import (
	"fmt"
	"math"
)

func init() {
	define("ConstantOfShape", definition{least: 1, most: 1, outputs: 1, infer: inferConstantOfShape, run: runConstantOfShape, exact: true})
	define("Range", definition{least: 3, most: 3, outputs: 1, infer: inferRange, run: runRange})
	define("EyeLike", definition{least: 1, most: 1, outputs: 1, infer: inferEyeLike, run: runEyeLike, exact: true})
	define("OneHot", definition{least: 3, most: 3, outputs: 1, infer: inferOneHot, run: runOneHot, exact: true})
	define("NonZero", definition{least: 1, most: 1, outputs: 1, infer: inferNonZero, run: runNonZero, exact: true})
}

// fillValue is attribute "value", by default zero in single precision.
func (c *Call) fillValue() (*Tensor, error) {
	v, err := c.Attributes.Tensor("value")
	if v == nil || err != nil {
		return New(F32), err
	}
	if err := v.Check(); err != nil {
		return nil, fmt.Errorf("attribute \"value\": %w", err)
	}
	if Elements(v.Shape) != 1 {
		return nil, fmt.Errorf("attribute \"value\" is of shape %v, want one element", v.Shape)
	}
	return v, nil
}

func inferConstantOfShape(c *Call) ([]Type, error) {
	v, err := c.fillValue()
	if err := firstError(err, c.wantType(0, I32, I64), c.wantRank(0, 1, 1)); err != nil {
		return nil, err
	}
	shape, err := c.ints(0)
	if err != nil {
		return nil, err
	}
	return []Type{{v.DType, shape}}, nil
}

func runConstantOfShape(c *Call, out []*Tensor) error {
	v, err := c.fillValue()
	if err != nil {
		return err
	}
	between(out[0], v).set(0, 0, Elements(out[0].Shape))
	return nil
}

func inferRange(c *Call) ([]Type, error) {
	if err := firstError(c.wantNumbers(0, 1, 2), c.wantScalar(0), c.wantScalar(1), c.wantScalar(2)); err != nil {
		return nil, err
	}
	for i, t := range c.In {
		if t.Data == nil {
			return nil, &NotConstantError{i}
		}
	}
	var n int
	var err error
	if isInteger(c.In[0].DType) && c.In[0].DType != U64 {
		var v [3]int64
		for i, t := range c.In {
			list, _ := t.Ints()
			v[i] = list[0]
		}
		n, err = countWhole(v[0], v[1], v[2])
	} else {
		var v [3]float64
		for i, t := range c.In {
			v[i] = float64s(t)[0]
		}
		n, err = countFloat(v[0], v[1], v[2])
	}
	return []Type{{c.In[0].DType, []int{n}}}, err
}

func countWhole(start, limit, delta int64) (int, error) {
	distance, step := uint64(limit)-uint64(start), uint64(delta)
	switch {
	case delta == 0:
		return 0, fmt.Errorf("the step of the range is 0")
	case delta > 0 && limit <= start || delta < 0 && limit >= start:
		return 0, nil
	case delta < 0:
		distance, step = -distance, -step
	}
	return int(min((distance-1)/step+1, MaxDim+1)), nil
}

func countFloat(start, limit, delta float64) (int, error) {
	n := math.Ceil((limit - start) / delta)
	if delta == 0 || n != n {
		return 0, fmt.Errorf("range from %g to %g has a step of %g", start, limit, delta)
	}
	return int(max(0, min(n, MaxDim+1))), nil
}

func runRange(c *Call, out []*Tensor) error {
	numericOf(c.In[0].DType).series(out[0].Data, c.In[0].Data, c.In[2].Data)
	return nil
}

func (numbers[T]) series(to, start, step any) {
	first, delta := start.([]T)[0], step.([]T)[0]
	y := to.([]T)
	for i := range y {
		y[i] = first + T(i)*delta
	}
}

func inferEyeLike(c *Call) ([]Type, error) {
	d, err := c.dataType("dtype", c.In[0].DType)
	_, err2 := c.Attributes.Int("k", 0)
	return []Type{{d, c.In[0].Shape}}, firstError(err, err2, c.wantRank(0, 2, 2))
}

func runEyeLike(c *Call, out []*Tensor) error {
	k, err := c.Attributes.Int("k", 0)
	if err != nil {
		return err
	}
	y, truth := out[0], New(Bool)
	truth.Data.([]bool)[0] = true
	one := New(y.DType)
	cast(one, truth)
	move := between(y, one)
	move.zero(0, Elements(y.Shape))
	for i := range y.Shape[0] {
		if j := i + k; j >= 0 && j < y.Shape[1] {
			move.copy(i*y.Shape[1]+j, 0, 1)
		}
	}
	return nil
}

// oneHotAxis is where the new dimension stands.
func (c *Call) oneHotAxis() (int, error) {
	a, err := c.Attributes.Int("axis", -1)
	if err != nil {
		return 0, err
	}
	return axis(a, len(c.In[0].Shape)+1)
}

func inferOneHot(c *Call) ([]Type, error) {
	a, err := c.oneHotAxis()
	if err := firstError(err, c.wantScalar(1), c.wantShape(2, 2)); err != nil {
		return nil, err
	}
	for i, t := range c.In[:2] {
		if t.DType == Bool {
			return nil, fmt.Errorf("input %d is of type %s, want numbers", i, t.DType)
		}
	}
	depth := c.In[1]
	if depth.Data == nil {
		return nil, &NotConstantError{1}
	}
	n := New(I64, depth.Shape...)
	cast(n, depth)
	size, _ := (&Call{In: []*Tensor{n}}).ints(0)
	if size[0] < 0 {
		return nil, fmt.Errorf("depth %d is negative", size[0])
	}
	shape := append(append(append([]int{}, c.In[0].Shape[:a]...), size[0]), c.In[0].Shape[a:]...)
	return []Type{{c.In[2].DType, shape}}, nil
}

func runOneHot(c *Call, out []*Tensor) error {
	a, err := c.oneHotAxis()
	if err != nil {
		return err
	}
	y := out[0]
	indices := New(I64, c.In[0].Shape...)
	cast(indices, c.In[0])
	outer, depth, inner := split3(y.Shape, a)
	move := between(y, c.In[2])
	move.set(0, 0, Elements(y.Shape))
	for i, v := range indices.Data.([]int64)[:outer*inner] {
		if v < 0 {
			v += int64(depth)
		}
		if v >= 0 && v < int64(depth) {
			move.copy((i/inner*depth+int(v))*inner+i%inner, 1, 1)
		}
	}
	return nil
}

// nonZero is which elements of input 0 are not zero.
func (c *Call) nonZero() ([]bool, int, error) {
	x := c.In[0]
	if x.Data == nil {
		return nil, 0, &NotConstantError{0}
	}
	y := New(Bool, x.Shape...)
	cast(y, x)
	count := 0
	for _, v := range y.Data.([]bool) {
		if v {
			count++
		}
	}
	return y.Data.([]bool), count, nil
}

func inferNonZero(c *Call) ([]Type, error) {
	_, count, err := c.nonZero()
	return []Type{{I64, []int{len(c.In[0].Shape), count}}}, err
}

func runNonZero(c *Call, out []*Tensor) error {
	which, count, err := c.nonZero()
	if err != nil {
		return err
	}
	y, column := out[0].Data.([]int64), 0
	s := strides(c.In[0].Shape)
	for i, v := range which {
		if !v {
			continue
		}
		for d, step := range s {
			y[d*count+column] = int64(i / step % c.In[0].Shape[d])
		}
		column++
	}
	return nil
}
