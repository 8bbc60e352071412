package onnx

import (
	"errors"
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
)

func functionKey(dom, name, overload string) string {
	return domain(dom) + "\x00" + name + "\x00" + overload
}

// enter and leave keep functions and branches from going on in each other for
// ever.
func (d *decoder) enter() error {
	if d.depth++; d.depth > maxDepth {
		return fmt.Errorf("functions or branches are more than %d deep in each other", maxDepth)
	}
	return nil
}

func (d *decoder) leave() { d.depth-- }

// inline reads the nodes of a function in place of a call of it.
func (n *node) inline(f *onnxpb.FunctionProto) error {
	if err := n.enter(); err != nil {
		return err
	}
	defer n.leave()
	if len(n.proto.Input) > len(f.Input) || len(n.proto.Output) > len(f.Output) {
		return fmt.Errorf("%d inputs and %d outputs, but the function has %d and %d",
			len(n.proto.Input), len(n.proto.Output), len(f.Input), len(f.Output))
	}
	s := newScope(nil, opsets(f.OpsetImport))
	s.prefix = n.name + "/"
	s.attributes = make(map[string]*onnxpb.AttributeProto)
	for _, a := range f.AttributeProto {
		s.attributes[a.GetName()] = a
	}
	actual, err := n.actualAttributes()
	if err != nil {
		return err
	}
	for _, a := range actual {
		s.attributes[a.GetName()] = a
	}
	for i, name := range f.Input {
		y := symbol{absent: true}
		if n.has(i) {
			y = symbol{value: n.in[i]}
		} else if i < len(n.lists) && n.lists[i] != nil {
			y = *n.lists[i]
		}
		if err := s.define(name, y); err != nil {
			return err
		}
	}
	return n.body(s, f.Node, f.Output)
}

// branch reads the branch of an If that is taken always.
func (n *node) branch() error {
	if !n.has(0) {
		return errors.New("input 0 is missing")
	}
	condition := n.in[0].Tensor()
	if condition == nil {
		return n.mustBeConstant(0, "its condition")
	}
	flags, ok := condition.Data.([]bool)
	if !ok || len(flags) != 1 {
		return fmt.Errorf("its condition is a tensor of type %s and shape %v, want one bool", condition.DType, condition.Shape)
	}
	name := "else_branch"
	if flags[0] {
		name = "then_branch"
	}
	actual, err := n.actualAttributes()
	if err != nil {
		return err
	}
	var p *onnxpb.GraphProto
	for _, a := range actual {
		if a.GetName() == name {
			p = a.GetG()
		}
	}
	if p == nil {
		return fmt.Errorf("attribute %q is missing", name)
	}
	if len(p.Input) > 0 || len(p.Output) < len(n.proto.Output) {
		return fmt.Errorf("its %s has %d inputs and %d outputs, want 0 and %d", name, len(p.Input), len(p.Output), len(n.proto.Output))
	}
	if len(p.SparseInitializer) > 0 {
		return unsupportedf("sparse initializers")
	}
	if err := n.enter(); err != nil {
		return err
	}
	defer n.leave()
	s := newScope(n.scope, n.scope.opsets)
	if err := s.initialize(p.Initializer, nil); err != nil {
		return err
	}
	outputs := make([]string, len(p.Output))
	for i, out := range p.Output {
		outputs[i] = out.GetName()
	}
	return n.body(s, p.Node, outputs)
}

// body reads the nodes that stand for n, whose outputs have the names given
// in s.
func (n *node) body(s *scope, nodes []*onnxpb.NodeProto, outputs []string) error {
	n.nameOutputs()
	s.use(nodes)
	defined := make(map[string]bool)
	for _, p := range nodes {
		for _, name := range p.Output {
			defined[name] = true
		}
	}
	for i, name := range n.out {
		inner := outputs[i]
		s.used[inner] = true
		if _, ok := s.renamed[inner]; !ok && name != "" && defined[inner] {
			s.renamed[inner] = name
		}
	}
	for _, p := range nodes {
		if err := n.decoder.node(p, s); err != nil {
			return err
		}
	}
	results := make([]symbol, len(n.out))
	for i, name := range n.out {
		if name == "" {
			continue
		}
		y, ok, err := n.lookup(outputs[i], s)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("nothing in it computes its output %q", outputs[i])
		}
		if results[i], err = n.named(y, name); err != nil {
			return err
		}
	}
	return n.becomeSymbols(results)
}

// named is y under a name: what only passes through a body needs one of its own.
func (n *node) named(y symbol, name string) (symbol, error) {
	if y.value == nil || y.value.Name == name {
		return y, nil
	}
	same, err := n.emit(n.name+".same", "Identity", nil, []*graph.Value{y.value}, []string{name})
	if err != nil {
		return y, err
	}
	return symbol{value: same[0]}, nil
}
