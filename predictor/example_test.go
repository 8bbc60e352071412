package predictor_test

import (
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
)

func Example() {
	// A table as the profiler writes it; here a device that takes 200 ns to
	// start and 0.05 ns a multiply-accumulate.
	table := &lut.Table{}
	var measured []graph.Workload
	for _, c := range []int{8, 16, 24, 32, 48, 64} {
		for _, k := range []int{8, 16, 32, 64} {
			w := graph.Workload{
				Op: graph.OpConv2D, DType: graph.F32, N: 1, C: c, H: 14, W: 14, K: k, R: 1, S: 1,
				StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Group: 1, Epilogue: "relu",
			}
			row := lut.NewRow(w)
			row.Samples = 100
			row.LatencyMedianNS = 200 + 0.05*float64(w.MACs())
			table.Rows = append(table.Rows, row)
			measured = append(measured, w)
		}
	}
	p, err := predictor.Fit(table)
	if err != nil {
		fmt.Println(err)
		return
	}
	unseen := measured[0]
	unseen.C, unseen.K = 40, 40
	prediction, err := p.Predict([]graph.Workload{measured[0], unseen})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, part := range prediction.Parts {
		fmt.Printf("%6.0f ns from %-10s %s\n", part.LatencyNS, part.Source, part.Workload)
	}
	fmt.Printf("%6.0f ns, interval by %s\n", prediction.LatencyNS, prediction.Interval)
	// Output:
	//    827 ns from table      conv2d/f32/n1c8h14w14/k8r1s1/stride1.pad0.dil1.group1/relu
	//  15880 ns from regression conv2d/f32/n1c40h14w14/k40r1s1/stride1.pad0.dil1.group1/relu
	//  16707 ns, interval by cross-validation
}
