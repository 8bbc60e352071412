package predictor

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

var writeGolden = flag.Bool("golden", false, "write the golden file of the current version of predictor files")

// steppedTable has families for all kinds of regression: linear layers that
// cost in steps, which trees follow best.
func steppedTable() *lut.Table {
	m := newMachine(6)
	table := m.table(110, 10, 30)
	table.Meta.Fingerprint, table.Meta.Runtime, table.Meta.Threads = "0123456789ab", "hwprofd", 1
	for c := 5; c < 100; c += 7 {
		for _, k := range []int{3, 17, 40, 90} {
			row := m.row(graph.Workload{Op: graph.OpLinear, DType: graph.F32, N: 1, C: c, K: k, Epilogue: "none"})
			row.LatencyMedianNS = 900
			if c > 40 {
				row.LatencyMedianNS *= 2.5
			}
			if k > 20 {
				row.LatencyMedianNS *= 1.7
			}
			table.Rows = append(table.Rows, row)
		}
	}
	for c := 4; c < 60; c += 4 {
		row := m.row(graph.Workload{Op: graph.OpRelu, DType: graph.F32, N: 1, C: c, H: 7, W: 7})
		row.LatencyMedianNS = 100 + 0.5*float64(c*49*8)
		table.Rows = append(table.Rows, row)
	}
	for c := 4; c < 40; c += 5 { // too few rows for a regression
		table.Rows = append(table.Rows, m.row(graph.Workload{Op: graph.OpSigmoid, DType: graph.F32, N: 1, C: c, H: 7, W: 7}))
	}
	for i := range table.Rows {
		if i%2 == 0 {
			mj := 1e-6 * table.Rows[i].LatencyMedianNS
			table.Rows[i].EnergyMJ, table.Rows[i].EnergySource = &mj, "meter"
		}
	}
	return table
}

// strangers are workloads without a row: one for each source.
func strangers() []graph.Workload {
	return []graph.Workload{
		conv(40, 56, 9, 1, 1, 1, "relu"), conv(24, 40, 21, 1, 1, 1, "hswish"), conv(40, 40, 9, 3, 1, 40, "sigmoid"),
		{Op: graph.OpLinear, DType: graph.F32, N: 1, C: 33, K: 50, Epilogue: "none"},
		{Op: graph.OpLinear, DType: graph.F32, N: 2, C: 70, K: 50, Epilogue: "none"},
		{Op: graph.OpSigmoid, DType: graph.F32, N: 1, C: 21, H: 7, W: 7},
		{Op: graph.OpSoftmax, DType: graph.F32, N: 1, C: 10},
		{Op: graph.OpRelu, DType: graph.F32, N: 1, C: 30, H: 7, W: 7},
	}
}

func TestSaveLoad(t *testing.T) {
	p := mustFit(t, steppedTable())
	p.setRules([]FusionRule{{First: "conv2d", Second: "relu", Fused: true, By: ByTimes, Pairs: 2}})
	p.overhead.knots, p.overhead.spill = []float64{1000, 5000}, []float64{0.1, 0.2}
	kinds := map[string]bool{}
	for _, m := range p.Models() {
		kinds[m.Kind] = true
	}
	if !kinds[boostedTrees] || !kinds[gaussianProcess] || !kinds[additive] {
		t.Fatalf("kinds of regression: %v", kinds)
	}
	path := filepath.Join(t.TempDir(), "device.predictor")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Meta().Fingerprint != "0123456789ab" || len(loaded.Models()) != len(p.Models()) || len(loaded.Fusion()) != 1 {
		t.Errorf("read %+v, %d models, fusion %v", loaded.Meta(), len(loaded.Models()), loaded.Fusion())
	}
	sources := map[string]bool{}
	m := newMachine(77)
	for i := range 20 {
		workloads := m.draw()
		if i == 0 {
			workloads = strangers()
		}
		for _, coverage := range []float64{0.5, 0.9, 0.99} {
			a, err := p.Within(coverage)
			if err != nil {
				t.Fatal(err)
			}
			b, err := loaded.Within(coverage)
			if err != nil {
				t.Fatal(err)
			}
			want, err := a.Predict(workloads)
			if err != nil {
				t.Fatal(err)
			}
			got, err := b.Predict(workloads)
			if err != nil {
				t.Fatal(err)
			}
			near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) })
			if diff := cmp.Diff(want, got, near); diff != "" {
				t.Fatalf("read from the file (+), as fitted (-):\n%s", diff)
			}
			for _, part := range got.Parts {
				sources[part.Source] = true
			}
		}
	}
	if len(sources) != 4 {
		t.Errorf("sources %v, want all four", sources)
	}
}

