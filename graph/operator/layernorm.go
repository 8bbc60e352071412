package operator

import (
	"fmt"
	"math"
)

func init() {
	// The moments of LayerNormalization are of the type that stash_type names,
	// whatever the input's, so half types are widened here.
	define("LayerNormalization", definition{least: 2, most: 3, outputs: 3, exact: true,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0]
			if err := c.wantFloat(0, 1, 2); err != nil {
				return nil, err
			}
			a, stash, err := c.layerNormAttributes()
			if err != nil {
				return nil, err
			}
			for i := 1; i < 3; i++ {
				if err := c.wantBroadcast(i, x.Shape); err != nil {
					return nil, err
				}
			}
			moment := Type{stash, momentShape(x.Shape, a)}
			return c.types(Type{x.DType, x.Shape}, moment, moment)
		},
		run: func(c *Call, out []*Tensor) error { return c.normalizeLayers(out, true) },
	})
	define("RMSNormalization", definition{least: 2, most: 2, outputs: 1, exact: true,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0]
			if err := firstError(c.wantFloat(0), c.wantFloat(1)); err != nil {
				return nil, err
			}
			if _, _, err := c.layerNormAttributes(); err != nil {
				return nil, err
			}
			if err := c.wantBroadcast(1, x.Shape); err != nil {
				return nil, err
			}
			return c.types(Type{c.In[1].DType, x.Shape})
		},
		run: func(c *Call, out []*Tensor) error { return c.normalizeLayers(out, false) },
	})
}

func (c *Call) layerNormAttributes() (a int, stash DType, err error) {
	if a, err = c.axisAttribute(-1); err != nil {
		return 0, "", err
	}
	if _, err := c.Attributes.Float("epsilon", 0); err != nil {
		return 0, "", err
	}
	kind, err := c.Attributes.Int("stash_type", 1)
	if err != nil {
		return 0, "", err
	}
	stash, ok := map[int]DType{1: F32, 10: F16, 11: F64, 16: BF16}[kind]
	if !ok {
		return 0, "", fmt.Errorf(`attribute "stash_type" is %d, want the number of a floating-point type`, kind)
	}
	return a, stash, nil
}

// momentShape is shape with 1 from dimension a on.
func momentShape(shape []int, a int) []int {
	s := make([]int, len(shape))
	for i := range s {
		s[i] = 1
		if i < a {
			s[i] = shape[i]
		}
	}
	return s
}

// wantBroadcast checks that input i, where given, can be repeated to a shape.
func (c *Call) wantBroadcast(i int, shape []int) error {
	if !c.has(i) {
		return nil
	}
	from := c.In[i].Shape
	ok := len(from) <= len(shape)
	for j := 1; ok && j <= len(from); j++ {
		s := from[len(from)-j]
		ok = s == 1 || s == shape[len(shape)-j]
	}
	if !ok {
		return fmt.Errorf("input %d is of shape %v, which cannot be repeated to %v", i, from, shape)
	}
	return nil
}

// repeated are the elements of a tensor repeated to a shape; nil of nil.
func repeated(t *Tensor, shape []int) []float64 {
	if t == nil {
		return nil
	}
	return repeatedTo(float64s(t), t.Shape, shape)
}

// repeatedTo are elements x of shape from repeated to a shape; x itself where
// that is as large.
func repeatedTo(x []float64, from, shape []int) []float64 {
	if len(x) == Elements(shape) {
		return x
	}
	y := make([]float64, Elements(shape))
	steps := broadcastStrides(from, shape)
	for i := range y {
		rest, at := i, 0
		for d := len(shape) - 1; d >= 0; d-- {
			at += rest % shape[d] * steps[d]
			rest /= shape[d]
		}
		y[i] = x[at]
	}
	return y
}

// normalizeLayers divides all that follows dimension axis by its standard
// deviation, less its mean if centre is set.
func (c *Call) normalizeLayers(out []*Tensor, centre bool) error {
	x, shape := float64s(c.In[0]), c.In[0].Shape
	a, _, err := c.layerNormAttributes()
	if err != nil {
		return err
	}
	epsilon, _ := c.Attributes.Float("epsilon", 1e-5)
	length := Elements(shape[a:])
	if length == 0 {
		return nil
	}
	n := len(x) / length
	scale, bias := repeatedLines(c.In[1], shape, a), repeatedLines(c.input(2), shape, a)
	y, means, factors := make([]float64, len(x)), make([]float64, n), make([]float64, n)
	for l := range n {
		part := x[l*length:][:length]
		mean, variance := 0.0, 0.0
		if centre {
			mean, variance = moments(part)
		} else {
			for _, v := range part {
				variance += v * v / float64(length)
			}
		}
		means[l], factors[l] = mean, 1/math.Sqrt(variance+float64(epsilon))
		for i, v := range part {
			at := l*length + i
			y[at] = (v - mean) * factors[l] * scale[at%len(scale)]
			if bias != nil {
				y[at] += bias[at%len(bias)]
			}
		}
	}
	setFloat64s(out[0], y)
	if len(out) > 1 {
		setFloat64s(out[1], means)
	}
	if len(out) > 2 {
		setFloat64s(out[2], factors)
	}
	return nil
}

// repeatedLines is repeated for one line of a layer only, where all are alike.
func repeatedLines(t *Tensor, shape []int, a int) []float64 {
	if t != nil && len(t.Shape) <= len(shape)-a {
		return repeated(t, shape[a:])
	}
	return repeated(t, shape)
}
