package onnx

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
)

const (
	oldestOpset = 7
	newestOpset = 26 // of ONNX 1.22
	newestIR    = int64(onnxpb.Version_IR_VERSION)
	// Models nest a few levels deep; crafted ones could exhaust the stack.
	maxNesting = 100
)

// Decode reads a model from its bytes. A symbolic batch dimension becomes 1.
func Decode(data []byte) (*graph.Graph, error) {
	model := &onnxpb.ModelProto{}
	if err := (proto.UnmarshalOptions{RecursionLimit: maxNesting}).Unmarshal(data, model); err != nil {
		return nil, fmt.Errorf("damaged, or no ONNX model: %w", err)
	}
	switch ir := model.GetIrVersion(); {
	case model.Graph == nil:
		return nil, errors.New("no ONNX model, or cut short: it has no graph")
	case len(model.OpsetImport) == 0:
		return nil, errors.New("no ONNX model, or cut short: it imports no opset")
	case ir < 3 || ir > newestIR:
		return nil, fmt.Errorf("IR version %d, want 3 to %d", ir, newestIR)
	}
	d := &decoder{
		model:        model.Graph,
		opsets:       make(map[string]int),
		initializers: make(map[string]*onnxpb.TensorProto, len(model.Graph.Initializer)),
		values:       make(map[string]operand),
		params:       make(map[parameterKey]*graph.Value),
		taken:        make(map[string]bool),
		nodes:        make(map[string]bool),
		used:         make(map[string]bool),
		budget:       maxGenerated,
		decoded:      &graph.Graph{Name: model.Graph.GetName()},
	}
	for _, o := range model.OpsetImport {
		d.opsets[domain(o.GetDomain())] = clampInt(o.GetVersion())
	}
	if v := d.opsets[""]; v < oldestOpset || v > newestOpset {
		return nil, fmt.Errorf("opset %d, want %d to %d", v, oldestOpset, newestOpset)
	}
	for _, p := range model.MetadataProps {
		if d.decoded.Metadata == nil {
			d.decoded.Metadata = make(map[string]string)
		}
		d.decoded.Metadata[p.GetKey()] = p.GetValue()
	}
	if err := d.decode(); err != nil {
		return nil, err
	}
	return d.decoded, nil
}

// domain is a domain's name, "" for ONNX's own.
func domain(name string) string {
	if name == "ai.onnx" {
		return ""
	}
	return name
}

// operand is what a name of the model stands for: a value of the graph or a
// constant. Both are nil behind what is not supported.
type operand struct {
	name     string
	value    *graph.Value
	constant *tensor
	variant  string // tells apart what is made from one constant
	problem  string // why it is not supported, where no node is to blame
}

func (o operand) known() bool { return o.value != nil || o.constant != nil }

// parameterKey tells apart the values made from one constant.
type parameterKey struct {
	name    string
	role    graph.Role
	variant string
}

type decoder struct {
	model        *onnxpb.GraphProto
	opsets       map[string]int // version by domain
	initializers map[string]*onnxpb.TensorProto
	values       map[string]operand
	params       map[parameterKey]*graph.Value
	taken        map[string]bool // names of values
	nodes        map[string]bool // names of nodes
	used         map[string]bool // names of values that nodes read or the model gives out
	budget       int             // elements that may still be made without being in the file
	decoded      *graph.Graph
	missing      []UnsupportedNode
}

func (d *decoder) decode() error {
	if len(d.model.SparseInitializer) > 0 {
		return errors.New("sparse initializers are not supported")
	}
	for _, t := range d.model.Initializer {
		if d.initializers[t.GetName()] != nil {
			return fmt.Errorf("two initializers are named %q", t.GetName())
		}
		d.initializers[t.GetName()] = t
		d.taken[t.GetName()] = true
	}
	for _, n := range d.model.Node {
		for _, name := range n.Output {
			d.taken[name] = true
		}
		for _, name := range n.Input {
			d.used[name] = true
		}
	}
	for _, out := range d.model.Output {
		d.used[out.GetName()] = true
	}
	for _, in := range d.model.Input {
		if d.initializers[in.GetName()] != nil {
			continue // before IR version 4 these are listed too
		}
		if err := d.input(in); err != nil {
			return err
		}
	}
	for _, n := range d.model.Node {
		if err := d.node(n); err != nil {
			return err
		}
	}
	if len(d.missing) > 0 {
		return &UnsupportedError{Nodes: d.missing}
	}
	for _, out := range d.model.Output {
		v := d.values[out.GetName()].value
		if v == nil {
			return fmt.Errorf("output %q is computed by no node from the inputs", out.GetName())
		}
		d.decoded.Outputs = append(d.decoded.Outputs, v)
	}
	return d.decoded.Validate()
}

