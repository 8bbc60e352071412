package profiler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/lut"
)

// ProtocolVersion is the version of the line protocol that adapters speak:
// docs/runtime-protocol.md.
const ProtocolVersion = 1

// A clock that shows no time for runs that take this long in all stands still.
const standsStill = time.Second

// ProgramOptions of [OpenProgram].
type ProgramOptions struct {
	// Timeout is the longest that a reply is waited for: a minute by default.
	Timeout time.Duration
}

// Program is a [Runtime] outside this process: an adapter, which speaks the
// protocol of docs/runtime-protocol.md on its standard input and output. Where
// an adapter ends, hangs or replies what makes no sense, what is measured at
// that moment fails, and the next thing is measured with a new one.
type Program struct {
	command []string
	timeout time.Duration
	cores   cores  // that an adapter of several threads may use
	folder  string // of the models and tensors that are passed
	process *process
	info    RuntimeInfo
	can     []string
}

// OpenProgram starts an adapter. The command is the program and its arguments.
func OpenProgram(ctx context.Context, command []string, o ProgramOptions) (*Program, error) {
	if len(command) == 0 {
		return nil, errors.New("profiler: the command of the runtime is empty")
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	p := &Program{command: command, timeout: o.Timeout, cores: allowedCores()}
	fail := func(err error) (*Program, error) {
		p.Close()
		return nil, fmt.Errorf("profiler: runtime %s: %w", command[0], err)
	}
	var err error
	if p.folder, err = os.MkdirTemp("", "hwprofd-runtime-"); err != nil {
		return fail(err)
	}
	if err := p.start(ctx); err != nil {
		return fail(err)
	}
	return p, nil
}

// helloReply is what an adapter says of itself.
type helloReply struct {
	Protocol int               `json:"protocol"`
	Name     string            `json:"name"`
	Version  string            `json:"version"`
	Options  map[string]string `json:"options"`
	Threads  int               `json:"threads"`
	Step     float64           `json:"clock_step_ns"`
	Can      []string          `json:"can"` // of "outputs", "nodes", "graph"
}

func (h *helloReply) validate() error {
	switch {
	case h.Protocol != ProtocolVersion:
		return fmt.Errorf("it speaks version %d of the protocol, this program %d: use releases that go together", h.Protocol, ProtocolVersion)
	case h.Name == "":
		return errors.New(`its hello has no "name"`)
	case h.Name == lut.OwnRuntime:
		return fmt.Errorf(`its hello has the "name" %q, which is that of this program's own runtime`, h.Name)
	case h.Version == "":
		return errors.New(`its hello has no "version"`)
	case strings.ContainsFunc(h.Name+h.Version+fmt.Sprint(h.Options), unicode.IsControl):
		return errors.New("its hello has line ends or other control characters in its texts")
	case h.Threads < 1:
		return fmt.Errorf(`its hello has "threads" %d`, h.Threads)
	case !(h.Step > 0) || h.Step > float64(coarsestClock):
		return fmt.Errorf(`its hello has "clock_step_ns" %v, want the smallest step of its clock, above 0 and at most %d`, h.Step, coarsestClock)
	}
	return nil
}

// start starts an adapter and greets it.
func (p *Program) start(ctx context.Context) error {
	temporary := filepath.Join(p.folder, "tmp")
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		return err
	}
	process, err := startProcess(p.command, temporary)
	if err != nil {
		return err
	}
	var hello helloReply
	if err := process.ask(ctx, p.timeout, request{Op: "hello", Protocol: ProtocolVersion}, &hello); err != nil {
		process.kill()
		return err
	}
	if err := hello.validate(); err != nil {
		process.kill()
		return err
	}
	info := RuntimeInfo{
		Name: hello.Name, Version: hello.Version, Options: hello.Options, Threads: hello.Threads,
		ClockStep: time.Duration(math.Ceil(hello.Step)), Accounts: slices.Contains(hello.Can, "nodes"),
	}
	if p.info.Name != "" && !p.info.equal(info) {
		process.kill()
		return fmt.Errorf("it was %v, and after a restart it is %v", p.info, info)
	}
	// A single thread stays on the core where the calibration kernel runs, so
	// that both see the same machine. A thread that cannot be moved shows in
	// wider intervals.
	if info.Threads == 1 {
		_ = p.cores.last().holdProcess(process.cmd.Process.Pid)
	} else {
		_ = p.cores.holdProcess(process.cmd.Process.Pid)
	}
	p.process, p.info, p.can = process, info, hello.Can
	return nil
}

