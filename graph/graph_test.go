package graph

import (
	"strings"
	"testing"
)

func TestGraphCosts(t *testing.T) {
	g, err := mobile(1)
	if err != nil {
		t.Fatal(err)
	}
	const (
		plane = 28 * 28
		macs  = plane*16*9 + plane*16*64 + plane*64*9 + plane*64*16 + 160
		// Weights, two parameters of batch norm a channel, and the classifier.
		params = 16*9 + 2*16 + 16*64 + 2*64 + 64*9 + 2*64 + 64*16 + 2*16 + 170
	)
	if g.MACs() != macs || g.Params() != params {
		t.Errorf("%d MACs and %d parameters, want %d and %d", g.MACs(), g.Params(), macs, params)
	}
	if _, err := g.Workloads(); err == nil || !strings.Contains(err.Error(), "fuse") {
		t.Errorf("workloads before fusing: error %v", err)
	}
	fused, err := Fuse(g)
	if err != nil {
		t.Fatal(err)
	}
	list, err := fused.Workloads()
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, w := range list {
		sum += w.MACs()
	}
	if sum != macs || fused.MACs() != macs {
		t.Errorf("fused: %d MACs in workloads, %d in the graph, want %d", sum, fused.MACs(), macs)
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(g *Graph)
		err   string
	}{
		{"nothing", func(*Graph) {}, ""},
		{"no output", func(g *Graph) { g.Outputs = nil }, "needs an output"},
		{"unknown output", func(g *Graph) { g.Outputs = []*Value{{Name: "z"}} }, `"z" is not defined`},
		{"nil output", func(g *Graph) { g.Outputs = []*Value{nil} }, "nil is not defined"},
		{"nil node", func(g *Graph) { g.Nodes[1] = nil }, "node 1 is nil"},
		{"nil input", func(g *Graph) { g.Nodes[0].Inputs[0] = nil }, "not defined before it"},
		{"no node name", func(g *Graph) { g.Nodes[1].Name = "" }, "has no name"},
		{"node name twice", func(g *Graph) { g.Nodes[1].Name = g.Nodes[0].Name }, "two nodes"},
		{"value name twice", func(g *Graph) { g.Nodes[1].Outputs[0].Name = "x" }, `"x" is defined twice`},
		{"no value name", func(g *Graph) { g.Nodes[0].Inputs[1].Name = "" }, "has no name"},
		{"order", func(g *Graph) { g.Nodes[0], g.Nodes[1] = g.Nodes[1], g.Nodes[0] }, "not defined before it"},
		{"cycle", func(g *Graph) { g.Nodes[0].Inputs[0] = g.Nodes[1].Outputs[0] }, "not defined before it"},
		{"two outputs", func(g *Graph) { g.Nodes[0].Outputs = append(g.Nodes[0].Outputs, &Value{Name: "z"}) }, "2 outputs"},
		{"shape", func(g *Graph) { g.Nodes[0].Outputs[0].Shape = []int{1, 2, 3, 4} }, "the inputs give"},
		{"data", func(g *Graph) { g.Nodes[0].Inputs[1].Data = make([]float32, 3) }, "3 elements of data"},
		{"type", func(g *Graph) { g.Inputs[0].DType = "f4" }, `element type "f4"`},
		{"role of an input", func(g *Graph) { g.Inputs[0].Role = RoleWeight }, "has role"},
		{"role of a result", func(g *Graph) { g.Nodes[0].Outputs[0].Role = RoleWeight }, "has role"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewBuilder("net")
			g, err := b.Build(b.Activation(OpRelu, b.Conv("a", b.Input("x", 1, 2, 3, 3), 2, 1, 1, 1, 0, 1, false)))
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(g)
			err = g.Validate()
			if c.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v does not say %q", err, c.err)
			}
			if _, err := Fuse(g); err == nil {
				t.Error("it is fused all the same")
			}
		})
	}
}

func TestBuilderKeepsFirstError(t *testing.T) {
	for name, build := range map[string]func(b *Builder, x *Value) *Value{
		`"fc" (Linear)`:      func(b *Builder, x *Value) *Value { return b.Flatten(b.Linear("fc", x, 3)) },
		"no activation":      func(b *Builder, x *Value) *Value { return b.Activation(OpConv2D, x) },
		"input is missing":   func(b *Builder, x *Value) *Value { return b.Add(nil, x) },
		"an input is":        func(b *Builder, x *Value) *Value { return b.Mul(x, nil) },
		`"x" is defined`:     func(b *Builder, x *Value) *Value { return b.Input("x", 1) },
		"does not fit input": func(b *Builder, x *Value) *Value { return b.Conv("c", x, 3, 1, 1, 1, 0, 0, false) },
	} {
		b := NewBuilder("bad")
		_, err := b.Build(b.Activation(OpRelu, build(b, b.Input("x", 1, 2, 3, 3))))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v does not say %q", err, name)
		}
	}
}
