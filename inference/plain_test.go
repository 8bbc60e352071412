package inference

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/kernels"
	"pgregory.net/rapid"
)

// plainGraph builds networks of plain operators.
type plainGraph struct {
	*graph.Builder
	t    *rapid.T
	next int
	seed uint64
}

func (b *plainGraph) draw(name string, low, high int) int {
	return rapid.IntRange(low, high).Draw(b.t, name)
}

func (b *plainGraph) name() string {
	b.next++
	return fmt.Sprintf("n%d", b.next)
}

// apply adds a node of one output.
func (b *plainGraph) apply(kind graph.Kind, a operator.Attributes, inputs ...*graph.Value) *graph.Value {
	if a == nil {
		a = operator.Attributes{}
	}
	return b.Apply(kind, b.name(), graph.Attributes{Named: a}, inputs...)
}

// given is a constant or an input of the graph with random elements.
func (b *plainGraph) given(shape ...int) *graph.Value {
	if rapid.Bool().Draw(b.t, "constant") {
		return b.constant(shape...)
	}
	return b.Input(b.name(), shape...)
}

// constant has random elements.
func (b *plainGraph) constant(shape ...int) *graph.Value {
	b.seed++
	v := &graph.Value{Name: b.name(), Role: graph.RoleConstant}
	v.Fill(randomTensor(b.seed, shape...))
	return v
}

func (b *plainGraph) ints(list ...int) *graph.Value {
	data := make([]int64, len(list))
	for i, x := range list {
		data[i] = int64(x)
	}
	v := &graph.Value{Name: b.name(), Role: graph.RoleConstant}
	v.Fill(&operator.Tensor{DType: operator.I64, Shape: []int{len(list)}, Data: data})
	return v
}

func (b *plainGraph) scalar(x float32) *graph.Value {
	v := &graph.Value{Name: b.name(), Role: graph.RoleConstant}
	v.Fill(&operator.Tensor{DType: operator.F32, Shape: []int{}, Data: []float32{x}})
	return v
}

func randomTensor(seed uint64, shape ...int) *operator.Tensor {
	t := operator.New(operator.F32, shape...)
	x := t.Data.([]float32)
	for i := range x {
		seed = seed*6364136223846793005 + 1442695040888963407
		x[i] = float32(int32(seed>>33)%4001-2000) / 1000
	}
	return t
}

// broadcastShape is shape with some dimensions of one, and maybe without the
// first.
func (b *plainGraph) broadcastShape(shape []int) []int {
	s := slices.Clone(shape)
	for i := range s {
		if b.draw("one", 0, 2) == 0 {
			s[i] = 1
		}
	}
	return s[b.draw("drop", 0, min(1, len(s))):]
}

func ints64(list ...int) []int64 {
	data := make([]int64, len(list))
	for i, x := range list {
		data[i] = int64(x)
	}
	return data
}

// positive is |x| + 1.
func (b *plainGraph) positive(x *graph.Value) *graph.Value {
	return b.apply("Add", nil, b.apply("Abs", nil, x), b.scalar(1))
}

