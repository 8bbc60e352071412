package onnx

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// body is the graph of a loop; inputs and outputs are in "a b -> c".
func body(operands string, parts ...any) *onnxpb.AttributeProto {
	o := op("", operands)
	g := model(17, nil, parts...).Graph
	g.Input, g.Output = nil, nil
	for _, name := range o.Input {
		g.Input = append(g.Input, &onnxpb.ValueInfoProto{Name: proto.String(name)})
	}
	for _, name := range o.Output {
		g.Output = append(g.Output, &onnxpb.ValueInfoProto{Name: proto.String(name)})
	}
	return &onnxpb.AttributeProto{Name: proto.String("body"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
}

func boolTensor(name string, value byte) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(onnxpb.TensorProto_BOOL)), RawData: []byte{value}}
}

func wantFloats(t *testing.T, m *onnxpb.ModelProto, want ...float32) {
	t.Helper()
	if got := compute(t, decodeTest(t, m, Options{}))[0].Data.([]float32); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// x is 1, 2; each round doubles it and gives out what it was, after adding the
// number of the round.
var doubling = body("i going v -> going doubled row", op("Add", "v v -> doubled"),
	op("Cast", "i -> f", intAttribute("to", 1)), op("Add", "v f -> row"))

func TestLoopIsUnrolled(t *testing.T) {
	loop := func(outputs string, parts ...any) *onnxpb.ModelProto {
		return model(17, []int{2}, append(parts, op("Loop", "n yes x -> "+outputs, doubling))...)
	}
	wantFloats(t, loop("y rows", intTensor("n", 3), boolTensor("yes", 1)), 8, 16)
	wantFloats(t, loop("last y", intTensor("n", 3), boolTensor("yes", 1)), 1, 2, 3, 5, 6, 10)
	wantFloats(t, loop("y rows", intTensor("n", 3), boolTensor("yes", 0)), 1, 2)
	wantFloats(t, loop("y rows", intTensor("n", 0), boolTensor("yes", 1)), 1, 2)
	// How often depends on a shape, and the body ends the loop.
	until := body("i going v -> less w", intTensor("one", 1), op("Less", "i one -> less"), op("Add", "v v -> w"))
	wantFloats(t, model(17, []int{2}, op("Loop", "- - x -> y", until)), 4, 8)
	wantFloats(t, model(17, []int{2}, op("Size", "x -> n"), op("Loop", "n - x -> y rows", doubling)), 4, 8)
}

func TestScanIsUnrolled(t *testing.T) {
	// A running sum over the rows 1 2, 3 4, 5 6.
	sum := body("sum row -> next copy", op("Add", "sum row -> next"), op("Identity", "next -> copy"))
	scan := func(outputs string, attributes ...*onnxpb.AttributeProto) *onnxpb.ModelProto {
		attributes = append(attributes, sum, intAttribute("num_scan_inputs", 1))
		return model(17, []int{3, 2}, floatTensor("zero", []int{2}, 0, 0), op("Scan", "zero x -> "+outputs, attributes...))
	}
	wantFloats(t, scan("y rows"), 9, 12)
	wantFloats(t, scan("last y"), 1, 2, 4, 6, 9, 12)
	wantFloats(t, scan("last y", intsAttribute("scan_input_directions", 1)), 5, 6, 8, 10, 9, 12)
	wantFloats(t, scan("last y", intsAttribute("scan_output_directions", 1)), 9, 12, 4, 6, 1, 2)
	wantFloats(t, scan("last y", intsAttribute("scan_output_axes", -1)), 1, 4, 9, 2, 6, 12)
}

func TestLists(t *testing.T) {
	places := []any{intTensor("first", 0), intTensor("last", -1), floatTensor("w", []int{2}, 10, 20)}
	of := func(opset int64, parts ...any) *onnxpb.ModelProto {
		return model(opset, []int{2}, append(places, parts...)...)
	}
	wantFloats(t, of(13, op("SequenceConstruct", "x w -> s"), op("SequenceAt", "s last -> y")), 10, 20)
	wantFloats(t, of(13, op("SequenceEmpty", "-> e"), op("SequenceInsert", "e x -> s"), op("SequenceInsert", "s w first -> t"),
		op("ConcatFromSequence", "t -> y", intAttribute("axis", 0))), 10, 20, 1, 2)
	// A negative place counts from the end of the list as it was.
	wantFloats(t, of(13, op("SequenceConstruct", "x x -> s"), op("SequenceInsert", "s w last -> t"),
		op("ConcatFromSequence", "t -> y", intAttribute("axis", 1), intAttribute("new_axis", 1))), 1, 10, 1, 2, 20, 2)
	wantFloats(t, of(13, op("SequenceConstruct", "x w -> s"), op("SequenceErase", "s first -> t"), op("Identity", "x -> z"),
		op("SequenceLength", "t -> n"), op("Cast", "n -> f", intAttribute("to", 1)), op("Mul", "f z -> y")), 1, 2)
	wantFloats(t, of(13, op("SplitToSequence", "x -> s", intAttribute("keepdims", 0)), op("SequenceAt", "s last -> y")), 2)
	wantFloats(t, model(13, []int{5}, intTensor("at", 1), &onnxpb.TensorProto{Name: proto.String("two"), DataType: proto.Int32(7), Int64Data: []int64{2}},
		op("SplitToSequence", "x two -> s"), op("SequenceAt", "s at -> y")), 3, 4)
	wantFloats(t, model(13, []int{5}, intTensor("at", 1), intTensor("sizes", 1, 4),
		op("SplitToSequence", "x sizes -> s"), op("SequenceAt", "s at -> y")), 2, 3, 4, 5)
	// A list that a loop makes.
	append2 := body("i going s -> going t", op("SequenceInsert", "s x -> t"))
	wantFloats(t, of(13, intTensor("n", 2), op("SequenceEmpty", "-> s"), op("Loop", "n - s -> t", append2),
		op("ConcatFromSequence", "t -> y", intAttribute("axis", 0))), 1, 2, 1, 2)
}

func TestLoopErrors(t *testing.T) {
	n := intTensor("n", 3)
	for _, c := range []struct {
		name  string
		model *onnxpb.ModelProto
		err   string
	}{
		{"for ever", model(17, []int{2}, op("Loop", "- - x -> y", body("i going v -> going v"))), "more than 131072 nodes and rounds of loops"},
		{"absurd number", model(17, []int{2}, intTensor("n", math.MaxInt64), op("Loop", "n - x -> y", body("i going v -> going v"))), "more than 131072 nodes and rounds of loops"},
		{"no body", model(17, []int{2}, n, op("Loop", "n - x -> y")), `attribute "body" is missing`},
		{"other outputs", model(17, []int{2}, n, op("Loop", "n - x -> y z", body("i going v -> going v"))), "its body has 3 inputs and 2 outputs, want 3 and 3"},
		{"nothing computed", model(17, []int{2}, n, op("Loop", "n - x -> y", body("i going v -> going w"))), `its output "w"`},
		{"no rounds", model(17, []int{2}, intTensor("n", 0), op("Loop", "n - x -> z y", doubling)), "no round gives output 1"},
		{"condition of data", model(17, []int{2}, op("ReduceMax", "x -> m", intAttribute("keepdims", 0)), op("Cast", "m -> c", intAttribute("to", 9)),
			op("Loop", "- c x -> y rows", doubling)), "its condition is not constant"},
		{"unsupported in the body", model(17, []int{2}, n, op("Loop", "n - x -> y", body("i going v -> going w", op("Nothing", "v -> w")))), `"y/0/w" (Nothing, opset 17)`},
		{"operator on a list", model(17, []int{2}, op("SequenceConstruct", "x x -> s"), op("Relu", "s -> y")), "on a sequence"},
		{"list as output", model(17, []int{2}, op("SequenceConstruct", "x x -> y")), `output "y"`},
		{"no list", model(17, []int{2}, n, op("SequenceAt", "x n -> y")), "input 0 is no sequence"},
		{"place outside", model(17, []int{2}, n, op("SequenceConstruct", "x x -> s"), op("SequenceAt", "s n -> y")), "place 3 is outside a sequence of 2"},
		{"parts that do not fit", model(17, []int{2}, n, op("SplitToSequence", "x n -> s"), op("SequenceAt", "s n -> y")), "a part of 3 of a dimension of 2"},
		{"scan of nothing", model(17, []int{2}, op("Scan", "x -> y", doubling)), "num_scan_inputs of 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Decode(marshal(t, c.model)); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v does not say %q", err, c.err)
			}
		})
	}
}

