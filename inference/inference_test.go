package inference

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/kernels"
	"pgregory.net/rapid"
)

// TestRunComputesTheGraph compares plans of random networks, fused, with the
// definition of the operators, unfused.
func TestRunComputesTheGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGraph(t)
		p, err := Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		fillInputs(p, rapid.Uint64().Draw(t, "inputs"))
		inputs := cloneAll(floats(p.Inputs()))
		want := interpret(g, inputs)
		for run := range 2 { // the second on what the first left in the arena
			runPlan(t, p)
			for i, v := range g.Outputs {
				compare(t, v.Name, floats(p.Outputs())[i], want[v])
			}
			for i, x := range floats(p.Inputs()) {
				if !slices.Equal(x, inputs[i]) {
					t.Fatalf("run %d changed input %d", run, i)
				}
			}
		}
	})
}

// runPlan runs p, which must not fail.
func runPlan(t rapid.TB, p *Plan) {
	t.Helper()
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
}

// floats are the elements of tensors of single precision.
func floats(list []*operator.Tensor) [][]float32 {
	data := make([][]float32, len(list))
	for i, t := range list {
		data[i] = t.Data.([]float32)
	}
	return data
}

// allocations of a run.
func allocations(t *testing.T, p *Plan) float64 {
	return testing.AllocsPerRun(20, func() { runPlan(t, p) })
}

func cloneAll(list [][]float32) [][]float32 {
	copies := make([][]float32, len(list))
	for i := range list {
		copies[i] = slices.Clone(list[i])
	}
	return copies
}

func compare(t rapid.TB, name string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, want %d", name, len(got), len(want))
	}
	for i := range got {
		if diff := math.Abs(float64(got[i]) - want[i]); !(diff <= 1e-4*max(1, math.Abs(want[i]))) {
			t.Fatalf("%s[%d] = %g, want %g", name, i, got[i], want[i])
		}
	}
}

// mobileNet is a small network of the kind that the product searches.
func mobileNet(t testing.TB) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder("mobile")
	x := b.Activation(graph.OpHardSwish, b.BatchNorm("stem.norm", b.Conv("stem", b.Input("x", 1, 3, 28, 28), 16, 3, 3, 2, 1, 1, false)))
	for _, name := range []string{"block1", "block2", "block3"} {
		y := b.Activation(graph.OpRelu, b.BatchNorm(name+".expand.norm", b.Conv(name+".expand", x, 64, 1, 1, 1, 0, 1, false)))
		y = b.Activation(graph.OpRelu, b.BatchNorm(name+".depthwise.norm", b.Conv(name+".depthwise", y, 64, 3, 3, 1, 1, 64, false)))
		s := b.Activation(graph.OpRelu, b.Conv(name+".reduce", b.GlobalAveragePool(y), 8, 1, 1, 1, 0, 1, true))
		y = b.Mul(y, b.Activation(graph.OpHardSigmoid, b.Conv(name+".excite", s, 64, 1, 1, 1, 0, 1, true)))
		x = b.Add(b.BatchNorm(name+".project.norm", b.Conv(name+".project", y, 16, 1, 1, 1, 0, 1, false)), x)
	}
	g, err := b.Build(b.Linear("classifier", b.Flatten(b.GlobalAveragePool(x)), 10))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestMobileNet(t *testing.T) {
	g := mobileNet(t)
	fill(g, 1)
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	fillInputs(p, 1)
	runPlan(t, p)
	compare(t, "output", floats(p.Outputs())[0], interpret(g, floats(p.Inputs()))[g.Outputs[0]])

	if allocs := allocations(t, p); allocs != 0 {
		t.Errorf("%g allocations a run", allocs)
	}
	if arena, naive := p.ArenaBytes(), p.NaiveBytes(); arena > naive/3 {
		t.Errorf("arena is %d bytes, more than a third of the tensors' sum of %d", arena, naive)
	}
}

// TestOtherOperatorsAllocateNothing covers the operators that MobileNet does not
// have.
func TestOtherOperatorsAllocateNothing(t *testing.T) {
	b := graph.NewBuilder("others")
	x := b.Input("x", 2, 4, 6, 6)
	y := b.Mul(b.MaxPool(x, 3, 1, 1), b.Input("row", 2, 1, 1, 6))
	y = b.Activation(graph.OpRelu, b.Add(b.AvgPool(y, 2, 2, 0), b.Input("plane", 2, 1, 3, 3)))
	g, err := b.Build(b.Softmax(b.Linear("linear", b.Flatten(b.Activation(graph.OpSigmoid, y)), 7)))
	if err != nil {
		t.Fatal(err)
	}
	fill(g, 1)
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	if allocs := allocations(t, p); allocs != 0 {
		t.Errorf("%g allocations a run", allocs)
	}
}

