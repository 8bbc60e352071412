package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

func marshal(t testing.TB, m *onnxpb.ModelProto) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// model has the input x of the shape and the output y; parts are nodes and
// initializers.
func model(opset int64, shape []int, parts ...any) *onnxpb.ModelProto {
	g := &onnxpb.GraphProto{
		Name:   proto.String("test"),
		Input:  []*onnxpb.ValueInfoProto{valueInfo("x", graph.F32, shape)},
		Output: []*onnxpb.ValueInfoProto{valueInfo("y", graph.F32, nil)},
	}
	for _, p := range parts {
		switch p := p.(type) {
		case *onnxpb.NodeProto:
			g.Node = append(g.Node, p)
		case *onnxpb.TensorProto:
			g.Initializer = append(g.Initializer, p)
		}
	}
	return &onnxpb.ModelProto{
		IrVersion:   proto.Int64(8),
		Graph:       g,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(opset)}},
	}
}

// op is a node; inputs and outputs are in "a b -> c", with - for none.
func op(kind, operands string, attributes ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	names := func(s string) []string {
		list := strings.Fields(s)
		for i := range list {
			if list[i] == "-" {
				list[i] = ""
			}
		}
		return list
	}
	in, out, _ := strings.Cut(operands, "->")
	return &onnxpb.NodeProto{OpType: proto.String(kind), Input: names(in), Output: names(out), Attribute: attributes}
}

func floatTensor(name string, shape []int, data ...float32) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), Dims: int64s(shape), FloatData: data}
}

func ramp(name string, shape ...int) *onnxpb.TensorProto {
	data := make([]float32, operator.Elements(shape))
	for i := range data {
		data[i] = float32(i + 1)
	}
	return floatTensor(name, shape, data...)
}

func intTensor(name string, data ...int64) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)), Dims: []int64{int64(len(data))}, Int64Data: data}
}

func text(name, value string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte(value)}
}

func tensorAttribute(name string, value *onnxpb.TensorProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: value}
}

