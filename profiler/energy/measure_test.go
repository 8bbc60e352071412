package energy

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %g, want %g ± %g", what, got, want, tolerance)
	}
}

func open(t *testing.T, root fs.FS, h host, name string) Meter {
	t.Helper()
	m, err := choose(find(root, h), name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRAPLWrapsAround lets one of two packages wrap around.
func TestRAPLWrapsAround(t *testing.T) {
	root, h := load(t, "testdata/server-x86.txtar")
	m := open(t, root, h, "rapl/package")
	synctest.Test(t, func(t *testing.T) {
		e, err := m.Measure(func() {
			time.Sleep(10 * time.Second)
			root.set("sys/class/powercap/intel-rapl:0/energy_uj", "56671150") // 262143.328850 - 261900 + 56.671150
			root.set("sys/class/powercap/intel-rapl:1/energy_uj", "201000000")
			root.set("sys/class/powercap/intel-rapl:0:0/energy_uj", "999000000") // a part
		})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "energy", e.Joules, 300+200, 1e-9)
		near(t, "power", e.Watts(), 50, 1e-9)
		near(t, "bound", e.Bound, 2/16384.0+50e-3, 1e-9)
	})
}

// TestRAPLWrapsAroundOften runs long enough for a counter to wrap around three
// times.
func TestRAPLWrapsAroundOften(t *testing.T) {
	root, h := load(t, "testdata/server-x86.txtar")
	m := open(t, root, h, "rapl/dram")
	synctest.Test(t, func(t *testing.T) {
		const span, watts = 65712.999613, 500.0
		e, err := m.Measure(func() {
			for second := range 400 {
				time.Sleep(time.Second)
				count := math.Mod(12+watts*float64(second+1), span)
				root.set("sys/class/powercap/intel-rapl:1:1/energy_uj", formatCount(count*1e6))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "energy", e.Joules, 400*watts, 1e-3)
	})
}

func formatCount(x float64) string {
	text := []byte{}
	for n := uint64(math.Round(x)); n > 0 || len(text) == 0; n /= 10 {
		text = append([]byte{byte('0' + n%10)}, text...)
	}
	return string(text)
}

// TestDomainUsed wraps counters of any span around.
func TestDomainUsed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.Uint64Range(1, 1<<62).Draw(t, "span")
		before := rapid.Uint64Range(0, span-1).Draw(t, "before")
		used := rapid.Uint64Range(0, span-1).Draw(t, "used")
		d := domain{unit: 1, span: span}
		got, err := d.used(before, (before+used)%span)
		if err != nil || got != float64(used) {
			t.Fatalf("%g counts, error %v, want %d", got, err, used)
		}
	})
	d := domain{name: "/x", unit: 1}
	if _, err := d.used(5, 4); err == nil || !strings.Contains(err.Error(), "went back from 5 to 4") {
		t.Errorf("a counter of unknown span that goes back: error %v", err)
	}
}

func TestPerf(t *testing.T) {
	root, h := load(t, "testdata/server-x86.txtar")
	m := open(t, root, h, "perf/energy-pkg")
	e, err := m.Measure(func() { root.events[2] += 1 << 32 })
	if err != nil {
		t.Fatal(err)
	}
	near(t, "energy of two packages", e.Joules, 2, 1e-9) // 2^32 counts of 2^-32 J each
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestVanishes takes the file of each kind of meter away while it measures.
func TestVanishes(t *testing.T) {
	for _, c := range []struct{ fixture, meter, file string }{
		{"server-x86", "rapl/package", "sys/class/powercap/intel-rapl:1/energy_uj"},
		{"server-x86", "hwmon/pmbus/pin", "sys/class/hwmon/hwmon0/power1_input"},
		{"jetson-orin-nano", "hwmon/ina3221/VDD_IN", "sys/class/hwmon/hwmon1/in1_input"},
		{"jetson-nano-l4t", "iio/pac1934/power1", "sys/bus/iio/devices/iio:device1/in_power1_raw"},
		{"raspberry-pi-5", "hwmon/ltc2947/board", "sys/class/hwmon/hwmon4/energy1_input"},
		{"raspberry-pi-5", "pmic", "vcgencmd"},
		{"laptop", "power_supply/BAT0", "sys/class/power_supply/BAT0/power_now"},
	} {
		root, h := load(t, "testdata/"+c.fixture+".txtar")
		m := open(t, root, h, c.meter)
		synctest.Test(t, func(t *testing.T) {
			ran := false
			e, err := m.Measure(func() {
				time.Sleep(3 * time.Second)
				root.remove(c.file)
				time.Sleep(3 * time.Second)
				ran = true
			})
			if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), c.file) || e != (Energy{}) || !ran {
				t.Errorf("%s: %+v, error %v, ran %v; want one that names %s", c.meter, e, err, ran, c.file)
			}
			if _, err := m.Measure(func() {}); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: later error %v", c.meter, err)
			}
		})
	}
}

