package compat

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/profiler"
)

// standins is where packages are that adapters are tried with in place of the
// real ones; see adapters/testdata/README.md.
const standins = "testdata/standins"

// TestAdapters tries the adapters that are there to be copied, as hwprofd
// runtime check does: PyTorch's and Node's where these are at hand, the others
// with stand-ins for what they need.
func TestAdapters(t *testing.T) {
	skipWithModels(t)
	root, err := filepath.Abs(filepath.Join("..", "..", "adapters"))
	if err != nil {
		t.Fatal(err)
	}
	python := pythonWith(t, "numpy")
	withTorch := pythonWith(t, "torch, onnx")
	peersFolder, err := filepath.Abs(*peers)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		missing   bool
		folder    string
		command   []string
		variables []string
		ok        int // checks that have to pass
	}{
		{"pytorch", withTorch == "", "", []string{withTorch, filepath.Join(root, "pytorch.py")}, nil, 31},
		{"onnxruntime-node", !exists(filepath.Join(peersFolder, "node_modules", "onnxruntime-node")), peersFolder,
			[]string{"node", filepath.Join(root, "onnxruntime-node.mjs")}, nil, 33},
		{"openvino", python == "", "", []string{python, filepath.Join(root, "openvino_runtime.py")}, []string{"PYTHONPATH=" + filepath.Join(root, standins)}, 33},
		{"litert", python == "", "", []string{python, filepath.Join(root, "litert.py")}, []string{"PYTHONPATH=" + filepath.Join(root, standins)}, 15},
		{"benchmark_model", !exists("/bin/sh"), "", []string{filepath.Join(root, "benchmark_model.sh")}, []string{
			"BENCHMARK_MODEL=" + filepath.Join(root, standins, "benchmark_model"), "ONNX2TFLITE=" + filepath.Join(root, standins, "onnx2tflite"),
		}, 15},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.missing {
				t.Skip("what it needs is not at hand")
			}
			for _, v := range c.variables {
				name, value, _ := strings.Cut(v, "=")
				t.Setenv(name, value)
			}
			if c.folder != "" {
				t.Chdir(c.folder)
			}
			report, err := profiler.CheckRuntime(context.Background(), c.command, profiler.ProgramOptions{Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			passed := 0
			for _, check := range report.Checks {
				switch {
				case check.Result == profiler.CheckOK:
					passed++
				// How long twice the runs take is no matter of the adapter on a busy machine.
				case check.Result == profiler.CheckFailed && check.Name == "times add up":
					passed++
					t.Logf("%s: %s", check.Name, check.Detail)
				case check.Result == profiler.CheckFailed:
					t.Errorf("%s: %s", check.Name, check.Detail)
				default:
					t.Logf("%s: %s: %s", check.Result, check.Name, check.Detail)
				}
			}
			if passed < c.ok {
				t.Errorf("%d of %d checks passed, want %d", passed, len(report.Checks), c.ok)
			}
		})
	}
}

// pythonWith is a Python with the modules, "" where there is none.
func pythonWith(t *testing.T, modules string) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import "+modules).Run() == nil {
			return python
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
