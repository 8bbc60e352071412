package operator

import (
	"fmt"
	"math"
)

func init() {
	for _, name := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1",
		"ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"} {
		define(name, definition{least: 1, most: 2, outputs: 1, infer: inferReduce(name), run: runReduce(name)})
	}
	define("ArgMax", definition{least: 1, most: 1, outputs: 1, infer: inferPick, run: runPick(true)})
	define("ArgMin", definition{least: 1, most: 1, outputs: 1, infer: inferPick, run: runPick(false)})
	for _, name := range []string{"CumSum", "CumProd"} {
		define(name, definition{least: 2, most: 2, outputs: 1, infer: inferCumulative, run: runCumulative(name)})
	}
}

// reduced is which dimensions a reduction removes.
func (c *Call) reduced() (axes []bool, keep bool, err error) {
	k, err := c.Attributes.Int("keepdims", 1)
	noop, err2 := c.Attributes.Int("noop_with_empty_axes", 0)
	if err := firstError(err, err2); err != nil {
		return nil, false, err
	}
	rank := len(c.In[0].Shape)
	axes = make([]bool, rank)
	if c.has(1) && Elements(c.In[1].Shape) > 0 {
		axes, err = c.axes(1, rank)
		return axes, k != 0, err
	}
	for i := range axes {
		axes[i] = noop == 0
	}
	return axes, k != 0, nil
}

func inferReduce(f string) func(*Call) ([]Type, error) {
	return func(c *Call) ([]Type, error) {
		x := c.In[0]
		ordered := f == "ReduceMax" || f == "ReduceMin"
		if numericOf(x.DType) == nil && !(ordered && x.DType == Bool) {
			return nil, fmt.Errorf("input 0 is of type %s, which is not reduced", x.DType)
		}
		axes, keep, err := c.reduced()
		if err != nil {
			return nil, err
		}
		shape, count := []int{}, 1
		for i, d := range x.Shape {
			switch {
			case !axes[i]:
				shape = append(shape, d)
				continue
			case keep:
				shape = append(shape, 1)
			}
			count *= d
		}
		if f == "ReduceMean" && count == 0 && isInteger(x.DType) {
			return nil, fmt.Errorf("input of shape %v has no elements to take the mean of", x.Shape)
		}
		return []Type{{x.DType, shape}}, nil
	}
}

func runReduce(f string) func(*Call, []*Tensor) error {
	return func(c *Call, out []*Tensor) error {
		x, y := c.In[0], out[0]
		axes, _, err := c.reduced()
		if err != nil {
			return err
		}
		// The walk stays at one element of the output along reduced dimensions.
		s, step, count := make([]int, len(axes)), 1, 1
		for i := len(axes) - 1; i >= 0; i-- {
			if axes[i] {
				count *= x.Shape[i]
			} else {
				s[i] = step
				step *= x.Shape[i]
			}
		}
		w := newWalk(x.Shape, strides(x.Shape), s)
		if v, ok := x.Data.([]bool); ok {
			reduceBool(f, y.Data.([]bool), v, w)
			return nil
		}
		numericOf(x.DType).reduce(f, y.Data, x.Data, w, count)
		return nil
	}
}

func reduceBool(f string, y, x []bool, w *walk) {
	all := f == "ReduceMin"
	for i := range y {
		y[i] = all
	}
	if w.empty {
		return
	}
	s, t := w.step(0), w.step(1)
	w.rows(func(n int, at []int) {
		i, o := at[0], at[1]
		for range n {
			if x[i] != all {
				y[o] = !all
			}
			i += s
			o += t
		}
	})
}

func (numbers[T]) reduce(f string, to, x any, w *walk, count int) {
	y, v := to.([]T), x.([]T)
	if f == "ReduceMax" || f == "ReduceMin" {
		extreme(f == "ReduceMax", y, v, w)
		return
	}
	if !isFloat[T]() && f != "ReduceL2" && f != "ReduceLogSum" && f != "ReduceLogSumExp" {
		accumulate(f, y, v, w)
		if f == "ReduceMean" {
			for i := range y {
				y[i] /= T(count)
			}
		}
		return
	}
	sum := make([]float64, len(y))
	if f == "ReduceLogSumExp" {
		extreme(true, y, v, w)
		largest := make([]float64, len(y))
		for i, m := range y {
			if largest[i] = float64(m); math.IsInf(largest[i], 0) {
				largest[i] = 0
			}
		}
		sumExp(sum, v, largest, w)
		for i, s := range sum {
			y[i] = T(largest[i] + math.Log(s))
		}
		return
	}
	accumulate(f, sum, v, w)
	for i, s := range sum {
		switch f {
		case "ReduceMean":
			s /= float64(count)
		case "ReduceL2":
			s = math.Sqrt(s)
		case "ReduceLogSum":
			s = math.Log(s)
		}
		y[i] = T(s)
	}
}

// extreme finds the largest or smallest elements, NaN where there is one.
func extreme[T number](largest bool, y, x []T, w *walk) {
	for i := range y {
		if y[i] = highest[T](); largest {
			y[i] = lowest[T]()
		}
	}
	if w.empty {
		return
	}
	s, t := w.step(0), w.step(1)
	w.rows(func(n int, at []int) {
		i, o := at[0], at[1]
		for range n {
			if largest {
				y[o] = larger(y[o], x[i])
			} else {
				y[o] = smaller(y[o], x[i])
			}
			i += s
			o += t
		}
	})
}