// plainCases add an operator that reads x, which has any shape; nil if it does
// not take that shape.
var plainCases = map[string]func(b *plainGraph, x *graph.Value) *graph.Value{
	"unary": func(b *plainGraph, x *graph.Value) *graph.Value {
		kind := rapid.SampledFrom([]graph.Kind{"Abs", "Neg", "Exp", "Erf", "Tanh", "Relu", "Sigmoid", "HardSwish", "Gelu", "Swish", "LeakyRelu", "HardSigmoid"}).Draw(b.t, "kind")
		a := operator.Attributes{}
		if kind == "Gelu" && rapid.Bool().Draw(b.t, "tanh") {
			a["approximate"] = "tanh"
		}
		if kind == "Exp" {
			x = b.apply("Tanh", nil, x)
		}
		return b.apply(kind, a, x)
	},
	"positive": func(b *plainGraph, x *graph.Value) *graph.Value {
		return b.apply(rapid.SampledFrom([]graph.Kind{"Log", "Sqrt", "Reciprocal"}).Draw(b.t, "kind"), nil, b.positive(x))
	},
	"pow": func(b *plainGraph, x *graph.Value) *graph.Value {
		return b.apply("Pow", nil, b.positive(b.apply("Tanh", nil, x)), b.scalar(rapid.SampledFrom([]float32{2, 0.5, -1, 1.7}).Draw(b.t, "exponent")))
	},
	"clip": func(b *plainGraph, x *graph.Value) *graph.Value {
		if rapid.Bool().Draw(b.t, "both") {
			return b.apply("Clip", nil, x, b.scalar(-1), b.scalar(0.5))
		}
		return b.apply("Clip", nil, x, nil, b.scalar(0.5))
	},
	"binary": func(b *plainGraph, x *graph.Value) *graph.Value {
		kind := rapid.SampledFrom([]graph.Kind{"Add", "Sub", "Mul", "Div", "Max", "Min"}).Draw(b.t, "kind")
		y := b.given(b.broadcastShape(x.Shape)...)
		if kind == "Div" {
			y = b.positive(y)
		} else if rapid.Bool().Draw(b.t, "swap") {
			x, y = y, x
		}
		return b.apply(kind, nil, x, y)
	},
	"max of three": func(b *plainGraph, x *graph.Value) *graph.Value {
		return b.apply("Max", nil, x, b.given(b.broadcastShape(x.Shape)...), x)
	},
	"matmul": func(b *plainGraph, x *graph.Value) *graph.Value {
		if len(x.Shape) < 2 {
			return nil
		}
		batch := b.broadcastShape(x.Shape[:len(x.Shape)-2])
		if rapid.Bool().Draw(b.t, "plain") {
			batch = nil
		}
		k, n := x.Shape[len(x.Shape)-1], b.draw("n", 1, 20)
		return b.apply("MatMul", nil, x, b.given(append(slices.Clone(batch), k, n)...))
	},
	"gemm": func(b *plainGraph, x *graph.Value) *graph.Value {
		x = b.apply("Flatten", operator.Attributes{"axis": int64(1)}, x)
		a := operator.Attributes{"alpha": float32(0.5), "beta": float32(2)}
		m, k, n := x.Shape[0], x.Shape[1], b.draw("n", 1, 20)
		if rapid.Bool().Draw(b.t, "transA") {
			a["transA"] = int64(1)
			m, k = k, m
		}
		shape := []int{k, n}
		if rapid.Bool().Draw(b.t, "transB") {
			a["transB"] = int64(1)
			shape = []int{n, k}
		}
		inputs := []*graph.Value{x, b.given(shape...)}
		if rapid.Bool().Draw(b.t, "bias") {
			inputs = append(inputs, b.given(b.broadcastShape([]int{m, n})...))
		}
		return b.apply("Gemm", a, inputs...)
	},
	"softmax": func(b *plainGraph, x *graph.Value) *graph.Value {
		kind := rapid.SampledFrom([]graph.Kind{"Softmax", "LogSoftmax"}).Draw(b.t, "kind")
		return b.apply(kind, operator.Attributes{"axis": int64(b.draw("axis", -len(x.Shape), len(x.Shape)-1))}, x)
	},
	"layernorm": func(b *plainGraph, x *graph.Value) *graph.Value {
		axis := b.draw("axis", 0, len(x.Shape)-1)
		a := operator.Attributes{"axis": int64(axis), "epsilon": float32(0.1)}
		if rapid.Bool().Draw(b.t, "rms") {
			return b.apply("RMSNormalization", a, x, b.given(x.Shape[axis:]...))
		}
		return b.apply("LayerNormalization", a, x, b.given(x.Shape[axis:]...), b.given(x.Shape[axis:]...))
	},
	"groupnorm": func(b *plainGraph, x *graph.Value) *graph.Value {
		if len(x.Shape) < 3 {
			return nil
		}
		c := x.Shape[1]
		a := operator.Attributes{"epsilon": float32(0.1)}
		if c%2 == 0 {
			a["num_groups"] = int64(2)
			return b.apply("GroupNormalization", a, x, b.given(c), b.given(c))
		}
		return b.apply("InstanceNormalization", a, x, b.given(c), b.given(c))
	},
	"batchnorm": func(b *plainGraph, x *graph.Value) *graph.Value {
		if len(x.Shape) < 2 {
			return nil
		}
		c := x.Shape[1]
		return b.apply("BatchNormalization", nil, x, b.given(c), b.given(c), b.given(c), b.positive(b.given(c)))
	},
	"reduce": func(b *plainGraph, x *graph.Value) *graph.Value {
		kind := rapid.SampledFrom([]graph.Kind{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare", "ReduceL2"}).Draw(b.t, "kind")
		axis := b.draw("axis", -len(x.Shape), len(x.Shape)-1)
		return b.apply(kind, operator.Attributes{"keepdims": int64(b.draw("keep", 0, 1))}, b.apply("Tanh", nil, x), b.ints(axis))
	},
	"argmax": func(b *plainGraph, x *graph.Value) *graph.Value {
		y := b.apply("ArgMax", operator.Attributes{"axis": int64(b.draw("axis", 0, len(x.Shape)-1)), "keepdims": int64(1)}, b.given(x.Shape...)) // no numbers that rounding makes equal
		return b.apply("Mul", nil, x, b.apply("Cast", operator.Attributes{"to": int64(1)}, y))
	},
	"transpose": func(b *plainGraph, x *graph.Value) *graph.Value {
		order := make([]int, len(x.Shape))
		for i := range order {
			order[i] = i
		}
		return b.apply("Transpose", operator.Attributes{"perm": ints64(rapid.Permutation(order).Draw(b.t, "perm")...)}, x)
	},
	"concat": func(b *plainGraph, x *graph.Value) *graph.Value {
		axis := b.draw("axis", 0, len(x.Shape)-1)
		shape := slices.Clone(x.Shape)
		shape[axis] = b.draw("size", 1, 20)
		list := []*graph.Value{x, b.apply("Neg", nil, b.given(shape...)), b.apply("Tanh", nil, x)}
		if rapid.Bool().Draw(b.t, "twice") {
			list = append(list, x)
		}
		return b.apply("Concat", operator.Attributes{"axis": int64(axis)}, list...)
	},
	"slice": func(b *plainGraph, x *graph.Value) *graph.Value {
		axis := b.draw("axis", 0, len(x.Shape)-1)
		size := x.Shape[axis]
		start := b.draw("start", 0, size-1)
		end := b.draw("end", start+1, size)
		if step := b.draw("step", 1, 2); step == 2 {
			return b.apply("Slice", nil, x, b.ints(-1), b.ints(math.MinInt32), b.ints(axis), b.ints(-2))
		}
		return b.apply("Slice", nil, x, b.ints(start), b.ints(end), b.ints(axis))
	},
	"overlapping slices": func(b *plainGraph, x *graph.Value) *graph.Value {
		if x.Shape[0] < 3 {
			return nil
		}
		x = b.apply("Tanh", nil, x)
		first := b.apply("Slice", nil, x, b.ints(0), b.ints(x.Shape[0]-1), b.ints(0))
		second := b.apply("Slice", nil, x, b.ints(1), b.ints(x.Shape[0]), b.ints(0))
		if rapid.Bool().Draw(b.t, "swap") {
			first, second = second, first
		}
		return b.apply("Sub", nil, first, second)
	},
	"pad": func(b *plainGraph, x *graph.Value) *graph.Value {
		mode := rapid.SampledFrom([]string{"constant", "edge", "reflect"}).Draw(b.t, "mode")
		axis := b.draw("axis", 0, len(x.Shape)-1)
		most := 3
		if mode == "reflect" {
			most = x.Shape[axis] - 1
		}
		return b.apply("Pad", operator.Attributes{"mode": mode}, x, b.ints(b.draw("before", 0, most), b.draw("after", 0, most)), b.scalar(0.5), b.ints(axis))
	},
	"gather": func(b *plainGraph, x *graph.Value) *graph.Value {
		axis := b.draw("axis", 0, len(x.Shape)-1)
		size := x.Shape[axis]
		return b.apply("Gather", operator.Attributes{"axis": int64(axis)}, x, b.ints(b.draw("i", -size, size-1), b.draw("j", 0, size-1), 0))
	},
	"expand": func(b *plainGraph, x *graph.Value) *graph.Value {
		return b.apply("Expand", nil, x, b.ints(append([]int{2}, x.Shape...)...))
	},
	"reshape": func(b *plainGraph, x *graph.Value) *graph.Value {
		y := b.apply("Unsqueeze", nil, x, b.ints(0))
		return b.apply("Mul", nil, b.apply("Reshape", nil, y, b.ints(x.Shape...)), x)
	},
	"conv": func(b *plainGraph, x *graph.Value) *graph.Value {
		if len(x.Shape) != 3 && len(x.Shape) != 4 {
			return nil
		}
		c, k := x.Shape[1], b.draw("k", 1, 9)
		kernel := make([]int, len(x.Shape)-2)
		pads := make([]int, 2*len(kernel))
		for i := range kernel {
			kernel[i] = b.draw("kernel", 1, 3)
			pads[i], pads[i+len(kernel)] = kernel[i]/2, kernel[i]-1-kernel[i]/2
		}
		a := operator.Attributes{"pads": ints64(pads...)}
		if rapid.Bool().Draw(b.t, "transposed") {
			return b.apply("ConvTranspose", operator.Attributes{"strides": ints64(slices.Repeat([]int{2}, len(kernel))...)}, x,
				b.constant(append([]int{c, k}, kernel...)...), b.constant(k))
		}
		return b.apply("Conv", a, x, b.constant(append([]int{k, c}, kernel...)...), b.constant(k))
	},
	"pool": func(b *plainGraph, x *graph.Value) *graph.Value {
		if len(x.Shape) != 3 && len(x.Shape) != 4 {
			return nil
		}
		if kind := b.draw("global", 0, 3); kind < 2 {
			return b.apply([]graph.Kind{"GlobalAveragePool", "GlobalMaxPool"}[kind], nil, x)
		}
		kernel, strides := make([]int, len(x.Shape)-2), make([]int, len(x.Shape)-2)
		for i := range kernel {
			kernel[i], strides[i] = b.draw("kernel", 1, min(3, x.Shape[2+i])), b.draw("stride", 1, 2)
		}
		a := operator.Attributes{"kernel_shape": ints64(kernel...), "strides": ints64(strides...), "ceil_mode": int64(b.draw("ceil", 0, 1))}
		kind := graph.Kind("MaxPool")
		if rapid.Bool().Draw(b.t, "average") {
			kind = "AveragePool"
			a["count_include_pad"] = int64(b.draw("counted", 0, 1))
		}
		return b.apply(kind, a, x)
	},
	"resize": func(b *plainGraph, x *graph.Value) *graph.Value {
		if len(x.Shape) != 4 {
			return nil
		}
		a := operator.Attributes{
			"mode":         rapid.SampledFrom([]string{"nearest", "linear", "cubic"}).Draw(b.t, "mode"),
			"nearest_mode": rapid.SampledFrom([]string{"round_prefer_floor", "floor"}).Draw(b.t, "rounding"),
			"coordinate_transformation_mode": rapid.SampledFrom([]string{
				"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"}).Draw(b.t, "coordinates"),
		}
		return b.apply("Resize", a, x, nil, nil, b.ints(x.Shape[0], x.Shape[1], b.draw("h", 1, 9), b.draw("w", 1, 9)))
	},
}

// TestPlainOperators compares plans of random networks of plain operators, on
// every implementation of the kernels, with the definitions of the operators.
func TestPlainOperators(t *testing.T) {
	names := make([]string, 0, len(plainCases))
	for name := range plainCases {
		names = append(names, name)
	}
	slices.Sort(names)
	best := kernels.Implementation()
	defer kernels.Use(best)
	for _, implementation := range kernels.Implementations() {
		t.Run(implementation, func(t *testing.T) {
			if err := kernels.Use(implementation); err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) {
				b := &plainGraph{Builder: graph.NewBuilder("plain"), t: t}
				shape := rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 3, 5, 16, 17}), 1, 4).Draw(t, "shape")
				x := b.Input("x", shape...)
				seen := []*graph.Value{x}
				for range b.draw("nodes", 1, 5) {
					from := rapid.SampledFrom(seen).Draw(t, "from")
					if y := plainCases[rapid.SampledFrom(names).Draw(t, "case")](b, from); y != nil && len(y.Shape) > 0 && y.Elements() < 1<<13 {
						seen = append(seen, y)
					}
				}
				outputs := []*graph.Value{seen[len(seen)-1]}
				if middle := seen[len(seen)/2]; middle != outputs[0] {
					outputs = append(outputs, middle)
				}
				g, err := b.Build(outputs...)
				if err != nil {
					t.Fatal(err)
				}
				comparePlan(t, g)
			})
		})
	}
}

