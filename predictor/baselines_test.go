package predictor

import (
	"math"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

func TestBaselines(t *testing.T) {
	m := newMachine(1)
	p := mustFit(t, m.table(80, 0, 0))
	// Networks that cost exactly 3 ns a multiply-accumulate and 700 ns.
	linear := m.networks("fit", 12)
	for i := range linear {
		workloads, err := networkWorkloads(linear[i])
		if err != nil {
			t.Fatal(err)
		}
		linear[i].LatencyMedianNS = 700 + 3*networkAmounts(workloads)[1]
	}
	list, err := p.Baselines(linear[:8])
	if err != nil {
		t.Fatal(err)
	}
	errors := map[string]Accuracy{}
	for _, b := range list {
		if errors[b.Name], err = EvaluateBaseline(b, linear[8:]); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"FLOPs", "FLOPs + bytes"} {
		if a := errors[name]; a.MaxError > 0.001 || a.Spearman != 1 {
			t.Errorf("%s: %+v of networks that follow it", name, a)
		}
	}
	if len(errors) != 4 || errors["sum of workloads"].MedianError < 0.5 {
		t.Errorf("baselines: %+v", errors)
	}
	workloads, err := networkWorkloads(linear[0])
	if err != nil {
		t.Fatal(err)
	}
	prediction, err := p.Predict(workloads)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range list {
		if b.Name == "sum of workloads" {
			if ns, err := b.Predict(workloads); err != nil || math.Abs(ns-(prediction.LatencyNS-prediction.OverheadNS)) > 1e-6*ns {
				t.Errorf("sum of workloads %g, %v; the prediction has %g", ns, err, prediction.LatencyNS-prediction.OverheadNS)
			}
		}
	}
	if list, err := p.Baselines(nil); err != nil || len(list) != 2 {
		t.Errorf("without networks: %d baselines, %v", len(list), err)
	}
	if _, err := EvaluateBaseline(list[0], nil); err == nil {
		t.Error("no networks: no error")
	}
	if _, err := p.Baselines([]lut.Network{{}, {}, {}}); err == nil {
		t.Error("networks without workloads: no error")
	}
}

func TestSuggest(t *testing.T) {
	m := newMachine(1)
	table := m.table(60, 6, 12)
	p := mustFit(t, table)
	strange := conv(96, 200, 30, 5, 1, 1, "relu") // of a family of few rows
	known, err := table.Rows[0].Workload()
	if err != nil {
		t.Fatal(err)
	}
	workloads := []graph.Workload{strange, conv(40, 56, 9, 1, 1, 1, "relu"), known, strange}
	list, err := p.Suggest(workloads, 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 2 || list[0].Workload != strange || list[0].Times != 2 {
		t.Fatalf("suggestions %+v, want %s first", list, strange)
	}
	before, err := p.Predict(workloads)
	if err != nil {
		t.Fatal(err)
	}
	width := math.Log(before.HighNS / before.LatencyNS)
	for i, s := range list {
		if s.Width >= width {
			t.Errorf("suggestion %d leaves a half width of %g, before it %g", i, s.Width, width)
		}
		width = s.Width
	}
	// What it promises is what happens: the row is measured as predicted.
	row := m.row(strange)
	row.LatencyMedianNS = before.Parts[0].LatencyNS
	row.LatencyCI95NS = 1.96 * m.rowNoise * row.LatencyMedianNS
	table.Rows = append(table.Rows, row)
	after, err := mustFit(t, table).Predict(workloads)
	if err != nil {
		t.Fatal(err)
	}
	if after.HighNS/after.LowNS >= before.HighNS/before.LowNS {
		t.Errorf("measured, the interval is %g wide, before %g", after.HighNS/after.LowNS, before.HighNS/before.LowNS)
	}
	if one, err := p.Suggest(workloads, 1); err != nil || len(one) != 1 {
		t.Errorf("one suggestion: %v, %v", one, err)
	}
	if _, err := p.Suggest(nil, 1); err == nil {
		t.Error("no workloads: no error")
	}
}

func TestScaled(t *testing.T) {
	p := Prediction{LatencyNS: 100, LowNS: 90, HighNS: 120, OverheadNS: 10, Parts: []Part{{LatencyNS: 90, Uncertainty: 0.1}}, EnergyMJ: 5}
	got := p.Scaled(2)
	if got.LatencyNS != 200 || got.LowNS != 180 || got.HighNS != 240 || got.OverheadNS != 20 || got.Parts[0].LatencyNS != 180 || got.EnergyMJ != 5 {
		t.Errorf("twice %+v is %+v", p, got)
	}
	if p.Parts[0].LatencyNS != 90 {
		t.Error("the original changed")
	}
}
