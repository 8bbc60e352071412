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
	"github.com/hwprofd/hwprofd/graph/operator"
)

const maxModel = math.MaxInt32 // bytes; protobuf's limit

// Encode is the model as bytes: names as in g, weights inside, and g.Metadata
// as metadata_props. The opset is 17 or, where an operator needs that, a later
// one. Epilogues are written as nodes of their own. The same graph gives the
// same bytes.
func Encode(g *graph.Graph) ([]byte, error) {
	if err := g.Validate(); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	e := newEncoder(g)
	if err := e.parameters(); err != nil {
		return nil, fmt.Errorf("encode graph %q: %w", g.Name, err)
	}
	for _, n := range g.Nodes {
		if err := e.node(n); err != nil {
			return nil, fmt.Errorf("encode graph %q: node %q (%s): %w", g.Name, n.Name, n.Kind, err)
		}
	}
	for _, v := range g.Inputs {
		e.out.Input = append(e.out.Input, valueInfo(v.Name, v.DType, v.Shape))
	}
	for _, v := range g.Outputs {
		e.out.Output = append(e.out.Output, valueInfo(v.Name, v.DType, v.Shape))
	}
	model := &onnxpb.ModelProto{
		IrVersion:       proto.Int64(irVersion(e.opset)),
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
	end := &onnxpb.ModelProto{}
	for _, domain := range slices.Sorted(maps.Keys(e.domains)) {
		model.OpsetImport = append(model.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(domain), Version: proto.Int64(1)})
	}
	end.OpsetImport, model.OpsetImport = append(model.OpsetImport,
		&onnxpb.OperatorSetIdProto{Domain: proto.String(""), Version: proto.Int64(int64(e.opset))}), nil
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

// irVersion is that of the ONNX release which brought the opset.
func irVersion(opset int) int64 {
	switch {
	case opset <= 18:
		return 8
	case opset <= 20:
		return 9
	case opset <= 22:
		return 10
	}
	return min(int64(opset-12), newestIR)
}

// version is that of the module in the running binary.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

type encoder struct {
	graph   *graph.Graph
	out     *onnxpb.GraphProto
	opset   int
	domains map[string]bool // beside ONNX's own
	taken   map[string]bool // names of values
	nodes   map[string]bool // names of nodes
	zero    string          // names of the bounds of Clip; empty before the first
	six     string
}

func newEncoder(g *graph.Graph) *encoder {
	e := &encoder{
		graph:   g,
		out:     &onnxpb.GraphProto{Name: proto.String(g.Name)},
		opset:   oldestWritten,
		domains: make(map[string]bool),
		taken:   make(map[string]bool),
		nodes:   make(map[string]bool),
	}
	if g.Name == "" { // the format wants one
		e.out.Name = proto.String("graph")
	}
	for _, n := range g.Nodes {
		e.nodes[n.Name] = true
		for _, v := range slices.Concat(n.Inputs, n.Outputs) {
			if v != nil {
				e.taken[v.Name] = true
			}
		}
	}
	for _, v := range slices.Concat(g.Inputs, g.Outputs) {
		e.taken[v.Name] = true
	}
	return e
}

// parameters writes what is given as initializers. What is also given out is
// that of an Identity, as a graph computes its outputs.
func (e *encoder) parameters() error {
	var empty []string
	size := int64(0)
	list := e.graph.Parameters()
	for _, v := range e.graph.Outputs {
		if v.Role != graph.RoleNone && !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	for _, v := range list {
		t := v.Tensor()
		if t == nil {
			empty = append(empty, strconv.Quote(v.Name))
			continue
		}
		if size += int64(v.Elements()) * v.DType.Size(); size > maxModel {
			return fmt.Errorf("parameters take more than the %d bytes that a model file can hold", maxModel)
		}
		name := v.Name
		if slices.Contains(e.graph.Outputs, v) {
			name = unique(e.taken, v.Name+".given")
			e.add("Identity", e.nodeName(name+".out"), []string{name}, []string{v.Name})
		}
		e.initializer(name, t)
	}
	if len(empty) > 0 {
		return fmt.Errorf("%d parameters have no data: %s", len(empty), strings.Join(empty, ", "))
	}
	return nil
}

// initializer writes a tensor.
func (e *encoder) initializer(name string, t *operator.Tensor) {
	e.out.Initializer = append(e.out.Initializer, tensorProto(name, t))
}

func tensorProto(name string, t *operator.Tensor) *onnxpb.TensorProto {
	p := &onnxpb.TensorProto{
		DataType: proto.Int32(int32(dataType(t.DType))),
		Dims:     int64s(t.Shape),
		RawData:  toRaw(t),
	}
	if name != "" {
		p.Name = proto.String(name)
	}
	return p
}

// names are those of the values, "" for those left out.
func names(list []*graph.Value) []string {
	s := make([]string, len(list))
	for i, v := range list {
		if v != nil {
			s[i] = v.Name
		}
	}
	for len(s) > 0 && s[len(s)-1] == "" {
		s = s[:len(s)-1]
	}
	return s
}

// node writes n, and its epilogue as further nodes.
func (e *encoder) node(n *graph.Node) error {
	for _, out := range n.Outputs {
		if out != nil && !slices.Contains(e.graph.Outputs, out) {
			e.out.ValueInfo = append(e.out.ValueInfo, valueInfo(out.Name, out.DType, out.Shape))
		}
	}
	if n.Plain() {
		return e.plain(n)
	}
	a := &n.Attributes
	inputs := n.Inputs
	residual := n.Residual()
	if residual != nil {
		inputs = inputs[:len(inputs)-1]
	}

	// The last node written has the output's name, those before derived ones.
	out := n.Outputs[0]
	activation := a.Epilogue.Activation
	result, sum := out.Name, out.Name
	if activation != "" {
		sum = e.inner(out.Name+".before."+string(activation), out.DType, out.Shape)
		result = sum
	}
	if residual != nil {
		result = e.inner(out.Name+".before.add", out.DType, out.Shape)
	}
	switch n.Kind {
	case graph.Linear:
		e.linear(n, inputs, result)
	case graph.Reshape:
		e.add(graph.Reshape, n.Name, append(names(inputs), e.ints(n.Name+".shape", a.Shape)), []string{result})
	case graph.Relu6:
		if err := e.activation(graph.OpRelu6, n.Name, inputs[0].Name, result, out.Shape); err != nil {
			return err
		}
	default:
		attributes, err := attributeProtos(n.NamedAttributes())
		if err != nil {
			return err
		}
		e.add(n.Kind, n.Name, names(inputs), []string{result}, attributes...)
	}
	if residual != nil {
		e.add(graph.Add, e.nodeName(n.Name+".add"), []string{result, residual.Name}, []string{sum})
	}
	if activation != "" {
		return e.activation(activation, e.nodeName(n.Name+"."+string(activation)), sum, out.Name, out.Shape)
	}
	return nil
}

// linear writes a Gemm, or, for more than rows of features, a MatMul with an
// Add.
func (e *encoder) linear(n *graph.Node, inputs []*graph.Value, result string) {
	var attributes []*onnxpb.AttributeProto
	if !n.Attributes.Transposed {
		attributes = append(attributes, intAttribute("transB", 1))
	}
	if len(n.Inputs[0].Shape) == 2 {
		e.add("Gemm", n.Name, names(inputs), []string{result}, attributes...)
		return
	}
	weight := inputs[1].Name
	if !n.Attributes.Transposed {
		weight = unique(e.taken, weight+".transposed")
		e.add("Transpose", e.nodeName(n.Name+".transpose"), []string{inputs[1].Name}, []string{weight}, intsAttribute("perm", 1, 0))
	}
	product := result
	if len(inputs) > 2 {
		product = e.inner(result+".product", graph.F32, n.Outputs[0].Shape)
	}
	e.add("MatMul", n.Name, []string{inputs[0].Name, weight}, []string{product})
	if len(inputs) > 2 {
		e.add(graph.Add, e.nodeName(n.Name+".bias"), []string{product, inputs[2].Name}, []string{result})
	}
}

// activation writes an elementwise operator without parameters. Those that few
// runtimes have are written as what they are made of.
func (e *encoder) activation(op graph.Op, name, input, output string, shape []int) error {
	kind, attributes := graph.Kind(""), []*onnxpb.AttributeProto(nil)
	switch op {
	case graph.OpRelu:
		kind = graph.Relu
	case graph.OpRelu6:
		if e.zero == "" {
			e.zero, e.six = e.scalar("clip.min", 0), e.scalar("clip.max", 6)
		}
		e.add("Clip", name, []string{input, e.zero, e.six}, []string{output})
		return nil
	case graph.OpHardSwish:
		kind = graph.HardSwish
	case graph.OpHardSigmoid:
		kind, attributes = graph.HardSigmoid, []*onnxpb.AttributeProto{floatAttribute("alpha", 1./6), floatAttribute("beta", 0.5)}
	case graph.OpSigmoid:
		kind = graph.Sigmoid
	case graph.OpTanh:
		kind = "Tanh"
	case graph.OpGELU:
		kind = "Gelu"
	case graph.OpGELUTanh:
		kind, attributes = "Gelu", []*onnxpb.AttributeProto{stringAttribute("approximate", "tanh")}
	case graph.OpSiLU:
		e.swish(name, input, output, 1, graph.F32, shape)
		return nil
	default:
		return fmt.Errorf("activation %q has no ONNX operator", op)
	}
	e.add(kind, name, []string{input}, []string{output}, attributes...)
	return nil
}

// swish writes x * sigmoid(alpha x).
func (e *encoder) swish(name, input, output string, alpha float32, dtype graph.DType, shape []int) {
	scaled := input
	if alpha != 1 {
		scaled = e.inner(output+".scaled", dtype, shape)
		by := unique(e.taken, scaled+".by")
		e.initializer(by, filled(dtype, alpha))
		e.add(graph.Mul, e.nodeName(name+".scale"), []string{input, by}, []string{scaled})
	}
	gate := e.inner(output+".gate", dtype, shape)
	e.add(graph.Sigmoid, e.nodeName(name+".gate"), []string{scaled}, []string{gate})
	e.add(graph.Mul, name, []string{input, gate}, []string{output})
}

// filled is a scalar of a floating-point type.
func filled(dtype graph.DType, x float32) *operator.Tensor {
	t := operator.New(dtype)
	switch data := t.Data.(type) {
	case []float32:
		data[0] = x
	case []float64:
		data[0] = float64(x)
	case []uint16:
		data[0] = operator.ToHalf(dtype, x)
	}
	return t
}

func (e *encoder) add(kind graph.Kind, name string, inputs, outputs []string, attributes ...*onnxpb.AttributeProto) {
	p := &onnxpb.NodeProto{
		Name:      proto.String(name),
		OpType:    proto.String(string(kind)),
		Input:     inputs,
		Output:    outputs,
		Attribute: attributes,
	}
	if i := strings.LastIndexByte(string(kind), '.'); i >= 0 {
		p.Domain, p.OpType = proto.String(string(kind)[:i]), proto.String(string(kind)[i+1:])
		e.domains[p.GetDomain()] = true
	}
	e.opset = max(e.opset, firstOpset[string(kind)])
	e.out.Node = append(e.out.Node, p)
}

// inner names a value between the nodes that one node is written as.
func (e *encoder) inner(name string, dtype graph.DType, shape []int) string {
	name = unique(e.taken, name)
	e.out.ValueInfo = append(e.out.ValueInfo, valueInfo(name, dtype, shape))
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
	e.initializer(name, &operator.Tensor{DType: operator.F32, Data: []float32{x}})
	return name
}

func (e *encoder) ints(name string, x []int) string {
	name = unique(e.taken, name)
	e.initializer(name, &operator.Tensor{DType: operator.I64, Shape: []int{len(x)}, Data: int64s(x)})
	return name
}

// attributeProtos are attributes as a node has them, sorted by name.
func attributeProtos(a operator.Attributes) ([]*onnxpb.AttributeProto, error) {
	var list []*onnxpb.AttributeProto
	for _, name := range slices.Sorted(maps.Keys(a)) {
		p := &onnxpb.AttributeProto{Name: proto.String(name)}
		switch x := a[name].(type) {
		case int64:
			p.Type, p.I = onnxpb.AttributeProto_INT.Enum(), proto.Int64(x)
		case float32:
			p.Type, p.F = onnxpb.AttributeProto_FLOAT.Enum(), proto.Float32(x)
		case string:
			p.Type, p.S = onnxpb.AttributeProto_STRING.Enum(), []byte(x)
		case []int64:
			p.Type, p.Ints = onnxpb.AttributeProto_INTS.Enum(), x
		case []float32:
			p.Type, p.Floats = onnxpb.AttributeProto_FLOATS.Enum(), x
		case []string:
			p.Type = onnxpb.AttributeProto_STRINGS.Enum()
			for _, s := range x {
				p.Strings = append(p.Strings, []byte(s))
			}
		case *operator.Tensor:
			p.Type, p.T = onnxpb.AttributeProto_TENSOR.Enum(), tensorProto("", x)
		default:
			return nil, fmt.Errorf("attribute %q is a %T", name, x)
		}
		list = append(list, p)
	}
	return list, nil
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

func stringAttribute(name, x string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte(x)}
}

func valueInfo(name string, dtype graph.DType, shape []int) *onnxpb.ValueInfoProto {
	dims := &onnxpb.TensorShapeProto{}
	for _, d := range shape {
		dims.Dim = append(dims.Dim, &onnxpb.TensorShapeProto_Dimension{
			Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)},
		})
	}
	return &onnxpb.ValueInfoProto{
		Name: proto.String(name),
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: proto.Int32(int32(dataType(dtype))),
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
