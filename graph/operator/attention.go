package operator

import (
	"fmt"
	"math"
)

func init() {
	define("Attention", definition{least: 3, most: 7, outputs: 4, exact: true,
		infer: func(c *Call) ([]Type, error) {
			a, err := c.attention()
			if err != nil {
				return nil, err
			}
			d := c.In[0].DType
			return c.types(Type{d, a.outShape()}, Type{d, []int{a.batch, a.kvHeads, a.keys, a.size}},
				Type{c.In[2].DType, []int{a.batch, a.kvHeads, a.keys, a.valueSize}}, Type{d, []int{a.batch, a.heads, a.queries, a.keys}})
		},
		run: runAttention,
	})
	define("RotaryEmbedding", definition{least: 3, most: 4, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			if _, err := c.rotary(); err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, c.In[0].Shape})
		},
		run: func(c *Call, out []*Tensor) error {
			r, err := c.rotary()
			if err != nil || out[0] == nil {
				return err
			}
			return r.run(c, out[0])
		},
	})
}

// attention is the shape and masking of scaled dot-product attention.
type attention struct {
	batch, heads, kvHeads int
	queries, past, keys   int // keys counts those of the past
	size, valueSize       int
	scale, softcap        float64
	causal                bool
	left, right           int // of the sliding window, -1 without bound
	mode                  int // which scores are an output
	flat                  bool
	mask                  []int // shape, of 4 dimensions; nil for none
}

func (a *attention) outShape() []int {
	if a.flat {
		return []int{a.batch, a.queries, a.heads * a.valueSize}
	}
	return []int{a.batch, a.heads, a.queries, a.valueSize}
}

func (c *Call) attention() (*attention, error) {
	err := firstError(c.wantFloat(0, 1, 4), c.wantFloat(2, 5), c.wantType(6, I64), c.wantRank(0, 3, 4),
		c.wantRank(1, len(c.In[0].Shape), len(c.In[0].Shape)), c.wantRank(2, len(c.In[0].Shape), len(c.In[0].Shape)))
	if err != nil {
		return nil, err
	}
	a := &attention{flat: len(c.In[0].Shape) == 3}
	heads, err1 := c.Attributes.Int("q_num_heads", 0)
	kvHeads, err2 := c.Attributes.Int("kv_num_heads", 0)
	softcap, err3 := c.Attributes.Float("softcap", 0)
	causal, err4 := c.Attributes.Int("is_causal", 0)
	scale, err5 := c.Attributes.Float("scale", 0)
	_, err6 := c.typeAttribute("softmax_precision", "")
	if err := firstError(err1, err2, err3, err4, err5, err6); err != nil {
		return nil, err
	}
	a.softcap, a.causal = float64(softcap), causal != 0
	var err7 error
	a.left, err1 = c.Attributes.Int("left_window_size", -1)
	a.right, err2 = c.Attributes.Int("right_window_size", -1)
	a.mode, err7 = c.Attributes.Int("qk_matmul_output_mode", 0)
	if err := firstError(err1, err2, err7); err != nil {
		return nil, err
	}
	if a.left < -1 || a.right < -1 {
		return nil, fmt.Errorf("the window of %d to the left and %d to the right, want -1 or more", a.left, a.right)
	}
	if a.mode < 0 || a.mode > 3 {
		return nil, fmt.Errorf(`attribute "qk_matmul_output_mode" is %d, want 0 to 3`, a.mode)
	}
	if err := a.shapes(c, heads, kvHeads); err != nil {
		return nil, err
	}
	a.scale = 1 / math.Sqrt(float64(a.size))
	if _, given := c.Attributes["scale"]; given {
		a.scale = float64(scale)
	}
	return a, a.readMask(c)
}

