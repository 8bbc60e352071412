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
	for _, check := range []func(context.Context) error{c.wrongRequests, c.numbers, c.clock, c.ends} {
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

func elements(t *operator.Tensor) int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

const (
	coarsestClock = time.Millisecond
	longBatch     = 100 * time.Millisecond
	shortBatch    = time.Millisecond
	// A short batch has this many steps of the clock at least.
	leastSteps = 100
	// Of the time that a long batch is waited for, at least this is time that
	// the adapter says it took: it would be a thousandth, were its unit wrong.
	leastShare = 0.02
	// Twice the runs take between these times the time.
	leastScale, mostScale = 1.4, 2.8
)

// clock checks the times that the adapter tells.
func (c *checker) clock(ctx context.Context) error {
	if err := c.again(ctx); err != nil {
		return err
	}
	r := c.report
	if time.Duration(r.StepNS) > coarsestClock {
		c.add("clock", CheckFailed, "its smallest step is %v, coarser than %v", time.Duration(r.StepNS), coarsestClock)
	} else {
		c.add("clock", CheckOK, "its smallest step is %v", time.Duration(r.StepNS))
	}
	var err error
	if r.OverheadNS, err = overhead(ctx, c.program, 1); err != nil {
		c.add("overhead of a run", CheckFailed, "%v", err)
		return ctx.Err()
	}
	session, _, err := c.program.LoadWorkload(ctx, nothing, 1)
	if err != nil {
		c.add("overhead of a run", CheckFailed, "%v", err)
		return ctx.Err()
	}
	var singles, replies []float64
	for range 50 {
		begin := time.Now()
		took, err := session.Run(ctx, 1)
		if err != nil {
			c.add("overhead of a run", CheckFailed, "%v", err)
			return ctx.Err()
		}
		singles, replies = append(singles, float64(took)), append(replies, float64(time.Since(begin)-took))
	}
	r.ReplyNS = median(replies)
	slices.Sort(singles)
	for i := range singles[1:] {
		if step := singles[i+1] - singles[i]; step > 0 && (r.SeenStepNS == 0 || step < r.SeenStepNS) {
			r.SeenStepNS = step
		}
	}
	c.add("overhead of a run", CheckOK, "%.3g us a run that does nothing; a reply takes %.3g us more", r.OverheadNS/1e3, r.ReplyNS/1e3)

	n := 1
	for ; n < 1<<24; n *= 2 {
		took, err := session.Run(ctx, n)
		if err != nil {
			c.add("times add up", CheckFailed, "%v", err)
			return ctx.Err()
		}
		if took >= max(shortBatch, time.Duration(leastSteps*r.StepNS)) {
			break
		}
	}
	// Of some tries the shortest, as other work only ever adds to a time.
	result, scale := CheckFailed, 0.0
	shortest := [2]time.Duration{math.MaxInt64, math.MaxInt64}
	for try := 0; try < 100 && result == CheckFailed; try++ {
		for i := range shortest {
			took, err := session.Run(ctx, n<<i)
			if err != nil {
				c.add("times add up", CheckFailed, "%v", err)
				return ctx.Err()
			}
			shortest[i] = min(shortest[i], took)
		}
		scale = float64(shortest[1]) / float64(max(shortest[0], 1))
		if try >= 4 && scale > leastScale && scale < mostScale {
			result = CheckOK
		}
	}
	c.add("times add up", result, "%d runs take %v, twice as many %v", n, shortest[0], shortest[1])

	begin := time.Now()
	took, err := session.Run(ctx, n*int(longBatch/shortBatch))
	waited := time.Since(begin)
	result = CheckOK
	if err != nil {
		c.add("unit of time", CheckFailed, "%v", err)
		return ctx.Err()
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
