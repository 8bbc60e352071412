package operator

import (
	"fmt"
	"math"
)

// The operators of the domain com.microsoft, and SimplifiedLayerNormalization,
// into which ONNX Runtime fuses parts of transformers.
func init() {
	define("com.microsoft.Gelu", biased(1, 1, func(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }))
	define("com.microsoft.BiasGelu", biased(2, 2, func(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }))
	define("com.microsoft.FastGelu", biased(1, 2, func(x float64) float64 {
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}))
	define("com.microsoft.QuickGelu", unaryFloat(func(a Attributes) (func(float64) float64, error) {
		alpha, err := a.Float("alpha", 1.702)
		return func(x float64) float64 { return x * sigmoid(float64(alpha)*x) }, err
	}))
	define("com.microsoft.FusedMatMul", definition{least: 2, most: 2, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			f, err := c.fusedMatMul()
			if err != nil {
				return nil, err
			}
			return inferMatMul(f)
		},
		run: runFusedMatMul,
	})
	define("SimplifiedLayerNormalization", definition{least: 2, most: 2, outputs: 2, exact: true,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0]
			if err := firstError(c.wantFloat(0), c.wantFloat(1)); err != nil {
				return nil, err
			}
			a, stash, err := c.layerNormAttributes()
			if err != nil {
				return nil, err
			}
			if err := c.wantBroadcast(1, x.Shape); err != nil {
				return nil, err
			}
			return c.types(Type{c.In[1].DType, x.Shape}, Type{stash, momentShape(x.Shape, a)})
		},
		run: func(c *Call, out []*Tensor) error {
			list := []*Tensor{out[0], nil, nil}
			if len(out) > 1 {
				list[2] = out[1]
			}
			return c.normalizeLayers(list, false)
		},
	})
	define("com.microsoft.SkipLayerNormalization", skipNormalization(true))
	define("com.microsoft.SkipSimplifiedLayerNormalization", skipNormalization(false))
	define("com.microsoft.EmbedLayerNormalization", definition{least: 1, most: 9, outputs: 3, infer: inferEmbedLayerNorm, run: runEmbedLayerNorm})
	define("com.microsoft.RotaryEmbedding", definition{least: 4, most: 4, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			if _, err := c.microsoftRotary(); err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, c.In[0].Shape})
		},
		run: func(c *Call, out []*Tensor) error {
			f, err := c.microsoftRotary()
			if err != nil {
				return err
			}
			r, err := f.rotary()
			if err != nil {
				return err
			}
			return r.run(f, out[0])
		},
	})
}

// biased is a function of each element to which a vector, input 1, is added
// first.
func biased(least, most int, f func(float64) float64) definition {
	return definition{least: least, most: most, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0]
			if err := firstError(c.wantFloat(0, 1), c.wantBroadcast(1, x.Shape)); err != nil {
				return nil, err
			}
			return c.types(Type{x.DType, x.Shape})
		},
		run: func(c *Call, out []*Tensor) error {
			x, bias := float64s(c.In[0]), float64s(c.input(1))
			if len(c.In) > 1 && c.In[1] != nil && len(x) > 0 && len(c.In[1].Shape) > 1 {
				bias = repeated(c.In[1], c.In[0].Shape)
			}
			y := make([]float64, len(x))
			for i, v := range x {
				if bias != nil {
					v += bias[i%len(bias)]
				}
				y[i] = f(v)
			}
			setFloat64s(out[0], y)
			return nil
		},
	}
}

// fusedMatMul is the call of MatMul on transposed operands.
func (c *Call) fusedMatMul() (*Call, error) {
	if err := c.wantFloat(0, 1); err != nil {
		return nil, err
	}
	if _, err := c.Attributes.Float("alpha", 1); err != nil {
		return nil, err
	}
	f := &Call{In: []*Tensor{c.In[0], c.In[1]}, Outputs: c.Outputs}
	for i, side := range []string{"A", "B"} {
		batch, err := c.Attributes.Int("transBatch"+side, 0)
		if err != nil {
			return nil, err
		}
		if batch != 0 {
			return nil, unsupportedf("attribute transBatch%s", side)
		}
		flip, err := c.Attributes.Int("trans"+side, 0)
		if err != nil {
			return nil, err
		}
		if flip != 0 && len(c.In[i].Shape) > 1 {
			f.In[i] = transposed(c.In[i])
		}
	}
	return f, nil
}

