package profiler

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// endless is what endless visits find, of values that are drawn.
func endless(draw func() float64) float64 {
	medians := make([]float64, 200000)
	for i := range medians {
		medians[i] = math.Exp(draw())
	}
	return trimmedSummary(medians).Median
}

// TestIntervalHoldsTheSpreadOfLoads counts how often the interval covers what
// endless visits would find, although their number depends on what they show.
func TestIntervalHoldsTheSpreadOfLoads(t *testing.T) {
	trials := *simulations
	if testing.Short() {
		trials = min(trials, 8)
	}
	levels := map[string]func(*rand.Rand) float64{
		"alike":      func(*rand.Rand) float64 { return 0 },
		"normal":     func(rng *rand.Rand) float64 { return 0.004 * rng.NormFloat64() },
		"wide":       func(rng *rand.Rand) float64 { return 0.02 * rng.NormFloat64() },
		"some worse": func(rng *rand.Rand) float64 { return 0.005 * (rng.ExpFloat64() - math.Ln2) },
	}
	for name, level := range levels {
		t.Run(name, func(t *testing.T) {
			all := rand.New(rand.NewPCG(1, 20))
			const base = 50e3
			truth := base * endless(func() float64 { return level(all) })
			covered, stable, visits, bias := 0, 0, 0, 0.0
			for i := range trials {
				rng := rand.New(rand.NewPCG(uint64(i), 21))
				m := newMachine(uint64(i))
				r := &simulatedItem{m: m, truth: base, level: func() float64 { return math.Exp(level(rng)) }}
				got, it := r.simulate(t, m.knownSampler(t), 0.01, 600*time.Millisecond)
				visits += len(it.visits)
				bias += math.Log(got.Corrected.Median/truth) / float64(trials)
				if got.Corrected.Low <= truth && truth <= got.Corrected.High {
					covered++
				}
				if got.Stable {
					stable++
				}
			}
			n := float64(trials)
			share := float64(covered) / n
			t.Logf("coverage %.1f%%, stable %.1f%%, %.1f visits, bias %+.2f%%", 100*share, 100*float64(stable)/n, float64(visits)/n, 100*bias)
			slack := 3 * math.Sqrt(0.95*0.05/n)
			if share < 0.93-slack || share > 0.97+slack {
				t.Errorf("the intervals cover the truth in %.1f%%, want 93%% to 97%%", 100*share)
			}
			if math.Abs(bias) > 0.005+0.03/math.Sqrt(n) {
				t.Errorf("the bias is %+.2f%%", 100*bias)
			}
		})
	}
}

// TestVisitsCoverage stops as look does, without the samples.
func TestVisitsCoverage(t *testing.T) {
	const trials = 3000
	for _, spread := range []float64{0.001, 0.003, 0.006, 0.02} {
		rng := rand.New(rand.NewPCG(1, 22))
		draw := func() float64 { return spread * rng.NormFloat64() }
		truth := endless(draw)
		covered := 0
		for range trials {
			var visits []float64
			narrow, check := false, minVisits
			for {
				for len(visits) < check {
					visits = append(visits, math.Exp(draw()))
				}
				sum := trimmedSummary(visits)
				before := narrow
				narrow = sum.width() < 0.01
				if before && narrow || len(visits) > 20 {
					if sum.Low <= truth && truth <= sum.High {
						covered++
					}
					break
				}
				check += max(2, len(visits)/2)
			}
		}
		share := float64(covered) / trials
		t.Logf("spread %g: %.1f%%", spread, 100*share)
		if share < 0.92 || share > 0.97 {
			t.Errorf("visits that differ by %g: the intervals cover the truth in %.1f%%", spread, 100*share)
		}
	}
}

// TestVisitsBesideOtherWork has two of five loads beside other work.
func TestVisitsBesideOtherWork(t *testing.T) {
	all := func(int) bool { return true }
	for name, c := range map[string]struct {
		busy      func(load int) bool
		disturbed bool
		clock     float64 // what its kernel is slowed down by
	}{
		"some loads":                  {func(load int) bool { return load%5 == 1 || load%5 == 3 }, false, 1},
		"all":                         {all, true, 1},
		"all, the clock's kernel too": {all, true, 1.2},
	} {
		slow := [kinds + 1]float64{clock: c.clock, arithmetic: 1.6 * c.clock, memory: 1.4 * c.clock, kinds: 1.3}
		m := newMachine(1)
		s := m.sampler(t)
		r := &simulatedItem{m: m, truth: 50 * time.Microsecond}
		m.contention = func(_ time.Duration, kind int) float64 {
			if c.busy(r.loads) {
				return slow[kind]
			}
			return 1
		}
		got, it := r.simulate(t, s, 0.01, time.Second)
		if got.Contended == 0 || got.Disturbed != c.disturbed || got.Stable == c.disturbed {
			t.Errorf("%s: disturbed %t, stable %t, %d samples contended in %d visits", name, got.Disturbed, got.Stable, got.Contended, len(it.visits))
		}
		want := 50e3
		if c.disturbed {
			want *= slow[kinds]
		}
		if off := got.Corrected.Median/want - 1; math.Abs(off) > 0.01 {
			t.Errorf("%s: the median is off by %.2f%%", name, 100*off)
		}
	}
}

