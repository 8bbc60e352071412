package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestToolsReadExports opens exports of a table by the tools that they are for.
func TestToolsReadExports(t *testing.T) {
	if testing.Short() {
		t.Skip("builds pprof and benchstat, which takes long; run without -short")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go on PATH to build pprof and benchstat with")
	}
	bin, dir := program(t), t.TempDir()
	table := func(name string, ns float64) string {
		var text strings.Builder
		for i := range 9 { // their medians are those of the middle one
			fmt.Fprintf(&text, "BenchmarkKernels/softmax/f32/n1c1000 1 %g ns/op\n", ns+float64(i))
			fmt.Fprintf(&text, "BenchmarkKernels/relu/f32/n1c64h7w7 1 %g ns/op\n", 500+float64(i))
		}
		times, path := filepath.Join(dir, name+".times"), filepath.Join(dir, name+".lut.parquet")
		if err := os.WriteFile(times, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		runProgram(t, bin, "lut", "import", times, "-o", path)
		return path
	}
	export := func(path, format string) string {
		out := path + "." + format
		runProgram(t, bin, "lut", "export", "--format", format, path, "-o", out)
		return out
	}
	old, later := table("old", 1000), table("new", 1500)

	out, err := exec.CommandContext(t.Context(), goTool, "run", "golang.org/x/perf/cmd/benchstat", "-ignore", "created,protocol,device", export(old, "bench"), export(later, "bench")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "softmax/f32/n1c1000") || !strings.Contains(string(out), "1.004µ") || !strings.Contains(string(out), "1.504µ") {
		t.Errorf("benchstat: %v\n%s", err, out)
	}

	serving := exec.CommandContext(t.Context(), goTool, "tool", "pprof", "-no_browser", "-http=localhost:", export(old, "pprof"))
	serving.Env = append(os.Environ(), "PPROF_TMPDIR="+dir)
	stderr, err := serving.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serving.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		serving.Process.Signal(os.Interrupt) // which go hands on to pprof
		serving.Wait()
	}()
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "Serving web UI on "); ok {
			for _, page := range []string{"/top", "/flamegraph"} {
				if text := fetchSoon(t, url+page); !strings.Contains(text, "softmax/f32/n1c1000") {
					t.Errorf("pprof's page %s lacks a workload: %.300s", page, text)
				}
			}
			return
		}
		t.Log(lines.Text())
	}
	t.Error("pprof ended at once")
}

// fetchSoon gets a page of a server that is about to listen.
func fetchSoon(t *testing.T, url string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		response, err := http.Get(url)
		if err != nil {
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
			continue
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d, %v", url, response.StatusCode, err)
		}
		return string(text)
	}
}