func TestTraceNamesWorkloads(t *testing.T) {
	g := mobileNet(t)
	fill(g, 1)
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	fused, err := graph.Fuse(g)
	if err != nil {
		t.Fatal(err)
	}
	want, err := fused.Workloads()
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Workloads(); !slices.Equal(got, want) {
		t.Errorf("workloads %v, want %v", got, want)
	}
	trace, err := p.Trace()
	if err != nil {
		t.Fatal(err)
	}
	if len(trace) != len(want) {
		t.Fatalf("trace has %d steps, want %d", len(trace), len(want))
	}
	for i, s := range trace {
		if s.Workload != want[i] || s.Name == "" || s.NS < 0 {
			t.Errorf("step %d is %+v, want workload %s", i, s, want[i])
		}
	}
}

func TestCompileErrors(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*graph.Graph)
		want  string
	}{
		{"no weights", func(g *graph.Graph) {
			for _, v := range g.Parameters() {
				v.Data = nil
			}
		}, `parameter "stem.weight" and `},
		{"one missing", func(g *graph.Graph) { g.Parameters()[1].Data = nil }, `parameter "stem.norm.scale" has no data: fill the weights`},
		{"too little data", func(g *graph.Graph) { g.Parameters()[0].Data = make([]float32, 5) }, `value "stem.weight": 5 elements of data for shape [16 3 3 3]`},
		{"unknown kind", func(g *graph.Graph) { g.Nodes[3].Kind = "LSTM" }, `LSTM`},
		{"wrong shape", func(g *graph.Graph) { g.Nodes[0].Outputs[0].Shape = []int{1, 16, 9, 9} }, `node "stem" (Conv)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := mobileNet(t)
			fill(g, 1)
			test.spoil(g)
			_, err := Compile(g)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), `inference: graph "mobile"`) {
				t.Errorf("error %v, want one that names the graph and says %q", err, test.want)
			}
		})
	}
}

// check runs g on random weights and inputs and compares all its outputs with
// the reference.
func check(t *testing.T, g *graph.Graph) *Plan {
	t.Helper()
	fill(g, 1)
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	fillInputs(p, 1)
	want := interpret(g, floats(p.Inputs()))
	runPlan(t, p)
	for i, v := range g.Outputs {
		compare(t, v.Name, floats(p.Outputs())[i], want[v])
	}
	return p
}

func TestBroadcast(t *testing.T) {
	for _, y := range [][]int{
		{2, 4, 2, 2}, {2, 4, 1, 1}, {2, 1, 2, 2}, {2, 4, 2, 1}, {2, 4, 1, 2}, {2, 1, 1, 2}, {2, 1, 2, 1}, {2, 1, 1, 1},
	} {
		b := graph.NewBuilder("broadcast")
		x, second := b.Input("x", 2, 4, 2, 2), b.Input("y", y...)
		g, err := b.Build(b.Add(x, second), b.Mul(x, second), b.Activation(graph.OpRelu, b.Mul(x, second)))
		if err != nil {
			t.Fatal(err)
		}
		check(t, g)
	}
}

func TestResidualInPlace(t *testing.T) {
	size := int64(roundUp(4 * kernels.BlockedSize(1, 8, 5*5)))
	tests := []struct {
		name  string
		arena int64
		build func(b *graph.Builder, x *graph.Value) *graph.Value
	}{
		{"over the residual", 2 * size, func(b *graph.Builder, x *graph.Value) *graph.Value {
			h := b.Activation(graph.OpRelu, x)
			return b.Add(b.Conv("conv", x, 8, 1, 1, 1, 0, 1, true), h)
		}},
		{"the residual is what is convolved", 3 * size, func(b *graph.Builder, x *graph.Value) *graph.Value {
			h := b.Activation(graph.OpRelu, x)
			return b.Add(b.Conv("conv", h, 8, 3, 3, 1, 1, 1, true), h)
		}},
		{"the residual is used later", 3 * size, func(b *graph.Builder, x *graph.Value) *graph.Value {
			h := b.Activation(graph.OpRelu, x)
			y := b.Add(b.Conv("conv", x, 8, 3, 3, 1, 1, 1, true), h)
			return b.Add(b.Conv("conv2", y, 8, 3, 3, 1, 1, 1, true), h)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := graph.NewBuilder("residual")
			g, err := b.Build(test.build(b, b.Input("x", 1, 8, 5, 5)))
			if err != nil {
				t.Fatal(err)
			}
			check(t, g)
			p, err := CompilePart(g)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.ArenaBytes(); got != test.arena {
				t.Errorf("arena of %d bytes, want %d", got, test.arena)
			}
		})
	}
}
