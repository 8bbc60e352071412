package zoo

import (
	"fmt"
	"math"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// project is a matrix product with a bias over the last dimension, as exporters
// write it.
func (m *maker) project(name string, x *graph.Value, in, out int) *graph.Value {
	w := m.drawn(name+".weight", math.Sqrt(1/float64(in)), in, out)
	b := m.drawn(name+".bias", 0.02, out)
	b.Role = graph.RoleBias
	return m.Operator("Add", name, nil, m.Operator("MatMul", name+".product", nil, x, w), b)
}

// norm is a layer norm over the last dimension.
func (m *maker) norm(name string, x *graph.Value, width int) *graph.Value {
	return m.Operator("LayerNormalization", name, operator.Attributes{"axis": int64(-1), "epsilon": float32(1e-5)}, x,
		m.Parameter(name+".weight", graph.RoleScale, width), m.Parameter(name+".bias", graph.RoleShift, width))
}

// gelu is x/2 (1 + erf(x / sqrt 2)): Hendrycks and Gimpel, 2016.
func (m *maker) gelu(x *graph.Value) *graph.Value {
	name := x.Name + ".gelu"
	e := m.Operator("Erf", name+".erf", nil, m.Operator("Div", name+".div", nil, x, m.scalar(name+".sqrt2", math.Sqrt2)))
	y := m.Operator("Mul", name+".mul", nil, x, m.Operator("Add", name+".add", nil, e, m.scalar(name+".one", 1)))
	return m.Operator("Mul", name, nil, y, m.scalar(name+".half", 0.5))
}

func (m *maker) reshape(name string, x *graph.Value, shape ...int64) *graph.Value {
	return m.Operator("Reshape", name, nil, x, m.ints(name+".shape", shape...))
}

func (m *maker) transpose(name string, x *graph.Value, permutation ...int64) *graph.Value {
	return m.Operator("Transpose", name, operator.Attributes{"perm": permutation}, x)
}

// heads brings [N, T, heads*d] to [N, heads, T, d], or to [N, heads, d, T].
func (m *maker) heads(name string, x *graph.Value, heads, d int, turned bool) *graph.Value {
	x = m.reshape(name+".heads", x, int64(m.o.Batch), -1, int64(heads), int64(d))
	if turned {
		return m.transpose(name+".turned", x, 0, 2, 3, 1)
	}
	return m.transpose(name+".split", x, 0, 2, 1, 3)
}

// attend is softmax(q k^T / sqrt(d) + mask) v and its heads joined: Vaswani et
// al., Attention Is All You Need, 2017, section 3.2. k is turned already, mask
// may be nil.
func (m *maker) attend(name string, q, k, v, mask *graph.Value, width, d int) *graph.Value {
	scores := m.Operator("Mul", name+".scaled", nil, m.Operator("MatMul", name+".scores", nil, q, k), m.scalar(name+".scale", float32(1/math.Sqrt(float64(d)))))
	if mask != nil {
		scores = m.Operator("Add", name+".masked", nil, scores, mask)
	}
	weights := m.Operator("Softmax", name+".softmax", operator.Attributes{"axis": int64(-1)}, scores)
	joined := m.transpose(name+".joined", m.Operator("MatMul", name+".values", nil, weights, v), 0, 2, 1, 3)
	return m.reshape(name+".context", joined, int64(m.o.Batch), -1, int64(width))
}

// feedForward is the second half of a transformer's layer.
func (m *maker) feedForward(name string, x *graph.Value, width int) *graph.Value {
	return m.project(name+".fc2", m.gelu(m.project(name+".fc1", x, width, 4*width)), 4*width, width)
}

// vitTiny is a vision transformer on images [N, 3, H, W] in patches of 16 x 16,
// 12 layers of 3 heads of 64: Dosovitskiy et al., An Image is Worth 16x16
// Words, 2021; Touvron et al., DeiT, 2021, table 1.
func (m *maker) vitTiny() []*graph.Value {
	const patch, d = 16, 64
	heads := max(1, int(3*m.o.Width))
	width := heads * d
	x := m.Conv("patches", m.image(), width, patch, patch, patch, 0, 1, true)
	tokens := (m.o.Size / patch) * (m.o.Size / patch)
	x = m.transpose("tokens", m.reshape("grid", x, int64(m.o.Batch), int64(width), int64(tokens)), 0, 2, 1)
	class := m.drawn("class", 0.02, 1, 1, width)
	if m.o.Batch > 1 {
		class = m.Operator("Expand", "classes", nil, class, m.ints("classes.shape", int64(m.o.Batch), 1, int64(width)))
	}
	x = m.Operator("Concat", "sequence", operator.Attributes{"axis": int64(1)}, class, x)
	x = m.Operator("Add", "embedded", nil, x, m.drawn("positions", 0.02, 1, tokens+1, width))
	for i := range m.depth(12) {
		name := fmt.Sprintf("layer%d", i)
		// One product gives queries, keys and values, which are told apart.
		qkv := m.project(name+".qkv", m.norm(name+".norm1", x, width), width, 3*width)
		qkv = m.transpose(name+".qkv.split", m.reshape(name+".qkv.heads", qkv, int64(m.o.Batch), int64(tokens+1), 3, int64(heads), d), 2, 0, 3, 1, 4)
		part := func(what string, index int64) *graph.Value {
			i := m.Constant(name+"."+what+".index", &operator.Tensor{DType: operator.I64, Shape: []int{}, Data: []int64{index}})
			return m.Operator("Gather", name+"."+what, operator.Attributes{"axis": int64(0)}, qkv, i)
		}
		q, v := part("q", 0), part("v", 2)
		k := m.transpose(name+".k.turned", part("k", 1), 0, 1, 3, 2)
		a := m.attend(name+".attention", q, k, v, nil, width, d)
		x = m.Operator("Add", name+".residual1", nil, x, m.project(name+".proj", a, width, width))
		x = m.Operator("Add", name+".residual2", nil, x, m.feedForward(name, m.norm(name+".norm2", x, width), width))
	}
	x = m.norm("norm", x, width)
	first := m.Constant("first", &operator.Tensor{DType: operator.I64, Shape: []int{}, Data: []int64{0}})
	x = m.Operator("Gather", "pooled", operator.Attributes{"axis": int64(1)}, x, first)
	return []*graph.Value{m.Linear("classifier", x, m.o.Classes)}
}

// bert is the encoder of BERT-base: token ids [N, T] and a mask [N, T] of ones
// and zeros, int64, to states [N, T, 768]: Devlin et al., BERT, 2019.
func (m *maker) bert() []*graph.Value {
	const d, vocabulary, positions = 64, 30522, 512
	heads := max(1, int(12*m.o.Width))
	width := heads * d
	ids := m.TypedInput("input_ids", graph.I64, m.o.Batch, m.o.Size)
	given := m.TypedInput("attention_mask", graph.I64, m.o.Batch, m.o.Size)

	// 0 where a position counts, far below where it does not.
	mask := m.Operator("Unsqueeze", "mask.wide", nil, given, m.ints("mask.axes", 1, 2))
	mask = m.Operator("Cast", "mask.float", operator.Attributes{"to": int64(1)}, mask)
	mask = m.Operator("Sub", "mask.inverse", nil, m.scalar("mask.one", 1), mask)
	mask = m.Operator("Mul", "mask", nil, mask, m.scalar("mask.low", -10000))

	x := m.Operator("Gather", "words", nil, m.drawn("embeddings.word", 0.02, vocabulary, width), ids)
	places := make([]int64, min(m.o.Size, positions))
	for i := range places {
		places[i] = int64(i)
	}
	place := m.Operator("Gather", "places", nil, m.drawn("embeddings.position", 0.02, positions, width), m.ints("places.index", places...))
	x = m.Operator("Add", "embedded", nil, m.Operator("Add", "typed", nil, x, m.drawn("embeddings.type", 0.02, width)), place)
	x = m.norm("embeddings.norm", x, width)
	for i := range m.depth(12) {
		name := fmt.Sprintf("layer%d", i)
		q := m.heads(name+".q", m.project(name+".query", x, width, width), heads, d, false)
		k := m.heads(name+".k", m.project(name+".key", x, width, width), heads, d, true)
		v := m.heads(name+".v", m.project(name+".value", x, width, width), heads, d, false)
		a := m.project(name+".output", m.attend(name+".attention", q, k, v, mask, width, d), width, width)
		x = m.norm(name+".norm1", m.Operator("Add", name+".residual1", nil, a, x), width)
		x = m.norm(name+".norm2", m.Operator("Add", name+".residual2", nil, m.feedForward(name, x, width), x), width)
	}
	return []*graph.Value{x}
}

// gptBlock is a layer of GPT-2 that goes on with a sequence: states
// [N, T, 768] of T new positions and the keys and values [N, 12, 64, 64] of 64
// earlier ones, to states and the keys and values of all: Radford et al.,
// Language Models are Unsupervised Multitask Learners, 2019.
func (m *maker) gptBlock() []*graph.Value {
	const d, past = 64, 64
	heads := max(1, int(12*m.o.Width))
	width := heads * d
	x := m.Input("x", m.o.Batch, m.o.Size, width)
	pastK, pastV := m.Input("past_key", m.o.Batch, heads, past, d), m.Input("past_value", m.o.Batch, heads, past, d)
	y := m.norm("norm1", x, width)
	q := m.heads("q", m.project("query", y, width, width), heads, d, false)
	k := m.heads("k", m.project("key", y, width, width), heads, d, false)
	v := m.heads("v", m.project("value", y, width, width), heads, d, false)
	join := operator.Attributes{"axis": int64(2)}
	k = m.Operator("Concat", "present_key", join, pastK, k)
	v = m.Operator("Concat", "present_value", join, pastV, v)

	// New positions see the earlier ones, themselves, and nothing after.
	mask := make([]float32, m.o.Size*(past+m.o.Size))
	for i := range m.o.Size {
		for j := past + i + 1; j < past+m.o.Size; j++ {
			mask[i*(past+m.o.Size)+j] = float32(math.Inf(-1))
		}
	}
	causal := m.Constant("causal", &operator.Tensor{DType: operator.F32, Shape: []int{m.o.Size, past + m.o.Size}, Data: mask})
	a := m.attend("attention", q, m.transpose("k.turned", k, 0, 1, 3, 2), v, causal, width, d)
	x = m.Operator("Add", "residual1", nil, x, m.project("output", a, width, width))
	x = m.Operator("Add", "residual2", nil, x, m.feedForward("mlp", m.norm("norm2", x, width), width))
	return []*graph.Value{x, k, v}
}
