package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

const (
	oldestOpset = 1
	newestOpset = 28 // of ONNX 1.23; 1.22 has 27
	newestIR    = int64(onnxpb.Version_IR_VERSION)
)

// Limits of one model, so that a few crafted bytes cannot ask for much.
const (
	defaultLimit = 4 << 30 // bytes of all tensors
	maxGenerated = 1 << 26 // elements that folding makes of fewer
	maxFolding   = 1 << 31 // elementary operations in folding
	maxDepth     = 64      // functions and branches in each other
	maxNodes     = 1 << 17 // after functions are inlined
)

// Decode reads a model from its bytes, with the defaults of [Options].
func Decode(data []byte) (*graph.Graph, error) { return DecodeWith(data, Options{}) }

// DecodeWith reads a model from its bytes, which the graph's parameters may
// share.
func DecodeWith(data []byte, o Options) (*graph.Graph, error) {
	return decode(data, o, &external{})
}

func decode(data []byte, o Options, e *external) (*graph.Graph, error) {
	model, lifted, err := unmarshal(data)
	if err != nil {
		return nil, err
	}
	switch ir := model.GetIrVersion(); {
	case model.Graph == nil:
		return nil, errors.New("no ONNX model, or cut short: it has no graph")
	case len(model.OpsetImport) == 0:
		return nil, errors.New("no ONNX model, or cut short: it imports no opset")
	case ir < 3 || ir > newestIR:
		return nil, fmt.Errorf("IR version %d, want 3 to %d", ir, newestIR)
	case len(model.Graph.SparseInitializer) > 0:
		return nil, errors.New("sparse initializers are not supported")
	}
	if o.Limit == 0 {
		o.Limit = defaultLimit
	}
	d := &decoder{
		options:   o,
		external:  e,
		functions: make(map[string]*onnxpb.FunctionProto),
		producers: make(map[*graph.Value]*graph.Node),
		taken:     make(map[string]bool),
		nodes:     make(map[string]bool),
		fourBits:  make(map[*graph.Value]bool),
		memory:    o.Limit,
		generated: maxGenerated,
		folding:   maxFolding,
		count:     maxNodes,
		decoded:   &graph.Graph{Name: model.Graph.GetName()},
	}
	s := newScope(nil, opsets(model.OpsetImport))
	if v, ok := s.opsets[""]; ok && (v < oldestOpset || v > newestOpset) {
		return nil, fmt.Errorf("opset %d, want %d to %d", v, oldestOpset, newestOpset)
	}
	for _, f := range model.Functions {
		key := functionKey(f.GetDomain(), f.GetName(), f.GetOverload())
		if d.functions[key] != nil {
			return nil, fmt.Errorf("two functions are named %q", f.GetName())
		}
		d.functions[key] = f
	}
	for _, p := range model.MetadataProps {
		if d.decoded.Metadata == nil {
			d.decoded.Metadata = make(map[string]string)
		}
		d.decoded.Metadata[p.GetKey()] = p.GetValue()
	}
	if err := d.model(model.Graph, lifted, s); err != nil {
		return nil, err
	}
	g, err := widenHalf(d.decoded)
	if err != nil {
		return nil, err
	}
	if err := lower(g); err != nil {
		return nil, err
	}
	return g, g.Validate()
}

func opsets(list []*onnxpb.OperatorSetIdProto) map[string]int {
	m := make(map[string]int)
	for _, o := range list {
		m[domain(o.GetDomain())] = clampInt(o.GetVersion())
	}
	return m
}

// domain is a domain's name, "" for ONNX's own.
func domain(name string) string {
	if name == "ai.onnx" {
		return ""
	}
	return name
}

// decoder makes a graph of plain ONNX operators, in their newest versions.
type decoder struct {
	options   Options
	external  *external
	functions map[string]*onnxpb.FunctionProto
	producers map[*graph.Value]*graph.Node
	taken     map[string]bool // names of values
	nodes     map[string]bool // names of nodes
	fourBits  map[*graph.Value]bool
	memory    int64 // bytes that tensors may still take
	generated int   // elements that folding may still make
	folding   int64 // elementary operations that folding may still take
	count     int   // nodes that may still be read
	depth     int   // functions and branches being read
	decoded   *graph.Graph
	missing   []UnsupportedNode
	unknown   []*NotConstantError
}

// symbol is what a name of the model stands for. Its value is nil behind what
// is not supported, and where an optional argument of a function is left out.
type symbol struct {
	value   *graph.Value
	problem string // why it is not supported, where no node is to blame
	absent  bool
	isList  bool // a sequence of tensors
	list    []*graph.Value
}

type initializer struct {
	proto *onnxpb.TensorProto
	raw   []byte // its data, where that has been lifted out
}

// scope is the names of a graph in the model: the main one, a branch or a
// function.
type scope struct {
	parent       *scope // what a branch is in
	opsets       map[string]int
	symbols      map[string]symbol
	initializers map[string]initializer
	used         map[string]bool   // names that nodes read or the graph gives out
	renamed      map[string]string // names that values have in the decoded graph
	prefix       string            // of the names in the decoded graph
	attributes   map[string]*onnxpb.AttributeProto
}

