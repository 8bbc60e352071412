// Package inference runs neural networks: it compiles a [graph.Graph] into a
// [Plan], whose weights are packed once for the kernels and whose tensors
// share one memory arena, and runs the plan. Operators that have no fast
// kernel are computed by package operator. A run of operators with kernels
// allocates nothing, and a traced run tells how long each workload took.
package inference

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/kernels"
)

// Plan is a graph ready to run. It serves one goroutine at a time; for more,
// [Plan.Fork] it.
type Plan struct {
	program         *program
	calls           []call
	inputs, outputs []*operator.Tensor
	workspace       kernels.Workspace
}

// program is what forks of a plan share: the work of each step, packed
// weights, and where values lie.
type program struct {
	graph  *graph.Graph // in execution order
	steps  []*step      // of the graph's nodes
	timed  []timedStep
	memory *memoryPlan
	naive  int64
	// decisions are those about convolutions that are computed by themselves.
	decisions map[*graph.Node]decision
}

// call is one kernel call on the memory of a plan.
type call func(ws *kernels.Workspace) error

// step is the work of a node.
type step struct {
	// pack, unless nil, lays out the weights. It is called once, before kernel.
	pack func() error
	// decide, unless nil, names the algorithm to pack for.
	decide func(algorithm string)
	// kernel returns the call that does the work on a plan's memory; nil where
	// there is nothing to do.
	kernel func(m *memory) call
	// inPlace are the inputs that the first output may be written over.
	inPlace []int
	// reference says that package operator does the work.
	reference bool
	// views, unless nil, are the bytes after which each output starts in the
	// memory of the first input, which the outputs share.
	views []int
	// reads are values that the step reads beside the inputs of its node.
	reads []*graph.Value
	// absent says that the output has no memory, since another step does
	// without it.
	absent bool
	// joins says that the inputs follow each other in the output, so that they
	// may be written to its memory in the first place.
	joins bool
}

// always is a call that cannot fail.
func always(run func(ws *kernels.Workspace)) call {
	return func(ws *kernels.Workspace) error {
		run(ws)
		return nil
	}
}

// Option changes how a graph is compiled.
type Option func(*options)

type options struct {
	arena     int64 // bytes
	free      bool
	timings   func(graph.Workload) []Timing
	algorithm string // of the convolutions of a part
}

// DefaultArenaLimit is the memory that the tensors of a plan may take, in bytes.
const DefaultArenaLimit = 4 << 30

// ArenaLimit limits the memory that the tensors of a plan may take, which is
// checked before any is allocated.
func ArenaLimit(bytes int64) Option { return func(o *options) { o.arena = bytes } }

// Compile fuses g, packs its weights and plans its memory. All parameters of
// g must have data; g is not changed, and later changes to its data may or may
// not show in the plan.
func Compile(g *graph.Graph, change ...Option) (*Plan, error) {
	return compileFused(g, options{arena: DefaultArenaLimit}, change)
}

// CompilePart is [Compile] for a part of a network, to be timed by itself:
// its inputs and outputs have the layout that they would have within the
// network, which is padded and in another order than the values.
func CompilePart(g *graph.Graph, change ...Option) (*Plan, error) {
	return compileFused(g, options{arena: DefaultArenaLimit, free: true}, change)
}

func compileFused(g *graph.Graph, o options, change []Option) (*Plan, error) {
	for _, f := range change {
		f(&o)
	}
	if err := g.Validate(); err != nil {
		return nil, fmt.Errorf("inference: %w", err)
	}
	if err := checkData(g); err != nil {
		return nil, fmt.Errorf("inference: graph %q: %w", g.Name, err)
	}
	var passes []graph.Option
	if o.free { // a part may have nodes that are only there to be timed
		passes = append(passes, graph.Without("dead-nodes"))
	}
	fused, err := graph.Optimize(g, passes...)
	if err != nil {
		return nil, fmt.Errorf("inference: %w", err)
	}
	p, err := compile(fused, o)
	if err != nil {
		return nil, fmt.Errorf("inference: graph %q: %w", g.Name, err)
	}
	return p, nil
}

