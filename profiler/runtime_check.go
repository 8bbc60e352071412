package profiler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/inference"
)

// RuntimeReport is what [CheckRuntime] found.
type RuntimeReport struct {
	Name       string            `json:"name"`
	Version    string            `json:"version"`
	Options    map[string]string `json:"options"`
	Threads    int               `json:"threads"`
	StepNS     float64           `json:"clock_step_ns"` // that the adapter states
	SeenStepNS float64           `json:"seen_step_ns"`  // the smallest that two of its times differ by
	OverheadNS float64           `json:"overhead_ns"`   // of a run of a model that does nothing to speak of
	ReplyNS    float64           `json:"reply_ns"`      // from a request of one such run to its reply, beside the run
	Checks     []RuntimeCheck    `json:"checks"`
}

// RuntimeCheck is one thing that an adapter was tried with.
type RuntimeCheck struct {
	Name   string `json:"name"`
	Result string `json:"result"` // "ok", "failed", or "skipped" where it need not be able to
	Detail string `json:"detail"`
}

// Results of a [RuntimeCheck].
const (
	CheckOK      = "ok"
	CheckFailed  = "failed"
	CheckSkipped = "skipped"
)

// Failed is the number of checks that failed.
func (r *RuntimeReport) Failed() int {
	n := 0
	for _, c := range r.Checks {
		if c.Result == CheckFailed {
			n++
		}
	}
	return n
}

// panel are the workloads that an adapter's numbers are checked with. A
// runtime has to run those that are needed, and may lack the others.
var panel = []struct {
	key    string
	needed bool
}{
	{"conv2d/f32/n1c16h14w14/k24r3s3/stride1.pad1.dil1.group1/relu", true},
	{"conv2d/f32/n1c24h14w14/k16r1s1/stride2.pad0.dil1.group1/add.relu", true},
	{"conv2d/f32/n1c32h14w14/k32r5s5/stride1.pad2.dil1.group32/hswish", false},
	{"linear/f32/n4c48/k32/none", true},
	{"linear/f32/n4c48/k32/gelu", false},
	{"matmul/f32/n2c16h12/k20", false},
	{"attention/f32/n1c3h20w20/k3r16s16/none", false},
	{"add/f32/n1c8h6w6/k8r6s6/relu", false},
	{"mul/f32/n1c8h6w6/k8r1s1/none", false},
	{"maxpool/f32/n1c8h12w12/r3s3/stride2.pad1", false},
	{"avgpool/f32/n1c8h12w12/r2s2/stride2.pad0", false},
	{"globalavgpool/f32/n1c16h7w7", false},
	{"softmax/f32/n6c50", false},
	{"layernorm/f32/n6c48", false},
	{"relu/f32/n1c8h6w6", true},
	{"sigmoid/f32/n1c8h6w6", false},
	{"reducemean/f32/n1c8h6w6", false},
	{"conv2d/u8/n1c16h14w14/k24r3s3/stride1.pad1.dil1.group1/none", false},
}

// CheckRuntime tries an adapter: its numbers against this project's own on a
// panel of operators, what it does with input that is wrong, its clock, and how
// it ends. It fails where the adapter cannot be tried at all.
func CheckRuntime(ctx context.Context, command []string, o ProgramOptions) (*RuntimeReport, error) {
	program, err := OpenProgram(ctx, command, o)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	info := program.Info()
	c := &checker{program: program, report: &RuntimeReport{
		Name: info.Name, Version: info.Version, Options: info.Options, Threads: info.Threads, StepNS: float64(info.ClockStep),
	}}
	for _, check := range []func(context.Context) error{c.wrongRequests, c.unloads, c.numbers, c.accounts, c.clock, c.ends} {
		if err := check(ctx); err != nil {
			return nil, fmt.Errorf("profiler: runtime %s: %w", command[0], err)
		}
	}
	return c.report, nil
}

type checker struct {
	program *Program
	report  *RuntimeReport
}

func (c *checker) add(name, result, format string, args ...any) {
	c.report.Checks = append(c.report.Checks, RuntimeCheck{name, result, fmt.Sprintf(format, args...)})
}

// again starts the adapter where it has ended.
func (c *checker) again(ctx context.Context) error {
	if c.program.process != nil {
		return nil
	}
	return c.program.start(ctx)
}

