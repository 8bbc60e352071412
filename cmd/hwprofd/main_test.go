package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hwprofd": main})
}

// TestScripts runs the program as a user would; see testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: func(env *testscript.Env) error { return writeModel(filepath.Join(env.WorkDir, "model.onnx")) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"truncate": truncateFile,
			"fails":    failsWith,
		},
	})
}

// writeModel writes a small network with weights.
func writeModel(path string) error {
	b := graph.NewBuilder("small")
	x := b.Conv("stem", b.Input("image", 1, 1, 12, 12), 8, 3, 3, 2, 1, 1, true)
	x = b.Activation(graph.OpRelu, x)
	x = b.Activation(graph.OpHardSwish, b.Conv("depthwise", x, 8, 3, 3, 1, 1, 8, true))
	x = b.Linear("classifier", b.Flatten(b.GlobalAveragePool(x)), 3)
	g, err := b.Build(x)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, p := range g.Parameters() {
		p.Data = make([]float32, p.Elements())
		for i := range p.Data {
			p.Data[i] = float32(rng.NormFloat64())
		}
	}
	return onnx.Write(path, g)
}

// truncateFile cuts a file after a number of bytes: truncate FROM TO BYTES.
func truncateFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: truncate FROM TO BYTES")
	}
	content := []byte(ts.ReadFile(args[0]))
	n := 0
	for _, c := range args[2] {
		n = 10*n + int(c-'0')
	}
	if n >= len(content) {
		ts.Fatalf("%s has only %d bytes", args[0], len(content))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), content[:n], 0o644))
}

// failsWith runs a command that has to fail with an exit code and one line
// that says why at the end of standard error, below any progress, and contains
// a text: fails CODE TEXT COMMAND...
func failsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: fails CODE TEXT COMMAND...")
	}
	err := ts.Exec(args[2], args[3:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		ts.Fatalf("%v: error %v, want an exit code", args[2:], err)
	}
	if got := strconv.Itoa(exit.ExitCode()); got != args[0] {
		ts.Fatalf("%v: exit code %s, want %s", args[2:], got, args[0])
	}
	stderr := ts.ReadFile("stderr")
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	last := lines[len(lines)-1]
	if strings.Count("\n"+stderr, "\nhwprofd: ") != 1 || !strings.HasPrefix(last, "hwprofd: ") || !strings.Contains(last, args[1]) {
		ts.Fatalf("%v: want a last line that begins with \"hwprofd: \" and contains %q on standard error, got:\n%s", args[2:], args[1], stderr)
	}
}
