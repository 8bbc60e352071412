package onnx

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// symbolic declares an input; numbers and symbols are in "batch,3,height".
func symbolic(name string, dtype graph.DType, dims string) *onnxpb.ValueInfoProto {
	v := valueInfo(name, dtype, nil)
	shape := v.GetType().GetTensorType().Shape
	for _, s := range strings.Split(dims, ",") {
		d := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: s}}
		if s >= "0" && s <= "9" {
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(s[0] - '0')}
		}
		shape.Dim = append(shape.Dim, d)
	}
	return v
}

func withInputs(m *onnxpb.ModelProto, inputs ...*onnxpb.ValueInfoProto) *onnxpb.ModelProto {
	m.Graph.Input = inputs
	return m
}

func TestSymbolicShapes(t *testing.T) {
	two := func() *onnxpb.ModelProto { return model(13, nil, op("Add", "x z -> y")) }
	matMul := func() *onnxpb.ModelProto {
		return model(13, nil, ramp("w", 4, 2), op("Relu", "x -> a"), op("MatMul", "a w -> y"))
	}
	conv := func() *onnxpb.ModelProto {
		return model(13, nil, ramp("w", 2, 3, 1, 1), op("Conv", "x w -> y"))
	}
	gemm := func() *onnxpb.ModelProto {
		return model(13, nil, ramp("w", 2, 5), op("Gemm", "x w -> y", intAttribute("transB", 1)))
	}
	for _, c := range []struct {
		name   string
		model  *onnxpb.ModelProto
		shapes map[string][]int
		want   []int // of the output
		err    string
	}{
		{"one symbol, one size", withInputs(two(), symbolic("x", graph.F32, "b,s"), symbolic("z", graph.F32, "b,s")), map[string][]int{"z": {2, 7}}, []int{2, 7}, ""},
		{"batch alone", withInputs(two(), symbolic("x", graph.F32, "b,3"), symbolic("z", graph.F32, "b,3")), nil, []int{1, 3}, ""},
		{"features of a product", withInputs(matMul(), symbolic("x", graph.F32, "b,f")), nil, []int{1, 2}, ""},
		{"channels", withInputs(conv(), symbolic("x", graph.F32, "b,c,4,4")), nil, []int{1, 2, 4, 4}, ""},
		{"features of a layer", withInputs(gemm(), symbolic("x", graph.F32, "b,f")), nil, []int{1, 2}, ""},
		{"sequence", withInputs(two(), symbolic("x", graph.F32, "b,s"), symbolic("z", graph.F32, "b,s")), nil, nil, `input "x": dimension 1 ("s") is not fixed in the model; give the shape, for example with --shape x=1x128`},
		{"image", withInputs(conv(), symbolic("x", graph.F32, "b,c,h,w")), nil, nil, "--shape x=1x3x224x224"},
		{"two sizes of a symbol", withInputs(two(), symbolic("x", graph.F32, "b,s"), symbolic("z", graph.F32, "b,s")), map[string][]int{"x": {2, 7}, "z": {2, 8}}, nil, `("s") is given as 8, but as 7 elsewhere`},
		{"another rank", withInputs(two(), symbolic("x", graph.F32, "b,s"), symbolic("z", graph.F32, "b,s")), map[string][]int{"x": {2}}, nil, "2 dimensions, but the shape given is [2]"},
		{"another size", withInputs(two(), symbolic("x", graph.F32, "b,3"), symbolic("z", graph.F32, "b,3")), map[string][]int{"x": {2, 4}}, nil, "dimension 1 is 3 in the model"},
		{"no such input", withInputs(two(), symbolic("x", graph.F32, "2"), symbolic("z", graph.F32, "2")), map[string][]int{"a": {2, 4}}, nil, `no input "a"; it has x, z`},
		{"huge", withInputs(two(), symbolic("x", graph.F32, "a,b"), symbolic("z", graph.F32, "a,b")), map[string][]int{"x": {1 << 20, 1 << 20}}, nil, "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := DecodeWith(marshal(t, c.model), Options{Shapes: c.shapes})
			switch {
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v does not say %q", err, c.err)
				}
			case err != nil:
				t.Error(err)
			case !slices.Equal(g.Outputs[0].Shape, c.want):
				t.Errorf("output is %v, want %v", g.Outputs[0].Shape, c.want)
			}
		})
	}
}

