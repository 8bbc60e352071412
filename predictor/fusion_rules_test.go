package predictor

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// otherRuntime is a table of a runtime that fuses relu into convolutions and not
// hswish, whose runs cost 3 us and whose convolutions pay a fifth at the borders.
func otherRuntime(t *testing.T, account bool) *lut.Table {
	t.Helper()
	table := &lut.Table{Meta: lut.Meta{Schema: lut.Schema, Fingerprint: "0123456789ab", Runtime: "other", Threads: 1, RuntimeOverheadNS: 3000}}
	nodes := func(n float64) *float64 {
		if !account {
			return nil
		}
		return &n
	}
	m := newMachine(3)
	row := func(w graph.Workload, ns float64) {
		r := m.row(w)
		border := 0.0
		if w.Op == graph.OpConv2D {
			border = ns / 5
		}
		r.LatencyMedianNS, r.LatencyCI95NS = ns+border+3000, 0.01*ns
		r.RuntimeNodes, r.BorderNS = nodes(1), &border
		table.Rows = append(table.Rows, r)
	}
	for i, c := range []int{16, 32, 64} {
		w := conv(c, 2*c, 28, 1, 1, 1, "none")
		base := 20000 * float64(i+1)
		row(w, base)
		for _, second := range []graph.Op{graph.OpRelu, graph.OpHardSwish} {
			a := graph.Workload{Op: second, DType: graph.F32, N: 1, C: 2 * c, H: 28, W: 28}
			row(a, base/3)
			together, count := base*1.01, 1.
			if second == graph.OpHardSwish {
				together, count = base+base/3, 2
			}
			table.Networks = append(table.Networks, lut.Network{
				Name: "pair " + w.String() + " + " + a.String(), Use: lut.UsePair, Workloads: []string{w.String(), a.String()},
				LatencyMedianNS: together + 3000, LatencyP10NS: together, LatencyP90NS: together + 4000, LatencyCI95NS: 0.01 * together, Samples: 9, RuntimeNodes: nodes(count),
			})
		}
	}
	return table
}

func TestFusionRules(t *testing.T) {
	for account, by := range map[bool]string{true: ByAccount, false: ByTimes} {
		p := mustFit(t, otherRuntime(t, account))
		want := []FusionRule{
			{First: "pointwise", Second: "hswish", By: by, Pairs: 3},
			{First: "pointwise", Second: "relu", Fused: true, By: by, Pairs: 3},
		}
		if diff := cmp.Diff(want, p.Fusion()); diff != "" {
			t.Errorf("account %v, -want +got:\n%s", account, diff)
		}
		whole, apart := conv(16, 32, 28, 1, 1, 1, "relu"), conv(16, 32, 28, 1, 1, 1, "hswish")
		prediction, err := p.Predict([]graph.Workload{whole, apart})
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, part := range prediction.Parts {
			keys = append(keys, part.Workload.String())
		}
		alone := conv(16, 32, 28, 1, 1, 1, "none")
		if want := []string{whole.String(), alone.String(), "hswish/f32/n1c32h28w28"}; !slices.Equal(keys, want) {
			t.Errorf("parts %v, want %v", keys, want)
		}
		// Without the run and the borders.
		if ns := prediction.Parts[1].LatencyNS; math.Abs(ns-20000) > 1 {
			t.Errorf("the convolution takes %.0f ns of a network, want 20000", ns)
		}
	}
}

