package inference

import "github.com/hwprofd/hwprofd/graph"

// memory says where each value of a graph lies.
type memory struct {
	layouts layouts
	arena   []float32
	buffers map[*graph.Value]*buffer
}

// slice is the memory of v: its own data where it has a role, else a part of
// the arena.
func (m *memory) slice(v *graph.Value) []float32 {
	b, ok := m.buffers[v]
	if !ok {
		return v.Data
	}
	end := b.offset + m.layouts.elements(v)
	return m.arena[b.offset:end:end]
}

// planMemory lays out all values that g computes or is given. A value's buffer
// is in use from the step that writes it to the last that reads it; inputs and
// outputs of the graph stay until after the last step. Values that are the
// same elements in another shape share a buffer, and so do input and output of
// an operator that may work in place.
func planMemory(g *graph.Graph, l layouts) *memory {
	m := &memory{layouts: l, buffers: make(map[*graph.Value]*buffer)}
	var all []*buffer
	add := func(v *graph.Value, step int) {
		b := &buffer{size: l.elements(v), first: step, last: step}
		m.buffers[v] = b
		all = append(all, b)
	}
	lastUse := lastUses(g)
	for _, v := range g.Inputs {
		add(v, -1)
		m.buffers[v].last = len(g.Nodes)
	}
	for i, n := range g.Nodes {
		out := n.Outputs[0]
		shared := m.sharedInput(n, i)
		if shared == nil {
			add(out, i)
		} else {
			m.buffers[out] = shared
		}
		b := m.buffers[out]
		b.last = max(b.last, lastUse[out])
	}
	m.arena = alignedSlice(place(all))
	return m
}

// lastUses returns for each value that is read the last step that reads it;
// outputs of the graph are read after the last node.
func lastUses(g *graph.Graph) map[*graph.Value]int {
	last := make(map[*graph.Value]int)
	for i, n := range g.Nodes {
		for _, v := range n.Inputs {
			last[v] = i
		}
	}
	for _, v := range g.Outputs {
		last[v] = len(g.Nodes)
	}
	return last
}

// sharedInput returns the buffer of an input that the output of n, the node of
// the given step, may have too, or nil.
func (m *memory) sharedInput(n *graph.Node, step int) *buffer {
	for _, v := range n.Inputs {
		b := m.buffers[v]
		switch {
		case b == nil:
		case sharesInput(n.Kind):
			return b
		case m.worksInPlace(n, v) && b.last == step:
			return b
		}
	}
	return nil
}

// sharesInput reports whether nodes of this kind only rename their input's
// elements.
func sharesInput(k graph.Kind) bool {
	return k == graph.Flatten || k == graph.Reshape || k == graph.Identity
}

// worksInPlace reports whether n may write its output over its input v, if
// nothing reads v later: each output element must depend on that of the same
// index in v only.
func (m *memory) worksInPlace(n *graph.Node, v *graph.Value) bool {
	if v.Elements() != n.Outputs[0].Elements() || m.layouts[v] != m.layouts[n.Outputs[0]] {
		return false
	}
	switch n.Kind {
	case graph.Relu, graph.Relu6, graph.HardSwish, graph.HardSigmoid, graph.Sigmoid, graph.Add, graph.Mul:
		return true
	case graph.Conv: // over the residual, unless that is what is convolved
		return v == n.Residual() && m.buffers[v] != m.buffers[n.Inputs[0]]
	}
	return false
}

// naiveBytes is the sum of all tensors that are not parameters.
func naiveBytes(g *graph.Graph) int64 {
	var elements int64
	for _, v := range g.Inputs {
		elements += int64(v.Elements())
	}
	for _, n := range g.Nodes {
		elements += int64(n.Outputs[0].Elements())
	}
	return elements * 4
}