// Shapes that a model works out from its inputs' are known when it is read.
func TestShapeArithmeticIsFolded(t *testing.T) {
	// y = reshape(x, [shape(x)[0], -1])
	m := withInputs(model(13, nil, intTensor("zero", 0), intTensor("rest", -1), op("Shape", "x -> s"),
		op("Gather", "s zero -> n"), op("Concat", "n rest -> target", intAttribute("axis", 0)), op("Reshape", "x target -> y")),
		symbolic("x", graph.F32, "b,c,h"))
	g := decodeTest(t, m, Options{Shapes: map[string][]int{"x": {2, 3, 4}}})
	if len(g.Nodes) != 1 || g.Nodes[0].Plain() || g.Nodes[0].Kind != graph.Reshape || !slices.Equal(g.Outputs[0].Shape, []int{2, 12}) {
		t.Errorf("nodes %v, output %v", g.Nodes, g.Outputs[0].Shape)
	}
}

func TestInputsAsConstants(t *testing.T) {
	m := withInputs(model(13, nil, op("Identity", "s -> t"), op("Reshape", "x t -> y")), symbolic("x", graph.F32, "2,3"), symbolic("s", graph.I64, "2"))
	_, err := Decode(marshal(t, m))
	var n *NotConstantError
	var inner *operator.NotConstantError
	if !errors.As(err, &n) || !slices.Equal(n.Inputs, []string{"s"}) || n.Type != "Reshape" || !errors.As(err, &inner) {
		t.Fatalf("error %v", err)
	}
	shape := &operator.Tensor{DType: graph.I64, Shape: []int{2}, Data: []int64{3, 2}}
	g := decodeTest(t, m, Options{Constants: map[string]*operator.Tensor{"s": shape}})
	if len(g.Inputs) != 1 || !slices.Equal(g.Outputs[0].Shape, []int{3, 2}) {
		t.Errorf("%d inputs, output %v", len(g.Inputs), g.Outputs[0].Shape)
	}
	for _, c := range []struct {
		value *operator.Tensor
		err   string
	}{
		{&operator.Tensor{DType: graph.I32, Shape: []int{2}, Data: []int32{3, 2}}, "of type i32, want i64"},
		{&operator.Tensor{DType: graph.I64, Shape: []int{3}, Data: []int64{3, 2, 1}}, "dimension 0 is 2"},
		{&operator.Tensor{DType: graph.I64, Shape: []int{2}, Data: []int64{3}}, "1 elements of data"},
	} {
		if _, err := DecodeWith(marshal(t, m), Options{Constants: map[string]*operator.Tensor{"s": c.value}}); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("error %v does not say %q", err, c.err)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	m := model(13, []int{1, 1 << 10}, op("Relu", "x -> a"), op("Relu", "a -> y"))
	if _, err := DecodeWith(marshal(t, m), Options{Limit: 3 << 12}); err != nil {
		t.Errorf("12 KiB: %v", err)
	}
	if _, err := DecodeWith(marshal(t, m), Options{Limit: 3<<12 - 1}); err == nil || !strings.Contains(err.Error(), "more than the limit of 12287 bytes") {
		t.Errorf("less: %v", err)
	}
}

func TestHalfTypesAreWidened(t *testing.T) {
	half := &onnxpb.TensorProto{Name: proto.String("w"), DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT16)), Dims: []int64{2}, Int32Data: []int32{0x4000, 0x3c00}} // 2, 1
	m := withInputs(model(13, nil, half, op("Mul", "x w -> m"), op("Cast", "m -> f", intAttribute("to", 1)), op("Cast", "f -> y", intAttribute("to", 10))), symbolic("x", graph.F16, "2"))
	m.Graph.Output[0] = valueInfo("y", graph.F16, []int{2})
	g := decodeTest(t, m, Options{})
	var kinds []string
	for _, n := range g.Nodes {
		kinds = append(kinds, describe(n))
	}
	want := []string{"plain Cast [2]", "Mul w=[2 1] [2]", "plain Cast [2]", "plain Cast [2]", "plain Cast [2]"}
	if !slices.Equal(kinds, want) {
		t.Errorf("nodes %v, want %v", kinds, want)
	}
	out, err := interpret(g, map[string]*operator.Tensor{"x": {DType: graph.F16, Shape: []int{2}, Data: []uint16{0x4200, 0x4400}}}) // 3, 4
	if err != nil {
		t.Fatal(err)
	}
	if got := out[0]; got.DType != graph.F16 || !slices.Equal(got.Data.([]uint16), []uint16{0x4600, 0x4400}) {
		t.Errorf("output is %v", got)
	}
}
