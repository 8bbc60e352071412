package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// node is a node of the model on its way into the graph: an operator of some
// opset, which becomes one of the newest.
type node struct {
	*decoder
	scope      *scope
	proto      *onnxpb.NodeProto
	name       string
	op         string // with the domain, where it is not ONNX's own
	opset      int
	attributes operator.Attributes
	in         []*graph.Value // nil where left out, or where it is a list
	lists      []*symbol      // inputs that are lists, nil for others
	out        []string       // names in the graph; "" where left out
	// done says that what the outputs are has been said already.
	done bool
}

// node reads one node. What is only not supported is noted, and what depends
// on it passed over, so that the rest is seen too.
func (d *decoder) node(p *onnxpb.NodeProto, s *scope) error {
	n := &node{decoder: d, scope: s, proto: p, name: p.GetName(), op: p.GetOpType(), opset: s.opsets[domain(p.GetDomain())]}
	if dom := domain(p.GetDomain()); dom != "" {
		n.op = dom + "." + n.op
	}
	i := slices.IndexFunc(p.Output, func(s string) bool { return s != "" })
	if i < 0 {
		return fmt.Errorf("node %q (%s) has no output", n.name, n.op)
	}
	if n.name == "" {
		n.name = p.Output[i]
	}
	n.name = s.prefix + n.name
	if d.count--; d.count < 0 {
		return fmt.Errorf("more than %d nodes", maxNodes)
	}
	ready, err := n.operands()
	if err == nil && ready {
		err = n.read()
	}
	var u unsupported
	var o *operator.UnsupportedError
	switch {
	case errors.As(err, &u), errors.As(err, &o):
		reason := string(u)
		if o != nil {
			reason = o.Reason
		}
		kind := p.GetOpType()
		if dom := domain(p.GetDomain()); dom != "" {
			kind = dom + "." + kind
		}
		d.missing = append(d.missing, UnsupportedNode{Name: n.name, Type: kind, Opset: n.opset, Reason: reason})
	case errors.As(err, new(*NotConstantError)):
		var c *NotConstantError
		errors.As(err, &c)
		c.Node, c.Type = n.name, p.GetOpType()
		d.unknown = append(d.unknown, c)
	case err != nil:
		return fmt.Errorf("node %q (%s): %w", n.name, p.GetOpType(), err)
	}
	// What the node has not defined is unknown to its users.
	for _, name := range p.Output {
		if _, ok := s.symbols[name]; name != "" && (!ok || !n.done) {
			if err := s.define(name, symbol{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// operands looks up what the node reads; false where that is unknown.
func (n *node) operands() (bool, error) {
	ready := true
	for _, name := range n.proto.Input {
		if name == "" {
			n.in = append(n.in, nil)
			continue
		}
		y, ok, err := n.lookup(name, n.scope)
		if err != nil {
			return false, err
		}
		if !ok {
			return false, fmt.Errorf("nothing before it computes its input %q", name)
		}
		if y.problem != "" {
			return false, unsupported(y.problem)
		}
		ready = ready && (y.value != nil || y.absent || y.isList)
		if y.isList {
			n.lists = append(n.lists, make([]*symbol, len(n.in)-len(n.lists))...)
			n.lists = append(n.lists, &y)
		}
		n.in = append(n.in, y.value)
	}
	if n.lists != nil { // whose inputs keep their places
		return ready, nil
	}
	for len(n.in) > 0 && n.in[len(n.in)-1] == nil {
		n.in = n.in[:len(n.in)-1]
	}
	return ready, nil
}

// read turns the node into nodes of the graph.
func (n *node) read() error {
	for _, name := range n.proto.Output {
		if _, ok := n.scope.symbols[name]; ok && name != "" {
			return fmt.Errorf("value %q is defined twice", name)
		}
	}
	if f := n.functions[functionKey(n.proto.GetDomain(), n.proto.GetOpType(), n.proto.GetOverload())]; f != nil {
		return n.inline(f)
	}
	switch {
	case n.op == "If":
		return n.branch()
	case n.op == "Loop":
		return n.loop()
	case n.op == "Scan":
		return n.scan()
	case listOperators[n.op] != nil:
		return n.readList()
	case n.lists != nil:
		return unsupportedf("on a sequence")
	}
	if dom := domain(n.proto.GetDomain()); dom != "" && dom != "com.microsoft" {
		return unsupported("")
	} else if dom == "" {
		since := firstOpset[n.op]
		if n.opset == 0 {
			return unsupportedf("the model does not import ONNX's operators")
		}
		if since > n.opset {
			return unsupportedf("it is an operator of opset %d and later", since)
		}
	}
	if normalizers[n.op] == nil && !operator.Defined(n.op) {
		return unsupported("")
	}
	if err := n.readAttributes(); err != nil {
		return err
	}
	n.nameOutputs()
	n.dropOutputs()
	if normalize := normalizers[n.op]; normalize != nil {
		if err := normalize(n); err != nil || n.done {
			return err
		}
	}
	return n.last()
}

func (n *node) nameOutputs() {
	for _, name := range n.proto.Output {
		if name != "" {
			name = n.finalName(name, n.scope)
		}
		n.out = append(n.out, name)
	}
}

// dropOutputs forgets the last outputs where nothing reads them, as operators
// compute more when more outputs are listed.
func (n *node) dropOutputs() {
	if n.op == "Split" { // it has as many as are listed
		return
	}
	for i := len(n.out) - 1; i > 0 && (n.out[i] == "" || !n.isUsed(n.proto.Output[i])); i-- {
		n.out = n.out[:i]
	}
}

func (n *node) isUsed(name string) bool {
	return n.scope.used[name]
}

// last adds the node itself to the graph.
func (n *node) last() error {
	values, err := n.emit(n.name, n.op, n.attributes, n.in, n.out)
	if err != nil {
		return err
	}
	return n.become(values...)
}

// become says what the outputs are.
func (n *node) become(values ...*graph.Value) error {
	list := make([]symbol, len(values))
	for i, v := range values {
		list[i].value = v
	}
	return n.becomeSymbols(list)
}

func (n *node) becomeSymbols(list []symbol) error {
	n.done = true
	for i, y := range list {
		if name := n.proto.Output[i]; name != "" {
			if err := n.scope.define(name, y); err != nil {
				return err
			}
		}
	}
	return nil
}

// inner adds a node of one output before the last of those that this one
// becomes.
func (n *node) inner(suffix, op string, a operator.Attributes, in ...*graph.Value) (*graph.Value, error) {
	values, err := n.emit(n.name+"."+suffix, op, a, in, []string{unique(n.taken, n.base()+"."+suffix)})
	if err != nil {
		return nil, err
	}
	return values[0], nil
}

// base is what names of values made for this node start with.
func (n *node) base() string {
	for _, name := range n.out {
		if name != "" {
			return name
		}
	}
	return n.name
}

// constant is a new constant.
func (n *node) constant(suffix string, t *operator.Tensor) *graph.Value {
	v := &graph.Value{Name: unique(n.taken, n.base()+"."+suffix), Role: graph.RoleConstant}
	v.Fill(t)
	return v
}

func (n *node) int64s(suffix string, x ...int64) *graph.Value {
	return n.constant(suffix, &operator.Tensor{DType: operator.I64, Shape: []int{len(x)}, Data: x})
}

// has reports whether input i is given.
func (n *node) has(i int) bool { return i < len(n.in) && n.in[i] != nil }

// mustBeConstant says that input i must be constant, and which inputs of the
// model make it so: numbers of pictures or words are unlikely to be given.
func (n *node) mustBeConstant(i int, what string) error {
	names := n.origins(n.in[i])
	for _, v := range n.decoded.Inputs {
		if v.DType.IsFloat() && v.Elements() > 1 && slices.Contains(names, v.Name) {
			return unsupportedf("%s is not constant", what)
		}
	}
	return &NotConstantError{Inputs: names, Err: fmt.Errorf("%s depends on input %d", what, i)}
}

// set makes v input i.
func (n *node) set(i int, v *graph.Value) {
	for len(n.in) <= i {
		n.in = append(n.in, nil)
	}
	n.in[i] = v
}

// readAttributes takes over the node's attributes, those that refer to ones of
// a function with the values that they have in this call.
func (n *node) readAttributes() error {
	n.attributes = operator.Attributes{}
	list, err := n.actualAttributes()
	if err != nil {
		return err
	}
	for _, a := range list {
		v, err := n.attribute(a)
		if err != nil {
			return fmt.Errorf("attribute %q: %w", a.GetName(), err)
		}
		if _, ok := n.attributes[a.GetName()]; ok {
			return fmt.Errorf("attribute %q is given twice", a.GetName())
		}
		n.attributes[a.GetName()] = v
	}
	delete(n.attributes, "consumed_inputs") // of operators that once worked in place
	return nil
}

// actualAttributes are the attributes with references resolved.
func (n *node) actualAttributes() ([]*onnxpb.AttributeProto, error) {
	var list []*onnxpb.AttributeProto
	for _, a := range n.proto.Attribute {
		ref := a.GetRefAttrName()
		if ref == "" {
			list = append(list, a)
			continue
		}
		if n.scope.attributes == nil {
			return nil, fmt.Errorf("attribute %q refers to a function's, but this is none", a.GetName())
		}
		if actual := n.scope.attributes[ref]; actual != nil {
			list = append(list, &onnxpb.AttributeProto{
				Name: a.Name, Type: actual.Type, F: actual.F, I: actual.I, S: actual.S, T: actual.T, G: actual.G,
				Floats: actual.Floats, Ints: actual.Ints, Strings: actual.Strings,
			})
		}
	}
	return list, nil
}

func (n *node) attribute(a *onnxpb.AttributeProto) (any, error) {
	switch a.GetType() {
	case onnxpb.AttributeProto_INT:
		return a.GetI(), nil
	case onnxpb.AttributeProto_FLOAT:
		return a.GetF(), nil
	case onnxpb.AttributeProto_STRING:
		return string(a.GetS()), nil
	case onnxpb.AttributeProto_INTS:
		return append([]int64{}, a.GetInts()...), nil
	case onnxpb.AttributeProto_FLOATS:
		return append([]float32{}, a.GetFloats()...), nil
	case onnxpb.AttributeProto_STRINGS:
		list := []string{}
		for _, s := range a.GetStrings() {
			list = append(list, string(s))
		}
		return list, nil
	case onnxpb.AttributeProto_TENSOR:
		if a.T == nil {
			return nil, errors.New("it is no tensor")
		}
		return n.constantTensor(a.T, nil)
	}
	return nil, unsupportedf("attribute %q is of type %s", a.GetName(), a.GetType())
}
