package predictor

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// TestEvaluate predicts 1000 ns and 2000 ns and measures something else.
func TestEvaluate(t *testing.T) {
	m := newMachine(1)
	m.rowNoise = 0
	small := graph.Workload{Op: graph.OpRelu, DType: graph.F32, N: 1, C: 8, H: 8, W: 8}
	large := small
	large.C = 16
	rows := []lut.Row{m.row(small), m.row(large)}
	rows[0].LatencyMedianNS, rows[1].LatencyMedianNS = 1000, 2000
	p := mustFit(t, &lut.Table{Rows: rows})
	network := func(w graph.Workload, ns float64) lut.Network {
		return lut.Network{Name: w.String(), Workloads: []string{w.String()}, LatencyMedianNS: ns}
	}
	got, err := p.Evaluate([]lut.Network{
		network(small, 1000), // exact
		network(small, 1000/1.04),
		network(large, 2000/0.92),
		network(large, 2000/1.5), // outside its interval
		network(large, 2000/1.15),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Accuracy{
		N: 5, MAPE: (0 + 0.04 + 0.08 + 0.15 + 0.5) / 5, MedianError: 0.08, P90Error: 0.15 + 0.6*(0.5-0.15), MaxError: 0.5,
		Within5: 0.4, Within10: 0.6, Within20: 0.8, Coverage: 0.8,
		MedianWidth: math.Sinh(cautiousScore * blindSpread),
		Spearman:    math.Sqrt(3) / 2,  // ranks 1.5 1.5 4 4 4 and 2 1 5 3 4: 7.5/sqrt(7.5*10)
		Kendall:     6 / math.Sqrt(60), // of 10 pairs 6 are ordered by both, all the same way
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })); diff != "" {
		t.Errorf("accuracy differs (-want +got):\n%s", diff)
	}
}

func TestQuantile(t *testing.T) {
	for _, test := range []struct {
		values []float64
		p      float64
		want   float64
	}{
		{[]float64{7}, 0.9, 7},
		{[]float64{1, 3}, 0.5, 2},
		{[]float64{1, 2, 10}, 0.5, 2},
		{[]float64{0, 10, 20, 30, 40}, 0.9, 36},
		{[]float64{0, 1}, 1, 1},
	} {
		if got := quantile(test.values, test.p); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("quantile(%v, %g) = %g, want %g", test.values, test.p, got, test.want)
		}
	}
}

func TestKendall(t *testing.T) {
	for _, test := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{1, 2, 3, 4}, []float64{10, 200, 3000, 40000}, 1},
		{[]float64{1, 2, 3, 4}, []float64{4, 3, 2, 1}, -1},
		{[]float64{1, 2, 3, 4, 5}, []float64{2, 1, 4, 3, 5}, 0.6}, // 8 pairs agree, 2 do not
		{[]float64{1, 1, 2}, []float64{5, 6, 7}, 2 / math.Sqrt(6)},
		{[]float64{1, 1, 1}, []float64{5, 6, 7}, 0},
	} {
		if got := kendall(test.a, test.b); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("kendall(%v, %v) = %g, want %g", test.a, test.b, got, test.want)
		}
	}
}
