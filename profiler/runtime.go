package profiler

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/lut"
)

// Runtime runs what is measured. It is used from one goroutine at a time.
type Runtime interface {
	// Info says what it is, for a table's metadata.
	Info() RuntimeInfo
	// LoadWorkload readies w alone, with weights and inputs drawn from seed.
	// Each run of the session does it times times.
	LoadWorkload(ctx context.Context, w graph.Workload, seed uint64) (s Session, times int, err error)
	// LoadNetwork readies a whole network, and tells the workloads that it is
	// made of, in order of execution. What has no data is drawn from seed.
	LoadNetwork(ctx context.Context, n NamedGraph, seed uint64) (s Session, workloads []graph.Workload, err error)
	Close() error
}

// Session is a graph that a [Runtime] has loaded and run once.
type Session interface {
	// Run runs the graph n times, one run after the other, and returns how
	// long these took by the runtime's clock.
	Run(ctx context.Context, n int) (time.Duration, error)
	// Nodes runs the graph n times and returns the mean time of each node in a
	// run, or [ErrNoNodeTimes].
	Nodes(ctx context.Context, n int) ([]NodeTime, error)
	Close() error
}

// RuntimeInfo is what a table's metadata says of a runtime.
type RuntimeInfo struct {
	Name, Version string
	Options       map[string]string // that change its speed
	Threads       int
	// ClockStep is the smallest step of its clock, 0 for that of this process.
	ClockStep time.Duration
	// Accounts is whether it tells the times of nodes.
	Accounts bool
}

// NodeTime is the time of a node within a run.
type NodeTime struct {
	Name string  `json:"name"` // as in the model, or what the runtime made of it
	Op   string  `json:"op"`   // ONNX's operator, or the runtime's own
	NS   float64 `json:"ns"`
	// Layout is set where the node does nothing that the model asks for, but
	// brings a tensor into another layout or to another place.
	Layout bool `json:"layout,omitempty"`
	// Makes are names of tensors of the model that the node computes. Others than
	// the model's say nothing.
	Makes []string `json:"makes,omitempty"`
}

// ErrNoNodeTimes says that a runtime does not time nodes.
var ErrNoNodeTimes = errors.New("the runtime does not tell the times of nodes")

// inProcess is this project's own runtime.
type inProcess struct {
	now func() time.Duration
}

func (inProcess) Info() RuntimeInfo { return RuntimeInfo{Name: lut.OwnRuntime, Threads: 1} }
func (inProcess) Close() error      { return nil }

// LoadWorkload repeats the workload with weights of its own, see replicate.
func (r inProcess) LoadWorkload(_ context.Context, w graph.Workload, seed uint64) (Session, int, error) {
	return r.load(w, copies(w), "", seed)
}

// load readies n copies of w, by an algorithm unless that is empty.
func (r inProcess) load(w graph.Workload, n int, algorithm string, seed uint64) (Session, int, error) {
	debug.FreeOSMemory() // so that this load gets other memory than the last one
	g, err := graph.FromWorkload(w, seed)
	if err != nil {
		return nil, 0, err
	}
	plan, first, err := compile(replicate(g, n), seed, func(g *graph.Graph, o ...inference.Option) (*inference.Plan, error) {
		return inference.CompilePart(g, append(o, inference.By(algorithm))...)
	})
	if err != nil {
		return nil, 0, err
	}
	return &planSession{plan: plan, now: r.now, first: first}, n, nil
}

func (r inProcess) LoadNetwork(_ context.Context, n NamedGraph, seed uint64) (Session, []graph.Workload, error) {
	debug.FreeOSMemory()
	plan, first, err := compile(WithWeights(n.Graph, seed), seed, inference.Compile)
	if err != nil {
		return nil, nil, err
	}
	return &planSession{plan: plan, now: r.now, first: first}, plan.Workloads(), nil
}

// compile compiles g, fills its inputs at random and runs it once, which takes
// the time first.
func compile(g *graph.Graph, seed uint64, compile func(*graph.Graph, ...inference.Option) (*inference.Plan, error)) (plan *inference.Plan, first time.Duration, err error) {
	plan, err = compile(g)
	if err != nil {
		return nil, 0, err
	}
	if err := plan.FillInputs(seed); err != nil {
		return nil, 0, err
	}
	start := time.Now()
	err = plan.Run()
	return plan, time.Since(start), err
}

// planSession runs a plan, which has run before without error on the same input.
type planSession struct {
	plan  *inference.Plan
	now   func() time.Duration
	first time.Duration // of the first run, 0 where it was not timed
}

func (s *planSession) firstRun() time.Duration { return s.first }

func (s *planSession) Run(_ context.Context, n int) (time.Duration, error) {
	start := s.now()
	for range n {
		_ = s.plan.Run()
	}
	return s.now() - start, nil
}

func (s *planSession) Nodes(_ context.Context, n int) ([]NodeTime, error) {
	var nodes []NodeTime
	for range n {
		steps, err := s.plan.Trace()
		if err != nil {
			return nil, err
		}
		if nodes == nil {
			nodes = make([]NodeTime, len(steps))
		}
		for i, step := range steps {
			nodes[i].Name, nodes[i].Op = step.Name, fmt.Sprint(step.Kind)
			nodes[i].NS += float64(step.NS) / float64(n)
		}
	}
	return nodes, nil
}

