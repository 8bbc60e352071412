package graph

import (
	"fmt"
	"slices"
)

// Fuse returns a new graph in which each node is one pass over memory: batch
// norms are folded into the convolution or linear layer before them, residual
// additions and activations into the convolution whose result they alone use,
// and identities are gone. Values that are outputs of the graph stay. It works
// on graphs whose parameters have no Data as well, for cost alone. g is not
// changed; what is not folded is shared with it.
func Fuse(g *Graph) (*Graph, error) {
	err := g.validate()
	if err != nil {
		return nil, fmt.Errorf("fuse graph %q: %w", g.Name, err)
	}
	f := newFusion(g)
	f.pass(func(n *Node) {
		if err == nil {
			err = f.foldBatchNorm(n)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("fuse graph %q: %w", g.Name, err)
	}
	f.pass(f.joinHardSwish)
	f.pass(f.foldConstant)
	f.pass(f.fuseEpilogue)
	return &Graph{Name: g.Name, Inputs: g.Inputs, Outputs: g.Outputs, Nodes: f.nodes, Metadata: g.Metadata}, nil
}

// fusion is a graph being rewritten. A pass runs over the nodes in order and
// emits what stays, so that producers always come before their users.
type fusion struct {
	nodes    []*Node        // emitted by the last pass; private copies where changed
	producer map[*Value]int // index in nodes of what computes a value
	uses     map[*Value]int // by nodes, and once for each output of the graph
	names    map[string]bool
}

func newFusion(g *Graph) *fusion {
	f := &fusion{
		nodes:    withoutIdentities(g),
		producer: make(map[*Value]int, len(g.Nodes)),
		uses:     make(map[*Value]int, 4*len(g.Nodes)),
		names:    make(map[string]bool, 4*len(g.Nodes)),
	}
	for _, n := range f.nodes {
		for _, v := range n.Inputs {
			if v != nil {
				f.uses[v]++
				f.names[v.Name] = true
			}
		}
		for _, v := range n.Outputs {
			if v != nil {
				f.names[v.Name] = true
			}
		}
	}
	for _, v := range g.Outputs {
		f.uses[v]++
	}
	return f
}

// withoutIdentities is the graph's nodes without each Identity that computes
// no output of the graph; its users read its input.
func withoutIdentities(g *Graph) []*Node {
	input := make(map[*Value]*Value) // of the dropped, by output
	nodes := make([]*Node, 0, len(g.Nodes))
	for _, n := range g.Nodes {
		if slices.ContainsFunc(n.Inputs, func(v *Value) bool { return v != nil && input[v] != nil }) {
			copied := *n
			copied.Inputs = slices.Clone(n.Inputs)
			for i, v := range n.Inputs {
				if x := input[v]; x != nil {
					copied.Inputs[i] = x
				}
			}
			n = &copied
		}
		if n.Kind == Identity && !slices.Contains(g.Outputs, n.Outputs[0]) && n.Inputs[0].Role == RoleNone {
			input[n.Outputs[0]] = n.Inputs[0]
			continue
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// pass calls visit for all nodes; what it emits becomes the new list.
func (f *fusion) pass(visit func(n *Node)) {
	old := f.nodes
	f.nodes = make([]*Node, 0, len(old))
	clear(f.producer)
	for _, n := range old {
		visit(n)
	}
	live := f.nodes[:0]
	for _, n := range f.nodes {
		if n != nil {
			live = append(live, n)
		}
	}
	f.nodes = live
}

func (f *fusion) emit(n *Node) {
	f.nodes = append(f.nodes, n)
	for _, v := range n.Outputs {
		if v != nil {
			f.producer[v] = len(f.nodes) - 1
		}
	}
}

// before is the emitted node that computes v, nil where v is given.
func (f *fusion) before(v *Value) *Node {
	if i, ok := f.producer[v]; ok {
		return f.nodes[i]
	}
	return nil
}

// position is the place of the node that computes v, -1 where v is given.
func (f *fusion) position(v *Value) int {
	if i, ok := f.producer[v]; ok {
		return i
	}
	return -1
}

// absorb lets the node that computes v compute out instead, and returns a copy
// of that node to change. v must have no other use.
func (f *fusion) absorb(v, out *Value) *Node {
	i := f.producer[v]
	n := *f.nodes[i]
	n.Outputs = []*Value{out}
	f.nodes[i] = &n
	f.producer[out] = i
	return &n
}

// drop removes the node that computes v, which nothing reads any more.
func (f *fusion) drop(v *Value) {
	f.nodes[f.producer[v]] = nil
	delete(f.producer, v)
}