// transposed has the last two dimensions of a floating-point tensor swapped.
func transposed(t *Tensor) *Tensor {
	n := len(t.Shape)
	y := &Tensor{DType: t.DType, Shape: append([]int{}, t.Shape...)}
	rows, columns := t.Shape[n-2], t.Shape[n-1]
	y.Shape[n-2], y.Shape[n-1] = columns, rows
	switch x := t.Data.(type) {
	case []float32:
		y.Data = swapLast(x, rows, columns)
	case []float64:
		y.Data = swapLast(x, rows, columns)
	}
	return y
}

func swapLast[T number](x []T, rows, columns int) []T {
	y := make([]T, len(x))
	for i, v := range x {
		matrix, r, k := i/columns/rows, i/columns%rows, i%columns
		y[(matrix*columns+k)*rows+r] = v
	}
	return y
}

func runFusedMatMul(c *Call, out []*Tensor) error {
	f, err := c.fusedMatMul()
	if err != nil {
		return err
	}
	if err := runMatMul(f, out); err != nil {
		return err
	}
	alpha, _ := c.Attributes.Float("alpha", 1)
	y := float64s(out[0])
	for i := range y {
		y[i] *= float64(alpha)
	}
	setFloat64s(out[0], y)
	return nil
}

// skipNormalization normalizes the sum of two tensors. Inputs are x, skip,
// scale, then the shift if centre is set, and a bias that is added before.
func skipNormalization(centre bool) definition {
	most := 4
	if centre {
		most = 5
	}
	return definition{least: 3, most: most, outputs: 4,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0]
			if err := firstError(c.wantFloat(0, 1, 2, 3, 4), c.wantRank(0, 2, 3), c.wantBroadcast(1, x.Shape)); err != nil {
				return nil, err
			}
			if _, err := c.Attributes.Float("epsilon", 0); err != nil {
				return nil, err
			}
			hidden := x.Shape[len(x.Shape)-1]
			if err := firstError(c.wantShape(2, hidden), c.wantShape(3, hidden), c.wantShape(4, hidden)); err != nil {
				return nil, err
			}
			moment := Type{F32, momentShape(x.Shape, len(x.Shape)-1)}
			return c.types(Type{x.DType, x.Shape}, moment, moment, Type{x.DType, x.Shape})
		},
		run: func(c *Call, out []*Tensor) error {
			shape := c.In[0].Shape
			sum := append([]float64{}, float64s(c.In[0])...)
			shift, bias := c.input(3), c.input(4)
			if !centre {
				shift, bias = nil, c.input(3)
			}
			for _, t := range []*Tensor{c.In[1], bias} {
				for i, v := range repeated(t, shape) {
					sum[i] += v
				}
			}
			normalizeLast(c, out[:min(len(out), 3)], sum, shape, c.In[2], shift, centre)
			if len(out) > 3 {
				setFloat64s(out[3], sum)
			}
			return nil
		},
	}
}

// normalizeLast normalizes lines of the last dimension of x.
func normalizeLast(c *Call, out []*Tensor, x []float64, shape []int, scale, shift *Tensor, centre bool) {
	a := Attributes{"epsilon": float32(1e-12), "axis": int64(-1)}
	if e, ok := c.Attributes["epsilon"]; ok {
		a["epsilon"] = e
	}
	whole := &Tensor{DType: F64, Shape: shape, Data: x}
	// What it checks has been checked.
	(&Call{Attributes: a, In: []*Tensor{whole, scale, shift}}).normalizeLayers(out, centre)
}

func inferEmbedLayerNorm(c *Call) ([]Type, error) {
	err := firstError(c.wantType(0, I32, I64), c.wantRank(0, 2, 2), c.wantSame(0, 1), c.wantShape(1, c.In[0].Shape...),
		c.wantFloat(2, 3, 4, 5, 6), c.wantRank(2, 2, 2), c.wantRank(3, 2, 2), c.wantRank(4, 2, 2), c.wantType(7, I32), c.wantType(8, I32, I64))
	if err != nil {
		return nil, err
	}
	for _, i := range []int{2, 3, 5, 6} {
		if !c.has(i) {
			return nil, fmt.Errorf("input %d is missing", i)
		}
	}
	if c.has(1) != c.has(4) {
		return nil, fmt.Errorf("segments, input 1, and their embedding, input 4, must be given together")
	}
	if _, err := c.Attributes.Float("epsilon", 0); err != nil {
		return nil, err
	}
	batch, steps, hidden := c.In[0].Shape[0], c.In[0].Shape[1], c.In[2].Shape[1]
	err = firstError(c.wantShape(3, c.In[3].Shape[0], hidden), c.wantShape(5, hidden), c.wantShape(6, hidden), c.wantShape(7, batch, steps))
	if c.has(4) && err == nil {
		err = c.wantShape(4, c.In[4].Shape[0], hidden)
	}
	if err != nil {
		return nil, err
	}
	if !c.has(8) && steps > c.In[3].Shape[0] {
		return nil, fmt.Errorf("%d positions, but the embedding, input 3, has %d", steps, c.In[3].Shape[0])
	}
	if err := c.wantShape(8, batch, steps); err != nil && c.wantShape(8, 1, steps) != nil {
		return nil, err
	}
	shape := []int{batch, steps, hidden}
	return c.types(Type{c.In[2].DType, shape}, Type{I32, []int{batch}}, Type{c.In[2].DType, shape})
}

