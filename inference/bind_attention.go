package inference

import (
	"math"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// attention is an Attention node taken apart.
type attention struct {
	kernels.Attention
	q, k, v, mask, pastK, pastV *graph.Value
	past                        int // tokens
	// maskShape is the mask's with four dimensions; each is the scores' or 1.
	maskShape [4]int
}

// attentionOf reads the attributes and shapes of an Attention node; false if
// there is no kernel for it.
func attentionOf(n *graph.Node) (attention, bool) {
	a := attention{
		q: n.Inputs[0], k: n.Inputs[1], v: n.Inputs[2],
		mask: input(n, 3), pastK: input(n, 4), pastV: input(n, 5),
	}
	if !isFloat(a.q, a.k, a.v, a.pastK, a.pastV) || !isFloat(n.Outputs...) || input(n, 6) != nil ||
		floatOf(n, "softcap", 0) != 0 || len(n.Outputs) > 3 || (a.pastK == nil) != (a.pastV == nil) {
		return a, false
	}
	s := &a.Attention
	switch len(a.q.Shape) {
	case 4: // [batch, heads, tokens, elements]
		s.Batch, s.Heads, s.QueryLen, s.KeyDim = a.q.Shape[0], a.q.Shape[1], a.q.Shape[2], a.q.Shape[3]
		s.KVHeads, s.KVLen, s.ValueDim = a.k.Shape[1], a.k.Shape[2], a.v.Shape[3]
	case 3: // [batch, tokens, heads * elements]
		s.Interleaved = true
		s.Batch, s.QueryLen, s.KVLen = a.q.Shape[0], a.q.Shape[1], a.k.Shape[1]
		s.Heads, s.KVHeads = intOf(n, "q_num_heads", 0), intOf(n, "kv_num_heads", 0)
		if s.Heads < 1 || s.KVHeads < 1 {
			return a, false
		}
		s.KeyDim, s.ValueDim = a.q.Shape[2]/s.Heads, a.v.Shape[2]/s.KVHeads
	default:
		return a, false
	}
	if a.pastK != nil {
		a.past = a.pastK.Shape[2]
	}
	present := len(n.Outputs) > 1
	if s.Interleaved && (present || a.past > 0) || present && (len(n.Outputs) < 3 || n.Outputs[1] == nil || n.Outputs[2] == nil) || a.past > 0 && !present {
		return a, false
	}
	s.KVLen += a.past
	s.Scale = floatOf(n, "scale", 0)
	s.Causal = intOf(n, "is_causal", 0) != 0
	// The first query of ONNX's sees the past and the first key, the kernel's
	// last query all keys.
	if s.Causal && s.KVLen != s.QueryLen+a.past || s.Scale < 0 || s.KVHeads < 1 || s.Heads%s.KVHeads != 0 {
		return a, false
	}
	return a, a.readMask()
}

// maxMask is the number of elements of a mask as the kernel wants it up to which
// memory beside the arena is taken for it.
const maxMask = 1 << 26

// readMask checks the shape of the mask.
func (a *attention) readMask() bool {
	if a.mask == nil {
		return true
	}
	if len(a.mask.Shape) < 2 || len(a.mask.Shape) > 4 || a.mask.DType != graph.F32 && a.mask.DType != graph.Bool {
		return false
	}
	scores := [4]int{a.Batch, a.Heads, a.QueryLen, a.KVLen}
	a.maskShape = [4]int{1, 1, 1, 1}
	copy(a.maskShape[4-len(a.mask.Shape):], a.mask.Shape)
	for i, d := range a.maskShape {
		if d != 1 && d != scores[i] {
			return false
		}
	}
	a.MaskPerHead = a.maskShape[1] > 1
	whole := int64(a.maskShape[0]) * int64(a.maskShape[1]) * int64(a.QueryLen) * int64(a.KVLen)
	return a.maskShape[3] == a.KVLen && whole <= maxMask
}

// bindAttention is ONNX's Attention on images of heads or on projections as
// they are, with a mask, a cache of keys and values, and shared heads.
func bindAttention(n *graph.Node) *step {
	a, ok := attentionOf(n)
	if !ok {
		return nil
	}
	return &step{kernel: func(m *memory) call {
		dst, q, k, v := m.floats(n.Outputs[0]), m.floats(a.q), m.floats(a.k), m.floats(a.v)
		var join func()
		if len(n.Outputs) > 1 {
			keys, values := m.floats(n.Outputs[1]), m.floats(n.Outputs[2])
			heads := a.Batch * a.KVHeads
			newK, newV := k, v
			pastK, pastV := m.floats(a.pastK), m.floats(a.pastV)
			join = func() {
				joinTokens(heads, keys, pastK, newK)
				joinTokens(heads, values, pastV, newV)
			}
			k, v = keys, values
		}
		mask, prepare := a.bindMask(m)
		batches := 1
		shape := a.Attention
		if a.mask != nil && a.maskShape[0] > 1 {
			batches, shape.Batch = a.Batch, 1
		}
		return always(func(ws *kernels.Workspace) {
			if join != nil {
				join()
			}
			prepare(ws)
			if batches == 1 {
				kernels.AttentionForward(ws, shape, dst, q, k, v, mask, nil)
				return
			}
			for i := range batches {
				part := func(x []float32) []float32 { return x[i*len(x)/batches : (i+1)*len(x)/batches] }
				kernels.AttentionForward(ws, shape, part(dst), part(q), part(k), part(v), part(mask), nil)
			}
		})
	}}
}

// joinTokens sets each of heads sequences of dst to one of past and one of
// next behind it.
func joinTokens(heads int, dst, past, next []float32) {
	p, s := len(past)/heads, len(next)/heads
	for i := range heads {
		row := dst[i*(p+s):][:p+s]
		copy(row, past[i*p:(i+1)*p])
		copy(row[p:], next[i*s:(i+1)*s])
	}
}

// bindMask returns the mask as the kernel wants it, a matrix for each head or
// all and for each batch or all, and what brings it into that form.
func (a *attention) bindMask(m *memory) (mask []float32, prepare func(ws *kernels.Workspace)) {
	nothing := func(*kernels.Workspace) {}
	if a.mask == nil {
		return nil, nothing
	}
	full := a.maskShape
	full[2] = a.QueryLen
	if values, ok := m.data(a.mask).([]float32); ok {
		if full == a.maskShape {
			return values, nothing
		}
		mask = make([]float32, product(full[:]))
		return mask, func(ws *kernels.Workspace) {
			kernels.Broadcast(ws, kernels.OpCopy, mask, full[:], values, a.maskShape[:], nil, nil)
		}
	}
	seen := m.data(a.mask).([]bool)
	narrow := make([]float32, len(seen))
	mask = narrow
	if full != a.maskShape {
		mask = make([]float32, product(full[:]))
	}
	hidden := float32(math.Inf(-1))
	return mask, func(ws *kernels.Workspace) {
		for i, s := range seen {
			narrow[i] = 0
			if !s {
				narrow[i] = hidden
			}
		}
		if full != a.maskShape {
			kernels.Broadcast(ws, kernels.OpCopy, mask, full[:], narrow, a.maskShape[:], nil, nil)
		}
	}
}
