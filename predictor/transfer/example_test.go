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
				row.Samples = 20
				row.LatencyMedianNS = 1000 + nsPerMAC*float64(row.MACs)
				t.Rows = append(t.Rows, row)
			}
		}
		return t
	}
	known := []*lut.Table{table(0.1), table(0.3)}
	whole := table(0.2)
	few := &lut.Table{Rows: []lut.Row{whole.Rows[0], whole.Rows[5], whole.Rows[10], whole.Rows[12], whole.Rows[15]}}
	completed, err := transfer.CompleteTable(known, few, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	predicted, worst := 0, 0.0
	for i, r := range completed.Rows {
		if r.Predicted() {
			predicted++
		}
		w, err := r.Workload()
		if err != nil {
			fmt.Println(i, err)
			return
		}
		truth, _ := whole.Lookup(w)
		worst = max(worst, math.Abs(r.LatencyMedianNS/truth.LatencyMedianNS-1))
	}
	fmt.Printf("%d rows, %d of them predicted; all within 20%%: %v\n", len(completed.Rows), predicted, worst < 0.2)
	// Output:
	// 16 rows, 11 of them predicted; all within 20%: true
}