// readCases are models and the nodes that they become: kind, the attributes
// that matter, the data of the parameters, the output's shape.
var readCases = []struct {
	name  string
	model *onnxpb.ModelProto
	want  []string
}{
	{"same padding at the end", model(11, []int{1, 1, 6, 5}, ramp("w", 1, 1, 3, 2),
		op("Conv", "x w -> y", text("auto_pad", "SAME_UPPER"), intsAttribute("strides", 2, 2))),
		[]string{"Conv pad [0 0 1 1] stride [2 2] w=[1 2 3 4 5 6] [1 1 3 3]"}},
	{"same padding at the start", model(11, []int{1, 1, 6, 5}, ramp("w", 1, 1, 3, 2),
		op("Conv", "x w -> y", text("auto_pad", "SAME_LOWER"), intsAttribute("strides", 2, 2))),
		[]string{"Conv pad [1 1 0 0] stride [2 2] w=[1 2 3 4 5 6] [1 1 3 3]"}},
	{"no padding", model(11, []int{1, 1, 6, 6}, ramp("w", 1, 1, 2, 2), ramp("b", 1),
		op("Conv", "x w b -> y", text("auto_pad", "VALID"), intsAttribute("pads", 1, 1, 1, 1))),
		[]string{"Conv pad [0 0 0 0] stride [1 1] w=[1 2 3 4] b=[1] [1 1 5 5]"}},
	{"rounded up", model(11, []int{1, 1, 4, 5},
		op("MaxPool", "x -> y", intsAttribute("kernel_shape", 3, 3), intsAttribute("strides", 2, 2), intAttribute("ceil_mode", 1))),
		[]string{"MaxPool pad [0 0 1 0] stride [2 2] [1 1 2 2]"}},
	{"rounded up, last window outside", model(11, []int{1, 1, 3, 3},
		op("AveragePool", "x -> y", intsAttribute("kernel_shape", 2, 2), intsAttribute("strides", 3, 3), intsAttribute("pads", 1, 1, 1, 1), intAttribute("ceil_mode", 1))),
		[]string{"AveragePool pad [1 1 1 1] stride [3 3] [1 1 2 2]"}},
	{"gemm scaled", model(13, []int{1, 2}, ramp("w", 2, 3), ramp("b", 1, 3),
		op("Gemm", "x w b -> y", floatAttribute("alpha", 2), floatAttribute("beta", 0.5))),
		[]string{"Linear transposed w=[2 4 6 8 10 12] b=[0.5 1 1.5] [1 3]"}},
	{"gemm with a scalar", model(13, []int{2, 2}, ramp("w", 3, 2), floatTensor("b", nil, 4),
		op("Gemm", "x w b -> y", intAttribute("transB", 1))),
		[]string{"Linear w=[1 2 3 4 5 6] b=[4 4 4] [2 3]"}},
	{"gemm with a matrix", model(13, []int{2, 2}, ramp("w", 2, 3), ramp("b", 2, 3),
		op("Gemm", "x w b -> y")),
		[]string{"Linear transposed w=[1 2 3 4 5 6] [2 3]", "Add b=[1 2 3 4 5 6] [2 3]"}},
	{"matrix product of rank 3", model(13, []int{1, 4, 2}, ramp("w", 2, 1),
		op("MatMul", "x w -> y")),
		[]string{"Linear transposed w=[1 2] [1 4 1]"}},
	{"one weight for two", model(13, []int{1, 2}, ramp("w", 2, 2),
		op("MatMul", "x w -> a"), op("Gemm", "a w -> b", intAttribute("transB", 1)), op("MatMul", "b w -> y")),
		[]string{"Linear transposed w=[1 2 3 4] [1 2]", "Linear w=[1 2 3 4] [1 2]", "Linear transposed w=[1 2 3 4] [1 2]"}},
	{"constant first", model(13, []int{1, 2, 2, 2}, ramp("c", 2, 1, 1),
		op("Add", "c x -> y")),
		[]string{"Add c=[1 2] [1 2 2 2]"}},
	{"subtraction and division", model(13, []int{1, 2, 2, 2}, floatTensor("c", nil, 2),
		op("Sub", "x c -> a"), op("Div", "a c -> b"), op("Mul", "b c -> y")),
		[]string{"plain Sub c=[2] [1 2 2 2]", "plain Div c=[2] [1 2 2 2]", "Mul c.constant=[2] [1 2 2 2]"}},
	{"smaller first", model(13, []int{1, 2, 3, 3},
		op("GlobalAveragePool", "x -> m"), op("Mul", "m x -> y")),
		[]string{"GlobalAveragePool [1 2 1 1]", "Mul [1 2 3 3]"}},
	{"ranks aligned", model(13, []int{1, 2, 3, 3}, intTensor("s", 1, 1),
		op("GlobalAveragePool", "x -> m"), op("Flatten", "m -> f"), ramp("w", 1, 2), op("Gemm", "f w -> g", intAttribute("transB", 1)), op("Add", "x g -> y")),
		[]string{"GlobalAveragePool [1 2 1 1]", "Flatten axis 1 [1 2]", "Linear w=[1 2] [1 1]", "Reshape to [1 1 1 1] [1 1 1 1]", "Add [1 2 3 3]"}},
	{"sum", model(13, []int{1, 2}, ramp("c", 2),
		op("Sum", "x x c -> a"), op("Sum", "a -> y")),
		[]string{"Add [1 2]", "Add c=[1 2] [1 2]", "Identity [1 2]"}},
	{"clip by attributes", model(10, []int{1, 2},
		op("Clip", "x -> a", floatAttribute("min", 0), floatAttribute("max", 6)), op("Clip", "a -> b", floatAttribute("min", 0)), op("Clip", "b -> y")),
		[]string{"Relu6 [1 2]", "Relu [1 2]", "Identity [1 2]"}},
	{"clip by inputs", model(13, []int{1, 2}, floatTensor("l", nil, -1), floatTensor("h", nil, 2),
		op("Clip", "x l h -> a"), op("Clip", "a l -> b"), op("Clip", "b - h -> y")),
		[]string{"plain Clip l=[-1] h=[2] [1 2]", "plain Clip l=[-1] [1 2]", "plain Clip h=[2] [1 2]"}},
	{"hard sigmoids", model(13, []int{1, 2},
		op("HardSigmoid", "x -> a"), op("HardSigmoid", "a -> y", floatAttribute("alpha", 1./6))),
		[]string{"plain HardSigmoid [1 2]", "HardSigmoid [1 2]"}},
	{"softmax before opset 13", model(11, []int{2, 3, 4},
		op("Softmax", "x -> y")),
		[]string{"Flatten axis 1 [2 12]", "Softmax axis 1 [2 12]", "Reshape to [2 3 4] [2 3 4]"}},
	{"softmax of channels", model(11, []int{2, 3, 1, 1},
		op("Softmax", "x -> y")),
		[]string{"Softmax axis 1 [2 3 1 1]"}},
	{"softmax from opset 13", model(13, []int{2, 3, 4},
		op("Softmax", "x -> y")),
		[]string{"Softmax axis 2 [2 3 4]"}},
	{"dropout", model(13, []int{1, 2}, &onnxpb.TensorProto{Name: proto.String("t"), DataType: proto.Int32(int32(onnxpb.TensorProto_BOOL)), RawData: []byte{0}},
		op("Dropout", "x - t -> y mask")),
		[]string{"Identity [1 2]"}},
	{"constants", model(13, []int{1, 2, 1, 1}, intTensor("s", 2, 2, 1, 1),
		op("ConstantOfShape", "s -> w", tensorAttribute("value", floatTensor("v", []int{1}, 3))),
		op("Constant", "-> b0", tensorAttribute("value", ramp("v", 2))),
		op("Identity", "b0 -> b"),
		op("Constant", "-> shape", tensorAttribute("value", intTensor("v", 0, -1))),
		op("Conv", "x w b -> c"), op("Reshape", "c shape -> y")),
		[]string{"Conv pad [0 0 0 0] stride [1 1] w=[3 3 3 3] b=[1 2] [1 2 1 1]", "Reshape to [0 -1] [1 2]"}},
	{"batch norm", model(9, []int{1, 2, 1, 1}, ramp("a", 2), ramp("b", 2), ramp("c", 2), ramp("d", 2),
		op("BatchNormalization", "x a b c d -> y", floatAttribute("epsilon", 0.5))),
		[]string{"BatchNormalization epsilon 0.5 a=[1 2] b=[1 2] c=[1 2] d=[1 2] [1 2 1 1]"}},
}

