package predictor

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// TestSlopes has bytes that cost more from one size of all weights on.
func TestSlopes(t *testing.T) {
	knots := []float64{100, 200, 400, 800}
	s := slopes(knots, 2)
	for weights, want := range map[float64]float64{50: 0, 200: 0, 300: 200, 400: 400, 600: 600, 800: 800, 2000: 2000} {
		if got := spilled(knots, s, weights); math.Abs(got-want) > 1e-9 {
			t.Errorf("weights of %g bytes cost %g, want %g", weights, got, want)
		}
	}
}

// sharesOf makes networks tell what the machine needs for each workload: its
// time alone and an extra for each byte of weights where these outgrow caches.
func sharesOf(m *machine, n *lut.Network, extra func(weights float64) float64) {
	var all, ns float64
	var workloads []graph.Workload
	for _, key := range n.Workloads {
		w, err := graph.ParseWorkload(key)
		if err != nil {
			panic(err)
		}
		workloads = append(workloads, w)
		all += weightBytes(w)
	}
	n.Shares = make([]float64, len(workloads))
	for i, w := range workloads {
		n.Shares[i] = m.factor*m.latency(w) + m.dispatch + extra(all)*weightBytes(w)
		ns += n.Shares[i]
	}
	for i := range n.Shares {
		n.Shares[i] /= ns
	}
	n.LatencyMedianNS = ns * math.Exp(m.rng.NormFloat64()*m.networkNoise)
	n.LatencyP10NS, n.LatencyP90NS, n.LatencyCI95NS = n.LatencyMedianNS, n.LatencyMedianNS, 1.96*m.networkNoise*n.LatencyMedianNS
}

// TestWithin wants networks whose workloads were seen in others to be predicted
// about as well as they are measured, though no workload was measured alone.
func TestWithin(t *testing.T) {
	m := newMachine(5)
	outgrow := func(weights float64) float64 {
		if weights > 1<<20 {
			return 0.4
		}
		return 0
	}
	table := &lut.Table{Networks: append(m.networks("fit", 60), m.networks("calibrate", 30)...)}
	for i := range table.Networks {
		sharesOf(m, &table.Networks[i], outgrow)
	}
	p := mustFit(t, table)
	fresh := m.networks("test", 60)
	for i := range fresh {
		sharesOf(m, &fresh[i], outgrow)
	}
	a, err := p.Evaluate(fresh)
	if err != nil {
		t.Fatal(err)
	}
	if a.Within10 < 0.95 || a.MAPE > 0.03 {
		t.Errorf("%.0f%% within 10%%, mean error %.1f%%; want 95%% and 3%%", 100*a.Within10, 100*a.MAPE)
	}
	if a.Coverage < 0.75 {
		t.Errorf("the interval of 90%% holds in %.0f%%", 100*a.Coverage)
	}
	sources := map[string]int{}
	for _, n := range fresh {
		workloads, err := networkWorkloads(n)
		if err != nil {
			t.Fatal(err)
		}
		prediction, err := p.Predict(workloads)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range prediction.Parts {
			sources[part.Source]++
		}
	}
	if sources[SourceNetwork] == 0 || sources[SourceTable] != 0 {
		t.Errorf("sources of the parts: %v", sources)
	}
}

