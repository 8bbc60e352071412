package operator

import (
	"fmt"
	"slices"
)

func init() {
	define("Identity", definition{least: 1, most: 1, outputs: 1, infer: inferIdentity, run: runCopy, exact: true})
	define("Dropout", definition{least: 1, most: 3, outputs: 2, infer: inferDropout, run: runDropout, exact: true})
	define("Reshape", definition{least: 2, most: 2, outputs: 1, infer: inferReshape, run: runCopy, exact: true})
	define("Flatten", definition{least: 1, most: 1, outputs: 1, infer: inferFlatten, run: runCopy, exact: true})
	define("Squeeze", definition{least: 1, most: 2, outputs: 1, infer: inferSqueeze, run: runCopy, exact: true})
	define("Unsqueeze", definition{least: 2, most: 2, outputs: 1, infer: inferUnsqueeze, run: runCopy, exact: true})
	define("Shape", definition{least: 1, most: 1, outputs: 1, infer: inferShape, run: runShape, exact: true})
	define("Size", definition{least: 1, most: 1, outputs: 1, infer: inferSize, run: runSize, exact: true})
}

// runCopy copies the elements of input 0, whatever the output's shape.
func runCopy(c *Call, out []*Tensor) error {
	between(out[0], c.In[0]).copy(0, 0, Elements(out[0].Shape))
	return nil
}

func inferIdentity(c *Call) ([]Type, error) {
	return []Type{{c.In[0].DType, c.In[0].Shape}}, nil
}

// inferDropout accepts what drops nothing.
func inferDropout(c *Call) ([]Type, error) {
	x := c.In[0]
	if !x.DType.IsFloat() {
		return nil, fmt.Errorf("input 0 is of type %s, want a floating-point type", x.DType)
	}
	if err := firstError(c.wantScalar(1), c.wantType(2, Bool), c.wantScalar(2)); err != nil {
		return nil, err
	}
	if training := c.input(2); training != nil {
		v, ok := training.Data.([]bool)
		if !ok {
			return nil, &NotConstantError{2}
		}
		if v[0] {
			drops := true
			if ratio := c.input(1); ratio != nil {
				if ratio.Data == nil {
					return nil, &NotConstantError{1}
				}
				v, ok := ratio.Floats()
				drops = !ok || v[0] != 0
			}
			if drops {
				return nil, unsupportedf("Dropout in training mode drops at random")
			}
		}
	}
	return c.types(Type{x.DType, x.Shape}, Type{Bool, x.Shape})
}

func runDropout(c *Call, out []*Tensor) error {
	if out[0] != nil {
		if err := runCopy(c, out); err != nil {
			return err
		}
	}
	if len(out) > 1 && out[1] != nil {
		mask := out[1].Data.([]bool)
		for i := range mask {
			mask[i] = true
		}
	}
	return nil
}

func inferReshape(c *Call) ([]Type, error) {
	if err := firstError(c.wantType(1, I32, I64), c.wantRank(1, 1, 1)); err != nil {
		return nil, err
	}
	zero, err := c.Attributes.Int("allowzero", 0)
	if err != nil {
		return nil, err
	}
	want, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	shape, from := slices.Clone(want), c.In[0].Shape
	free, known := -1, int64(1)
	for i, d := range want {
		switch {
		case d == -1 && free >= 0:
			return nil, fmt.Errorf("shape %v has more than one -1", want)
		case d == -1:
			free = i
			continue
		case d == 0 && zero == 0:
			if i >= len(from) {
				return nil, fmt.Errorf("shape %v keeps dimension %d, which input of shape %v has not", want, i, from)
			}
			shape[i] = from[i]
		case d < 0:
			return nil, fmt.Errorf("shape %v has a negative dimension", want)
		}
		known = min(known*int64(shape[i]), MaxElements+1)
	}
	n := int64(Elements(from))
	if free >= 0 {
		if zero != 0 && slices.Contains(want, 0) {
			return nil, fmt.Errorf("shape %v has both 0 and -1, and attribute \"allowzero\" is set", want)
		}
		if known == 0 {
			// Any size would do; numpy refuses, other runtimes say none.
			shape[free] = 0
		} else {
			shape[free] = int(n / known)
			known *= n / known
		}
	}
	if known != n {
		return nil, fmt.Errorf("input of shape %v cannot have shape %v", from, want)
	}
	return []Type{{c.In[0].DType, shape}}, nil
}

