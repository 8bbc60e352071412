package operator

import (
	"fmt"
	"math"
)

func init() {
	define("QuantizeLinear", definition{least: 2, most: 3, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0]
			if err := firstError(c.wantType(0, F32, F64, I32), c.wantFloat(1), c.wantType(2, U8, I8, U16, I16)); err != nil {
				return nil, err
			}
			d, err := c.typeAttribute("output_dtype", "")
			if err != nil {
				return nil, err
			}
			if _, err := c.typeAttribute("precision", ""); err != nil {
				return nil, err
			}
			if c.has(2) {
				if d != "" && d != c.In[2].DType {
					return nil, fmt.Errorf(`attribute "output_dtype" names %s, but the zero point is of type %s`, d, c.In[2].DType)
				}
				d = c.In[2].DType
			}
			switch d {
			case "":
				d = U8
			case U8, I8, U16, I16:
			default:
				return nil, unsupportedf("quantizing to type %s", d)
			}
			if _, err := c.scaleBlocks(); err != nil {
				return nil, err
			}
			return c.types(Type{d, x.Shape})
		},
		run: func(c *Call, out []*Tensor) error {
			b, err := c.scaleBlocks()
			if err != nil || out[0] == nil {
				return err
			}
			x, scale, zero := float64s(c.In[0]), float64s(c.In[1]), float64s(c.input(2))
			y := make([]float64, len(x))
			for i, v := range x {
				k := b.index(i)
				// In single precision, as all implementations divide: a tie
				// between two whole numbers is one only there.
				y[i] = math.RoundToEven(float64(float32(v) / float32(scale[k])))
				if zero != nil {
					y[i] += zero[k]
				}
			}
			setFloat64s(out[0], y)
			return nil
		},
	})
	define("DequantizeLinear", definition{least: 2, most: 3, outputs: 1, exact: true,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0]
			err := firstError(c.wantType(0, I8, U8, I16, U16, I32), c.wantFloat(1), c.wantSame(0, 2))
			if err != nil {
				return nil, err
			}
			d, err := c.typeAttribute("output_dtype", c.In[1].DType)
			if err != nil {
				return nil, err
			}
			if !d.IsFloat() {
				return nil, fmt.Errorf(`attribute "output_dtype" names %s, want a floating-point type`, d)
			}
			if _, err := c.scaleBlocks(); err != nil {
				return nil, err
			}
			return c.types(Type{d, x.Shape})
		},
		run: func(c *Call, out []*Tensor) error {
			b, err := c.scaleBlocks()
			if err != nil || out[0] == nil {
				return err
			}
			x, scale, zero := float64s(c.In[0]), float64s(c.In[1]), float64s(c.input(2))
			y := make([]float64, len(x))
			for i, v := range x {
				k := b.index(i)
				if zero != nil {
					v -= zero[k]
				}
				y[i] = v * scale[k]
			}
			setFloat64s(out[0], y)
			return nil
		},
	})
	define("DynamicQuantizeLinear", definition{least: 1, most: 1, outputs: 3,
		infer: func(c *Call) ([]Type, error) {
			if err := c.wantType(0, F32); err != nil {
				return nil, err
			}
			return c.types(Type{U8, c.In[0].Shape}, Type{F32, []int{}}, Type{U8, []int{}})
		},
		run: runDynamicQuantizeLinear,
	})
	define("MatMulInteger", definition{least: 2, most: 4, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			err := firstError(c.wantType(0, I8, U8), c.wantType(1, I8, U8), c.wantSame(0, 2), c.wantSame(1, 3))
			if err != nil {
				return nil, err
			}
			m, err := c.integerProduct(0, 2, 1, 3)
			if err != nil {
				return nil, err
			}
			return c.types(Type{I32, m.shape})
		},
		run: func(c *Call, out []*Tensor) error {
			m, err := c.integerProduct(0, 2, 1, 3)
			if err != nil || out[0] == nil {
				return err
			}
			m.multiply(out[0].Data.([]int32), c.In[0], c.input(2), c.In[1], c.input(3))
			return nil
		},
	})
	define("QLinearMatMul", definition{least: 8, most: 8, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			err := firstError(c.wantType(0, I8, U8), c.wantType(3, I8, U8), c.wantType(7, I8, U8), c.wantSame(0, 2), c.wantSame(3, 5),
				c.wantFloat(1), c.wantFloat(4), c.wantFloat(6), c.wantScalar(6), c.wantScalar(7))
			if err != nil {
				return nil, err
			}
			m, err := c.integerProduct(0, 2, 3, 5)
			if err != nil {
				return nil, err
			}
			// Scales are laid out as the zero points are.
			if err := firstError(m.left.fits(c, 1), m.right.fits(c, 4)); err != nil {
				return nil, err
			}
			return c.types(Type{c.In[7].DType, m.shape})
		},
		run: runQLinearMatMul,
	})
	// ONNX Runtime had types of 16 bits first, in a domain of its own.
	for _, name := range []string{"QuantizeLinear", "DequantizeLinear"} {
		definitions["com.microsoft."+name] = definitions[name]
	}
}

