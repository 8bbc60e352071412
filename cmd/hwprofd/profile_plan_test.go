package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/graph/zoo"
)

func TestProfilePlanChecks(t *testing.T) {
	good := func() profilePlan {
		return profilePlan{models: []string{"a.onnx"}, caches: []string{"warm"}, threads: []int{1}, batch: []int{1}, kernels: ruleKernels}
	}
	for _, c := range []struct {
		change func(*profilePlan)
		want   string // "": fine
	}{
		{func(p *profilePlan) {}, ""},
		{func(p *profilePlan) { p.grid = "g.json"; p.batch = []int{8, 1}; p.caches = []string{"cold", "warm"} }, ""},
		{func(p *profilePlan) { p.models = nil }, "name what to measure"},
		{func(p *profilePlan) { p.spaces = []string{"mobile28", "fbnet"} }, ""},
		{func(p *profilePlan) { p.cover = time.Minute }, "--cover goes with --space"},
		{func(p *profilePlan) { p.spaces, p.cover = []string{"mobile28", "fbnet"}, time.Minute }, ""},
		{func(p *profilePlan) { p.caches = []string{"hot"} }, `--cache "hot"`},
		{func(p *profilePlan) { p.threads = []int{0} }, "--threads 0"},
		{func(p *profilePlan) { p.batch = []int{-1} }, "--batch -1"},
		{func(p *profilePlan) { p.models, p.spaces, p.batch = nil, []string{"mobile28"}, []int{8} }, "--batch goes with --model"},
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
		p := profilePlan{models: []string{"a.onnx"}, caches: c.caches, threads: c.threads, batch: []int{1}, kernels: ruleKernels}
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

// TestProfileItemsOfSpaces gives two spaces, one of them twice, and a model.
func TestProfileItemsOfSpaces(t *testing.T) {
	g, err := zoo.Build("mobilenetv2", zoo.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	model := filepath.Join(t.TempDir(), "m.onnx")
	if err := onnx.Write(model, g); err != nil {
		t.Fatal(err)
	}
	p := profilePlan{spaces: []string{"mobile28", "nasbench201", "mobile28"}, models: []string{model}, batch: []int{1}, cover: time.Minute, outside: true}
	design, workloads, networks, err := p.items(1, p.cover)
	if err != nil {
		t.Fatal(err)
	}
	if len(design.aims) != coverNetworks {
		t.Errorf("designed for %d networks, want %d", len(design.aims), coverNetworks)
	}
	if n := len(distinct(slices.Clone(workloads))); n != len(workloads) {
		t.Errorf("%d workloads, but only %d different ones", len(workloads), n)
	}
	count := map[string]int{}
	for _, n := range networks {
		from, _, _ := strings.Cut(n.Name, ":")
		count[from+" "+n.Use]++
		g, err := n.Lowered()
		if err != nil {
			t.Fatal(err)
		}
		of, err := graphWorkloads(g)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range of {
			if n.Name == model && !slices.Contains(workloads, w) {
				t.Errorf("workload %s of the model is missing", w)
			}
		}
	}
	fit, calibrate := networksEach(2, true, p.cover)
	want := map[string]int{model + " fit": 1, "mobile28 fit": fit, "mobile28 calibrate": calibrate, "nasbench201 fit": fit, "nasbench201 calibrate": calibrate}
	if !maps.Equal(count, want) {
		t.Errorf("networks %v, want %v", count, want)
	}
	p.spaces = []string{"mobile28", "mobile29"}
	if _, _, _, err := p.items(1, p.cover); !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), "mobile29") {
		t.Errorf("a space that there is not: %v", err)
	}
}

func TestNetworksEach(t *testing.T) {
	for _, c := range []struct {
		spaces         int
		cover          bool
		budget         time.Duration
		fit, calibrate int
	}{
		{1, false, time.Second, 20, 29},
		{1, false, time.Hour, 20, 29},
		{1, true, time.Second, 4, 6},
		{2, true, time.Hour, 90, 60},
		{4, false, 5 * time.Minute, 67, 45},  // 112 of 0.4 s are a quarter of 180 s
		{10, false, 5 * time.Minute, 27, 18}, // 45 of 0.4 s are a tenth of 180 s
		{10, false, time.Minute, 5, 6},       // 9 each
	} {
		if fit, calibrate := networksEach(c.spaces, c.cover, c.budget); fit != c.fit || calibrate != c.calibrate {
			t.Errorf("%d spaces in %v: %d and %d networks each, want %d and %d", c.spaces, c.budget, fit, calibrate, c.fit, c.calibrate)
		}
	}
}

func TestTakeTurns(t *testing.T) {
	list := func(widths ...int) []graph.Workload {
		var of []graph.Workload
		for _, c := range widths {
			of = append(of, graph.Workload{Op: graph.OpRelu, DType: graph.F32, N: 1, C: c, H: 1, W: 1})
		}
		return of
	}
	for _, c := range []struct {
		ranked [][]graph.Workload
		most   int
		given  []graph.Workload
		want   []graph.Workload
	}{
		{[][]graph.Workload{list(1, 2, 3)}, 2, nil, list(1, 2)},
		{[][]graph.Workload{list(1, 2, 3), list(1, 4, 3, 5)}, 9, nil, list(1, 4, 2, 3, 5)},
		{[][]graph.Workload{list(1, 2, 3), list(4)}, 9, list(1, 7), list(2, 4, 3)},
		{[][]graph.Workload{list(1, 2, 3), list(4)}, 3, list(7, 7), list(1, 4)},
		{[][]graph.Workload{list(1, 2, 3), list(4)}, 4, list(7, 8, 9, 10), list(1, 4)},
		{nil, 4, nil, nil},
	} {
		if got := takeTurns(c.ranked, c.most, c.given); !slices.Equal(got, c.want) {
			t.Errorf("%v, at most %d beside %v: %v, want %v", c.ranked, c.most, c.given, got, c.want)
		}
	}
}

// TestOfEachFamily wants the smallest, the largest and what is between of each
// family, and all of one with few.
func TestOfEachFamily(t *testing.T) {
	var workloads []graph.Workload
	for c := 8; c <= 80; c += 2 {
		workloads = append(workloads, graph.Workload{Op: graph.OpLinear, DType: graph.F32, N: 1, C: c, K: 10, Epilogue: "none"})
	}
	for c := range 3 {
		workloads = append(workloads, graph.Workload{Op: graph.OpRelu, DType: graph.F32, N: 1, C: 5 - c, H: 4, W: 4})
	}
	some := ofEachFamily(append(workloads, workloads...), 5)
	var channels []int
	for _, w := range some {
		channels = append(channels, w.C)
	}
	if fmt.Sprint(channels) != "[8 26 44 62 80 3 4 5]" {
		t.Errorf("channels %v", channels)
	}
}
