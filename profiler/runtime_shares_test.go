package profiler

import (
	"context"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// blockOf is a residual block with a gate, of which the batch norms, relus and
// the addition are within a workload of this project's.
func blockOf(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder("block")
	x := b.Input("x", 1, 16, 8, 8)
	y := b.Activation(graph.OpRelu, b.BatchNorm("expand.norm", b.Conv("expand", x, 32, 1, 1, 1, 0, 1, false)))
	y = b.Activation(graph.OpHardSwish, b.BatchNorm("depthwise.norm", b.Conv("depthwise", y, 32, 3, 3, 1, 1, 32, false)))
	y = b.Add(b.BatchNorm("project.norm", b.Conv("project", y, 16, 1, 1, 1, 0, 1, false)), x)
	g, err := b.Build(y)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestSharesByARuntimesAccount(t *testing.T) {
	g := blockOf(t)
	fused, err := graph.Optimize(g, graph.ForOtherRuntime())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{} // of what each node of the graph makes
	for _, n := range g.Nodes {
		names[string(n.Kind)] = n.Outputs[0].Name
	}
	relu, swish, add := names["Relu"], names["HardSwish"], names["Add"]
	for _, c := range []struct {
		name  string
		nodes []NodeTime
		cost  float64
		want  []float64 // of ten; nil for none
	}{
		{"the outputs", []NodeTime{{Makes: []string{relu}, NS: 2}, {Makes: []string{swish}, NS: 3}, {Makes: []string{add}, NS: 5}}, 0, []float64{2, 3, 5}},
		{"what is within", []NodeTime{{Makes: []string{"expand.norm"}, NS: 1}, {Makes: []string{relu}, NS: 1}, {Makes: []string{"depthwise"}, NS: 2},
			{Makes: []string{swish}, NS: 1}, {Makes: []string{"project.norm"}, NS: 4}, {Makes: []string{add}, NS: 1}}, 0, []float64{2, 3, 5}},
		{"names of nodes", []NodeTime{{Name: "expand", NS: 2}, {Name: "depthwise", NS: 3}, {Name: "project", NS: 5}}, 0, []float64{2, 3, 5}},
		{"layouts", []NodeTime{{Name: "ReorderInput", Layout: true, NS: 1}, {Makes: []string{relu}, NS: 1}, {Makes: []string{swish}, NS: 3},
			{Makes: []string{add}, NS: 4}, {Name: "ReorderOutput", Layout: true, NS: 1}}, 0, []float64{2, 3, 5}},
		{"layouts between", []NodeTime{{Makes: []string{relu}, NS: 2}, {Name: "ReorderOutput", Makes: []string{relu}, Layout: true, NS: 1},
			{Makes: []string{swish}, NS: 1}, {Name: "ReorderInput", Layout: true, NS: 1}, {Makes: []string{add}, NS: 5}}, 0, []float64{2, 3, 5}},
		{"the account's cost", []NodeTime{{Makes: []string{relu}, NS: 7}, {Makes: []string{swish}, NS: 8}, {Makes: []string{add}, NS: 10}}, 5, []float64{2, 3, 5}},
		{"names that say nothing", []NodeTime{{Name: "fused0", NS: 5}, {Makes: []string{add}, NS: 5}}, 0, nil},
		{"nothing", nil, 0, nil},
	} {
		m := makersOf(g, fused)
		if len(m.workloads) != 3 {
			t.Fatalf("%d workloads, want 3: %v", len(m.workloads), m.workloads)
		}
		got := m.divide(c.nodes, c.cost)
		if len(got) != len(c.want) {
			t.Errorf("%s: shares %v, want of ten %v", c.name, got, c.want)
			continue
		}
		for i := range got {
			if math.Abs(10*got[i]-c.want[i]) > 1e-9 {
				t.Errorf("%s: shares %v, want of ten %v", c.name, got, c.want)
				break
			}
		}
	}
}

// TestSharesOfWorkloadsInOneNode has a node that does two workloads.
func TestSharesOfWorkloadsInOneNode(t *testing.T) {
	b := graph.NewBuilder("two")
	x := b.Input("x", 1, 16, 8, 8)
	y := b.Mul(b.Activation(graph.OpRelu, x), x)
	g, err := b.Build(b.Conv("conv", y, 32, 1, 1, 1, 0, 1, false))
	if err != nil {
		t.Fatal(err)
	}
	m := makersOf(g, g)
	product := g.Nodes[1].Outputs[0].Name
	// Both move as much but for an operand; of a convolution little is of others.
	relu, mul := float64(m.workloads[0].Bytes()), float64(m.workloads[1].Bytes())
	for _, c := range []struct {
		nodes []NodeTime
		want  []float64
	}{
		{[]NodeTime{{Makes: []string{product}, NS: 6}, {Makes: []string{"conv"}, NS: 4}}, []float64{0.6 * relu / (relu + mul), 0.6 * mul / (relu + mul), 0.4}},
		{[]NodeTime{{Name: g.Nodes[0].Name, NS: 1}, {Makes: []string{"conv"}, NS: 9}}, []float64{0.1, 0.9 * leastPart / (1 + leastPart), 0.9 / (1 + leastPart)}},
	} {
		got := m.divide(c.nodes, 0)
		for i := range c.want {
			if len(got) != len(c.want) || math.Abs(got[i]-c.want[i]) > 1e-9 {
				t.Errorf("shares %v, want %v", got, c.want)
				break
			}
		}
	}
}

func TestAccountCost(t *testing.T) {
	nodes := []NodeTime{{NS: 7000}, {NS: 5500}, {NS: 9500}}
	for ns, want := range map[float64]float64{7000: 5000, 1000: 5500, 30000: 0} { // never more than the least, nor less than nothing
		if got := accountCost(nodes, ns); got != want {
			t.Errorf("nodes that take %g ns without an account cost %g each, want %g", ns, got, want)
		}
	}
	if got := accountCost(nil, 1); got != 0 {
		t.Errorf("no nodes cost %g", got)
	}
}

// TestAdaptersTimeIsNoOtherWork runs an adapter, whose time is to be told.
func TestAdaptersTimeIsNoOtherWork(t *testing.T) {
	ctx := context.Background()
	p, err := OpenProgram(ctx, fakeCommand(t, ""), ProgramOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells the CPU time of other processes")
	}
	s, _, err := p.LoadWorkload(ctx, nothing, 1)
	if err != nil {
		t.Fatal(err)
	}
	profiler := New(Options{Runtime: p})
	before := profiler.workTime()
	for range 100 { // a tenth of a second each
		if _, err := s.Run(ctx, 50_000); err != nil {
			t.Fatal(err)
		}
		if profiler.workTime()-before >= 50*time.Millisecond {
			return
		}
	}
	t.Errorf("the adapter took %v of the processor's time by what is told of it", profiler.workTime()-before)
}

// TestAccountOfPairs wants what decides whether a pair is fused.
func TestAccountOfPairs(t *testing.T) {
	ctx := context.Background()
	p, err := OpenProgram(ctx, fakeCommand(t, ""), ProgramOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	b := graph.NewBuilder("pair")
	g, err := b.Build(b.Activation(graph.OpRelu, b.Conv("conv", b.Input("x", 1, 8, 4, 4), 8, 1, 1, 1, 0, 1, true)))
	if err != nil {
		t.Fatal(err)
	}
	networks, err := New(Options{Runtime: p, MaxPerItem: 5 * time.Millisecond}).Networks(ctx, []NamedGraph{{Name: "pair", Use: lut.UsePair, Graph: g}})
	if err != nil {
		t.Fatal(err)
	}
	if n := networks[0]; n.RuntimeNodes == nil || *n.RuntimeNodes != 1 || n.BorderNS == nil || n.Shares != nil {
		t.Errorf("the pair is %+v; want one node by the account, its borders and no shares", n)
	}
}
