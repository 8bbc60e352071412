package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

func named(p *onnxpb.NodeProto, domain string) *onnxpb.NodeProto {
	p.Domain = proto.String(domain)
	return p
}

func reference(name, to string, kind onnxpb.AttributeProto_AttributeType) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), RefAttrName: proto.String(to), Type: kind.Enum()}
}

// function is one of the domain "f" on ONNX's operators and itself.
func function(name, in, out string, nodes ...*onnxpb.NodeProto) *onnxpb.FunctionProto {
	return &onnxpb.FunctionProto{
		Name: proto.String(name), Domain: proto.String("f"), Input: strings.Fields(in), Output: strings.Fields(out), Node: nodes,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(13)}, {Domain: proto.String("f"), Version: proto.Int64(1)}},
	}
}

func withFunctions(m *onnxpb.ModelProto, list ...*onnxpb.FunctionProto) *onnxpb.ModelProto {
	m.IrVersion = proto.Int64(9)
	m.Functions = list
	m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("f"), Version: proto.Int64(1)})
	return m
}

func decodeTest(t *testing.T, m *onnxpb.ModelProto, o Options) *graph.Graph {
	t.Helper()
	g, err := DecodeWith(marshal(t, m), o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// compute runs a graph on a ramp 1, 2, 3 ... in each input.
func compute(t *testing.T, g *graph.Graph) []*operator.Tensor {
	t.Helper()
	in := make(map[string]*operator.Tensor)
	for _, v := range g.Inputs {
		x := operator.New(v.DType, v.Shape...)
		if data, ok := x.Data.([]float32); ok {
			for i := range data {
				data[i] = float32(i + 1)
			}
		}
		in[v.Name] = x
	}
	out, err := interpret(g, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFunctionsAreInlined(t *testing.T) {
	// twice(x) = slope(x) + slope(x), where slope's alpha comes from the call or
	// is 0.5, and same(x) passes x through.
	slope := function("slope", "x rest", "y same", op("Neg", "x -> n"), op("LeakyRelu", "n -> y", reference("alpha", "a", onnxpb.AttributeProto_FLOAT)), op("Identity", "x -> same"))
	slope.AttributeProto = []*onnxpb.AttributeProto{floatAttribute("a", 0.5)}
	twice := function("twice", "x", "y", named(op("slope", "x -> n", reference("a", "b", onnxpb.AttributeProto_FLOAT)), "f"), op("Add", "n n -> y"))
	twice.Attribute = []string{"b"}
	same := function("same", "x", "x")
	m := withFunctions(model(17, []int{2}, named(op("twice", "x -> n", floatAttribute("b", 0.25)), "f"), named(op("slope", "x -> q"), "f"),
		op("Add", "n q -> sum"), named(op("same", "sum -> y"), "f")), slope, twice, same)
	g := decodeTest(t, m, Options{})
	// n = 2 * -0.25 x, q = -0.5 x
	if got := compute(t, g)[0].Data.([]float32); !slices.Equal(got, []float32{-1, -2}) {
		t.Errorf("%v", got)
	}
	if g.Outputs[0].Name != "y" {
		t.Errorf("the output is named %q", g.Outputs[0].Name)
	}
}

func TestFunctionErrors(t *testing.T) {
	call := func(f ...*onnxpb.FunctionProto) *onnxpb.ModelProto {
		return withFunctions(model(17, []int{2}, named(op("g", "x -> y"), "f")), f...)
	}
	var bomb []*onnxpb.FunctionProto
	for i := range 40 {
		next := fmt.Sprint("g", i+1)
		name := fmt.Sprint("g", i)
		if i == 0 {
			name = "g"
		}
		bomb = append(bomb, function(name, "x", "y", named(op(next, "x -> a"), "f"), named(op(next, "a -> y"), "f")))
	}
	bomb = append(bomb, function("g40", "x", "y", op("Relu", "x -> y")))
	for _, c := range []struct {
		name  string
		model *onnxpb.ModelProto
		err   string
	}{
		{"itself", call(function("g", "x", "y", named(op("g", "x -> y"), "f"))), "deep in each other"},
		{"doubling", call(bomb...), "more than 131072 nodes"},
		{"twice", call(function("g", "x", "y", op("Relu", "x -> y")), function("g", "x", "y", op("Relu", "x -> y"))), `two functions are named "g"`},
		{"too few inputs", call(function("g", "", "y", op("Relu", "x -> y"))), "1 inputs and 1 outputs, but the function has 0 and 1"},
		{"no output", call(function("g", "x", "z", op("Relu", "x -> y"))), `computes its output "z"`},
		{"value from outside", call(function("g", "a", "y", op("Relu", "x -> y"))), `its input "x"`},
		{"unsupported inside", call(function("g", "x", "y", op("Nothing", "x -> y"))), `"y/y" (Nothing, opset 13)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Decode(marshal(t, c.model)); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v does not say %q", err, c.err)
			}
		})
	}
}

func branchOf(name, out string, parts ...any) *onnxpb.AttributeProto {
	g := model(13, nil, parts...).Graph
	g.Input, g.Output[0].Name = nil, proto.String(out)
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
}

func TestIfOfConstantCondition(t *testing.T) {
	choose := func(condition string, parts ...any) *onnxpb.ModelProto {
		parts = append(parts, op("If", condition+" -> y",
			branchOf("then_branch", "t", ramp("w", 2), op("Mul", "x w -> t")),
			branchOf("else_branch", "x")))
		return model(13, []int{2}, parts...)
	}
	yes := &onnxpb.TensorProto{Name: proto.String("c"), DataType: proto.Int32(int32(onnxpb.TensorProto_BOOL)), RawData: []byte{1}}
	if got := compute(t, decodeTest(t, choose("c", yes), Options{}))[0].Data.([]float32); !slices.Equal(got, []float32{1, 4}) {
		t.Errorf("then: %v", got)
	}
	// A condition that is computed from shapes: x has more than 3 elements.
	sized := choose("c", intTensor("three", 3), op("Size", "x -> n"), op("Greater", "n three -> g"), op("Squeeze", "g -> c"))
	if got := compute(t, decodeTest(t, sized, Options{}))[0].Data.([]float32); !slices.Equal(got, []float32{1, 2}) {
		t.Errorf("else: %v", got)
	}
	// One that is an input of the model can be made constant.
	m := choose("c")
	c := valueInfo("c", graph.Bool, nil)
	m.Graph.Input = append(m.Graph.Input, c)
	_, err := Decode(marshal(t, m))
	var n *NotConstantError
	if !errors.As(err, &n) || !slices.Equal(n.Inputs, []string{"c"}) {
		t.Fatalf("error %v", err)
	}
	g := decodeTest(t, m, Options{Constants: map[string]*operator.Tensor{"c": {DType: graph.Bool, Shape: []int{}, Data: []bool{true}}}})
	if got := compute(t, g)[0].Data.([]float32); !slices.Equal(got, []float32{1, 4}) {
		t.Errorf("constant by option: %v", got)
	}
	// One that is computed is not.
	var u *UnsupportedError
	if _, err := Decode(marshal(t, choose("c", op("ReduceSum", "x -> s"), op("Cast", "s -> c", intAttribute("to", 9))))); !errors.As(err, &u) || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}