// Info is what the adapter says of itself.
func (p *Program) Info() RuntimeInfo { return p.info }

// Close ends the adapter.
func (p *Program) Close() error {
	if p.process != nil {
		p.process.close()
		p.process = nil
	}
	if p.folder == "" {
		return nil
	}
	return os.RemoveAll(p.folder)
}

// ask asks the adapter, whose failure is one of what is measured.
func (p *Program) ask(ctx context.Context, q request, reply any) error {
	if p.process == nil {
		return itemErrorf("the adapter has ended before")
	}
	err := p.process.ask(ctx, p.timeout, q, reply)
	if err == nil {
		return nil
	}
	var said adapterError
	if !errors.As(err, &said) {
		p.process = nil // dead
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return itemError{err}
}

// broken gives up an adapter that says what cannot be.
func (p *Program) broken(format string, args ...any) error {
	if p.process != nil {
		p.process.kill()
		p.process = nil
	}
	return itemErrorf(format, args...)
}

// LoadWorkload loads a model of one operator, with its epilogue, and its
// weights as initializers, which a runtime may lay out as it likes.
func (p *Program) LoadWorkload(ctx context.Context, w graph.Workload, seed uint64) (Session, int, error) {
	g, err := graph.FromWorkload(w, seed)
	if err != nil {
		return nil, 0, itemError{err}
	}
	if e := w.Epilogue; w.Op != graph.OpAttention && e != "" && e != "none" && p.accounts() {
		g = WithWeights(withBorders(g), seed)
	}
	s, err := p.load(ctx, g, "", seed)
	return s, 1, err
}

// LoadNetwork loads the file that the network was read from, where there is
// one, else a model that is written of its graph.
func (p *Program) LoadNetwork(ctx context.Context, n NamedGraph, seed uint64) (Session, []graph.Workload, error) {
	split := fusedWorkloads
	g := n.Graph
	if n.Use == lut.UsePair {
		split = pairWorkloads
		if p.accounts() {
			g = withBorders(g)
		}
	}
	workloads, err := split(n.Graph)
	if err != nil {
		return nil, nil, itemError{err}
	}
	s, err := p.load(ctx, WithWeights(g, seed), n.File, seed)
	if err != nil {
		return nil, nil, err
	}
	s.network = n.Graph
	return s, workloads, nil
}

// load loads the model of g, which is the one in file unless that is empty.
func (p *Program) load(ctx context.Context, g *graph.Graph, file string, seed uint64) (*programSession, error) {
	if p.process == nil {
		if err := p.start(ctx); err != nil {
			return nil, fmt.Errorf("the adapter does not start again: %w", err)
		}
	}
	q := request{Op: "load"}
	var err error
	if file == "" {
		file = filepath.Join(p.folder, "model.onnx")
		data, err := onnx.Encode(g)
		if err != nil {
			return nil, itemError{err}
		}
		if err := os.WriteFile(file, data, 0o600); err != nil { // it need not outlast this process
			return nil, err
		}
	}
	if q.Model, err = filepath.Abs(file); err != nil {
		return nil, err
	}
	for i, t := range drawInputs(g, seed) {
		name := g.Inputs[i].Name
		path := filepath.Join(p.folder, "input"+strconv.Itoa(i)+".npy")
		if err := writeNPY(path, t); err != nil {
			return nil, itemErrorf("input %q: %w", name, err)
		}
		q.Inputs = append(q.Inputs, requestInput{Name: name, File: path})
	}
	if err := p.ask(ctx, q, &struct{}{}); err != nil {
		return nil, err
	}
	return &programSession{program: p}, nil
}

// programSession is what an adapter has loaded.
type programSession struct {
	program *Program
	network *graph.Graph  // nil for a workload
	each    time.Duration // of a run, the last time
}

// A run that takes no longer than this suffers from what the exchange of a
// request has put into the caches in its place.
const refilled = 20 * time.Millisecond

// runReply has the moments at which the runs began and had ended.
type runReply struct {
	Start clockReading `json:"start_ns"`
	End   clockReading `json:"end_ns"`
}

// clockReading is a number of ns.
type clockReading struct {
	ns    int64
	given bool
}

// UnmarshalJSON reads whole numbers exactly, which float64 does not from 2^53 on.
func (c *clockReading) UnmarshalJSON(b []byte) error {
	c.given = string(b) != "null"
	var err error
	if c.ns, err = strconv.ParseInt(string(b), 10, 64); err == nil {
		return nil
	}
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	if !(math.Abs(f) < math.MaxInt64/2) {
		return fmt.Errorf("%g ns is no reading of a clock", f)
	}
	c.ns = int64(math.Round(f))
	return nil
}

func (s *programSession) Run(ctx context.Context, n int) (time.Duration, error) {
	warm := 0
	if s.warms() {
		warm = 1
	}
	return s.run(ctx, n, warm)
}

// warms reports whether Run runs the graph once before it takes the time.
func (s *programSession) warms() bool { return s.each < refilled }

// run runs the graph n times after warm times that are not timed.
func (s *programSession) run(ctx context.Context, n, warm int) (time.Duration, error) {
	p := s.program
	var reply runReply
	begin := time.Now()
	if err := p.ask(ctx, request{Op: "run", N: n, Warm: warm}, &reply); err != nil {
		return 0, err
	}
	waited := time.Since(begin)
	took := time.Duration(reply.End.ns - reply.Start.ns)
	switch process := p.process; {
	case !reply.Start.given || !reply.End.given:
		return 0, p.broken(`the reply to "run" has no "start_ns" or no "end_ns"`)
	case took < 0:
		return 0, p.broken("%d runs took a negative time, %v", n, took)
	case process.ran && reply.Start.ns < process.lastEnd:
		return 0, p.broken("times are out of order: a run began %v before the end of the one before", time.Duration(process.lastEnd-reply.Start.ns))
	case took > waited+waited/100+time.Millisecond:
		return 0, p.broken("%d runs took %v, says the adapter, but its reply came after %v: is its clock in ns?", n, took, waited)
	case took == 0 && waited > standsStill:
		return 0, p.broken("%d runs took no time, says the adapter, whose reply came after %v: its clock stands still", n, waited)
	default:
		process.lastEnd, process.ran = reply.End.ns, true
		s.each = took / time.Duration(n)
	}
	return took, nil
}

// workTime is the CPU time that the adapter took so far, and those before it.
func (p *Program) workTime() time.Duration {
	worked := endedTime()
	if p.process != nil {
		worked += processTime(p.process.cmd.Process.Pid)
	}
	return worked
}

// accounts reports whether the runtime tells the times of nodes.
func (p *Program) accounts() bool { return slices.Contains(p.can, "nodes") }

func (s *programSession) Nodes(ctx context.Context, n int) ([]NodeTime, error) {
	p := s.program
	if !p.accounts() {
		return nil, ErrNoNodeTimes
	}
	var reply struct {
		Nodes []NodeTime `json:"nodes"`
	}
	if err := p.ask(ctx, request{Op: "nodes", N: n}, &reply); err != nil {
		return nil, err
	}
	if reply.Nodes == nil {
		return nil, p.broken(`the reply to "nodes" has no "nodes"`)
	}
	for _, node := range reply.Nodes {
		if !(node.NS >= 0) {
			return nil, p.broken("node %q took %g ns", node.Name, node.NS)
		}
	}
	return reply.Nodes, nil
}

func (s *programSession) Close() error {
	if s.program.process == nil {
		return nil // gone with it
	}
	return s.program.ask(context.Background(), request{Op: "unload"}, &struct{}{})
}

func (i RuntimeInfo) equal(o RuntimeInfo) bool {
	i.ClockStep, o.ClockStep = 0, 0       // seen anew each time
	return fmt.Sprint(i) == fmt.Sprint(o) // which sorts the options
}