func (s *planSession) Close() error { return nil }

// ownRuntime is this project's own, timed by the profiler's clock.
func (p *Profiler) ownRuntime() Runtime {
	return inProcess{now: func() time.Duration { return p.sampler.now() }}
}

// own reports whether this project's own runtime is measured.
func (p *Profiler) own() bool { return p.runtime.Info().Name == lut.OwnRuntime }

// worksHere reports whether the work is done by this process, whose events the
// processor counts.
func (p *Profiler) worksHere() bool {
	_, here := p.runtime.(inProcess)
	return here
}

// workTime is the CPU time that other processes took so far to run what is
// measured: it is no other work.
func (p *Profiler) workTime() time.Duration {
	if w, ok := p.runtime.(interface{ workTime() time.Duration }); ok {
		return w.workTime()
	}
	return 0
}

// keepsCalibration reports whether the calibration kernel is a row of the table:
// it is none of another runtime.
func (p *Profiler) keepsCalibration() bool { return p.own() }

// algorithms are those by which w is measured; the empty one is the runtime's
// choice.
func (p *Profiler) algorithms(w graph.Workload) []string {
	list := []string{""}
	if p.options.Alternatives && p.own() {
		list = append(list, inference.Alternatives(w)...)
	}
	return list
}

// load loads an item anew.
func (p *Profiler) load(ctx context.Context, it *item) (s Session, times int, workloads []graph.Workload, err error) {
	if it.isNetwork() {
		n := it.network
		if n.Graph, err = n.Lowered(); err != nil {
			return nil, 0, nil, itemError{err}
		}
		s, workloads, err = p.runtime.LoadNetwork(ctx, n, p.options.Seed)
		return s, 1, workloads, err
	}
	if own, ok := p.runtime.(inProcess); ok {
		n := copies(it.workload)
		if it.cache == lut.CacheCold {
			n = 1 // a second copy would find its input where the first one left it
		}
		s, times, err = own.load(it.workload, n, it.algorithm, p.options.Seed)
	} else {
		s, times, err = p.runtime.LoadWorkload(ctx, it.workload, p.options.Seed)
	}
	return s, times, nil, err
}

// nothing is the least work that a runtime can be asked for.
var nothing = graph.Workload{Op: graph.OpRelu, DType: graph.F32, N: 1, C: 1, H: 1, W: 1}

// overhead is the time in ns of a run whose work takes none to speak of: what
// the runtime needs for every run of whatever it has loaded. It is 0 for this
// project's own, whose rows have none of it.
func (p *Profiler) overhead(ctx context.Context) (ns float64, err error) {
	if p.own() {
		return 0, nil
	}
	p.nothingNS, err = overhead(ctx, p.runtime, p.options.Seed)
	return p.nothingNS, err
}

func overhead(ctx context.Context, r Runtime, seed uint64) (float64, error) {
	const (
		batches = 25
		batch   = 2 * time.Millisecond
		most    = 1 << 20 // runs of a batch
	)
	session, _, err := r.LoadWorkload(ctx, nothing, seed)
	if err != nil {
		return 0, fmt.Errorf("profiler: overhead of the runtime: %w", err)
	}
	defer session.Close()
	var times []float64
	for n := 1; len(times) < batches; {
		took, err := session.Run(ctx, n)
		if err != nil {
			return 0, fmt.Errorf("profiler: overhead of the runtime: %w", err)
		}
		if took < batch && n < most {
			n *= 2
			continue
		}
		times = append(times, float64(took)/float64(n))
	}
	return median(times), nil
}

// failed says that what is called title could not be measured, and returns why:
// the reason without the name that it begins with.
func (p *Profiler) failed(name, title string, reason error) string {
	text := strings.TrimPrefix(reason.Error(), "profiler: ")
	text = strings.TrimPrefix(text, "network ")
	text = strings.TrimPrefix(text, name+": ")
	p.warn(title + ": not measured: " + text)
	return text
}

// NodeTimes runs a network some times, for about limit, and returns the mean
// time of each node, or [ErrNoNodeTimes].
func (p *Profiler) NodeTimes(ctx context.Context, item NamedGraph, limit time.Duration) ([]NodeTime, error) {
	release, _ := pin()
	defer release()
	if err := p.calibrate(ctx, p.options.Baseline); err != nil { // which sets the clock
		return nil, err
	}
	session, _, err := p.runtime.LoadNetwork(ctx, item, p.options.Seed)
	if err != nil {
		return nil, fmt.Errorf("profiler: network %s: %w", item.Name, err)
	}
	defer session.Close()
	once, err := session.Run(ctx, 1)
	if err != nil {
		return nil, fmt.Errorf("profiler: network %s: %w", item.Name, err)
	}
	const fewest, most = 3, 1000
	n := int(min(max(limit/max(once, 1), fewest), most))
	nodes, err := session.Nodes(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("profiler: network %s: %w", item.Name, err)
	}
	return nodes, nil
}
