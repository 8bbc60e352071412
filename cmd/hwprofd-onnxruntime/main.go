//go:build linux || darwin

// Command hwprofd-onnxruntime lets hwprofd measure ONNX Runtime. It is an
// adapter: it speaks hwprofd's runtime protocol (docs/runtime-protocol.md) on
// standard input and output, and runs models by ONNX Runtime's C API, from a
// shared library that it loads when it starts. It needs neither cgo nor ONNX
// Runtime to be built.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const protocolVersion = 1

// The program's first thread serves all requests, as the one of a program with
// one thread would: libraries treat it differently, as in allocating memory.
func init() { runtime.LockOSThread() }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "hwprofd-onnxruntime: "+err.Error())
		os.Exit(1)
	}
}

func run() error {
	var o options
	lib := flag.String("lib", "", "ONNX Runtime's shared library; by default the one beside this program, else that which the system's loader finds, else one in "+strings.Join(usualPlaces(), ", "))
	flag.IntVar(&o.threads, "threads", 1, "threads within an operator")
	flag.StringVar(&o.optimization, "optimization", "all", "graph optimization: disabled, basic, extended or all")
	flag.StringVar(&o.provider, "provider", "cpu", "execution provider, by the name that ONNX Runtime's C API gives it, such as XNNPACK")
	flag.Var(&o.providerOptions, "provider-option", "option of the provider as key=value; may be repeated")
	flag.Var(&o.config, "config", "entry of the session's configuration as key=value, such as session.intra_op.allow_spinning=0; may be repeated")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "An adapter for hwprofd; it is started by it:\n\n"+
			"  hwprofd profile --runtime onnxruntime -o server.lut.parquet --model resnet.onnx -- --lib /opt/onnxruntime/lib/libonnxruntime.so --threads 1\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if o.threads < 1 {
		return fmt.Errorf("--threads %d: want one or more", o.threads)
	}
	if _, ok := optimizationLevels[o.optimization]; !ok {
		return fmt.Errorf("--optimization %q: want disabled, basic, extended or all", o.optimization)
	}
	letTimersBeLate()
	// What the library prints must not come between the replies.
	replies, err := unix.Dup(1)
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	if err := unix.Dup2(2, 1); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	// With a single processor, Go's monitor would take it away from each call
	// into the library, waking up every 20 us on the core that is measured.
	runtime.GOMAXPROCS(max(2, runtime.NumCPU()))
	debug.SetGCPercent(-1) // garbage is collected between models only
	api, err := loadAPI(*lib)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "hwprofd-onnxruntime-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	a := &adapter{api: api, options: o, folder: folder, begin: time.Now()}
	defer a.unload()
	return a.serve(os.Stdin, os.NewFile(uintptr(replies), "replies"))
}

// adapter answers requests.
type adapter struct {
	api     *api
	options options
	folder  string
	begin   time.Time // of the clock
	model   string
	inputs  []tensor
	session *session
	garbage int // bytes that were read since it was collected
}

// mostGarbage is how many bytes may be left before they are collected. With the
// program's one processor and its late timers that takes some 40 ms, longer than
// loading many a model.
const mostGarbage = 64 << 20

func (a *adapter) collect() {
	if a.garbage > mostGarbage {
		runtime.GC()
		a.garbage = 0
	}
}

type request struct {
	Op       string `json:"op"`
	Protocol int    `json:"protocol"`
	Model    string `json:"model"`
	Inputs   []struct {
		Name string `json:"name"`
		File string `json:"file"`
	} `json:"inputs"`
	N      int    `json:"n"`
	Warm   int    `json:"warm"`
	Folder string `json:"folder"`
}

// reply holds the fields of all replies.
type reply struct {
	OK       bool              `json:"ok"`
	Error    string            `json:"error,omitempty"`
	Protocol int               `json:"protocol,omitempty"`
	Name     string            `json:"name,omitempty"`
	Version  string            `json:"version,omitempty"`
	Options  map[string]string `json:"options,omitempty"`
	Threads  int               `json:"threads,omitempty"`
	Step     int64             `json:"clock_step_ns,omitempty"`
	Can      []string          `json:"can,omitempty"`
	Start    *int64            `json:"start_ns,omitempty"`
	End      *int64            `json:"end_ns,omitempty"`
	Nodes    []nodeTime        `json:"nodes,omitzero"`
	Graph    []graphNode       `json:"graph,omitzero"`
	Outputs  []string          `json:"outputs,omitzero"`
}

