package inference

import (
	"time"

	"github.com/hwprofd/hwprofd/graph"
)

// Step is one node of a traced run.
type Step struct {
	Name     string // of the node
	Kind     graph.Kind
	Workload graph.Workload // zero for an operator that is none
	Kernel   bool           // false where package operator computes it
	NS       int64
	MACs     int64
	Bytes    int64 // of the tensors that it reads and writes, weights included
	// Algorithm names that of a convolution, unless it is computed together with
	// another node, and Why says the reason for it.
	Algorithm, Why string
}

// GFLOPS is the rate of the step's multiply-accumulates, two operations each.
func (s Step) GFLOPS() float64 {
	if s.NS == 0 {
		return 0
	}
	return 2 * float64(s.MACs) / float64(s.NS)
}

// timedStep is one or more calls that count as one step.
type timedStep struct {
	name      string
	kind      graph.Kind
	workload  graph.Workload
	reference bool
	macs      int64
	bytes     int64
	calls     int
	// expansion, unless nil, is the step before whose work is done in this one.
	expansion *int
	decision  decision
}

// time says which calls make which steps of a trace. A conversion counts as
// work of the step that wants it, or, at the end, of the last.
func (p *program) time(expansions []expansion) {
	calls := 0
	timed := make(map[int]int) // of nodes
	for i, n := range p.graph.Nodes {
		if p.steps[i].kernel == nil {
			continue
		}
		calls++
		if n.Kind == conversion {
			continue
		}
		t := timedStep{name: n.Name, kind: n.Kind, calls: calls, reference: p.steps[i].reference, decision: p.decisions[n]}
		if w, ok := n.Workload(); ok {
			t.workload, t.macs, t.bytes = w, w.MACs(), w.Bytes()
		} else {
			t.macs, t.bytes = macs(n), bytesOf(n)
		}
		timed[i] = len(p.timed)
		for _, e := range expansions {
			if e.depthwise == i {
				k := timed[e.expand]
				t.expansion = &k
			}
		}
		p.timed = append(p.timed, t)
		calls = 0
	}
	if calls > 0 && len(p.timed) > 0 {
		p.timed[len(p.timed)-1].calls += calls
	} else if calls > 0 {
		p.timed = append(p.timed, timedStep{name: p.graph.Name, kind: conversion, calls: calls})
	}
}

// bytesOf is the size of what n reads and writes.
func bytesOf(n *graph.Node) int64 {
	var bytes int64
	for _, list := range [][]*graph.Value{n.Inputs, n.Outputs} {
		for _, v := range list {
			if v != nil {
				bytes += int64(v.Elements()) * v.DType.Size()
			}
		}
	}
	return bytes
}

// macs is the number of multiply-accumulates of plain products; 0 for other
// operators.
func macs(n *graph.Node) int64 {
	out := int64(n.Outputs[0].Elements())
	x := n.Inputs[0].Shape
	switch n.Kind {
	case "MatMul", "MatMulInteger", "QLinearMatMul":
		return out * int64(x[len(x)-1])
	case "Gemm":
		if a, _ := n.Attributes.Named.Int("transA", 0); a != 0 {
			return out * int64(x[0])
		}
		return out * int64(x[1])
	case "Conv", "ConvInteger":
		w := n.Inputs[1]
		return out * int64(w.Elements()/max(w.Shape[0], 1))
	case "QLinearConv":
		w := n.Inputs[3]
		return out * int64(w.Elements()/max(w.Shape[0], 1))
	case "ConvTranspose":
		w := n.Inputs[1]
		return int64(n.Inputs[0].Elements()) * int64(w.Elements()/max(w.Shape[0], 1))
	}
	return 0
}

// Steps are what Run does, in execution order, without times.
func (p *Plan) Steps() []Step {
	list := make([]Step, len(p.program.timed))
	for i, t := range p.program.timed {
		list[i] = Step{
			Name: t.name, Kind: t.kind, Workload: t.workload, Kernel: !t.reference, MACs: t.macs, Bytes: t.bytes,
			Algorithm: t.decision.algorithm, Why: t.decision.why,
		}
	}
	return list
}

// Trace runs once and returns the time of each step, in execution order.
func (p *Plan) Trace() ([]Step, error) {
	timed := p.program.timed
	trace := p.Steps()
	calls := p.calls
	last := time.Now()
	for i := range timed {
		t := &timed[i]
		for _, f := range calls[:t.calls] {
			if err := f(&p.workspace); err != nil {
				return nil, p.program.fail(len(p.calls)-len(calls), err)
			}
		}
		calls = calls[t.calls:]
		now := time.Now()
		trace[i].NS = now.Sub(last).Nanoseconds()
		if t.expansion != nil {
			share := int64(p.workspace.ExpansionShare() * float64(trace[i].NS))
			trace[*t.expansion].NS += share
			trace[i].NS -= share
		}
		last = now
	}
	return trace, nil
}
