package operator

import "fmt"

func init() {
	for _, name := range []string{"And", "Or", "Xor"} {
		define(name, definition{least: 2, most: 2, outputs: 1, infer: inferLogical, run: runLogical(name)})
	}
	define("Not", definition{least: 1, most: 1, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			return []Type{{Bool, c.In[0].Shape}}, c.wantType(0, Bool)
		},
		run: func(c *Call, out []*Tensor) error {
			y := out[0].Data.([]bool)
			for i, v := range c.In[0].Data.([]bool) {
				y[i] = !v
			}
			return nil
		},
	})
	for _, name := range []string{"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"} {
		define(name, definition{least: 2, most: 2, outputs: 1, infer: inferComparison(name), run: runComparison(name)})
	}
	for _, name := range []string{"BitwiseAnd", "BitwiseOr", "BitwiseXor"} {
		define(name, definition{least: 2, most: 2, outputs: 1, infer: inferBitwise, run: runBitwise(name)})
	}
	define("BitwiseNot", definition{least: 1, most: 1, outputs: 1, infer: inferBitwiseNot, run: runBitwiseNot})
	define("BitShift", definition{least: 2, most: 2, outputs: 1, infer: inferBitShift, run: runBitShift})
	define("Where", definition{least: 3, most: 3, outputs: 1, infer: inferWhere, run: runWhere, exact: true})
}

func inferLogical(c *Call) ([]Type, error) {
	if err := firstError(c.wantType(0, Bool), c.wantType(1, Bool)); err != nil {
		return nil, err
	}
	shape, err := broadcast(c.In[0].Shape, c.In[1].Shape)
	return []Type{{Bool, shape}}, err
}

func runLogical(f string) func(*Call, []*Tensor) error {
	return func(c *Call, out []*Tensor) error {
		a, b := c.In[0], c.In[1]
		logical(f, out[0].Data.([]bool), a.Data.([]bool), b.Data.([]bool), elementwise(out[0].Shape, a.Shape, b.Shape))
		return nil
	}
}

func logical(f string, to, a, b []bool, w *walk) {
	if w.empty {
		return
	}
	s, t := w.step(1), w.step(2)
	w.rows(func(n int, at []int) {
		i, j := at[1], at[2]
		out := to[at[0] : at[0]+n]
		switch f {
		case "And":
			for k := range out {
				out[k] = a[i] && b[j]
				i += s
				j += t
			}
		case "Or":
			for k := range out {
				out[k] = a[i] || b[j]
				i += s
				j += t
			}
		case "Xor":
			for k := range out {
				out[k] = a[i] != b[j]
				i += s
				j += t
			}
		case "Equal":
			for k := range out {
				out[k] = a[i] == b[j]
				i += s
				j += t
			}
		}
	})
}

func inferComparison(f string) func(c *Call) ([]Type, error) {
	return func(c *Call) ([]Type, error) {
		err := c.wantNumbers(0, 1)
		if f == "Equal" && c.In[0].DType == Bool {
			err = c.wantSame(0, 1)
		}
		if err != nil {
			return nil, err
		}
		shape, err := broadcast(c.In[0].Shape, c.In[1].Shape)
		return []Type{{Bool, shape}}, err
	}
}

func runComparison(f string) func(*Call, []*Tensor) error {
	return func(c *Call, out []*Tensor) error {
		a, b := c.In[0], c.In[1]
		if a.DType == Bool {
			return runLogical(f)(c, out)
		}
		w := elementwise(out[0].Shape, a.Shape, b.Shape)
		numericOf(a.DType).compare(f, out[0].Data.([]bool), a.Data, b.Data, w)
		return nil
	}
}

func (numbers[T]) compare(f string, to []bool, a, b any, w *walk) {
	if w.empty {
		return
	}
	x, y := a.([]T), b.([]T)
	s, t := w.step(1), w.step(2)
	w.rows(func(n int, at []int) {
		i, j := at[1], at[2]
		out := to[at[0] : at[0]+n]
		switch f {
		case "Equal":
			for k := range out {
				out[k] = x[i] == y[j]
				i += s
				j += t
			}
		case "Greater":
			for k := range out {
				out[k] = x[i] > y[j]
				i += s
				j += t
			}
		case "GreaterOrEqual":
			for k := range out {
				out[k] = x[i] >= y[j]
				i += s
				j += t
			}
		case "Less":
			for k := range out {
				out[k] = x[i] < y[j]
				i += s
				j += t
			}
		case "LessOrEqual":
			for k := range out {
				out[k] = x[i] <= y[j]
				i += s
				j += t
			}
		}
	})
}