// TestWholeWithinNetworks wants a workload whole that networks tell the time of,
// although the runtime does it in two steps.
func TestWholeWithinNetworks(t *testing.T) {
	table := otherRuntime(t, true)
	apart := conv(16, 32, 28, 1, 1, 1, "hswish")
	alike := conv(32, 64, 28, 1, 1, 1, "hswish") // not in them
	other := conv(32, 64, 28, 1, 1, 1, "add.hswish")
	relu := conv(16, 32, 28, 1, 1, 1, "relu")
	for i := range minOverhead {
		n := float64(i + 1)
		table.Networks = append(table.Networks, lut.Network{
			Name: "network " + string(rune('a'+i)), Use: "fit", Workloads: slices.Concat([]string{apart.String()}, slices.Repeat([]string{relu.String()}, i+1)),
			LatencyMedianNS: 30000 + 20000*n, LatencyP10NS: 20000 * n, LatencyP90NS: 40000 * (n + 1), LatencyCI95NS: 100, Samples: 9,
			Shares: slices.Concat([]float64{30000 / (30000 + 20000*n)}, slices.Repeat([]float64{20000 / (30000 + 20000*n)}, i+1)),
		})
	}
	p := mustFit(t, table)
	p.setRules(append(p.Fusion(), FusionRule{First: "pointwise/add", Second: "hswish"}))
	path := filepath.Join(t.TempDir(), "predictor")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Predictor{p, loaded} {
		got := p.Cut([]graph.Workload{apart, alike, other})
		if len(got) != 4 || got[0] != apart || got[1] != alike || got[2].Epilogue != "add" {
			t.Errorf("cut into %v", got)
		}
	}
}

// TestFusionRulesThatDisagree wants a rule of what most pairs say, and none of
// what is not decided.
func TestFusionRulesThatDisagree(t *testing.T) {
	table := otherRuntime(t, true)
	two := 2.0
	for i := range table.Networks {
		n := &table.Networks[i]
		if strings.Contains(n.Name, "relu") {
			n.RuntimeNodes = &two
			break
		}
	}
	p := mustFit(t, table)
	if r := p.Fusion()[1]; !r.Fused || r.Pairs != 3 || r.Others != 1 {
		t.Errorf("rule %+v", r)
	}
	table = otherRuntime(t, false)
	for i := range table.Networks {
		table.Networks[i].LatencyCI95NS = table.Networks[i].LatencyMedianNS
	}
	if rules := mustFit(t, table).Fusion(); len(rules) != 0 {
		t.Errorf("rules %+v of what cannot be told", rules)
	}
	table.Networks[0].Workloads = table.Networks[0].Workloads[:1]
	if _, err := Fit(table); err == nil || !strings.Contains(err.Error(), "pair of 1 workloads") {
		t.Errorf("error %v", err)
	}
}

// TestUnfused takes every epilogue apart and wants what a graph would have.
func TestUnfused(t *testing.T) {
	p := new(Predictor)
	p.memory = newMemory()
	p.setRules([]FusionRule{{First: "pointwise/add", Second: "relu"}, {First: "pointwise", Second: "add"}, {First: "linear", Second: "gelu"}})
	for key, want := range map[string]string{
		"conv2d/f32/n1c8h7w7/k16r1s1/stride2.pad0.dil1.group1/add.relu": "conv2d/f32/n1c8h7w7/k16r1s1/stride2.pad0.dil1.group1/none add/f32/n1c16h4w4/k16r4s4/none relu/f32/n1c16h4w4",
		"conv2d/f32/n1c8h7w7/k16r1s1/stride1.pad0.dil1.group1/add":      "conv2d/f32/n1c8h7w7/k16r1s1/stride1.pad0.dil1.group1/none add/f32/n1c16h7w7/k16r7s7/none",
		"conv2d/f32/n1c8h7w7/k16r1s1/stride1.pad0.dil1.group1/relu":     "conv2d/f32/n1c8h7w7/k16r1s1/stride1.pad0.dil1.group1/relu",
		"linear/f32/n197c192/k768/gelu":                                 "linear/f32/n197c192/k768/none gelu/f32/n1c197h768w1",
		"linear/f32/n1c192/k768/gelu":                                   "linear/f32/n1c192/k768/none gelu/f32/n1c768h1w1",
		"attention/f32/n1c12h8w72/k12r64s64/mask":                       "attention/f32/n1c12h8w72/k12r64s64/mask",
	} {
		w, err := graph.ParseWorkload(key)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, step := range p.Cut([]graph.Workload{w}) {
			if err := step.Validate(); err != nil {
				t.Error(err)
			}
			got = append(got, step.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s becomes %v", key, got)
		}
	}
}
