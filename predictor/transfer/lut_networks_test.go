package transfer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
)

// addNetworks adds networks of ten workloads to a table, which take longer than
// these by some percent of the device's own and a constant.
func addNetworks(t *testing.T, table *lut.Table, rng *rand.Rand) {
	t.Helper()
	factor, constant := 1+0.1*rng.Float64(), 2000*rng.Float64()
	which := rand.New(rand.NewPCG(4, 4)) // the same on all devices
	for i := range 24 {
		n := lut.Network{Name: fmt.Sprint("network", i), Use: "fit", Samples: 20}
		if i >= 12 {
			n.Use = "test"
		}
		for range 10 {
			row := table.Rows[which.IntN(len(table.Rows))]
			n.Workloads = append(n.Workloads, row.Key)
			n.LatencyMedianNS += factor * row.LatencyMedianNS
		}
		n.LatencyMedianNS = (n.LatencyMedianNS + constant) * math.Exp(0.01*rng.NormFloat64())
		n.LatencyCI95NS = 0.02 * n.LatencyMedianNS
		table.Networks = append(table.Networks, n)
	}
}

// A predictor of a completed table is for networks that no table has.
func TestCompletedTablesNetworks(t *testing.T) {
	var all, allScaled float64 // medians, summed
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 12))
		var known []*lut.Table
		for range 5 {
			table := madeUpTable(rng)
			addNetworks(t, table, rng)
			known = append(known, table)
		}
		truth := madeUpTable(rng)
		addNetworks(t, truth, rng)
		chosen, err := ChooseRows(known, 10, seed)
		if err != nil {
			t.Fatal(err)
		}
		few := &lut.Table{}
		scale := 0.0 // of the best single factor to the first known device
		for _, w := range chosen {
			r, _ := truth.Lookup(w)
			few.Rows = append(few.Rows, r)
			at, _ := known[0].Lookup(w)
			scale += math.Log(r.LatencyMedianNS/at.LatencyMedianNS) / 10
		}
		table, err := CompleteTable(known, few, seed)
		if err != nil {
			t.Fatal(err)
		}
		if len(table.Networks) != 12 {
			t.Fatalf("%d networks are predicted, want the 12 that are not for tests", len(table.Networks))
		}
		p, err := predictor.Fit(table)
		if err != nil {
			t.Fatal(err)
		}
		var wrong, wrongScaled, widths []float64
		held := 0
		for i, n := range truth.Networks {
			if n.Use != "test" {
				if got := table.Networks[i]; got.Name != n.Name || got.Samples != 0 || math.Abs(got.LatencyMedianNS/n.LatencyMedianNS-1) > 0.25 {
					t.Errorf("seed %d: %s takes %g, predicted for %s are %g", seed, n.Name, n.LatencyMedianNS, got.Name, got.LatencyMedianNS)
				}
				continue
			}
			prediction, err := p.Predict(parsed(t, n.Workloads))
			if err != nil {
				t.Fatal(err)
			}
			wrong = append(wrong, math.Abs(prediction.LatencyNS/n.LatencyMedianNS-1))
			wrongScaled = append(wrongScaled, math.Abs(known[0].Networks[i].LatencyMedianNS*math.Exp(scale)/n.LatencyMedianNS-1))
			if prediction.LowNS <= n.LatencyMedianNS && n.LatencyMedianNS <= prediction.HighNS {
				held++
			}
			widths = append(widths, (prediction.HighNS-prediction.LowNS)/2/prediction.LatencyNS)
		}
		t.Logf("seed %d: median error %.3f, of one factor %.3f; %d of %d in their intervals of half-width %.3f", seed, median(wrong), median(wrongScaled), held, len(wrong), median(widths))
		if median(wrong) > 0.08 {
			t.Errorf("seed %d: median error of networks %.3f, want at most 0.08", seed, median(wrong))
		}
		all, allScaled = all+median(wrong), allScaled+median(wrongScaled)
		// Errors of rows partly cancel, those of 90% intervals of rows as well.
		if median(widths) > 6*median(wrong) {
			t.Errorf("seed %d: the half-width of intervals is %.3f, the median error %.3f", seed, median(widths), median(wrong))
		}
		if held < len(wrong)*8/10 {
			t.Errorf("seed %d: %d of %d networks are in their 90%% intervals", seed, held, len(wrong))
		}
	}
	if 3*all > allScaled {
		t.Errorf("the mean median error is %.3f, of one factor %.3f, want at most a third of it", all/3, allScaled/3)
	}
}

// What a table tells of networks but their latency is of the device that was
// measured, and one known device whose networks do not add up says little.
func TestPredictedNetworksOnly(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 12))
	border := 300.0
	var known []*lut.Table
	for range 5 {
		table := madeUpTable(rng)
		addNetworks(t, table, rng)
		for i := range table.Networks {
			n := &table.Networks[i]
			n.Shares = make([]float64, len(n.Workloads))
			for k := range n.Shares {
				n.Shares[k] = 1 / float64(len(n.Shares))
			}
			n.BorderNS = &border
		}
		known = append(known, table)
	}
	few := &lut.Table{Rows: madeUpTable(rng).Rows[:10]}
	predicted := func() []lut.Network {
		table, err := CompleteTable(known, few, 1)
		if err != nil {
			t.Fatal(err)
		}
		return table.Networks
	}
	before := predicted()
	for i, n := range before {
		if n.Shares != nil {
			t.Errorf("%s is predicted with the shares that a known device measured", n.Name)
		}
		want := border * n.LatencyMedianNS / known[0].Networks[i].LatencyMedianNS
		if n.BorderNS == nil || math.Abs(*n.BorderNS/want-1) > 1e-9 {
			t.Errorf("%s is predicted with %v ns at its borders, want %g as it takes", n.Name, n.BorderNS, want)
		}
	}
	if border != 300 {
		t.Errorf("the known table's border is now %g", border)
	}
	for i := range known[2].Networks {
		known[2].Networks[i].LatencyMedianNS *= math.Exp(0.7 * rng.NormFloat64())
	}
	for i, n := range predicted() {
		if off := math.Abs(n.LatencyMedianNS/before[i].LatencyMedianNS - 1); off > 0.08 {
			t.Errorf("with a known device whose networks do not add up, %s is predicted %.1f%% off what it was", n.Name, 100*off)
		}
	}
}

func parsed(t *testing.T, keys []string) []graph.Workload {
	t.Helper()
	var out []graph.Workload
	for _, key := range keys {
		out = append(out, mustWorkload(t, key))
	}
	return out
}
