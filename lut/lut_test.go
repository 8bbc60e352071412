package lut

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
)

var sameTable = cmp.Options{cmpopts.IgnoreUnexported(Table{}), cmpopts.EquateEmpty()}

func testMeta() Meta {
	info := device.Info{
		OS: "linux", Arch: "arm64", CPUs: []device.CPU{{Vendor: "ARM", Model: "Cortex-A72", Family: 8, ModelID: 0xd08, Threads: 4}},
		Cores: 4, Threads: 4, ISA: []string{"neon"}, MemoryBytes: 4 << 30, Kernel: "6.1.21-v8+", Unseen: []string{"caches"},
	}
	return Meta{
		Schema: Schema, Device: info, Fingerprint: info.Fingerprint(), Runtime: "hwprofd", RuntimeVersion: "0.1.0", Threads: 2,
		Protocol: Protocol{RelativeCI: 0.02, BudgetSeconds: 240, MaxItemSeconds: 2, Pinned: true, Calibration: "gemm64"},
		Created:  time.Date(2026, 5, 1, 12, 0, 0, 123456789, time.UTC),
	}
}

func testWorkload(i int) graph.Workload {
	return graph.Workload{
		Op: graph.OpConv2D, DType: graph.F32, N: 1, C: 8 + i, H: 14, W: 14, K: 16, R: 3, S: 3,
		StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, DilationH: 1, DilationW: 1, Group: 1, Epilogue: "relu",
	}
}

func testRow(i int) Row {
	r := NewRow(testWorkload(i))
	base := 1000 + 10*float64(i)
	r.LatencyMedianNS, r.LatencyMeanNS, r.RawMedianNS = base, base+3.5, base*1.01
	r.LatencyP10NS, r.LatencyP90NS, r.LatencyCI95NS = base*0.98, base*1.05, base*0.01
	r.Samples, r.Stable = int64(50+i), i%3 != 0
	r.MeasuredAt = time.Date(2026, 5, 1, 12, 0, i%60, 654321000, time.UTC)
	if i%2 == 0 {
		energy := 0.25 * base
		r.EnergyMJ, r.EnergySource = &energy, "modelled"
	}
	r.Contended, r.Bimodal = i%5 == 1, i%7 == 2
	r.SamplesContended, r.SamplesInterrupted = int64(i%5), int64(i%4)
	if i%3 == 1 {
		clock, misses := 2.4e9, float64(i%2)
		r.ClockHz, r.CacheMisses = &clock, &misses
		nodes, border := 1.0, 0.1*base*float64(i%2)
		r.RuntimeNodes, r.BorderNS = &nodes, &border
	}
	return r
}

func testNetwork(name string) Network {
	return Network{
		Name: name, Workloads: []string{testRow(0).Key, testRow(1).Key}, LatencyMedianNS: 2100, LatencyP10NS: 2050,
		LatencyP90NS: 2300, LatencyCI95NS: 20, Samples: 40, Use: "calibrate",
	}
}

func testTable(rows int) *Table {
	t := &Table{Meta: testMeta(), Networks: []Network{testNetwork("net0")}}
	for i := range rows {
		t.Rows = append(t.Rows, testRow(i))
	}
	return t
}

func TestRoundTrip(t *testing.T) {
	for _, rows := range []int{0, 1, 2500} {
		path := filepath.Join(t.TempDir(), "t.lut.parquet")
		want := testTable(rows)
		if rows > 2 {
			want.Rows[2].Cache = CacheCold
			again := want.Rows[3]
			again.Cache = CacheCold // the same workload in both states
			want.Rows = append(want.Rows, again)
		}
		if err := want.Write(path); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, sameTable); diff != "" {
			t.Fatalf("%d rows, -written +read:\n%s", rows, diff)
		}
		for i, r := range want.Rows {
			w, err := r.Workload()
			if err != nil {
				t.Fatal(err)
			}
			found, ok := got.Lookup(w)
			if ok != (i != 2) { // row 2 is cold only
				t.Fatalf("Lookup of row %d: %v", i, ok)
			}
			if ok && (found.Cache != CacheWarm || found.Key != r.Key) {
				t.Fatalf("Lookup of row %d gives %s %s", i, found.Key, found.Cache)
			}
		}
		if _, ok := got.Lookup(testWorkload(100000)); ok {
			t.Error("Lookup finds a workload that is not there")
		}
	}
}

