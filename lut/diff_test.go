package lut

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// noisy has rows whose medians are drawn about truth(i) with the error that
// their interval states.
func noisy(rng *rand.Rand, n int, relative float64, truth func(int) float64) *Table {
	t := testTable(n)
	t.Networks = nil
	for i := range t.Rows {
		r := &t.Rows[i]
		m := truth(i)
		r.LatencyMedianNS = m * (1 + relative/z95*rng.NormFloat64())
		r.LatencyCI95NS, r.Stable = relative*m, true
		r.LatencyP10NS, r.LatencyP90NS = r.LatencyMedianNS*0.97, r.LatencyMedianNS*1.03
	}
	return t
}

func TestDiffFindsChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 1000
	base := func(i int) float64 { return 1000 + 10*float64(i) }
	changed := func(i int) float64 {
		switch {
		case i < 100:
			return base(i) * 1.10
		case i < 150:
			return base(i) / 1.10
		}
		return base(i)
	}
	for _, holm := range []bool{false, true} {
		found, wrong := 0, 0
		d, err := Diff(noisy(rng, n, .02, base), noisy(rng, n, .02, changed), DiffOptions{Alpha: .05, Holm: holm})
		if err != nil {
			t.Fatal(err)
		}
		truth := map[string]int{}
		for i := range n {
			truth[testRow(i).Key] = i
		}
		for _, r := range d.Rows {
			i := truth[r.Key]
			switch {
			case r.Slower && i < 100, r.Faster && i >= 100 && i < 150:
				found++
			case r.Slower || r.Faster:
				wrong++
			}
		}
		if found < 145 || holm && wrong > 1 || wrong > 15 {
			t.Errorf("holm %v: %d of 150 changes found, %d findings are wrong", holm, found, wrong)
		}
		if math.Abs(d.Mean-math.Exp(math.Log(1.1)*50/n)) > .002 {
			t.Errorf("mean ratio %v", d.Mean)
		}
	}
}

// The adjusted p-values of the example in Benjamini and Hochberg (1995), table
// 1; of 15 hypotheses 4 are rejected at 0.05, by Holm's method 3.
func TestAdjust(t *testing.T) {
	p := []float64{.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240, .4262, .5719, .6528, .7590, 1}
	for holm, want := range map[bool]int{false: 4, true: 3} {
		rows := make([]Difference, len(p))
		for i := range p {
			rows[i].P = p[len(p)-1-i]
		}
		adjust(rows, holm)
		got := 0
		for _, r := range rows {
			if r.P <= .05 {
				got++
			}
		}
		if got != want {
			t.Errorf("holm %v: %d rejected, want %d", holm, got, want)
		}
	}
}

func TestDiffThresholdAndSides(t *testing.T) {
	a, b := testTable(4), testTable(5)
	b.Rows = b.Rows[1:]
	b.Rows[0].LatencyMedianNS *= 1.5
	b.Rows[0].LatencyP90NS *= 1.5
	b.Rows[1].LatencyCI95NS, b.Rows[1].Stable = 0, false
	d, err := Diff(a, b, DiffOptions{Alpha: .05, Threshold: .6})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(d.OnlyOld, d.OnlyNew) != fmt.Sprintf("[%s] [%s]", testRow(0).Key, testRow(4).Key) {
		t.Errorf("only in one: %v, %v", d.OnlyOld, d.OnlyNew)
	}
	if d.Rows[0].Key != testRow(1).Key || d.Rows[0].Slower || d.Rows[0].P > 1e-9 {
		t.Errorf("below the threshold: %+v", d.Rows[0])
	}
	undecided := 0
	for _, r := range d.Rows {
		if r.Undecided {
			undecided++
		}
	}
	if undecided != 1 {
		t.Errorf("%d are undecided, want 1", undecided)
	}
	b.Meta.Fingerprint = "another"
	if _, err := Diff(a, b, DiffOptions{Alpha: .05}); err == nil || !strings.Contains(err.Error(), "device fingerprint") {
		t.Errorf("different devices: %v", err)
	}
	if _, err := Diff(a, b, DiffOptions{Alpha: .05, Across: true}); err != nil {
		t.Error(err)
	}
	b.Rows = b.Rows[3:]
	if _, err := Diff(a, b, DiffOptions{Across: true}); err == nil {
		t.Error("no workload in common is no error")
	}
}

// Merging k tables narrows the intervals by the square root of k, and they
// still cover the truth.
func TestMergeCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	base := func(i int) float64 { return 1000 + 10*float64(i) }
	const n = 2000
	var tables []*Table
	for range 4 {
		tables = append(tables, noisy(rng, n, .02, base))
	}
	m, conflicts, err := Merge(tables...)
	if err != nil {
		t.Fatal(err)
	}
	if len(conflicts) > 8 { // 2 are expected
		t.Errorf("%d conflicts where there is none", len(conflicts))
	}
	covered, width := 0, 0.0
	for i, r := range m.Rows {
		if math.Abs(r.LatencyMedianNS-base(i)) <= r.LatencyCI95NS {
			covered++
		}
		width += r.LatencyCI95NS / base(i) / n
	}
	if covered < .94*n || width > .0115 || width < .01 {
		t.Errorf("%d of %d intervals cover, of mean half-width %.4f", covered, n, width)
	}
	if m.Rows[7].Samples != 4*tables[0].Rows[7].Samples || m.Meta.Protocol.BudgetSeconds != 960 {
		t.Errorf("samples %d, budget %v", m.Rows[7].Samples, m.Meta.Protocol.BudgetSeconds)
	}
}

