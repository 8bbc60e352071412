package energy

import (
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// machine is a fixture whose files can change and vanish while it is read.
type machine struct {
	mu     sync.Mutex
	files  fstest.MapFS
	denied map[string]bool
	events map[uint64]uint64 // counts of the power PMU by config
}

func (m *machine) Open(name string) (fs.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.denied[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return m.files.Open(name)
}

func (m *machine) set(name, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[name] = &fstest.MapFile{Data: []byte(text + "\n"), Mode: 0o444}
}

func (m *machine) remove(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, name)
}

// fakeEvent is an event of a machine on one of its CPUs.
type fakeEvent struct {
	m      *machine
	config uint64
	closed *int
}

func (e fakeEvent) Read() (uint64, error) {
	e.m.mu.Lock()
	defer e.m.mu.Unlock()
	return e.m.events[e.config], nil
}

func (e fakeEvent) Close() error {
	*e.closed++
	return nil
}

// load reads a fixture. A file that says "denied" may not be read, and one that
// is named vcgencmd is what that program prints.
func load(t testing.TB, file string) (*machine, host) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{files: fstest.MapFS{}, denied: map[string]bool{}, events: map[uint64]uint64{}}
	for _, f := range archive.Files {
		m.files[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o444}
		m.denied[f.Name] = string(f.Data) == "denied\n"
	}
	var closed int
	return m, host{
		os: "linux",
		which: func(program string) error {
			_, err := fs.Stat(m, program)
			return err
		},
		output: func(program string, _ ...string) ([]byte, error) { return fs.ReadFile(m, program) },
		perfOpen: func(pmu uint32, config uint64, cpu int) (perfEvent, error) {
			if text, err := readText(m, "proc/sys/kernel/perf_event_paranoid"); err == nil && text > "2" {
				return nil, fs.ErrPermission
			}
			return fakeEvent{m, config, &closed}, nil
		},
	}
}

// TestFindGolden finds the meters of every fixture and reads the power of those
// that tell it.
func TestFindGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	if len(files) < 6 {
		t.Fatalf("only %d fixtures in testdata", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			root, h := load(t, file)
			type entry struct {
				Found
				Watts float64 `json:"watts,omitempty"`
			}
			var entries []entry
			for _, f := range find(root, h) {
				e := entry{Found: f}
				if f.Problem == "" {
					m, err := f.Open()
					if err != nil {
						t.Fatalf("%s: %v", f.Name, err)
					}
					if m.Description() != f.Description {
						t.Errorf("%s was found as %+v and opened as %+v", f.Name, f.Description, m.Description())
					}
					if s, ok := m.(*sampled); ok {
						if e.Watts, err = s.watts(); err != nil {
							t.Errorf("%s: %v", f.Name, err)
						}
						e.Watts = math.Round(e.Watts*1e6) / 1e6
					}
					if err := m.Close(); err != nil {
						t.Error(err)
					}
				} else if _, err := f.Open(); err == nil || !strings.Contains(err.Error(), f.Problem) {
					t.Errorf("opening %s: error %v, want %s", f.Name, err, f.Problem)
				}
				entries = append(entries, e)
			}
			got, err := json.MarshalIndent(entries, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			golden := strings.TrimSuffix(file, ".txtar") + ".json"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct{ fixture, name, want, fails string }{
		{"server-x86", "", "rapl/package", ""},
		{"server-x86", "rapl/dram", "rapl/dram", ""},
		{"server-x86", "rapl/gpu", "", `no meter "rapl/gpu": there are rapl/package, rapl/core`},
		{"jetson-orin-nano", "", "hwmon/ina3221/VDD_IN", ""},
		{"jetson-nano-l4t", "", "iio/ina3221x/POM_5V_IN", ""},
		{"raspberry-pi-5", "", "pmic", ""},
		{"laptop", "", "", "intel-rapl:0/energy_uj: permission denied; since Linux 5.10 it needs root"},
		{"laptop", "perf/energy-pkg", "", "kernel.perf_event_paranoid below 1, which is 4"},
		{"laptop", "power_supply/BAT1", "", `is "Charging"`},
		{"virtual-machine", "", "", "no meter of the processor"},
		{"virtual-machine", "perf/energy-pkg", "", "none can be read here"},
	} {
		m, err := choose(find(load(t, "testdata/"+c.fixture+".txtar")), c.name)
		switch {
		case c.fails != "":
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s, %q: error %v, want %s", c.fixture, c.name, err, c.fails)
			}
			if (c.name == "") != errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s, %q: error %v is errors.ErrUnsupported, or is not", c.fixture, c.name, err)
			}
		case err != nil:
			t.Errorf("%s, %q: %v", c.fixture, c.name, err)
		case m.Description().Name != c.want:
			t.Errorf("%s, %q: %s, want %s", c.fixture, c.name, m.Description().Name, c.want)
		}
	}
}

// TestFindOtherSystems looks where there is no /sys.
func TestFindOtherSystems(t *testing.T) {
	none := errors.New("not found")
	h := host{os: "darwin", which: func(string) error { return nil }}
	if f := find(fstest.MapFS{}, h); len(f) != 1 || !strings.Contains(f[0].Problem, "root only") {
		t.Errorf("macOS without root: %+v", f)
	}
	h.root = true
	if f := find(fstest.MapFS{}, h); len(f) != 1 || f[0].Problem != "" || !f[0].Processor {
		t.Errorf("macOS as root: %+v", f)
	}
	h.which = func(string) error { return none }
	if f := find(fstest.MapFS{}, h); len(f) != 1 || f[0].Problem == "" {
		t.Errorf("macOS without powermetrics: %+v", f)
	}
	if f := find(fstest.MapFS{}, host{os: "plan9"}); len(f) != 1 || !strings.Contains(f[0].Problem, "plan9") {
		t.Errorf("Plan 9: %+v", f)
	}
	h = host{os: "linux", which: h.which}
	if f := find(fstest.MapFS{}, h); len(f) != 6 {
		t.Errorf("nothing: %+v", f)
	} else {
		for _, f := range f {
			if f.Problem == "" {
				t.Errorf("%s found in an empty tree", f.Name)
			}
		}
	}
}

// TestFindGarbage puts nonsense in every file of every fixture in turn: what is
// then found is an error when it is opened or read, and nothing panics.
func TestFindGarbage(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		root, h := load(t, file)
		for name, f := range root.files {
			data := f.Data
			for _, garbage := range []string{"", "\x00", "-1", "99999999999999999999999", "NaN", "0-", "=", "event=", "1e400"} {
				f.Data = []byte(garbage)
				for _, found := range find(root, h) {
					m, err := found.Open()
					if err != nil {
						continue
					}
					if s, ok := m.(*sampled); ok {
						if w, err := s.watts(); err == nil && math.IsInf(w, 0) {
							t.Errorf("%s = %q: %s shows %g W", name, garbage, found.Name, w)
						}
					} else if _, err := m.Measure(func() {}); err != nil && !strings.HasPrefix(err.Error(), "energy: ") {
						t.Errorf("%s = %q: %v", name, garbage, err)
					}
				}
			}
			f.Data = data
		}
	}
}