// accumulate adds up the elements, their magnitudes or squares, or multiplies.
func accumulate[T, A number](f string, sum []A, x []T, w *walk) {
	clear(sum)
	if f == "ReduceProd" {
		for i := range sum {
			sum[i] = 1
		}
	}
	if w.empty {
		return
	}
	s, t := w.step(0), w.step(1)
	w.rows(func(n int, at []int) {
		i, o := at[0], at[1]
		switch f {
		case "ReduceProd":
			for range n {
				sum[o] *= A(x[i])
				i += s
				o += t
			}
		case "ReduceL1":
			for range n {
				sum[o] += magnitude(A(x[i]))
				i += s
				o += t
			}
		case "ReduceL2", "ReduceSumSquare":
			for range n {
				sum[o] += A(x[i]) * A(x[i])
				i += s
				o += t
			}
		default:
			for range n {
				sum[o] += A(x[i])
				i += s
				o += t
			}
		}
	})
}

func magnitude[T number](v T) T {
	if v < 0 {
		return -v
	}
	return v
}

// sumExp adds up exponentials less a number for each sum, so that none
// overflows.
func sumExp[T number](sum []float64, x []T, less []float64, w *walk) {
	if w.empty {
		return
	}
	s, t := w.step(0), w.step(1)
	w.rows(func(n int, at []int) {
		i, o := at[0], at[1]
		for range n {
			sum[o] += math.Exp(float64(x[i]) - less[o])
			i += s
			o += t
		}
	})
}

func inferPick(c *Call) ([]Type, error) {
	x := c.In[0]
	a, err := c.axisAttribute(0)
	keep, err2 := c.Attributes.Int("keepdims", 1)
	_, err3 := c.Attributes.Int("select_last_index", 0)
	if err := firstError(err, err2, err3, c.wantNumbers(0)); err != nil {
		return nil, err
	}
	if x.Shape[a] == 0 {
		return nil, fmt.Errorf("axis %d of shape %v has no elements to choose from", a, x.Shape)
	}
	return []Type{{I64, without(x.Shape, a, keep != 0)}}, nil
}

func runPick(largest bool) func(*Call, []*Tensor) error {
	return func(c *Call, out []*Tensor) error {
		a, err := c.axisAttribute(0)
		last, err2 := c.Attributes.Int("select_last_index", 0)
		if err := firstError(err, err2); err != nil {
			return err
		}
		outer, n, inner := split3(c.In[0].Shape, a)
		numericOf(c.In[0].DType).pick(out[0].Data.([]int64), c.In[0].Data, outer, n, inner, largest, last != 0)
		return nil
	}
}

// pick finds the index of the largest or smallest element, or of a NaN.
func (numbers[T]) pick(to []int64, x any, outer, n, inner int, largest, last bool) {
	v := x.([]T)
	for i := range outer {
		for j := range inner {
			from := i*n*inner + j
			best, index := v[from], 0
			for k := 1; k < n; k++ {
				e := v[from+k*inner]
				better := largest && e > best || !largest && e < best || e != e
				if best != best {
					better = last && e != e
				} else if last && e == best {
					better = true
				}
				if better {
					best, index = e, k
				}
			}
			to[i*inner+j] = int64(index)
		}
	}
}

// cumulativeAxis is input 1, known when the operator runs.
func (c *Call) cumulativeAxis() (int, error) {
	list, err := c.ints(1)
	if err != nil {
		return 0, err
	}
	return axis(list[0], len(c.In[0].Shape))
}

func inferCumulative(c *Call) ([]Type, error) {
	_, err := c.Attributes.Int("exclusive", 0)
	_, err2 := c.Attributes.Int("reverse", 0)
	err = firstError(err, err2, c.wantNumbers(0), c.wantType(1, I32, I64), c.wantScalar(1))
	if err == nil && c.In[1].Data != nil {
		_, err = c.cumulativeAxis()
	}
	return []Type{{c.In[0].DType, c.In[0].Shape}}, err
}

func runCumulative(f string) func(*Call, []*Tensor) error {
	return func(c *Call, out []*Tensor) error {
		a, err := c.cumulativeAxis()
		exclusive, err2 := c.Attributes.Int("exclusive", 0)
		reverse, err3 := c.Attributes.Int("reverse", 0)
		if err := firstError(err, err2, err3); err != nil {
			return err
		}
		outer, n, inner := split3(c.In[0].Shape, a)
		numericOf(c.In[0].DType).accumulate(f, out[0].Data, c.In[0].Data, outer, n, inner, exclusive != 0, reverse != 0)
		return nil
	}
}

func (numbers[T]) accumulate(f string, to, x any, outer, n, inner int, exclusive, reverse bool) {
	if isFloat[T]() {
		cumulate[float64](f, to.([]T), x.([]T), outer, n, inner, exclusive, reverse)
	} else {
		cumulate[T](f, to.([]T), x.([]T), outer, n, inner, exclusive, reverse)
	}
}

// cumulate computes running sums or products along the middle of three
// dimensions.
func cumulate[A, T number](f string, y, x []T, outer, n, inner int, exclusive, reverse bool) {
	step, first := inner, 0
	if reverse {
		step, first = -inner, (n-1)*inner
	}
	for i := range outer {
		for j := range inner {
			at := i*n*inner + first + j
			var sum A
			if f == "CumProd" {
				sum = 1
			}
			for range n {
				before := sum
				if f == "CumProd" {
					sum *= A(x[at])
				} else {
					sum += A(x[at])
				}
				if exclusive {
					y[at] = T(before)
				} else {
					y[at] = T(sum)
				}
				at += step
			}
		}
	}
}
