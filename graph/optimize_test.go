package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// scalar is a constant of one element for tensors of rank 4.
func scalar(name string, x float32) *Value {
	return &Value{Name: name, DType: F32, Shape: []int{1, 1, 1, 1}, Data: []float32{x}, Role: RoleConstant}
}

func TestFuse(t *testing.T) {
	conv := func(b *Builder, name string, x *Value) *Value { return b.Conv(name, x, 4, 1, 1, 1, 0, 1, false) }
	for _, c := range []struct {
		name  string
		build func(b *Builder, x *Value) []*Value
		want  []string // kinds with epilogues, in order
	}{
		{"batch norm and activation", func(b *Builder, x *Value) []*Value {
			return []*Value{b.Activation(OpHardSwish, b.BatchNorm("bn", conv(b, "a", x)))}
		}, []string{"Conv/hswish"}},
		{"two batch norms", func(b *Builder, x *Value) []*Value {
			return []*Value{b.BatchNorm("bn2", b.BatchNorm("bn", conv(b, "a", x)))}
		}, []string{"Conv/none"}},
		{"batch norm of an input", func(b *Builder, x *Value) []*Value {
			return []*Value{b.Activation(OpRelu, b.BatchNorm("bn", x))}
		}, []string{"Conv/relu"}},
		{"batch norm of a rank 2 input", func(b *Builder, x *Value) []*Value {
			return []*Value{b.BatchNorm("bn", b.Flatten(x))}
		}, []string{"Flatten/none", "Mul/none", "Add/none"}},
		{"batch norm of a value used twice", func(b *Builder, x *Value) []*Value {
			y := conv(b, "a", x)
			return []*Value{b.Add(b.BatchNorm("bn", y), y)}
		}, []string{"Conv/none", "Conv/add"}},
		{"batch norm of an output", func(b *Builder, x *Value) []*Value {
			y := conv(b, "a", x)
			return []*Value{y, b.BatchNorm("bn", y)}
		}, []string{"Conv/none", "Conv/none"}},
		{"residual, second operand", func(b *Builder, x *Value) []*Value {
			return []*Value{b.Activation(OpRelu, b.Add(x, conv(b, "a", x)))}
		}, []string{"Conv/add.relu"}},
		{"the later of two convolutions adds", func(b *Builder, x *Value) []*Value {
			first := b.BatchNorm("a.bn", conv(b, "a", x))
			return []*Value{b.Add(first, b.BatchNorm("b.bn", conv(b, "b", x)))}
		}, []string{"Conv/none", "Conv/add"}},
		{"what comes later is added then", func(b *Builder, x *Value) []*Value {
			return []*Value{b.Add(conv(b, "a", x), b.Activation(OpSigmoid, x))}
		}, []string{"Sigmoid/none", "Conv/add"}},
		{"no addition after an activation", func(b *Builder, x *Value) []*Value {
			return []*Value{b.Add(b.Activation(OpRelu, conv(b, "a", x)), x)}
		}, []string{"Conv/relu", "Add/none"}},
		{"no broadcast addition", func(b *Builder, x *Value) []*Value {
			return []*Value{b.Add(conv(b, "a", x), b.GlobalAveragePool(x))}
		}, []string{"Conv/none", "GlobalAveragePool/none", "Add/none"}},
		{"a value added to itself", func(b *Builder, x *Value) []*Value {
			y := conv(b, "a", x)
			return []*Value{b.Add(y, y)}
		}, []string{"Conv/none", "Add/none"}},
		{"one activation only", func(b *Builder, x *Value) []*Value {
			return []*Value{b.Activation(OpSigmoid, b.Activation(OpRelu, conv(b, "a", x)))}
		}, []string{"Conv/relu", "Sigmoid/none"}},
		{"outputs stay", func(b *Builder, x *Value) []*Value {
			y := conv(b, "a", x)
			z := b.Add(y, x)
			return []*Value{y, z, b.Activation(OpRelu, z)}
		}, []string{"Conv/none", "Add/none", "Relu/none"}},
		{"linear", func(b *Builder, x *Value) []*Value {
			return []*Value{b.Activation(OpRelu6, b.BatchNorm("bn", b.Linear("fc", b.Flatten(x), 3)))}
		}, []string{"Flatten/none", "Linear/relu6"}},
		{"squeeze and excite", func(b *Builder, x *Value) []*Value {
			return []*Value{b.Activation(OpRelu, b.Mul(x, b.Activation(OpHardSigmoid, conv(b, "a", b.GlobalAveragePool(x)))))}
		}, []string{"GlobalAveragePool/none", "Reshape/none", "Linear/hsigmoid", "Reshape/none", "Mul/relu"}},
		{"identities go", func(b *Builder, x *Value) []*Value {
			y := b.Apply(Identity, "i1", Attributes{}, b.Apply(Identity, "i0", Attributes{}, conv(b, "a", x)))
			return []*Value{b.Apply(Identity, "i2", Attributes{}, b.Activation(OpRelu, y))}
		}, []string{"Conv/relu", "Identity/none"}},
		{"hard swish written out", func(b *Builder, x *Value) []*Value {
			y := conv(b, "a", x)
			gate := b.Activation(OpRelu6, b.Add(y, scalar("three", 3)))
			return []*Value{b.Mul(b.Mul(gate, y), scalar("sixth", 1./6))}
		}, []string{"Conv/hswish"}},
		{"hard swish by hard sigmoid", func(b *Builder, x *Value) []*Value {
			y := conv(b, "a", x)
			return []*Value{b.Mul(y, b.Activation(OpHardSigmoid, y))}
		}, []string{"Conv/hswish"}},
		{"hard sigmoid written out", func(b *Builder, x *Value) []*Value {
			gate := b.Activation(OpRelu6, b.Add(conv(b, "a", x), scalar("three", 3)))
			return []*Value{b.Mul(gate, scalar("sixth", 1./6))}
		}, []string{"Conv/hsigmoid"}},
		{"a gate of something else is no hard swish", func(b *Builder, x *Value) []*Value {
			return []*Value{b.Mul(b.Activation(OpRelu, x), b.Activation(OpHardSigmoid, x))}
		}, []string{"Relu/none", "HardSigmoid/none", "Mul/none"}},
		{"a gate used twice is no hard swish", func(b *Builder, x *Value) []*Value {
			gate := b.Activation(OpHardSigmoid, x)
			return []*Value{b.Mul(x, gate), gate}
		}, []string{"HardSigmoid/none", "Mul/none"}},
	} {
		for _, filled := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/data=%v", c.name, filled), func(t *testing.T) {
				b := NewBuilder(c.name)
				g, err := b.Build(c.build(b, b.Input("x", 2, 4, 3, 3))...)
				if err != nil {
					t.Fatal(err)
				}
				if filled {
					fill(g, 1)
				}
				fused := checkFused(t, g, filled)
				var got []string
				for _, n := range fused.Nodes {
					got = append(got, fmt.Sprintf("%s/%s", n.Kind, n.Attributes.Epilogue))
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("nodes (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestFuseConstants(t *testing.T) {
	b := NewBuilder("constants")
	x := b.Input("x", 1, 2, 3, 3)
	perChannel := &Value{Name: "bias", DType: F32, Shape: []int{1, 4, 1, 1}, Data: []float32{1, 2, 3, 4}, Role: RoleConstant}
	perPixel := &Value{Name: "map", DType: F32, Shape: []int{1, 1, 3, 3}, Data: make([]float32, 9), Role: RoleConstant}
	y := b.Add(b.Conv("a", x, 4, 3, 3, 1, 1, 1, false), perChannel)
	y = b.Activation(OpRelu, b.Mul(y, scalar("half", 0.5)))
	y = b.Add(b.Conv("b", y, 4, 1, 1, 1, 0, 1, true), perPixel)
	g, err := b.Build(y)
	if err != nil {
		t.Fatal(err)
	}
	fill(g, 3)
	if fused := checkFused(t, g, true); len(fused.Nodes) != 3 {
		t.Errorf("%d nodes left, want two convolutions and the addition of a map", len(fused.Nodes))
	}
}

// checkFused checks that fusing leaves the graph as it was, gives a valid one
// with the same costs where it must, and computes the same.
func checkFused(t interface {
	Helper()
	Fatalf(string, ...any)
}, g *Graph, filled bool) *Graph {
	t.Helper()
	before := fmt.Sprint(describe(g))
	fused, err := Fuse(g)
	if err != nil {
		t.Fatalf("fuse: %v", err)
	}
	if after := fmt.Sprint(describe(g)); after != before {
		t.Fatalf("fusing changed its input:\n%s\n%s", before, after)
	}
	if err := fused.Validate(); err != nil {
		t.Fatalf("fused graph: %v", err)
	}
	if !slices.Equal(g.Outputs, fused.Outputs) {
		t.Fatalf("outputs changed")
	}
	if _, err := fused.Workloads(); err != nil {
		t.Fatalf("workloads: %v", err)
	}
	if !filled {
		return fused
	}
	random := rand.New(rand.NewPCG(5, 5))
	inputs := make(map[string][]float64)
	for _, v := range g.Inputs {
		x := make([]float64, v.Elements())
		for i := range x {
			x[i] = 3 * random.NormFloat64()
		}
		inputs[v.Name] = x
	}
	want, got := evaluate(g, inputs), evaluate(fused, inputs)
	for o := range want {
		for i := range want[o] {
			if math.Abs(want[o][i]-got[o][i]) > 1e-4*(1+math.Abs(want[o][i])) {
				t.Fatalf("output %d[%d] is %g, was %g before fusing", o, i, got[o][i], want[o][i])
			}
		}
	}
	return fused
}

// describe is all of a graph that Fuse might change by mistake.
func describe(g *Graph) []string {
	var s []string
	for _, n := range g.Nodes {
		s = append(s, fmt.Sprint(n.Name, n.Kind, n.Attributes))
		for _, v := range slices.Concat(n.Inputs, n.Outputs) {
			s = append(s, fmt.Sprintf("%p%v", v, *v))
		}
	}
	return s
}

// TestFuseRandom grows random networks and fuses them.
func TestFuseRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBuilder("random")
		pool := []*Value{b.Input("x", 1, 4, 4, 4)}
		for i := range rapid.IntRange(1, 12).Draw(t, "nodes") {
			name := fmt.Sprint("n", i)
			x := rapid.SampledFrom(pool).Draw(t, "x")
			y := rapid.SampledFrom(pool).Draw(t, "y")
			full := len(x.Shape) == 4 && x.Shape[2] == 4
			switch rapid.IntRange(0, 7).Draw(t, "kind") {
			case 0, 1:
				if full {
					x = b.Conv(name, x, 4, 3, 3, 1, 1, rapid.SampledFrom([]int{1, 2, 4}).Draw(t, "group"), rapid.Bool().Draw(t, "bias"))
				}
			case 2, 3:
				x = b.BatchNorm(name, x)
			case 4:
				x = b.Activation(rapid.SampledFrom([]Op{OpRelu, OpRelu6, OpHardSwish, OpHardSigmoid, OpSigmoid}).Draw(t, "op"), x)
			case 5:
				if slices.Equal(x.Shape, y.Shape) {
					x = b.Add(x, y)
				}
			case 6:
				if slices.Equal(x.Shape, y.Shape) {
					x = b.Mul(x, y)
				}
			case 7:
				if full {
					x = b.Mul(x, b.Activation(OpHardSigmoid, b.Conv(name, b.GlobalAveragePool(x), 4, 1, 1, 1, 0, 1, true)))
				}
			}
			pool = append(pool, x)
		}
		outputs := []*Value{pool[len(pool)-1]}
		if extra := rapid.SampledFrom(pool).Draw(t, "output"); extra != outputs[0] {
			outputs = append(outputs, extra)
		}
		g, err := b.Build(outputs...)
		if err != nil {
			t.Fatal(err)
		}
		if filled := rapid.Bool().Draw(t, "filled"); filled {
			fill(g, 7)
			checkFused(t, g, true)
		} else {
			checkFused(t, g, false)
		}
	})
}

