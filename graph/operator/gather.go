package operator

import (
	"fmt"
	"slices"
)

func init() {
	define("Gather", definition{least: 2, most: 2, outputs: 1, infer: inferGather, run: runGather, exact: true})
	define("GatherElements", definition{least: 2, most: 2, outputs: 1, infer: inferGatherElements, run: runGatherElements, exact: true})
	define("GatherND", definition{least: 2, most: 2, outputs: 1, infer: inferGatherND, run: runGatherND, exact: true})
	define("Compress", definition{least: 2, most: 2, outputs: 1, infer: inferCompress, run: runCompress, exact: true})
	// Scatter is the former name of ScatterElements. Half types are widened
	// because updates may be added.
	for _, name := range []string{"Scatter", "ScatterElements"} {
		define(name, definition{least: 3, most: 3, outputs: 1, infer: inferScatterElements, run: runScatterElements})
	}
	define("ScatterND", definition{least: 3, most: 3, outputs: 1, infer: inferScatterND, run: runScatterND})
}

// places are the elements of input i as indices of a dimension of n elements,
// of which negative ones count from the end.
func (c *Call) places(i, n int) ([]int64, error) {
	list, _ := c.In[i].Ints()
	for j, v := range list {
		if v < int64(-n) || v >= int64(n) {
			return nil, fmt.Errorf("input %d: index %d is outside a dimension of size %d", i, v, n)
		}
		if v < 0 {
			if c.In[i].DType == I64 && &list[0] == &c.In[i].Data.([]int64)[0] {
				list = slices.Clone(list)
			}
			list[j] = v + int64(n)
		}
	}
	return list, nil
}

func inferGather(c *Call) ([]Type, error) {
	x := c.In[0]
	a, err := c.axisAttribute(0)
	if err := firstError(err, c.wantType(1, I32, I64)); err != nil {
		return nil, err
	}
	shape := slices.Concat(x.Shape[:a], c.In[1].Shape, x.Shape[a+1:])
	return []Type{{x.DType, shape}}, nil
}

func runGather(c *Call, out []*Tensor) error {
	a, err := c.axisAttribute(0)
	if err != nil {
		return err
	}
	outer, n, inner := split3(c.In[0].Shape, a)
	places, err := c.places(1, n)
	if err != nil {
		return err
	}
	move, to := between(out[0], c.In[0]), 0
	for i := range outer {
		for _, p := range places {
			move.copy(to, (i*n+int(p))*inner, inner)
			to += inner
		}
	}
	return nil
}

// checkElementIndices checks that input 1 has the rank of input 0 and is no
// larger but along the axis.
func (c *Call) checkElementIndices() (int, error) {
	a, err := c.axisAttribute(0)
	if err := firstError(err, c.wantType(1, I32, I64)); err != nil {
		return 0, err
	}
	data, indices := c.In[0].Shape, c.In[1].Shape
	fits := len(data) == len(indices)
	for i := 0; fits && i < len(data); i++ {
		fits = i == a || indices[i] <= data[i]
	}
	if !fits {
		return 0, fmt.Errorf("indices of shape %v do not fit data of shape %v along axis %d", indices, data, a)
	}
	return a, nil
}

func inferGatherElements(c *Call) ([]Type, error) {
	_, err := c.checkElementIndices()
	return []Type{{c.In[0].DType, c.In[1].Shape}}, err
}

func runGatherElements(c *Call, out []*Tensor) error {
	w, indices, step, err := c.indexed()
	if err != nil {
		return err
	}
	between(out[0], c.In[0]).gather(w, indices, step)
	return nil
}

// indexed is a walk by input 1, which holds indices along the axis, and by
// input 0, in which they count steps from there.
func (c *Call) indexed() (w *walk, indices []int64, step int, err error) {
	a, err := c.axisAttribute(0)
	if err != nil {
		return nil, nil, 0, err
	}
	data, shape := c.In[0].Shape, c.In[1].Shape
	if indices, err = c.places(1, data[a]); err != nil {
		return nil, nil, 0, err
	}
	s := strides(data)
	step, s[a] = s[a], 0
	return newWalk(shape, strides(shape), s), indices, step, nil
}

