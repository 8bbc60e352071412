package profiler

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler/energy"
)

// fakeMeter shows 5 W while idle, which is its first measurement, and then 25 W,
// until it vanishes.
type fakeMeter struct {
	period   time.Duration
	measured int
	vanishes int
}

func (m *fakeMeter) Description() energy.Description {
	return energy.Description{Name: "fake", Period: m.period}
}

func (m *fakeMeter) Close() error { return nil }

func (m *fakeMeter) Measure(run func()) (energy.Energy, error) {
	e := energy.Energy{Start: time.Now()}
	run()
	e.End = time.Now()
	if m.measured++; m.measured > m.vanishes {
		return energy.Energy{}, fmt.Errorf("energy: /sys/fake: %w", os.ErrNotExist)
	}
	e.Joules = 5 * e.Seconds()
	if m.measured > 1 {
		e.Joules = 25 * e.Seconds()
	}
	return e, nil
}

func TestEnergyComesFromTheMeter(t *testing.T) {
	workloads, _ := fakeWork(t)
	var warnings []string
	var metered []energy.WorkEnergy
	p := fakeProfiler(Options{
		Meter: &fakeMeter{period: 100 * time.Microsecond, vanishes: 2}, MaxEnergyPerItem: 20 * time.Millisecond,
		Metered: func(_ graph.Workload, e energy.WorkEnergy) { metered = append(metered, e) },
		Warn:    func(message string) { warnings = append(warnings, message) },
	}, 0.01)
	var rows []lut.Row
	for range 5 {
		row, err := p.Workload(context.Background(), workloads[0])
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	for i, row := range rows {
		want := "fake"
		if i > 0 { // it vanished after idle and the first row
			want = energy.ModelSource
		}
		if row.EnergySource != want || row.EnergyMJ == nil || *row.EnergyMJ <= 0 {
			t.Errorf("row %d: energy %v of %q, want one of %q", i, row.EnergyMJ, row.EnergySource, want)
		}
	}
	if len(metered) != 1 {
		t.Fatalf("%d measured energies, want 1", len(metered))
	}
	e := metered[0]
	for what, pair := range map[string][2]float64{
		"gross":      {e.GrossJoules, 25 * e.Seconds / float64(e.Runs)},
		"net":        {e.NetJoules, 20 * e.Seconds / float64(e.Runs)},
		"idle":       {e.IdleWatts, 5},
		"row's net":  {*rows[0].EnergyMJ, 1e3 * e.NetJoules},
		"model's":    {*rows[1].EnergyMJ, energy.Literature.Millijoules(activityOf(&rows[1]))},
		"warnings":   {float64(len(warnings)), 4}, // three failures, and that it is given up
		"reason's":   {float64(strings.Count(strings.Join(warnings, "\n"), "/sys/fake: file does not exist")), 3},
		"given up":   {float64(strings.Count(strings.Join(warnings, "\n"), "failed 3 times in a row and is given up")), 1},
		"whole runs": {float64(e.Runs % copies(workloads[0])), 0},
	} {
		if !(math.Abs(pair[0]-pair[1]) <= 1e-6*math.Abs(pair[1])) {
			t.Errorf("%s is %g, want %g", what, pair[0], pair[1])
		}
	}
}

// TestEnergyOfACoarseMeter has a meter that would need longer than there is:
// all rows are modelled, and that is said once.
func TestEnergyOfACoarseMeter(t *testing.T) {
	workloads, _ := fakeWork(t)
	var warnings []string
	p := fakeProfiler(Options{
		Meter: &fakeMeter{period: time.Second, vanishes: 100}, MaxEnergyPerItem: 5 * time.Millisecond,
		Warn: func(message string) { warnings = append(warnings, message) },
	}, 0.01)
	table, err := p.Run(context.Background(), filepath.Join(t.TempDir(), "x"), fakeMeta, workloads, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range table.Rows {
		if row.EnergySource != energy.ModelSource || *row.EnergyMJ <= 0 {
			t.Errorf("%s: energy %v of %q", row.Key, *row.EnergyMJ, row.EnergySource)
		}
	}
	warnings = slices.DeleteFunc(warnings, func(w string) bool { return strings.Contains(w, "counted") }) // by the processor's counters
	if len(warnings) != 1 || !strings.Contains(warnings[0], "fake has a value every 1s and needs 55s") {
		t.Errorf("warnings %q", warnings)
	}
}

// TestEnergyModelIsFittedToTheMeter has a meter that vanishes: the rows after it
// are modelled by those before.
func TestEnergyModelIsFittedToTheMeter(t *testing.T) {
	truth := energy.Coefficients{PicojoulePerMAC: 12, PicojoulePerByte: 30, StaticWatt: 3.5}
	var rows []lut.Row
	var pointers []*lut.Row
	for i := range 20 {
		row := lut.NewRow(graph.Workload{Op: graph.OpLinear, DType: graph.F32, N: 1, C: 64 << (i % 5), K: 100 * (i + 1)})
		row.LatencyMedianNS = 1e3 + float64(i%7)*7e3
		mj := truth.Millijoules(activityOf(&row))
		row.EnergyMJ, row.EnergySource = &mj, "rapl/package"
		if i >= 15 {
			modelEnergy(&row, energy.Literature)
		}
		rows = append(rows, row)
	}
	for i := range rows {
		pointers = append(pointers, &rows[i])
	}
	var warnings []string
	p := fakeProfiler(Options{Warn: func(message string) { warnings = append(warnings, message) }}, 0.01)

	if m := p.refitEnergy(append(pointers[:11:11], pointers[15:]...)...); m != nil || len(warnings) > 0 {
		t.Errorf("fitted to 11 rows: %+v, %q", m, warnings)
	}
	m := p.refitEnergy(pointers...)
	if m == nil || m.FittedTo != "rapl/package" || m.Rows != 15 || m.MedianError > 1e-6 || math.Abs(m.StaticWatt/truth.StaticWatt-1) > 1e-6 {
		t.Fatalf("model %+v", m)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "energy of 5 rows is modelled by what rapl/package told of 15 others") {
		t.Errorf("warnings %q", warnings)
	}
	for _, row := range rows[15:] {
		if want := truth.Millijoules(activityOf(&row)); row.EnergySource != energy.ModelSource || math.Abs(*row.EnergyMJ/want-1) > 1e-6 {
			t.Errorf("%s: energy %g mJ of %q, want %g", row.Key, *row.EnergyMJ, row.EnergySource, want)
		}
	}
	if m := p.refitEnergy(pointers[:15]...); m != nil {
		t.Errorf("a model of no row: %+v", m)
	}
}

func TestEnergyEndsWithItsContext(t *testing.T) {
	workloads, _ := fakeWork(t)
	ctx, cancel := context.WithCancel(context.Background())
	p := fakeProfiler(Options{
		Meter: &fakeMeter{period: 100 * time.Microsecond, vanishes: 100}, MaxEnergyPerItem: time.Hour,
		Metered: func(graph.Workload, energy.WorkEnergy) { cancel() },
	}, 0.01)
	p.metering.idle = energy.Energy{Joules: 5, Start: time.Now().Add(-time.Second), End: time.Now()}
	p.metering.meter.(*fakeMeter).measured = 1
	if _, err := p.Run(ctx, filepath.Join(t.TempDir(), "x"), fakeMeta, workloads, nil); err != context.Canceled && !strings.Contains(fmt.Sprint(err), "canceled") {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