// TestHiddenWeights has a workload in each network that never waits for its
// weights, though all that these would cost at the price of others is a multiple
// of its time. It is to cost what it did where a byte is dear.
func TestHiddenWeights(t *testing.T) {
	hidden := graph.Workload{Op: graph.OpLinear, DType: graph.F32, N: 1, C: 1000, K: 5, Epilogue: "none"}
	const takes, waits = 1e3, 0.4 // ns; ns a byte where weights outgrow the cache
	var networks []lut.Network
	for i := range 40 {
		n := lut.Network{Name: "net", Use: "fit"}
		workloads := []graph.Workload{hidden}
		all := weightBytes(hidden)
		for k := range 1 + i%8 {
			w := conv(64, 64+8*k, 8, 3, 1, 1, "relu")
			workloads = append(workloads, w)
			all += weightBytes(w)
		}
		for _, w := range workloads {
			ns := takes
			if w != hidden {
				if ns = 30e3; all > 512<<10 {
					ns += waits * weightBytes(w)
				}
			}
			n.Workloads, n.Shares = append(n.Workloads, w.String()), append(n.Shares, ns)
			n.LatencyMedianNS += ns
		}
		for k := range n.Shares {
			n.Shares[k] /= n.LatencyMedianNS
		}
		networks = append(networks, n)
	}
	v, err := observeWithin(networks, nil, []float64{32 << 10, 256 << 10, 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ns, _, ok := v.of(hidden, -1)
	if !ok {
		t.Fatal("the workload was not seen")
	}
	all := v.allBytes()
	dear := 0
	for _, bytes := range all {
		if v.rate(bytes)*weightBytes(hidden) < 2*takes {
			continue
		}
		dear++
		if got := ns + v.rate(bytes)*v.seen[hidden].bytes; math.Abs(got/takes-1) > 0.5 {
			t.Errorf("among weights that count as %g bytes it costs %g ns, want about %g", bytes, got, float64(takes))
		}
	}
	if dear < len(all)/4 {
		t.Errorf("a byte is dear in %d networks of %d: the test tells nothing", dear, len(all))
	}
	if got := v.weighing().bytes(hidden, takes); got*v.weighing().MostRate > 6*takes {
		t.Errorf("of a workload like it that no network has, weights cost up to %g ns", got*v.weighing().MostRate)
	}
}

// TestFitRepeats wants the same bits from the same table.
func TestFitRepeats(t *testing.T) {
	m := newMachine(6)
	table := &lut.Table{Networks: append(m.networks("fit", 25), m.networks("calibrate", 15)...)}
	for i := range table.Networks {
		sharesOf(m, &table.Networks[i], func(weights float64) float64 { return weights * 1e-7 })
	}
	var first []byte
	for range 5 {
		path := filepath.Join(t.TempDir(), "x")
		if err := mustFit(t, table).Save(path); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = data
		} else if !bytes.Equal(data, first) {
			t.Fatal("the same table fitted again gives another predictor")
		}
	}
}

// TestLeftOutWithin wants a network not to be judged by its own workloads.
func TestLeftOutWithin(t *testing.T) {
	w := conv(8, 8, 8, 3, 1, 1, "relu").String()
	var networks []lut.Network
	for i, ns := range []float64{100, 100, 400} {
		networks = append(networks, lut.Network{
			Name: string(rune('a' + i)), Workloads: []string{w}, Shares: []float64{1}, LatencyMedianNS: ns, Use: "fit",
		})
	}
	v, err := observeWithin(networks, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	work, err := graph.ParseWorkload(w)
	if err != nil {
		t.Fatal(err)
	}
	if ns, _, _ := v.of(work, 2); math.Abs(ns-100) > 1e-9 {
		t.Errorf("without the third network it takes %g ns, want 100", ns)
	}
	if ns, _, _ := v.of(work, -1); ns <= 100 || ns > 102 {
		t.Errorf("in all networks it takes %g ns, want little more than in the two that agree", ns)
	}
}

// TestDisturbedWithin has a network that was slowed down to half: its workloads
// that others have say so, and what it alone has counts half.
func TestDisturbedWithin(t *testing.T) {
	known, alone := conv(8, 8, 8, 3, 1, 1, "relu"), conv(8, 16, 8, 3, 1, 1, "relu")
	network := func(ns float64, workloads ...graph.Workload) lut.Network {
		n := lut.Network{Name: "net", LatencyMedianNS: ns, Use: "fit"}
		for _, w := range workloads {
			n.Workloads = append(n.Workloads, w.String())
			n.Shares = append(n.Shares, 1/float64(len(workloads)))
		}
		return n
	}
	quiet := []lut.Network{network(100, known), network(100, known), network(100, known)}
	v, err := observeWithin(quiet, []lut.Network{network(400, known, alone), network(1000, alone)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for w, want := range map[graph.Workload]float64{known: 100, alone: 100} {
		if ns, _, _ := v.of(w, -1); math.Abs(ns-want) > 1e-9 {
			t.Errorf("%s takes %g ns, want %g", w, ns, want)
		}
	}
}

// TestShifts turns times alone into those within networks.
func TestShifts(t *testing.T) {
	m := newMachine(6)
	table := m.table(80, 30, 20)
	for i := range table.Networks {
		sharesOf(m, &table.Networks[i], func(float64) float64 { return 0 })
	}
	alone := &lut.Table{Rows: table.Rows}
	for _, n := range table.Networks { // in the first table the workloads are seen in networks
		n.Shares = nil
		alone.Networks = append(alone.Networks, n)
	}
	with, without := mustFit(t, table), mustFit(t, alone)
	w := conv(8, 40, 40, 1, 1, 1, "relu") // in neither
	for _, p := range []*Predictor{with, without} {
		prediction, err := p.Predict([]graph.Workload{w, w, w, w})
		if err != nil {
			t.Fatal(err)
		}
		want := 4 * (m.factor*m.latency(w) + m.dispatch)
		if e := math.Abs(prediction.LatencyNS/want - 1); e > 0.25 {
			t.Errorf("error %.0f%% of a network whose workloads are new", 100*e)
		}
	}
}