func runEmbedLayerNorm(c *Call, out []*Tensor) error {
	batch, steps, hidden := c.In[0].Shape[0], c.In[0].Shape[1], c.In[2].Shape[1]
	sum := make([]float64, batch*steps*hidden)
	positions := c.input(8)
	if positions == nil {
		positions = New(I64, 1, steps)
		for i := range steps {
			positions.Data.([]int64)[i] = int64(i)
		}
	}
	for _, e := range [][2]*Tensor{{c.In[0], c.In[2]}, {positions, c.In[3]}, {c.input(1), c.input(4)}} {
		if e[0] == nil {
			continue
		}
		rows, n := float64s(e[1]), int64(e[1].Shape[0])
		indices, _ := e[0].Ints()
		for t := range batch * steps {
			row := indices[t%len(indices)]
			if row < 0 || row >= n {
				return fmt.Errorf("index %d is outside an embedding of %d", row, n)
			}
			for k, v := range rows[int(row)*hidden:][:hidden] {
				sum[t*hidden+k] += v
			}
		}
	}
	if len(out) > 2 {
		setFloat64s(out[2], sum)
	}
	if len(out) > 1 && out[1] != nil {
		lengths := out[1].Data.([]int32)
		clear(lengths)
		if c.has(7) {
			for i, m := range c.In[7].Data.([]int32) {
				lengths[i/steps] += m
			}
		}
	}
	normalizeLast(c, out[:1], sum, []int{batch, steps, hidden}, c.In[5], c.In[6], true)
	return nil
}

// microsoftRotary is the call of RotaryEmbedding that the one of com.microsoft
// stands for: positions are input 1, of each step or of the first alone.
func (c *Call) microsoftRotary() (*Call, error) {
	err := firstError(c.wantFloat(0, 2, 3), c.wantType(1, I64), c.wantRank(0, 3, 4), c.wantRank(2, 2, 2))
	if err != nil {
		return nil, err
	}
	if packed, err := c.Attributes.Int("is_packed_batching", 0); err != nil || packed != 0 {
		return nil, firstError(err, unsupportedf("attribute is_packed_batching"))
	}
	if scale, err := c.Attributes.Float("scale", 1); err != nil || scale != 1 {
		return nil, firstError(err, unsupportedf("attribute scale of %g", scale))
	}
	x := c.In[0].Shape
	a := Attributes{}
	for name, v := range c.Attributes {
		a[name] = v
	}
	heads, err := a.Int("num_heads", 0)
	if err != nil {
		return nil, err
	}
	batch, steps := x[0], x[1]
	if len(x) == 4 {
		steps = x[2]
	} else if heads == 0 {
		// Heads are as large as the tables turn.
		size := 2 * c.In[2].Shape[1]
		if size == 0 || x[2]%size != 0 {
			return nil, fmt.Errorf("heads of %d do not divide the last dimension of %v", size, x)
		}
		a["num_heads"] = int64(x[2] / size)
	}
	positions := c.In[1]
	if Elements(positions.Shape) == 1 && batch*steps != 1 {
		first := positions
		positions = &Tensor{DType: I64, Shape: []int{batch, steps}}
		if first.Data != nil {
			list := make([]int64, batch*steps)
			for i := range list {
				list[i] = first.Data.([]int64)[0] + int64(i%steps)
			}
			positions.Data = list
		}
	} else if len(positions.Shape) == 1 && Elements(positions.Shape) == batch*steps {
		positions = &Tensor{DType: I64, Shape: []int{batch, steps}, Data: positions.Data}
	}
	f := &Call{Attributes: a, In: []*Tensor{c.In[0], c.In[2], c.In[3], positions}, Outputs: c.Outputs}
	_, err = f.rotary()
	return f, err
}
