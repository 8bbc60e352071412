package profiler

import (
	"math"
	"testing"
)

func TestDivide(t *testing.T) {
	steps := [][]float64{
		{1100, 1100, 1900, 1100}, // one run was disturbed
		{2100, 2100, 2100, 3000},
		{1100, 5000, 1100, 1100}, // no workload
		{101, 101, 101, 101},     // shorter than the clock
	}
	shares := divide(steps, []bool{true, true, false, true}, 100)
	want := []float64{1000. / 4010.1, 2000. / 4010.1, 10.1 / 4010.1}
	if len(shares) != len(want) {
		t.Fatalf("%d shares, want %d", len(shares), len(want))
	}
	for i := range want {
		if math.Abs(shares[i]/want[i]-1) > 0.01 {
			t.Errorf("share %d is %g, want about %g", i, shares[i], want[i])
		}
	}
	for _, clock := range []float64{-50, 1e9} { // other work hit the whole runs, or the traced ones
		sum := 0.0
		for _, s := range divide([][]float64{{3000}, {1000}}, []bool{true, true}, clock) {
			sum += s
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("with a clock of %g ns the shares add up to %g, want 1", clock, sum)
		}
	}
}
