// Package inference runs neural networks: it compiles a [graph.Graph] into a
// [Plan], whose weights are packed once for the kernels and whose tensors
// share one memory arena, and runs the plan on one thread. A run allocates
// nothing, and a traced run tells how long each workload took.
package inference

import (
	"fmt"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// Plan is a graph ready to run. It is not safe for concurrent use.
type Plan struct {
	steps           []step
	inputs, outputs [][]float32
	workspace       kernels.Workspace
	arena, naive    int64 // bytes
}

// step is one kernel call.
type step struct {
	name     string
	workload graph.Workload
	exec     func(*kernels.Workspace)
}

// Compile fuses g, packs its weights and plans its memory. All parameters of
// g must have data; g is not changed, and later changes to its data may or may
// not show in the plan.
func Compile(g *graph.Graph) (*Plan, error) { return compileFused(g, false) }

// CompilePart is [Compile] for a part of a network, to be timed by itself:
// its inputs and outputs have the layout that they would have within the
// network, which is padded and in another order than the values.
func CompilePart(g *graph.Graph) (*Plan, error) { return compileFused(g, true) }

func compileFused(g *graph.Graph, free bool) (*Plan, error) {
	if err := g.Validate(); err != nil {
		return nil, fmt.Errorf("inference: %w", err)
	}
	if err := checkData(g); err != nil {
		return nil, fmt.Errorf("inference: graph %q: %w", g.Name, err)
	}
	fused, err := graph.Fuse(g)
	if err != nil {
		return nil, fmt.Errorf("inference: %w", err)
	}
	p, err := compile(fused, free)
	if err != nil {
		return nil, fmt.Errorf("inference: graph %q: %w", g.Name, err)
	}
	return p, nil
}

// compile plans a graph as it is.
func compile(g *graph.Graph, free bool) (*Plan, error) {
	g, l := arrange(g, free)
	m := planMemory(g, l)
	p := &Plan{
		arena:   int64(len(m.arena)) * 4,
		naive:   naiveBytes(g),
		inputs:  make([][]float32, len(g.Inputs)),
		outputs: make([][]float32, len(g.Outputs)),
	}
	for i, v := range g.Inputs {
		p.inputs[i] = m.slice(v)
	}
	for i, v := range g.Outputs {
		p.outputs[i] = m.slice(v)
	}
	// A conversion counts as work of the step that wants it, or, at the end, of
	// the last.
	var conversions []func(*kernels.Workspace)
	for _, n := range g.Nodes {
		if sharesInput(n.Kind) {
			continue
		}
		if n.Kind == conversion {
			v := n.Inputs[0]
			conversions = append(conversions, bindConversion(v, l[v], m.slice(n.Outputs[0]), m.slice(v)))
			continue
		}
		w, ok := n.Workload()
		if !ok {
			return nil, fmt.Errorf("node %q: operator %s is not supported", n.Name, n.Kind)
		}
		exec, err := bind(n, w, m)
		if err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", n.Name, n.Kind, err)
		}
		p.steps = append(p.steps, step{name: n.Name, workload: w, exec: inOrder(append(conversions, exec))})
		conversions = nil
	}
	if last := len(p.steps) - 1; last >= 0 && len(conversions) > 0 {
		p.steps[last].exec = inOrder(append([]func(*kernels.Workspace){p.steps[last].exec}, conversions...))
	}
	return p, nil
}

// inOrder returns a function that calls all of calls.
func inOrder(calls []func(*kernels.Workspace)) func(*kernels.Workspace) {
	if len(calls) == 1 {
		return calls[0]
	}
	return func(ws *kernels.Workspace) {
		for _, call := range calls {
			call(ws)
		}
	}
}

// checkData reports parameters that are not filled.
func checkData(g *graph.Graph) error {
	first, missing := "", 0
	for _, v := range g.Parameters() {
		if v.Data == nil {
			if missing++; first == "" {
				first = v.Name
			}
		}
	}
	switch {
	case missing > 1:
		return fmt.Errorf("parameter %q and %d others have no data: fill the weights before compiling", first, missing-1)
	case missing == 1:
		return fmt.Errorf("parameter %q has no data: fill the weights before compiling", first)
	}
	return nil
}

// Inputs are the graph's inputs, in its order, row major. Write them before
// Run; they keep their values over runs.
func (p *Plan) Inputs() [][]float32 { return p.inputs }

// Outputs are the graph's outputs, in its order, row major. They are valid
// from the end of one Run to the start of the next.
func (p *Plan) Outputs() [][]float32 { return p.outputs }

// Run computes the outputs from the inputs. From the second call on it
// allocates nothing.
func (p *Plan) Run() {
	for i := range p.steps {
		p.steps[i].exec(&p.workspace)
	}
}

// Step is one workload of a traced run.
type Step struct {
	Name     string // of the node
	Workload graph.Workload
	NS       int64
}

// Trace runs once and returns the time of each workload, in execution order.
func (p *Plan) Trace() []Step {
	trace := make([]Step, len(p.steps))
	last := time.Now()
	for i := range p.steps {
		s := &p.steps[i]
		s.exec(&p.workspace)
		now := time.Now()
		trace[i] = Step{Name: s.name, Workload: s.workload, NS: now.Sub(last).Nanoseconds()}
		last = now
	}
	return trace
}

// Workloads are what Run computes, in execution order.
func (p *Plan) Workloads() []graph.Workload {
	list := make([]graph.Workload, len(p.steps))
	for i := range p.steps {
		list[i] = p.steps[i].workload
	}
	return list
}

// ArenaBytes is the size of the memory that inputs, outputs and all tensors
// between them share.
func (p *Plan) ArenaBytes() int64 { return p.arena }

// NaiveBytes is what the same tensors take with memory of their own each.
func (p *Plan) NaiveBytes() int64 { return p.naive }
