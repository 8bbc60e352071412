package profiler

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// machine is a simulated one: work advances its clock.
type machine struct {
	clock      time.Duration
	resolution time.Duration
	// slowdown is by how much all work takes longer than undisturbed at a moment,
	slowdown func(at time.Duration) float64
	// and contention by how much more work of a kind does: that of a
	// calibration kernel, or kinds for the item.
	contention func(at time.Duration, kind int) float64
	noise      func() float64 // factor on one run
	runs       int            // of the item
}

func newMachine(seed uint64) *machine {
	rng := rand.New(rand.NewPCG(seed, 0))
	return &machine{
		resolution: 20,
		slowdown:   func(time.Duration) float64 { return 1 },
		contention: func(time.Duration, int) float64 { return 1 },
		noise:      func() float64 { return math.Exp(0.02 * rng.NormFloat64()) },
	}
}

func (m *machine) work(d time.Duration, kind int) {
	m.clock += time.Duration(float64(d) * m.slowdown(m.clock) * m.contention(m.clock, kind) * m.noise())
}

// now is the clock, in its steps.
func (m *machine) now() time.Duration { return m.clock / m.resolution * m.resolution }

func (m *machine) item(d time.Duration) task {
	run := func() { m.work(d, kinds); m.runs++ }
	return task{run: (&sampler{now: m.now}).timed(run)}
}

