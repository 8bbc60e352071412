package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/hwprofd/hwprofd/graph"
)

const (
	panelNetworks = 40
	panelSize     = 48 // height and width of images
)

// panel are networks of three kinds: inverted residuals, depthwise separable
// convolutions, and residual blocks of 3x3 convolutions. They share most of
// their workloads, and all of these have a counterpart in int8.
func panel(batch int) ([]*graph.Graph, error) {
	var out []*graph.Graph
	for i := range panelNetworks {
		g, err := panelNetwork(i, batch)
		if err != nil {
			return nil, fmt.Errorf("network %d of the panel: %w", i, err)
		}
		out = append(out, g)
	}
	return out, nil
}

func panelNetwork(i, batch int) (*graph.Graph, error) {
	rng := rand.New(rand.NewPCG(uint64(i), 0xde))
	kind := []string{"inverted", "separable", "residual"}[i%3]
	b := graph.NewBuilder(fmt.Sprintf("%s%d", kind, i))
	conv := func(name string, x *graph.Value, out, kernel, stride, group int) *graph.Value {
		return b.Conv(name, x, out, kernel, kernel, stride, kernel/2, group, true)
	}
	relu := func(x *graph.Value) *graph.Value { return b.Activation(graph.OpRelu, x) }
	c := []int{16, 24}[rng.IntN(2)]
	x := relu(conv("stem", b.Input("image", batch, 3, panelSize, panelSize), c, 3, 2, 1))
	widths := [][]int{{16, 24, 32}, {32, 40, 48}, {64, 80, 96}}
	for s, choices := range widths {
		to := choices[rng.IntN(len(choices))]
		kernel, expand := 3+2*rng.IntN(2), 3+3*rng.IntN(2)
		for n := range 1 + rng.IntN(3) {
			name := fmt.Sprintf("stage%d.block%d", s, n)
			stride := 1
			if n == 0 && s > 0 {
				stride = 2
			}
			skip := x
			switch kind {
			case "inverted":
				y := relu(conv(name+".expand", x, c*expand, 1, 1, 1))
				y = relu(conv(name+".depthwise", y, c*expand, kernel, stride, c*expand))
				x = conv(name+".project", y, to, 1, 1, 1)
				if stride == 1 && c == to {
					x = b.Add(x, skip)
				}
			case "separable":
				y := relu(conv(name+".depthwise", x, c, kernel, stride, c))
				x = relu(conv(name+".pointwise", y, to, 1, 1, 1))
			case "residual":
				y := relu(conv(name+".first", x, to, 3, stride, 1))
				x = conv(name+".second", y, to, 3, 1, 1)
				if stride == 1 && c == to {
					x = b.Add(x, skip)
				}
				x = relu(x)
			}
			c = to
		}
	}
	x = relu(conv("head", x, []int{128, 256}[rng.IntN(2)], 1, 1, 1))
	g, err := b.Build(b.Linear("classifier", b.Flatten(b.GlobalAveragePool(x)), 100))
	if err != nil {
		return nil, err
	}
	for _, v := range g.Parameters() {
		if !v.Filled() {
			v.Data = make([]float32, v.Elements())
			deviation := math.Sqrt(2 / float64(max(v.Elements()/max(v.Shape[0], 1), 1)))
			for j := range v.Data {
				v.Data[j] = float32(deviation * rng.NormFloat64())
			}
		}
	}
	return g, nil
}

// workloadsOf are those that a graph runs once fused.
func workloadsOf(g *graph.Graph) ([]graph.Workload, error) {
	fused, err := graph.Fuse(g)
	if err != nil {
		return nil, err
	}
	return fused.Workloads()
}
