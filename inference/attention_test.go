package inference

import (
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
	"pgregory.net/rapid"
)

// TestAttention compares the kernel's attention with the operator's definition
// in all forms: heads apart or side by side, shared by several queries, masks
// of numbers and booleans of every shape, causal, with a cache.
func TestAttention(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &plainGraph{Builder: graph.NewBuilder("attention"), t: t}
		batch, kvHeads, share := b.draw("batch", 1, 2), b.draw("kv heads", 1, 3), b.draw("share", 1, 3)
		heads, queries, d, e := kvHeads*share, b.draw("queries", 1, 9), b.draw("d", 1, 20), b.draw("e", 1, 20)
		keys := queries
		a := operator.Attributes{"is_causal": int64(b.draw("causal", 0, 1))}
		if a["is_causal"] == int64(0) {
			keys = b.draw("keys", 1, 20)
		}
		if b.draw("scaled", 0, 1) == 1 {
			a["scale"] = float32(0.3)
		}
		inputs := make([]*graph.Value, 3, 6)
		past := 0
		if rapid.Bool().Draw(t, "interleaved") {
			a["q_num_heads"], a["kv_num_heads"] = int64(heads), int64(kvHeads)
			inputs[0] = b.Input("q", batch, queries, heads*d)
			inputs[1], inputs[2] = b.Input("k", batch, keys, kvHeads*d), b.Input("v", batch, keys, kvHeads*e)
		} else {
			inputs[0] = b.Input("q", batch, heads, queries, d)
			inputs[1], inputs[2] = b.Input("k", batch, kvHeads, keys, d), b.Input("v", batch, kvHeads, keys, e)
			past = b.draw("past", 0, 3)
		}
		if b.draw("masked", 0, 1) == 1 {
			shape := []int{b.draw("mask batch", 1, batch), 1, 1, keys + past}
			if b.draw("mask heads", 0, 1) == 1 {
				shape[1] = heads
			}
			if b.draw("mask queries", 0, 1) == 1 {
				shape[2] = queries
			}
			if shape[0] == 1 {
				shape = shape[b.draw("rank", 0, 2):]
			}
			mask := b.Input("mask", shape...)
			if b.draw("boolean", 0, 1) == 1 {
				// The first key is seen, so that no query sees none.
				edge := b.apply("Pad", nil, b.apply("Slice", nil, mask, b.ints(1), b.ints(1<<20), b.ints(-1)), b.ints(1, 0), b.scalar(9), b.ints(-1))
				mask = b.apply("Greater", nil, edge, b.scalar(0))
			}
			inputs = append(inputs, mask)
		}
		if past > 0 {
			if len(inputs) == 3 {
				inputs = append(inputs, nil)
			}
			inputs = append(inputs, b.Input("past keys", batch, kvHeads, past, d), b.Input("past values", batch, kvHeads, past, e))
		}
		g, err := b.Build(b.apply("Attention", a, inputs...))
		if err != nil {
			t.Fatal(err)
		}
		if past > 0 {
			n := g.Nodes[len(g.Nodes)-1]
			n.Outputs = append(n.Outputs, &graph.Value{Name: "present keys"}, &graph.Value{Name: "present values"})
			if err := n.InferShape(); err != nil {
				t.Fatal(err)
			}
			g.Outputs = n.Outputs
		}
		p := comparePlan(t, g)
		for _, s := range p.program.timed {
			if s.kind == "Attention" && s.reference {
				t.Fatal("attention is not done by a kernel")
			}
		}
	})
}