func (a *attention) shapes(c *Call, heads, kvHeads int) error {
	q, k, v := c.In[0].Shape, c.In[1].Shape, c.In[2].Shape
	a.batch = q[0]
	if a.flat {
		if heads < 1 || kvHeads < 1 || q[2]%heads != 0 || k[2]%kvHeads != 0 || v[2]%kvHeads != 0 {
			return fmt.Errorf("%d heads of queries and %d of keys and values do not divide the last dimensions of %v, %v and %v", heads, kvHeads, q, k, v)
		}
		q, k, v = []int{q[0], heads, q[1], q[2] / heads}, []int{k[0], kvHeads, k[1], k[2] / kvHeads}, []int{v[0], kvHeads, v[1], v[2] / kvHeads}
	}
	a.heads, a.kvHeads, a.queries, a.size, a.valueSize = q[1], k[1], q[2], q[3], v[3]
	if heads != 0 && heads != a.heads || kvHeads != 0 && kvHeads != a.kvHeads {
		return fmt.Errorf("%d and %d heads, but attributes say %d and %d", a.heads, a.kvHeads, heads, kvHeads)
	}
	if k[0] != a.batch || v[0] != a.batch || v[1] != a.kvHeads || v[2] != k[2] || k[3] != a.size {
		return fmt.Errorf("queries, keys and values of %v, %v and %v do not fit", q, k, v)
	}
	if a.kvHeads == 0 || a.heads%a.kvHeads != 0 {
		return fmt.Errorf("%d heads of keys do not divide %d of queries", a.kvHeads, a.heads)
	}
	if c.has(4) != c.has(5) {
		return fmt.Errorf("past keys, input 4, and values, input 5, must be given together")
	}
	if c.has(4) {
		if c.has(6) {
			return fmt.Errorf("past keys, input 4, do not go with nonpad_kv_seqlen, input 6")
		}
		if err := c.wantRank(4, 4, 4); err != nil {
			return err
		}
		a.past = c.In[4].Shape[2]
		err := firstError(c.wantShape(4, a.batch, a.kvHeads, a.past, a.size), c.wantShape(5, a.batch, a.kvHeads, a.past, a.valueSize))
		if err != nil {
			return err
		}
	}
	a.keys = a.past + k[2]
	return CheckShape([]int{a.batch, a.heads, a.queries, a.keys})
}

func (a *attention) readMask(c *Call) error {
	if err := c.wantShape(6, a.batch); err != nil || !c.has(3) {
		return err
	}
	m := c.In[3].Shape
	if err := c.wantRank(3, 1, 4); err != nil {
		return err
	}
	a.mask = []int{1, 1, 1, 1}
	copy(a.mask[4-len(m):], m)
	for i, want := range []int{a.batch, a.heads, a.queries} {
		if a.mask[i] != 1 && a.mask[i] != want {
			return fmt.Errorf("the mask, input 3, is of shape %v, which cannot be repeated to %v", m, []int{a.batch, a.heads, a.queries, a.keys})
		}
	}
	if a.mask[3] > a.keys {
		return fmt.Errorf("the mask, input 3, is of shape %v, but there are %d keys", m, a.keys)
	}
	return nil
}

// headsFirst are the elements of a tensor with the heads before the positions.
func headsFirst(t *Tensor, heads int) []float64 {
	x := float64s(t)
	if t == nil || len(t.Shape) == 4 {
		return x
	}
	y := make([]float64, len(x))
	swapMiddle(y, x, t.Shape[0], t.Shape[1], heads)
	return y
}

// swapMiddle turns [batch, a, b, rest] into [batch, b, a, rest].
func swapMiddle(dst, x []float64, batch, a, b int) {
	if len(x) == 0 {
		return
	}
	n := len(x) / (batch * a * b)
	for i := range batch {
		for j := range a {
			for k := range b {
				copy(dst[((i*b+k)*a+j)*n:][:n], x[((i*a+j)*b+k)*n:])
			}
		}
	}
}

// appended joins the past of each of n sequences and what is new.
func appended(past, x []float64, n int) []float64 {
	if past == nil || n == 0 {
		return x
	}
	y := make([]float64, 0, len(past)+len(x))
	for i := range n {
		y = append(y, past[i*len(past)/n:(i+1)*len(past)/n]...)
		y = append(y, x[i*len(x)/n:(i+1)*len(x)/n]...)
	}
	return y
}

