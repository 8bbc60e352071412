package kernels

import (
	"fmt"
	"math"
)

// Attention is the shape of scaled dot-product attention: for each query the
// mean of the values, weighted by the softmax of scale times the dot products
// of the query and the keys, plus a mask. Its operands are
//
//	queries  [Batch, Heads, QueryLen, KeyDim]
//	keys     [Batch, KVHeads, KVLen, KeyDim]
//	values   [Batch, KVHeads, KVLen, ValueDim]
//	result   [Batch, Heads, QueryLen, ValueDim]
//	mask     [QueryLen, KVLen], or [Heads, QueryLen, KVLen] with MaskPerHead
type Attention struct {
	Batch, Heads     int
	KVHeads          int // a divisor of Heads, whose heads share keys and values in groups; 0: Heads
	QueryLen, KVLen  int
	KeyDim, ValueDim int
	Scale            float32 // above 0; 0: 1/sqrt(KeyDim)
	MaskPerHead      bool
	KVCapacity       int // tokens that there is room for in keys and values, of which the first KVLen count; 0: KVLen
	// Causal hides from query i the keys after i + KVLen - QueryLen: the last
	// query sees all.
	Causal bool
	// Interleaved operands lie as projections leave them, [Batch, tokens,
	// heads, elements], keys and values included.
	Interleaved bool
}

// Multiplications returns the number of multiply-adds of the forward pass,
// hidden keys included.
func (s Attention) Multiplications() int {
	return s.Batch * s.Heads * s.QueryLen * s.KVLen * (s.KeyDim + s.ValueDim)
}

// operand is where the heads of an operand lie, in elements.
type operand struct {
	data             []float32
	batch, head, row int
}

func (o *operand) at(b, h, i int) int { return b*o.batch + h*o.head + i*o.row }

// view returns where an operand's heads lie; capacity is the number of tokens
// of each sequence. Of the last sequence only length have to be there.
func (s *Attention) view(function, name string, data []float32, heads, length, capacity, n int) operand {
	o := operand{data, capacity * heads * n, capacity * n, n}
	if s.Interleaved {
		o.head, o.row = n, heads*n
	}
	if s.Batch > 0 && heads > 0 && length > 0 && n > 0 {
		checkLength(function, name, len(data), o.at(s.Batch-1, heads-1, length-1)+n)
	}
	return o
}

// resolve fills in defaults and panics if the shape is none.
func (s *Attention) resolve(function string, mask []float32) {
	if s.KVHeads == 0 {
		s.KVHeads = s.Heads
	}
	if s.KVCapacity == 0 {
		s.KVCapacity = s.KVLen
	}
	if s.Scale == 0 {
		s.Scale = float32(1 / math.Sqrt(float64(s.KeyDim)))
	}
	if s.Batch < 0 || s.Heads < 0 || s.KVHeads < 0 || s.KVHeads > 0 && s.Heads%s.KVHeads != 0 ||
		s.QueryLen < 0 || s.KVLen < 0 || s.KVCapacity < s.KVLen || s.KeyDim < 1 || s.ValueDim < 0 || !(s.Scale > 0) {
		panic(fmt.Sprintf("kernels: %s: impossible shape %+v", function, *s))
	}
	if mask != nil {
		n := s.QueryLen * s.KVLen
		if s.MaskPerHead {
			n *= s.Heads
		}
		checkLength(function, "mask", len(mask), n)
	}
}

// visible returns how many of the first keys query i sees.
func (s *Attention) visible(i int) int {
	if !s.Causal {
		return s.KVLen
	}
	return min(max(i+1+s.KVLen-s.QueryLen, 0), s.KVLen)
}

// AttentionForward sets dst to the attention of queries q to keys k and values
// v. mask, which may be nil, is added to the scaled dot products; -Inf hides a
// key. logs [Batch, Heads, QueryLen], if not nil, gets the logarithm of the
// sum of exponentials of each query, which AttentionBackward needs. A query
// that sees no key has the result 0 and the logarithm -Inf. A weight of 0 makes
// NaN of a value that is not finite, hidden or not, and weights below 2^-126 of
// the largest may count as 0; values above 1e26 may overflow. No matrix of
// QueryLen by KVLen is stored.
func AttentionForward(ws *Workspace, s Attention, dst, q, k, v, mask, logs []float32) {
	const function = "AttentionForward"
	s.resolve(function, mask)
	j := &ws.attention
	j.Attention = s
	j.dst = s.view(function, "dst", dst, s.Heads, s.QueryLen, s.QueryLen, s.ValueDim)
	j.q = s.view(function, "q", q, s.Heads, s.QueryLen, s.QueryLen, s.KeyDim)
	j.k = s.view(function, "k", k, s.KVHeads, s.KVLen, s.KVCapacity, s.KeyDim)
	j.v = s.view(function, "v", v, s.KVHeads, s.KVLen, s.KVCapacity, s.ValueDim)
	j.mask, j.logs = mask, logs
	if logs != nil {
		checkLength(function, "logs", len(logs), s.Batch*s.Heads*s.QueryLen)
	}
	if s.Batch*s.Heads*s.QueryLen == 0 {
		return
	}
	j.forward()
	j.dst, j.q, j.k, j.v, j.mask, j.logs = operand{}, operand{}, operand{}, operand{}, nil, nil
}

// AttentionBackward adds the gradients of AttentionForward to dq, dk and dv,
// given that of its result, ddst, and what it was called with: dst and logs
// are what it set. Weights are computed anew.
func AttentionBackward(ws *Workspace, s Attention, dq, dk, dv, ddst, q, k, v, mask, dst, logs []float32) {
	const function = "AttentionBackward"
	s.resolve(function, mask)
	j := &ws.attention
	j.Attention = s
	x := &j.backward
	j.dst = s.view(function, "dst", dst, s.Heads, s.QueryLen, s.QueryLen, s.ValueDim)
	x.ddst = s.view(function, "ddst", ddst, s.Heads, s.QueryLen, s.QueryLen, s.ValueDim)
	j.q = s.view(function, "q", q, s.Heads, s.QueryLen, s.QueryLen, s.KeyDim)
	x.dq = s.view(function, "dq", dq, s.Heads, s.QueryLen, s.QueryLen, s.KeyDim)
	j.k = s.view(function, "k", k, s.KVHeads, s.KVLen, s.KVCapacity, s.KeyDim)
	x.dk = s.view(function, "dk", dk, s.KVHeads, s.KVLen, s.KVCapacity, s.KeyDim)
	j.v = s.view(function, "v", v, s.KVHeads, s.KVLen, s.KVCapacity, s.ValueDim)
	x.dv = s.view(function, "dv", dv, s.KVHeads, s.KVLen, s.KVCapacity, s.ValueDim)
	j.mask, j.logs = mask, logs
	checkLength(function, "logs", len(logs), s.Batch*s.Heads*s.QueryLen)
	if s.Batch*s.Heads*s.QueryLen*s.KVLen*s.ValueDim == 0 {
		return
	}
	x.run(j)
	j.dst, j.q, j.k, j.v, j.mask, j.logs = operand{}, operand{}, operand{}, operand{}, nil, nil
	x.dq, x.dk, x.dv, x.ddst = operand{}, operand{}, operand{}, operand{}
}