// batchDims is the attribute, checked against data and indices of GatherND.
func (c *Call) batchDims() (int, error) {
	b, err := c.Attributes.Int("batch_dims", 0)
	data, indices := c.In[0], c.In[1]
	err = firstError(err, c.wantType(1, I32, I64), c.wantRank(0, 1, max(1, len(data.Shape))),
		c.wantRank(1, 1, max(1, len(indices.Shape))))
	if err != nil {
		return 0, err
	}
	last := len(indices.Shape) - 1
	if b < 0 || b > last || b > len(data.Shape) || !slices.Equal(data.Shape[:b], indices.Shape[:b]) {
		return 0, fmt.Errorf("data of shape %v and indices of shape %v do not have %d dimensions of batches in common", data.Shape, indices.Shape, b)
	}
	if indices.Shape[last] > len(data.Shape)-b {
		return 0, fmt.Errorf("indices of %d dimensions into data of shape %v with %d dimensions of batches", indices.Shape[last], data.Shape, b)
	}
	return b, nil
}

func inferGatherND(c *Call) ([]Type, error) {
	b, err := c.batchDims()
	if err != nil {
		return nil, err
	}
	data, indices := c.In[0].Shape, c.In[1].Shape
	last := len(indices) - 1
	return []Type{{c.In[0].DType, slices.Concat(indices[:last], data[b+indices[last]:])}}, nil
}

// tuples are where those of indices in input 1 point to in data of a
// shape, each tuple of the dimensions after the first b, and the number of
// elements there.
func (c *Call) tuples(data []int, b int) (places []int, size int, err error) {
	shape := c.In[1].Shape
	n := shape[len(shape)-1]
	list, _ := c.In[1].Ints()
	s := strides(data)
	size = Elements(data[b+n:])
	places = make([]int, Elements(shape[:len(shape)-1]))
	perBatch := Elements(shape[b : len(shape)-1])
	for i := range places {
		place := 0
		if b > 0 {
			place = i / perBatch * s[b-1]
		}
		for j := range n {
			v, d := list[i*n+j], data[b+j]
			if v < int64(-d) || v >= int64(d) {
				return nil, 0, fmt.Errorf("input 1: index %d is outside dimension %d of shape %v", v, b+j, data)
			}
			if v < 0 {
				v += int64(d)
			}
			place += int(v) * s[b+j]
		}
		places[i] = place
	}
	return places, size, nil
}

func runGatherND(c *Call, out []*Tensor) error {
	b, err := c.batchDims()
	if err != nil {
		return err
	}
	places, size, err := c.tuples(c.In[0].Shape, b)
	if err != nil {
		return err
	}
	move := between(out[0], c.In[0])
	for i, p := range places {
		move.copy(i*size, p, size)
	}
	return nil
}

// compressed is which indices along an axis Compress keeps, and the shape that
// input 0 is read as.
func (c *Call) compressed() (kept, shape []int, a int, err error) {
	shape = c.In[0].Shape
	if _, ok := c.Attributes["axis"]; ok {
		if a, err = c.axisAttribute(0); err != nil {
			return nil, nil, 0, err
		}
	} else {
		shape = []int{Elements(shape)}
	}
	if err := firstError(c.wantType(1, Bool), c.wantRank(1, 1, 1)); err != nil {
		return nil, nil, 0, err
	}
	condition, ok := c.In[1].Data.([]bool)
	if !ok {
		return nil, nil, 0, &NotConstantError{1}
	}
	for i, v := range condition {
		if v && i >= shape[a] {
			return nil, nil, 0, fmt.Errorf("input 1 selects index %d of a dimension of size %d", i, shape[a])
		}
		if v {
			kept = append(kept, i)
		}
	}
	return kept, shape, a, nil
}

func inferCompress(c *Call) ([]Type, error) {
	kept, shape, a, err := c.compressed()
	if err != nil {
		return nil, err
	}
	return []Type{{c.In[0].DType, with(shape, a, len(kept))}}, nil
}