func runAttention(c *Call, out []*Tensor) error {
	a, err := c.attention()
	if err != nil {
		return err
	}
	q, k, v := headsFirst(c.In[0], a.heads), headsFirst(c.In[1], a.kvHeads), headsFirst(c.In[2], a.kvHeads)
	k = appended(float64s(c.input(4)), k, a.batch*a.kvHeads)
	v = appended(float64s(c.input(5)), v, a.batch*a.kvHeads)
	var scores []float64
	if len(out) > 3 && out[3] != nil {
		scores = make([]float64, a.batch*a.heads*a.queries*a.keys)
	}
	y := a.attend(q, k, v, a.bias(c), scores)
	if a.flat {
		turned := make([]float64, len(y))
		swapMiddle(turned, y, a.batch, a.heads, a.queries)
		y = turned
	}
	for i, x := range [][]float64{y, k, v, scores} {
		if i < len(out) {
			setFloat64s(out[i], x)
		}
	}
	return nil
}

// maskBias is what is added to scores: from a mask, the lengths of sequences,
// and where a query may look.
type maskBias struct {
	*attention
	mask    []float64
	lengths []int64
}

func (a *attention) bias(c *Call) *maskBias {
	b := &maskBias{attention: a}
	if a.mask != nil {
		b.mask = float64s(c.In[3])
		if c.In[3].DType == Bool {
			for i, v := range b.mask {
				b.mask[i] = math.Log(v) // 0, or minus infinity
			}
		}
	}
	if c.has(6) {
		b.lengths, _ = c.In[6].Ints()
	}
	return b
}

// row fills in what is added to the scores of query i; it reports whether any
// key is left.
func (b *maskBias) row(dst []float64, batch, head, i int) bool {
	clear(dst)
	if b.mask != nil {
		n := b.attention.mask[3]
		at := ((min(batch, b.attention.mask[0]-1)*b.attention.mask[1]+min(head, b.attention.mask[1]-1))*b.attention.mask[2] +
			min(i, b.attention.mask[2]-1)) * n
		copy(dst, b.mask[at:at+n])
		for j := n; j < len(dst); j++ {
			dst[j] = math.Inf(-1)
		}
	}
	at, length := b.past+i, len(dst)
	if b.lengths != nil {
		length = int(max(0, min(int64(len(dst)), b.lengths[batch])))
		at = int(max(-MaxDim, min(MaxDim, b.lengths[batch]))) - b.queries + i
	}
	some := false
	for j := range dst {
		hidden := j >= length || b.causal && j > at || b.left >= 0 && at-j > b.left || b.right >= 0 && j-at > b.right
		if hidden {
			dst[j] = math.Inf(-1)
		}
		some = some || !math.IsInf(dst[j], -1)
	}
	return some
}

// attend computes attention from queries, keys and values with the heads
// first. It fills in scores where that is not nil.
func (a *attention) attend(q, k, v []float64, bias *maskBias, scores []float64) []float64 {
	y := make([]float64, a.batch*a.heads*a.queries*a.valueSize)
	row, added := make([]float64, a.keys), make([]float64, a.keys)
	for n := range a.batch {
		for h := range a.heads {
			kv := n*a.kvHeads + h/(a.heads/a.kvHeads)
			for i := range a.queries {
				at := (n*a.heads+h)*a.queries + i
				query := q[at*a.size:][:a.size]
				for j := range row {
					sum := 0.0
					for d, x := range k[(kv*a.keys+j)*a.size:][:a.size] {
						sum += x * query[d]
					}
					row[j] = sum * a.scale
				}
				a.keep(scores, row, at, 0)
				if a.softcap > 0 {
					for j, x := range row {
						row[j] = a.softcap * math.Tanh(x/a.softcap)
					}
				}
				a.keep(scores, row, at, 1)
				some := bias.row(added, n, h, i)
				for j, x := range added {
					row[j] += x
				}
				a.keep(scores, row, at, 2)
				if some {
					softmax(row)
				} else {
					clear(row)
				}
				a.keep(scores, row, at, 3)
				dst := y[at*a.valueSize:][:a.valueSize]
				for j, p := range row {
					if p != 0 {
						for d, x := range v[(kv*a.keys+j)*a.valueSize:][:a.valueSize] {
							dst[d] += p * x
						}
					}
				}
			}
		}
	}
	return y
}

