package benchmark

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/perf/benchfmt"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

const (
	conv   = "conv2d/f32/n1c64h56w56/k128r3s3/stride2.pad1.dil1.group1/relu"
	linear = "linear/f32/n1c1280/k1000/none"
)

func parse(t *testing.T, text string) *Results {
	t.Helper()
	r, err := Parse("test", strings.NewReader(text), "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lines are benchmark lines of some times in ns.
func lines(name string, times ...float64) string {
	var b strings.Builder
	for _, ns := range times {
		fmt.Fprintf(&b, "BenchmarkKernels/%s-8 \t 100 \t %v ns/op \t 12.5 GFLOP/s\n", name, ns)
	}
	return b.String()
}

func TestParse(t *testing.T) {
	r := parse(t, "goos: linux\ngoarch: amd64\nfingerprint: abc\ncpu: Some CPU\n"+
		lines(conv, 100, 102)+lines(linear, 50)+lines("not/a/workload", 7)+
		"BenchmarkThreads-8 \t 100 \t 3 ns/op\nBenchmarkConv2D/"+conv+"/forward 1 9 ns/op\nBenchmarkSize 1 9 bytes\nPASS\nok\n")
	want := []Times{
		{Name: conv, Samples: []float64{100, 102}}, {Name: linear, Samples: []float64{50}},
		{Name: "Kernels/not/a/workload", Samples: []float64{7}}, {Name: "Threads", Samples: []float64{3}},
		{Name: "Conv2D/" + conv + "/forward", Samples: []float64{9}},
	}
	if diff := cmp.Diff(want, r.Times); diff != "" {
		t.Errorf("times differ (-want +got):\n%s", diff)
	}
	if r.Fingerprint() != "abc" || r.Config["cpu"] != "Some CPU" {
		t.Errorf("configuration %v", r.Config)
	}
	filtered, err := Parse("test", strings.NewReader(lines(conv, 1)+"BenchmarkOther 1 2 ns/op\n"), ".name:Kernels")
	if err != nil || len(filtered.Times) != 1 {
		t.Errorf("a filter leaves %v, %v", filtered, err)
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ text, filter, want string }{
		{"", "", "test: no benchmark results"},
		{"PASS\n", "", "test: no benchmark results"},
		{"BenchmarkX 1 2\n", "", "test:1: "},
		{lines(conv, 0), "", "test:1: a time that is not above zero"},
		{"fingerprint: a\n" + lines(conv, 1) + "fingerprint: b\n" + lines(conv, 1), "", "test:4: results of the devices"},
		{"BenchmarkKernels/" + conv + " 1 2 ns/op 3 ci95-ns/op\n", "", "test:1: no value in mean-ns/op"},
		{"BenchmarkKernels/x 1 2 ns/op 3 ci95-ns/op\n", "", "test:1: workload"},
		{lines(conv, 1), ":::", "filter"},
	} {
		if _, err := Parse("test", strings.NewReader(test.text), test.filter); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want %q", test.text, err, test.want)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "missing.txt"), ""); err == nil || !strings.Contains(err.Error(), "missing.txt") {
		t.Errorf("a missing file: error %v", err)
	}
}

func TestName(t *testing.T) {
	for benchmark, want := range map[string]string{
		"Kernels/" + conv:         conv,
		"Kernels/" + conv + "-16": conv,
		"Kernels/x-16":            "Kernels/x",
		"Other/" + conv + "-2":    "Other/" + conv,
		"Kernels":                 "Kernels",
	} {
		if got := Name(benchfmt.Name(benchmark)); got != want {
			t.Errorf("Name(%q) = %q, want %q", benchmark, got, want)
		}
	}
}

func TestCompare(t *testing.T) {
	times := func(from float64) []float64 {
		var list []float64
		for i := range 8 {
			list = append(list, from+float64(i))
		}
		return list
	}
	const name = "relu/f32/n1c%dh7w7"
	w := func(i int) string { return fmt.Sprintf(name, i) }
	old := parse(t, "fingerprint: a\n"+lines(w(1), times(1000)...)+lines(w(2), times(1000)...)+lines(w(3), times(1000)...)+
		lines(w(4), times(1000)...)+lines(w(5), 1000, 1001)+lines(w(6), 1))
	new := parse(t, "fingerprint: a\n"+lines(w(1), times(1100)...)+lines(w(2), times(1020)...)+lines(w(3), times(900)...)+
		lines(w(4), times(1001)...)+lines(w(5), 2000, 2001)+lines(w(7), 1))
	r, err := Compare(old, new, Options{Threshold: .05, Alpha: .05})
	if err != nil {
		t.Fatal(err)
	}
	type verdict struct{ significant, slower, faster bool }
	want := map[string]verdict{
		w(1): {true, true, false},   // by 10%
		w(2): {true, false, false},  // by 2%, below the threshold
		w(3): {true, false, true},   // faster by 10%
		w(4): {false, false, false}, // by chance
		w(5): {false, false, false}, // twice as slow, but of two samples
	}
	if len(r.Changes) != len(want) {
		t.Fatalf("%d changes, want %d", len(r.Changes), len(want))
	}
	for _, c := range r.Changes {
		if got := (verdict{c.Significant, c.Slower, c.Faster}); got != want[c.Name] {
			t.Errorf("%s: %+v, want %+v (%+v)", c.Name, got, want[c.Name], c)
		}
	}
	if diff := cmp.Diff([][]string{{w(6)}, {w(7)}, {w(5)}}, [][]string{r.OnlyOld, r.OnlyNew, r.Undecided}); diff != "" {
		t.Errorf("one-sided and undecided workloads (-want +got):\n%s", diff)
	}
	if len(r.Slower()) != 1 || r.Warning != "" || len(r.Changes) != 5 {
		t.Errorf("slower: %v, warning %q", r.Slower(), r.Warning)
	}
}

func TestCompareDevices(t *testing.T) {
	line := lines(conv, 1, 2, 3)
	for _, test := range []struct {
		old, new string
		refused  bool
		warned   bool
	}{
		{"fingerprint: a\n", "fingerprint: a\n", false, false},
		{"fingerprint: a\n", "fingerprint: b\n", true, false},
		{"fingerprint: a\ncpu: x\n", "cpu: x\n", false, true},
		{"cpu: x\n", "cpu: y\n", true, false},
		{"goarch: amd64\n", "goarch: arm64\n", true, false},
		{"", "", false, true},
	} {
		old, new := parse(t, test.old+line), parse(t, test.new+line)
		r, err := Compare(old, new, Options{})
		var device *DeviceError
		if errors.As(err, &device) != test.refused || err == nil && (r.Warning != "") != test.warned {
			t.Errorf("%q and %q: %v, error %v", test.old, test.new, r, err)
		}
		if _, err := Compare(old, new, Options{AnyDevice: true}); err != nil {
			t.Errorf("%q and %q on any device: %v", test.old, test.new, err)
		}
	}
	if _, err := Compare(parse(t, line), parse(t, lines(linear, 1)), Options{}); err == nil {
		t.Error("results without a workload in common were compared")
	}
}

// table is a latency table of two rows.
func table(t *testing.T) *lut.Table {
	t.Helper()
	mj := .25
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	result := &lut.Table{Meta: lut.Meta{
		Schema: lut.Schema, Fingerprint: "abc", Runtime: "hwprofd", RuntimeVersion: "v1", Threads: 2, Created: created,
		Device:   device.Info{OS: "linux", Arch: "amd64", CPUs: []device.CPU{{Model: "Some CPU", Threads: 2}}},
		Protocol: lut.Protocol{RelativeCI: .02, Pinned: true},
	}}
	for i, name := range []string{conv, linear} {
		w, err := graph.ParseWorkload(name)
		if err != nil {
			t.Fatal(err)
		}
		row := lut.NewRow(w)
		row.LatencyMedianNS, row.LatencyMeanNS, row.LatencyP10NS, row.LatencyP90NS = 1000.125, 1001.5, 990.0625, 1100
		row.LatencyCI95NS, row.RawMedianNS, row.Samples, row.Stable = 4.75, 1003.3, 40, i == 0
		row.MeasuredAt = created.Add(time.Microsecond)
		if i == 0 {
			row.EnergyMJ, row.EnergySource = &mj, "modelled"
		}
		result.Rows = append(result.Rows, row)
	}
	return result
}

func TestTableRoundTrip(t *testing.T) {
	want := table(t)
	path := filepath.Join(t.TempDir(), "device.lut.parquet")
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	fromFile, err := Read(path, "")
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := fromFile.Write(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "\nBenchmarkKernels/"+conv+" 40 1000.125 ns/op") {
		t.Errorf("benchmark lines:\n%s", text.String())
	}
	got, err := parse(t, text.String()).Table(device.Info{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Meta, got.Meta); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Rows, got.Rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// A table as the baseline of samples: only medians whose intervals are apart
// count.
func TestCompareTable(t *testing.T) {
	old, err := FromTable("old", table(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		from            float64
		slower, decided bool
		samples         int
	}{{1100, true, true, 8}, {1000, false, true, 8}, {1100, false, false, 3}} {
		var samples []float64
		for i := range test.samples {
			samples = append(samples, test.from+float64(i))
		}
		r, err := Compare(old, parse(t, "fingerprint: abc\n"+lines(conv, samples...)), Options{Threshold: .05, Alpha: .05})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Changes[0]; got.Slower != test.slower || got.P >= 0 || (len(r.Undecided) == 0) != test.decided {
			t.Errorf("from %v: %+v, undecided %v", test.from, got, r.Undecided)
		}
	}
}

func TestTableOfSamples(t *testing.T) {
	info := device.Info{OS: "linux", Arch: "amd64"}
	r := parse(t, lines(conv, 105, 100, 101, 102, 103, 104)+lines(linear, 7, 9)+lines("other", 1))
	got, err := r.Table(info, time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 2 || got.Meta.Fingerprint != info.Fingerprint() {
		t.Fatalf("table %+v", got)
	}
	if row := got.Rows[0]; row.LatencyMedianNS != 102.5 || row.LatencyCI95NS != 2.5 || !row.Stable || row.Samples != 6 || row.EnergyMJ != nil {
		t.Errorf("row of six samples: %+v", row)
	}
	if row := got.Rows[1]; row.LatencyMedianNS != 8 || row.LatencyCI95NS != 1 || row.Stable {
		t.Errorf("row of two samples: %+v", row)
	}
	if _, err := parse(t, "fingerprint: elsewhere\n"+lines(conv, 1)).Table(info, time.Now()); err == nil {
		t.Error("samples of an unknown device became a table of this one")
	}
	if _, err := parse(t, lines("other", 1)).Table(info, time.Now()); err == nil {
		t.Error("a table without workloads")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("fingerprint: a\n" + lines(conv, 100, 102) + lines(linear, 50))
	var text bytes.Buffer
	if r, err := FromTable("x", table(&testing.T{})); err == nil {
		_ = r.Write(&text)
	}
	f.Add(text.String())
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse("fuzz", strings.NewReader(text), "")
		if err != nil {
			return
		}
		if _, err := Compare(r, r, Options{Alpha: .05}); err != nil {
			t.Error(err)
		}
		_, _ = r.Table(device.Info{}, time.Unix(1e9, 0))
	})
}