func describe(n *graph.Node) string {
	s := string(n.Kind)
	a := n.Attributes
	if n.Plain() {
		s = "plain " + s
	}
	if a.Transposed {
		s += " transposed"
	}
	switch n.Kind {
	case graph.Conv, graph.MaxPool, graph.AveragePool:
		s += fmt.Sprint(" pad ", a.Pad, " stride ", a.Stride)
	case graph.Flatten, graph.Softmax:
		s += fmt.Sprint(" axis ", a.Axis)
	case graph.Reshape:
		s += fmt.Sprint(" to ", a.Shape)
	case graph.BatchNormalization:
		s += fmt.Sprint(" epsilon ", a.Epsilon)
	}
	for _, v := range n.Inputs {
		if v != nil && v.Role != graph.RoleNone {
			s += fmt.Sprintf(" %s=%v", v.Name, v.Data)
		}
	}
	return s + fmt.Sprint(" ", n.Outputs[0].Shape)
}

func TestDecode(t *testing.T) {
	for _, c := range readCases {
		t.Run(c.name, func(t *testing.T) {
			g, err := Decode(marshal(t, c.model))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range g.Nodes {
				got = append(got, describe(n))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("nodes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeSharesParameters(t *testing.T) {
	g, err := Decode(marshal(t, model(13, []int{1, 1, 2, 2}, ramp("w", 1, 1, 1, 1), op("Conv", "x w -> a"), op("Conv", "a w -> y"))))
	if err != nil {
		t.Fatal(err)
	}
	if g.Nodes[0].Inputs[1] != g.Nodes[1].Inputs[1] {
		t.Error("one weight has become two")
	}
}

func TestDecodeRawData(t *testing.T) {
	w := ramp("w", 1, 1, 1, 2)
	w.RawData, w.FloatData = toRaw(&operator.Tensor{DType: operator.F32, Shape: []int{2}, Data: w.FloatData}), nil
	m := model(13, []int{1, 1, 2, 2}, w, op("Conv", "x w -> y"))
	m.IrVersion = proto.Int64(3)
	m.Graph.Input = append(m.Graph.Input, valueInfo("w", graph.F32, []int{1, 1, 1, 2})) // as files of IR version 3 do
	g, err := Decode(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Nodes[0].Inputs[1].Data; !slices.Equal(got, []float32{1, 2}) || len(g.Inputs) != 1 {
		t.Errorf("weight %v, %d inputs", got, len(g.Inputs))
	}
}

func TestDecodeSymbolicBatch(t *testing.T) {
	m := model(13, []int{5, 3, 2, 2}, op("Relu", "x -> y"))
	dims := m.Graph.Input[0].Type.GetTensorType().Shape.Dim
	for _, dim := range []*onnxpb.TensorShapeProto_Dimension{
		{}, {Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "batch"}},
		{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: -1}},
	} {
		dims[0] = dim
		g, err := Decode(marshal(t, m))
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Outputs[0].Shape; !slices.Equal(got, []int{1, 3, 2, 2}) {
			t.Errorf("batch %v gives shape %v", dim, got)
		}
	}
	dims[2] = &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "height"}}
	if _, err := Decode(marshal(t, m)); err == nil || !strings.Contains(err.Error(), `input "x": dimension 2 ("height")`) {
		t.Errorf("symbolic height: error %v", err)
	}
}

func TestUnsupportedNodesAreListedAtOnce(t *testing.T) {
	named := op("Gelu", "x -> b")
	named.Name = proto.String("blocks.0.act")
	foreign := op("Tokenizer", "b -> c")
	foreign.Domain = proto.String("ai.onnx.contrib")
	m := model(13, []int{1, 4, 8, 8}, named, op("Resampled", "x -> a"), foreign, op("Relu", "c -> d"),
		op("RandomUniformLike", "x -> e"), op("Identity", "e -> f"),
		&onnxpb.TensorProto{Name: proto.String("text"), DataType: proto.Int32(int32(onnxpb.TensorProto_STRING)), StringData: [][]byte{nil}}, op("Add", "x text -> y"))
	m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: foreign.Domain, Version: proto.Int64(1)})
	_, err := Decode(marshal(t, m))
	var u *UnsupportedError
	if !errors.As(err, &u) {
		t.Fatalf("error %v, want an UnsupportedError", err)
	}
	want := []UnsupportedNode{
		{"blocks.0.act", "Gelu", 13, "it is an operator of opset 20 and later"},
		{"a", "Resampled", 13, ""},
		{"e", "RandomUniformLike", 13, ""},
		{"y", "Add", 13, `tensor "text" is of type STRING`},
	}
	if diff := cmp.Diff(want, u.Nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if s := err.Error(); !strings.HasPrefix(s, `4 nodes are not supported: "blocks.0.act" (Gelu, opset 13): it is an operator of opset 20 and later; "a" (Resampled, opset 13); `) {
		t.Errorf("message %q", s)
	}
}

func TestDecodeErrors(t *testing.T) {
	spoiled := func(m *onnxpb.ModelProto, spoil func(*onnxpb.ModelProto)) *onnxpb.ModelProto {
		spoil(m)
		return m
	}
	relu := func() *onnxpb.ModelProto { return model(13, []int{1, 2}, op("Relu", "x -> y")) }
	conv := func(w *onnxpb.TensorProto, attributes ...*onnxpb.AttributeProto) *onnxpb.ModelProto {
		return model(13, []int{1, 1, 4, 4}, w, op("Conv", "x w -> y", attributes...))
	}
	for _, c := range []struct {
		name  string
		model *onnxpb.ModelProto
		err   string
	}{
		{"nothing", &onnxpb.ModelProto{}, "has no graph"},
		{"no opset", spoiled(relu(), func(m *onnxpb.ModelProto) { m.OpsetImport = nil }), "imports no opset"},
		{"no such opset", model(0, []int{1, 2}, op("Relu", "x -> y")), "opset 0, want 1"},
		{"opset to come", model(99, []int{1, 2}, op("Relu", "x -> y")), "opset 99"},
		{"IR version", spoiled(relu(), func(m *onnxpb.ModelProto) { m.IrVersion = proto.Int64(99) }), "IR version 99"},
		{"no output", spoiled(relu(), func(m *onnxpb.ModelProto) { m.Graph.Output = nil }), "has no output"},
		{"unknown output", spoiled(relu(), func(m *onnxpb.ModelProto) { m.Graph.Output[0].Name = proto.String("z") }), `output "z"`},
		{"input of no type", spoiled(relu(), func(m *onnxpb.ModelProto) { m.Graph.Input[0].Type = nil }), `input "x" is no tensor`},
		{"input of no shape", spoiled(relu(), func(m *onnxpb.ModelProto) { m.Graph.Input[0].Type.GetTensorType().Shape = nil }), "no shape"},
		{"input twice", spoiled(relu(), func(m *onnxpb.ModelProto) { m.Graph.Input = append(m.Graph.Input, m.Graph.Input[0]) }), "defined twice"},
		{"huge input", model(13, []int{1, 1 << 30}, op("Relu", "x -> y")), "above"},
		{"huge input in all", model(13, []int{1, 1 << 20, 1 << 20}, op("Relu", "x -> y")), "more than"},
		{"node without output", model(13, []int{1, 2}, op("Relu", "x ->")), "has no output"},
		{"node without input", model(13, []int{1, 2}, op("Relu", "-> y")), "0 inputs"},
		{"value from nowhere", model(13, []int{1, 2}, op("Relu", "z -> y")), `its input "z"`},
		{"value twice", model(13, []int{1, 2}, op("Relu", "x -> y"), op("Relu", "x -> y")), "defined twice"},
		{"cycle", model(13, []int{1, 2}, op("Relu", "z -> y"), op("Relu", "y -> z")), `its input "z"`},
		{"two tensors of a name", model(13, []int{1, 2}, ramp("w", 1), ramp("w", 1), op("Relu", "x -> y")), "two initializers"},
		{"too little data", conv(floatTensor("w", []int{1, 1, 2, 2}, 1, 2, 3)), "3 elements of data for shape [1 1 2 2]"},
		{"ragged data", conv(&onnxpb.TensorProto{Name: proto.String("w"), DataType: proto.Int32(1), Dims: []int64{1, 1, 1, 1}, RawData: make([]byte, 7)}), "no whole number"},
		{"negative dimension", conv(&onnxpb.TensorProto{Name: proto.String("w"), DataType: proto.Int32(1), Dims: []int64{-1, 1, 1, 1}}), "dimension 0 is -1"},
		{"dimensions that overflow", conv(&onnxpb.TensorProto{Name: proto.String("w"), DataType: proto.Int32(1), Dims: []int64{1 << 24, 1 << 24, 1 << 24, 1 << 24}}), "more than"},
		{"external data", conv(&onnxpb.TensorProto{Name: proto.String("w"), DataType: proto.Int32(1), DataLocation: onnxpb.TensorProto_EXTERNAL.Enum()}), "another file"},
		{"kernel that is none", conv(ramp("w", 1, 1, 2, 2), intsAttribute("kernel_shape", 3, 3)), `"kernel_shape" is [3 3]`},
		{"attribute of another type", conv(ramp("w", 1, 1, 2, 2), floatAttribute("group", 1)), `attribute "group" is a float32`},
		{"too many strides", conv(ramp("w", 1, 1, 2, 2), intsAttribute("strides", 1, 1, 1)), `attribute "strides" is [1 1 1], want 2`},
		{"no stride", conv(ramp("w", 1, 1, 2, 2), intsAttribute("strides", 0, 1)), `attribute "strides" is [0 1]`},
		{"huge stride", conv(ramp("w", 1, 1, 2, 2), intsAttribute("strides", math.MaxInt, 1)), `attribute "strides" is [2147483647 1]`},
		{"negative padding", conv(ramp("w", 1, 1, 2, 2), intsAttribute("pads", -1, 0, 0, 0)), `attribute "pads" is [-1 0 0 0]`},
		{"unknown padding", conv(ramp("w", 1, 1, 2, 2), text("auto_pad", "MOST")), `"auto_pad" is "MOST"`},
		{"no group", conv(ramp("w", 1, 1, 2, 2), intAttribute("group", 0)), `attribute "group" is 0`},
		{"pool without kernel", model(13, []int{1, 1, 4, 4}, op("MaxPool", "x -> y")), "kernel_shape"},
		{"tensors from nothing", model(13, []int{1, 2}, intTensor("s", 1<<20, 1<<10), op("ConstantOfShape", "s -> c"), op("Add", "x c -> y")), "more than the limit of 4294967296 bytes"},
		{"variance", model(13, []int{1, 1}, ramp("a", 1), op("BatchNormalization", "x a a a -> y")), "4 inputs, want 5"},
		{"sparse", spoiled(relu(), func(m *onnxpb.ModelProto) { m.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{}} }), "sparse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(marshal(t, c.model))
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v does not say %q", err, c.err)
			}
		})
	}
}

// A graph in a graph in a graph ... must not exhaust the stack.
func TestDecodeNesting(t *testing.T) {
	body := &onnxpb.GraphProto{}
	for range 5000 {
		body = &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{op("If", "x -> y", &onnxpb.AttributeProto{Name: proto.String("then"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: body})}}
	}
	m := model(13, []int{1, 2}, op("Relu", "x -> y"))
	m.Graph.Node[0].Attribute = body.Node[0].Attribute
	if _, err := Decode(marshal(t, m)); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("error %v", err)
	}
}
