package operator

import (
	"fmt"
	"math"
)

// The operators of the domain com.microsoft that work on quantized tensors, as
// ONNX Runtime's quantization writes them. Their zero points may be left out.
func init() {
	define("com.microsoft.QLinearAdd", qlinearBinary(func(a, b float64) float64 { return a + b }))
	define("com.microsoft.QLinearMul", qlinearBinary(func(a, b float64) float64 { return a * b }))
	define("com.microsoft.QLinearSigmoid", qlinearUnary(func(Attributes) (func(float64) float64, error) { return sigmoid, nil }))
	define("com.microsoft.QLinearLeakyRelu", qlinearUnary(leakyRelu))
	define("com.microsoft.QLinearGlobalAveragePool", definition{least: 1, most: 5, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			x, last, err := c.qlinearImage()
			if err != nil {
				return nil, err
			}
			shape := make([]int, len(x))
			for i := range shape {
				shape[i] = 1
			}
			shape[0] = x[0]
			if last {
				shape[len(x)-1] = x[len(x)-1]
			} else {
				shape[1] = x[1]
			}
			return c.types(Type{c.In[0].DType, shape})
		},
		run: runQLinearGlobalAveragePool,
	})
	define("com.microsoft.QLinearAveragePool", definition{least: 1, most: 5, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			_, last, err := c.qlinearImage()
			if err != nil {
				return nil, err
			}
			if last {
				return nil, unsupportedf("channels_last")
			}
			w, err := c.pool()
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, w.outShape(c.In[0].Shape[0], c.In[0].Shape[1])})
		},
		run: func(c *Call, out []*Tensor) error {
			w, err := c.pool()
			if err != nil {
				return err
			}
			padding, err := c.Attributes.Int("count_include_pad", 0)
			y := make([]float64, Elements(out[0].Shape))
			pool(w, y, c.dequantized(0, 1, 2), reduction{kind: average, padding: padding != 0})
			c.requantize(out[0], y, 3, 4)
			return err
		},
	})
	define("com.microsoft.QLinearConcat", definition{least: 3, most: -1, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			shape, _, err := c.qlinearConcat()
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[1].DType, shape})
		},
		run: runQLinearConcat,
	})
	define("com.microsoft.QGemm", definition{least: 6, most: 9, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			g, err := c.quantizedGemm()
			if err != nil {
				return nil, err
			}
			d := F32
			if c.has(7) {
				if d = c.In[0].DType; c.has(8) {
					d = c.In[8].DType
				}
			}
			return c.types(Type{d, []int{g.m, g.n}})
		},
		run: runQGemm,
	})
}

// quantizedInput checks input x and its scale and zero point that follow, one
// element each.
func (c *Call) quantizedInput(x int) error {
	if !c.has(x) {
		return fmt.Errorf("input %d is missing", x)
	}
	return firstError(c.wantType(x, I8, U8), c.wantQuantizer(x+1, x))
}

// wantQuantizer checks a scale, input i, and its zero point, i+1, which is of
// the type of input as.
func (c *Call) wantQuantizer(i, as int) error {
	if !c.has(i) {
		return fmt.Errorf("the scale, input %d, is missing", i)
	}
	return firstError(c.wantType(i, F32), c.wantScalar(i), c.wantSame(as, i+1), c.wantScalar(i+1))
}

// dequantized are the numbers that a quantized input stands for; it is read
// with one scale and one zero point.
func (c *Call) dequantized(x, scale, zero int) []float64 {
	v, s, z := float64s(c.In[x]), float64s(c.In[scale])[0], 0.0
	if c.has(zero) {
		z = float64s(c.In[zero])[0]
	}
	y := make([]float64, len(v))
	for i := range y {
		y[i] = (v[i] - z) * s
	}
	return y
}

// requantize is the opposite of dequantized. It overwrites y.
func (c *Call) requantize(out *Tensor, y []float64, scale, zero int) {
	s, z := float64s(c.In[scale])[0], 0.0
	if c.has(zero) {
		z = float64s(c.In[zero])[0]
	}
	for i, v := range y {
		y[i] = math.RoundToEven(v/s) + z
	}
	setFloat64s(out, y)
}