// Elements of 4 bits are kept in 8, within their range.
func TestFourBits(t *testing.T) {
	zero := &onnxpb.TensorProto{Name: proto.String("zero"), DataType: proto.Int32(int32(onnxpb.TensorProto_INT4)), Dims: []int64{1}, RawData: []byte{1}}
	scale := floatTensor("scale", nil, 0.25)
	wantFloats(t, model(21, []int{3}, scale, zero, op("QuantizeLinear", "x scale zero -> q"), op("DequantizeLinear", "q scale zero -> y")), 1, 1.5, 1.5)
	wantFloats(t, model(21, []int{3}, scale, op("Neg", "x -> m"), op("QuantizeLinear", "m scale -> q", intAttribute("output_dtype", int(onnxpb.TensorProto_INT4))),
		op("DequantizeLinear", "q scale -> y")), -1, -2, -2)
	var u *UnsupportedError
	if _, err := Decode(marshal(t, model(21, []int{3}, zero, op("CastLike", "x zero -> y")))); !errors.As(err, &u) {
		t.Errorf("error %v, want that it is not supported", err)
	}
}

func TestSlopesOfChannels(t *testing.T) {
	m := model(6, []int{1, 2, 2}, ramp("w", 2), op("Neg", "x -> n"), op("PRelu", "n w -> y"))
	wantFloats(t, m, -1, -2, -6, -8)
}

// Training with a ratio of 0 drops nothing; whether it is one may be an input.
func TestDropoutInTraining(t *testing.T) {
	m := model(13, []int{2}, op("Dropout", "x ratio training -> y"))
	m.Graph.Input = append(m.Graph.Input, valueInfo("ratio", graph.F32, []int{}), valueInfo("training", graph.Bool, []int{}))
	constants := map[string]*operator.Tensor{}
	for name, value := range map[string]*operator.Tensor{
		"training": {DType: operator.Bool, Shape: []int{}, Data: []bool{true}},
		"ratio":    operator.New(operator.F32),
	} {
		var c *NotConstantError
		if _, err := DecodeWith(marshal(t, m), Options{Constants: constants}); !errors.As(err, &c) {
			t.Fatalf("error %v, want what must be constant", err)
		}
		constants[name] = value
	}
	if got := compute(t, decodeTest(t, m, Options{Constants: constants}))[0].Data.([]float32); !slices.Equal(got, []float32{1, 2}) {
		t.Errorf("%v", got)
	}
	constants["ratio"] = &operator.Tensor{DType: operator.F32, Shape: []int{}, Data: []float32{0.5}}
	if _, err := DecodeWith(marshal(t, m), Options{Constants: constants}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v, want that it is not supported", err)
	}
}
