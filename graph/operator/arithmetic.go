package operator

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

func init() {
	for _, name := range []string{"Add", "Sub", "Mul", "Div"} {
		define(name, definition{least: 2, most: 2, outputs: 1, infer: inferBinary, run: runBinary(name)})
	}
	define("Mod", definition{least: 2, most: 2, outputs: 1, infer: inferMod, run: runMod})
	// Base and exponent may be of different types, so that widening all half
	// types would lose which one the output has.
	define("Pow", definition{least: 2, most: 2, outputs: 1, infer: inferPow, run: runPow, exact: true})
	define("PRelu", definition{least: 2, most: 2, outputs: 1, infer: inferPRelu, run: runBinary("PRelu")})
	for name, f := range map[string]string{"Max": "Max", "Min": "Min", "Sum": "Add", "Mean": "Add"} {
		define(name, definition{least: 1, most: -1, outputs: 1, infer: inferVariadic, run: runVariadic(name, f)})
	}
	define("Clip", definition{least: 1, most: 3, outputs: 1, infer: inferClip, run: runClip})
}

func inferBinary(c *Call) ([]Type, error) {
	if err := c.wantNumbers(0, 1); err != nil {
		return nil, err
	}
	shape, err := broadcast(c.In[0].Shape, c.In[1].Shape)
	return []Type{{c.In[0].DType, shape}}, err
}

func runBinary(f string) func(*Call, []*Tensor) error {
	return func(c *Call, out []*Tensor) error {
		a, b := c.In[0], c.In[1]
		w := elementwise(out[0].Shape, a.Shape, b.Shape)
		return numericOf(a.DType).binary(f, out[0].Data, a.Data, b.Data, w)
	}
}

func inferMod(c *Call) ([]Type, error) {
	fmod, err := c.Attributes.Int("fmod", 0)
	if err != nil {
		return nil, err
	}
	if fmod == 0 && !isInteger(c.In[0].DType) {
		return nil, fmt.Errorf("input 0 is of type %s, which Mod takes with attribute \"fmod\" set only", c.In[0].DType)
	}
	return inferBinary(c)
}

func runMod(c *Call, out []*Tensor) error {
	fmod, err := c.Attributes.Int("fmod", 0)
	if err != nil {
		return err
	}
	if fmod == 0 {
		return runBinary("Mod")(c, out)
	}
	return runBinary("Remainder")(c, out)
}

func inferPRelu(c *Call) ([]Type, error) {
	types, err := inferBinary(c)
	if err == nil && !slices.Equal(types[0].Shape, c.In[0].Shape) {
		err = fmt.Errorf("slope of shape %v does not broadcast to input of shape %v", c.In[1].Shape, c.In[0].Shape)
	}
	return types, err
}

func inferVariadic(c *Call) ([]Type, error) {
	shapes, all := make([][]int, len(c.In)), make([]int, len(c.In))
	for i, t := range c.In {
		if t == nil {
			return nil, fmt.Errorf("input %d is missing", i)
		}
		shapes[i], all[i] = t.Shape, i
	}
	if err := c.wantNumbers(all...); err != nil {
		return nil, err
	}
	shape, err := broadcast(shapes...)
	return []Type{{c.In[0].DType, shape}}, err
}

func runVariadic(name, f string) func(*Call, []*Tensor) error {
	return func(c *Call, out []*Tensor) error {
		y, n := out[0], numericOf(c.In[0].DType)
		between(y, c.In[0]).strided(elementwise(y.Shape, c.In[0].Shape), 0, 0)
		for _, x := range c.In[1:] {
			w := elementwise(y.Shape, y.Shape, x.Shape)
			if err := n.binary(f, y.Data, y.Data, x.Data, w); err != nil {
				return err
			}
		}
		if name != "Mean" {
			return nil
		}
		count := New(F64)
		count.Data.([]float64)[0] = float64(len(c.In))
		divisor := New(c.In[0].DType)
		cast(divisor, count)
		return n.binary("Div", y.Data, y.Data, divisor.Data, elementwise(y.Shape, y.Shape, nil))
	}
}

var errDivision = errors.New("division of a whole number by zero")

func (numbers[T]) binary(f string, to, a, b any, w *walk) error {
	if w.empty {
		return nil
	}
	d, x, y := to.([]T), a.([]T), b.([]T)
	if (f == "Div" || f == "Mod" || f == "Remainder") && !isFloat[T]() && slices.Contains(y, 0) {
		return errDivision
	}
	s, t := w.step(1), w.step(2)
	w.rows(func(n int, at []int) {
		i, j := at[1], at[2]
		out := d[at[0] : at[0]+n]
		switch f {
		case "Add":
			for k := range out {
				out[k] = x[i] + y[j]
				i += s
				j += t
			}
		case "Sub":
			for k := range out {
				out[k] = x[i] - y[j]
				i += s
				j += t
			}
		case "Mul":
			for k := range out {
				out[k] = x[i] * y[j]
				i += s
				j += t
			}
		case "Div":
			for k := range out {
				out[k] = x[i] / y[j]
				i += s
				j += t
			}
		case "Max":
			for k := range out {
				out[k] = larger(x[i], y[j])
				i += s
				j += t
			}
		case "Min":
			for k := range out {
				out[k] = smaller(x[i], y[j])
				i += s
				j += t
			}
		case "PRelu":
			for k := range out {
				v := x[i]
				if v < 0 {
					v *= y[j]
				}
				out[k] = v
				i += s
				j += t
			}
		case "Mod":
			for k := range out {
				out[k] = modulo(x[i], y[j])
				i += s
				j += t
			}
		case "Remainder":
			for k := range out {
				out[k] = remainder(x[i], y[j])
				i += s
				j += t
			}
		}
	})
	return nil
}

