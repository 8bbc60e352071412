package profiler

import (
	"slices"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/lut"
)

// residualBlock is a convolution, an addition and an activation, then pooling.
func residualBlock(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder("block")
	x := b.Input("x", 1, 16, 8, 8)
	conv := func(name string, x *graph.Value) *graph.Value {
		return b.Apply(graph.Conv, name, graph.Attributes{Stride: [2]int{1, 1}, Pad: [4]int{1, 1, 1, 1}, Dilation: [2]int{1, 1}, Group: 1},
			x, b.Parameter(name+".weight", graph.RoleWeight, 16, 16, 3, 3), b.Parameter(name+".bias", graph.RoleBias, 16))
	}
	first := b.Apply(graph.Relu, "relu1", graph.Attributes{}, conv("conv1", x))
	sum := b.Apply(graph.Add, "sum", graph.Attributes{}, conv("conv2", first), first)
	g, err := b.Build(b.Apply(graph.GlobalAveragePool, "pool", graph.Attributes{}, b.Apply(graph.Relu, "relu2", graph.Attributes{}, sum)))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestPairs(t *testing.T) {
	pairs, workloads, err := Pairs([]*graph.Graph{residualBlock(t)}, 3)
	if err != nil {
		t.Fatal(err)
	}
	const conv = "conv2d/f32/n1c16h8w8/k16r3s3/stride1.pad1.dil1.group1/"
	want := []string{
		"pair add/f32/n1c16h8w8/k16r8s8/none + relu/f32/n1c16h8w8",
		"pair " + conv + "add + relu/f32/n1c16h8w8",
		"pair " + conv + "none + add/f32/n1c16h8w8/k16r8s8/none",
		"pair " + conv + "none + relu/f32/n1c16h8w8",
		"pair relu/f32/n1c16h8w8 + globalavgpool/f32/n1c16h8w8",
	}
	var names []string
	for _, p := range pairs {
		names = append(names, p.Name)
		if p.Use != lut.UsePair {
			t.Errorf("%s is for %q", p.Name, p.Use)
		}
		// What is measured is a model, with and without borders.
		for _, g := range []*graph.Graph{p.Graph, withBorders(p.Graph)} {
			if _, err := onnx.Encode(WithWeights(g, 1)); err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("pairs\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
	if len(workloads) != 5 { // relu is the second of several
		t.Errorf("%d workloads: %v", len(workloads), workloads)
	}
}

// TestBorders wants a convolution before what is added, and something after an
// activation, which are not of the workload.
func TestBorders(t *testing.T) {
	w, err := graph.ParseWorkload("conv2d/f32/n1c16h8w8/k64r1s1/stride1.pad0.dil1.group1/add.relu")
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.FromWorkload(w, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := WithWeights(withBorders(g), 1)
	if err := b.Validate(); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, n := range b.Nodes {
		kinds = append(kinds, string(n.Kind))
	}
	if !slices.Equal(kinds, []string{"Conv", "Conv", "Reshape"}) || len(b.Outputs) != 2 {
		t.Errorf("nodes %v, %d outputs", kinds, len(b.Outputs))
	}
	if group := b.Nodes[0].Attributes.Group; group != 64 { // all channels would cost four times the workload
		t.Errorf("the source has %d groups", group)
	}
	for i, name := range []string{"border.source0", "", "border.tail"} {
		if n := (NodeTime{Name: b.Nodes[i].Name}); isBorder(n) != (name != "") || name != "" && n.Name != name {
			t.Errorf("node %d is %q", i, n.Name)
		}
	}
}
