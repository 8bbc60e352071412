package graph

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// survey is what is known of a graph once it is checked.
type survey struct {
	names  map[string]struct{} // of values
	nodes  map[string]struct{} // names of nodes
	values map[*Value]*usage
	usages []usage // for values to come, so that each needs no allocation
}

// usage is how a value is used.
type usage struct {
	producer *Node // nil where none computes it
	uses     int   // by nodes, and once for each output of the graph
	output   bool  // of the graph
}

// clear forgets a graph.
func (s *survey) clear() {
	clear(s.names)
	clear(s.nodes)
	clear(s.values)
	clear(s.usages)
	s.usages = s.usages[:0]
}

// of is the usage of v, which begins with none.
func (s *survey) of(v *Value) *usage {
	if u := s.values[v]; u != nil {
		return u
	}
	return s.add(v)
}

// add is the usage of a value that has none yet.
func (s *survey) add(v *Value) *usage {
	if len(s.usages) == cap(s.usages) {
		s.usages = make([]usage, 0, max(64, 2*cap(s.usages))) // the values have those of before
	}
	s.usages = append(s.usages, usage{})
	u := &s.usages[len(s.usages)-1]
	s.values[v] = u
	return u
}

// take reports whether nothing in the set has the name yet, and adds it.
func take(names map[string]struct{}, name string) bool {
	before := len(names)
	names[name] = struct{}{}
	return len(names) > before
}

// define adds a value.
func (s *survey) define(v *Value) (*usage, error) {
	switch {
	case v == nil:
		return nil, errors.New("a value is nil")
	case v.Name == "":
		return nil, errors.New("a value has no name")
	case !take(s.names, v.Name):
		return nil, fmt.Errorf("value %q is defined twice", v.Name)
	}
	return s.add(v), checkValue(v)
}

// read is the usage of a value that exists, or that is given and read here for
// the first time; nil where it is not defined.
func (s *survey) read(v *Value) (*usage, error) {
	if u := s.values[v]; u != nil || v == nil || v.Role == RoleNone {
		return u, nil
	}
	if v.Name == "" {
		return s.define(v)
	}
	if !take(s.names, v.Name) {
		return nil, nil
	}
	return s.add(v), checkValue(v)
}

// graph does what Validate says.
func (s *survey) graph(g *Graph) error {
	if len(g.Outputs) == 0 {
		return errors.New("it needs an output")
	}
	for _, v := range g.Inputs {
		if _, err := s.define(v); err != nil {
			return err
		}
		if v.Role != RoleNone {
			return fmt.Errorf("input %q has role %q", v.Name, v.Role)
		}
	}
	for i, n := range g.Nodes {
		switch {
		case n == nil:
			return fmt.Errorf("node %d is nil", i)
		case n.Name == "":
			return fmt.Errorf("node %d (%s) has no name", i, n.Kind)
		case !take(s.nodes, n.Name):
			return fmt.Errorf("two nodes are named %q", n.Name)
		}
		if err := s.node(n); err != nil {
			return err
		}
	}
	for _, v := range g.Outputs {
		u, err := s.read(v)
		if err != nil {
			return err
		}
		if u == nil {
			return fmt.Errorf("output %s is not defined", nameOf(v))
		}
		u.uses++
		u.output = true
	}
	return nil
}

// node checks a node's inputs, and defines its outputs.
func (s *survey) node(n *Node) error {
	for _, v := range n.Inputs {
		if v == nil && n.Plain() {
			continue
		}
		u, err := s.read(v)
		if err != nil {
			return err
		}
		if u == nil {
			return fmt.Errorf("node %q (%s) reads a value that is not defined before it: %s", n.Name, n.Kind, nameOf(v))
		}
		u.uses++
	}
	var one [1]operator.Type
	types, err := n.outputTypes(one[:])
	if err != nil {
		return err
	}
	for i, out := range n.Outputs {
		if out == nil {
			continue
		}
		if out.Role != RoleNone {
			return fmt.Errorf("node %q (%s): its output has role %q", n.Name, n.Kind, out.Role)
		}
		if t := types[i]; out.DType != t.DType || !slices.Equal(t.Shape, out.Shape) {
			return fmt.Errorf("node %q (%s): output %q is %s %v, but the inputs give %s %v",
				n.Name, n.Kind, out.Name, out.DType, out.Shape, t.DType, t.Shape)
		}
		u, err := s.define(out)
		if err != nil {
			return err
		}
		u.producer = n
	}
	return nil
}

func nameOf(v *Value) string {
	if v == nil {
		return "nil"
	}
	return fmt.Sprintf("%q", v.Name)
}

func checkValue(v *Value) error {
	if v.DType.Size() == 0 {
		return fmt.Errorf("value %q: unknown element type %q", v.Name, v.DType)
	}
	if err := operator.CheckShape(v.Shape); err != nil {
		return fmt.Errorf("value %q: %w", v.Name, err)
	}
	if v.Data != nil && (v.DType != F32 || v.Typed != nil) {
		return fmt.Errorf("value %q: it is of type %s but has data of type %s", v.Name, v.DType, F32)
	}
	if t := v.Tensor(); t != nil {
		if err := t.Check(); err != nil {
			return fmt.Errorf("value %q: %w", v.Name, err)
		}
	}
	return nil
}