// keep copies the scores of a query if that state of them is an output.
func (a *attention) keep(scores, row []float64, at, mode int) {
	if scores != nil && a.mode == mode {
		copy(scores[at*a.keys:], row)
	}
}

// rotary is the shape of a rotary position embedding.
type rotary struct {
	batch, steps, heads, size int
	turned                    int // elements of a head that are rotated
	interleaved, headsFirst   bool
	cached                    int // positions in the tables, for position numbers
}

func (c *Call) rotary() (*rotary, error) {
	err := firstError(c.wantFloat(0, 1, 2), c.wantRank(0, 3, 4), c.wantType(3, I64), c.wantShape(2, c.In[1].Shape...))
	if err != nil {
		return nil, err
	}
	interleaved, err1 := c.Attributes.Int("interleaved", 0)
	heads, err2 := c.Attributes.Int("num_heads", 0)
	turned, err3 := c.Attributes.Int("rotary_embedding_dim", 0)
	if err := firstError(err1, err2, err3); err != nil {
		return nil, err
	}
	x := c.In[0].Shape
	r := &rotary{batch: x[0], interleaved: interleaved != 0}
	if r.headsFirst = len(x) == 4; r.headsFirst {
		r.heads, r.steps, r.size = x[1], x[2], x[3]
	} else {
		if heads < 1 || x[2]%heads != 0 {
			return nil, fmt.Errorf(`attribute "num_heads" is %d, which does not divide the last dimension of %v`, heads, x)
		}
		r.steps, r.heads, r.size = x[1], heads, x[2]/heads
	}
	r.turned = r.size
	if turned != 0 {
		r.turned = turned
	}
	if r.turned < 0 || r.turned > r.size || r.turned%2 != 0 {
		return nil, fmt.Errorf("%d elements of a head of %d are to be rotated, want an even number that is no larger", r.turned, r.size)
	}
	if !c.has(3) {
		return r, c.wantShape(1, r.batch, r.steps, r.turned/2)
	}
	if err := firstError(c.wantRank(1, 2, 2), c.wantShape(3, r.batch, r.steps)); err != nil {
		return nil, err
	}
	r.cached = c.In[1].Shape[0]
	return r, c.wantShape(1, r.cached, r.turned/2)
}

func (r *rotary) run(c *Call, out *Tensor) error {
	x, cosines, sines := float64s(c.In[0]), float64s(c.In[1]), float64s(c.In[2])
	y := make([]float64, len(x))
	copy(y, x)
	var positions []int64
	if c.has(3) {
		positions = c.In[3].Data.([]int64)
		for _, p := range positions {
			if p < 0 || p >= int64(r.cached) {
				return fmt.Errorf("position %d is outside the %d of the tables", p, r.cached)
			}
		}
	}
	half := r.turned / 2
	for n := range r.batch {
		for s := range r.steps {
			line := n*r.steps + s
			if positions != nil {
				line = int(positions[line])
			}
			for h := range r.heads {
				at := ((n*r.steps+s)*r.heads + h) * r.size
				if r.headsFirst {
					at = ((n*r.heads+h)*r.steps + s) * r.size
				}
				for i := range half {
					a, b := at+i, at+half+i
					if r.interleaved {
						a, b = at+2*i, at+2*i+1
					}
					cos, sin := cosines[line*half+i], sines[line*half+i]
					y[a], y[b] = cos*x[a]-sin*x[b], sin*x[a]+cos*x[b]
				}
			}
		}
	}
	setFloat64s(out, y)
	return nil
}
