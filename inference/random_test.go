package inference

import (
	"fmt"
	"math/rand/v2"

	"github.com/hwprofd/hwprofd/graph"
	"pgregory.net/rapid"
)

// fill gives each parameter random data for which the size of the values stays
// about the same from layer to layer.
func fill(g *graph.Graph, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	for _, v := range g.Parameters() {
		v.Data = make([]float32, v.Elements())
		fanIn := float32(v.Elements() / v.Shape[0])
		for i := range v.Data {
			switch x := 2*random.Float32() - 1; v.Role {
			case graph.RoleWeight:
				v.Data[i] = 2 * x / fanIn
			case graph.RoleVariance, graph.RoleScale:
				v.Data[i] = 1 + x/2
			default:
				v.Data[i] = x
			}
		}
	}
}

func fillInputs(p *Plan, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	for _, x := range floats(p.Inputs()) {
		for i := range x {
			x[i] = 4*random.Float32() - 2
		}
	}
}

// drawGraph draws a network of up to ten blocks: convolutions of all sorts,
// batch norms, activations, residuals, squeeze-excite blocks, pools, and now
// and then a classifier.
func drawGraph(t *rapid.T) *graph.Graph {
	b := graph.NewBuilder("random")
	draw := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(t, name) }
	x := b.Input("x", draw("n", 1, 2), draw("c", 1, 9), draw("h", 1, 9), draw("w", 1, 9))
	seen := []*graph.Value{x}
	for i := range draw("blocks", 1, 10) {
		name := fmt.Sprintf("block%d", i)
		switch rapid.SampledFrom([]string{"conv", "conv", "conv", "norm", "activation", "residual", "excite", "pool", "constant"}).Draw(t, "kind") {
		case "conv":
			x = drawConv(t, b, name, x)
		case "norm":
			x = b.BatchNorm(name, x)
		case "activation":
			x = b.Activation(drawActivation(t), x)
		case "residual":
			for _, v := range seen {
				if fmt.Sprint(v.Shape) == fmt.Sprint(x.Shape) {
					x = b.Add(x, v)
					break
				}
			}
		case "excite":
			c := x.Shape[1]
			s := b.GlobalAveragePool(x)
			s = b.Activation(graph.OpRelu, b.Conv(name+".reduce", s, 2, 1, 1, 1, 0, 1, true))
			s = b.Activation(graph.OpHardSigmoid, b.Conv(name+".expand", s, c, 1, 1, 1, 0, 1, true))
			x = b.Mul(x, s)
		case "pool":
			kernel := min(draw("kernel", 1, 3), x.Shape[2], x.Shape[3])
			stride, pad := draw("stride", 1, 2), draw("pad", 0, kernel-1)
			if draw("mean", 0, 1) == 1 {
				x = b.AvgPool(x, kernel, stride, pad)
			} else {
				x = b.MaxPool(x, kernel, stride, pad)
			}
		case "constant":
			shape := []int{x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]}
			for d := range shape {
				if draw("broadcast", 0, 1) == 1 {
					shape[d] = 1
				}
			}
			shape[0] = x.Shape[0] // a workload has one batch size
			y := &graph.Value{Name: name + ".constant", DType: graph.F32, Shape: shape, Role: graph.RoleConstant}
			if draw("mul", 0, 1) == 1 {
				x = b.Mul(x, y)
			} else {
				x = b.Add(x, y)
			}
		}
		seen = append(seen, x)
	}
	outputs := []*graph.Value{x}
	switch draw("end", 0, 3) {
	case 0:
		outputs = append(outputs, seen[len(seen)/2])
	case 1:
		classes := b.Linear("classifier", b.Flatten(x), 5)
		outputs = []*graph.Value{b.Softmax(classes), classes}
	case 2:
		flat := b.Flatten(x)
		outputs = []*graph.Value{b.Apply(graph.Reshape, "reshaped", graph.Attributes{Shape: []int{0, 1, -1}}, flat)}
	}
	if outputs[0] == outputs[len(outputs)-1] {
		outputs = outputs[:1]
	}
	g, err := b.Build(outputs...)
	if err != nil {
		t.Fatal(err)
	}
	fill(g, rapid.Uint64().Draw(t, "seed"))
	return g
}

func drawConv(t *rapid.T, b *graph.Builder, name string, x *graph.Value) *graph.Value {
	draw := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(t, name) }
	c, h, w := x.Shape[1], x.Shape[2], x.Shape[3]
	group, k := 1, draw("k", 1, 9)
	switch draw("groups", 0, 3) {
	case 0: // depthwise
		group, k = c, c
	case 1:
		if c%2 == 0 {
			group, k = 2, 2*draw("half", 1, 4)
		}
	}
	kernel := rapid.SampledFrom([][2]int{{1, 1}, {3, 3}, {5, 5}, {1, 3}, {7, 7}}).Draw(t, "kernel")
	a := graph.Attributes{
		Stride:   [2]int{draw("strideH", 1, 2), draw("strideW", 1, 2)},
		Pad:      [4]int{draw("top", 0, 3), draw("left", 0, 3), draw("bottom", 0, 3), draw("right", 0, 3)},
		Dilation: [2]int{draw("dilationH", 1, 2), draw("dilationW", 1, 2)},
		Group:    group,
	}
	if draw("same", 0, 1) == 1 { // keeps the plane, so that a residual fits
		a.Stride, a.Dilation = [2]int{1, 1}, [2]int{1, 1}
		a.Pad = [4]int{kernel[0] / 2, kernel[1] / 2, kernel[0] / 2, kernel[1] / 2}
	}
	for i, size := range []int{h, w} { // the window must fit
		if span := (kernel[i]-1)*a.Dilation[i] + 1; size+a.Pad[i]+a.Pad[i+2] < span {
			a.Pad[i], a.Dilation[i] = kernel[i]/2, 1
			a.Pad[i+2] = kernel[i] / 2
		}
	}
	inputs := []*graph.Value{x, {Name: name + ".weight", DType: graph.F32, Shape: []int{k, c / group, kernel[0], kernel[1]}, Role: graph.RoleWeight}}
	if draw("bias", 0, 1) == 1 {
		inputs = append(inputs, &graph.Value{Name: name + ".bias", DType: graph.F32, Shape: []int{k}, Role: graph.RoleBias})
	}
	y := b.Apply(graph.Conv, name, a, inputs...)
	if draw("norm", 0, 1) == 1 {
		y = b.BatchNorm(name+".norm", y)
	}
	if draw("activate", 0, 1) == 1 {
		y = b.Activation(drawActivation(t), y)
	}
	return y
}

func drawActivation(t *rapid.T) graph.Op {
	return rapid.SampledFrom([]graph.Op{
		graph.OpRelu, graph.OpRelu6, graph.OpHardSwish, graph.OpHardSigmoid, graph.OpSigmoid,
	}).Draw(t, "activation")
}
