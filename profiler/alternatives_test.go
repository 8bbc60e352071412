package profiler

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
)

// With alternatives, a convolution is measured by each of its algorithms, in
// turns, and has one row that tells what it costs.
func TestRunAlternatives(t *testing.T) {
	conv := graph.Workload{
		Op: graph.OpConv2D, DType: graph.F32, N: 1, C: 16, H: 14, W: 14, K: 32, R: 3, S: 3, StrideH: 1, StrideW: 1,
		PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, DilationH: 1, DilationW: 1, Group: 1, Epilogue: "relu",
	}
	algorithms := inference.Alternatives(conv)
	if len(algorithms) == 0 {
		t.Fatalf("%s has no alternatives", conv)
	}
	workloads, networks := fakeWork(t)
	var order []string
	p := fakeProfiler(Options{Alternatives: true, Progress: func(_, _ int, current string, _ time.Duration) {
		order = append(order, current)
	}}, 0.01)
	path := filepath.Join(t.TempDir(), "fake.lut.parquet")
	table, err := p.Run(context.Background(), path, fakeMeta, append(workloads, conv), networks)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != len(workloads)+2 { // the calibration kernel's
		t.Errorf("%d rows, want %d", len(table.Rows), len(workloads)+2)
	}
	var measured []string
	turn := []string{conv.String()}
	for _, r := range table.AlternativesOf(conv) {
		measured = append(measured, r.Algorithm)
		if !(r.LatencyMedianNS > 0) || r.EnergySource != "modelled" {
			t.Errorf("%+v", r)
		}
	}
	slices.Sort(algorithms)
	if diff := cmp.Diff(algorithms, measured); diff != "" || len(table.Alternatives) != len(measured) {
		t.Errorf("-want +measured:\n%s", diff)
	}
	for _, name := range inference.Alternatives(conv) {
		turn = append(turn, conv.String()+" by "+name)
	}
	begin := slices.Index(order, conv.String())
	if got := order[begin:min(begin+2*len(turn), len(order))]; !slices.Equal(got, slices.Concat(turn, turn)) {
		t.Errorf("measured in the order %q", got)
	}
}