// wrongRequests shows that what cannot be done is refused, and that the
// adapter goes on.
func (c *checker) wrongRequests(ctx context.Context) error {
	damaged, missing := filepath.Join(c.program.folder, "damaged.onnx"), filepath.Join(c.program.folder, "missing.onnx")
	if err := os.WriteFile(damaged, []byte("this is no model"), 0o600); err != nil {
		return err
	}
	session, _, err := c.program.LoadWorkload(ctx, nothing, 1)
	if err == nil {
		err = session.Close()
	}
	if err != nil {
		c.add("loads and unloads", CheckFailed, "%v", err)
	} else {
		c.add("loads and unloads", CheckOK, "a model of one operator")
	}
	for _, wrong := range []struct {
		name string
		q    request
	}{
		{"a line that is not JSON", request{raw: `{"op":"run","n":`}},
		{"an operation that does not exist", request{Op: "fly"}},
		{"a run without a model", request{Op: "run", N: 1}},
		{"a model that is missing", request{Op: "load", Model: missing}},
		{"a model that is damaged", request{Op: "load", Model: damaged}},
		{"a run of a model that was not loaded", request{Op: "run", N: 1}},
	} {
		if err := c.again(ctx); err != nil {
			return err
		}
		c.refused(ctx, wrong.name, wrong.q)
	}
	if err := c.again(ctx); err != nil {
		return err
	}
	if _, _, err := c.program.LoadWorkload(ctx, nothing, 1); err != nil {
		c.add("goes on after refusing", CheckFailed, "%v", err)
		return ctx.Err()
	}
	c.add("goes on after refusing", CheckOK, "loads a model")
	c.refused(ctx, "runs of number 0", request{raw: `{"op":"run","n":0}`})
	return ctx.Err()
}

// unloads shows what an adapter does when its model is freed, and that fields
// that it does not know do not disturb it.
func (c *checker) unloads(ctx context.Context) error {
	if err := c.again(ctx); err != nil {
		return err
	}
	c.accepted(ctx, "ignores fields that it does not know", request{raw: `{"op":"unload","later":{"version":[2,null]}}`})
	if err := c.again(ctx); err != nil {
		return err
	}
	c.accepted(ctx, "unloads where no model is loaded", request{Op: "unload"})
	without := []request{{Op: "run", N: 1}}
	for _, q := range []request{{Op: "outputs", Folder: c.program.folder}, {Op: "nodes", N: 1}, {Op: "graph"}} {
		if slices.Contains(c.program.can, q.Op) {
			without = append(without, q)
		}
	}
	for _, q := range without {
		if err := c.again(ctx); err != nil {
			return err
		}
		c.refused(ctx, fmt.Sprintf("%q after the model was unloaded", q.Op), q)
	}
	return ctx.Err()
}

func (c *checker) accepted(ctx context.Context, name string, q request) {
	if err := c.program.ask(ctx, q, &struct{}{}); err != nil {
		c.add(name, CheckFailed, "%v", err)
		return
	}
	c.add(name, CheckOK, `replied {"ok":true}`)
}

func (c *checker) refused(ctx context.Context, name string, q request) {
	err := c.program.ask(ctx, q, &struct{}{})
	var said adapterError
	switch {
	case errors.As(err, &said):
		c.add("refuses "+name, CheckOK, "%s", said.message)
	case err != nil:
		c.add("refuses "+name, CheckFailed, "%v", err)
	default:
		c.add("refuses "+name, CheckFailed, `replied {"ok":true}`)
	}
}

// numbers compares what the adapter computes with what we do.
func (c *checker) numbers(ctx context.Context) error {
	for _, item := range panel {
		if err := c.again(ctx); err != nil {
			return err
		}
		w, err := graph.ParseWorkload(item.key)
		if err != nil {
			return err
		}
		g, err := graph.FromWorkload(w, 1)
		if err != nil {
			return err
		}
		session, err := c.program.load(ctx, g, "", 1)
		var said adapterError
		switch {
		case errors.As(err, &said) && !item.needed:
			c.add(item.key, CheckSkipped, "not supported: %s", said.message)
			continue
		case err != nil:
			c.add(item.key, CheckFailed, "%v", err)
			continue
		}
		if _, err := session.Run(ctx, 1); err != nil {
			c.add(item.key, CheckFailed, "%v", err)
			continue
		}
		if !slices.Contains(c.program.can, "outputs") {
			c.add(item.key, CheckSkipped, `runs; its numbers are not known, as its hello has no "outputs"`)
			continue
		}
		difference, err := c.compare(ctx, g)
		if err != nil {
			c.add(item.key, CheckFailed, "%v", err)
			continue
		}
		c.add(item.key, CheckOK, "differs by %.1e of the largest number", difference)
	}
	return ctx.Err()
}

