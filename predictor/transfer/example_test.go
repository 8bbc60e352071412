package transfer_test

import (
	"fmt"
	"math"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor/transfer"
)

func ExampleCompleteTable() {
	// Two known devices, and a new one that is twice as slow as the first.
	table := func(nsPerMAC float64) *lut.Table {
		t := &lut.Table{}
		for _, c := range []int{8, 16, 32, 64} {
			for _, k := range []int{8, 16, 32, 64} {
				row := lut.NewRow(graph.Workload{
					Op: graph.OpConv2D, DType: graph.F32, N: 1, C: c, H: 14, W: 14, K: k, R: 1, S: 1,
					StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Group: 1, Epilogue: "relu",
				})
				row.LatencyMedianNS = 1000 + nsPerMAC*float64(row.MACs)
				t.Rows = append(t.Rows, row)
			}
		}
		return t
	}
	known := []*lut.Table{table(0.1), table(0.3)}
	whole := table(0.2)
	few := &lut.Table{Rows: []lut.Row{whole.Rows[0], whole.Rows[5], whole.Rows[10], whole.Rows[12], whole.Rows[15]}}
	rows, err := transfer.CompleteTable(known, few, 0.9, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	worst := 0.0
	for _, r := range rows {
		truth, _ := whole.Lookup(workload(r.Key))
		worst = max(worst, math.Abs(r.LatencyNS/truth.LatencyMedianNS-1))
	}
	fmt.Println(len(rows), "rows, all within 20%:", worst < 0.2)
	// Output:
	// 16 rows, all within 20%: true
}

func workload(key string) graph.Workload {
	w, err := graph.ParseWorkload(key)
	if err != nil {
		panic(err)
	}
	return w
}
