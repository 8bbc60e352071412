package energy

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"errors"

	"pgregory.net/rapid"
)

// TestIntegrateLinearPower compares with the closed form: the trapezoidal rule
// is exact for a power that is linear in time, wherever samples lie.
func TestIntegrateLinearPower(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Float64Range(0, 100).Draw(t, "W")
		b := rapid.Float64Range(0, 10).Draw(t, "W/s")
		t0 := time.Unix(1e9, 0)
		var samples []sample
		at := 0.0
		for range rapid.IntRange(3, 30).Draw(t, "samples") {
			samples = append(samples, sample{t0.Add(time.Duration(at * 1e9)), a + b*at})
			at += rapid.Float64Range(0, 0.3).Draw(t, "pause")
		}
		last := samples[len(samples)-1].at.Sub(t0).Seconds()
		from := rapid.Float64Range(0, last).Draw(t, "start")
		to := rapid.Float64Range(from, last).Draw(t, "end")
		e, err := integrate(samples, t0.Add(time.Duration(from*1e9)), t0.Add(time.Duration(to*1e9)), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		want := a*(to-from) + b*(to*to-from*from)/2
		if math.Abs(e.Joules-want) > 1e-6*(1+want) {
			t.Fatalf("%g J, want %g", e.Joules, want)
		}
	})
}

func TestIntegrateMissesSamples(t *testing.T) {
	t0 := time.Unix(1e9, 0).UTC()
	second := func(s float64) time.Time { return t0.Add(time.Duration(s * 1e9)) }
	every := func(seconds ...float64) (samples []sample) {
		for _, s := range seconds {
			samples = append(samples, sample{second(s), 1})
		}
		return samples
	}
	for _, c := range []struct {
		samples    []sample
		start, end float64
		fails      string
	}{
		{nil, 0, 1, "no samples of power at all"},
		{every(1, 2, 3), 0.5, 2, "the first is of 01:46:41.000, the run began at 01:46:40.500"},
		{every(1, 2, 3), 1, 3.5, "the last is of 01:46:43.000, the run ended at 01:46:43.500"},
		{every(1, 2, 3, 4, 10, 11), 1, 10.5, "none for 6s from 01:46:44.000 on, where one comes every 1s"},
		{every(1, 2, 3, 4, 10, 11), 1, 3.5, ""}, // outside of the run
		{every(1, 2, 3, 4, 10, 11), 10.5, 11, ""},
		{every(1), 1, 1, ""},
	} {
		_, err := integrate(c.samples, second(c.start), second(c.end), longestGap(c.samples))
		if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%v to %v of %d samples: error %v, want %q", c.start, c.end, len(c.samples), err, c.fails)
		}
	}
}

func TestParseWatts(t *testing.T) {
	at := time.Date(2026, 1, 31, 12, 0, 0, 250e6, time.UTC)
	for line, want := range map[string]sample{
		"7.5":                               {watts: 7.5},
		"2026-01-31T12:00:00.25Z 7.5":       {at, 7.5},
		"2026-01-31T13:00:00.25+01:00;7.5 ": {at, 7.5},
		"1769860800.25,\t7.5\n":             {at, 7.5},
		"1769860800.25 0":                   {at, 0},
	} {
		got, err := parseWatts(line)
		if err != nil || got.watts != want.watts || got.at.Sub(want.at).Abs() > time.Microsecond {
			t.Errorf("%q: %v, error %v, want %v", line, got, err, want)
		}
	}
	for line, fails := range map[string]string{
		"":                     "want TIME WATTS",
		"1 2 3":                "want TIME WATTS",
		"-1":                   "not a power",
		"NaN":                  "not a power",
		"7,5 W":                "want TIME WATTS",
		"7.5W":                 "not a power",
		"12:00:00 7.5":         "not a time",
		"1769860800250 7.5":    "not a time", // ms
		"0 7.5":                "not a time",
		"2026-01-31 7.5":       "not a time",
		"1769860800.25 1e9999": "not a power",
	} {
		if got, err := parseWatts(line); err == nil || !strings.Contains(err.Error(), fails) {
			t.Errorf("%q: %v, error %v, want %q", line, got, err, fails)
		}
	}
}

