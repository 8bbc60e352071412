package compat

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/profiler"
)

// standins is where packages are that adapters are tried with in place of the
// real ones; see adapters/testdata/README.md.
const standins = "testdata/standins"

// TestAdapters tries the adapters as hwprofd runtime check does: those for ONNX
// Runtime and PyTorch where these are at hand, the others with stand-ins for
// what they need.
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
	library := libraryIn(peersFolder)
	for _, c := range []struct {
		name      string
		missing   bool
		folder    string
		command   []string
		variables []string
		ok        int // checks that have to pass
	}{
		{"onnxruntime", library == "", "", []string{filepath.Join(t.TempDir(), "hwprofd-onnxruntime"), "--lib", library}, nil, 42},
		{"pytorch", withTorch == "", "", []string{withTorch, filepath.Join(root, "pytorch.py")}, nil, 36},
		{"onnxruntime-node", !exists(filepath.Join(peersFolder, "node_modules", "onnxruntime-node")), peersFolder,
			[]string{"node", filepath.Join(root, "onnxruntime-node.mjs")}, nil, 38},
		{"openvino", python == "", "", []string{python, filepath.Join(root, "openvino_runtime.py")}, []string{"PYTHONPATH=" + filepath.Join(root, standins)}, 40},
		{"litert", python == "", "", []string{python, filepath.Join(root, "litert.py")}, []string{"PYTHONPATH=" + filepath.Join(root, standins)}, 19},
		{"benchmark_model", !exists("/bin/sh"), "", []string{filepath.Join(root, "benchmark_model.sh")}, []string{
			"BENCHMARK_MODEL=" + filepath.Join(root, standins, "benchmark_model"), "ONNX2TFLITE=" + filepath.Join(root, standins, "onnx2tflite"),
		}, 19},
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
			if c.name == "onnxruntime" { // a module of its own
				build := exec.Command("go", "build", "-o", c.command[0], ".")
				build.Dir = filepath.Join(root, "..", "cmd", "hwprofd-onnxruntime")
				if out, err := build.CombinedOutput(); err != nil {
					t.Fatalf("go build: %v: %s", err, out)
				}
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
				case check.Result == profiler.CheckFailed && (check.Name == "times add up" || check.Name == "runs to warm up are not timed"):
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

// TestAdaptersAreShort holds what the docs say of the files in adapters: that they
// have at most 80 lines, and that those that were tried with stand-ins only say
// so in their first lines.
func TestAdaptersAreShort(t *testing.T) {
	skipWithModels(t)
	files, err := filepath.Glob(filepath.Join("..", "..", "adapters", "*.*"))
	if err != nil || len(files) < 5 {
		t.Fatalf("adapters %v, %v", files, err)
	}
	notRun := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(source), "\n"); n > 80 {
			t.Errorf("%s has %d lines", file, n)
		}
		head := strings.Join(strings.SplitN(string(source), "\n", 13)[:12], "\n")
		if strings.Contains(head, "NOT RUN") {
			notRun++
		} else if !strings.Contains(head, "Run with ") {
			t.Errorf("%s does not say in its first lines what it was run with", file)
		}
	}
	if notRun != 3 {
		t.Errorf("%d adapters say that they were not run, want those of OpenVINO, LiteRT and benchmark_model", notRun)
	}
}

// TestBenchmarkModelShells has runs that take seconds: Android's shell, which is
// mksh, counts to 2^31.
func TestBenchmarkModelShells(t *testing.T) {
	skipWithModels(t)
	adapter, err := filepath.Abs(filepath.Join("..", "..", "adapters", "benchmark_model.sh"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	program, model := filepath.Join(folder, "benchmark_model"), filepath.Join(folder, "m.onnx")
	for path, content := range map[string]string{
		program:                           "#!/bin/sh\necho 'Inference timings in us: Init: 81, First inference: 70, Warmup (avg): 52, Inference (avg): 1500000.25'\n",
		model:                             "",
		filepath.Join(folder, "m.tflite"): "",
	} {
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, shell := range []string{"sh", "mksh"} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip(shell, " is not installed")
			}
			cmd := exec.Command(path, adapter, "1")
			cmd.Env = append(os.Environ(), "BENCHMARK_MODEL="+program, "ONNX2TFLITE=")
			cmd.Stdin = strings.NewReader(`{"op":"load","model":"` + model + `"}` + "\n" + `{"op":"run","n":3}` + "\n" + `{"op":"run","n":2}` + "\n")
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			want := `{"ok":true}` + "\n" + `{"ok":true,"start_ns":0,"end_ns":4500000750}` + "\n" + `{"ok":true,"start_ns":4500000750,"end_ns":7500001250}` + "\n"
			if string(out) != want {
				t.Errorf("replies\n%swant\n%s", out, want)
			}
		})
	}
}

// libraryIn is ONNX Runtime's library in a folder where Node's package is
// installed, "" where there is none for this machine.
func libraryIn(folder string) string {
	processor := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	found, _ := filepath.Glob(filepath.Join(folder, "node_modules", "onnxruntime-node", "bin", "*", runtime.GOOS, processor, "libonnxruntime.so.1"))
	if len(found) == 0 {
		return ""
	}
	return found[0]
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
