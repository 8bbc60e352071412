package inference

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// expansion says that the work of one node is done within that of another: the
// pointwise convolution whose result is large, and read by nothing but a
// depthwise convolution.
type expansion struct{ expand, depthwise int } // nodes

// joinExpansions makes one step of each pair of convolutions that are best
// computed side by side. The first has nothing to do then, and its result takes
// no memory.
func joinExpansions(g *graph.Graph, l layouts, steps []*step) ([]expansion, error) {
	uses, maker := usesOf(g)
	var list []expansion
	for i, n := range g.Nodes {
		between := n.Inputs[0]
		k, ok := maker[between]
		if n.Kind != graph.Conv || !ok || g.Nodes[k].Kind != graph.Conv || uses[between] != 1 {
			continue
		}
		e := expansion{k, i}
		s, err := e.bind(g, l)
		if err != nil {
			return nil, err
		}
		if s != nil {
			// Nothing to do is a call, too, so that the step has its place in a trace.
			none := func(*memory) call { return always(func(*kernels.Workspace) {}) }
			steps[k], steps[i] = &step{kernel: none, absent: true}, s
			list = append(list, e)
		}
	}
	return list, nil
}

// usesOf returns how often each value is read, being an output of g included,
// and the node that makes it.
func usesOf(g *graph.Graph) (uses, maker map[*graph.Value]int) {
	uses, maker = make(map[*graph.Value]int), make(map[*graph.Value]int)
	for i, n := range g.Nodes {
		for _, v := range n.Inputs {
			uses[v]++
		}
		for _, v := range n.Outputs {
			maker[v] = i
		}
	}
	for _, v := range g.Outputs {
		uses[v]++
	}
	return uses, maker
}

// bind returns the work of both nodes, nil if it is not for one step.
func (e expansion) bind(g *graph.Graph, l layouts) (*step, error) {
	first, second := g.Nodes[e.expand], g.Nodes[e.depthwise]
	var shapes [2]kernels.Conv2D
	var acts [2]kernels.Activation
	for i, n := range []*graph.Node{first, second} {
		w, ok := n.Workload()
		if !ok || n.Plain() || n.Residual() != nil || l[n.Inputs[0]] != kernels.Blocked || l[n.Outputs[0]] != kernels.Blocked ||
			slices.ContainsFunc(n.Inputs[1:], func(v *graph.Value) bool { return v != nil && v.Role == graph.RoleNone }) {
			return nil, nil
		}
		act, err := activation(n.Attributes.Epilogue.Activation)
		if err != nil {
			return nil, err
		}
		shapes[i], acts[i] = convolutionShape(w), act
	}
	if !kernels.ExpansionFits(shapes[0], shapes[1]) {
		return nil, nil
	}
	s := &step{reads: first.Inputs[:1]}
	var packed *kernels.PackedExpansion
	s.pack = func() (err error) {
		packed, err = kernels.PackExpansion(shapes[0], shapes[1], first.Inputs[1].Data, data(first.Bias()), second.Inputs[1].Data, data(second.Bias()))
		return err
	}
	s.kernel = func(m *memory) call {
		dst, src := m.floats(second.Outputs[0]), m.floats(first.Inputs[0])
		return always(func(ws *kernels.Workspace) { packed.Forward(ws, dst, src, acts[0], acts[1]) })
	}
	return s, nil
}
