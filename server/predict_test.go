package server

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/server/api"
)

// TestPredictTakenApart asks for a workload that the table's runtime does in two
// steps, between others: both are its parts, each time it is asked for.
func TestPredictTakenApart(t *testing.T) {
	parse := func(name string) graph.Workload {
		w, err := graph.ParseWorkload(name)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	table := fakeTable(60)
	table.Meta.Runtime = "another"
	nodes := 1.0
	first, second := parse("conv2d/f32/n1c16h28w28/k32r1s1/stride1.pad0.dil1.group1/none"), parse("hswish/f32/n1c32h28w28")
	pair := lut.Network{Use: lut.UsePair, Samples: 9, RuntimeNodes: new(float64)}
	for _, w := range []graph.Workload{first, second} {
		row := lut.NewRow(w)
		ns := fakeNS(w)
		row.LatencyMedianNS, row.LatencyMeanNS, row.LatencyP10NS, row.LatencyP90NS, row.LatencyCI95NS, row.RawMedianNS = ns, ns, ns, ns, 0.005*ns, ns
		row.Samples, row.MeasuredAt, row.RuntimeNodes = 50, table.Meta.Created, &nodes
		table.Rows = append(table.Rows, row)
		pair.Name += w.String() + " "
		pair.Workloads = append(pair.Workloads, w.String())
		pair.LatencyMedianNS += ns
		*pair.RuntimeNodes++
	}
	pair.LatencyP10NS, pair.LatencyP90NS, pair.RawMedianNS = pair.LatencyMedianNS, pair.LatencyMedianNS, pair.LatencyMedianNS
	table.Networks = append(table.Networks, pair)
	fit, err := predictor.Fit(table)
	if err != nil {
		t.Fatal(err)
	}
	whole := first
	whole.Epilogue = "hswish"
	workloads := []graph.Workload{whole, fakeWorkloads()[0], whole, fakeWorkloads()[1]}
	prediction, err := fit.Predict(workloads)
	if err != nil {
		t.Fatal(err)
	}
	if len(prediction.Parts) != len(workloads)+2 {
		t.Fatalf("%d parts of %d workloads, of which two are taken apart", len(prediction.Parts), len(workloads))
	}
	var want []api.Part
	for _, part := range prediction.Parts {
		want = append(want, api.Part{Workload: part.Workload.String(), LatencyNS: part.LatencyNS, Source: part.Source, Uncertainty: part.Uncertainty})
	}

	d := startDaemon(t, t.TempDir())
	if err := table.Write(filepath.Join(d.dir, "luts", "other"+tableSuffix)); err != nil {
		t.Fatal(err)
	}
	question := []byte(`{"lut":"other","workloads":["` + whole.String() + `","` + workloads[1].String() + `","` + whole.String() + `","` + workloads[3].String() + `"]}`)
	for range 2 {
		var got api.Prediction
		d.ask("POST", "/api/v1/predict", "application/json", question, 200, &got)
		if diff := cmp.Diff(want, got.Parts); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got.LatencyNS != prediction.LatencyNS {
			t.Errorf("%g ns, want %g", got.LatencyNS, prediction.LatencyNS)
		}
	}
}

// TestPredictAsAsked asks for another coverage, and what to measure.
func TestPredictAsAsked(t *testing.T) {
	table := fakeTable(60)
	fit, err := predictor.Fit(table)
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := graph.ParseWorkload("hswish/f32/n1c32h28w28") // of a family without rows
	if err != nil {
		t.Fatal(err)
	}
	workloads := []graph.Workload{fakeWorkloads()[0], unknown, unknown}
	d := startDaemon(t, t.TempDir())
	d.addTable("a", 60)
	names := `"` + workloads[0].String() + `","` + unknown.String() + `","` + unknown.String() + `"`
	for _, coverage := range []float64{0.5, 0.9, 0.99} {
		p, err := fit.Within(coverage)
		if err != nil {
			t.Fatal(err)
		}
		want, err := p.Predict(workloads)
		if err != nil {
			t.Fatal(err)
		}
		suggestions, err := p.Suggest(workloads, 3)
		if err != nil || len(suggestions) == 0 {
			t.Fatal(suggestions, err)
		}
		var got api.Prediction
		d.ask("POST", "/api/v1/predict", "application/json", fmt.Appendf(nil, `{"lut":"a","workloads":[%s],"coverage":%g,"suggest":3}`, names, coverage), 200, &got)
		if got.LatencyNS != want.LatencyNS || got.LowNS != want.LowNS || got.HighNS != want.HighNS || got.Coverage != coverage || got.Clock != nil {
			t.Errorf("coverage %g: %+v, want %+v", coverage, got, want)
		}
		if len(got.Suggestions) != len(suggestions) || got.Suggestions[0].Workload != unknown.String() || got.Suggestions[0].Times != 2 ||
			got.Suggestions[0].HalfWidth != math.Expm1(suggestions[0].Width) {
			t.Errorf("coverage %g: suggested are %+v, want %+v", coverage, got.Suggestions, suggestions)
		}
		if got.Parts[1].Uncertainty != want.Parts[1].Uncertainty || got.Parts[1].Uncertainty == 0 {
			t.Errorf("part %+v, want %+v", got.Parts[1], want.Parts[1])
		}
	}
	var problem api.Problem
	for _, wrong := range []string{`"coverage":1`, `"coverage":-0.5`, `"suggest":-1`, `"suggest":100000`} {
		d.ask("POST", "/api/v1/predict", "application/json", fmt.Appendf(nil, `{"lut":"a","workloads":[%s],%s}`, names, wrong), 400, &problem)
	}
	model := d.upload("net.onnx", "model")
	page := d.page("/models/" + model.Digest + "?lut=a&coverage=0.5")
	contains(t, page, "in 50.0% of cases")
	d.ask("GET", "/models/"+model.Digest+"?lut=a&coverage=x", "", nil, 400, nil)
}

// page is the text of a page.
func (d *daemon) page(path string) string {
	d.t.Helper()
	response, err := http.Get(d.url + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		d.t.Fatalf("%s: %s, %v", path, response.Status, err)
	}
	return string(text)
}