// remainder is what the division, cut off towards zero, leaves.
func remainder[T number](x, y T) T {
	if isFloat[T]() {
		return T(math.Mod(float64(x), float64(y)))
	}
	return x - x/y*y
}

// modulo is the remainder with the sign of the divisor.
func modulo[T number](x, y T) T {
	r := x - x/y*y
	if r != 0 && (r < 0) != (y < 0) {
		r += y
	}
	return r
}

func inferPow(c *Call) ([]Type, error) {
	for i, t := range c.In {
		if numericOf(t.DType) == nil && !t.DType.IsHalf() {
			return nil, fmt.Errorf("input %d is of type %s, want numbers", i, t.DType)
		}
	}
	shape, err := broadcast(c.In[0].Shape, c.In[1].Shape)
	return []Type{{c.In[0].DType, shape}}, err
}

func runPow(c *Call, out []*Tensor) error {
	x, y, z := widened(c.In[0]), widened(c.In[1]), out[0]
	if isHalf(z) {
		z = New(F32, z.Shape...)
	}
	// Exponents are whole numbers of 64 bits or double precision.
	wide := New(F64, y.Shape...)
	if isInteger(y.DType) {
		wide = New(I64, y.Shape...)
	}
	cast(wide, y)
	numericOf(x.DType).power(z.Data, x.Data, wide.Data, elementwise(z.Shape, x.Shape, y.Shape))
	if z != out[0] {
		narrow(out[0].DType, out[0].Data.([]uint16), z.Data.([]float32))
	}
	return nil
}

func (numbers[T]) power(to, x, y any, w *walk) {
	whole, ok := y.([]int64)
	if ok && !isFloat[T]() {
		power(to.([]T), x.([]T), whole, w, wholePower)
		return
	}
	if ok {
		power(to.([]T), x.([]T), whole, w, func(x T, y int64) T { return T(math.Pow(float64(x), float64(y))) })
		return
	}
	power(to.([]T), x.([]T), y.([]float64), w, func(x T, y float64) T { return T(math.Pow(float64(x), y)) })
}

func power[T, E number](to, x []T, y []E, w *walk, f func(T, E) T) {
	if w.empty {
		return
	}
	s, t := w.step(1), w.step(2)
	w.rows(func(n int, at []int) {
		i, j := at[1], at[2]
		out := to[at[0] : at[0]+n]
		if t == 0 && y[j] == 2 {
			for k := range out {
				out[k] = x[i] * x[i]
				i += s
			}
			return
		}
		for k := range out {
			out[k] = f(x[i], y[j])
			i += s
			j += t
		}
	})
}

// wholePower is a power that wraps around. To a negative exponent it is cut off
// towards zero, and that of 0 is the largest number in place of infinity.
func wholePower[T number](x T, y int64) T {
	if y < 0 {
		switch {
		case x == 0:
			return highest[T]()
		case x == 1 || x < 0 && x+1 == 0 && y%2 == 0:
			return 1
		case x < 0 && x+1 == 0:
			return x
		}
		return 0
	}
	p := T(1)
	for ; y > 0; y >>= 1 {
		if y&1 != 0 {
			p *= x
		}
		x *= x
	}
	return p
}

func inferClip(c *Call) ([]Type, error) {
	err := firstError(c.wantNumbers(0, 1, 2), c.wantScalar(1), c.wantScalar(2))
	return []Type{{c.In[0].DType, c.In[0].Shape}}, err
}

func runClip(c *Call, out []*Tensor) error {
	var bounds [2]any
	for i := range bounds {
		if t := c.input(i + 1); t != nil {
			bounds[i] = t.Data
		}
	}
	numericOf(c.In[0].DType).clip(out[0].Data, c.In[0].Data, bounds[0], bounds[1])
	return nil
}

func (numbers[T]) clip(to, x, least, most any) {
	low, high := lowest[T](), highest[T]()
	if v, ok := least.([]T); ok {
		low = v[0]
	}
	if v, ok := most.([]T); ok {
		high = v[0]
	}
	y := to.([]T)
	for i, v := range x.([]T) {
		y[i] = smaller(larger(v, low), high)
	}
}