func (m *machine) sampler(t *testing.T) *sampler {
	t.Helper()
	s := &sampler{now: m.now, resolution: m.resolution}
	for kind := range s.kernels {
		s.kernels[kind] = func() { m.work(10*time.Microsecond, kind) }
	}
	if err := s.setBaseline(context.Background(), 10*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMeasureFindsTruth(t *testing.T) {
	const seeds = 20
	for _, truth := range []time.Duration{500, 3 * time.Microsecond, time.Millisecond} {
		var bias float64
		for seed := range uint64(seeds) {
			m := newMachine(seed)
			got, err := m.sampler(t).measure(context.Background(), m.item(truth), 0.01, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Stable || got.Corrected.width() >= 0.01 {
				t.Errorf("%v: not stable, width %g", truth, got.Corrected.width())
			}
			if got.Samples < minSamples {
				t.Errorf("%v: %d samples, want at least %d", truth, got.Samples, minSamples)
			}
			off := got.Corrected.Median/float64(truth) - 1
			if math.Abs(off) > 0.02 {
				t.Errorf("%v: median is off by %.2f%%", truth, 100*off)
			}
			bias += off / seeds
		}
		if math.Abs(bias) > 0.004 {
			t.Errorf("%v: medians are off by %.2f%% in the mean", truth, 100*bias)
		}
	}
}

func TestSampleOutlastsCoarseClock(t *testing.T) {
	m := newMachine(1)
	m.resolution = time.Microsecond
	perSample, err := m.sampler(t).warmUp(context.Background(), m.item(3*time.Microsecond).run, minSample, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if least := 300; perSample < least || perSample > 2*least {
		t.Errorf("%d runs of 3 us in a sample with a clock of 1 us, want %d or a little more", perSample, least)
	}
}

func TestWarmUpWaitsForTheFall(t *testing.T) {
	m := newMachine(1)
	s := m.sampler(t)
	start := m.clock
	m.slowdown = func(at time.Duration) float64 { // a clock frequency that rises for 50 ms
		return 1 + max(0, 1-float64(at-start)/float64(50*time.Millisecond))
	}
	if _, err := s.warmUp(context.Background(), m.item(time.Millisecond).run, minSample, time.Second); err != nil {
		t.Fatal(err)
	}
	if took := m.clock - start; took < 35*time.Millisecond {
		t.Errorf("warm-up ended after %v, while the machine still sped up", took)
	}
}

func TestDriftIsDividedOut(t *testing.T) {
	drifts := map[string]func(time.Duration) float64{
		"ramp":  func(at time.Duration) float64 { return 1 + 3*at.Seconds() },
		"step":  func(at time.Duration) float64 { return 1 + 0.2*math.Floor(2*at.Seconds()) },
		"waves": func(at time.Duration) float64 { return 1.2 + 0.2*math.Sin(20*at.Seconds()) },
	}
	for name, drift := range drifts {
		m := newMachine(1)
		s := m.sampler(t)
		m.slowdown = drift
		for i := range 8 {
			got, err := s.measure(context.Background(), m.item(30*time.Microsecond), 0.005, 200*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if off := got.Corrected.Median/30e3 - 1; math.Abs(off) > 0.01 {
				t.Errorf("%s, item %d: corrected median is off by %.2f%%, raw by %.2f%%",
					name, i, 100*off, 100*(got.Raw.Median/30e3-1))
			}
			if name == "ramp" && i == 7 && got.Raw.Median < 1.1*30e3 {
				t.Errorf("raw median %.0f ns is corrected too", got.Raw.Median)
			}
		}
	}
}

// TestContendedRoundsAreRepeated lets other work come and go that slows the
// item down by 30% and the calibration kernels by 60% and 40%.
func TestContendedRoundsAreRepeated(t *testing.T) {
	m := newMachine(1)
	s := m.sampler(t)
	contended := func(at time.Duration) bool { return at/(7*time.Millisecond)%3 != 0 } // two thirds of the time
	slow := [kinds + 1]float64{clock: 1, arithmetic: 1.6, memory: 1.4, kinds: 1.3}
	m.contention = func(at time.Duration, kind int) float64 {
		if contended(at) {
			return slow[kind]
		}
		return 1
	}
	for i := range 5 {
		got, err := s.measure(context.Background(), m.item(100*time.Microsecond), 0.005, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if off := got.Corrected.Median/100e3 - 1; math.Abs(off) > 0.01 || !got.Stable || got.Disturbed {
			t.Errorf("item %d: corrected median is off by %.2f%%, stable %t, disturbed %t", i, 100*off, got.Stable, got.Disturbed)
		}
		if got.Raw.Median < 1.1*100e3 {
			t.Errorf("item %d: raw median %.0f ns leaves contended samples out", i, got.Raw.Median)
		}
		if got.Contended < got.Samples {
			t.Errorf("item %d: %d contended samples beside %d others, want about twice as many", i, got.Contended, got.Samples)
		}
	}
	// While it never is quiet, nothing is stable, and the interval is as wide as that.
	m.contention = func(_ time.Duration, kind int) float64 { return slow[kind] }
	item := m.item(100 * time.Microsecond)
	got, err := s.measure(context.Background(), item, 0.02, 100*time.Millisecond)
	if err != nil || got.Stable || !got.Disturbed {
		t.Errorf("contended all the time: stable %t, disturbed %t, error %v", got.Stable, got.Disturbed, err)
	}
	if off := got.Corrected.Median/130e3 - 1; math.Abs(off) > 0.02 || got.Samples < 100 {
		t.Errorf("contended all the time: median is off by %.2f%% in %d samples", 100*off, got.Samples)
	}
	if got.Corrected.Low > 100e3 {
		t.Errorf("contended all the time: the interval begins at %.0f ns and does not hold the undisturbed time", got.Corrected.Low)
	}
}

// TestLoadElsewhereIsContention has calibration kernels that other work does not
// slow down, and the kernel's accounts of that work.
func TestLoadElsewhereIsContention(t *testing.T) {
	for _, c := range []struct {
		name      string
		times     func(at time.Duration) cpuTimes
		disturbed bool
	}{
		{"idle", func(at time.Duration) cpuTimes { return cpuTimes{other: at / 50} }, false},
		{"busy", func(at time.Duration) cpuTimes { return cpuTimes{other: at * 9 / 10} }, true},
		{"stolen", func(at time.Duration) cpuTimes {
			return cpuTimes{stolen: at / 2 / (10 * time.Millisecond) * 10 * time.Millisecond}
		}, true},
		{"bursts", func(at time.Duration) cpuTimes { // 200 ms of 400
			return cpuTimes{other: at/(400*time.Millisecond)*200*time.Millisecond + min(at%(400*time.Millisecond), 200*time.Millisecond)}
		}, false},
	} {
		m := newMachine(1)
		s := m.sampler(t)
		s.watch = watch{neighbours: 1, times: func() (cpuTimes, bool) { return c.times(m.clock), true }}
		got, err := s.measure(context.Background(), m.item(100*time.Microsecond), 0.001, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if got.Disturbed != c.disturbed || (c.name == "idle") != (got.Contended == 0) {
			t.Errorf("%s: disturbed %t, %d of %d samples contended", c.name, got.Disturbed, got.Contended, got.Samples+got.Contended)
		}
	}
}

// TestRoundsDoNotWarmTwice has an item whose runs bring its data back themselves.
func TestRoundsDoNotWarmTwice(t *testing.T) {
	for _, warms := range []bool{false, true} {
		m := newMachine(1)
		s := m.sampler(t)
		item := m.item(10 * time.Millisecond)
		item.warms = func() bool { return warms }
		before := m.runs
		r, err := s.round(context.Background(), item, 1, s.calibrate())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := m.runs-before-len(r.samples), map[bool]int{false: 1, true: 0}[warms]; got != want {
			t.Errorf("where an item warms itself is %t, %d runs of a round are no samples, want %d", warms, got, want)
		}
	}
}

func TestInterruptedSamplesAreCounted(t *testing.T) {
	m := newMachine(1)
	s := m.sampler(t)
	waits := int64(0)
	s.watch = watch{switches: func() int64 { return waits }}
	item := m.item(100 * time.Microsecond)
	run := item.run
	item.run = func(n int) time.Duration {
		if m.runs%10 == 9 {
			waits++
			m.clock += 3 * time.Millisecond
		}
		return run(n)
	}
	got, err := s.measure(context.Background(), item, 0.01, time.Second)
	if err != nil || !got.Stable {
		t.Fatalf("stable %t, error %v", got.Stable, err)
	}
	if got.Interrupted == 0 || math.Abs(got.Corrected.Mean/100e3-1) > 0.01 {
		t.Errorf("%d samples interrupted; the mean of the others is %.0f ns, want 100000", got.Interrupted, got.Corrected.Mean)
	}
}

func TestInterruptionsDoNotPassForDrift(t *testing.T) {
	m := newMachine(1)
	s := m.sampler(t)
	rng := rand.New(rand.NewPCG(7, 0))
	noise := m.noise
	m.noise = func() float64 {
		if rng.Float64() < 0.01 { // about one sample of the calibration kernel in twenty
			return 50
		}
		return noise()
	}
	got, err := s.measure(context.Background(), m.item(100*time.Microsecond), 0.005, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if off := got.Corrected.Median/100e3 - 1; math.Abs(off) > 0.01 {
		t.Errorf("median is off by %.2f%%", 100*off)
	}
}

// TestMeasureCoverage counts how often the interval holds the truth although
// the number of samples depends on the samples.
func TestMeasureCoverage(t *testing.T) {
	const trials, truth = 600, 100e3
	covered := 0
	for seed := range uint64(trials) {
		m := newMachine(seed)
		got, err := m.sampler(t).measure(context.Background(), m.item(truth), 0.01, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		// The calibration baseline has an error of its own, common to all of
		// a run's items: compare with it divided out.
		if got.Raw.Low <= truth && truth <= got.Raw.High {
			covered++
		}
	}
	if share := float64(covered) / trials; share < 0.92 {
		t.Errorf("the interval covers the truth in %.1f%% of the runs", 100*share)
	}
}

func TestMeasureStopsInTime(t *testing.T) {
	m := newMachine(1)
	rng := rand.New(rand.NewPCG(3, 0))
	m.noise = func() float64 { return math.Exp(rng.NormFloat64()) }
	s := m.sampler(t)
	start := m.clock
	got, err := s.measure(context.Background(), m.item(200*time.Microsecond), 0.001, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if got.Stable {
		t.Errorf("stable with an interval of %g of the median", got.Corrected.width())
	}
	if took := m.clock - start; took > 70*time.Millisecond {
		t.Errorf("took %v of 50ms", took)
	}
	// An item that is longer than its time is still measured.
	got, err = s.measure(context.Background(), m.item(time.Second), 0.001, time.Millisecond)
	if err != nil || got.Stable || got.Samples != 1 {
		t.Errorf("item longer than its time: %+v, error %v; want one sample, not stable", got, err)
	}
}

func TestMeasureStopsWhenCancelled(t *testing.T) {
	m := newMachine(1)
	s := m.sampler(t)
	ctx, cancel := context.WithCancel(context.Background())
	after := -1
	item := func() {
		m.work(time.Millisecond, kinds)
		if after++; after == 30 {
			cancel()
		}
	}
	_, err := s.measure(ctx, task{run: s.timed(item)}, 1e-9, time.Hour)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	if after > 31 {
		t.Errorf("%d runs after cancel", after-30)
	}
}