// golden is a file that some version wrote, with what it predicted then.
type golden struct {
	Networks []goldenNetwork `json:"networks"`
}

type goldenNetwork struct {
	Workloads []string `json:"workloads"`
	LatencyNS float64  `json:"latency_ns"`
	LowNS     float64  `json:"low_ns"`
	HighNS    float64  `json:"high_ns"`
	EnergyMJ  float64  `json:"energy_mj"`
	Sources   []string `json:"sources"`
}

// TestGolden reads the file of each version so far.
func TestGolden(t *testing.T) {
	if *writeGolden {
		writeGoldenFile(t)
	}
	for version := 1; version <= FileVersion; version++ {
		base := filepath.Join("testdata", fmt.Sprintf("v%d", version))
		p, err := Load(base + ".predictor")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(base + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var want golden
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		for i, n := range want.Networks {
			workloads := make([]graph.Workload, len(n.Workloads))
			for k, key := range n.Workloads {
				if workloads[k], err = graph.ParseWorkload(key); err != nil {
					t.Fatal(err)
				}
			}
			got, err := p.Predict(workloads)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range [][2]float64{{got.LatencyNS, n.LatencyNS}, {got.LowNS, n.LowNS}, {got.HighNS, n.HighNS}, {got.EnergyMJ, n.EnergyMJ}} {
				if math.Abs(v[0]/v[1]-1) > 1e-9 {
					t.Errorf("version %d, network %d: %.12g where %.12g was predicted", version, i, v[0], v[1])
				}
			}
			if len(got.Parts) != len(n.Sources) {
				t.Errorf("version %d, network %d: %d parts, then %d", version, i, len(got.Parts), len(n.Sources))
				continue
			}
			for k, part := range got.Parts {
				if part.Source != n.Sources[k] {
					t.Errorf("version %d, network %d: workload %d comes from %s, then from %s", version, i, k, part.Source, n.Sources[k])
				}
			}
		}
	}
}

// goldenPredictor has all that a file may have.
func goldenPredictor(t *testing.T) *Predictor {
	p := mustFit(t, steppedTable())
	p.setRules([]FusionRule{{First: "pointwise", Second: "hswish", By: ByTimes, Pairs: 3, Others: 1}, {First: "conv2d/add", Second: "relu", Fused: true, By: ByAccount, Pairs: 2}})
	withPlaces(p, newMachine(8).draw())
	return p
}

// withPlaces lets a network's workloads cost more and less between others.
func withPlaces(p *Predictor, workloads []graph.Workload) {
	for i, w := range workloads {
		before, after := noFamily, noFamily
		if i > 0 {
			before = p.familyIndex(workloads[i-1])
		}
		if i+1 < len(workloads) {
			after = p.familyIndex(workloads[i+1])
		}
		if c, ok := p.memory.costs[w]; ok && c.placeBetween(before, after) < 0 {
			c.places = append(slices.Clone(c.places), place{before, after, 0.7 + 0.1*float64(i%8)})
			p.memory.costs[w] = c
		}
	}
}

func writeGoldenFile(t *testing.T) {
	p := goldenPredictor(t)
	m := newMachine(8)
	lists := [][]graph.Workload{strangers(), m.draw(), m.draw(), m.draw()}
	var g golden
	for _, workloads := range lists {
		prediction, err := p.Predict(workloads)
		if err != nil {
			t.Fatal(err)
		}
		n := goldenNetwork{LatencyNS: prediction.LatencyNS, LowNS: prediction.LowNS, HighNS: prediction.HighNS, EnergyMJ: prediction.EnergyMJ}
		for _, w := range workloads {
			n.Workloads = append(n.Workloads, w.String())
		}
		for _, part := range prediction.Parts {
			n.Sources = append(n.Sources, part.Source)
		}
		g.Networks = append(g.Networks, n)
	}
	text, err := json.MarshalIndent(g, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join("testdata", fmt.Sprintf("v%d", FileVersion))
	// A predictor that was not asked before: what is not in its table is worked out again.
	if err := goldenPredictor(t).Save(base + ".predictor"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(base+".json", text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPython runs the reader that docs/prediction.md shows.
func TestPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	if err := exec.Command(python, "-c", "import numpy").Run(); err != nil {
		t.Skip("no numpy")
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "prediction.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, code, ok := strings.Cut(string(page), "```python\n")
	code, _, closed := strings.Cut(code, "```")
	if !ok || !closed {
		t.Fatal("docs/prediction.md shows no Python")
	}
	if n := strings.Count(code, "\n"); n > 15 {
		t.Errorf("the reader has %d lines", n)
	}
	p := mustFit(t, steppedTable())
	p.overhead.knots, p.overhead.spill = []float64{1000, 5000}, []float64{0.1, 0.2}
	withPlaces(p, newMachine(8).draw())
	m := newMachine(8)
	networks := [][]graph.Workload{strangers(), m.draw(), m.draw()}
	var want [][3]float64
	var keys [][]string
	for _, workloads := range networks {
		prediction, err := p.Predict(workloads)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, [3]float64{prediction.LatencyNS, prediction.LowNS, prediction.HighNS})
		var list []string
		for _, w := range workloads {
			list = append(list, w.String())
		}
		keys = append(keys, list)
	}
	path := filepath.Join(t.TempDir(), "device.predictor")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(python, "-c", code+"\nimport sys\nfor keys in json.load(sys.stdin): print(*(repr(float(v)) for v in predict(sys.argv[1], keys)))", path)
	command.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines:\n%s", len(lines), output)
	}
	for i, line := range lines {
		var got [3]float64
		if _, err := fmt.Sscan(line, &got[0], &got[1], &got[2]); err != nil {
			t.Fatal(err)
		}
		for k := range got {
			if math.Abs(got[k]/want[i][k]-1) > 1e-12 {
				t.Errorf("network %d: Python says %v, the predictor %v", i, got, want[i])
			}
		}
	}
}

// TestDamagedFiles wants errors, and no panic, whatever is broken.
func TestDamagedFiles(t *testing.T) {
	content, err := mustFit(t, newMachine(1).table(40, 4, 4)).encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decode(content); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		change func([]byte) []byte
		want   string
	}{
		{func(b []byte) []byte { return b[:5] }, "too short"},
		{func(b []byte) []byte { return b[:100] }, "cut off"},
		{func(b []byte) []byte { return b[:len(b)-100] }, "lies at"},
		{func(b []byte) []byte { return bytes.Replace(b, []byte(fileFormat), []byte("hwprofd.something"), 1) }, "it is no predictor"},
		{func(b []byte) []byte { return bytes.Replace(b, []byte(`"version":"5"`), []byte(`"version":"7"`), 1) }, "version 7 is newer than 5: update hwprofd to read it"},
		{func(b []byte) []byte { return bytes.Replace(b, []byte(`"F64"`), []byte(`"F16"`), 1) }, `of type "F16"`},
		{func(b []byte) []byte {
			return bytes.Replace(b, []byte(`overhead.factors`), []byte(`overhead.fbctors`), 1)
		}, `tensor "overhead.factors" is missing`},
		{func(b []byte) []byte { return bytes.Replace(b, []byte(`conv2d/f32/n1`), []byte(`conv9d/f32/n1`), 1) }, "workload 0"},
	} {
		_, err := decode(test.change(bytes.Clone(content)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 400 {
		damaged := bytes.Clone(content)
		for range 1 + rng.IntN(3) {
			damaged[rng.IntN(len(damaged))] ^= byte(1 << rng.IntN(8))
		}
		if p, err := decode(damaged); err == nil {
			_, _ = p.Predict(strangers())
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "nothing")); err == nil {
		t.Error("no file: no error")
	}
}