const (
	// Sums in another order differ by some units of the last place a term.
	floatTolerance = 1e-4
	// Rounding the other way makes a step of a byte.
	byteTolerance = 1.01 / 255
)

// compare returns by how much the outputs of the model that is loaded differ
// from ours, as a part of the largest.
func (c *checker) compare(ctx context.Context, g *graph.Graph) (float64, error) {
	plan, err := inference.Compile(g)
	if err != nil {
		return 0, err
	}
	for i, t := range drawInputs(g, 1) {
		reflect.Copy(reflect.ValueOf(plan.Inputs()[i].Data), reflect.ValueOf(t.Data))
	}
	if err := plan.Run(); err != nil {
		return 0, err
	}
	var reply struct {
		Outputs []string `json:"outputs"`
	}
	if err := c.program.ask(ctx, request{Op: "outputs", Folder: c.program.folder}, &reply); err != nil {
		return 0, err
	}
	if len(reply.Outputs) != len(plan.Outputs()) {
		return 0, fmt.Errorf("it wrote %d outputs, want %d", len(reply.Outputs), len(plan.Outputs()))
	}
	worst := 0.0
	for i, want := range plan.Outputs() {
		got, err := readNPY(reply.Outputs[i], want)
		if err != nil {
			return 0, err
		}
		largest, difference := 0.0, 0.0
		for j := range elements(want) {
			x, y := float(want, j), float(got, j)
			largest = max(largest, math.Abs(x))
			if difference = max(difference, math.Abs(x-y)); math.IsNaN(y) {
				difference = math.Inf(1)
			}
		}
		tolerance := floatTolerance
		if want.DType == graph.U8 || want.DType == graph.I8 {
			largest, tolerance = 255, byteTolerance
		}
		if difference > tolerance*max(largest, 1e-6) {
			return 0, fmt.Errorf("output %d differs by up to %.3g, where the largest number is %.3g", i, difference, largest)
		}
		worst = max(worst, difference/max(largest, 1e-6))
	}
	return worst, nil
}

// accounts tries what the adapter tells of nodes, where it says that it does.
func (c *checker) accounts(ctx context.Context) error {
	for _, account := range []struct {
		op  string
		try func(context.Context, *programSession) (string, error)
	}{{"nodes", c.nodeTimes}, {"graph", c.graphNodes}} {
		if !slices.Contains(c.program.can, account.op) {
			continue
		}
		if err := c.again(ctx); err != nil {
			return err
		}
		w, err := graph.ParseWorkload(panel[0].key)
		if err != nil {
			return err
		}
		g, err := graph.FromWorkload(w, 1)
		if err != nil {
			return err
		}
		var detail string
		session, err := c.program.load(ctx, g, "", 1)
		if err == nil {
			detail, err = account.try(ctx, session)
		}
		if err != nil {
			c.add(fmt.Sprintf("answers %q", account.op), CheckFailed, "%v", err)
			continue
		}
		c.add(fmt.Sprintf("answers %q", account.op), CheckOK, "%s", detail)
	}
	return ctx.Err()
}

// The times of nodes together are between these times that of a run, which is
// taken without the account: they would be a thousandth, were their unit wrong.
const leastNodes, mostNodes = 0.02, 50