// logger writes watts to a file until it is stopped.
func logger(t *testing.T, path string, watts func(time.Time) float64) {
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(file, "time,watts")
	stop, done := make(chan struct{}), make(chan struct{})
	line := func() {
		now := time.Now()
		fmt.Fprintf(file, "%s,%g\n", now.Format(time.RFC3339Nano), watts(now))
	}
	line()
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				line()
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
		file.Close()
	})
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "watts.csv")
	logger(t, path, func(time.Time) float64 { return 4 })
	m, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Measure(func() { time.Sleep(100 * time.Millisecond) })
	if err != nil {
		t.Fatal(err)
	}
	near(t, "energy", e.Joules, 4*e.Seconds(), 1e-6)
	if e.Samples < 3 {
		t.Errorf("%d samples", e.Samples)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Measure(func() {}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that vanished: error %v", err)
	}
}

func TestFileFailures(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "watts.txt")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := OpenFile(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: error %v", err)
	}
	for text, fails := range map[string]string{
		"time watts\n1769860800 1\nbroken\n":  "line 3: \"broken\" is not a power",
		"# first\nheading\n":                  "line 2: \"heading\" is not a power",
		"7.5\n":                               "line 1: \"7.5\", want TIME WATTS",
		"1769860801 1\n\n1769860800 1\n":      "line 3: its time is before that of the line above",
		"1769860800 1\n1769860801 1 W\n1 2\n": "line 2: ",
	} {
		if _, err := OpenFile(write(text)); err == nil || !strings.Contains(err.Error(), fails) {
			t.Errorf("%q: error %v, want %q", text, err, fails)
		}
	}
	path := write("1769860800 1\n1769860801 1\n1769860802 1")
	m, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := m.(*file)
	if len(f.samples) != 2 || f.about.Period != time.Second {
		t.Errorf("%d samples every %v, want 2 every 1s: the third is still being written", len(f.samples), f.about.Period)
	}
	f.patience, f.about.Period = 0, time.Millisecond
	if _, err := m.Measure(func() {}); err == nil || !strings.Contains(err.Error(), "samples are missing: the last is of") {
		t.Errorf("a file that does not grow: error %v", err)
	}
	if err := os.Truncate(path, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Measure(func() {}); err == nil || !strings.Contains(err.Error(), "has become shorter") {
		t.Errorf("a file that was cut: error %v", err)
	}
}

func TestCommand(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the commands are of a Unix shell")
	}
	m, err := OpenCommand("while :; do echo 3; sleep 0.01; done")
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Measure(func() { time.Sleep(100 * time.Millisecond) })
	if err != nil {
		t.Fatal(err)
	}
	near(t, "energy", e.Joules, 3*e.Seconds(), 1e-6)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for command, fails := range map[string]string{
		"echo watt; sleep 1":             "\"watt\" is not a power",
		"echo 1":                         "the program has ended",
		"echo no such meter >&2; exit 3": "exit status 3: no such meter",
	} {
		if _, err := OpenCommand(command); err == nil || !strings.Contains(err.Error(), fails) && !strings.Contains(err.Error(), "has ended") {
			t.Errorf("%s: error %v, want %q", command, err, fails)
		}
	}
	m, err = OpenCommand("echo 1; sleep 0.01; echo 1; sleep 0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Measure(func() { time.Sleep(200 * time.Millisecond) }); err == nil || !strings.Contains(err.Error(), "the program has ended") {
		t.Errorf("a command that ends: error %v", err)
	}
}