func runCompress(c *Call, out []*Tensor) error {
	kept, shape, a, err := c.compressed()
	if err != nil {
		return err
	}
	outer, n, inner := split3(shape, a)
	move, to := between(out[0], c.In[0]), 0
	for i := range outer {
		for _, k := range kept {
			move.copy(to, (i*n+k)*inner, inner)
			to += inner
		}
	}
	return nil
}

// scatterReduction is the attribute: how an update changes an element.
func (c *Call) scatterReduction() (string, error) {
	f, err := c.Attributes.String("reduction", "none")
	if err == nil && !slices.Contains([]string{"none", "add", "mul", "max", "min"}, f) {
		err = fmt.Errorf("attribute \"reduction\" is %q, want none, add, mul, max or min", f)
	}
	if err == nil && f != "none" {
		err = c.wantNumbers(0, 2)
	}
	return f, firstError(err, c.wantSame(0, 2))
}

// scatter changes n elements of an output by those of input 2.
func (c *Call) scatter(out *Tensor) (func(to, from, n int), error) {
	f, err := c.scatterReduction()
	if err != nil {
		return nil, err
	}
	if err := runCopy(c, []*Tensor{out}); err != nil {
		return nil, err
	}
	if f == "none" {
		return between(out, c.In[2]).copy, nil
	}
	number := numericOf(out.DType)
	return func(to, from, n int) { number.scatter(f, out.Data, c.In[2].Data, to, from, n) }, nil
}

func (numbers[T]) scatter(f string, to, updates any, i, j, n int) {
	y, x := to.([]T)[i:i+n], updates.([]T)[j:j+n]
	switch f {
	case "add":
		for k, v := range x {
			y[k] += v
		}
	case "mul":
		for k, v := range x {
			y[k] *= v
		}
	case "max":
		for k, v := range x {
			y[k] = larger(y[k], v)
		}
	case "min":
		for k, v := range x {
			y[k] = smaller(y[k], v)
		}
	}
}

func inferScatterElements(c *Call) ([]Type, error) {
	_, err := c.scatterReduction()
	_, err2 := c.checkElementIndices()
	err = firstError(err, err2, c.wantShape(2, c.In[1].Shape...))
	return []Type{{c.In[0].DType, c.In[0].Shape}}, err
}

func runScatterElements(c *Call, out []*Tensor) error {
	w, indices, step, err := c.indexed()
	if err != nil {
		return err
	}
	f, err := c.scatterReduction()
	if err != nil {
		return err
	}
	if f == "none" {
		if err := runCopy(c, out); err != nil {
			return err
		}
		between(out[0], c.In[2]).scatter(w, indices, step)
		return nil
	}
	change, err := c.scatter(out[0])
	if err != nil || w.empty {
		return err
	}
	s := w.step(1)
	w.rows(func(n int, at []int) {
		for k := range n {
			i := at[0] + k
			change(at[1]+k*s+int(indices[i])*step, i, 1)
		}
	})
	return nil
}

func inferScatterND(c *Call) ([]Type, error) {
	_, err := c.scatterReduction()
	data, indices := c.In[0].Shape, c.In[1].Shape
	err = firstError(err, c.wantType(1, I32, I64), c.wantRank(0, 1, max(1, len(data))), c.wantRank(1, 1, max(1, len(indices))))
	if err != nil {
		return nil, err
	}
	last := len(indices) - 1
	if indices[last] > len(data) {
		return nil, fmt.Errorf("indices of %d dimensions into data of shape %v", indices[last], data)
	}
	err = c.wantShape(2, slices.Concat(indices[:last], data[indices[last]:])...)
	return []Type{{c.In[0].DType, data}}, err
}

func runScatterND(c *Call, out []*Tensor) error {
	places, size, err := c.tuples(c.In[0].Shape, 0)
	if err != nil {
		return err
	}
	change, err := c.scatter(out[0])
	if err != nil {
		return err
	}
	for i, p := range places {
		change(p, i*size, size)
	}
	return nil
}