func TestFuseSharedWeight(t *testing.T) {
	b := NewBuilder("shared")
	x := b.Input("x", 1, 2, 3, 3)
	y := b.Conv("a", x, 2, 1, 1, 1, 0, 1, true)
	conv := b.graph.Nodes[0]
	z := b.Apply(Conv, "b", conv.Attributes, y, conv.Inputs[1], conv.Inputs[2])
	g, err := b.Build(b.BatchNorm("b.bn", z))
	if err != nil {
		t.Fatal(err)
	}
	fill(g, 4)
	checkFused(t, g, true)
}

func TestFuseErrors(t *testing.T) {
	build := func() *Graph {
		b := NewBuilder("bad")
		g, err := b.Build(b.BatchNorm("bn", b.Conv("a", b.Input("x", 1, 2, 3, 3), 2, 1, 1, 1, 0, 1, false)))
		if err != nil {
			t.Fatal(err)
		}
		fill(g, 1)
		return g
	}
	g := build()
	g.Nodes[1].Inputs[4].Data[1] = -1
	if _, err := Fuse(g); err == nil || !strings.Contains(err.Error(), "variance of channel 1") {
		t.Errorf("negative variance: error %v", err)
	}
	g = build()
	g.Nodes[1].Inputs[3].Data = nil
	if _, err := Fuse(g); err == nil || !strings.Contains(err.Error(), "has data, the other has none") {
		t.Errorf("half filled batch norm: error %v", err)
	}
}

