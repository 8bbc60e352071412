package predictor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hwprofd/hwprofd/graph"
)

// TestPredictPrepared compares with Predict, also where the runtime takes a
// workload apart and where none has a row.
func TestPredictPrepared(t *testing.T) {
	m := newMachine(1)
	rich := mustFit(t, m.table(60, 6, 12))
	other := mustFit(t, otherRuntime(t, true))
	for _, c := range []struct {
		p         *Predictor
		workloads []graph.Workload
	}{
		{rich, m.draw()}, {rich, m.draw()}, {mustFit(t, steppedTable()), m.draw()},
		{other, []graph.Workload{conv(16, 32, 28, 1, 1, 1, "relu"), conv(16, 32, 28, 1, 1, 1, "hswish"), conv(16, 32, 28, 1, 1, 1, "relu")}},
	} {
		want, err := c.p.Predict(c.workloads)
		if err != nil {
			t.Fatal(err)
		}
		var prepared []*Prepared
		var parts []Part
		for _, w := range c.workloads {
			one, err := c.p.Prepare(w)
			if err != nil {
				t.Fatal(err)
			}
			prepared, parts = append(prepared, one), append(parts, one.Parts()...)
		}
		got, err := c.p.PredictPrepared(prepared)
		if err != nil {
			t.Fatal(err)
		}
		got.Parts = parts
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("-Predict +PredictPrepared:\n%s", diff)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = c.p.PredictPrepared(prepared) }); n > 0 {
			t.Errorf("%g allocations a prediction", n)
		}
		if _, err := rich.PredictPrepared(prepared); c.p != rich && (err == nil || !strings.Contains(err.Error(), "workload 0 was prepared by another predictor")) {
			t.Errorf("by another predictor: %v", err)
		}
	}
	if _, err := rich.PredictPrepared(nil); err == nil {
		t.Error("no workloads are predicted")
	}
	if _, err := rich.Prepare(graph.Workload{Op: graph.OpConv2D}); err == nil {
		t.Error("an invalid workload is prepared")
	}
}
