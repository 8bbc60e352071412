package operator

import (
	"fmt"
	"math"
)

func init() {
	define("MaxPool", definition{least: 1, most: 1, outputs: 2,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0]
			if err := c.wantType(0, F32, F64, I8, U8); err != nil {
				return nil, err
			}
			w, err := c.pool()
			if err != nil {
				return nil, err
			}
			if order, err := c.Attributes.Int("storage_order", 0); err != nil || order < 0 || order > 1 {
				return nil, firstError(err, fmt.Errorf(`attribute "storage_order" is %d, want 0 or 1`, order))
			}
			shape := w.outShape(x.Shape[0], x.Shape[1])
			return c.types(Type{x.DType, shape}, Type{I64, shape})
		},
		run: func(c *Call, out []*Tensor) error {
			w, err := c.pool()
			if err != nil {
				return err
			}
			order, _ := c.Attributes.Int("storage_order", 0)
			var indices []int64
			if len(out) > 1 && out[1] != nil {
				indices = out[1].Data.([]int64)
			}
			if out[0] == nil {
				out = []*Tensor{New(c.In[0].DType, w.outShape(c.In[0].Shape[0], c.In[0].Shape[1])...)}
			}
			switch x := c.In[0].Data.(type) {
			case []float32:
				maxPool(w, out[0].Data.([]float32), x, float32(math.Inf(-1)), indices, order == 1)
			case []float64:
				maxPool(w, out[0].Data.([]float64), x, math.Inf(-1), indices, order == 1)
			case []int8:
				maxPool(w, out[0].Data.([]int8), x, math.MinInt8, indices, order == 1)
			case []uint8:
				maxPool(w, out[0].Data.([]uint8), x, 0, indices, order == 1)
			}
			return nil
		},
	})
	define("AveragePool", poolOf(func(c *Call) (reduction, error) {
		include, err := c.Attributes.Int("count_include_pad", 0)
		return reduction{kind: average, padding: include != 0}, err
	}))
	define("LpPool", poolOf(func(c *Call) (reduction, error) { return c.lpReduction() }))
	define("GlobalAveragePool", globalPool(func(*Call) (reduction, error) { return reduction{kind: average}, nil }))
	define("GlobalMaxPool", globalPool(func(*Call) (reduction, error) { return reduction{kind: maximum}, nil }))
	define("GlobalLpPool", globalPool(func(c *Call) (reduction, error) { return c.lpReduction() }))
	define("MaxUnpool", definition{least: 2, most: 3, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			_, shape, err := c.unpooled()
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, shape})
		},
		run: runMaxUnpool,
	})
}

// reduction is what a pool makes of the elements of a window.
type reduction struct {
	kind    reductionKind
	padding bool // an average counts the padding
	p       float64
}

type reductionKind int

const (
	average reductionKind = iota
	maximum
	norm
)

// fold adds n elements of x, step apart, to a reduction's sum.
func fold[T float32 | float64](r *reduction, sum float64, x []T, n, step int) float64 {
	switch {
	case r.kind == average:
		for i := range n {
			sum += float64(x[i*step])
		}
	case r.kind == maximum:
		for i := range n {
			sum = max(sum, float64(x[i*step]))
		}
	case r.p == 2:
		for i := range n {
			sum += float64(x[i*step]) * float64(x[i*step])
		}
	default:
		for i := range n {
			sum += math.Pow(math.Abs(float64(x[i*step])), r.p)
		}
	}
	return sum
}

// finish is the result of a sum over as many elements inside the input, all
// with those of the padding.
func (r *reduction) finish(sum float64, inside, all int) float64 {
	switch {
	case r.kind == average && r.padding:
		return sum / float64(all)
	case r.kind == average:
		return sum / float64(inside)
	case r.kind == norm && r.p == 2:
		return math.Sqrt(sum)
	case r.kind == norm:
		return math.Pow(sum, 1/r.p)
	}
	return sum
}

func (c *Call) lpReduction() (reduction, error) {
	p, err := c.Attributes.Int("p", 2)
	if err == nil && p < 1 {
		err = fmt.Errorf(`attribute "p" is %d, want 1 or more`, p)
	}
	return reduction{kind: norm, p: float64(p)}, err
}

