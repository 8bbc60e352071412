package server

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/server/api"
)

// TestClock: one check finds that the clock changed since the table of this
// device was measured, and predictions follow it, also those of the next daemon,
// until the table is another.
func TestClock(t *testing.T) {
	info, err := device.Detect()
	if err != nil {
		t.Fatal(err)
	}
	table := fakeTable(60)
	table.Meta.Device, table.Meta.Fingerprint, table.Meta.Runtime = info, info.Fingerprint(), lut.OwnRuntime
	d := startDaemon(t, t.TempDir())
	write := func() {
		if err := table.Write(filepath.Join(d.dir, "luts", "here"+tableSuffix)); err != nil {
			t.Fatal(err)
		}
	}
	write()
	d.addTable("elsewhere", 60)
	model := d.upload("net.onnx", "model")
	predict := func(name string) (p api.Prediction) {
		d.ask("POST", "/api/v1/predict", "application/json", fmt.Appendf(nil, `{"lut":%q,"model":%q}`, name, model.Digest), http.StatusOK, &p)
		return p
	}
	before := predict("here")
	slower := func(p api.Prediction, when string) {
		t.Helper()
		if p.Clock == nil || p.Clock.LUT != "here" || p.Clock.ThenNS != 100 || p.Clock.NowNS != 125 {
			t.Fatalf("%s: the clock is %+v", when, p.Clock)
		}
		for _, c := range [][2]float64{
			{p.LatencyNS, before.LatencyNS}, {p.LowNS, before.LowNS}, {p.HighNS, before.HighNS}, {p.OverheadNS, before.OverheadNS},
			{p.Parts[2].LatencyNS, before.Parts[2].LatencyNS},
		} {
			if math.Abs(c[0]-1.25*c[1]) > 1e-9*math.Abs(c[1]) {
				t.Errorf("%s: %g, want %g times 1.25", when, c[0], c[1])
			}
		}
		if len(p.Parts) != len(before.Parts) || p.Parts[2].Source != before.Parts[2].Source {
			t.Errorf("%s: parts %+v", when, p.Parts)
		}
	}
	job := d.await(d.submit(`{"kind":"watch"}`).ID, in(api.Done))
	var check api.Check
	if err := json.Unmarshal(job.Result, &check); err != nil || len(check.Clocks) != 1 || !check.Clocks[0].Rescaled {
		t.Fatalf("the check says %s, %v", job.Result, err)
	}
	d.get("/api/v1/drift", nil)
	slower(predict("here"), "after a check")
	if p := predict("elsewhere"); p.Clock != nil || p.LatencyNS != before.LatencyNS {
		t.Errorf("a table of another device: %+v", p)
	}
	contains(t, d.page("/models/"+model.Digest+"?lut=here&coverage=0.9"), "clock changed since here was measured")

	var evaluation api.Evaluation
	job = d.await(d.submit(`{"kind":"evaluate","lut":"here","models":["`+model.Digest+`"]}`).ID, in(api.Done))
	if err := json.Unmarshal(job.Result, &evaluation); err != nil || evaluation.Clock == nil || evaluation.Clock.Factor != 1.25 {
		t.Fatalf("the evaluation says %s, %v", job.Result, err)
	}
	if got := evaluation.Models[0].PredictedNS; math.Abs(got-1.25*before.LatencyNS) > 1e-6 {
		t.Errorf("evaluated is %g, want %g times 1.25", got, before.LatencyNS)
	}
	d.get(fmt.Sprintf("/jobs/%d", job.ID), nil)

	d.stop()
	d = startDaemon(t, d.dir)
	slower(predict("here"), "the next daemon")
	table.Meta.Created = table.Meta.Created.AddDate(0, 0, 1)
	write()
	if p := predict("here"); p.Clock != nil || p.LatencyNS != before.LatencyNS {
		t.Errorf("another table: %+v", p)
	}
}
