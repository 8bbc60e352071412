package lut

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openJournal(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := OpenJournal(path, testMeta())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.file.Close() })
	return j
}

func TestJournalResume(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.lut.parquet")
	var rows []Row
	var networks []Network
	for run := range 4 {
		j := openJournal(t, path)
		if diff := cmp.Diff(rows, j.Rows(), sameTable); diff != "" {
			t.Fatalf("run %d, -appended +found:\n%s", run, diff)
		}
		if diff := cmp.Diff(networks, j.Networks(), sameTable); diff != "" {
			t.Fatalf("run %d, -appended +found:\n%s", run, diff)
		}
		for i := range 3 {
			rows = append(rows, testRow(3*run+i))
			if err := j.AppendRow(rows[len(rows)-1]); err != nil {
				t.Fatal(err)
			}
		}
		networks = append(networks, testNetwork(fmt.Sprint("net", run)))
		if err := j.AppendNetwork(networks[run]); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	j := openJournal(t, path)
	table := &Table{Meta: testMeta(), Rows: j.Rows(), Networks: j.Networks()}
	if err := table.Write(path); err != nil {
		t.Fatal(err)
	}
	if err := j.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".journal"); !os.IsNotExist(err) {
		t.Errorf("the journal is still there: %v", err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rows, got.Rows, sameTable); diff != "" {
		t.Errorf("-journal +table:\n%s", diff)
	}
}

// TestJournalTorn cuts a journal after every byte: what opens is a prefix of
// what was appended, all lines that were whole are there, and it goes on.
func TestJournalTorn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "t.lut.parquet")
	j := openJournal(t, path)
	want := []Row{testRow(0), testRow(1)}
	for _, r := range want {
		if err := j.AppendRow(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(whole); n += 3 {
		for name, tail := range map[string]string{"cut": "", "zeros": "\x00\x00\x00", "garbage": "\xff{\"row\":1}\n"} {
			if tail != "" && n%41 != 0 {
				continue
			}
			cut := bytes.Clone(whole[:n])
			if err := os.WriteFile(path+".journal", append(cut, tail...), 0o644); err != nil {
				t.Fatal(err)
			}
			j, err := OpenJournal(path, testMeta())
			if err != nil {
				t.Fatalf("%s after %d bytes: %v", name, n, err)
			}
			kept := max(0, bytes.Count(whole[:n], []byte("\n"))-1)
			if diff := cmp.Diff(want[:kept], j.Rows(), sameTable); diff != "" {
				t.Fatalf("%s after %d bytes, -want +found:\n%s", name, n, diff)
			}
			if err := j.AppendRow(testRow(7)); err != nil {
				t.Fatal(err)
			}
			j.Close()
			if n%97 != 0 {
				continue
			}
			j, err = OpenJournal(path, testMeta())
			if err != nil {
				t.Fatalf("%s after %d bytes, appended, opened again: %v", name, n, err)
			}
			if len(j.Rows()) != kept+1 {
				t.Fatalf("%s after %d bytes, appended: %d rows", name, n, len(j.Rows()))
			}
			j.Close()
		}
	}
}

func TestJournalDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.lut.parquet")
	j := openJournal(t, path)
	for i := range 3 {
		if err := j.AppendRow(testRow(i)); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	whole, err := os.ReadFile(path + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n')
	for i := 0; i < last; i += 3 {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1
		if err := os.WriteFile(path+".journal", damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := OpenJournal(path, testMeta())
		wantError(t, err, path+".journal", "line ")
		if after, _ := os.ReadFile(path + ".journal"); !bytes.Equal(after, damaged) {
			t.Fatalf("byte %d: a refused journal was changed", i)
		}
	}
}

func TestJournalRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.lut.parquet")
	j := openJournal(t, path)
	if err := j.AppendRow(testRow(0)); err != nil {
		t.Fatal(err)
	}
	if err := j.AppendNetwork(testNetwork("a")); err != nil {
		t.Fatal(err)
	}
	wantError(t, j.AppendRow(testRow(0)), path+".journal", "already there")
	wantError(t, j.AppendNetwork(testNetwork("a")), path+".journal", "already there")
	bad := testRow(1)
	bad.LatencyMeanNS = math.NaN()
	wantError(t, j.AppendRow(bad), path+".journal", "latency_mean_ns is NaN")
	if len(j.Rows()) != 1 || len(j.Networks()) != 1 {
		t.Errorf("%d rows, %d networks after refusals", len(j.Rows()), len(j.Networks()))
	}
	j.Close()
	for what, change := range map[string]func(*Meta){
		"device fingerprint": func(m *Meta) { m.Fingerprint = "0123456789ab" },
		"runtime":            func(m *Meta) { m.Runtime = "onnxruntime" },
		"runtime version":    func(m *Meta) { m.RuntimeVersion = "9" },
		"number of threads":  func(m *Meta) { m.Threads = 4 },
		"newer than":         func(m *Meta) { m.Schema = Schema + 1 },
	} {
		meta := testMeta()
		change(&meta)
		_, err := OpenJournal(path, meta)
		wantError(t, err, path+".journal", what)
	}
	again := testMeta()
	again.Created = again.Created.AddDate(0, 0, 1)
	again.Protocol.BudgetSeconds = 60
	if j, err := OpenJournal(path, again); err != nil || len(j.Rows()) != 1 {
		t.Errorf("a later run with another budget is refused: %v", err)
	} else {
		j.Close()
	}
	_, err := OpenJournal(filepath.Join(path, "below-a-file"), testMeta())
	wantError(t, err, filepath.Join(path, "below-a-file")+".journal")
}

// TestJournalWriteFails lets the disk fail under the journal.
func TestJournalWriteFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.lut.parquet")
	j := openJournal(t, path)
	if err := j.AppendRow(testRow(0)); err != nil {
		t.Fatal(err)
	}
	good := j.file
	readOnly, err := os.Open(good.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	j.file = readOnly
	wantError(t, j.AppendRow(testRow(1)), path+".journal", "write")
	wantError(t, j.AppendNetwork(testNetwork("a")), path+".journal", "write")
	if len(j.Rows()) != 1 || len(j.Networks()) != 0 {
		t.Errorf("%d rows, %d networks, though the disk failed", len(j.Rows()), len(j.Networks()))
	}
	j.file, j.broken = good, nil
	if err := j.AppendRow(testRow(1)); err != nil {
		t.Errorf("the row cannot be appended once the disk works again: %v", err)
	}
}

const childEnv = "HWPROFD_TEST_JOURNAL"

// TestJournalChild is the process that TestJournalKilled kills.
func TestJournalChild(t *testing.T) {
	path := os.Getenv(childEnv)
	if path == "" {
		t.Skip("runs only as a child of TestJournalKilled")
	}
	j := openJournal(t, path)
	for i := len(j.Rows()); ; i++ {
		if err := j.AppendRow(testRow(i)); err != nil {
			t.Fatal(err)
		}
		fmt.Println("appended", i+1)
	}
}

// TestJournalKilled kills a writer without warning, again and again.
func TestJournalKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.lut.parquet")
	acknowledged := 0
	for round := range 5 {
		child := exec.Command(os.Args[0], "-test.run=^TestJournalChild$", "-test.v")
		child.Env = append(os.Environ(), childEnv+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		stop := acknowledged + 3 + round
		for lines.Scan() {
			n, ok := strings.CutPrefix(lines.Text(), "appended ")
			if !ok {
				continue
			}
			if acknowledged, err = strconv.Atoi(n); err != nil {
				t.Fatal(err)
			}
			if acknowledged == stop {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait() // killed
		j := openJournal(t, path)
		rows := j.Rows()
		if len(rows) < acknowledged || acknowledged < stop {
			t.Fatalf("round %d: %d rows in the journal, %d acknowledged, to be killed at %d", round, len(rows), acknowledged, stop)
		}
		for i, r := range rows {
			if r.Key != testRow(i).Key {
				t.Fatalf("row %d is %s", i, r.Key)
			}
		}
		j.Close()
	}
}

// TestJournalFailures shows that what could not be measured outlives a killed
// run and reaches the table.
func TestJournalFailures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.lut.parquet")
	want := []Failure{
		{Name: testRow(1).Key, Cache: CacheCold, Reason: "the adapter ended"},
		{Name: "net", Network: true, Reason: "no kernel for Relu"},
	}
	j := openJournal(t, path)
	for _, f := range want {
		if err := j.AppendFailure(f); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []Failure{{Name: "net", Network: true}, {Name: "no workload", Cache: CacheWarm, Reason: "it"}, {Name: testRow(1).Key, Reason: "it"}, {Reason: "it"}} {
		if err := j.AppendFailure(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openJournal(t, path)
	if diff := cmp.Diff(want, j.Failures()); diff != "" {
		t.Errorf("failures, -appended +found:\n%s", diff)
	}
	table := &Table{Meta: testMeta(), Rows: []Row{testRow(0)}, Failures: j.Failures()}
	table.Meta.RuntimeOptions, table.Meta.RuntimeOverheadNS = map[string]string{"provider": "cpu"}, 3e3
	if err := table.Write(path); err != nil {
		t.Fatal(err)
	}
	read, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, read.Failures); diff != "" {
		t.Errorf("failures, -written +read:\n%s", diff)
	}
	if diff := cmp.Diff(table.Meta, read.Meta); diff != "" {
		t.Errorf("metadata, -written +read:\n%s", diff)
	}
}

func TestJournalKeepsVisits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.lut.parquet")
	visits := []Visit{
		{Name: testRow(1).Key, Cache: CacheWarm, Found: []byte(`{"ns":1.5}`)},
		{Name: "net", Network: true, Found: []byte(`[2]`)},
		{Name: testRow(1).Key, Cache: CacheWarm, Found: []byte(`{"ns":1.6}`)},
	}
	for i, v := range visits {
		j := openJournal(t, path)
		if diff := cmp.Diff(visits[:i], j.Visits()); i > 0 && diff != "" {
			t.Fatalf("visit %d, -appended +found:\n%s", i, diff)
		}
		if err := j.AppendVisit(v); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if err := j.AppendRow(testRow(1)); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".journal", whole[:len(whole)-3], 0o644); err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, path)
	if diff := cmp.Diff(visits[:2], j.Visits()); diff != "" || len(j.Rows()) != 1 {
		t.Errorf("after a torn end, -appended +found:\n%s", diff)
	}
	for want, bad := range map[string]Visit{
		"no name":     {Cache: CacheWarm, Found: []byte("1")},
		`cache is ""`: {Name: "x", Found: []byte("1")},
		"no JSON":     {Name: "x", Network: true, Found: []byte("{")},
	} {
		if err := j.AppendVisit(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one that says %q", bad, err, want)
		}
	}
	// What is in the file is checked as well.
	for _, found := range []string{`{"name":"","found":1}`, `{"name":"x","found":1}`} {
		other := filepath.Join(t.TempDir(), "t.lut.parquet")
		j := openJournal(t, other)
		if err := j.write(journalLine{Visit: []byte(found)}); err != nil {
			t.Fatal(err)
		}
		j.Close()
		if _, err := OpenJournal(other, testMeta()); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: error %v, want one that names line 2", found, err)
		}
	}
}