// TestQuietVisitsAreJudgedAgain has a machine that seems undisturbed at first,
// and is then seen to have been beside other work.
func TestQuietVisitsAreJudgedAgain(t *testing.T) {
	m := newMachine(1)
	busy := true
	slow := [kinds + 1]float64{clock: 1, arithmetic: 1.6, memory: 1.1, kinds: 1.5}
	m.contention = func(_ time.Duration, kind int) float64 {
		if busy {
			return slow[kind]
		}
		return 1
	}
	s := m.sampler(t)
	r := &simulatedItem{m: m, truth: 50 * time.Microsecond}
	p := New(Options{Runtime: r, MaxPerItem: 200 * time.Millisecond, RelativeCI: 1e-9})
	p.sampler = s
	it := newItem(calibration, lut.CacheWarm, "")
	for range 20 {
		busy = len(it.visits) < 10
		if _, err := p.visit(context.Background(), it, 20*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if it.visits[0].Quiet == 0 {
		t.Fatal("the first visit was not taken for quiet")
	}
	got := s.combine(it.visits, it.kind)
	if off := got.Corrected.Median/50e3 - 1; math.Abs(off) > 0.01 || got.Disturbed {
		t.Errorf("the median is off by %.2f%%, disturbed %t", 100*off, got.Disturbed)
	}
}

type brokenRuntime struct {
	simulatedItem
	err error
}

func (r *brokenRuntime) LoadWorkload(ctx context.Context, w graph.Workload, seed uint64) (Session, int, error) {
	if r.loads > 0 {
		return nil, 0, r.err
	}
	return r.simulatedItem.LoadWorkload(ctx, w, seed)
}

func TestVisitsFail(t *testing.T) {
	m := newMachine(1)
	s := m.sampler(t)
	broken := errors.New("no memory")
	for _, err := range []error{broken, itemError{broken}} {
		r := &brokenRuntime{simulatedItem{m: m, truth: time.Microsecond}, err}
		p := New(Options{Runtime: r})
		p.sampler = s
		it := newItem(calibration, lut.CacheWarm, "")
		got := p.visitAll(context.Background(), []*item{it}, 0, true, discard{})
		if stands := errors.As(err, new(itemError)); stands && got != nil || !stands && !errors.Is(got, broken) || len(it.visits) != 1 {
			t.Errorf("%T when loaded again: error %v after %d visits", err, got, len(it.visits))
		}
	}
	// Where one load takes all of the time, it is measured, and is not stable.
	r := &simulatedItem{m: m, truth: time.Second}
	got, it := r.simulate(t, s, 0.01, time.Millisecond)
	if len(it.visits) != 1 || got.Stable || got.Samples != 1 {
		t.Errorf("%d visits, stable %t, %d samples", len(it.visits), got.Stable, got.Samples)
	}
}

// TestBimodalItems wants items of two levels to be marked, and those not that
// are interrupted for some microseconds so often that a fifth of all samples is.
func TestBimodalItems(t *testing.T) {
	marked := func(change func(m *machine, rng *rand.Rand)) (n int) {
		for i := range 20 {
			m := newMachine(uint64(i))
			s := m.knownSampler(t)
			change(m, rand.New(rand.NewPCG(uint64(i), 17)))
			if got, _ := (&simulatedItem{m: m, truth: 30 * time.Microsecond}).simulate(t, s, 0.01, time.Second); got.Bimodal {
				n++
			}
		}
		return n
	}
	if n := marked(func(m *machine, rng *rand.Rand) {
		slow := phases(rng, 6*time.Millisecond, 4*time.Millisecond)
		m.contention = func(at time.Duration, kind int) float64 {
			if kind == kinds && slow(at) {
				return 1.15
			}
			return 1
		}
	}); n < 18 {
		t.Errorf("%d of 20 items of two levels are called bimodal", n)
	}
	if n := marked(func(m *machine, rng *rand.Rand) {
		next := time.Duration(0)
		m.noise = func() float64 { return math.Exp(0.002 * rng.NormFloat64()) }
		m.slowdown = func(at time.Duration) float64 {
			if at >= next {
				m.clock += 10 * time.Microsecond
				next = at + time.Duration(500e3*rng.ExpFloat64())
			}
			return 1
		}
	}); n > 1 {
		t.Errorf("%d of 20 items that are interrupted often are called bimodal", n)
	}
}

// TestClockDividedOutWhereItChanges has clocks that change by steps of
// processors, and one that only its own kernel shows.
func TestClockDividedOutWhereItChanges(t *testing.T) {
	slower := func(by float64) func(time.Duration, int) float64 {
		return func(time.Duration, int) float64 { return by }
	}
	for name, c := range map[string]struct {
		contention func(time.Duration, int) float64
		width      float64 // of the interval at least
	}{
		"none": {slower(1), 0},
		"the clock's kernel alone": {func(_ time.Duration, kind int) float64 {
			if kind == clock {
				return 1.013
			}
			return 1
		}, 0.025},
		"the clock's kernel alone, half of the time": {func(at time.Duration, kind int) float64 {
			if kind == clock && at.Milliseconds()/200%2 == 1 {
				return 1 / 1.12
			}
			return 1
		}, 0},
		"all by a step": {slower(1.05), 0},
		"all, half of the time": {func(at time.Duration, _ int) float64 {
			if at.Milliseconds()/200%2 == 1 {
				return 1.05
			}
			return 1
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(1)
			s := m.knownSampler(t)
			m.contention = c.contention
			got, _ := (&simulatedItem{m: m, truth: 50 * time.Microsecond}).simulate(t, s, 0.01, time.Second)
			if off := got.Corrected.Median/50e3 - 1; math.Abs(off) > 0.005 {
				t.Errorf("the median is off by %.2f%%", 100*off)
			}
			if width := got.Corrected.width(); width < c.width {
				t.Errorf("the interval has a width of %.2f%%, want at least %.2f%%", 100*width, 100*c.width)
			}
		})
	}
}
