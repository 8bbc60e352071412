package inference

import (
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// blocksPay reports whether images in blocks of channels are the faster ones for
// small networks of pointwise convolutions, as they are wherever there are vectors.
func blocksPay() bool { return kernels.Implementation() != "portable" }

// The factors of a gate go into the weights of the convolution after it; the
// image keeps its values for others that read it, and a gate that is read by
// more than the convolution has its result.
func TestGates(t *testing.T) {
	for _, images := range []int{1, 2} {
		b := graph.NewBuilder("gates")
		x := b.Activation(graph.OpRelu, b.Conv("stem", b.Input("x", images, 3, 16, 16), 40, 3, 3, 1, 1, 1, true))
		x = b.Activation(graph.OpRelu, b.Conv("depthwise", x, 40, 7, 7, 1, 3, 40, true)) // much faster in blocks
		factors := b.Activation(graph.OpHardSigmoid, b.Conv("excite", b.GlobalAveragePool(x), 40, 1, 1, 1, 0, 1, true))
		y := b.Conv("project", b.Mul(x, factors), 24, 1, 1, 1, 0, 1, true)
		z := b.Mul(x, factors)
		z = b.Add(b.Conv("other", z, 40, 1, 1, 1, 0, 1, true), z)
		residual := b.Conv("wide", x, 24, 1, 1, 1, 0, 1, true)
		y = b.Activation(graph.OpRelu, b.Add(y, residual))
		g, err := b.Build(b.GlobalAveragePool(y), b.GlobalAveragePool(z), b.GlobalAveragePool(x))
		if err != nil {
			t.Fatal(err)
		}
		p := check(t, g)
		if allocs := allocations(t, p); allocs != 0 {
			t.Errorf("%g allocations a run", allocs)
		}
		gates := 0
		for i, n := range p.program.graph.Nodes {
			if n.Kind == graph.Mul && p.program.steps[i].views != nil {
				gates++
			}
		}
		if want := 2 - images; gates != want && blocksPay() {
			t.Errorf("%d images: %d gates go into weights, want %d", images, gates, want)
		}
	}
}
