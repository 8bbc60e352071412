package onnx

import (
	"fmt"
	"maps"
	"math"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
)

const (
	writtenIR    = 8
	writtenOpset = 17
	maxModel     = math.MaxInt32 // bytes; protobuf's limit
)

// Encode is the model as bytes: opset 17, names as in g, weights inside, and
// g.Metadata as metadata_props. Epilogues are written as nodes of their own.
// The same graph gives the same bytes.
func Encode(g *graph.Graph) ([]byte, error) {
	if err := g.Validate(); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	e := newEncoder(g)
	if err := e.parameters(); err != nil {
		return nil, fmt.Errorf("encode graph %q: %w", g.Name, err)
	}
	for _, n := range g.Nodes {
		e.node(n)
	}
	for _, v := range g.Inputs {
		e.out.Input = append(e.out.Input, valueInfo(v.Name, v.Shape))
	}
	for _, v := range g.Outputs {
		e.out.Output = append(e.out.Output, valueInfo(v.Name, v.Shape))
	}
	model := &onnxpb.ModelProto{
		IrVersion:       proto.Int64(writtenIR),
		ProducerName:    proto.String("hwprofd"),
		ProducerVersion: proto.String(version()),
		Graph:           e.out,
	}
	for _, key := range slices.Sorted(maps.Keys(g.Metadata)) {
		model.MetadataProps = append(model.MetadataProps,
			&onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(g.Metadata[key])})
	}
	// Protobuf merges what stands one after the other. With the opset, which
	// every reader needs, at the very end, a file cut short is always refused.
	end := &onnxpb.ModelProto{OpsetImport: []*onnxpb.OperatorSetIdProto{
		{Domain: proto.String(""), Version: proto.Int64(writtenOpset)},
	}}
	options := proto.MarshalOptions{Deterministic: true}
	data, err := options.Marshal(model)
	if err == nil {
		data, err = options.MarshalAppend(data, end)
	}
	if err != nil {
		return nil, fmt.Errorf("encode graph %q: %w", g.Name, err)
	}
	return data, nil
}

// version is that of the module in the running binary.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

type encoder struct {
	graph *graph.Graph
	out   *onnxpb.GraphProto
	taken map[string]bool // names of values
	nodes map[string]bool // names of nodes
	zero  string          // names of the bounds of Clip; empty before the first
	six   string
}

func newEncoder(g *graph.Graph) *encoder {
	e := &encoder{
		graph: g,
		out:   &onnxpb.GraphProto{Name: proto.String(g.Name)},
		taken: make(map[string]bool),
		nodes: make(map[string]bool),
	}
	if g.Name == "" { // the format wants one
		e.out.Name = proto.String("graph")
	}
	for _, n := range g.Nodes {
		e.nodes[n.Name] = true
		for _, v := range slices.Concat(n.Inputs, n.Outputs) {
			e.taken[v.Name] = true
		}
	}
	for _, v := range g.Inputs {
		e.taken[v.Name] = true
	}
	return e
}

func (e *encoder) parameters() error {
	var empty []string
	size := 0
	for _, v := range e.graph.Parameters() {
		if v.Data == nil {
			empty = append(empty, strconv.Quote(v.Name))
			continue
		}
		if size += v.Elements() * 4; size > maxModel || size < 0 {
			return fmt.Errorf("parameters take more than the %d bytes that a model file can hold", maxModel)
		}
		e.out.Initializer = append(e.out.Initializer, &onnxpb.TensorProto{
			Name:     proto.String(v.Name),
			DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)),
			Dims:     int64s(v.Shape),
			RawData:  rawFloat32s(v.Data),
		})
	}
	if len(empty) > 0 {
		return fmt.Errorf("%d parameters have no data: %s", len(empty), strings.Join(empty, ", "))
	}
	return nil
}

// node writes n, and its epilogue as further nodes.
func (e *encoder) node(n *graph.Node) {
	a := &n.Attributes
	inputs := n.Inputs
	residual := n.Residual()
	if residual != nil {
		inputs = inputs[:len(inputs)-1]
	}
	var names []string
	for _, v := range inputs {
		names = append(names, v.Name)
	}
	var attributes []*onnxpb.AttributeProto
	switch n.Kind {
	case graph.Conv:
		attributes = append(windowAttributes(a, n.Inputs[1].Shape[2:]),
			intsAttribute("dilations", a.Dilation[:]...), intAttribute("group", a.Group))
	case graph.MaxPool, graph.AveragePool:
		attributes = windowAttributes(a, a.Kernel[:])
	case graph.BatchNormalization:
		attributes = append(attributes, floatAttribute("epsilon", a.Epsilon))
	case graph.Linear:
		attributes = append(attributes, intAttribute("transB", 1))
	case graph.Flatten, graph.Softmax:
		attributes = append(attributes, intAttribute("axis", a.Axis))
	case graph.Reshape:
		names = append(names, e.ints(n.Name+".shape", a.Shape))
	default:
		names, attributes = e.elementwise(n.Kind, names)
	}

	// The last node written has the output's name, those before derived ones.
	out := n.Outputs[0]
	activation := a.Epilogue.Activation
	result, sum := out.Name, out.Name
	if activation != "" {
		sum = e.inner(out.Name+".before."+string(activation), out.Shape)
		result = sum
	}
	if residual != nil {
		result = e.inner(out.Name+".before.add", out.Shape)
	}
	e.add(n.Kind, n.Name, names, result, attributes...)
	if residual != nil {
		e.add(graph.Add, e.nodeName(n.Name+".add"), []string{result, residual.Name}, sum)
	}
	if activation != "" {
		kind := kindOf(activation)
		names, attributes := e.elementwise(kind, []string{sum})
		e.add(kind, e.nodeName(n.Name+"."+string(activation)), names, out.Name, attributes...)
	}
	if !slices.Contains(e.graph.Outputs, out) {
		e.out.ValueInfo = append(e.out.ValueInfo, valueInfo(out.Name, out.Shape))
	}
}

