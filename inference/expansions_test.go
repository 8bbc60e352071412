package inference

import (
	"testing"

	"github.com/hwprofd/hwprofd/graph"
)

// A large expansion is computed with the depthwise convolution that reads it,
// has no memory of its own, and both have their times in a trace.
func TestExpansions(t *testing.T) {
	const size = 44 // 4 * 72 * 44 * 44 bytes, large enough
	build := func(output bool) *graph.Graph {
		b := graph.NewBuilder("expansion")
		x := b.Activation(graph.OpRelu, b.Conv("stem", b.Input("x", 1, 3, size, size), 16, 3, 3, 1, 1, 1, true))
		y := b.Activation(graph.OpHardSwish, b.Conv("expand", x, 72, 1, 1, 1, 0, 1, true))
		z := b.Activation(graph.OpRelu6, b.Conv("depthwise", y, 72, 5, 5, 2, 2, 72, true))
		z = b.Conv("project", z, 16, 1, 1, 1, 0, 1, true)
		// The input of the expansion is read after it, too.
		outputs := []*graph.Value{b.Flatten(b.GlobalAveragePool(z)), b.GlobalAveragePool(x)}
		if output {
			outputs = append(outputs, b.GlobalAveragePool(y))
		}
		g, err := b.Build(outputs...)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	p := check(t, build(false))
	if allocs := allocations(t, p); allocs != 0 {
		t.Errorf("%g allocations a run", allocs)
	}
	trace, err := p.Trace()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range trace[:3] {
		if s.NS <= 0 {
			t.Errorf("%s took %d ns", s.Name, s.NS)
		}
	}
	if whole := int64(4 * 72 * size * size); p.ArenaBytes() > whole && blocksPay() {
		t.Errorf("the arena has %d bytes, more than the %d of the expansion, which need not be there", p.ArenaBytes(), whole)
	}
	if p := check(t, build(true)); p.ArenaBytes() < 4*72*size*size {
		t.Error("an expansion that something else reads has no memory")
	}
}
