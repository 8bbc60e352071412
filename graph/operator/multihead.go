package operator

import (
	"fmt"
	"math"
)

func init() {
	define("com.microsoft.MultiHeadAttention", definition{least: 1, most: 10, outputs: 3,
		infer: func(c *Call) ([]Type, error) {
			m, err := c.multiHead()
			if err != nil {
				return nil, err
			}
			d := c.In[0].DType
			return c.types(Type{d, []int{m.batch, m.queries, m.heads * m.valueSize}},
				Type{d, []int{m.batch, m.heads, m.keys, m.size}}, Type{d, []int{m.batch, m.heads, m.keys, m.valueSize}})
		},
		run: runMultiHead,
	})
	define("com.microsoft.Attention", definition{least: 2, most: 7, outputs: 2,
		infer: func(c *Call) ([]Type, error) {
			m, err := c.projectedAttention()
			if err != nil {
				return nil, err
			}
			if c.Outputs > 1 && m.size != m.valueSize {
				return nil, unsupportedf("a present state where keys and values differ in size")
			}
			d := c.In[0].DType
			return c.types(Type{d, []int{m.batch, m.queries, m.heads * m.valueSize}}, Type{d, []int{2, m.batch, m.heads, m.keys, m.size}})
		},
		run: runProjectedAttention,
	})
}

// multiHead is attention as ONNX Runtime fuses it: with a value that masked
// scores get, and a bias of scores.
type multiHead struct {
	attention
	filter        float64
	padding, bias int // inputs
}