// TestChargerPluggedIn ends discharging while a battery is measured.
func TestChargerPluggedIn(t *testing.T) {
	root, h := load(t, "testdata/laptop.txtar")
	m := open(t, root, h, "power_supply/BAT0")
	synctest.Test(t, func(t *testing.T) {
		_, err := m.Measure(func() {
			time.Sleep(10 * time.Second)
			root.set("sys/class/power_supply/BAT0/status", "Charging")
			time.Sleep(10 * time.Second)
		})
		if err == nil || !strings.Contains(err.Error(), `battery BAT0 is "Charging"`) {
			t.Errorf("error %v", err)
		}
	})
}

// TestSampledIntegrates measures a power that rises and falls.
func TestSampledIntegrates(t *testing.T) {
	root, h := load(t, "testdata/server-x86.txtar")
	m := open(t, root, h, "hwmon/pmbus/pin")
	synctest.Test(t, func(t *testing.T) {
		e, err := m.Measure(func() {
			for i := range 2000 { // a ramp from 0 to 2 W in 2 s
				root.set("sys/class/hwmon/hwmon0/power1_input", formatCount(1e3*float64(i)))
				time.Sleep(time.Millisecond)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "energy", e.Joules, 2, e.Bound+312*5e-3) // the first sample is of before
		near(t, "samples", float64(e.Samples), 202, 2)
		if e.Seconds() != 2 {
			t.Errorf("measured for %g s, want 2", e.Seconds())
		}
	})
}

func TestSampledRefusesNegativePower(t *testing.T) {
	s := &sampled{Description{Name: "x", Period: time.Millisecond}, func() (float64, error) { return -1, nil }}
	if _, err := s.Measure(func() {}); err == nil || !strings.Contains(err.Error(), "x shows -1 W") {
		t.Errorf("error %v", err)
	}
}

// fake is a meter that is right up to its resolution.
type fake struct {
	about      Description
	idle, busy float64 // W
	worked     *time.Duration
}

func (f *fake) Description() Description { return f.about }
func (f *fake) Close() error             { return nil }

func (f *fake) Measure(run func()) (Energy, error) {
	*f.worked = 0
	start := time.Now()
	run()
	end := time.Now()
	e := Energy{Start: start, End: end}
	e.Joules = f.idle*e.Seconds() + (f.busy-f.idle)*f.worked.Seconds()
	e.Bound = f.about.Resolution + f.busy*f.about.Period.Seconds()
	return e, nil
}

func TestPerRun(t *testing.T) {
	for _, c := range []struct {
		what       string
		idle, busy float64
		resolution float64
		period     time.Duration
		work       time.Duration
		limit      time.Duration
		fails      string
	}{
		{"RAPL, much power", 10, 50, 61e-6, time.Millisecond, time.Millisecond, 2 * time.Second, ""},
		{"RAPL, little power", 10, 11, 61e-6, time.Millisecond, time.Millisecond, 10 * time.Second, ""},
		{"coarse steps", 1, 3, 0.1, time.Millisecond, 100 * time.Microsecond, 20 * time.Second, ""},
		{"long work", 1, 3, 0, time.Millisecond, 5 * time.Second, 10 * time.Second, ""},
		{"a wall meter in a second", 1, 3, 0, time.Second, time.Millisecond, time.Second, "has a value every 1s and needs 55s"},
		{"no more than idle", 10, 10.001, 61e-6, time.Millisecond, time.Millisecond, time.Second, "10 W idle"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var worked time.Duration
			m := &fake{about: Description{Name: "fake", Resolution: c.resolution, Period: c.period}, idle: c.idle, busy: c.busy, worked: &worked}
			idle, err := Idle(t.Context(), m, 30*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "idle power", idle.Watts(), c.idle, 1e-9)
			begin := time.Now()
			got, err := PerRun(t.Context(), m, idle, c.limit, func() {
				time.Sleep(c.work)
				worked += c.work
			})
			took := time.Since(begin)
			if c.fails != "" {
				if !errors.Is(err, ErrResolution) || !strings.Contains(err.Error(), c.fails) || took > c.limit+c.work {
					t.Errorf("%s: error %v after %v, want %s", c.what, err, took, c.fails)
				}
				return
			}
			if err != nil {
				t.Errorf("%s: %v", c.what, err)
				return
			}
			near(t, c.what+": net energy", got.NetJoules/((c.busy-c.idle)*c.work.Seconds()), 1, 1e-6)
			near(t, c.what+": gross energy", got.GrossJoules/(c.busy*c.work.Seconds()), 1, 1e-6)
			near(t, c.what+": idle", got.IdleWatts, c.idle, 1e-9)
			if got.BoundJoules > Tolerance*got.NetJoules || took > c.limit+c.work || got.Runs < 1 {
				t.Errorf("%s: %+v after %v", c.what, got, took)
			}
		})
	}
}

func TestPerRunEndsWithItsContext(t *testing.T) {
	var worked time.Duration
	m := &fake{about: Description{Name: "fake", Period: time.Second}, busy: 1, worked: &worked}
	ctx, cancel := context.WithCancel(context.Background())
	runs := 0
	_, err := PerRun(ctx, m, Energy{End: time.Unix(1, 0)}, time.Hour, func() {
		if runs++; runs == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || runs != 3 {
		t.Errorf("error %v after %d runs", err, runs)
	}
	if _, err := Idle(ctx, m, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("Idle: error %v", err)
	}
}
