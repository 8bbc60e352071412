package predictor

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// complete is a table with a row for all workloads of the networks.
func (m *machine) complete(networks ...lut.Network) *lut.Table {
	t := &lut.Table{Networks: networks}
	seen := map[string]bool{}
	for _, n := range networks {
		for _, key := range n.Workloads {
			if w, err := graph.ParseWorkload(key); err == nil && !seen[key] {
				seen[key] = true
				t.Rows = append(t.Rows, m.row(w))
			}
		}
	}
	return t
}

func TestSumOfRows(t *testing.T) {
	m := newMachine(1)
	n := m.network("test")
	table := m.complete(n)
	p := mustFit(t, table)
	workloads, err := networkWorkloads(n)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Predict(workloads)
	if err != nil {
		t.Fatal(err)
	}
	var want float64
	for i, w := range workloads {
		row, ok := table.Lookup(w)
		if !ok {
			t.Fatalf("no row for %s", w)
		}
		want += row.LatencyMedianNS
		if diff := cmp.Diff(Part{Workload: w, LatencyNS: row.LatencyMedianNS, Source: SourceTable, Uncertainty: relativeNoise(row.LatencyMedianNS, row.LatencyCI95NS)}, got.Parts[i]); diff != "" {
			t.Errorf("part %d differs:\n%s", i, diff)
		}
	}
	if math.Abs(got.LatencyNS/want-1) > 1e-12 || math.Abs(got.OverheadNS) > 1e-6 {
		t.Errorf("latency %g with overhead %g, want the sum %g with none", got.LatencyNS, got.OverheadNS, want)
	}
	if got.Interval != IntervalCrossValidated || got.LowNS >= got.LatencyNS || got.HighNS <= got.LatencyNS {
		t.Errorf("interval [%g, %g] around %g is %q", got.LowNS, got.HighNS, got.LatencyNS, got.Interval)
	}
}

// TestOverheadExact removes all noise and wants the overhead recovered.
func TestOverheadExact(t *testing.T) {
	m := newMachine(3)
	m.rowNoise, m.networkNoise = 0, 0
	test := m.networks("test", 10)
	table := m.complete(append(m.networks("fit", 10), test...)...)
	p := mustFit(t, table)
	a, err := p.Evaluate(test)
	if err != nil {
		t.Fatal(err)
	}
	if a.MaxError > 0.005 {
		t.Errorf("largest error %g, want none to speak of", a.MaxError)
	}
	workloads, err := networkWorkloads(test[0])
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Predict(workloads)
	if err != nil {
		t.Fatal(err)
	}
	missed := m.networkLatency(workloads)
	for _, part := range got.Parts {
		missed -= part.LatencyNS
	}
	if e := math.Abs(got.OverheadNS - missed); e > 0.005*got.LatencyNS {
		t.Errorf("overhead %g ns, want %g", got.OverheadNS, missed)
	}
	table.Networks = nil
	plain, err := mustFit(t, table).Evaluate(test)
	if err != nil {
		t.Fatal(err)
	}
	if plain.MedianError < 0.05 {
		t.Errorf("the plain sum errs by %g only; this test shows nothing", plain.MedianError)
	}
}

func TestAccuracyOnNewNetworks(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		m := newMachine(seed)
		a, err := mustFit(t, m.table(150, 12, 16)).Evaluate(m.networks("test", 50))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("seed %d: %+v", seed, a)
		if a.MedianError > 0.025 || a.Within20 != 1 || a.Spearman < 0.995 {
			t.Errorf("seed %d: %+v", seed, a)
		}
	}
}

// TestCoverage draws many devices' tables and wants the intervals of fresh
// networks to hold as often as stated.
func TestCoverage(t *testing.T) {
	var inside, of, width float64
	for seed := range uint64(40) {
		m := newMachine(seed)
		m.networkNoise = 0.03
		a, err := mustFit(t, m.table(60, 8, 19)).Evaluate(m.networks("test", 20))
		if err != nil {
			t.Fatal(err)
		}
		inside += a.Coverage * float64(a.N)
		of += float64(a.N)
		width += a.MedianWidth / 40
	}
	t.Logf("coverage %.3f of %g, mean half width %.3f", inside/of, of, width)
	if c := inside / of; c < 0.87 || c > 0.93 {
		t.Errorf("coverage %.3f, want 0.90", c)
	}
}