// compile plans a graph as it is.
func compile(g *graph.Graph, o options) (*Plan, error) {
	naive := naiveBytes(g)
	a, err := arrange(g, o)
	if err != nil {
		return nil, err
	}
	g, l := a.graph, a.layouts
	p := &program{graph: g, steps: make([]*step, len(g.Nodes)), naive: naive, decisions: a.decisions}
	for i, n := range g.Nodes {
		s, err := bind(n, l)
		if d, ok := a.decisions[n]; ok && err == nil && s.decide != nil {
			s.decide(d.algorithm)
		}
		if err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", n.Name, n.Kind, err)
		}
		p.steps[i] = s
	}
	expansions, err := joinExpansions(g, l, p.steps)
	if err != nil {
		return nil, err
	}
	if err := joinGates(g, l, p.steps); err != nil {
		return nil, err
	}
	joinCasts(g, p.steps)
	for i, n := range g.Nodes { // what is computed together is computed as that needs it
		if p.steps[i].decide == nil {
			delete(p.decisions, n)
		}
	}
	p.memory = planMemory(g, l, p.steps)
	if err := p.memory.checkLimit(o.arena); err != nil {
		return nil, err
	}
	if err := p.pack(); err != nil {
		return nil, err
	}
	p.time(expansions)
	return p.plan(), nil
}

// pack lays out the weights of all steps, side by side.
func (p *program) pack() error {
	errs := make([]error, len(p.steps))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(p.steps); i = int(next.Add(1)) - 1 {
				if s := p.steps[i]; s.pack != nil {
					if err := s.pack(); err != nil {
						errs[i] = fmt.Errorf("node %q (%s): %w", p.graph.Nodes[i].Name, p.graph.Nodes[i].Kind, err)
					}
				}
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// plan gives the program memory.
func (p *program) plan() *Plan {
	m := &memory{memoryPlan: p.memory, arena: kernels.Aligned[uint8](p.memory.size), gated: make(map[*graph.Node][]float32)}
	plan := &Plan{program: p, inputs: m.tensors(p.graph.Inputs), outputs: m.tensors(p.graph.Outputs)}
	for _, s := range p.steps {
		if s.kernel != nil {
			f := s.kernel(m)
			if f == nil { // nothing to do, as memory was planned
				f = func(*kernels.Workspace) error { return nil }
			}
			plan.calls = append(plan.calls, f)
		}
	}
	return plan
}

// Fork returns another plan of the same graph, which shares the packed weights
// and has memory of its own. Forks run side by side. Its inputs are zeros.
func (p *Plan) Fork() *Plan { return p.program.plan() }

// checkData reports parameters that are not filled.
func checkData(g *graph.Graph) error {
	first, missing := "", 0
	for _, v := range g.Parameters() {
		if !v.Filled() && v.Elements() > 0 {
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

// Inputs are the graph's inputs, in its order, row major, as views of the
// plan's memory. Write them before Run; they keep their values over runs.
func (p *Plan) Inputs() []*operator.Tensor { return p.inputs }

// Outputs are the graph's outputs, in its order, row major, as views of the
// plan's memory. They are valid from the end of one Run to the start of the
// next.
func (p *Plan) Outputs() []*operator.Tensor { return p.outputs }

// Run computes the outputs from the inputs. From the second call on it
// allocates nothing, but for operators without a fast kernel. It fails only
// where the elements of a tensor are no valid input of an operator, such as an
// index out of range.
func (p *Plan) Run() error {
	for i, f := range p.calls {
		if err := f(&p.workspace); err != nil {
			return p.program.fail(i, err)
		}
	}
	return nil
}

// fail is the error of the i-th call.
func (p *program) fail(i int, err error) error {
	for k, n := range p.graph.Nodes {
		if p.steps[k].kernel == nil {
			continue
		}
		if i == 0 {
			return fmt.Errorf("inference: node %q (%s): %w", n.Name, n.Kind, err)
		}
		i--
	}
	return err
}

// Workloads are what Run computes, in execution order.
func (p *Plan) Workloads() []graph.Workload {
	var list []graph.Workload
	for _, t := range p.program.timed {
		if t.workload != (graph.Workload{}) {
			list = append(list, t.workload)
		}
	}
	return list
}

// ArenaBytes is the size of the memory that inputs, outputs and all tensors
// between them share.
func (p *Plan) ArenaBytes() int64 { return int64(p.program.memory.size) }

// NaiveBytes is what the same tensors take with memory of their own each.
func (p *Plan) NaiveBytes() int64 { return p.program.naive }
