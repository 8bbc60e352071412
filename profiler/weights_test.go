package profiler

import (
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
)

func TestReplicate(t *testing.T) {
	w, err := graph.ParseWorkload("conv2d/f32/n1c4h5w5/k4r3s3/stride1.pad1.dil1.group1/add.relu")
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.FromWorkload(w, 1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := inference.CompilePart(replicate(g, 5))
	if err != nil {
		t.Fatal(err)
	}
	list := p.Workloads()
	if len(list) != 5 || len(p.Inputs()) != 2 || len(p.Outputs()) != 1 {
		t.Fatalf("%d workloads, %d inputs and %d outputs, want 5, 2 and 1", len(list), len(p.Inputs()), len(p.Outputs()))
	}
	for _, got := range list {
		if got != w {
			t.Errorf("workload %s, want %s", got, w)
		}
	}
	// All copies write to the same memory.
	if one, err := inference.CompilePart(g); err != nil || p.ArenaBytes() != one.ArenaBytes() {
		t.Errorf("the copies take %d bytes for tensors, one takes %d (error %v)", p.ArenaBytes(), one.ArenaBytes(), err)
	}
}

func TestWithWeightsKeepsTheGraph(t *testing.T) {
	b := graph.NewBuilder("net")
	g, err := b.Build(b.Linear("second", b.Linear("first", b.Input("x", 1, 3), 4), 2))
	if err != nil {
		t.Fatal(err)
	}
	given := g.Parameters()[0]
	given.Data = make([]float32, 12)
	filled := WithWeights(g, 1)
	for i, v := range filled.Parameters() {
		if v.Data == nil {
			t.Errorf("parameter %q has no data", v.Name)
		}
		if original := g.Parameters()[i]; original != given && original.Data != nil {
			t.Errorf("parameter %q of the given graph was filled", original.Name)
		}
	}
	if filled.Parameters()[0] != given {
		t.Error("data that was given is replaced")
	}
}