// TestFewNetworks wants the substitute marked, and on the safe side.
func TestFewNetworks(t *testing.T) {
	var inside, of float64
	for seed := range uint64(20) {
		m := newMachine(seed)
		m.networkNoise = 0.02 * float64(1+seed%4)
		table := m.table(60, 4, 3)
		p := mustFit(t, table)
		test := m.networks("test", 20)
		a, err := p.Evaluate(test)
		if err != nil {
			t.Fatal(err)
		}
		inside += a.Coverage * float64(a.N)
		of += float64(a.N)
		known, err := p.Evaluate(table.Networks)
		if err != nil {
			t.Fatal(err)
		}
		if known.Coverage != 1 {
			t.Errorf("seed %d: intervals miss %g of the networks that it learned from", seed, 1-known.Coverage)
		}
		workloads, err := networkWorkloads(test[0])
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Predict(workloads)
		if err != nil {
			t.Fatal(err)
		}
		if got.Interval != IntervalCrossValidated {
			t.Fatalf("interval is %q with 7 networks", got.Interval)
		}
	}
	t.Logf("coverage %.3f", inside/of)
	if inside/of < 0.9 {
		t.Errorf("coverage %.3f with 7 networks, want at least 0.9", inside/of)
	}
}

func TestConformalScore(t *testing.T) {
	ascending := func(n int) []float64 {
		s := make([]float64, n)
		for i := range s {
			s[i] = float64(i + 1)
		}
		return s
	}
	for _, test := range []struct {
		n    int
		want float64
		ok   bool
	}{{0, 0, false}, {8, 0, false}, {9, 9, true}, {10, 10, true}, {18, 18, true}, {19, 18, true}, {99, 90, true}} {
		got, ok := conformalScore(ascending(test.n), 0.9)
		if got != test.want || ok != test.ok {
			t.Errorf("of the scores 1..%d: %g, %v; want %g, %v", test.n, got, ok, test.want, test.ok)
		}
	}
}

// TestSources follows a workload down from its row to the roofline.
func TestSources(t *testing.T) {
	m := newMachine(1)
	table := m.table(60, 0, 0)
	p := mustFit(t, table)
	known, err := table.Rows[0].Workload()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		workload graph.Workload
		source   string
	}{
		{known, SourceTable},
		{conv(40, 56, 9, 1, 1, 1, "relu"), SourceRegression},
		{conv(40, 40, 9, 3, 1, 40, "sigmoid"), SourceRegression}, // an epilogue that no row has
		{graph.Workload{Op: graph.OpSoftmax, DType: graph.F32, N: 1, C: 10}, SourceRoofline},
	} {
		got, err := p.Predict([]graph.Workload{test.workload})
		if err != nil {
			t.Fatal(err)
		}
		if got.Parts[0].Source != test.source {
			t.Errorf("%s comes from %s, want %s", test.workload, got.Parts[0].Source, test.source)
		}
		if !(got.LatencyNS > 0) {
			t.Errorf("%s takes %g ns", test.workload, got.LatencyNS)
		}
	}
	// The less is known, the wider the interval.
	var widths []float64
	for _, w := range []graph.Workload{known, conv(40, 56, 9, 1, 1, 1, "relu"), {Op: graph.OpSoftmax, DType: graph.F32, N: 1, C: 10}} {
		got, err := p.Predict([]graph.Workload{w})
		if err != nil {
			t.Fatal(err)
		}
		widths = append(widths, got.HighNS/got.LowNS)
	}
	if widths[0] >= widths[1] || widths[1] >= widths[2] {
		t.Errorf("interval widths from row, regression and roofline are %v; want them to grow", widths)
	}
	for _, model := range p.Models() {
		if model.Rows < minRows || !(model.Error > 0) || model.Kind == "" {
			t.Errorf("model %+v", model)
		}
	}
}

// TestLongerIsNotCheaper adds workloads to networks.
func TestLongerIsNotCheaper(t *testing.T) {
	m := newMachine(2)
	p := mustFit(t, m.table(100, 12, 12))
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(rapid.Uint64().Draw(t, "seed"))
		m.rng = rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "network"), 0))
		workloads := m.draw()
		cut := rapid.IntRange(1, len(workloads)-1).Draw(t, "cut")
		short, err := p.Predict(workloads[:cut])
		if err != nil {
			t.Fatal(err)
		}
		long, err := p.Predict(workloads)
		if err != nil {
			t.Fatal(err)
		}
		if short.LatencyNS > long.LatencyNS || short.LatencyNS <= 0 {
			t.Fatalf("the first %d of %d workloads take %g ns, all of them %g", cut, len(workloads), short.LatencyNS, long.LatencyNS)
		}
		if short.LowNS <= 0 || short.LowNS > short.LatencyNS || short.LatencyNS > short.HighNS {
			t.Fatalf("interval [%g, %g] around %g", short.LowNS, short.HighNS, short.LatencyNS)
		}
	})
}

