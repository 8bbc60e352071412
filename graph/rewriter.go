package graph

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// rewriter is a graph being rewritten. A pass runs over the nodes in order,
// looks back at what computes a node's inputs, and emits what stays, so that
// producers always come before their users. Nodes and values of the graph that
// was given are never changed: what differs is a copy.
type rewriter struct {
	nodes    []*Node // emitted by this pass, then the input of the next
	producer map[*Value]*Node
	uses     map[*Value]int    // by nodes, and once for each output of the graph
	outputs  map[*Value]bool   // of the graph
	alias    map[*Value]*Value // what users of a removed value read instead
	dead     map[*Node]bool    // emitted, but no longer of use
	roles    map[roleKey]*Value
	units    map[*Value]bool // scales of ones, which another may take the place of
	names    map[string]bool // of values and nodes, those that are gone too
	changed  bool
}

// roleKey tells apart the copies of a parameter.
type roleKey struct {
	value *Value
	role  Role
}

func newRewriter(g *Graph) *rewriter {
	r := &rewriter{
		nodes:    g.Nodes,
		producer: make(map[*Value]*Node, len(g.Nodes)),
		uses:     make(map[*Value]int, 4*len(g.Nodes)),
		outputs:  make(map[*Value]bool, len(g.Outputs)),
		alias:    make(map[*Value]*Value),
		dead:     make(map[*Node]bool),
		roles:    make(map[roleKey]*Value),
		units:    make(map[*Value]bool),
		names:    make(map[string]bool, 4*len(g.Nodes)),
	}
	for _, v := range g.Inputs {
		r.names[v.Name] = true
	}
	for _, n := range g.Nodes {
		r.names[n.Name] = true
		for _, v := range n.Inputs {
			if v != nil {
				r.uses[v]++
				r.names[v.Name] = true
			}
		}
		for _, v := range n.Outputs {
			if v != nil {
				r.producer[v] = n
				r.names[v.Name] = true
			}
		}
	}
	for _, v := range g.Outputs {
		r.uses[v]++
		r.outputs[v] = true
		r.names[v.Name] = true
	}
	return r
}

// run does one pass.
func (r *rewriter) run(p *pass) error {
	if p.kinds != nil && !slices.ContainsFunc(r.nodes, func(n *Node) bool { return slices.Contains(p.kinds, n.Kind) }) {
		return nil
	}
	old := r.nodes
	r.nodes = make([]*Node, 0, len(old))
	for _, n := range old {
		n = r.resolved(n)
		done := false
		if p.kinds == nil || slices.Contains(p.kinds, n.Kind) {
			var err error
			if done, err = p.visit(r, n); err != nil {
				return err
			}
		}
		if !done {
			r.emit(n)
		}
	}
	if len(r.dead) > 0 {
		r.nodes = slices.DeleteFunc(r.nodes, func(n *Node) bool { return r.dead[n] })
		clear(r.dead)
	}
	return nil
}

// resolved is n with the inputs that took the place of removed ones.
func (r *rewriter) resolved(n *Node) *Node {
	if len(r.alias) == 0 || !slices.ContainsFunc(n.Inputs, func(v *Value) bool { return r.alias[v] != nil }) {
		return n
	}
	copied := *n
	copied.Inputs = slices.Clone(n.Inputs)
	for i, v := range n.Inputs {
		if x := r.alias[v]; x != nil {
			copied.Inputs[i] = x
		}
	}
	return &copied
}

func (r *rewriter) emit(n *Node) {
	r.nodes = append(r.nodes, n)
	for _, v := range n.Outputs {
		if v != nil {
			r.producer[v] = n
		}
	}
}

// replace emits nodes, the last of which computes the outputs of n, instead of
// n. What only n has read goes with it.
func (r *rewriter) replace(n *Node, nodes ...*Node) {
	r.changed = true
	for _, m := range nodes {
		for _, v := range m.Inputs {
			if v != nil {
				r.uses[v]++
			}
		}
		r.emit(m)
	}
	r.releaseInputs(n)
}

// forward removes n, whose one output is no output of the graph: its users
// read v instead.
func (r *rewriter) forward(n *Node, v *Value) {
	r.changed = true
	out := n.Outputs[0]
	r.alias[out] = v
	r.uses[v] += r.uses[out]
	delete(r.producer, out)
	r.releaseInputs(n)
}

func (r *rewriter) releaseInputs(n *Node) {
	for _, v := range n.Inputs {
		if v != nil {
			r.release(v)
		}
	}
}

// release ends one use of v, and of all that only it needed.
func (r *rewriter) release(v *Value) {
	r.uses[v]--
	p := r.producer[v]
	if p == nil || r.dead[p] {
		return
	}
	for _, out := range p.Outputs {
		if out != nil && r.uses[out] > 0 {
			return
		}
	}
	r.dead[p] = true
	r.releaseInputs(p)
}

// before is the node that computes v if it is of that kind, nil else.
func (r *rewriter) before(v *Value, kind Kind) *Node {
	if v == nil {
		return nil
	}
	if p := r.producer[v]; p != nil && p.Kind == kind {
		return p
	}
	return nil
}

// only is before where v has one use.
func (r *rewriter) only(v *Value, kind Kind) *Node {
	if p := r.before(v, kind); p != nil && r.uses[v] == 1 {
		return p
	}
	return nil
}

// value is a new one for a node to compute.
func (r *rewriter) value(name string, d DType, shape ...int) *Value {
	return &Value{Name: r.free(name), DType: d, Shape: shape}
}

// constant is a new one.
func (r *rewriter) constant(name string, t *operator.Tensor) *Value {
	v := &Value{Name: r.free(name), Role: RoleConstant}
	v.Fill(t)
	return v
}

// parameter is a new one; without data where that is nil.
func (r *rewriter) parameter(name string, role Role, data []float32, shape ...int) *Value {
	return &Value{Name: r.free(name), DType: F32, Shape: shape, Role: role, Data: data}
}

// as is the parameter v in another role.
func (r *rewriter) as(v *Value, role Role) *Value {
	if v.Role == role {
		return v
	}
	key := roleKey{v, role}
	if r.roles[key] == nil {
		copied := *v
		copied.Role = role
		if r.uses[v] > 1 {
			copied.Name = r.free(v.Name)
		}
		r.roles[key] = &copied
	}
	return r.roles[key]
}

// free is a name that nothing has, and takes it.
func (r *rewriter) free(name string) string {
	name = freeName(name, func(s string) bool { return r.names[s] })
	r.names[name] = true
	return name
}

// typed reports whether n is one of the kinds with attributes of their own.
func (n *Node) typed(kinds ...Kind) bool { return !n.Plain() && slices.Contains(kinds, n.Kind) }
