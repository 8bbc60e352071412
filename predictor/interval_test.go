package predictor

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// TestNested wants intervals that grow with the coverage, whatever tables they
// come from: with no, few and many networks to calibrate on.
func TestNested(t *testing.T) {
	var predictors []*Predictor
	for i, calibrate := range []int{0, 4, 12, 25, 60} {
		m := newMachine(uint64(i))
		m.networkNoise = 0.03
		table := m.table(60, 6, calibrate)
		for k := range table.Rows[:40-10*i] { // with energy of some: 40 to none
			mj := 1e-6 * table.Rows[k].LatencyMedianNS * math.Exp(0.2*m.rng.NormFloat64())
			table.Rows[k].EnergyMJ, table.Rows[k].EnergySource = &mj, "meter"
		}
		predictors = append(predictors, mustFit(t, table))
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(predictors).Draw(t, "predictor")
		m := newMachine(1)
		m.rng = rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "network"), 0))
		workloads := m.draw()
		coverages := []float64{rapid.Float64Range(0.01, 0.999).Draw(t, "one"), rapid.Float64Range(0.01, 0.999).Draw(t, "other")}
		var intervals []Prediction
		for _, c := range coverages {
			within, err := p.Within(c)
			if err != nil {
				t.Fatal(err)
			}
			prediction, err := within.Predict(workloads)
			if err != nil {
				t.Fatal(err)
			}
			if prediction.Coverage != c {
				t.Fatalf("coverage %g, want %g", prediction.Coverage, c)
			}
			intervals = append(intervals, prediction, Picked(prediction, 100))
		}
		for i := range 2 {
			narrow, wide := intervals[i], intervals[2+i]
			if coverages[0] > coverages[1] {
				narrow, wide = wide, narrow
			}
			if narrow.LowNS < wide.LowNS || narrow.HighNS > wide.HighNS || narrow.LatencyNS != wide.LatencyNS {
				t.Fatalf("interval for %g is [%g, %g], for %g [%g, %g]", narrow.Coverage, narrow.LowNS, narrow.HighNS, wide.Coverage, wide.LowNS, wide.HighNS)
			}
			if narrow.EnergySource != "" && !(wide.EnergyLow <= narrow.EnergyLow && narrow.EnergyLow <= narrow.EnergyMJ && narrow.EnergyHigh <= wide.EnergyHigh && 0 < wide.EnergyLow) {
				t.Fatalf("energy for %g is [%g, %g], for %g [%g, %g]", narrow.Coverage, narrow.EnergyLow, narrow.EnergyHigh, wide.Coverage, wide.EnergyLow, wide.EnergyHigh)
			}
		}
	})
	for _, c := range []float64{0, 1, -0.1, math.NaN()} {
		if _, err := predictors[0].Within(c); err == nil {
			t.Errorf("coverage %g: no error", c)
		}
	}
}

// drawn is a network that is measured more or less surely.
type drawn struct {
	lut.Network
	small bool
}

// TestCoverageWithinGroups has the smaller half of networks measured four times
// less surely than the larger, and wants the coverage in both.
func TestCoverageWithinGroups(t *testing.T) {
	var inside, of [2]float64
	var sizes []float64
	for _, n := range newMachine(99).networks("size", 201) {
		sizes = append(sizes, n.LatencyMedianNS)
	}
	slices.Sort(sizes)
	for seed := range uint64(12) {
		m := newMachine(seed)
		table := m.table(60, 0, 0)
		unsteady := func(n int) (networks []drawn) {
			for range n {
				network := m.network("calibrate")
				workloads, err := networkWorkloads(network)
				if err != nil {
					t.Fatal(err)
				}
				truth := m.networkLatency(workloads)
				noise, small := 0.01, truth < sizes[100]
				if small {
					noise = 0.04
				}
				network.LatencyMedianNS = truth * math.Exp(noise*m.rng.NormFloat64())
				networks = append(networks, drawn{network, small})
			}
			return networks
		}
		for _, n := range unsteady(88) {
			table.Networks = append(table.Networks, n.Network)
		}
		p := mustFit(t, table)
		for _, n := range unsteady(60) {
			workloads, err := networkWorkloads(n.Network)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Predict(workloads)
			if err != nil {
				t.Fatal(err)
			}
			group := 0
			if n.small {
				group = 1
			}
			of[group]++
			if got.LowNS <= n.LatencyMedianNS && n.LatencyMedianNS <= got.HighNS {
				inside[group]++
			}
		}
	}
	t.Logf("coverage %.3f of %g large, %.3f of %g small", inside[0]/of[0], of[0], inside[1]/of[1], of[1])
	for group := range of {
		if c := inside[group] / of[group]; of[group] < 100 || c < 0.85 {
			t.Errorf("coverage %.3f of %g in group %d", c, of[group], group)
		}
	}
}