func (c *checker) nodeTimes(ctx context.Context, s *programSession) (string, error) {
	const n = 20
	var wrong error
	for range 5 { // other work may come between a run and its nodes
		run, err := s.run(ctx, n, 1)
		if err != nil {
			return "", err
		}
		nodes, err := s.Nodes(ctx, n)
		if err != nil {
			return "", err
		}
		count, sum := 0, 0.0
		for _, node := range nodes {
			sum += node.NS
			if !node.Layout {
				count++
			}
		}
		told, each := time.Duration(sum), run/n
		switch {
		case count == 0:
			return "", fmt.Errorf(`none of its %d nodes does what the model asks for: "layout" is for those that change a layout only`, len(nodes))
		case sum >= leastNodes*float64(each) && sum <= mostNodes*float64(max(each, 1)):
			return fmt.Sprintf("%d nodes, %v of a run of %v", len(nodes), told, each), nil
		}
		wrong = fmt.Errorf("its nodes take %v together, a run %v: are they means of a run, in ns?", told, each)
	}
	return "", wrong
}

func (c *checker) graphNodes(ctx context.Context, s *programSession) (string, error) {
	count, err := c.program.graphNodes(ctx, s)
	if err == nil && count == 0 {
		err = errors.New("none of the nodes does what the model asks for")
	}
	return fmt.Sprintf("%d nodes that do what the model asks for", count), err
}

func elements(t *operator.Tensor) int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

const (
	coarsestClock = time.Millisecond // with which runs can be timed
	longBatch     = 100 * time.Millisecond
	shortBatch    = time.Millisecond
	// A short batch has this many steps of the clock at least.
	leastSteps = 100
	// Of the time that a long batch is waited for, at least this is time that
	// the adapter says it took: it would be a thousandth, were its unit wrong.
	leastShare = 0.02
	muchLonger = 30 * time.Millisecond
	// Twice the runs take between these times the time.
	leastScale, mostScale = 1.4, 2.8
	// Some dozen times of a clock differ by less than so many of its steps, or
	// by less than so much.
	mostSteps   = 100
	coarseSteps = 10 * time.Microsecond
	// The same runs after others that are not timed, which take five times as
	// long with these, take less than so many times the time.
	mostWarmed = 2.5
)

// nothing loads what takes no time to speak of.
func (c *checker) nothing(ctx context.Context) (*programSession, error) {
	g, err := graph.FromWorkload(nothing, 1)
	if err != nil {
		return nil, err
	}
	return c.program.load(ctx, g, "", 1)
}

// shortBatch is how many runs take a short batch by the adapter's clock, and the
// times of fewer. It is an error if they take much longer by ours, as in another
// unit, which no later check has to wait for.
func (c *checker) shortBatch(ctx context.Context, s *programSession) (n int, times []float64, err error) {
	run := func(n int) (took, waited time.Duration, err error) {
		begin := time.Now()
		took, err = s.Run(ctx, n)
		return took, time.Since(begin), err
	}
	// grown tells whether it is longer by our clock, and not by the adapter's.
	grown := func(took, waited time.Duration) bool {
		return waited > muchLonger && float64(took) < leastShare*float64(waited)
	}
	var before, waitedBefore time.Duration
	for n = 1; n < 1<<24; n *= 2 {
		took, waited, err := run(n)
		if err != nil {
			return 0, nil, err
		}
		times = append(times, float64(took))
		if took >= max(shortBatch, time.Duration(leastSteps*c.report.StepNS)) {
			break
		}
		if grown(took-before, waited-waitedBefore) { // or it was disturbed
			wrong := 0
			var few, many, waitedMany time.Duration
			for range 2 {
				var waitedFew time.Duration
				if few, waitedFew, err = run(n); err != nil {
					return 0, nil, err
				}
				if many, waitedMany, err = run(16 * n); err != nil {
					return 0, nil, err
				}
				if grown(many-few, waitedMany-waitedFew) {
					wrong++
				}
			}
			if wrong == 2 {
				return 0, nil, fmt.Errorf("%d runs take %v by its clock, %v with the reply: is it in ns?", 16*n, many, waitedMany)
			}
		}
		before, waitedBefore = took, waited
	}
	return n, times, nil
}

