package profiler

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler/energy"
)

// fakeProfiler has a clock that takes a step whenever it is looked at, so that
// everything seems to take about as long, whatever it does.
func fakeProfiler(options Options, noise float64) *Profiler {
	rng := rand.New(rand.NewPCG(1, 1))
	var clock time.Duration
	p := New(options)
	p.walk = newWalk(walkPiece)
	nothing := func() {}
	base := speeds{150e3, 150e3, 150e3}
	p.sampler = &sampler{
		now: func() time.Duration {
			clock += time.Duration(150e3 * math.Exp(noise*rng.NormFloat64()))
			return clock
		},
		resolution: 1,
		kernels:    [kinds]func(){nothing, nothing, nothing},
		perSample:  [kinds]int{1, 1, 1},
		baseline:   base,
		quiet:      newReference(base),
	}
	return p
}

var fakeMeta = lut.Meta{Schema: lut.Schema, Fingerprint: "fake", Runtime: "hwprofd", Threads: 1}

func fakeWork(t *testing.T) (workloads []graph.Workload, networks []NamedGraph) {
	t.Helper()
	for c := 1; c <= 12; c++ {
		workloads = append(workloads, graph.Workload{
			Op: graph.OpRelu, DType: graph.F32, N: 1, C: c, H: 2, W: 2,
		})
	}
	for _, name := range []string{"one", "two"} {
		b := graph.NewBuilder(name)
		x := b.Activation(graph.OpHardSwish, b.BatchNorm("norm", b.Conv("conv", b.Input("x", 1, 1, 4, 4), 2, 3, 3, 1, 1, 1, false)))
		g, err := b.Build(b.Linear("linear", b.Flatten(b.GlobalAveragePool(x)), 3))
		if err != nil {
			t.Fatal(err)
		}
		networks = append(networks, NamedGraph{Name: name, Use: "fit", Graph: g})
	}
	return workloads, networks
}

func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fake.lut.parquet")
	workloads, networks := fakeWork(t)
	twice := append(slices.Clone(workloads), workloads...)
	p := fakeProfiler(Options{}, 0.01)
	table, err := p.Run(context.Background(), path, fakeMeta, twice, networks)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != len(workloads)+1 || len(table.Networks) != len(networks) {
		t.Fatalf("%d rows and %d networks, want %d, one of them the calibration kernel's, and %d",
			len(table.Rows), len(table.Networks), len(workloads)+1, len(networks))
	}
	for _, w := range workloads {
		row, ok := table.Lookup(w)
		if !ok {
			t.Fatalf("no row of %s", w)
		}
		// A sample is one step of the clock, and does the workload so often.
		want := 150e3 / float64(copies(w))
		if !row.Stable || math.Abs(row.LatencyMedianNS/want-1) > 0.02 || math.Abs(row.RawMedianNS/want-1) > 0.02 {
			t.Errorf("%s: median %g ns, raw %g, stable %t, want %g", w, row.LatencyMedianNS, row.RawMedianNS, row.Stable, want)
		}
		if row.EnergyMJ == nil || *row.EnergyMJ <= 0 || row.EnergySource != "modelled" {
			t.Errorf("%s: energy %v of %q", w, row.EnergyMJ, row.EnergySource)
		}
	}
	want := []string{
		"conv2d/f32/n1c1h4w4/k2r3s3/stride1.pad1.dil1.group1/hswish", "globalavgpool/f32/n1c2h4w4", "linear/f32/n1c2/k3/none",
	}
	if diff := cmp.Diff(want, table.Networks[0].Workloads); diff != "" {
		t.Errorf("workloads of the network (-want +got):\n%s", diff)
	}
	if got := Baseline(table); math.Abs(got.ComputeNS/150e3-1) > 0.02 || got.ClockNS != 150e3 {
		t.Errorf("baseline %+v, want 150000", got)
	}
	if !strings.Contains(table.Meta.Protocol.Calibration, "conv2d/") || table.Meta.Protocol.RelativeCI != 0.02 {
		t.Errorf("protocol %+v", table.Meta.Protocol)
	}
	read, err := lut.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(read.Rows) != len(table.Rows) {
		t.Errorf("the file has %d rows, the table %d", len(read.Rows), len(table.Rows))
	}
	if _, err := os.Stat(path + ".journal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the journal is still there: %v", err)
	}
}