// TestEnergyCoverage wants energies in their intervals as often as asked,
// whatever the errors of the model are like: here rare large ones, of which a
// normal distribution knows nothing.
func TestEnergyCoverage(t *testing.T) {
	for _, coverage := range []float64{0.6, 0.9} {
		inside, of := 0.0, 0.0
		for seed := range uint64(20) {
			m := newMachine(seed)
			table := m.table(120, 0, 0)
			metered := table.Rows[:60]
			costs := map[graph.Workload]cost{}
			var truth []float64
			for i := range table.Rows {
				w, err := table.Rows[i].Workload()
				if err != nil {
					t.Fatal(err)
				}
				costs[w] = cost{ns: table.Rows[i].LatencyMedianNS}
				mj := (2e-6*costs[w].ns + 5e-9*float64(w.MACs())) * math.Exp(0.02*m.rng.NormFloat64())
				if m.rng.IntN(8) == 0 {
					mj *= math.Exp(0.5 * m.rng.NormFloat64())
				}
				truth = append(truth, mj)
				if i < len(metered) {
					table.Rows[i].EnergyMJ, table.Rows[i].EnergySource = &mj, "meter"
				}
			}
			model, err := fitEnergy(table.Rows, costs)
			if err != nil {
				t.Fatal(err)
			}
			for i := len(metered); i < len(table.Rows); i++ {
				w, err := table.Rows[i].Workload()
				if err != nil {
					t.Fatal(err)
				}
				mj, width := model.of(costs[w].mj, costs[w].estimated, 0, 0, coverage)
				of++
				if math.Abs(math.Log(truth[i]/mj)) <= width {
					inside++
				}
			}
		}
		t.Logf("%.0f%% intervals hold %.3f of %g energies", 100*coverage, inside/of, of)
		if got := inside / of; math.Abs(got-coverage) > 0.04 {
			t.Errorf("%.0f%% intervals hold %.3f", 100*coverage, got)
		}
	}
}

// TestPickedCovers takes of many networks whose true latencies are alike the
// one that is predicted to be the fastest: as picks go, its interval misses.
func TestPickedCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	const rounds, spread = 4000, 0.03
	for _, compared := range []int{1, 10, 100, 1000} {
		plain, corrected := 0.0, 0.0
		for range rounds {
			var least Prediction
			var truth float64
			for i := range compared {
				ns := 1000 * math.Exp(0.002*rng.NormFloat64())
				predicted := ns * math.Exp(spread*rng.NormFloat64())
				if i == 0 || predicted < least.LatencyNS {
					truth = ns
					least = Prediction{LatencyNS: predicted, Coverage: 0.9, Spread: spread}
				}
			}
			least.LowNS, least.HighNS = least.LatencyNS*math.Exp(-normal90*spread), least.LatencyNS*math.Exp(normal90*spread)
			picked := Picked(least, compared)
			if least.LowNS <= truth && truth <= least.HighNS {
				plain++
			}
			if picked.LowNS <= truth && truth <= picked.HighNS {
				corrected++
			}
		}
		t.Logf("the fastest of %d: plain interval holds %.3f, corrected %.3f", compared, plain/rounds, corrected/rounds)
		if corrected/rounds < 0.88 {
			t.Errorf("of %d compared: coverage %.3f, want 0.9", compared, corrected/rounds)
		}
		if compared == 1 && math.Abs(plain-corrected) > 1e-9 {
			t.Error("a single network is no pick")
		}
		if compared == 1000 && plain/rounds > 0.5 {
			t.Errorf("the plain interval holds %.3f of the time: this test shows nothing", plain/rounds)
		}
	}
}

// TestSteadyReplays has networks whose errors are mostly the noise of the few
// runs that they were measured for, beside others that were measured well.
func TestSteadyReplays(t *testing.T) {
	width := func(steady, noisy int) float64 {
		rng := rand.New(rand.NewPCG(4, 4))
		p := &Predictor{}
		var left []replay
		for range steady {
			left = append(left, replay{measured: true, samples: 20, ns: 1e6, error: 0.01 * rng.NormFloat64()})
		}
		for range noisy {
			left = append(left, replay{measured: true, samples: 2, ns: 1e6, error: 0.3 * rng.NormFloat64()})
		}
		p.calibrate(left)
		return p.interval.scoreOf(0, 1e6).score * p.interval.difficulty(0, 0)
	}
	if got := width(60, 60); got > 0.03 || got < 0.01 {
		t.Errorf("half width %.3f where networks measured well err by 0.01; want 0.016 or little more", got)
	}
	if got := width(10, 110); got < 0.2 {
		t.Errorf("half width %.3f where nearly all networks err by 0.3", got)
	}
}