func (d *decoder) input(in *onnxpb.ValueInfoProto) error {
	name := in.GetName()
	t := in.GetType().GetTensorType()
	if t == nil {
		return fmt.Errorf("input %q is no tensor", name)
	}
	d.taken[name] = true
	if dtype := onnxpb.TensorProto_DataType(t.GetElemType()); dtype != onnxpb.TensorProto_FLOAT {
		problem := fmt.Sprintf("input %q is of type %s; only FLOAT is supported", name, dtype)
		if !d.used[name] {
			return errors.New(problem)
		}
		return d.define(operand{name: name, problem: problem})
	}
	if t.Shape == nil {
		return fmt.Errorf("input %q has no shape", name)
	}
	var shape []int
	for i, dim := range t.Shape.Dim {
		size, fixed := dim.GetDimValue(), dim.GetDimParam() == ""
		switch {
		case fixed && size > 0 && size <= maxDim:
			shape = append(shape, int(size))
		case fixed && size > maxDim:
			return fmt.Errorf("input %q: dimension %d is %d, above %d", name, i, size, maxDim)
		case i == 0:
			shape = append(shape, 1)
		default:
			return fmt.Errorf("input %q: dimension %d (%q) is not fixed; only the first, the batch, may be symbolic", name, i, dim.GetDimParam())
		}
	}
	v := &graph.Value{Name: name, DType: graph.F32, Shape: shape}
	if err := d.define(operand{name: name, value: v}); err != nil {
		return err
	}
	d.decoded.Inputs = append(d.decoded.Inputs, v)
	return nil
}

func (d *decoder) define(o operand) error {
	if o.name == "" {
		return errors.New("a value has no name")
	}
	if _, ok := d.values[o.name]; ok {
		return fmt.Errorf("value %q is defined twice", o.name)
	}
	d.values[o.name] = o
	return nil
}

// node reads one node. What is only not supported is noted, and what depends
// on it passed over, so that the rest is seen too.
func (d *decoder) node(p *onnxpb.NodeProto) error {
	if len(p.Output) == 0 || p.Output[0] == "" {
		return fmt.Errorf("node %q (%s) has no output", p.GetName(), p.GetOpType())
	}
	n := &node{decoder: d, proto: p, name: p.GetName(), opset: d.opsets[domain(p.GetDomain())]}
	if n.name == "" {
		n.name = p.Output[0]
	}
	if err := d.operands(n); err != nil {
		return fmt.Errorf("node %q (%s): %w", n.name, p.GetOpType(), err)
	}
	err := n.read()
	var u unsupported
	if errors.As(err, &u) {
		kind := p.GetOpType()
		if dom := domain(p.GetDomain()); dom != "" {
			kind = dom + "." + kind
		}
		d.missing = append(d.missing, UnsupportedNode{Name: n.name, Type: kind, Opset: n.opset, Reason: string(u)})
	} else if err != nil {
		return fmt.Errorf("node %q (%s): %w", n.name, p.GetOpType(), err)
	}
	// What the node has not defined is unknown to its users.
	for i, name := range p.Output {
		if name == "" || i == 0 && n.defined {
			continue
		}
		if err := d.define(operand{name: name}); err != nil {
			return err
		}
	}
	return nil
}

// operands looks up what the node reads.
func (d *decoder) operands(n *node) error {
	for _, name := range n.proto.Input {
		o, ok := d.values[name]
		if t := d.initializers[name]; !ok && name != "" {
			if t == nil {
				return fmt.Errorf("nothing before it computes its input %q", name)
			}
			var u unsupported
			var err error
			o.name = name
			if o.constant, err = newTensor(t); errors.As(err, &u) {
				o.problem = string(u)
			} else if err != nil {
				return err
			}
			d.values[name] = o
		}
		n.inputs = append(n.inputs, o)
	}
	return nil
}

// parameter is the value of a constant in a role; equal uses share one. data
// makes the elements when they are first needed.
func (d *decoder) parameter(o operand, role graph.Role, variant string, shape []int, data func() ([]float32, error)) (*graph.Value, error) {
	key := parameterKey{o.name, role, variant}
	if v := d.params[key]; v != nil && slices.Equal(v.Shape, shape) {
		return v, nil
	}
	elements, err := data()
	if err != nil {
		return nil, err
	}
	v := &graph.Value{Name: o.name, DType: graph.F32, Shape: shape, Data: elements, Role: role}
	if _, used := d.params[parameterKey{name: o.name}]; used {
		v.Name = unique(d.taken, o.name+"."+string(role))
		if err := d.generate(len(elements)); err != nil {
			return nil, err
		}
	}
	d.params[parameterKey{name: o.name}] = v
	d.params[key] = v
	return v, nil
}

// generate charges n elements that the file does not hold.
func (d *decoder) generate(n int) error {
	if n > d.budget {
		return fmt.Errorf("the model describes tensors of more than %d elements without holding them", maxGenerated)
	}
	d.budget -= n
	return nil
}