// comparePlan runs a plan of g, as it is, and compares its outputs with what
// the nodes compute by definition.
func comparePlan(t rapid.TB, g *graph.Graph) *Plan {
	t.Helper()
	p, err := compile(g, options{arena: DefaultArenaLimit})
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[*graph.Value]*operator.Tensor)
	for i, v := range g.Inputs {
		x := randomTensor(uint64(i)+99, v.Shape...)
		values[v] = x
		setTensor(p.Inputs()[i], x)
	}
	for _, v := range g.Parameters() {
		values[v] = v.Tensor()
	}
	for _, n := range g.Nodes {
		in := make([]*operator.Tensor, len(n.Inputs))
		for i, v := range n.Inputs {
			if v != nil {
				in[i] = values[v]
			}
		}
		out, err := n.Compute(in)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range n.Outputs {
			values[v] = out[i]
		}
	}
	for range 2 { // the second on what the first left in the arena
		runPlan(t, p)
		for i, v := range g.Outputs {
			compareTensors(t, v.Name, p.Outputs()[i], values[v])
		}
	}
	return p
}

func compareTensors(t rapid.TB, name string, got, want *operator.Tensor) {
	t.Helper()
	if got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) {
		t.Fatalf("%s is %s %v, want %s %v", name, got.DType, got.Shape, want.DType, want.Shape)
	}
	x, ok := got.Data.([]float32)
	if a, isBytes := bytesOfTensor(got); isBytes {
		// Scales are rounded to single precision at other places, which shows
		// where a number is just between two bytes.
		b, _ := bytesOfTensor(want)
		off := 0
		for i := range a {
			if a[i] != b[i] {
				off++
			}
			if max(a[i]-b[i], b[i]-a[i]) > 1 {
				t.Fatalf("%s[%d] = %d, want %d", name, i, a[i], b[i])
			}
		}
		if off > 1+len(a)/50 {
			t.Fatalf("%s: %d of %d bytes are one off", name, off, len(a))
		}
		return
	}
	if !ok {
		if fmt.Sprint(got.Data) != fmt.Sprint(want.Data) {
			t.Fatalf("%s is %v, want %v", name, got.Data, want.Data)
		}
		return
	}
	for i, w := range want.Data.([]float32) {
		if diff := math.Abs(float64(x[i] - w)); !(diff <= 2e-4*max(1, math.Abs(float64(w)))) && !(x[i] != x[i] && w != w) && x[i] != w {
			t.Fatalf("%s[%d] = %g, want %g", name, i, x[i], w)
		}
	}
}