// clock checks the times that the adapter tells.
func (c *checker) clock(ctx context.Context) error {
	if err := c.again(ctx); err != nil {
		return err
	}
	r := c.report
	failed := func(name string, err error) error {
		c.add(name, CheckFailed, "%v", err)
		return ctx.Err()
	}
	session, err := c.nothing(ctx)
	if err != nil {
		return failed("clock", err)
	}
	n, times, err := c.shortBatch(ctx, session)
	if err != nil {
		return failed("unit of time", err)
	}
	if r.OverheadNS, err = overhead(ctx, c.program, 1); err != nil {
		return failed("overhead of a run", err)
	}
	if session, err = c.nothing(ctx); err != nil {
		return failed("overhead of a run", err)
	}
	var replies []float64
	for range 50 {
		begin := time.Now()
		took, err := session.Run(ctx, 1)
		if err != nil {
			return failed("overhead of a run", err)
		}
		times, replies = append(times, float64(took)), append(replies, float64(time.Since(begin)-took))
	}
	r.ReplyNS = median(replies)
	slices.Sort(times)
	for i := range times[1:] {
		if step := times[i+1] - times[i]; step > 0 && (r.SeenStepNS == 0 || step < r.SeenStepNS) {
			r.SeenStepNS = step
		}
	}
	switch stated, seen := time.Duration(r.StepNS), time.Duration(r.SeenStepNS); {
	case r.SeenStepNS > max(mostSteps*r.StepNS, float64(coarseSteps)):
		c.add("clock", CheckFailed, `its hello has a smallest step of %v, but no two of %d times differ by less than %v: read a finer clock, or say its step`, stated, len(times), seen)
	default:
		c.add("clock", CheckOK, "its smallest step is %v by its hello; two times differ by %v", stated, seen)
	}
	c.add("overhead of a run", CheckOK, "%.3g us a run that does nothing; a reply takes %.3g us more", r.OverheadNS/1e3, r.ReplyNS/1e3)

	// Of some tries the shortest, as other work only ever adds to a time.
	result, scale := CheckFailed, 0.0
	shortest := [2]time.Duration{math.MaxInt64, math.MaxInt64}
	for try := 0; try < 100 && result == CheckFailed; try++ {
		for i := range shortest {
			took, err := session.Run(ctx, n<<i)
			if err != nil {
				return failed("times add up", err)
			}
			shortest[i] = min(shortest[i], took)
		}
		scale = float64(shortest[1]) / float64(max(shortest[0], 1))
		if try >= 4 && scale > leastScale && scale < mostScale {
			result = CheckOK
		}
	}
	c.add("times add up", result, "%d runs take %v, twice as many %v", n, shortest[0], shortest[1])

	result, warmed := CheckFailed, time.Duration(math.MaxInt64)
	for try := 0; try < 100 && result == CheckFailed; try++ {
		took, err := session.run(ctx, n, 4*n)
		if err != nil {
			return failed("runs to warm up are not timed", err)
		}
		if warmed = min(warmed, took); float64(warmed) < mostWarmed*float64(max(shortest[0], time.Duration(r.StepNS))) {
			result = CheckOK
		}
	}
	c.add("runs to warm up are not timed", result, "%d runs take %v, and %v after %d to warm up", n, shortest[0], warmed, 4*n)

	begin := time.Now()
	took, err := session.Run(ctx, n*int(longBatch/shortBatch))
	waited := time.Since(begin)
	result = CheckOK
	if err != nil {
		return failed("unit of time", err)
	}
	if float64(took) < leastShare*float64(waited) {
		result = CheckFailed
	}
	c.add("unit of time", result, "%v by its clock for what took %v with the reply", took, waited)
	return ctx.Err()
}

// ends shows that the adapter ends by itself, when it is asked to and when
// there is nobody left to ask it.
func (c *checker) ends(ctx context.Context) error {
	for _, way := range []string{"shutdown", "end of input"} {
		if err := c.again(ctx); err != nil {
			return err
		}
		process := c.program.process
		c.program.process = nil
		if way == "shutdown" {
			if err := process.ask(ctx, endsWithin, request{Op: way}, &struct{}{}); err != nil {
				process.kill()
				c.add("ends at "+way, CheckFailed, "%v", err)
				continue
			}
		}
		inTime := process.end()
		switch state := process.cmd.ProcessState; {
		case !inTime:
			c.add("ends at "+way, CheckFailed, "it still runs after %v", endsWithin)
		case !state.Success():
			c.add("ends at "+way, CheckFailed, "%s", state)
		default:
			c.add("ends at "+way, CheckOK, "%s", state)
		}
	}
	return ctx.Err()
}
