package inference

import (
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// memoryPlan says where each value of a graph lies.
type memoryPlan struct {
	layouts layouts
	places  map[*graph.Value]spot
	size    int // of the arena, bytes
}

// spot is a part of a buffer that starts some bytes after the buffer.
type spot struct {
	buffer *buffer
	offset int
}

// memory is an arena laid out by a plan.
type memory struct {
	*memoryPlan
	arena []byte
	gated map[*graph.Node][]float32 // weights of convolutions, made in a run
}

// data is the memory of v as its elements: the value's own data where it has a
// role, else a part of the arena.
func (m *memory) data(v *graph.Value) any {
	s, ok := m.places[v]
	if !ok {
		if t := v.Tensor(); t != nil {
			return t.Data
		}
		return operator.Make(v.DType, 0)
	}
	start := s.buffer.offset + s.offset
	end := start + m.layouts.bytes(v)
	return view(v.DType, m.arena[start:end:end])
}

// floats is the memory of a value of single precision, nil where there is no
// value.
func (m *memory) floats(v *graph.Value) []float32 {
	if v == nil {
		return nil
	}
	return m.data(v).([]float32)
}

// tensor is the memory of v with its type, nil where there is no value. In
// blocks of channels it has one dimension.
func (m *memory) tensor(v *graph.Value) *operator.Tensor {
	if v == nil {
		return nil
	}
	t := &operator.Tensor{DType: v.DType, Shape: v.Shape, Data: m.data(v)}
	if n := m.layouts.elements(v); n != v.Elements() {
		t.Shape = []int{n}
	}
	return t
}

func (m *memory) tensors(values []*graph.Value) []*operator.Tensor {
	list := make([]*operator.Tensor, len(values))
	for i, v := range values {
		list[i] = m.tensor(v)
	}
	return list
}

// planMemory lays out all values that g computes or is given; steps are the
// work of its nodes. A value's buffer is in use from the step that writes it to
// the last that reads it; inputs and outputs of the graph stay until after the
// last step. Values that are the same elements in another shape share a buffer,
// and so do input and output of a step that may work in place.
func planMemory(g *graph.Graph, l layouts, steps []*step) *memoryPlan {
	m := &memoryPlan{layouts: l, places: make(map[*graph.Value]spot)}
	var all []*buffer
	add := func(v *graph.Value, step int) {
		b := &buffer{size: l.bytes(v), first: step, last: step}
		if step >= 0 && steps[step].absent {
			b.size = 0
		}
		m.places[v] = spot{buffer: b}
		all = append(all, b)
	}
	lastUse := lastUses(g, steps)
	for _, v := range g.Inputs {
		add(v, -1)
		m.places[v].buffer.last = len(g.Nodes)
	}
	joined := m.joinedValues(g, steps)
	for i, n := range g.Nodes {
		for j, out := range n.Outputs {
			if out == nil {
				continue
			}
			part, isPart := joined[out]
			if s, ok := m.shared(n, j, steps[i], i); ok && (!isPart || steps[i].views != nil) {
				m.places[out] = s
			} else if isPart {
				whole, ok := m.places[part.whole]
				if !ok {
					add(part.whole, i)
					whole = m.places[part.whole]
					whole.buffer.last = max(i, lastUse[part.whole])
				}
				m.places[out] = spot{whole.buffer, part.offset}
			} else if _, ok := m.places[out]; !ok {
				add(out, i)
			}
			b := m.places[out].buffer
			b.last = max(b.last, i, lastUse[out])
		}
	}
	m.size = place(all)
	return m
}

// part is where a value lies in one that it is joined to others in.
type part struct {
	whole  *graph.Value
	offset int // bytes
}

// joinedValues are the values that can be written right into the result of a
// node that joins them to others.
func (m *memoryPlan) joinedValues(g *graph.Graph, steps []*step) map[*graph.Value]part {
	computed := make(map[*graph.Value]bool)
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			computed[v] = true
		}
	}
	joined := make(map[*graph.Value]part)
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		if !steps[i].joins {
			continue
		}
		n := g.Nodes[i]
		at := part{whole: n.Outputs[0]}
		if p, ok := joined[n.Outputs[0]]; ok {
			at = p
		}
		for _, v := range n.Inputs {
			if _, taken := joined[v]; computed[v] && !taken && at.offset%alignment == 0 && v != at.whole {
				joined[v] = at
			}
			at.offset += m.layouts.bytes(v)
		}
	}
	return joined
}

// lastUses returns for each value that is read the last step that reads it;
// outputs of the graph are read after the last node.
func lastUses(g *graph.Graph, steps []*step) map[*graph.Value]int {
	last := make(map[*graph.Value]int)
	for i, n := range g.Nodes {
		for _, v := range steps[i].reads {
			last[v] = i
		}
		for _, v := range n.Inputs {
			if v != nil {
				last[v] = i
			}
		}
	}
	for _, v := range g.Outputs {
		last[v] = len(g.Nodes)
	}
	return last
}

// shared returns where the j-th output of n, the node of step number i, may lie
// in memory that one of its inputs has.
func (m *memoryPlan) shared(n *graph.Node, j int, s *step, i int) (spot, bool) {
	out := n.Outputs[j]
	if s.views != nil {
		at, ok := m.places[n.Inputs[0]]
		at.offset += s.views[j]
		return at, ok
	}
	for _, k := range s.inPlace {
		v := n.Inputs[k]
		at, ok := m.places[v]
		if j > 0 || !ok || at.buffer.last != i || m.layouts.bytes(v) != m.layouts.bytes(out) || m.layouts[v] != m.layouts[out] {
			continue
		}
		if !m.readElsewhere(n, k) {
			return at, true
		}
	}
	return spot{}, false
}

// readElsewhere reports whether n also reads the memory of its k-th input as
// another input, element by element in another order.
func (m *memoryPlan) readElsewhere(n *graph.Node, k int) bool {
	at := m.places[n.Inputs[k]]
	for i, v := range n.Inputs {
		if i == k || v == nil || m.places[v].buffer != at.buffer {
			continue
		}
		if m.places[v] != at || v.Elements() != n.Inputs[k].Elements() || i == 0 && windowed(n) {
			return true
		}
	}
	return false
}

// windowed reports whether each output element of n depends on many elements of
// its first input.
func windowed(n *graph.Node) bool { return n.Kind == graph.Conv || n.Kind == graph.Linear }

// checkLimit reports an arena that is larger than allowed.
func (m *memoryPlan) checkLimit(limit int64) error {
	if int64(m.size) > limit {
		return fmt.Errorf("its tensors take %d bytes, which is more than the limit of %d: use smaller inputs or raise the limit", m.size, limit)
	}
	return nil
}

// naiveBytes is the sum of all tensors that are not parameters.
func naiveBytes(g *graph.Graph) int64 {
	var bytes int64
	add := func(values []*graph.Value) {
		for _, v := range values {
			if v != nil {
				bytes += int64(v.Elements()) * v.DType.Size()
			}
		}
	}
	add(g.Inputs)
	for _, n := range g.Nodes {
		add(n.Outputs)
	}
	return bytes
}