func TestEnergy(t *testing.T) {
	m := newMachine(1)
	m.rowNoise = 0
	truth := func(w graph.Workload) float64 {
		return 2e-6*m.latency(w) + 5e-9*float64(w.MACs()) + 1e-8*float64(w.Bytes())
	}
	table := m.table(80, 0, 0)
	for i := range table.Rows {
		if i%4 == 0 {
			continue // no energy
		}
		w, err := table.Rows[i].Workload()
		if err != nil {
			t.Fatal(err)
		}
		mj := truth(w)
		if i == 1 {
			mj *= 1.3 // as measured, whatever the others say
		}
		table.Rows[i].EnergyMJ, table.Rows[i].EnergySource = &mj, "meter"
	}
	p := mustFit(t, table)
	var workloads []graph.Workload
	var want float64
	for _, row := range table.Rows[:20] {
		w, err := row.Workload()
		if err != nil {
			t.Fatal(err)
		}
		workloads = append(workloads, w)
		want += truth(w)
	}
	odd, err := p.Predict(workloads[1:2])
	if err != nil {
		t.Fatal(err)
	}
	if e := odd.EnergyMJ / *table.Rows[1].EnergyMJ; math.Abs(e-1) > 1e-9 {
		t.Errorf("energy of a row is %g times what was measured", e)
	}
	got, err := p.Predict(workloads)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.EnergyMJ/want-1) > 0.03 || got.EnergySource != "meter" {
		t.Errorf("energy %g mJ from %q, want %g from meter", got.EnergyMJ, got.EnergySource, want)
	}
	if !(0 < got.EnergyLow && got.EnergyLow < got.EnergyMJ && got.EnergyMJ < got.EnergyHigh) {
		t.Errorf("energy interval [%g, %g] around %g", got.EnergyLow, got.EnergyHigh, got.EnergyMJ)
	}
	for i := range table.Rows {
		table.Rows[i].EnergyMJ, table.Rows[i].EnergySource = nil, ""
	}
	got, err = mustFit(t, table).Predict(workloads)
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(got.EnergyMJ) || !math.IsNaN(got.EnergyLow) || !math.IsNaN(got.EnergyHigh) || got.EnergySource != "" {
		t.Errorf("energy %g mJ from %q without any in the table", got.EnergyMJ, got.EnergySource)
	}
}

func TestErrors(t *testing.T) {
	good := func() *lut.Table { return newMachine(1).table(30, 3, 3) }
	fit := func(change func(*lut.Table)) error {
		table := good()
		change(table)
		_, err := Fit(table)
		return err
	}
	key := good().Rows[5].Key
	name := good().Networks[1].Name
	for _, test := range []struct {
		change func(*lut.Table)
		want   string
	}{
		{func(t *lut.Table) {}, ""},
		{func(t *lut.Table) { t.Rows = nil }, "predictor: the table has no rows with warm caches: profile some workloads first"},
		{func(t *lut.Table) {
			for i := range t.Rows {
				t.Rows[i].Cache = lut.CacheCold
			}
		}, "predictor: the table has no rows with warm caches: profile some workloads first"},
		{func(t *lut.Table) { t.Rows[5].LatencyMedianNS = -1 }, "predictor: row 5 (" + key + "): latency_median_ns is -1; want a positive number"},
		{func(t *lut.Table) { t.Rows[5].LatencyMedianNS = math.NaN() }, "predictor: row 5 (" + key + "): latency_median_ns is NaN; want a positive number"},
		{func(t *lut.Table) { t.Rows[5].LatencyCI95NS = -1 }, "predictor: row 5 (" + key + "): latency_ci95_ns is -1; want a number that is not negative"},
		{func(t *lut.Table) { t.Rows[6] = t.Rows[5] }, "predictor: row 6: workload " + key + " is in the table twice"},
		{func(t *lut.Table) { t.Rows[6] = t.Rows[5]; t.Rows[6].Cache = lut.CacheCold }, ""},
		{func(t *lut.Table) { t.Rows[5].Key = "nonsense" }, "predictor: row 5: lut: "},
		{func(t *lut.Table) { t.Rows[5].EnergyMJ = new(float64) }, "predictor: row 5 (" + key + "): energy_mj is 0; want a positive number, or none"},
		{func(t *lut.Table) { t.Networks[1].LatencyMedianNS = 0 }, `predictor: network "` + name + `": latency_median_ns is 0; want a positive number`},
		{func(t *lut.Table) { t.Networks[1].Workloads = nil }, `predictor: network "` + name + `" has no workloads`},
		{func(t *lut.Table) { t.Networks[1].Workloads[2] = "nonsense" }, `predictor: network "` + name + `": `},
	} {
		err := fit(test.change)
		if test.want == "" {
			if err != nil {
				t.Errorf("error %v, want none", err)
			}
		} else if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}

	p := mustFit(t, good())
	if _, err := p.Predict(nil); err == nil {
		t.Error("no workloads: no error")
	}
	for range 2 { // the second answer comes from what the first kept, if anything
		if _, err := p.Predict([]graph.Workload{{Op: "conv9d"}}); err == nil || !strings.Contains(err.Error(), "conv9d") {
			t.Errorf("unknown operator: error %v", err)
		}
	}
	if _, err := p.Evaluate(nil); err == nil {
		t.Error("nothing to evaluate on: no error")
	}
}