// TestRunResumes stops a run between visits and, as a killed process may leave
// it, cuts the journal's last line; the next run goes on with all other visits.
func TestRunResumes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fake.lut.parquet")
	workloads, networks := fakeWork(t)
	open := func() *lut.Journal {
		t.Helper()
		j, err := lut.OpenJournal(path, fakeMeta)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		return j
	}
	stopAfter := func(visits int) {
		t.Helper()
		ctx, cancel := context.WithCancel(context.Background())
		p := fakeProfiler(Options{Progress: func(_, total int, _ string, _ time.Duration) {
			if total != len(workloads)+len(networks) {
				t.Errorf("%d items, want all, also those that were visited", total)
			}
			if visits--; visits < 0 {
				cancel()
			}
		}}, 0.01)
		p.sampler.baseline[clock] = 140e3 // another one than the journal's, but for the first run
		if _, err := p.Run(ctx, path, fakeMeta, workloads, networks); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v, want context.Canceled", err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a stopped run left a table: %v", err)
		}
	}
	stopAfter(30)
	content, err := os.ReadFile(path + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".journal", content[:len(content)-20], 0o644); err != nil {
		t.Fatal(err)
	}
	before := open()
	if n := len(before.Visits()); n != 29 || before.Meta().Protocol.Baseline.ClockNS != 140e3 {
		t.Fatalf("%d visits in the journal, want 29; meta %+v", n, before.Meta())
	}
	stopAfter(20)
	then := open()
	if len(then.Visits()) != 29+20 {
		t.Errorf("%d visits after the second run, want 20 more than 29", len(then.Visits()))
	}
	if diff := cmp.Diff(before.Visits(), then.Visits()[:29]); diff != "" {
		t.Errorf("the second run changed visits: %s", diff)
	}
	table, err := fakeProfiler(Options{}, 0.01).Run(context.Background(), path, fakeMeta, workloads, networks)
	if err != nil {
		t.Fatal(err)
	}
	if got := Baseline(table).ClockNS; got != 140e3 {
		t.Errorf("the last run corrects to a clock of %g, the first to 140000", got)
	}
	if len(table.Rows) != len(workloads)+1 || len(table.Networks) != len(networks) {
		t.Errorf("%d rows and %d networks", len(table.Rows), len(table.Networks))
	}
	for _, w := range workloads {
		row, _ := table.Lookup(w)
		want := 140e3 / float64(copies(w))
		if math.Abs(row.LatencyMedianNS/want-1) > 0.02 || row.FirstRunNS == nil || row.PeakMemoryBytes == nil {
			t.Errorf("%s: median %g ns, want %g; %+v", w, row.LatencyMedianNS, want, row)
		}
	}
	if len(table.Networks[0].Workloads) == 0 {
		t.Error("a network has lost its workloads")
	}
}

