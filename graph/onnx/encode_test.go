package onnx

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// random are values for the inputs of a graph.
func random(g *graph.Graph) map[string]*operator.Tensor {
	r := rand.New(rand.NewPCG(3, 4))
	in := make(map[string]*operator.Tensor)
	for _, v := range g.Inputs {
		t := operator.New(v.DType, v.Shape...)
		switch data := t.Data.(type) {
		case []float32:
			for i := range data {
				data[i] = 4*r.Float32() - 2
			}
		case []float64:
			for i := range data {
				data[i] = 4*r.Float64() - 2
			}
		case []uint16:
			for i := range data {
				data[i] = operator.ToHalf(v.DType, 4*r.Float32()-2)
			}
		}
		in[v.Name] = t
	}
	return in
}

// sameAfterWriting checks that a graph computes the same when it has been
// written and read, and returns the model.
func sameAfterWriting(t *testing.T, g *graph.Graph) *onnxpb.ModelProto {
	t.Helper()
	data := encode(t, g)
	again, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	in := random(g)
	want, err := interpret(g, in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := interpret(again, in)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if s := differs(got[i], want[i], 1e-5, 1e-6); s != "" {
			t.Errorf("output %d: %s", i, s)
		}
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func opset(m *onnxpb.ModelProto) int64 {
	for _, o := range m.OpsetImport {
		if o.GetDomain() == "" {
			return o.GetVersion()
		}
	}
	return 0
}

// Every epilogue that a graph may have is written as nodes.
func TestWrittenEpilogues(t *testing.T) {
	for _, activation := range []graph.Op{"", graph.OpRelu, graph.OpRelu6, graph.OpHardSwish, graph.OpHardSigmoid, graph.OpSigmoid, graph.OpTanh, graph.OpSiLU, graph.OpGELU, graph.OpGELUTanh} {
		for _, add := range []bool{false, true} {
			t.Run(string(activation), func(t *testing.T) {
				b := graph.NewBuilder("epilogues")
				x := b.Input("x", 1, 4, 3, 3)
				y := b.Conv("conv", x, 4, 1, 1, 1, 0, 1, true)
				g, err := b.Build(b.Linear("fc", b.Flatten(y), 5))
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range g.Parameters() {
					v.Data = make([]float32, v.Elements())
					for i := range v.Data {
						v.Data[i] = float32(i%7) - 3
					}
				}
				e := graph.Epilogue{Activation: activation, Add: add}
				g.Nodes[0].Attributes.Epilogue = e
				if add {
					g.Nodes[0].Inputs = append(g.Nodes[0].Inputs, x)
				}
				g.Nodes[2].Attributes.Epilogue = graph.Epilogue{Activation: activation}
				m := sameAfterWriting(t, g)
				want := int64(17)
				if activation == graph.OpGELU || activation == graph.OpGELUTanh {
					want = 20
				}
				if got := opset(m); got != want {
					t.Errorf("opset %d, want %d", got, want)
				}
			})
		}
	}
}

// A Linear is a Gemm on matrices and a MatMul on more dimensions, with its
// weight as it is.
func TestWrittenLinear(t *testing.T) {
	for _, shape := range [][]int{{2, 3}, {2, 1, 3}, {1, 2, 2, 3}} {
		for _, transposed := range []bool{false, true} {
			for _, bias := range []bool{false, true} {
				weight := &graph.Value{Name: "w", DType: graph.F32, Shape: []int{4, 3}, Data: []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, Role: graph.RoleWeight}
				if transposed {
					weight.Shape = []int{3, 4}
				}
				inputs := []*graph.Value{weight}
				if bias {
					inputs = append(inputs, &graph.Value{Name: "b", DType: graph.F32, Shape: []int{4}, Data: []float32{1, 2, 3, 4}, Role: graph.RoleBias})
				}
				b := graph.NewBuilder("linear")
				x := b.Input("x", shape...)
				g, err := b.Build(b.Apply(graph.Linear, "y", graph.Attributes{Transposed: transposed}, append([]*graph.Value{x}, inputs...)...))
				if err != nil {
					t.Fatal(err)
				}
				sameAfterWriting(t, g)
			}
		}
	}
}

func TestWrittenOpsets(t *testing.T) {
	for _, c := range []struct {
		model *onnxpb.ModelProto
		want  int64
	}{
		{model(7, []int{2, 3}, op("ReduceMax", "x -> y")), 17},
		{model(7, []int{2, 3}, op("ReduceMax", "x -> y", intsAttribute("axes", 1))), 18},
		{model(11, []int{2, 4}, op("Split", "x -> a b", intAttribute("axis", 1)), op("Sub", "a b -> y")), 18},
		{model(11, []int{2, 4}, op("ReduceSum", "x -> y", intsAttribute("axes", 1))), 17},
		{model(18, []int{1, 4, 3}, ramp("s", 2), op("GroupNormalization", "x s s -> y", intAttribute("num_groups", 2))), 21},
		{model(24, []int{1, 4}, op("Swish", "x -> y", floatAttribute("alpha", 0.5))), 17},
		{model(23, []int{1, 4}, ramp("s", 4), op("RMSNormalization", "x s -> y")), 23},
	} {
		if got := opset(sameAfterWriting(t, decodeTest(t, c.model, Options{}))); got != c.want {
			t.Errorf("%s: opset %d, want %d", c.model.Graph.Node[0].GetOpType(), got, c.want)
		}
	}
}

// Values of all types, several outputs, and outputs that are given.
func TestWrittenTypes(t *testing.T) {
	m := model(13, []int{2, 3}, intTensor("two", 2), op("TopK", "x two -> y i"), op("Cast", "x -> h", intAttribute("to", 10)),
		op("Cast", "x -> q", intAttribute("to", 3)), op("Greater", "x zero -> b"), floatTensor("zero", nil, 0), op("Identity", "two -> given"))
	for name, dtype := range map[string]graph.DType{"i": graph.I64, "h": graph.F16, "q": graph.I8, "b": graph.Bool, "given": graph.I64} {
		m.Graph.Output = append(m.Graph.Output, valueInfo(name, dtype, nil))
	}
	g := decodeTest(t, m, Options{})
	written := sameAfterWriting(t, g)
	if n := len(written.Graph.Output); n != 6 {
		t.Errorf("%d outputs", n)
	}
}

func TestWrittenModelIsTooLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("it asks for more than 2 GiB of address space: not with -short")
	}
	b := graph.NewBuilder("large")
	x := b.Input("x", 1, 1)
	y := b.Linear("a", x, 1<<24)
	g, err := b.Build(y)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		v := &graph.Value{Name: "c" + string(rune('a'+i)), DType: graph.F32, Shape: []int{1, 1 << 24}, Role: graph.RoleConstant}
		out := &graph.Value{Name: "y" + string(rune('a'+i)), DType: graph.F32, Shape: []int{1, 1 << 24}}
		g.Nodes = append(g.Nodes, &graph.Node{Name: out.Name, Kind: graph.Add, Inputs: []*graph.Value{g.Outputs[0], v}, Outputs: []*graph.Value{out}})
		g.Outputs[0] = out
	}
	one := make([]float32, 1<<24)
	for _, v := range g.Parameters() {
		v.Data = one[:v.Elements()]
	}
	if _, err := Encode(g); err == nil || !strings.Contains(err.Error(), "bytes that a model file can hold") {
		t.Errorf("error %v", err)
	}
	if _, err := Encode(&graph.Graph{}); err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("empty graph: error %v", err)
	}
}