// TestSplit has pieces that share the memory of the whole, and such that do not.
func TestSplit(t *testing.T) {
	for _, shape := range [][]int{{32, 16}, {4, 32}, {3, 5}, {1, 1, 48, 2}} {
		for axis, size := range shape {
			if size < 3 {
				continue
			}
			x := &graph.Value{Name: "x", DType: graph.F32, Shape: shape}
			y := &graph.Value{Name: "y"}
			split := &graph.Node{
				Name: "split", Kind: "Split", Inputs: []*graph.Value{y}, Outputs: []*graph.Value{{Name: "a"}, {Name: "b"}, {Name: "c"}},
				Attributes: graph.Attributes{Named: operator.Attributes{"axis": int64(axis), "num_outputs": int64(3)}},
			}
			plain := graph.Attributes{Named: operator.Attributes{}}
			g := &graph.Graph{Name: "split", Inputs: []*graph.Value{x}, Nodes: []*graph.Node{
				{Name: "tanh", Kind: "Tanh", Inputs: []*graph.Value{x}, Outputs: []*graph.Value{y}, Attributes: plain},
				split,
				{Name: "neg", Kind: "Neg", Inputs: split.Outputs[1:2], Outputs: []*graph.Value{{Name: "d"}}, Attributes: plain},
				{Name: "abs", Kind: "Abs", Inputs: split.Outputs[1:2], Outputs: []*graph.Value{{Name: "e"}}, Attributes: plain},
			}}
			g.Outputs = []*graph.Value{split.Outputs[0], split.Outputs[2], g.Nodes[2].Outputs[0], g.Nodes[3].Outputs[0]}
			if err := graph.InferShapes(g); err != nil {
				t.Fatal(err)
			}
			comparePlan(t, g)
		}
	}
}