func (c *Call) multiHeadAttributes(padding, bias int) (*multiHead, error) {
	heads, err1 := c.Attributes.Int("num_heads", 0)
	scale, err2 := c.Attributes.Float("scale", 0)
	filter, err3 := c.Attributes.Float("mask_filter_value", -10000)
	causal, err4 := c.Attributes.Int("unidirectional", 0)
	if err := firstError(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	if heads < 1 {
		return nil, fmt.Errorf(`attribute "num_heads" is %d, want 1 or more`, heads)
	}
	m := &multiHead{filter: float64(filter), padding: padding, bias: bias}
	m.heads, m.kvHeads, m.causal, m.scale, m.left, m.right = heads, heads, causal != 0, float64(scale), -1, -1
	return m, nil
}

// finish checks masks once the sizes are known.
func (m *multiHead) finish(c *Call) error {
	if m.scale == 0 {
		m.scale = 1 / math.Sqrt(float64(m.size))
	}
	if err := CheckShape([]int{m.batch, m.heads, m.queries, m.keys}); err != nil {
		return err
	}
	if err := c.wantType(m.padding, I32); err != nil {
		return err
	}
	if c.has(m.padding) {
		s := c.In[m.padding].Shape
		ok := len(s) == 1 && s[0] == m.batch || len(s) == 2 && s[0] == m.batch && s[1] == m.keys ||
			len(s) == 3 && s[0] == m.batch && s[1] == m.queries && s[2] == m.keys
		if !ok {
			return unsupportedf("a mask of shape %v for %d sequences of %d queries and %d keys", s, m.batch, m.queries, m.keys)
		}
	}
	if c.has(m.padding) || c.has(m.bias) {
		m.mask = []int{m.batch, 1, m.queries, m.keys}
	}
	if c.has(m.bias) {
		s := c.In[m.bias].Shape
		if len(s) != 4 || s[0] != 1 && s[0] != m.batch || s[1] != 1 && s[1] != m.heads || s[2] != m.queries || s[3] != m.keys {
			return fmt.Errorf("the bias of scores, input %d, is of shape %v, want %v", m.bias, s, []int{m.batch, m.heads, m.queries, m.keys})
		}
		m.mask[1] = s[1]
	}
	return nil
}

// added is what scores get: for each sequence, the heads or all of them alike,
// query and key.
func (m *multiHead) added(c *Call) *maskBias {
	if m.mask == nil {
		return &maskBias{attention: &m.attention}
	}
	mask := make([]float64, Elements(m.mask))
	if c.has(m.bias) {
		copy(mask, repeated(c.In[m.bias], m.mask))
	}
	if c.has(m.padding) {
		p := c.In[m.padding]
		v, each := p.Data.([]int32), m.mask[1]*m.queries*m.keys
		for i := range mask {
			n, q, k := i/each, i/m.keys%m.queries, i%m.keys
			var masked bool
			switch len(p.Shape) {
			case 1:
				masked = k >= int(v[n])
			case 2:
				masked = v[n*m.keys+k] == 0
			default:
				masked = v[(n*m.queries+q)*m.keys+k] == 0
			}
			if masked {
				mask[i] += m.filter
			}
		}
	}
	return &maskBias{attention: &m.attention, mask: mask}
}

// attendTo computes the output, with the heads last.
func (m *multiHead) attendTo(c *Call, q, k, v []float64) []float64 {
	y := m.attend(q, k, v, m.added(c), nil)
	turned := make([]float64, len(y))
	swapMiddle(turned, y, m.batch, m.heads, m.queries)
	return turned
}

func (c *Call) multiHead() (*multiHead, error) {
	if err := c.wantFloat(0, 1, 2, 3, 5, 6, 7); err != nil {
		return nil, err
	}
	m, err := c.multiHeadAttributes(4, 5)
	if err != nil {
		return nil, err
	}
	if c.has(8) || c.has(9) {
		return nil, unsupportedf("past_sequence_length and cache_indirection, inputs 8 and 9")
	}
	q := c.In[0].Shape
	if !c.has(1) || !c.has(2) || len(q) != 3 {
		return nil, unsupportedf("packed queries, keys and values")
	}
	m.batch, m.queries = q[0], q[1]
	if q[2]%m.heads != 0 {
		return nil, fmt.Errorf("%d heads do not divide queries of shape %v", m.heads, q)
	}
	m.size = q[2] / m.heads
	k, v := c.In[1].Shape, c.In[2].Shape
	if len(k) == 3 && len(v) == 3 {
		if k[2] != q[2] || v[2]%m.heads != 0 {
			return nil, fmt.Errorf("keys of shape %v and values of %v do not fit queries of %v", k, v, q)
		}
		m.keys, m.valueSize = k[1], v[2]/m.heads
		err = firstError(c.wantShape(1, m.batch, m.keys, k[2]), c.wantShape(2, m.batch, m.keys, v[2]))
	} else if len(k) == 4 && len(v) == 4 {
		m.keys, m.valueSize = k[2], v[3]
		err = firstError(c.wantShape(1, m.batch, m.heads, m.keys, m.size), c.wantShape(2, m.batch, m.heads, m.keys, m.valueSize))
	} else {
		err = unsupportedf("keys of shape %v and values of %v", k, v)
	}
	if err != nil {
		return nil, err
	}
	if err := c.wantShape(3, 2*q[2]+m.heads*m.valueSize); err != nil {
		return nil, err
	}
	if c.has(3) && len(k) == 4 {
		return nil, unsupportedf("a bias, input 3, of keys of shape %v", k)
	}
	if c.has(6) != c.has(7) {
		return nil, fmt.Errorf("past keys, input 6, and values, input 7, must be given together")
	}
	if c.has(6) {
		if err := c.wantRank(6, 4, 4); err != nil {
			return nil, err
		}
		m.past = c.In[6].Shape[2]
		err := firstError(c.wantShape(6, m.batch, m.heads, m.past, m.size), c.wantShape(7, m.batch, m.heads, m.past, m.valueSize))
		if err != nil {
			return nil, err
		}
	}
	m.keys += m.past
	return m, m.finish(c)
}

func runMultiHead(c *Call, out []*Tensor) error {
	m, err := c.multiHead()
	if err != nil {
		return err
	}
	var parts [3][]float64
	bias, from := float64s(c.input(3)), 0
	for i := range parts {
		t := c.In[i]
		width := t.Shape[len(t.Shape)-1]
		if bias != nil {
			shifted := float64s(t)
			sum := make([]float64, len(shifted))
			for j, v := range shifted {
				sum[j] = v + bias[from+j%width]
			}
			t = &Tensor{DType: F64, Shape: t.Shape, Data: sum}
		}
		from += width
		parts[i] = headsFirst(t, m.heads)
	}
	k := appended(float64s(c.input(6)), parts[1], m.batch*m.heads)
	v := appended(float64s(c.input(7)), parts[2], m.batch*m.heads)
	for i, x := range [][]float64{m.attendTo(c, parts[0], k, v), k, v} {
		if i < len(out) {
			setFloat64s(out[i], x)
		}
	}
	return nil
}

// projectedAttention is attention that projects its input to queries, keys and
// values first.
func (c *Call) projectedAttention() (*multiHead, error) {
	err := firstError(c.wantFloat(0, 1, 2, 4, 5), c.wantRank(0, 3, 3), c.wantRank(1, 2, 2))
	if err != nil {
		return nil, err
	}
	m, err := c.multiHeadAttributes(3, 5)
	if err != nil {
		return nil, err
	}
	if rotate, err := c.Attributes.Int("do_rotary", 0); err != nil || rotate != 0 {
		return nil, firstError(err, unsupportedf("attribute do_rotary"))
	}
	if c.has(6) {
		return nil, unsupportedf("past_sequence_length, input 6")
	}
	x, w := c.In[0].Shape, c.In[1].Shape
	sizes, err := c.Attributes.Ints("qkv_hidden_sizes")
	if err != nil {
		return nil, err
	}
	if len(sizes) == 0 && w[1]%3 == 0 {
		sizes = []int{w[1] / 3, w[1] / 3, w[1] / 3}
	}
	ok := len(sizes) == 3 && w[0] == x[2] && sizes[0] == sizes[1]
	sum := int64(0)
	for _, s := range sizes {
		ok, sum = ok && s >= 0 && s%m.heads == 0, sum+int64(s)
	}
	if !ok || sum != int64(w[1]) {
		return nil, fmt.Errorf("weights of shape %v do not fit an input of %v, %d heads, and sizes %v", w, x, m.heads, sizes)
	}
	m.batch, m.queries, m.keys, m.size, m.valueSize = x[0], x[1], x[1], sizes[0]/m.heads, sizes[2]/m.heads
	if err := c.wantShape(2, w[1]); err != nil {
		return nil, err
	}
	if c.has(4) {
		if err := c.wantRank(4, 5, 5); err != nil {
			return nil, err
		}
		m.past = c.In[4].Shape[3]
		if m.size != m.valueSize {
			return nil, unsupportedf("a past state where keys and values differ in size")
		}
		if err := c.wantShape(4, 2, m.batch, m.heads, m.past, m.size); err != nil {
			return nil, err
		}
	}
	m.keys += m.past
	return m, m.finish(c)
}

func runProjectedAttention(c *Call, out []*Tensor) error {
	m, err := c.projectedAttention()
	if err != nil {
		return err
	}
	x, w, bias := float64s(c.In[0]), float64s(c.In[1]), float64s(c.input(2))
	columns, width := c.In[1].Shape[1], c.In[0].Shape[2]
	var parts [3][]float64
	from := 0
	for i, size := range []int{m.size, m.size, m.valueSize} {
		y := make([]float64, m.batch*m.queries*m.heads*size)
		for r := range m.batch * m.queries {
			row := y[r*m.heads*size:][:m.heads*size]
			if bias != nil {
				copy(row, bias[from:])
			}
			for k, v := range x[r*width:][:width] {
				addScaled(row, w[k*columns+from:][:len(row)], v, 1)
			}
		}
		from += m.heads * size
		parts[i] = make([]float64, len(y))
		swapMiddle(parts[i], y, m.batch, m.queries, m.heads)
	}
	if c.has(4) {
		past := float64s(c.In[4])
		half := len(past) / 2
		parts[1] = appended(past[:half], parts[1], m.batch*m.heads)
		parts[2] = appended(past[half:], parts[2], m.batch*m.heads)
	}
	setFloat64s(out[0], m.attendTo(c, parts[0], parts[1], parts[2]))
	if len(out) > 1 {
		setFloat64s(out[1], append(append([]float64{}, parts[1]...), parts[2]...))
	}
	return nil
}