// TestRunKeepsFinishedRows resumes a journal with rows, as also earlier versions
// wrote them.
func TestRunKeepsFinishedRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fake.lut.parquet")
	workloads, _ := fakeWork(t)
	first, err := fakeProfiler(Options{}, 0.01).Run(context.Background(), path, fakeMeta, workloads[:4], nil)
	if err != nil {
		t.Fatal(err)
	}
	path += "2"
	j, err := lut.OpenJournal(path, fakeMeta)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range first.Rows {
		if err := j.AppendRow(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	table, err := fakeProfiler(Options{}, 0.01).Run(context.Background(), path, fakeMeta, workloads, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range workloads[:4] {
		old, _ := first.Lookup(w)
		if row, _ := table.Lookup(w); cmp.Diff(old, row) != "" {
			t.Errorf("the second run changed a row: %s", cmp.Diff(old, row))
		}
	}
}

// TestRunGoesInRounds has all items visited before any is again, in another
// order each time.
func TestRunGoesInRounds(t *testing.T) {
	workloads, networks := fakeWork(t)
	n := len(workloads) + len(networks)
	var names []string
	p := fakeProfiler(Options{Progress: func(_, _ int, current string, _ time.Duration) { names = append(names, current) }}, 0.01)
	if _, err := p.Run(context.Background(), filepath.Join(t.TempDir(), "x"), fakeMeta, workloads, networks); err != nil {
		t.Fatal(err)
	}
	sorted := func(list []string) []string { return slices.Sorted(slices.Values(list)) }
	for round := 1; round < minVisits; round++ {
		now := names[round*n : (round+1)*n]
		if !slices.Equal(sorted(now), sorted(names[:n])) {
			t.Errorf("round %d visits %q", round, now)
		}
		if slices.Equal(now, names[:n]) {
			t.Errorf("round %d has the order of the first one", round)
		}
	}
}

func TestRunOrderFollowsSeed(t *testing.T) {
	workloads, networks := fakeWork(t)
	order := func(seed uint64) (names []string) {
		p := fakeProfiler(Options{Seed: seed, Progress: func(_, _ int, current string, _ time.Duration) {
			names = append(names, current)
		}}, 0.01)
		if _, err := p.Run(context.Background(), filepath.Join(t.TempDir(), "x"), fakeMeta, workloads, networks); err != nil {
			t.Fatal(err)
		}
		return names
	}
	first := order(1)
	if !slices.Equal(first, order(1)) {
		t.Error("the same seed gives another order")
	}
	if slices.Equal(first, order(2)) {
		t.Error("another seed gives the same order")
	}
	if slices.IsSorted(first[:len(workloads)]) {
		t.Error("the order is not random")
	}
}

// TestRunKeepsToBudget measures on a machine too noisy for any interval to
// become narrow.
func TestRunKeepsToBudget(t *testing.T) {
	workloads, networks := fakeWork(t)
	const budget = 5 * time.Second
	tries := make(map[string]int)
	p := fakeProfiler(Options{Budget: budget, MaxPerItem: 200 * time.Millisecond, Progress: func(_, _ int, current string, left time.Duration) {
		if left < 0 || left > budget {
			t.Errorf("%v left of %v", left, budget)
		}
		tries[current]++
	}}, 0.5)
	begin := p.sampler.now()
	table, err := p.Run(context.Background(), filepath.Join(t.TempDir(), "x"), fakeMeta, workloads, networks)
	if err != nil {
		t.Fatal(err)
	}
	if took := p.sampler.now() - begin; took < budget*8/10 || took > budget*13/10 {
		t.Errorf("took %v of %v", took, budget)
	}
	for _, row := range table.Rows {
		if row.Stable {
			t.Errorf("%s is said to be stable", row.Key)
		}
	}
	if n := tries[workloads[0].String()]; n < 2 {
		t.Errorf("an unstable workload was tried %d times although time was left", n)
	}
}

// TestRunFindsTheUndisturbedSpeed begins on a machine of half its speed, as
// seen by the calibration kernel.
func TestRunFindsTheUndisturbedSpeed(t *testing.T) {
	workloads, networks := fakeWork(t)
	p := fakeProfiler(Options{}, 0.01)
	p.sampler.baseline[arithmetic] = 300e3
	p.sampler.quiet = newReference(p.sampler.baseline)
	table, err := p.Run(context.Background(), filepath.Join(t.TempDir(), "x"), fakeMeta, workloads, networks)
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got/want-1) > 0.02 {
			t.Errorf("%s is %g, want %g", what, got, want)
		}
	}
	near("baseline", Baseline(table).ComputeNS, 150e3)
	near("a network's median", table.Networks[0].LatencyMedianNS, 150e3)
	row, _ := table.Lookup(workloads[0])
	near("a workload's median", row.LatencyMedianNS, row.RawMedianNS)
	near("its energy", *row.EnergyMJ, energy.Literature.Millijoules(energy.Activity{MACs: row.MACs, Bytes: row.Bytes, LatencyNS: row.RawMedianNS}))
	later, err := p.Network(context.Background(), "later", networks[0].Graph)
	if err != nil {
		t.Fatal(err)
	}
	near("a network's median after the run", later.LatencyMedianNS, 150e3)
}