// serve answers requests until it is asked to end, or there are no more.
func (a *adapter) serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var q request
		var r reply
		if err = json.Unmarshal(line, &q); err != nil {
			err = fmt.Errorf("the request is not JSON: %w", err)
		} else {
			r, err = a.answer(q)
		}
		if err != nil {
			r = reply{Error: err.Error()}
		}
		r.OK = err == nil
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(text, '\n')); err != nil {
			return err
		}
		if r.OK && q.Op == "shutdown" {
			return nil
		}
	}
}

func (a *adapter) answer(q request) (reply, error) {
	switch q.Op {
	case "hello":
		if q.Protocol != protocolVersion {
			return reply{}, fmt.Errorf("protocol %d is not spoken, only %d", q.Protocol, protocolVersion)
		}
		return reply{
			Protocol: protocolVersion, Name: "onnxruntime", Version: a.api.version, Options: a.options.named(),
			Threads: a.options.threads, Step: a.clockStep(), Can: []string{"outputs", "nodes", "graph"},
		}, nil
	case "load":
		a.unload()
		a.collect()
		for _, in := range q.Inputs {
			t, err := readNPY(in.File)
			if err != nil {
				return reply{}, err
			}
			t.name = in.Name
			a.garbage += len(t.data)
			a.inputs = append(a.inputs, t)
		}
		s, err := a.api.newSession(q.Model, a.options, a.inputs, written{})
		if err != nil {
			return reply{}, err
		}
		a.session, a.model = s, q.Model
		return reply{}, s.run(1)
	case "unload":
		a.unload()
		return reply{}, nil
	case "shutdown":
		return reply{}, nil
	case "run", "nodes", "graph", "outputs":
	default:
		return reply{}, fmt.Errorf("operation %q is not known", q.Op)
	}
	if a.session == nil {
		return reply{}, errors.New("no model is loaded")
	}
	if q.Op == "outputs" {
		files, err := a.outputs(q.Folder)
		return reply{Outputs: files}, err
	}
	if q.Op == "graph" {
		nodes, err := a.graph()
		return reply{Graph: nodes}, err
	}
	if q.N < 1 {
		return reply{}, fmt.Errorf("n is %d, want one or more", q.N)
	}
	if q.Op == "nodes" {
		nodes, err := a.nodes(q.N)
		return reply{Nodes: nodes}, err
	}
	if q.Warm > 0 {
		if err := a.session.run(q.Warm); err != nil {
			return reply{}, err
		}
	}
	start := a.now()
	err := a.session.run(q.N)
	end := a.now()
	return reply{Start: &start, End: &end}, err
}

func (a *adapter) unload() {
	if a.session != nil {
		a.session.close()
	}
	a.session, a.inputs = nil, nil
}

// outputs runs the model once and writes what it computes to folder.
func (a *adapter) outputs(folder string) ([]string, error) {
	if !filepath.IsAbs(folder) {
		return nil, fmt.Errorf("folder %q is no absolute path", folder)
	}
	tensors, err := a.session.outputs()
	if err != nil {
		return nil, err
	}
	files := []string{}
	for i, t := range tensors {
		path := filepath.Join(folder, fmt.Sprintf("output%d.npy", i))
		if err := writeNPY(path, t); err != nil {
			return nil, fmt.Errorf("output %q: %w", t.name, err)
		}
		files = append(files, path)
	}
	return files, nil
}

// now is the time in ns by the system's monotonic clock.
func (a *adapter) now() int64 { return time.Since(a.begin).Nanoseconds() }

// clockStep is the smallest step that is seen of the clock.
func (a *adapter) clockStep() int64 {
	smallest := int64(time.Second)
	for range 50 {
		start := a.now()
		step := a.now() - start
		for step == 0 {
			step = a.now() - start
		}
		smallest = min(smallest, step)
	}
	return smallest
}

// pairs are flags of the form key=value.
type pairs [][2]string

func (p *pairs) String() string { return "" }

func (p *pairs) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" {
		return errors.New("want key=value")
	}
	*p = append(*p, [2]string{key, value})
	return nil
}