// TestGatherComputedIndices reads indices at run time, and refuses those that
// are out of range.
func TestGatherComputedIndices(t *testing.T) {
	b := graph.NewBuilder("gather")
	x, indices := b.Input("x", 5, 3), b.Input("indices", 2)
	indices.DType = graph.I64
	g, err := b.Build(b.Apply("Gather", "rows", graph.Attributes{Named: operator.Attributes{}}, x, indices))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	setTensor(p.Inputs()[0], randomTensor(1, 5, 3))
	data, list := p.Inputs()[0].Data.([]float32), p.Inputs()[1].Data.([]int64)
	list[0], list[1] = 4, -4
	if allocs := allocations(t, p); allocs != 0 {
		t.Errorf("%g allocations a run", allocs)
	}
	if got, want := p.Outputs()[0].Data.([]float32), append(slices.Clone(data[12:15]), data[3:6]...); !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
	list[1] = 5
	if err := p.Run(); err == nil || !strings.Contains(err.Error(), `node "rows" (Gather): index 5`) {
		t.Errorf("error %v, want one that names the node and the index", err)
	}
}

// bytesOfTensor are the elements of a tensor of bytes.
func bytesOfTensor(t *operator.Tensor) ([]int64, bool) {
	if t.DType != operator.U8 && t.DType != operator.I8 {
		return nil, false
	}
	return t.Ints()
}