func TestRowRoundTripRapid(t *testing.T) {
	positive := rapid.Float64Range(1e-3, 1e12)
	rapid.Check(t, func(t *rapid.T) {
		w := graph.Workload{Op: graph.OpLinear, DType: graph.F32, N: rapid.IntRange(1, 64).Draw(t, "n"),
			C: rapid.IntRange(1, 2048).Draw(t, "c"), K: rapid.IntRange(1, 2048).Draw(t, "k"), Epilogue: "none"}
		r := NewRow(w)
		r.LatencyP10NS = positive.Draw(t, "p10")
		r.LatencyMedianNS = r.LatencyP10NS * rapid.Float64Range(1, 2).Draw(t, "median")
		r.LatencyP90NS = r.LatencyMedianNS * rapid.Float64Range(1, 2).Draw(t, "p90")
		r.LatencyMeanNS, r.RawMedianNS, r.LatencyCI95NS = positive.Draw(t, "mean"), positive.Draw(t, "raw"), positive.Draw(t, "ci")
		r.Samples = rapid.Int64Range(1, math.MaxInt64).Draw(t, "samples")
		r.MeasuredAt = time.UnixMicro(rapid.Int64Range(1e6, 1<<52).Draw(t, "at")).UTC()
		if rapid.Bool().Draw(t, "metered") {
			mj := positive.Draw(t, "energy")
			r.EnergyMJ, r.EnergySource = &mj, rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "source")
		}
		table := &Table{Meta: testMeta(), Rows: []Row{r}}
		data, err := table.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(table, got, sameTable); diff != "" {
			t.Fatalf("-written +read:\n%s", diff)
		}
		if back, err := got.Rows[0].Workload(); err != nil || back != w {
			t.Fatalf("workload %v, %v", back, err)
		}
	})
}

// forge writes a file that passes the checksum whatever the rows are.
func forge[T any](t *testing.T, table *Table, rows []T) string {
	t.Helper()
	options := []parquet.WriterOption{parquet.Compression(&snappy.Codec{})}
	meta, err := table.metadata()
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range meta {
		options = append(options, parquet.KeyValueMetadata(key, value))
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := seal(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pi4.lut.parquet")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func wantError(t *testing.T, err error, path string, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range append(parts, "lut: "+path+": ") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has more than one line", err)
	}
}