func qlinearBinary(f func(a, b float64) float64) definition {
	return definition{least: 1, most: 8, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			err := firstError(c.quantizedInput(0), c.quantizedInput(3), c.wantSame(0, 3), c.wantQuantizer(6, 0))
			if err != nil {
				return nil, err
			}
			shape, err := broadcast(c.In[0].Shape, c.In[3].Shape)
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, shape})
		},
		run: func(c *Call, out []*Tensor) error {
			a := repeatedTo(c.dequantized(0, 1, 2), c.In[0].Shape, out[0].Shape)
			b := repeatedTo(c.dequantized(3, 4, 5), c.In[3].Shape, out[0].Shape)
			y := make([]float64, len(a))
			for i := range y {
				y[i] = f(a[i], b[i])
			}
			c.requantize(out[0], y, 6, 7)
			return nil
		},
	}
}

func qlinearUnary(function func(Attributes) (func(float64) float64, error)) definition {
	return definition{least: 1, most: 5, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			if err := firstError(c.quantizedInput(0), c.wantQuantizer(3, 0)); err != nil {
				return nil, err
			}
			if _, err := function(c.Attributes); err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, c.In[0].Shape})
		},
		run: func(c *Call, out []*Tensor) error {
			f, err := function(c.Attributes)
			if err != nil {
				return err
			}
			y := c.dequantized(0, 1, 2)
			for i, v := range y {
				y[i] = f(v)
			}
			c.requantize(out[0], y, 3, 4)
			return nil
		},
	}
}

// qlinearImage checks a quantized image and the quantizer of the output; last
// is whether the channels are.
func (c *Call) qlinearImage() (shape []int, last bool, err error) {
	if err := firstError(c.quantizedInput(0), c.wantQuantizer(3, 0), c.wantRank(0, 3, 100)); err != nil {
		return nil, false, err
	}
	n, err := c.Attributes.Int("channels_last", 0)
	return c.In[0].Shape, n != 0, err
}

func runQLinearGlobalAveragePool(c *Call, out []*Tensor) error {
	shape, last, err := c.qlinearImage()
	if err != nil {
		return err
	}
	x, y := c.dequantized(0, 1, 2), make([]float64, Elements(out[0].Shape))
	channels, size := shape[1], Elements(shape[2:])
	if last {
		channels, size = shape[len(shape)-1], Elements(shape[1:len(shape)-1])
	}
	for i, v := range x {
		at := i / max(size, 1)
		if last {
			at = i/(size*channels)*channels + i%channels
		}
		y[at] += v / float64(size)
	}
	c.requantize(out[0], y, 3, 4)
	return nil
}

// qlinearConcat is the output's shape and the dimension along which inputs 2,
// 5, and so on, are joined.
func (c *Call) qlinearConcat() (shape []int, at int, err error) {
	if (len(c.In)-2)%3 != 0 {
		return nil, 0, fmt.Errorf("%d inputs, want scale and zero point, and then three for each tensor", len(c.In))
	}
	if err := firstError(c.wantType(1, I8, U8), c.wantQuantizer(0, 1)); err != nil {
		return nil, 0, err
	}
	if _, given := c.Attributes["axis"]; !given {
		return nil, 0, fmt.Errorf(`attribute "axis" is missing`)
	}
	a, err := c.Attributes.Int("axis", 0)
	if err != nil {
		return nil, 0, err
	}
	if at, err = axis(a, len(c.In[2].Shape)); err != nil {
		return nil, 0, err
	}
	shape = append([]int{}, c.In[2].Shape...)
	shape[at] = 0
	for i := 2; i < len(c.In); i += 3 {
		if !c.has(i) {
			return nil, 0, fmt.Errorf("input %d is missing", i)
		}
		if err := firstError(c.quantizedInput(i), c.wantSame(1, i), c.wantRank(i, len(shape), len(shape))); err != nil {
			return nil, 0, err
		}
		want := append([]int{}, shape...)
		want[at] = c.In[i].Shape[at]
		if err := c.wantShape(i, want...); err != nil {
			return nil, 0, err
		}
		if shape[at] += want[at]; shape[at] > MaxDim {
			return nil, 0, fmt.Errorf("the tensors are larger than %d along dimension %d", MaxDim, at)
		}
	}
	return shape, at, nil
}