// typeAttribute is the element type that an attribute names by its number in
// ONNX; missing where it is not given or 0.
func (c *Call) typeAttribute(name string, missing DType) (DType, error) {
	n, err := c.Attributes.Int(name, 0)
	if err != nil || n == 0 {
		return missing, err
	}
	d, ok := map[int]DType{1: F32, 2: U8, 3: I8, 4: U16, 5: I16, 6: I32, 7: I64, 9: Bool, 10: F16, 11: F64, 12: U32, 13: U64, 16: BF16}[n]
	if !ok {
		return missing, unsupportedf("element type %d, which attribute %q names", n, name)
	}
	return d, nil
}

// scaleBlocks is how the scales and zero points of a quantized tensor belong to its
// elements: one for all, or one for each block along a dimension.
type blocks struct {
	inner, size, block, count int // the blocked dimension
	whole                     bool
	each                      bool // lines before and behind the dimension have their own
}

func (c *Call) scaleBlocks() (*blocks, error) {
	x, scale := c.In[0].Shape, c.In[1].Shape
	// One element may have a dimension, or none.
	if c.wantScalar(1) != nil || c.wantScalar(2) != nil {
		if err := c.wantShape(2, scale...); err != nil {
			return nil, err
		}
	}
	block, err := c.Attributes.Int("block_size", 0)
	if err != nil {
		return nil, err
	}
	at, err := c.Attributes.Int("axis", 1)
	if err != nil {
		return nil, err
	}
	if len(scale) == 0 || block == 0 && len(scale) == 1 && scale[0] == 1 {
		return &blocks{whole: true}, nil
	}
	if at, err = axis(at, len(x)); err != nil {
		return nil, fmt.Errorf("%w, in which scales of shape %v would lie", err, scale)
	}
	b := &blocks{inner: Elements(x[at+1:]), size: x[at], block: 1, count: x[at]}
	if block == 0 {
		if len(scale) != 1 || scale[0] != x[at] {
			return nil, fmt.Errorf("scales of shape %v, want one or %d as dimension %d has", scale, x[at], at)
		}
		return b, nil
	}
	if block < 1 {
		return nil, fmt.Errorf(`attribute "block_size" is %d, want 1 or more`, block)
	}
	b.each, b.block, b.count = true, block, (x[at]+block-1)/block
	want := append([]int{}, x...)
	want[at] = b.count
	return b, c.wantShape(1, want...)
}

// index is which scale element i of the tensor has.
func (b *blocks) index(i int) int {
	if b.whole {
		return 0
	}
	inner, rest := i%b.inner, i/b.inner
	k := rest % b.size / b.block
	if !b.each {
		return k
	}
	return (rest/b.size*b.count+k)*b.inner + inner
}

func runDynamicQuantizeLinear(c *Call, out []*Tensor) error {
	x := c.In[0].Data.([]float32)
	var least, most float32
	for _, v := range x {
		least, most = min(least, v), max(most, v)
	}
	scale := (most - least) / 255
	if most == least {
		scale = 1.0 / 255
	}
	zero := float32(math.RoundToEven(float64(max(0, min(255, -least/scale)))))
	if out[0] != nil {
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = math.RoundToEven(float64(v/scale)) + float64(zero)
		}
		setFloat64s(out[0], y)
	}
	if len(out) > 1 {
		setFloat64s(out[1], []float64{float64(scale)})
	}
	if len(out) > 2 {
		setFloat64s(out[2], []float64{float64(zero)})
	}
	return nil
}

// integerProduct is a product of integer matrices, in batches that repeat.
type integerProduct struct {
	shape       []int // of the output
	m, k, n     int
	batch       []int
	a, b        []int // steps of the batch's dimensions in the operands
	left, right quantizedOperand
}

// quantizedOperand is how scales and zero points belong to a matrix: to its
// rows, or to its columns for the right one.
type quantizedOperand struct {
	shape []int
	lines int // dimension whose indices may have their own, counted from the end
}