func TestReadRefusesRows(t *testing.T) {
	nan, zero, some := math.NaN(), 0.0, 1.0
	for _, c := range []struct {
		want   string
		change func(*Row)
	}{
		{"latency_median_ns is negative", func(r *Row) { r.LatencyMedianNS = -1 }},
		{"latency_median_ns is NaN", func(r *Row) { r.LatencyMedianNS = nan }},
		{"latency_median_ns is zero", func(r *Row) { r.LatencyMedianNS = 0 }},
		{"latency_mean_ns is +Inf", func(r *Row) { r.LatencyMeanNS = math.Inf(1) }},
		{"latency_p10_ns is negative", func(r *Row) { r.LatencyP10NS = -1 }},
		{"latency_p90_ns is NaN", func(r *Row) { r.LatencyP90NS = nan }},
		{"latency_ci95_ns is negative", func(r *Row) { r.LatencyCI95NS = -1 }},
		{"latency_ci95_ns is NaN", func(r *Row) { r.LatencyCI95NS = nan }},
		{"raw_median_ns is negative", func(r *Row) { r.RawMedianNS = -1 }},
		{"not between", func(r *Row) { r.LatencyP10NS = r.LatencyP90NS }},
		{"samples is -1", func(r *Row) { r.Samples = -1 }},
		{"samples is 0, as of a predicted row, but stable is true", func(r *Row) { r.Samples, r.Stable = 0, true }},
		{"energy_mj is zero", func(r *Row) { r.EnergyMJ = &zero; r.EnergySource = "rapl" }},
		{"energy_mj is NaN", func(r *Row) { r.EnergyMJ = &nan; r.EnergySource = "rapl" }},
		{"energy_mj has no energy_source", func(r *Row) { r.EnergyMJ = &some; r.EnergySource = "" }},
		{"energy_mj is null", func(r *Row) { r.EnergyMJ = nil; r.EnergySource = "rapl" }},
		{"key does not parse", func(r *Row) { r.Key = "conv3d/f32" }},
		{"disagrees with its dimensions", func(r *Row) { r.K = 17 }},
		{"disagrees with its dimensions", func(r *Row) { r.Op = "linear" }},
		{"disagrees with its dimensions", func(r *Row) { r.Epilogue = "none" }},
		{"already in row 1", func(r *Row) { *r = testRow(1) }},
		{"cache_state is \"\"", func(r *Row) { r.Cache = "" }},
		{"macs is negative", func(r *Row) { r.MACs = -1 }},
		{"bytes is negative", func(r *Row) { r.Bytes = -1 }},
		{"samples_contended is negative", func(r *Row) { r.SamplesContended = -1 }},
		{"samples_interrupted is negative", func(r *Row) { r.SamplesInterrupted = -1 }},
		{"clock_hz is zero", func(r *Row) { r.ClockHz = &zero }},
		{"first_run_ns is NaN", func(r *Row) { r.FirstRunNS = &nan }},
		{"energy_idle_mj need energy_mj", func(r *Row) { r.EnergyMJ, r.EnergySource, r.EnergyIdleMJ = nil, "", &some }},
		{"temperature_c is NaN", func(r *Row) { r.TemperatureC = &nan }},
		{"measured_at is missing", func(r *Row) { r.MeasuredAt = time.Time{} }},
	} {
		table := testTable(5)
		c.change(&table.Rows[3])
		path := forge(t, table, table.Rows)
		_, err := Read(path)
		wantError(t, err, path, "row 3: ", c.want)
		if err := table.Verify(); err == nil || !strings.Contains(err.Error(), "lut: row 3: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Verify: %v, want %q", err, c.want)
		}
		good := filepath.Join(t.TempDir(), "good")
		if err := os.WriteFile(good, []byte("good"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := table.Write(good); err == nil {
			t.Errorf("Write accepts a row with %q", c.want)
		}
		if data, err := os.ReadFile(good); err != nil || string(data) != "good" {
			t.Errorf("Write refused and yet changed the file: %q, %v", data, err)
		}
	}
}

// TestReadSchema1 reads a file that the version before schema 2 has written.
func TestReadSchema1(t *testing.T) {
	got, err := Read("testdata/schema1.lut.parquet")
	if err != nil {
		t.Fatal(err)
	}
	want := testTable(4)
	for i := range want.Rows {
		r := &want.Rows[i]
		r.Contended, r.Bimodal, r.SamplesContended, r.SamplesInterrupted, r.ClockHz, r.CacheMisses, r.RuntimeNodes, r.BorderNS = false, false, 0, 0, nil, nil, nil, nil
	}
	if diff := cmp.Diff(want, got, sameTable); diff != "" {
		t.Errorf("-want +read:\n%s", diff)
	}
	// Written again it is of the newest schema.
	path := filepath.Join(t.TempDir(), "again")
	if err := got.Write(path); err != nil {
		t.Fatal(err)
	}
	again, err := Read(path)
	if diff := cmp.Diff(want, again, sameTable); err != nil || diff != "" {
		t.Errorf("%v, -want +read:\n%s", err, diff)
	}
	// A column that came later has no place in it.
	table := testTable(1)
	table.Meta.Schema = 1
	path = forge(t, table, table.Rows)
	_, err = Read(path)
	wantError(t, err, path, "column contended is not part of schema 1")
}

// TestReadSchema2 reads a file that the version before schema 3 has written.
func TestReadSchema2(t *testing.T) {
	got, err := Read("testdata/schema2.lut.parquet")
	if err != nil {
		t.Fatal(err)
	}
	want := testTable(4)
	for i := range want.Rows { // columns of schema 3
		want.Rows[i].RuntimeNodes, want.Rows[i].BorderNS = nil, nil
	}
	if diff := cmp.Diff(want, got, sameTable); diff != "" {
		t.Errorf("-want +read:\n%s", diff)
	}
}

// A workload may have rows by certain algorithms beside the one that tells what
// it costs, in the file and the journal.
func TestAlternatives(t *testing.T) {
	table := testTable(3)
	for _, name := range []string{"direct", "unfolded GEMM"} {
		r := table.Rows[1]
		r.Algorithm, r.LatencyMedianNS = name, r.LatencyP10NS
		table.Alternatives = append(table.Alternatives, r)
	}
	cold := table.Alternatives[0]
	cold.Cache = CacheCold
	table.Alternatives = append(table.Alternatives, cold)
	path := filepath.Join(t.TempDir(), "t.lut.parquet")
	if err := table.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table, got, sameTable); diff != "" {
		t.Errorf("-written +read:\n%s", diff)
	}
	w, err := table.Rows[1].Workload()
	if err != nil {
		t.Fatal(err)
	}
	if row, ok := got.Lookup(w); !ok || row.Algorithm != "" || row.LatencyMedianNS != table.Rows[1].LatencyMedianNS {
		t.Errorf("looked up %+v", row)
	}
	if diff := cmp.Diff(table.Alternatives[:2], got.AlternativesOf(w), sameTable); diff != "" {
		t.Errorf("-want +alternatives:\n%s", diff)
	}

	again(table)
	merged, _, err := Merge(got, table)
	if err != nil {
		t.Fatal(err)
	}
	if len(merged.Rows) != 3 || len(merged.Alternatives) != 3 || merged.Alternatives[1].Samples != 2*table.Alternatives[1].Samples {
		t.Errorf("merged into %d rows and %d alternatives", len(merged.Rows), len(merged.Alternatives))
	}

	j, err := OpenJournal(path, table.Meta)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range slices.Concat(table.Alternatives, table.Rows) {
		if err := j.AppendRow(r); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, j.AppendRow(table.Alternatives[1]), path+".journal", "(warm, unfolded GEMM) is already there")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = OpenJournal(path, table.Meta); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if diff := cmp.Diff(table.Rows, j.Rows(), sameTable); diff != "" {
		t.Errorf("-want +rows of the journal:\n%s", diff)
	}
	if diff := cmp.Diff(table.Alternatives, j.Alternatives(), sameTable); diff != "" {
		t.Errorf("-want +alternatives of the journal:\n%s", diff)
	}

	for want, change := range map[string]func(*Table){
		"alternative 1: it names no algorithm":         func(t *Table) { t.Alternatives[1].Algorithm = "" },
		"is already alternative 0":                     func(t *Table) { t.Alternatives[1].Algorithm = "direct" },
		"row 2: it names the algorithm \"direct\"":     func(t *Table) { t.Rows[2].Algorithm = "direct" },
		"alternative 2: latency_median_ns is negative": func(t *Table) { t.Alternatives[2].LatencyMedianNS = -1 },
	} {
		bad := Table{Meta: got.Meta, Rows: slices.Clone(got.Rows), Alternatives: slices.Clone(got.Alternatives)}
		change(&bad)
		if err := bad.Verify(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestReadRefusesMetadata(t *testing.T) {
	for want, change := range map[string]func(*Table){
		"schema 4 is newer than 3":               func(t *Table) { t.Meta.Schema = 4 },
		"schema 0 does not exist":                func(t *Table) { t.Meta.Schema = 0 },
		"the device fingerprint is missing":      func(t *Table) { t.Meta.Fingerprint = "" },
		"the runtime is missing":                 func(t *Table) { t.Meta.Runtime = "" },
		"threads is 0":                           func(t *Table) { t.Meta.Threads = 0 },
		"network 0: \"net0\": use is \"train\"":  func(t *Table) { t.Networks[0].Use = "train" },
		"network 0: \"net0\": a pair of one":     func(t *Table) { t.Networks[0].Use, t.Networks[0].Workloads = UsePair, t.Networks[0].Workloads[:1] },
		"network 0: \"net0\": latency_p10_ns":    func(t *Table) { t.Networks[0].LatencyP10NS = -1 },
		"network 0: \"net0\": it has no work":    func(t *Table) { t.Networks[0].Workloads = nil },
		"network 0: \"net0\": 1 shares for":      func(t *Table) { t.Networks[0].Shares = []float64{1} },
		"network 0: \"net0\": the share of":      func(t *Table) { t.Networks[0].Shares = []float64{0.5, 0} },
		"network 0: \"net0\": its shares add up": func(t *Table) { t.Networks[0].Shares = []float64{0.5, 0.6} },
		"network 0: \"net0\": samples is -1":     func(t *Table) { t.Networks[0].Samples = -1 },
		"network 0: \"net0\": workload":          func(t *Table) { t.Networks[0].Workloads[0] = "conv" },
		"network 1: \"net0\" is there twice":     func(t *Table) { t.Networks = append(t.Networks, t.Networks[0]) },
		"network 0: the name is missing":         func(t *Table) { t.Networks[0].Name = "" },
	} {
		table := testTable(3)
		change(table)
		path := forge(t, table, table.Rows)
		_, err := Read(path)
		wantError(t, err, path, want)
	}
}

func TestReadRefusesColumns(t *testing.T) {
	type microseconds struct {
		Key    string  `parquet:"key"`
		Median float64 `parquet:"latency_median_us"`
	}
	type extra struct {
		Row
		Colour string `parquet:"colour"`
	}
	type missing struct {
		Key string `parquet:"key"`
	}
	type other struct {
		Key int64 `parquet:"key"`
	}
	table := testTable(1)
	for want, path := range map[string]string{
		"column latency_median_us: unknown unit \"us\", want latency_median_ns": forge(t, table, []microseconds{{}}),
		"column colour is not part of schema 3":                                 forge(t, table, []extra{{Row: testRow(0)}}),
		"column op is missing":                                                  forge(t, table, []missing{{}}),
		"column key is INT":                                                     forge(t, table, []other{{}}),
	} {
		_, err := Read(path)
		wantError(t, err, path, want)
	}
}

func TestReadTruncated(t *testing.T) {
	data, err := testTable(20).encode()
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if table, err := decode(data[:n]); err == nil || table != nil || strings.Contains(err.Error(), "\n") {
			t.Fatalf("cut to %d of %d bytes: %v, %v", n, len(data), table, err)
		}
	}
	path := filepath.Join(t.TempDir(), "cut.lut.parquet")
	if err := os.WriteFile(path, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Read(path)
	wantError(t, err, path, "truncated")
}

func TestReadFlipped(t *testing.T) {
	data, err := testTable(20).encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		damaged := bytes.Clone(data)
		damaged[i] ^= 1 << (i % 8)
		if _, err := decode(damaged); err == nil || strings.Contains(err.Error(), "\n") {
			t.Fatalf("byte %d of %d flipped: %v", i, len(data), err)
		}
	}
}

// TestReadForged flips bytes and then mends the checksum: what is read is
// refused or sound, and never a panic.
func TestReadForged(t *testing.T) {
	data, err := testTable(20).encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := 4; i < len(data)-4; i += 127 { // a prime: every kind of byte comes up
		damaged := bytes.Clone(data)
		damaged[i] ^= 1 << (i % 8)
		decodeForged(t, damaged)
	}
}

func decodeForged(t *testing.T, data []byte) {
	at := bytes.LastIndex(data, []byte(sumMark))
	if at < 0 || at+len(sumMark)+len(noSum) > len(data) {
		return
	}
	copy(data[at+len(sumMark):], noSum)
	sealed, err := seal(data)
	if err != nil {
		t.Fatal(err)
	}
	table, err := decode(sealed)
	if err == nil {
		err = table.Verify()
	} else if strings.Contains(err.Error(), "its checksum does not match") {
		t.Fatalf("%v: the test does not reach the Parquet reader", err)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has more than one line", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, rows := range []int{0, 3} {
		data, err := testTable(rows).encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { decodeForged(t, bytes.Clone(data)) })
}

func TestReadOther(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "", "text": "key,latency\nconv2d,12\n", "short": "PAR1PAR1PAR1"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		wantError(t, err, path)
	}
	path := filepath.Join(dir, "absent")
	_, err := Read(path)
	wantError(t, err, path, "no such file")
	_, err = Read(dir)
	wantError(t, err, dir)
	path = filepath.Join(dir, "absent", "t.lut.parquet")
	wantError(t, testTable(1).Write(path), path, "no such file")
}

// TestDetailedRows checks that workloads that only their keys tell apart stay
// apart.
func TestDetailedRows(t *testing.T) {
	table := testTable(1)
	var workloads []graph.Workload
	for i, key := range []string{"transpose/f32/2x3x4/3x2x4/perm=[1:0:2]", "transpose/f32/4x5/5x4/perm=[1:0]"} {
		w, err := graph.ParseWorkload(key)
		if err != nil {
			t.Fatal(err)
		}
		workloads = append(workloads, w)
		r := testRow(i + 1)
		id := identify(w)
		r.Key, r.Op, r.DType, r.N, r.C, r.H, r.W, r.K, r.R, r.S = key, id.Op, id.DType, 0, 0, 0, 0, 0, 0, 0
		r.StrideH, r.StrideW, r.PadTop, r.PadLeft, r.PadBottom, r.PadRight, r.DilationH, r.DilationW, r.Group, r.Epilogue = 0, 0, 0, 0, 0, 0, 0, 0, 0, ""
		table.Rows = append(table.Rows, r)
	}
	if err := table.Verify(); err != nil {
		t.Fatal(err)
	}
	for _, w := range workloads {
		if r, ok := table.Lookup(w); !ok || r.Key != w.String() {
			t.Errorf("%s: found %q, %v", w, r.Key, ok)
		}
	}
}

func TestMarks(t *testing.T) {
	table := &Table{Meta: Meta{Protocol: Protocol{RelativeCI: 0.02}}}
	for _, c := range []struct {
		row  Row
		want string
	}{
		{Row{LatencyMedianNS: 100, LatencyCI95NS: 9}, "predicted"},
		{Row{Samples: 9, LatencyMedianNS: 100, LatencyCI95NS: 0.9, Stable: true}, ""},
		{Row{Samples: 9, LatencyMedianNS: 100, LatencyCI95NS: 2}, "wider than asked"},
		{Row{Samples: 9, LatencyMedianNS: 100, LatencyCI95NS: 0.9, Contended: true}, "contended"},
		{Row{Samples: 9, LatencyMedianNS: 100, LatencyCI95NS: 2, Contended: true, Bimodal: true}, "wider than asked, contended, bimodal"},
	} {
		if got := strings.Join(table.Marks(&c.row), ", "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.row, got, c.want)
		}
	}
	// What was asked is not known of tables of others.
	table.Meta.Protocol.RelativeCI = 0
	if got := table.Marks(&Row{Samples: 9, LatencyMedianNS: 100, Contended: true}); len(got) != 2 {
		t.Errorf("%q", got)
	}
}
