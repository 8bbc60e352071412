package lut

import (
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/graph"
)

func rowOf(t *testing.T, key string, ns float64, samples int64) Row {
	t.Helper()
	w, err := graph.ParseWorkload(key)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRow(w)
	r.LatencyMedianNS, r.LatencyMeanNS, r.RawMedianNS = ns, ns, ns
	r.LatencyP10NS, r.LatencyP90NS, r.LatencyCI95NS = 0.9*ns, 1.1*ns, 0.1*ns
	r.Samples, r.MeasuredAt = samples, time.Unix(1e9, 0)
	return r
}

// TestPredictedRows: a predicted row is shown as such, and gives way to a
// measured one however certain it is.
func TestPredictedRows(t *testing.T) {
	const first, second = "linear/f32/n1c64/k10/none", "linear/f32/n1c32/k10/none"
	meta := Meta{Schema: Schema, Fingerprint: "f", Runtime: "hwprofd", Threads: 1}
	measured := &Table{Meta: meta, Rows: []Row{rowOf(t, first, 100, 20)}}
	completed := &Table{Meta: meta, Rows: []Row{rowOf(t, first, 50, 0), rowOf(t, second, 30, 0)}}
	if err := completed.Verify(); err != nil {
		t.Fatal(err)
	}
	if marks := completed.Marks(&completed.Rows[0]); len(marks) != 1 || marks[0] != "predicted" {
		t.Errorf("marks %q", marks)
	}
	for name, merge := range map[string]func(...*Table) (*Table, []Conflict, error){"merge": Merge, "across": MergeAcross} {
		for _, order := range [][]*Table{{measured, completed}, {completed, measured}} {
			merged, conflicts, err := merge(order...)
			if err != nil {
				t.Fatal(err)
			}
			w, _ := graph.ParseWorkload(first)
			if r, _ := merged.Lookup(w); r.LatencyMedianNS != 100 || r.Predicted() {
				t.Errorf("%s: the measured row is %g, predicted %v", name, r.LatencyMedianNS, r.Predicted())
			}
			w, _ = graph.ParseWorkload(second)
			if r, _ := merged.Lookup(w); r.LatencyMedianNS != 30 || !r.Predicted() {
				t.Errorf("%s: the predicted row is %g, predicted %v", name, r.LatencyMedianNS, r.Predicted())
			}
			if len(conflicts) > 0 {
				t.Errorf("%s: conflicts %v", name, conflicts)
			}
		}
	}
	d, err := Diff(measured, completed, DiffOptions{Alpha: 0.05})
	if err != nil {
		t.Fatal(err)
	}
	if !d.Rows[0].Undecided || d.Rows[0].Faster {
		t.Errorf("a prediction counts as a change: %+v", d.Rows[0])
	}
	completed.Rows[0].Stable = true
	if err := completed.Verify(); err == nil || !strings.Contains(err.Error(), "row 0: samples is 0") {
		t.Errorf("a stable prediction: error %v", err)
	}
}