func newScope(parent *scope, opsets map[string]int) *scope {
	s := &scope{
		parent:       parent,
		opsets:       opsets,
		symbols:      make(map[string]symbol),
		initializers: make(map[string]initializer),
		used:         make(map[string]bool),
		renamed:      make(map[string]string),
	}
	if parent != nil {
		s.prefix, s.attributes = parent.prefix, parent.attributes
	}
	return s
}

// initialize adds the initializers of a graph.
func (s *scope) initialize(list []*onnxpb.TensorProto, lifted [][]byte) error {
	for i, t := range list {
		if s.initializers[t.GetName()].proto != nil {
			return fmt.Errorf("two initializers are named %q", t.GetName())
		}
		in := initializer{proto: t}
		if i < len(lifted) {
			in.raw = lifted[i]
		}
		s.initializers[t.GetName()] = in
	}
	return nil
}

// use notes all names that nodes read, branches in them too.
func (s *scope) use(nodes []*onnxpb.NodeProto) {
	for _, n := range nodes {
		for _, name := range n.Input {
			s.used[name] = true
		}
		for _, a := range n.Attribute {
			if a.G != nil {
				s.use(a.G.Node)
				for _, out := range a.G.Output {
					s.used[out.GetName()] = true
				}
			}
		}
	}
}

func (s *scope) define(name string, y symbol) error {
	if _, ok := s.symbols[name]; ok {
		return fmt.Errorf("value %q is defined twice", name)
	}
	s.symbols[name] = y
	return nil
}

// model reads the main graph.
func (d *decoder) model(p *onnxpb.GraphProto, lifted [][]byte, s *scope) error {
	if err := s.initialize(p.Initializer, lifted); err != nil {
		return err
	}
	for name := range s.initializers {
		d.taken[name] = true
	}
	for _, n := range p.Node {
		for _, name := range n.Output {
			d.taken[name] = true
		}
	}
	s.use(p.Node)
	for _, out := range p.Output {
		s.used[out.GetName()] = true
	}
	if err := d.inputs(p, s); err != nil {
		return err
	}
	for _, n := range p.Node {
		if err := d.node(n, s); err != nil {
			return err
		}
	}
	if len(d.missing) > 0 {
		return &UnsupportedError{Nodes: d.missing}
	}
	if len(d.unknown) > 0 {
		return mergeNotConstant(d.unknown)
	}
	for _, out := range p.Output {
		y, ok, err := d.lookup(out.GetName(), s)
		if err != nil {
			return fmt.Errorf("output %q: %w", out.GetName(), err)
		}
		if !ok || y.value == nil {
			return fmt.Errorf("output %q is computed by no node", out.GetName())
		}
		if slices.Contains(d.decoded.Outputs, y.value) {
			return fmt.Errorf("output %q is listed twice", out.GetName())
		}
		d.decoded.Outputs = append(d.decoded.Outputs, y.value)
	}
	if len(d.decoded.Outputs) == 0 {
		return errors.New("the graph has no output")
	}
	return nil
}

// lookup finds what a name stands for; false where nothing does.
func (d *decoder) lookup(name string, s *scope) (symbol, bool, error) {
	for ; s != nil; s = s.parent {
		if y, ok := s.symbols[name]; ok {
			return y, true, nil
		}
		if in := s.initializers[name]; in.proto != nil {
			y, err := d.initializer(name, in, s)
			return y, true, err
		}
	}
	return symbol{}, false, nil
}

// initializer is the value of an initializer that is read for the first time.
func (d *decoder) initializer(name string, in initializer, s *scope) (symbol, error) {
	var y symbol
	if err := d.charge(dtypes[onnxpb.TensorProto_DataType(in.proto.GetDataType())], dimensionsOf(in.proto)); err != nil {
		return y, err
	}
	t, err := d.constantTensor(in.proto, in.raw)
	var u unsupported
	switch {
	case errors.As(err, &u):
		y.problem = string(u)
	case err != nil:
		return y, err
	default:
		y.value = &graph.Value{Name: d.finalName(name, s), Role: graph.RoleConstant}
		y.value.Fill(t)
		d.noteFourBits(y.value, in.proto.GetDataType())
	}
	return y, s.define(name, y)
}

// dimensionsOf is the tensor's shape where it is possible at all.
func dimensionsOf(p *onnxpb.TensorProto) []int {
	shape, err := dimensions(p.GetDims())
	if err != nil {
		return []int{0} // newTensor reports it
	}
	return shape
}

// finalName is the name that a value of the scope gets in the decoded graph.
func (d *decoder) finalName(name string, s *scope) string {
	if to, ok := s.renamed[name]; ok {
		return to
	}
	if s.parent == nil && s.prefix == "" {
		return name // taken from the start
	}
	return unique(d.taken, s.prefix+name)
}

// charge takes the memory of a tensor out of the limit.
func (d *decoder) charge(t graph.DType, shape []int) error {
	if err := operator.CheckShape(shape); err != nil {
		return err
	}
	size := int64(operator.Elements(shape)) * t.Size()
	if size > d.memory {
		return fmt.Errorf("the tensors of the model take more than the limit of %d bytes", d.options.Limit)
	}
	d.memory -= size
	return nil
}