func inferFlatten(c *Call) ([]Type, error) {
	x := c.In[0]
	a, err := c.Attributes.Int("axis", 1)
	if err != nil {
		return nil, err
	}
	rank := len(x.Shape)
	if a < -rank || a > rank {
		return nil, fmt.Errorf("axis %d is outside rank %d", a, rank)
	}
	if a < 0 {
		a += rank
	}
	return []Type{{x.DType, []int{Elements(x.Shape[:a]), Elements(x.Shape[a:])}}}, nil
}

// axes are input i as dimensions of a tensor of that rank, each marked.
func (c *Call) axes(i, rank int) ([]bool, error) {
	if err := c.wantIndices(i); err != nil {
		return nil, err
	}
	list, err := c.ints(i)
	if err != nil {
		return nil, err
	}
	return markAxes(list, rank)
}

func markAxes(list []int, rank int) ([]bool, error) {
	marked := make([]bool, rank)
	for _, v := range list {
		a, err := axis(v, rank)
		if err != nil {
			return nil, err
		}
		if marked[a] {
			return nil, fmt.Errorf("axis %d is listed twice in %v", a, list)
		}
		marked[a] = true
	}
	return marked, nil
}

func inferSqueeze(c *Call) ([]Type, error) {
	x := c.In[0]
	var drop []bool
	if c.has(1) {
		var err error
		if drop, err = c.axes(1, len(x.Shape)); err != nil {
			return nil, err
		}
	}
	shape := []int{}
	for i, d := range x.Shape {
		if drop == nil && d != 1 || drop != nil && !drop[i] {
			shape = append(shape, d)
		} else if d != 1 {
			return nil, fmt.Errorf("axis %d of shape %v is not of size 1", i, x.Shape)
		}
	}
	return []Type{{x.DType, shape}}, nil
}

func inferUnsqueeze(c *Call) ([]Type, error) {
	x := c.In[0]
	insert, err := c.axes(1, len(x.Shape)+Elements(c.In[1].Shape))
	if err != nil {
		return nil, err
	}
	shape, next := make([]int, len(insert)), 0
	for i := range shape {
		shape[i] = 1
		if !insert[i] {
			shape[i] = x.Shape[next]
			next++
		}
	}
	return []Type{{x.DType, shape}}, nil
}

// shapeRange is which dimensions Shape gives.
func (c *Call) shapeRange() (start, end int, err error) {
	rank := len(c.In[0].Shape)
	start, err = c.Attributes.Int("start", 0)
	end, err2 := c.Attributes.Int("end", rank)
	for _, v := range []*int{&start, &end} {
		if *v < 0 {
			*v += rank
		}
		*v = max(0, min(*v, rank))
	}
	return start, max(start, end), firstError(err, err2)
}

func inferShape(c *Call) ([]Type, error) {
	start, end, err := c.shapeRange()
	return []Type{{I64, []int{end - start}}}, err
}

func runShape(c *Call, out []*Tensor) error {
	start, end, err := c.shapeRange()
	if err != nil {
		return err
	}
	for i, d := range c.In[0].Shape[start:end] {
		out[0].Data.([]int64)[i] = int64(d)
	}
	return nil
}

func inferSize(*Call) ([]Type, error) { return []Type{{I64, []int{}}}, nil }

func runSize(c *Call, out []*Tensor) error {
	out[0].Data.([]int64)[0] = int64(Elements(c.In[0].Shape))
	return nil
}