func (c *Call) pool() (*window, error) {
	w, auto, err := c.slidingWindow(c.In[0].Shape, nil)
	if err != nil {
		return nil, err
	}
	ceil, err := c.Attributes.Int("ceil_mode", 0)
	if err != nil {
		return nil, err
	}
	if volume(w.in) == 0 {
		return nil, fmt.Errorf("an input of shape %v has nothing to pool", c.In[0].Shape)
	}
	return w, w.convolved(auto, ceil != 0)
}

func poolOf(reduce func(*Call) (reduction, error)) definition {
	return definition{least: 1, most: 1, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			if err := c.wantFloat(0); err != nil {
				return nil, err
			}
			if _, err := reduce(c); err != nil {
				return nil, err
			}
			w, err := c.pool()
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, w.outShape(c.In[0].Shape[0], c.In[0].Shape[1])})
		},
		run: func(c *Call, out []*Tensor) error {
			w, err := c.pool()
			if err != nil || out[0] == nil {
				return err
			}
			return runPool(c, out[0], w, reduce)
		},
	}
}

func globalPool(reduce func(*Call) (reduction, error)) definition {
	return definition{least: 1, most: 1, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0]
			if err := firstError(c.wantFloat(0), c.wantRank(0, 2, 100)); err != nil {
				return nil, err
			}
			if _, err := reduce(c); err != nil {
				return nil, err
			}
			shape := []int{x.Shape[0], x.Shape[1]}
			for range x.Shape[2:] {
				shape = append(shape, 1)
			}
			return c.types(Type{x.DType, shape})
		},
		run: func(c *Call, out []*Tensor) error {
			if out[0] == nil {
				return nil
			}
			n := Elements(c.In[0].Shape[2:])
			w := &window{in: [3]int{1, 1, n}, out: [3]int{1, 1, 1}, kernel: [3]int{1, 1, n},
				stride: [3]int{1, 1, 1}, dilation: [3]int{1, 1, 1}}
			return runPool(c, out[0], w, reduce)
		},
	}
}

func runPool(c *Call, out *Tensor, w *window, reduce func(*Call) (reduction, error)) error {
	r, err := reduce(c)
	if err != nil {
		return err
	}
	switch x := c.In[0].Data.(type) {
	case []float32:
		pool(w, out.Data.([]float32), x, r)
	case []float64:
		pool(w, out.Data.([]float64), x, r)
	}
	return nil
}

// reached are the positions of the kernel, from 0 to below hi, that are not
// behind the padded end of the input when the output is at o.
func (w *window) reached(i, o int) int {
	last := w.in[i] + w.end[i] - 1 - (o*w.stride[i] - w.begin[i])
	return max(0, min(w.kernel[i], last/w.dilation[i]+1))
}

func pool[T float32 | float64](w *window, out, x []T, r reduction) {
	image, o := volume(w.in), 0
	for first := 0; o < len(out); first += image {
		for od := range w.out[0] {
			dLo, dHi := w.inside(0, od)
			for oh := range w.out[1] {
				hLo, hHi := w.inside(1, oh)
				for ow := range w.out[2] {
					wLo, wHi := w.inside(2, ow)
					sum := 0.0
					if r.kind == maximum {
						sum = math.Inf(-1)
					}
					for kd := dLo; kd < dHi; kd++ {
						for kh := hLo; kh < hHi; kh++ {
							if wLo < wHi {
								at := first + w.at(od, oh, ow, kd, kh, wLo)
								sum = fold(&r, sum, x[at:], wHi-wLo, w.dilation[2])
							}
						}
					}
					inside := (dHi - dLo) * (hHi - hLo) * (wHi - wLo)
					out[o] = T(r.finish(sum, inside, w.reached(0, od)*w.reached(1, oh)*w.reached(2, ow)))
					o++
				}
			}
		}
	}
}

