package server

import (
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
		want = append(want, api.Part{Workload: part.Workload.String(), LatencyNS: part.LatencyNS, Source: part.Source})
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