// TestNoRateKnown has no row to learn the speed of arithmetic from.
func TestNoRateKnown(t *testing.T) {
	m := newMachine(1)
	relu := graph.Workload{Op: graph.OpRelu, DType: graph.F32, N: 1, C: 8, H: 8, W: 8}
	p := mustFit(t, &lut.Table{Rows: []lut.Row{m.row(relu)}})
	if _, err := p.Predict([]graph.Workload{conv(8, 8, 8, 3, 1, 1, "none")}); err == nil || !strings.Contains(err.Error(), "multiply-accumulates") {
		t.Errorf("error %v, want one about multiply-accumulates", err)
	}
	larger := graph.Workload{Op: graph.OpRelu, DType: graph.F32, N: 1, C: 16, H: 8, W: 8}
	if _, err := p.Predict([]graph.Workload{larger}); err != nil {
		t.Error(err)
	}
}

func TestDeterministic(t *testing.T) {
	m := newMachine(1)
	table, test := m.table(60, 6, 12), m.networks("test", 20)
	first, second := mustFit(t, table), mustFit(t, table)
	for _, n := range test {
		workloads, err := networkWorkloads(n)
		if err != nil {
			t.Fatal(err)
		}
		a, err := first.Predict(workloads)
		if err != nil {
			t.Fatal(err)
		}
		b, err := second.Predict(workloads)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b, cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })); diff != "" {
			t.Fatalf("two fits of one table differ:\n%s", diff)
		}
	}
}

func TestConcurrentPredict(t *testing.T) {
	m := newMachine(1)
	p := mustFit(t, m.table(60, 6, 12))
	test := m.networks("test", 8)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			if _, err := p.Evaluate(test); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
}

func TestPredictAllocatesPartsOnly(t *testing.T) {
	m := newMachine(1)
	p := mustFit(t, m.table(60, 6, 12))
	workloads := m.draw()
	predict := func() {
		if _, err := p.Predict(workloads); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, predict); n > 1 {
		t.Errorf("%g allocations a prediction, want that of the parts only", n)
	}
}

func TestPredictGraph(t *testing.T) {
	m := newMachine(1)
	p := mustFit(t, m.table(100, 6, 12))
	b := graph.NewBuilder("small")
	x := b.Input("image", 1, 8, 16, 16)
	x = b.Activation(graph.OpRelu, b.BatchNorm("norm", b.Conv("expand", x, 32, 1, 1, 1, 0, 1, false)))
	g, err := b.Build(x)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.PredictGraph(g)
	if err != nil {
		t.Fatal(err)
	}
	want, err := p.Predict([]graph.Workload{conv(8, 32, 16, 1, 1, 1, "relu")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })); diff != "" {
		t.Errorf("graph and workloads differ:\n%s", diff)
	}
}

func BenchmarkPredict(b *testing.B) {
	m := newMachine(1)
	p := mustFit(b, m.table(150, 6, 12))
	workloads := m.draw()
	for b.Loop() {
		if _, err := p.Predict(workloads); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(workloads)), "workloads")
}

func BenchmarkFit(b *testing.B) {
	table := newMachine(1).table(400, 12, 16)
	for b.Loop() {
		mustFit(b, table)
	}
}