// mobile is a network of inverted residual blocks, as search spaces have them.
func mobile(blocks int) (*Graph, error) {
	b := NewBuilder("mobile")
	x := b.Activation(OpHardSwish, b.BatchNorm("stem.bn", b.Conv("stem", b.Input("x", 1, 1, 28, 28), 16, 3, 3, 1, 1, 1, false)))
	for i := range blocks {
		name := fmt.Sprintf("block%d", i)
		y := b.Activation(OpRelu, b.BatchNorm(name+".expand.bn", b.Conv(name+".expand", x, 64, 1, 1, 1, 0, 1, false)))
		y = b.Activation(OpRelu, b.BatchNorm(name+".depthwise.bn", b.Conv(name+".depthwise", y, 64, 3, 3, 1, 1, 64, false)))
		y = b.BatchNorm(name+".project.bn", b.Conv(name+".project", y, 16, 1, 1, 1, 0, 1, false))
		x = b.Add(y, x)
	}
	return b.Build(b.Linear("classifier", b.Flatten(b.GlobalAveragePool(x)), 10))
}

// BenchmarkLower is what a search does for each candidate's cost: build, fuse,
// list the workloads.
func BenchmarkLower(b *testing.B) {
	nodes := 0
	for b.Loop() {
		g, err := mobile(20)
		if err != nil {
			b.Fatal(err)
		}
		fused, err := Fuse(g)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := fused.Workloads(); err != nil {
			b.Fatal(err)
		}
		nodes = len(g.Nodes)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*nodes), "ns/node")
}