// fits checks that input i, where given, is one element, one for each line, or
// one for each line of each matrix.
func (q quantizedOperand) fits(c *Call, i int) error {
	if !c.has(i) {
		return nil
	}
	s := c.In[i].Shape
	if len(s) == 0 || len(s) == 1 && s[0] == 1 {
		return nil
	}
	if len(q.shape) >= 2 && len(s) == 1 {
		return c.wantShape(i, q.shape[len(q.shape)-q.lines])
	}
	if len(q.shape) < 2 {
		return c.wantShape(i, 1)
	}
	each := append([]int{}, q.shape...)
	each[len(each)-3+q.lines] = 1
	return c.wantShape(i, each...)
}

// index is which scale belongs to row or column l of matrix b of the operand.
func (q quantizedOperand) index(count, b, l int) int {
	if count == 1 {
		return 0
	}
	return (b*q.shape[len(q.shape)-q.lines] + l) % count
}

func (c *Call) integerProduct(a, zeroA, b, zeroB int) (*integerProduct, error) {
	p := &integerProduct{left: quantizedOperand{c.In[a].Shape, 2}, right: quantizedOperand{c.In[b].Shape, 1}}
	x, y := c.In[a].Shape, c.In[b].Shape
	if len(x) == 0 || len(y) == 0 {
		return nil, fmt.Errorf("matrices of shape %v and %v, want at least one dimension", x, y)
	}
	if err := firstError(p.left.fits(c, zeroA), p.right.fits(c, zeroB)); err != nil {
		return nil, err
	}
	vectorX, vectorY := len(x) == 1, len(y) == 1
	if vectorX {
		x = []int{1, x[0]}
	}
	if vectorY {
		y = []int{y[0], 1}
	}
	p.m, p.k, p.n = x[len(x)-2], x[len(x)-1], y[len(y)-1]
	if y[len(y)-2] != p.k {
		return nil, fmt.Errorf("matrices of shape %v and %v do not fit", c.In[a].Shape, c.In[b].Shape)
	}
	x, y = x[:len(x)-2], y[:len(y)-2]
	var err error
	if p.batch, err = broadcast(x, y); err != nil {
		return nil, err
	}
	p.a, p.b = broadcastStrides(x, p.batch), broadcastStrides(y, p.batch)
	p.shape = append([]int{}, p.batch...)
	if !vectorX {
		p.shape = append(p.shape, p.m)
	}
	if !vectorY {
		p.shape = append(p.shape, p.n)
	}
	return p, nil
}

// operands are the matrices of each operand that make matrix i of the product.
func (p *integerProduct) operands(i int) (a, b int) {
	for d := len(p.batch) - 1; d >= 0; d-- {
		k := i % p.batch[d]
		i /= p.batch[d]
		a, b = a+k*p.a[d], b+k*p.b[d]
	}
	return a, b
}

func (p *integerProduct) multiply(out []int32, x, zeroX, y, zeroY *Tensor) {
	clear(out)
	a, b := p.left.centred(x, zeroX), p.right.centred(y, zeroY)
	for i := range Elements(p.batch) {
		ma, mb := p.operands(i)
		for r := range p.m {
			row := out[(i*p.m+r)*p.n:][:p.n]
			for k, v := range a[(ma*p.m+r)*p.k:][:p.k] {
				addScaled(row, b[(mb*p.k+k)*p.n:][:p.n], v, 1)
			}
		}
	}
}

// centred are the elements of the operand less their zero points.
func (q quantizedOperand) centred(t, zero *Tensor) []int32 {
	v := int32s(t)
	if zero == nil {
		return v
	}
	z, y := int32s(zero), make([]int32, len(v))
	if len(z) == 1 {
		for i := range y {
			y[i] = v[i] - z[0]
		}
		return y
	}
	rows, columns := q.shape[len(q.shape)-2], q.shape[len(q.shape)-1]
	for i := range y {
		l := i % columns
		if q.lines == 2 {
			l = i / columns % rows
		}
		y[i] = v[i] - z[q.index(len(z), i/columns/rows, l)]
	}
	return y
}

func runQLinearMatMul(c *Call, out []*Tensor) error {
	p, err := c.integerProduct(0, 2, 3, 5)
	if err != nil || out[0] == nil {
		return err
	}
	sums := make([]int32, Elements(p.shape))
	p.multiply(sums, c.In[0], c.In[2], c.In[3], c.In[5])
	a, b := float64s(c.In[1]), float64s(c.In[4])
	scale, zero := float64s(c.In[6])[0], float64s(c.In[7])[0]
	y := make([]float64, len(sums))
	for i := range Elements(p.batch) {
		ma, mb := p.operands(i)
		for r := range p.m {
			for n := range p.n {
				at := (i*p.m+r)*p.n + n
				f := a[p.left.index(len(a), ma, r)] * b[p.right.index(len(b), mb, n)] / scale
				y[at] = math.RoundToEven(float64(sums[at])*f) + zero
			}
		}
	}
	setFloat64s(out[0], y)
	return nil
}