// at is the index in an image that position k of the kernel reads for output o.
func (w *window) at(od, oh, ow, kd, kh, kw int) int {
	d := od*w.stride[0] - w.begin[0] + kd*w.dilation[0]
	h := oh*w.stride[1] - w.begin[1] + kh*w.dilation[1]
	return (d*w.in[1]+h)*w.in[2] + ow*w.stride[2] - w.begin[2] + kw*w.dilation[2]
}

// maxPool also gives the index of each maximum in the whole input, where
// indices is not nil; transposed counts with the first dimension fastest.
func maxPool[T number](w *window, out, x []T, least T, indices []int64, transposed bool) {
	image, o := volume(w.in), 0
	for first := 0; o < len(out); first += image {
		for od := range w.out[0] {
			dLo, dHi := w.inside(0, od)
			for oh := range w.out[1] {
				hLo, hHi := w.inside(1, oh)
				for ow := range w.out[2] {
					wLo, wHi := w.inside(2, ow)
					best, index := least, -1
					for kd := dLo; kd < dHi; kd++ {
						for kh := hLo; kh < hHi; kh++ {
							at := w.at(od, oh, ow, kd, kh, wLo)
							for range wHi - wLo {
								if v := x[first+at]; index < 0 || v > best || v != v {
									best, index = v, at
								}
								at += w.dilation[2]
							}
						}
					}
					out[o] = best
					if indices != nil {
						index = max(index, 0)
						if transposed {
							d, h, w0 := index/w.in[2]/w.in[1], index/w.in[2]%w.in[1], index%w.in[2]
							index = (w0*w.in[1]+h)*w.in[0] + d
						}
						indices[o] = int64(first + index)
					}
					o++
				}
			}
		}
	}
}

// unpooled are the shape that the indices of MaxUnpool count in and the
// output's shape.
func (c *Call) unpooled() (inferred, shape []int, err error) {
	if err := firstError(c.wantFloat(0), c.wantType(1, I64), c.wantShape(1, c.In[0].Shape...), c.wantType(2, I64)); err != nil {
		return nil, nil, err
	}
	x := c.In[0].Shape
	w, _, err := c.slidingWindow(x, nil)
	if err != nil {
		return nil, nil, err
	}
	inferred = []int{x[0], x[1]}
	for i := 3 - w.rank; i < 3; i++ {
		size := int64(w.in[i]-1)*int64(w.stride[i]) - int64(w.begin[i]) - int64(w.end[i]) + int64(w.kernel[i])
		if size < 1 || size > MaxDim {
			return nil, nil, fmt.Errorf("the output would have the spatial size %d", size)
		}
		inferred = append(inferred, int(size))
	}
	if err := CheckShape(inferred); err != nil || !c.has(2) {
		return inferred, inferred, err
	}
	shape, err = c.ints(2)
	if err != nil {
		return nil, nil, err
	}
	if len(shape) != len(inferred) {
		return nil, nil, fmt.Errorf("the output's shape, input 2, is %v, want %d values", shape, len(inferred))
	}
	for i, s := range shape {
		if s < inferred[i] {
			return nil, nil, fmt.Errorf("the output's shape, input 2, is %v, which is less than %v, to which the pool belongs", shape, inferred)
		}
	}
	return inferred, shape, nil
}

func runMaxUnpool(c *Call, out []*Tensor) error {
	inferred, shape, err := c.unpooled()
	if err != nil || out[0] == nil {
		return err
	}
	indices := c.In[1].Data.([]int64)
	elements := int64(Elements(inferred))
	for _, i := range indices {
		if i < 0 || i >= elements {
			return fmt.Errorf("index %d is outside the %d elements of %v", i, elements, inferred)
		}
	}
	switch x := c.In[0].Data.(type) {
	case []float32:
		unpool(out[0].Data.([]float32), x, indices, inferred, shape)
	case []float64:
		unpool(out[0].Data.([]float64), x, indices, inferred, shape)
	}
	return nil
}

func unpool[T number](out, x []T, indices []int64, inferred, shape []int) {
	clear(out)
	for i, index := range indices {
		to, step := 0, 1
		rest := int(index)
		for d := len(shape) - 1; d >= 0; d-- {
			to += rest % inferred[d] * step
			rest /= inferred[d]
			step *= shape[d]
		}
		out[to] = x[i]
	}
}