// TestPowermetrics reads text in the form that powermetrics prints on an Apple
// M2 and on an Intel Mac; the figures are made up.
func TestPowermetrics(t *testing.T) {
	for name, want := range map[string][]float64{
		"powermetrics-m2.txt":    {4.833, 4.911},
		"powermetrics-intel.txt": {8.37},
	} {
		text, err := os.Open("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer text.Close()
		p := &program{}
		p.follow(text, parsePowermetrics)
		var got []float64
		for _, s := range p.samples {
			got = append(got, math.Round(s.watts*1e6)/1e6)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v W, want %v", name, got, want)
		}
	}
}

func TestParsePMIC(t *testing.T) {
	got, err := parsePMIC("A_A current(0)=2.0A\n A_V volt(8)=3.5V\nEXT5V_V volt(24)=5.07V\n\nB_V volt(9)=1V\nB_A current(1)=0.5A\n")
	if err != nil || math.Abs(got-7.5) > 1e-12 {
		t.Errorf("%g W, error %v, want 7.5", got, err)
	}
	for text, fails := range map[string]string{
		"":                              "no rail",
		"A_V volt(8)=3.5V":              "no rail",
		"A_A current(0)=2.0A":           "rail A has a current and no voltage",
		"A_A current(0)=2.0V":           "want RAIL_A",
		"A_A current(0)=-2A":            "want RAIL_A",
		"A_A current(0)=NaNA":           "want RAIL_A",
		"A current(0)=2.0A":             "want RAIL_A",
		"A_A 2.0A":                      "want RAIL_A",
		"error=1 error_msg=\"Command\"": "want RAIL_A",
	} {
		if _, err := parsePMIC(text); err == nil || !strings.Contains(err.Error(), fails) {
			t.Errorf("%q: error %v, want %q", text, err, fails)
		}
	}
}

func FuzzParseWatts(f *testing.F) {
	f.Add("2026-01-31T12:00:00.25Z 7.5")
	f.Add("1769860800.25,7.5")
	f.Add("7.5")
	f.Fuzz(func(t *testing.T, line string) {
		s, err := parseWatts(line)
		if err == nil && !(s.watts >= 0 && s.watts <= math.MaxFloat64) {
			t.Errorf("%q is %g W", line, s.watts)
		}
	})
}

func FuzzParsePMIC(f *testing.F) {
	f.Add("VDD_CORE_A current(7)=0.92144000A\nVDD_CORE_V volt(15)=0.72031240V\n")
	f.Fuzz(func(t *testing.T, text string) {
		if w, err := parsePMIC(text); err == nil && !(w >= 0 && w <= math.MaxFloat64) {
			t.Errorf("%q is %g W", text, w)
		}
	})
}

func FuzzParsePowermetrics(f *testing.F) {
	f.Add("Combined Power (CPU + GPU + ANE): 4833 mW")
	f.Add("Intel energy model derived package power (CPUs+GT+SA): 8.37W")
	f.Fuzz(func(t *testing.T, line string) {
		s, ok, err := parsePowermetrics(line, time.Unix(1, 0))
		if ok && (err != nil || !(s.watts >= 0)) {
			t.Errorf("%q: %v, error %v", line, s, err)
		}
	})
}

func FuzzParsePerf(f *testing.F) {
	f.Add("event=0x02", "0,28-30")
	f.Fuzz(func(t *testing.T, config, cpus string) {
		if n, err := parsePerfConfig(config); err == nil && n > 255 {
			t.Errorf("%q is %d", config, n)
		}
		if list, err := parseCPUs(cpus); err == nil && (len(list) == 0 || slices.Min(list) < 0 || slices.Max(list) > maxCPU) {
			t.Errorf("%q is %v", cpus, list)
		}
	})
}

// FuzzFile reads any file of watts, in two pieces.
func FuzzFile(f *testing.F) {
	f.Add([]byte("time,watts\n1769860800,1\n1769860801,2\n"), 20)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		whole, pieces := &file{}, &file{}
		err := whole.parse(data)
		if cut < 0 || cut > len(data) {
			return
		}
		err2 := pieces.parse(data[:cut])
		if err2 == nil {
			err2 = pieces.parse(data[pieces.offset:])
		}
		if (err == nil) != (err2 == nil) || len(whole.samples) != len(pieces.samples) {
			t.Errorf("whole %d samples, error %v; in pieces %d, error %v", len(whole.samples), err, len(pieces.samples), err2)
		}
	})
}
