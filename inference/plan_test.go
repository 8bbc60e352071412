package inference

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/kernels"
)

// TestForksRunSideBySide runs forks of one plan on several goroutines, with
// kernels on one thread and on several, and wants the bits of a run alone.
func TestForksRunSideBySide(t *testing.T) {
	convolutions := mobileNet(t)
	fill(convolutions, 1)
	for name, g := range map[string]*graph.Graph{"convolutions": convolutions, "attention": encoder(t)} {
		t.Run(name, func(t *testing.T) { testForks(t, g) })
	}
}

// encoder is a layer of a transformer, in plain operators.
func encoder(t testing.TB) *graph.Graph {
	t.Helper()
	b := &plainGraph{Builder: graph.NewBuilder("encoder")}
	x := b.Input("x", 1, 7, 16)
	norm := func(x *graph.Value) *graph.Value {
		return b.apply("LayerNormalization", nil, x, b.constant(16), b.constant(16))
	}
	dense := func(x *graph.Value, in, out int) *graph.Value {
		return b.apply("Add", nil, b.apply("MatMul", nil, x, b.constant(in, out)), b.constant(out))
	}
	heads := operator.Attributes{"q_num_heads": int64(2), "kv_num_heads": int64(2)}
	y := norm(x)
	y = b.apply("Attention", heads, dense(y, 16, 16), dense(y, 16, 16), dense(y, 16, 16), b.constant(1, 7))
	x = b.apply("Add", nil, x, dense(y, 16, 16))
	y = dense(b.apply("Gelu", nil, dense(norm(x), 16, 32)), 32, 16)
	x = b.apply("Concat", operator.Attributes{"axis": int64(1)}, b.apply("Add", nil, x, y), b.apply("Softmax", nil, y))
	g, err := b.Build(b.apply("ReduceMean", nil, b.apply("Transpose", operator.Attributes{"perm": ints64(0, 2, 1)}, x), b.ints(-1)))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestPlainOperatorsAllocateNothing covers a layer of a transformer.
func TestPlainOperatorsAllocateNothing(t *testing.T) {
	p := comparePlan(t, encoder(t))
	for _, s := range p.program.timed {
		if s.reference {
			t.Errorf("%s (%s) has no kernel", s.name, s.kind)
		}
	}
	if allocs := allocations(t, p); allocs != 0 {
		t.Errorf("%g allocations a run", allocs)
	}
}

func testForks(t *testing.T, g *graph.Graph) {
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	fillInputs(p, 1)
	runPlan(t, p)
	want := cloneAll(floats(p.Outputs()))
	for _, threads := range []int{1, 2} {
		t.Run(fmt.Sprint(threads, " threads"), func(t *testing.T) {
			defer kernels.Threads(kernels.Threads(threads))
			var wait sync.WaitGroup
			for range 10 {
				wait.Go(func() {
					fork := p.Fork()
					fillInputs(fork, 1)
					for range 100 / threads / threads {
						if err := fork.Run(); err != nil {
							t.Error(err)
							return
						}
						for i, out := range floats(fork.Outputs()) {
							if !slices.EqualFunc(out, want[i], func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
								t.Errorf("output %d is %v, alone %v", i, out, want[i])
								return
							}
						}
					}
				})
			}
			wait.Wait()
		})
	}
}

func TestArenaLimit(t *testing.T) {
	g := mobileNet(t)
	fill(g, 1)
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compile(g, ArenaLimit(p.ArenaBytes())); err != nil {
		t.Errorf("with just enough memory: %v", err)
	}
	_, err = Compile(g, ArenaLimit(p.ArenaBytes()-1))
	want := fmt.Sprintf("take %d bytes, which is more than the limit of %d", p.ArenaBytes(), p.ArenaBytes()-1)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one that says %q", err, want)
	}
}

// TestHugeTensorsAreRefused has no memory for what the graph asks for; nothing
// of it may be allocated.
func TestHugeTensorsAreRefused(t *testing.T) {
	b := graph.NewBuilder("huge")
	x := b.Input("x", 1<<15, 1<<15)
	g, err := b.Build(b.Activation(graph.OpRelu, b.Activation(graph.OpSigmoid, x)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compile(g); err == nil || !strings.Contains(err.Error(), "more than the limit") {
		t.Errorf("error %v, want one that speaks of the limit", err)
	}
}

func TestValuesOfOtherTypes(t *testing.T) {
	for _, d := range []graph.DType{operator.F64, operator.F16, operator.BF16} {
		t.Run(string(d), func(t *testing.T) {
			b := graph.NewBuilder("typed")
			x := b.Input("x", 3, 5)
			x.DType = d
			plain := graph.Attributes{Named: operator.Attributes{}}
			g, err := b.Build(b.Apply("Abs", "abs", plain, b.Apply("Tanh", "tanh", plain, x)))
			if err != nil {
				t.Fatal(err)
			}
			p, err := Compile(g)
			if err != nil {
				t.Fatal(err)
			}
			in := operator.New(d, 3, 5)
			for i := range 15 {
				switch x := in.Data.(type) {
				case []float64:
					x[i] = float64(i-7) / 4
				case []uint16:
					x[i] = operator.ToHalf(d, float32(i-7)/4)
				}
			}
			setTensor(p.Inputs()[0], in)
			runPlan(t, p)
			out := p.Outputs()[0]
			if out.DType != d || !slices.Equal(out.Shape, []int{3, 5}) {
				t.Fatalf("output is %s %v", out.DType, out.Shape)
			}
			for i := range 15 {
				var got float64
				switch y := out.Data.(type) {
				case []float64:
					got = y[i]
				case []uint16:
					got = float64(operator.FromHalf(d, y[i]))
				}
				if want := math.Abs(math.Tanh(float64(i-7) / 4)); math.Abs(got-want) > 4e-3 {
					t.Errorf("element %d is %g, want %g", i, got, want)
				}
			}
		})
	}
}

// setTensor copies elements.
func setTensor(dst, src *operator.Tensor) {
	switch d := dst.Data.(type) {
	case []float32:
		copy(d, src.Data.([]float32))
	case []float64:
		copy(d, src.Data.([]float64))
	case []uint16:
		copy(d, src.Data.([]uint16))
	case []int8:
		copy(d, src.Data.([]int8))
	case []uint8:
		copy(d, src.Data.([]uint8))
	case []int32:
		copy(d, src.Data.([]int32))
	case []int64:
		copy(d, src.Data.([]int64))
	case []bool:
		copy(d, src.Data.([]bool))
	default:
		panic(fmt.Sprintf("no copy of %T", d))
	}
}
