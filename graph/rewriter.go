package graph

import (
	"slices"
	"sync"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// rewriter is a graph being rewritten. A pass runs over the nodes in order,
// looks back at what computes a node's inputs, and emits what stays, so that
// producers always come before their users. Nodes and values of the graph that
// was given are never changed: what differs is a copy.
type rewriter struct {
	survey             // kept up to date; its names are those of what is gone too
	nodes    []visited // emitted by this pass, then the input of the next
	spare    []visited // of the pass before, to write into
	visiting visiting
	present  interest          // of the passes in all nodes
	alias    map[*Value]*Value // what users of a value that this pass removed read instead
	dead     map[*Node]bool    // emitted, but no longer of use
	roles    map[roleKey]*Value
	units    map[*Value]bool // scales of ones, which another may take the place of

	freshNodes  slab[Node]
	gone        []*Node // made by passes and removed by others, for reuse
	freshValues slab[Value]
	freshLists  slab[*Value]
}

// visited is a node with the interest in it.
type visited struct {
	*Node
	interest
	own bool // made by a pass
}

// passSet has a bit for each pass.
type passSet uint32

// interest is the passes that visit a node, and those that need one like it.
type interest struct{ visited, needed passSet }

// visiting is the interest in the nodes of each kind: of all that it does not
// name the same.
type visiting struct {
	all   interest
	kinds map[Kind]interest
}

func (v *visiting) of(kind Kind) interest {
	if in, ok := v.kinds[kind]; ok {
		return in
	}
	return v.all
}

// roleKey tells apart the copies of a parameter.
type roleKey struct {
	value *Value
	role  Role
}

// rewriters are kept for reuse, as a search fuses one graph after the other.
var rewriters = sync.Pool{New: func() any {
	return &rewriter{
		survey: survey{names: make(map[string]struct{}), nodes: make(map[string]struct{}), values: make(map[*Value]*usage)},
		alias:  make(map[*Value]*Value), dead: make(map[*Node]bool), roles: make(map[roleKey]*Value), units: make(map[*Value]bool),
	}
}}

// newRewriter checks a graph and begins to rewrite it.
func newRewriter(g *Graph) (*rewriter, error) {
	r := rewriters.Get().(*rewriter)
	if err := r.survey.graph(g); err != nil {
		r.done()
		return nil, err
	}
	return r, nil
}

// maxKept bounds the values of a graph whose rewriter is kept.
const maxKept = 1 << 13

// done gives the rewriter back. What it has made stays as it is.
func (r *rewriter) done() {
	if len(r.values) > maxKept {
		return
	}
	r.survey.clear()
	clear(r.alias)
	clear(r.dead)
	clear(r.roles)
	clear(r.units)
	for _, list := range [][]visited{r.nodes, r.spare} {
		clear(list[:cap(list)])
	}
	r.nodes, r.spare, r.gone = r.nodes[:0], r.spare[:0], nil
	r.freshNodes, r.freshValues, r.freshLists = slab[Node]{}, slab[Value]{}, slab[*Value]{}
	rewriters.Put(r)
}

// begin puts the nodes of a graph where passes find them.
func (r *rewriter) begin(g *Graph, v visiting) {
	r.visiting, r.present = v, interest{}
	for _, n := range g.Nodes {
		r.keep(visited{Node: n, interest: v.of(n.Kind)})
	}
}

// keep appends a node.
func (r *rewriter) keep(n visited) {
	r.nodes = append(r.nodes, n)
	r.present.visited |= n.interest.visited
	r.present.needed |= n.interest.needed
}

// run does pass i, unless the graph has nothing for it.
func (r *rewriter) run(i int, visit func(r *rewriter, n *Node) (bool, error)) error {
	pass := passSet(1) << i
	if r.present.visited&r.present.needed&pass == 0 {
		return nil
	}
	old := r.nodes
	r.nodes, r.present = r.spare[:0], interest{}
	for _, n := range old {
		if m := r.resolved(n.Node); m != n.Node {
			n.Node, n.own = m, true
			r.produce(m)
		}
		if n.interest.visited&pass != 0 {
			if done, err := visit(r, n.Node); err != nil {
				return err
			} else if done {
				continue
			}
		}
		r.keep(n)
	}
	r.spare = old
	clear(r.alias) // nothing reads what it is for any more
	r.removeDead()
	return nil
}

// removeDead removes emitted nodes that have become of no use.
func (r *rewriter) removeDead() {
	if len(r.dead) > 0 {
		r.nodes = slices.DeleteFunc(r.nodes, func(n visited) bool {
			if !r.dead[n.Node] {
				return false
			}
			if n.own {
				r.gone = append(r.gone, n.Node)
			}
			return true
		})
		clear(r.dead)
	}
}

// result is the nodes that are left.
func (r *rewriter) result() []*Node {
	nodes := make([]*Node, len(r.nodes))
	for i, n := range r.nodes {
		nodes[i] = n.Node
	}
	return nodes
}

// resolved is n with the inputs that took the place of removed ones.
func (r *rewriter) resolved(n *Node) *Node {
	if len(r.alias) == 0 || !slices.ContainsFunc(n.Inputs, func(v *Value) bool { return r.alias[v] != nil }) {
		return n
	}
	copied := r.copyOf(n)
	copied.Inputs = r.list(n.Inputs)
	for i, v := range n.Inputs {
		if x := r.alias[v]; x != nil {
			copied.Inputs[i] = x
		}
	}
	return copied
}

// emit adds a node that a pass has made.
func (r *rewriter) emit(n *Node) {
	r.keep(visited{n, r.visiting.of(n.Kind), true})
	r.produce(n)
}

func (r *rewriter) produce(n *Node) {
	for _, v := range n.Outputs {
		if v != nil {
			r.of(v).producer = n
		}
	}
}

// producer is the node that computes v; nil where none does.
func (r *rewriter) producer(v *Value) *Node {
	if u := r.values[v]; u != nil {
		return u.producer
	}
	return nil
}

// sole is the node that computes v for one user alone; nil where none does.
func (r *rewriter) sole(v *Value) *Node {
	if u := r.values[v]; u != nil && u.uses == 1 {
		return u.producer
	}
	return nil
}

// uses is how many nodes read v, and outputs of the graph are it.
func (r *rewriter) uses(v *Value) int {
	if u := r.values[v]; u != nil {
		return u.uses
	}
	return 0
}

// outputs reports whether v is an output of the graph.
func (r *rewriter) outputs(v *Value) bool {
	u := r.values[v]
	return u != nil && u.output
}

// replace emits nodes, the last of which computes the outputs of n, instead of
// n. What only n has read goes with it.
func (r *rewriter) replace(n *Node, nodes ...*Node) {
	for _, m := range nodes {
		for _, v := range m.Inputs {
			if v != nil {
				r.of(v).uses++
			}
		}
		r.emit(m)
	}
	r.releaseInputs(n)
}

// forward removes n, whose one output is no output of the graph: its users
// read v instead.
func (r *rewriter) forward(n *Node, v *Value) {
	r.replaceValue(n.Outputs[0], v)
	r.releaseInputs(n)
}

// replaceValue lets the users of out, which goes, read v instead.
func (r *rewriter) replaceValue(out, v *Value) {
	r.alias[out] = v
	gone := r.of(out)
	r.of(v).uses += gone.uses
	gone.producer = nil
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
	u := r.of(v)
	u.uses--
	p := u.producer
	if p == nil || r.dead[p] {
		return
	}
	for _, out := range p.Outputs {
		if out != nil && r.uses(out) > 0 {
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
	if p := r.producer(v); p != nil && p.Kind == kind {
		return p
	}
	return nil
}

// only is before where v has one use.
func (r *rewriter) only(v *Value, kind Kind) *Node {
	if p := r.sole(v); p != nil && p.Kind == kind {
		return p
	}
	return nil
}

// slab hands out memory for many things at once.
type slab[T any] struct{ left []T }

// slabSize is how many things memory is got for.
const slabSize = 32

func (s *slab[T]) take(n int) []T {
	if len(s.left) < n {
		s.left = make([]T, max(n, slabSize))
	}
	things := s.left[:n:n]
	s.left = s.left[n:]
	return things
}

func (s *slab[T]) one() *T { return &s.take(1)[0] }

// node is a new one.
func (r *rewriter) node(name string, kind Kind, inputs, outputs []*Value) *Node {
	n := r.blank()
	*n = Node{Name: name, Kind: kind, Inputs: inputs, Outputs: outputs}
	return n
}

// reshape is a new node that gives x the shape of y, as y.
func (r *rewriter) reshape(name string, x, y *Value) *Node {
	n := r.node(name, Reshape, r.list(nil, x), r.list(nil, y))
	n.Attributes.Shape = y.Shape
	return n
}

// copyOf is a node like n, to change.
func (r *rewriter) copyOf(n *Node) *Node {
	m := r.blank()
	*m = *n
	return m
}

// blank is a node to be written.
func (r *rewriter) blank() *Node {
	if last := len(r.gone) - 1; last >= 0 {
		n := r.gone[last]
		r.gone = r.gone[:last]
		return n
	}
	return r.freshNodes.one()
}

// list is a new one of the values and more.
func (r *rewriter) list(values []*Value, more ...*Value) []*Value {
	list := r.freshLists.take(len(values) + len(more))
	copy(list[copy(list, values):], more)
	return list
}

// value is a new one for a node to compute.
func (r *rewriter) value(name string, d DType, shape ...int) *Value {
	v := r.freshValues.one()
	v.Name, v.DType, v.Shape = r.free(name), d, shape
	return v
}

// constant is a new one.
func (r *rewriter) constant(name string, t *operator.Tensor) *Value {
	v := &Value{Name: r.free(name), Role: RoleConstant}
	v.Fill(t)
	return v
}

// parameter is a new one; without data where that is nil.
func (r *rewriter) parameter(name string, role Role, data []float32, shape ...int) *Value {
	v := r.value(name, F32, shape...)
	v.Role, v.Data = role, data
	return v
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
		if r.uses(v) > 1 {
			copied.Name = r.free(v.Name)
		}
		r.roles[key] = &copied
	}
	return r.roles[key]
}

// free is a name that nothing has, and takes it.
func (r *rewriter) free(name string) string {
	name = freeName(name, func(s string) bool {
		_, value := r.survey.names[s]
		_, node := r.survey.nodes[s]
		return value || node
	})
	r.names[name] = struct{}{}
	return name
}

// typed reports whether n is one of the kinds with attributes of their own.
func (n *Node) typed(kinds ...Kind) bool { return !n.Plain() && slices.Contains(kinds, n.Kind) }