// again makes a table one of repeated measurements.
func again(t *Table) *Table {
	for _, part := range [][]Row{t.Rows, t.Alternatives} {
		for i := range part {
			part[i].MeasuredAt = part[i].MeasuredAt.Add(time.Hour)
		}
	}
	return t
}

func TestMergeConflict(t *testing.T) {
	a, b := testTable(3), again(testTable(4))
	b.Rows[1].LatencyMedianNS *= 1.2
	b.Rows[1].LatencyP90NS *= 1.2
	b.Rows[2].LatencyCI95NS = 1e9 // tells nothing
	b.Rows[2].EnergySource = "rapl"
	m, conflicts, err := Merge(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(conflicts) != 1 || conflicts[0].Key != testRow(1).Key || m.Rows[1].Stable {
		t.Fatalf("conflicts %+v", conflicts)
	}
	lo, hi := m.Rows[1].LatencyMedianNS-m.Rows[1].LatencyCI95NS, m.Rows[1].LatencyMedianNS+m.Rows[1].LatencyCI95NS
	if lo > a.Rows[1].LatencyMedianNS || hi < b.Rows[1].LatencyMedianNS {
		t.Errorf("the interval %v to %v leaves out %v or %v", lo, hi, a.Rows[1].LatencyMedianNS, b.Rows[1].LatencyMedianNS)
	}
	if r := m.Rows[2]; math.Abs(r.LatencyMedianNS/a.Rows[2].LatencyMedianNS-1) > 1e-6 || r.EnergySource != "rapl" || *r.EnergyMJ != *b.Rows[2].EnergyMJ {
		t.Errorf("row 2: %+v", r)
	}
	if len(m.Rows) != 4 || len(m.Networks) != 1 || m.Networks[0].Samples != 80 {
		t.Errorf("%d rows, networks %+v", len(m.Rows), m.Networks)
	}
}

func TestMergeRefuses(t *testing.T) {
	for what, change := range map[string]func(*Table){
		"device fingerprint": func(t *Table) { t.Meta.Fingerprint = "another" },
		"runtime":            func(t *Table) { t.Meta.Runtime = "onnxruntime" },
		"runtime version":    func(t *Table) { t.Meta.RuntimeVersion = "9" },
		"number of threads":  func(t *Table) { t.Meta.Threads = 1 },
		"other workloads":    func(t *Table) { t.Networks[0].Workloads = t.Networks[0].Workloads[1:] },
		"published": func(t *Table) {
			t.Published = &Published{Format: "x", Columns: []string{"k", "ms"}, Records: [][]string{{"a", "1"}}, Key: 1, Latency: "ms"}
		},
	} {
		b := again(testTable(2))
		change(b)
		if _, _, err := Merge(testTable(2), b); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, _, err := Merge(); err == nil {
		t.Error(errors.New("no tables merge"))
	}
	// A measurement that comes twice would seem twice as sure.
	a, b := testTable(3), again(testTable(3))
	b.Rows[2] = a.Rows[2]
	if _, _, err := Merge(a, b); err == nil || !strings.Contains(err.Error(), a.Rows[2].Key+" of table 1 is a measurement that a table before it has too") {
		t.Errorf("the same measurement twice: %v", err)
	}
}

// TestAcrossRuntimes shows that tables of two runtimes, or of one with other
// options, are only mixed when asked to, and then the fastest row is kept.
func TestAcrossRuntimes(t *testing.T) {
	ours, other, options := testTable(4), testTable(4), testTable(4)
	other.Meta.Runtime = "onnxruntime"
	other.Rows = other.Rows[1:]
	for i := range other.Rows {
		r := &other.Rows[i]
		factor := 0.5
		if i > 0 {
			factor = 2
		}
		for _, v := range []*float64{&r.LatencyMedianNS, &r.LatencyMeanNS, &r.LatencyP10NS, &r.LatencyP90NS, &r.LatencyCI95NS} {
			*v *= factor
		}
	}
	ours.Failures = []Failure{{Name: "net", Network: true, Reason: "it"}}
	options.Meta.RuntimeOptions = map[string]string{"provider": "xnnpack"}
	for what, b := range map[string]*Table{"runtime": other, "options": options} {
		if _, _, err := Merge(ours, b); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("merging another %s: error %v", what, err)
		}
		if _, err := Diff(ours, b, DiffOptions{Alpha: 0.05}); err == nil || !strings.Contains(err.Error(), "--across") {
			t.Errorf("comparing another %s: error %v", what, err)
		}
	}
	if _, err := Diff(ours, other, DiffOptions{Alpha: 0.05, Across: true}); err != nil {
		t.Error(err)
	}
	merged, _, err := MergeAcross(ours, other)
	if err != nil {
		t.Fatal(err)
	}
	if merged.Meta.Runtime != ours.Meta.Runtime+"+onnxruntime" || len(merged.Rows) != 4 {
		t.Fatalf("%d rows of %s", len(merged.Rows), merged.Meta.Runtime)
	}
	for i, want := range []float64{1, 0.5, 1, 1} {
		if got := merged.Rows[i].LatencyMedianNS / ours.Rows[i].LatencyMedianNS; got != want {
			t.Errorf("row %d is %g of ours, want %g", i, got, want)
		}
	}
}