func runQLinearConcat(c *Call, out []*Tensor) error {
	shape, at, err := c.qlinearConcat()
	if err != nil {
		return err
	}
	y, from := make([]float64, Elements(shape)), 0
	step := Elements(shape[at:])
	for i := 2; i < len(c.In); i += 3 {
		x, n := c.dequantized(i, i+1, i+2), Elements(c.In[i].Shape[at:])
		for outer := range Elements(shape[:at]) {
			copy(y[outer*step+from:], x[outer*n:][:n])
		}
		from += n
	}
	c.requantize(out[0], y, 0, 1)
	return nil
}

// quantizedGemm is the product of QGemm: of input 0 by input 3, with scale and
// zero point behind each, plus whole numbers, input 6.
func (c *Call) quantizedGemm() (*gemm, error) {
	err := firstError(c.quantizedInput(0), c.wantType(3, I8, U8), c.wantType(4, F32), c.wantSame(3, 5), c.wantType(6, I32),
		c.wantType(7, F32), c.wantScalar(7), c.wantType(8, I8, U8), c.wantScalar(8))
	if err != nil {
		return nil, err
	}
	for _, i := range []int{3, 4} {
		if !c.has(i) {
			return nil, fmt.Errorf("input %d is missing", i)
		}
	}
	if c.has(8) && !c.has(7) {
		return nil, fmt.Errorf("input 8, a zero point, is given without its scale, input 7")
	}
	// Gemm wants operands of one type; only their shapes matter here.
	product := &Call{Attributes: c.Attributes, In: make([]*Tensor, 3)}
	for i, from := range []int{0, 3, 6} {
		if c.has(from) {
			product.In[i] = &Tensor{DType: F32, Shape: c.In[from].Shape}
		}
	}
	g, err := product.gemm()
	if err != nil {
		return nil, err
	}
	for _, i := range []int{4, 5} { // one, or one for each column
		if c.has(i) && (len(c.In[i].Shape) > 1 || Elements(c.In[i].Shape) != 1 && c.In[i].Shape[0] != g.n) {
			return nil, fmt.Errorf("input %d is of shape %v, want one element or %d", i, c.In[i].Shape, g.n)
		}
	}
	return g, nil
}

func runQGemm(c *Call, out []*Tensor) error {
	g, err := c.quantizedGemm()
	if err != nil || out[0] == nil {
		return err
	}
	a, b := int32s(c.In[0]), int32s(c.In[3])
	zeroA, zeroB := []int32{0}, []int32{0}
	if c.has(2) {
		zeroA = int32s(c.In[2])
	}
	if c.has(5) {
		zeroB = int32s(c.In[5])
	}
	sums := make([]int32, g.m*g.n)
	if c.has(6) {
		for i, v := range repeatedTo(float64s(c.In[6]), c.In[6].Shape, out[0].Shape) {
			sums[i] = int32(v)
		}
	}
	for i := range g.m {
		row := sums[i*g.n:][:g.n]
		for k := range g.k {
			at := i*g.k + k
			if g.transA {
				at = k*g.m + i
			}
			v := a[at] - zeroA[0]
			for j := range row {
				at := k*g.n + j
				if g.transB {
					at = j*g.k + k
				}
				row[j] += v * (b[at] - zeroB[j%len(zeroB)])
			}
		}
	}
	scale, scales, y := float64(g.alpha)*float64s(c.In[1])[0], float64s(c.In[4]), make([]float64, len(sums))
	for i, sum := range sums {
		y[i] = float64(sum) * scale * scales[i%g.n%len(scales)]
	}
	if c.has(7) {
		c.requantize(out[0], y, 7, 8)
	} else {
		setFloat64s(out[0], y)
	}
	return nil
}
