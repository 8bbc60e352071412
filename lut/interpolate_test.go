package lut

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
)

// truth is the time of a convolution on a machine whose efficiency depends on
// the channels.
func truth(w graph.Workload) float64 {
	efficiency := 1 - math.Exp(-float64(w.C)/40)*.6 - math.Exp(-float64(w.K)/60)*.3
	return 500 + float64(w.MACs())/60/efficiency
}

func channelTable(rng *rand.Rand, n int) *Table {
	t := testTable(0)
	t.Networks = nil
	seen := map[graph.Workload]bool{}
	for len(t.Rows) < n {
		w := testWorkload(0)
		w.C, w.K, w.H = 8+rng.IntN(250), 8+rng.IntN(250), 7+rng.IntN(50)
		w.W = w.H
		if seen[w] {
			continue
		}
		seen[w] = true
		r := testRow(len(t.Rows))
		id := NewRow(w)
		m := truth(w) * (1 + .01*rng.NormFloat64())
		id.LatencyMedianNS, id.LatencyMeanNS, id.RawMedianNS, id.LatencyP10NS, id.LatencyP90NS = m, m, m, m, m
		id.LatencyCI95NS, id.Samples, id.Stable, id.MeasuredAt = m*.02, 50, true, r.MeasuredAt
		t.Rows = append(t.Rows, id)
	}
	return t
}

func TestInterpolate(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	ip := NewInterpolator(channelTable(rng, 300))
	covered, asked, worst := 0, 0, 0.0
	for asked < 400 {
		w := testWorkload(0)
		w.C, w.K, w.H = 16+rng.IntN(200), 16+rng.IntN(200), 10+rng.IntN(40)
		w.W = w.H
		e, ok := ip.Estimate(w)
		if !ok {
			t.Fatalf("no estimate of %s", w)
		}
		asked++
		want := truth(w)
		worst = max(worst, math.Abs(math.Log(e.LatencyNS/want)))
		if e.LowNS <= want && want <= e.HighNS {
			covered++
		}
		if e.Rows != 300 || e.HighNS/e.LowNS > 1.15 {
			t.Fatalf("%s: %+v", w, e)
		}
	}
	if covered < 360 || worst > .12 {
		t.Errorf("%d of %d are covered, the worst is off by %.3f", covered, asked, worst)
	}
	outside := testWorkload(0)
	outside.C, outside.K, outside.H, outside.W = 1000, 64, 20, 20
	other := testWorkload(0)
	other.C, other.K, other.H, other.W, other.Epilogue = 64, 64, 20, 20, "none"
	for _, w := range []graph.Workload{outside, other} {
		if e, ok := ip.Estimate(w); ok {
			t.Errorf("%s: estimated as %+v, but is not between rows", w, e)
		}
	}
}

// Depthwise convolutions have as many groups as channels, and sums an operand
// that follows the first.
func TestInterpolateFollowers(t *testing.T) {
	table := testTable(0)
	work := func(c, h int) []graph.Workload {
		d := testWorkload(0)
		d.C, d.K, d.Group, d.H, d.W = c, c, c, h, h
		return []graph.Workload{d, {Op: graph.OpAdd, DType: graph.F32, N: 1, C: c, H: h, W: h, K: c, R: h, S: h, Epilogue: "none"}}
	}
	for _, c := range []int{8, 16, 32, 64} {
		for _, h := range []int{7, 14, 28} {
			for _, w := range work(c, h) {
				r := testRow(0)
				id := NewRow(w)
				m := float64(w.Bytes())
				id.LatencyMedianNS, id.LatencyMeanNS, id.RawMedianNS, id.LatencyP10NS, id.LatencyP90NS = m, m, m, m, m
				id.Samples, id.Stable, id.MeasuredAt = 9, true, r.MeasuredAt
				table.Rows = append(table.Rows, id)
			}
		}
	}
	ip := NewInterpolator(table)
	for _, w := range work(24, 20) {
		e, ok := ip.Estimate(w)
		if !ok || e.Rows != 12 || math.Abs(e.LatencyNS/float64(w.Bytes())-1) > .1 {
			t.Errorf("%s: %+v, %v; want %d", w, e, ok, w.Bytes())
		}
	}
}

func TestImplausible(t *testing.T) {
	table := channelTable(rand.New(rand.NewPCG(7, 8)), 300)
	if w := table.Implausible(); len(w) > 0 {
		t.Fatalf("warnings of a sound table: %+v", w)
	}
	want := map[int]string{17: "slower", 111: "faster", 222: "slower"}
	for i, how := range want {
		factor := 2.2
		if how == "faster" {
			factor = 1 / factor
		}
		table.Rows[i].LatencyMedianNS *= factor
	}
	got := table.Implausible()
	if len(got) != len(want) {
		t.Fatalf("warnings %+v", got)
	}
	for _, w := range got {
		if !strings.Contains(w.What, want[w.Row]) || want[w.Row] == "" || w.Key != table.Rows[w.Row].Key {
			t.Errorf("warning %+v", w)
		}
	}
	few := testTable(2)
	few.Rows[1].LatencyMedianNS = float64(few.Rows[1].MACs) / 5e4
	if got := few.Implausible(); len(got) != 1 || got[0].Row != 1 || !strings.Contains(got[0].What, "GMAC/s") {
		t.Errorf("a row above the roofline: %+v", got)
	}
}
