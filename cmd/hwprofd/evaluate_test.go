package main

import (
	"io"
	"math"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
)

// TestChangedClock has a device that became half as fast since its table was
// measured: the calibration kernel shows it, and predictions follow.
func TestChangedClock(t *testing.T) {
	w := graph.Workload{Op: graph.OpRelu, DType: graph.F32, N: 1, C: 8, H: 8, W: 8}
	row := lut.NewRow(w)
	row.LatencyMedianNS = 1000
	table := &lut.Table{Rows: []lut.Row{row}}
	p, err := predictor.Fit(table)
	if err != nil {
		t.Fatal(err)
	}
	e := &evaluation{predictor: p, table: table}
	network := evaluatedNetwork{name: "relu", family: "models"}
	for _, test := range []struct {
		now, measured, predicted float64
		rescaled                 bool
	}{
		{50, 1000, 1000, false},
		{51, 1010, 1000, false},
		{100, 2000, 2000, true},
		{25, 500, 500, true},
	} {
		c := clock{ThenNS: 50, Factor: 1}
		c.set(test.now)
		got, err := e.compare([]evaluatedNetwork{network}, []lut.Network{{
			Name: "relu", Workloads: []string{w.String()}, LatencyMedianNS: test.measured, LatencyCI95NS: 1,
		}}, c)
		if err != nil {
			t.Fatal(err)
		}
		n := got.Networks[0]
		if c.Rescaled != test.rescaled || math.Abs(n.PredictedNS-test.predicted) > 1e-6 || n.MeasuredNS != test.measured {
			t.Errorf("calibration kernel at %g ns: rescaled %v, predicted %g, measured %g; want %+v", test.now, c.Rescaled, n.PredictedNS, n.MeasuredNS, test)
		}
		if got.All.MAPE > 0.011 {
			t.Errorf("calibration kernel at %g ns: error %g", test.now, got.All.MAPE)
		}
		var b strings.Builder
		if err := got.print(io.MultiWriter(&b)); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "clock changed") != test.rescaled {
			t.Errorf("calibration kernel at %g ns: said\n%s", test.now, b.String())
		}
	}
}

// TestClockOf wants the clock told by the chain of operations, whatever the kernel
// bound by arithmetic says, and by that one in tables without a chain.
func TestClockOf(t *testing.T) {
	now := lut.Baseline{ClockNS: 4000, ComputeNS: 55}
	for _, test := range []struct {
		then     lut.Baseline
		factor   float64
		rescaled bool
	}{
		{lut.Baseline{ClockNS: 4010, ComputeNS: 50}, 1, false},
		{lut.Baseline{ClockNS: 3200, ComputeNS: 55}, 1.25, true},
		{lut.Baseline{ComputeNS: 44}, 1.25, true},
		{lut.Baseline{ComputeNS: 54}, 1, false},
	} {
		c := clock{ThenNS: *clockOf(&test.then, test.then), Factor: 1}
		c.set(*clockOf(&now, test.then))
		if math.Abs(c.Factor-test.factor) > 1e-9 || c.Rescaled != test.rescaled {
			t.Errorf("a table of %+v: %+v, want a factor of %g", test.then, c, test.factor)
		}
	}
}
