package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/internal/sshlab"
	"github.com/hwprofd/hwprofd/lut"
)

var lib = flag.String("lib", "", "ONNX Runtime's shared library, for TestONNXRuntimeOnSSH")

// shellAdapter is an adapter whose runtime counts.
const shellAdapter = `#!/bin/sh
field() { printf %s "$line" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }
while IFS= read -r line; do
  case $(field op) in
  hello) echo "{\"ok\":true,\"protocol\":1,\"name\":\"counting\",\"version\":\"7\",\"options\":{\"arguments\":\"$*\"},\"threads\":1,\"clock_step_ns\":1000}" ;;
  run)
    n=$(field n) start=$(date +%s%N)
    while [ "$n" -gt 0 ]; do n=$((n - 1)); done
    echo "{\"ok\":true,\"start_ns\":$start,\"end_ns\":$(date +%s%N)}" ;;
  *) echo '{"ok":true}' ;;
  esac
done
`

// profileRuntime measures another runtime on a target, and returns the table.
func profileRuntime(t *testing.T, l *sshlab.Lab, name string, args ...string) *lut.Table {
	t.Helper()
	dir := t.TempDir()
	model, output := filepath.Join(dir, "model.onnx"), filepath.Join(dir, "kitchen.lut.parquet")
	if err := writeModel(model); err != nil {
		t.Fatal(err)
	}
	flags := []string{"profile", "--runtime", name, "--on", "ssh://kitchen", "-o", output, "--model", model, "--budget", "2s", "--meter", "none", "--"}
	runProgram(t, program(t), append(flags, args...)...)
	l.Left(t)
	table, err := lut.Read(output)
	if err != nil {
		t.Fatal(err)
	}
	var networks []string
	for _, n := range table.Networks {
		if n.Use != lut.UsePair {
			networks = append(networks, n.Name)
		}
	}
	if len(table.Rows) == 0 || !slices.Equal(networks, []string{model}) || len(table.Failures) > 0 {
		t.Errorf("%d rows, networks %q, failures %v", len(table.Rows), networks, table.Failures)
	}
	if table.Meta.Target != "ssh://kitchen" {
		t.Errorf("target %q", table.Meta.Target)
	}
	return table
}

// TestAdapterOnSSH sends an adapter along.
func TestAdapterOnSSH(t *testing.T) {
	if exec.Command("sh", "-c", `[ "$(date +%N | wc -c)" -ge 10 ]`).Run() != nil {
		t.Skip("date shows no nanoseconds here")
	}
	adapter := filepath.Join(t.TempDir(), "it's an $(adapter).sh")
	if err := os.WriteFile(adapter, []byte(shellAdapter), 0o644); err != nil { // the target makes it a program
		t.Fatal(err)
	}
	m := profileRuntime(t, sshlab.New(t, ""), adapter, "--fast", "a 'b'").Meta
	if m.Runtime != "counting" || m.RuntimeVersion != "7" || m.RuntimeOptions["arguments"] != "--fast a 'b'" {
		t.Errorf("runtime %s %s %v", m.Runtime, m.RuntimeVersion, m.RuntimeOptions)
	}
}

// TestONNXRuntimeOnSSH brings the adapter for ONNX Runtime, which is built on
// the spot, to a target that has the library.
func TestONNXRuntimeOnSSH(t *testing.T) {
	if *lib == "" {
		t.Skip("no -lib given")
	}
	m := profileRuntime(t, sshlab.New(t, ""), "onnxruntime", "--lib", *lib, "--optimization", "basic").Meta
	if m.Runtime != "onnxruntime" || !strings.HasPrefix(m.RuntimeVersion, "1.") || m.RuntimeOptions["optimization"] != "basic" || m.RuntimeOptions["provider"] != "cpu" {
		t.Errorf("runtime %s %s %v", m.Runtime, m.RuntimeVersion, m.RuntimeOptions)
	}
}

// TestNoLibraryOnSSH brings the adapter to a target that lacks the library.
func TestNoLibraryOnSSH(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no Go to build the adapter with")
	}
	l := sshlab.New(t, "")
	dir := t.TempDir()
	model, output := filepath.Join(dir, "model.onnx"), filepath.Join(dir, "t.lut.parquet")
	if err := writeModel(model); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program(t), "profile", "-o", output, "--model", model, "--on", "ssh://kitchen",
		"--runtime", "onnxruntime", "--", "--lib", "/no/such/libonnxruntime.so").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "target: ssh://kitchen: ") || !strings.Contains(string(out), "--lib /no/such/libonnxruntime.so") {
		t.Errorf("%v: %s", err, out)
	}
	l.Left(t)
}