func TestRunWithColdCaches(t *testing.T) {
	workloads, _ := fakeWork(t)
	p := fakeProfiler(Options{Caches: []string{lut.CacheWarm, lut.CacheCold}}, 0.01)
	path := filepath.Join(t.TempDir(), "x")
	table, err := p.Run(context.Background(), path, fakeMeta, workloads, nil)
	if err != nil {
		t.Fatal(err)
	}
	cold := 0
	for _, r := range table.Rows {
		if r.Cache == lut.CacheCold {
			cold++
			// One run is a sample, and takes a step of the clock.
			if math.Abs(r.LatencyMedianNS/150e3-1) > 0.02 || r.EnergyMJ != nil || r.Samples < minSamples {
				t.Errorf("%s: cold %g ns in %d samples, energy %v", r.Key, r.LatencyMedianNS, r.Samples, r.EnergyMJ)
			}
		}
	}
	if cold != len(workloads) || len(table.Rows) != 2*cold+1 {
		t.Errorf("%d of %d rows are cold, want each workload in both states", cold, len(table.Rows))
	}
	if row, ok := table.Lookup(workloads[0]); !ok || row.Cache != lut.CacheWarm {
		t.Errorf("Lookup finds %v", row)
	}
}

// TestColdCachesAreSlower runs for real: weights that the caches lost take
// longer, whatever else the machine does.
func TestColdCachesAreSlower(t *testing.T) {
	p := New(Options{MaxPerItem: 300 * time.Millisecond})
	w := graph.Workload{Op: graph.OpLinear, DType: graph.F32, N: 1, C: 256, K: 256, Epilogue: "none"}
	warm, err := p.Workload(context.Background(), w)
	if err != nil {
		t.Fatal(err)
	}
	it := newItem(w, lut.CacheCold, "")
	if err := p.visitOne(context.Background(), it); err != nil {
		t.Fatal(err)
	}
	cold := p.row(it)
	if cold.LatencyMedianNS < 1.2*warm.LatencyMedianNS {
		t.Errorf("%.0f ns with cold caches, %.0f with warm ones", cold.LatencyMedianNS, warm.LatencyMedianNS)
	}
	if warm.FirstRunNS == nil || warm.ClockHz == nil || *warm.ClockHz < 1e8 || *warm.ClockHz > 1e10 || warm.PeakMemoryBytes == nil || *warm.PeakMemoryBytes < 256*256*4 {
		t.Errorf("first run %v, clock %v, memory %v", warm.FirstRunNS, warm.ClockHz, warm.PeakMemoryBytes)
	}
}