func inferBitwise(c *Call) ([]Type, error) {
	if err := c.wantIntegers(0, 1); err != nil {
		return nil, err
	}
	return inferBinary(c)
}

func inferBitwiseNot(c *Call) ([]Type, error) {
	return []Type{{c.In[0].DType, c.In[0].Shape}}, c.wantIntegers(0)
}

func inferBitShift(c *Call) ([]Type, error) {
	direction, err := c.Attributes.String("direction", "")
	if err == nil && direction != "LEFT" && direction != "RIGHT" {
		err = fmt.Errorf("attribute \"direction\" is %q, want \"LEFT\" or \"RIGHT\"", direction)
	}
	if err := firstError(err, c.wantType(0, U8, U16, U32, U64)); err != nil {
		return nil, err
	}
	return inferBitwise(c)
}

func runBitShift(c *Call, out []*Tensor) error {
	direction, err := c.Attributes.String("direction", "")
	if err != nil {
		return err
	}
	return runBitwise(direction)(c, out)
}

// whole is the Go types with bits to combine.
type whole interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

func runBitwise(f string) func(*Call, []*Tensor) error {
	return func(c *Call, out []*Tensor) error {
		a, b := c.In[0], c.In[1]
		w := elementwise(out[0].Shape, a.Shape, b.Shape)
		switch y := out[0].Data.(type) {
		case []int8:
			bitwise(f, y, a.Data.([]int8), b.Data.([]int8), w)
		case []int16:
			bitwise(f, y, a.Data.([]int16), b.Data.([]int16), w)
		case []int32:
			bitwise(f, y, a.Data.([]int32), b.Data.([]int32), w)
		case []int64:
			bitwise(f, y, a.Data.([]int64), b.Data.([]int64), w)
		case []uint8:
			bitwise(f, y, a.Data.([]uint8), b.Data.([]uint8), w)
		case []uint16:
			bitwise(f, y, a.Data.([]uint16), b.Data.([]uint16), w)
		case []uint32:
			bitwise(f, y, a.Data.([]uint32), b.Data.([]uint32), w)
		case []uint64:
			bitwise(f, y, a.Data.([]uint64), b.Data.([]uint64), w)
		}
		return nil
	}
}

// runBitwiseNot is the exclusive or with all ones.
func runBitwiseNot(c *Call, out []*Tensor) error {
	minusOne := New(I8)
	minusOne.Data.([]int8)[0] = -1
	ones := New(c.In[0].DType)
	cast(ones, minusOne)
	return runBitwise("BitwiseXor")(&Call{In: []*Tensor{c.In[0], ones}}, out)
}

func bitwise[T whole](f string, to, a, b []T, w *walk) {
	if w.empty {
		return
	}
	s, t := w.step(1), w.step(2)
	w.rows(func(n int, at []int) {
		i, j := at[1], at[2]
		out := to[at[0] : at[0]+n]
		switch f {
		case "BitwiseAnd":
			for k := range out {
				out[k] = a[i] & b[j]
				i += s
				j += t
			}
		case "BitwiseOr":
			for k := range out {
				out[k] = a[i] | b[j]
				i += s
				j += t
			}
		case "BitwiseXor":
			for k := range out {
				out[k] = a[i] ^ b[j]
				i += s
				j += t
			}
		case "LEFT":
			for k := range out {
				out[k] = a[i] << uint64(b[j])
				i += s
				j += t
			}
		case "RIGHT":
			for k := range out {
				out[k] = a[i] >> uint64(b[j])
				i += s
				j += t
			}
		}
	})
}

func inferWhere(c *Call) ([]Type, error) {
	if err := firstError(c.wantType(0, Bool), c.wantSame(1, 2)); err != nil {
		return nil, err
	}
	shape, err := broadcast(c.In[0].Shape, c.In[1].Shape, c.In[2].Shape)
	return []Type{{c.In[1].DType, shape}}, err
}

func runWhere(c *Call, out []*Tensor) error {
	condition := c.In[0].Data.([]bool)
	for i := 1; i <= 2; i++ {
		w := elementwise(out[0].Shape, c.In[0].Shape, c.In[i].Shape)
		between(out[0], c.In[i]).choose(w, condition, i == 1)
	}
	return nil
}