// kindOf is the node kind of an activation.
func kindOf(op graph.Op) graph.Kind {
	switch op {
	case graph.OpRelu6:
		return graph.Relu6
	case graph.OpHardSwish:
		return graph.HardSwish
	case graph.OpHardSigmoid:
		return graph.HardSigmoid
	case graph.OpSigmoid:
		return graph.Sigmoid
	}
	return graph.Relu
}

// elementwise completes what ONNX wants of kinds without parameters.
func (e *encoder) elementwise(kind graph.Kind, inputs []string) ([]string, []*onnxpb.AttributeProto) {
	switch kind {
	case graph.Relu6:
		if e.zero == "" {
			e.zero, e.six = e.scalar("clip.min", 0), e.scalar("clip.max", 6)
		}
		return append(inputs, e.zero, e.six), nil
	case graph.HardSigmoid:
		return inputs, []*onnxpb.AttributeProto{floatAttribute("alpha", 1./6), floatAttribute("beta", 0.5)}
	}
	return inputs, nil
}

// operatorName is ONNX's name of a kind.
func operatorName(kind graph.Kind) string {
	switch kind {
	case graph.Linear:
		return "Gemm"
	case graph.Relu6:
		return "Clip"
	}
	return string(kind)
}

func (e *encoder) add(kind graph.Kind, name string, inputs []string, output string, attributes ...*onnxpb.AttributeProto) {
	e.out.Node = append(e.out.Node, &onnxpb.NodeProto{
		Name:      proto.String(name),
		OpType:    proto.String(operatorName(kind)),
		Input:     inputs,
		Output:    []string{output},
		Attribute: attributes,
	})
}

// inner names a value between the nodes that one node is written as.
func (e *encoder) inner(name string, shape []int) string {
	name = unique(e.taken, name)
	e.out.ValueInfo = append(e.out.ValueInfo, valueInfo(name, shape))
	return name
}

func (e *encoder) nodeName(name string) string { return unique(e.nodes, name) }

// unique is the first of name, name.2, name.3 ... not taken, and takes it.
func unique(taken map[string]bool, name string) string {
	free := name
	for i := 2; taken[free]; i++ {
		free = name + "." + strconv.Itoa(i)
	}
	taken[free] = true
	return free
}

func (e *encoder) scalar(name string, x float32) string {
	name = unique(e.taken, name)
	e.out.Initializer = append(e.out.Initializer, &onnxpb.TensorProto{
		Name:     proto.String(name),
		DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)),
		RawData:  rawFloat32s([]float32{x}),
	})
	return name
}

func (e *encoder) ints(name string, x []int) string {
	name = unique(e.taken, name)
	e.out.Initializer = append(e.out.Initializer, &onnxpb.TensorProto{
		Name:     proto.String(name),
		DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)),
		Dims:     []int64{int64(len(x))},
		RawData:  rawInt64s(x),
	})
	return name
}

func windowAttributes(a *graph.Attributes, kernel []int) []*onnxpb.AttributeProto {
	return []*onnxpb.AttributeProto{
		intsAttribute("kernel_shape", kernel...),
		intsAttribute("strides", a.Stride[:]...),
		intsAttribute("pads", a.Pad[:]...),
	}
}

func intAttribute(name string, x int) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INT.Enum(), I: proto.Int64(int64(x))}
}

func intsAttribute(name string, x ...int) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INTS.Enum(), Ints: int64s(x)}
}

func floatAttribute(name string, x float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_FLOAT.Enum(), F: proto.Float32(x)}
}

func valueInfo(name string, shape []int) *onnxpb.ValueInfoProto {
	dims := &onnxpb.TensorShapeProto{}
	for _, d := range shape {
		dims.Dim = append(dims.Dim, &onnxpb.TensorShapeProto_Dimension{
			Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)},
		})
	}
	return &onnxpb.ValueInfoProto{
		Name: proto.String(name),
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)),
			Shape:    dims,
		}}},
	}
}

func int64s(x []int) []int64 {
	y := make([]int64, len(x))
	for i, v := range x {
		y[i] = int64(v)
	}
	return y
}