func TestRunAsksForMore(t *testing.T) {
	workloads, _ := fakeWork(t)
	asked := 0
	p := fakeProfiler(Options{Budget: 100 * time.Second, Choose: func(measured *lut.Table, left time.Duration) ([]graph.Workload, error) {
		if want := 1 + 4 + 2*asked; len(measured.Rows) != want || left <= 0 {
			t.Errorf("asked with %d rows and %v left, want %d", len(measured.Rows), left, want)
		}
		asked++
		return workloads[min(2+2*asked, len(workloads)):min(4+2*asked, len(workloads))], nil
	}}, 0.01)
	table, err := p.Run(context.Background(), filepath.Join(t.TempDir(), "x"), fakeMeta, workloads[:4], nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != len(workloads)+1 || asked != 5 {
		t.Errorf("%d rows after asking %d times", len(table.Rows), asked)
	}
	p = fakeProfiler(Options{Budget: time.Minute, Choose: func(*lut.Table, time.Duration) ([]graph.Workload, error) {
		return nil, errors.New("no idea")
	}}, 0.01)
	if _, err := p.Run(context.Background(), filepath.Join(t.TempDir(), "x"), fakeMeta, workloads[:1], nil); err == nil || !strings.Contains(err.Error(), "no idea") {
		t.Errorf("error %v", err)
	}
}

// TestRunGivesTheRestToTheUnsure interrupts a run when its second choice is asked
// for; the next one still has the workloads of the first.
func TestRunGivesTheRestToTheUnsure(t *testing.T) {
	workloads, networks := fakeWork(t)
	const budget = 20 * time.Second
	path := filepath.Join(t.TempDir(), "x")
	ctx, cancel := context.WithCancel(context.Background())
	asked := 0
	p := fakeProfiler(Options{Budget: budget, MaxPerItem: 50 * time.Millisecond, RelativeCI: 1e-9, Choose: func(measured *lut.Table, _ time.Duration) ([]graph.Workload, error) {
		if asked++; asked == 2 {
			cancel()
			return nil, ctx.Err()
		}
		if len(measured.Networks) != len(networks) {
			t.Errorf("asked with %d networks", len(measured.Networks))
		}
		return workloads[3:6], nil
	}}, 0.01)
	if _, err := p.Run(ctx, path, fakeMeta, workloads[:4], networks); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	p = fakeProfiler(Options{Budget: budget, MaxPerItem: 50 * time.Millisecond, RelativeCI: 1e-9, Choose: func(*lut.Table, time.Duration) ([]graph.Workload, error) {
		if now := p.sampler.now(); now > budget/2 {
			t.Errorf("asked only at %v", now)
		}
		return nil, nil
	}}, 0.01)
	table, err := p.Run(context.Background(), path, fakeMeta, workloads[:4], networks)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != 6+1 || len(table.Networks) != len(networks) {
		t.Errorf("%d rows and %d networks, want those chosen before the interruption too", len(table.Rows), len(table.Networks))
	}
	// Calibrating counts by the real clock, which this one has no part in.
	if now := p.sampler.now(); now < budget-time.Second {
		t.Errorf("the run was over after %v of %v with nothing stable", now, budget)
	}
}

func TestRunErrors(t *testing.T) {
	workloads, _ := fakeWork(t)
	missing := filepath.Join(t.TempDir(), "missing", "x.lut.parquet")
	_, err := fakeProfiler(Options{}, 0.01).Run(context.Background(), missing, fakeMeta, workloads, nil)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "x.lut.parquet") {
		t.Errorf("missing folder: error %v, want one that names the file", err)
	}
	bad := []graph.Workload{{Op: "lstm", DType: graph.F32, N: 1, C: 1}}
	_, err = fakeProfiler(Options{}, 0.01).Run(context.Background(), filepath.Join(t.TempDir(), "x"), fakeMeta, bad, nil)
	if err == nil || !strings.Contains(err.Error(), `unknown operator "lstm"`) {
		t.Errorf("unknown operator: error %v", err)
	}
}

func TestSamples(t *testing.T) {
	workloads := []graph.Workload{calibration, calibration}
	workloads[1].Epilogue = "relu"
	var calls int
	p := New(Options{Progress: func(done, total int, _ string, _ time.Duration) {
		if done != calls || total != 6 {
			t.Errorf("progress %d of %d, want %d of 6", done, total, calls)
		}
		calls++
	}})
	samples, err := p.Samples(t.Context(), workloads, 3, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range samples {
		if len(s) != 3 || slices.Min(s) <= 0 {
			t.Errorf("samples of %s: %v, want 3", workloads[i], s)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Samples(ctx, workloads, 3, time.Millisecond); err == nil {
		t.Error("Samples went on after its context had ended")
	}
	workloads[1].C = 0
	if _, err := p.Samples(t.Context(), workloads, 3, time.Millisecond); err == nil {
		t.Error("Samples measured an impossible workload")
	}
}

func TestSpeed(t *testing.T) {
	p := New(Options{MaxPerItem: 5 * time.Millisecond})
	if got := p.Speed(); got != (lut.Baseline{}) {
		t.Errorf("before a measurement the speed is %+v", got)
	}
	g, err := graph.FromWorkload(calibration, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Network(context.Background(), "calibration", g); err != nil {
		t.Fatal(err)
	}
	if got := p.Speed(); got != p.sampler.undisturbed().baseline() || !(got.ClockNS > 0) || !(got.ComputeNS > 0) {
		t.Errorf("after it, %+v", got)
	}
}
