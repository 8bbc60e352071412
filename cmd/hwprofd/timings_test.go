package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/lut"
)

// What a table predicts of a convolution is no time to choose kernels by.
func TestTimingsIn(t *testing.T) {
	w, err := graph.ParseWorkload("conv2d/f32/n1c16h14w14/k32r3s3/stride1.pad1.dil1.group1/relu")
	if err != nil {
		t.Fatal(err)
	}
	row := lut.NewRow(w)
	row.LatencyMedianNS, row.LatencyCI95NS, row.Samples = 1000, 10, 30
	other := row
	other.Algorithm, other.LatencyMedianNS = "direct", 900
	want := []inference.Timing{{NS: 1000, CI95NS: 10}, {Algorithm: "direct", NS: 900, CI95NS: 10}}
	table := &lut.Table{Rows: []lut.Row{row}, Alternatives: []lut.Row{other}}
	if diff := cmp.Diff(want, timingsIn(table, w)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	row.Samples = 0
	table = &lut.Table{Rows: []lut.Row{row}, Alternatives: []lut.Row{other}}
	if diff := cmp.Diff(want[1:], timingsIn(table, w)); diff != "" {
		t.Errorf("with a predicted row, -want +got:\n%s", diff)
	}
}
