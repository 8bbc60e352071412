package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/graph/zoo"
)

func TestProfilePlanChecks(t *testing.T) {
	good := func() profilePlan {
		return profilePlan{models: []string{"a.onnx"}, caches: []string{"warm"}, threads: []int{1}, batch: []int{1}}
	}
	for _, c := range []struct {
		change func(*profilePlan)
		want   string // "": fine
	}{
		{func(p *profilePlan) {}, ""},
		{func(p *profilePlan) { p.grid = "g.json"; p.batch = []int{8, 1}; p.caches = []string{"cold", "warm"} }, ""},
		{func(p *profilePlan) { p.models = nil }, "name what to measure"},
		{func(p *profilePlan) { p.space = "mobile28" }, "either --space"},
		{func(p *profilePlan) { p.caches = []string{"hot"} }, `--cache "hot"`},
		{func(p *profilePlan) { p.threads = []int{0} }, "--threads 0"},
		{func(p *profilePlan) { p.batch = []int{-1} }, "--batch -1"},
		{func(p *profilePlan) { p.models, p.space, p.batch = nil, "mobile28", []int{8} }, "--batch goes with --model"},
	} {
		p := good()
		c.change(&p)
		err := p.check(false)
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, new(usageError)) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// TestProfilePlanOfOutsideRuntime refuses what only the program's own runtime
// can do.
func TestProfilePlanOfOutsideRuntime(t *testing.T) {
	for _, c := range []struct {
		caches  []string
		threads []int
		want    string // "": fine
	}{
		{[]string{"warm"}, []int{1}, ""},
		{[]string{"cold"}, []int{1}, "--cache cold"},
		{[]string{"warm", "cold"}, []int{1}, "--cache cold"},
		{[]string{"warm"}, []int{2}, "--threads"},
	} {
		p := profilePlan{models: []string{"a.onnx"}, caches: c.caches, threads: c.threads, batch: []int{1}}
		if err := p.check(false); err != nil {
			t.Errorf("caches %v, threads %v of the own runtime: %v", c.caches, c.threads, err)
		}
		err := p.check(true)
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, new(usageError)) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("caches %v, threads %v: error %v, want %q", c.caches, c.threads, err, c.want)
		}
	}
}

func TestProfileNamesTables(t *testing.T) {
	p := profilePlan{threads: []int{1, 2}}
	if got := p.output("x/pi4.lut.parquet", 2); got != filepath.FromSlash("x/pi4.threads2.lut.parquet") {
		t.Errorf("table of two threads %q", got)
	}
	p.threads = []int{2}
	if got := p.output("pi4.lut.parquet", 2); got != "pi4.lut.parquet" {
		t.Errorf("the only table is %q", got)
	}
}

// TestProfileItems gives a model twice, in two batches, and a grid that names a
// workload of it.
func TestProfileItems(t *testing.T) {
	g, err := zoo.Build("mobilenetv2", zoo.Options{Size: 32})
	if err != nil {
		t.Skipf("no such network: %v", err)
	}
	dir := t.TempDir()
	model, grid := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "grid.json")
	if err := onnx.Write(model, g); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(grid, []byte(`["relu/f32/n1c16h2w2"]`), 0o644); err != nil {
		t.Fatal(err)
	}
	p := profilePlan{models: []string{model, model}, grid: grid, batch: []int{1}}
	_, workloads, networks, err := p.items(1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if len(networks) != 1 || networks[0].Name != model || len(workloads) < 10 {
		t.Errorf("%d networks, %d workloads", len(networks), len(workloads))
	}
	// Its file fixes the batch.
	p.batch = []int{8}
	if _, _, _, err := p.items(1, time.Minute); err == nil || !strings.Contains(err.Error(), "--batch 8") || !strings.Contains(err.Error(), model) {
		t.Errorf("a batch that the model does not have: %v", err)
	}
}
