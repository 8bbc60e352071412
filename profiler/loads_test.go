package profiler

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// loadedItem is an item whose time is another one whenever it is loaded.
func (m *machine) loadedItem(d time.Duration, level func() float64) (task, func() (timedRuns, error)) {
	load := func() (timedRuns, error) {
		m.clock += 3 * time.Millisecond
		return m.item(time.Duration(float64(d) * level())).run, nil
	}
	run, _ := load()
	return task{run: run, prior: blend{Compute: 1}}, load
}

// TestIntervalHoldsTheSpreadOfLoads counts how often the interval covers the
// median over all loads, although the number of loads depends on what they
// show.
func TestIntervalHoldsTheSpreadOfLoads(t *testing.T) {
	trials := *simulations
	if testing.Short() {
		trials = min(trials, 15)
	}
	levels := map[string]func(*rand.Rand) float64{
		"alike":      func(*rand.Rand) float64 { return 0 },
		"normal":     func(rng *rand.Rand) float64 { return 0.004 * rng.NormFloat64() },
		"wide":       func(rng *rand.Rand) float64 { return 0.02 * rng.NormFloat64() },
		"some worse": func(rng *rand.Rand) float64 { return 0.005 * (rng.ExpFloat64() - math.Ln2) },
	}
	for name, level := range levels {
		t.Run(name, func(t *testing.T) {
			covered, stable, loads, bias := 0, 0, 0, 0.0
			for i := range trials {
				rng := rand.New(rand.NewPCG(uint64(i), 21))
				m := newMachine(uint64(i))
				s := &sampler{now: m.now, resolution: m.resolution}
				for kind := range s.kernels {
					s.kernels[kind] = func() { m.work(10*time.Microsecond, kind) }
				}
				s.baseline = speeds{10e3, 10e3, 10e3}
				if err := s.setBaseline(context.Background(), 20*time.Millisecond); err != nil {
					t.Fatal(err)
				}
				const truth = 50e3
				item, load := m.loadedItem(truth, func() float64 { return math.Exp(level(rng)) })
				got, rounds, err := s.measureLoads(context.Background(), item, load, nil, 0.01, 400*time.Millisecond)
				if err != nil {
					t.Fatal(err)
				}
				loads += len(rounds)
				bias += math.Log(got.Corrected.Median/truth) / float64(trials)
				if got.Corrected.Low <= truth && truth <= got.Corrected.High {
					covered++
				}
				if got.Stable {
					stable++
				}
			}
			all := float64(trials)
			share := float64(covered) / all
			t.Logf("coverage %.1f%%, stable %.1f%%, %.1f loads, bias %+.2f%%", 100*share, 100*float64(stable)/all, float64(loads)/all, 100*bias)
			slack := 3 * math.Sqrt(0.95*0.05/all)
			if share < 0.93-slack || share > 0.97+slack {
				t.Errorf("the intervals cover the truth in %.1f%%, want 93%% to 97%%", 100*share)
			}
			if math.Abs(bias) > 0.005+0.03/math.Sqrt(all) {
				t.Errorf("the bias is %+.2f%%", 100*bias)
			}
		})
	}
}

// TestMedianOfLoadsCoverage stops as measureLoads does, without the samples.
func TestMedianOfLoadsCoverage(t *testing.T) {
	const trials = 2000
	for _, spread := range []float64{0.001, 0.003, 0.006, 0.02} {
		rng := rand.New(rand.NewPCG(1, 22))
		covered := 0
		for range trials {
			var loads []summary
			narrow, check := false, minLoads
			for {
				for len(loads) < check {
					loads = append(loads, summary{Median: math.Exp(spread * rng.NormFloat64())})
				}
				_, low, high := medianOfLoads(loads)
				before := narrow
				narrow = high-low < 0.01
				if before && narrow || len(loads) > 15 {
					if low <= 1 && 1 <= high {
						covered++
					}
					break
				}
				check += max(1, len(loads)/2)
			}
		}
		share := float64(covered) / trials
		t.Logf("spread %g: %.1f%%", spread, 100*share)
		if share < 0.92 || share > 0.97 {
			t.Errorf("loads that differ by %g: the intervals cover the truth in %.1f%%", spread, 100*share)
		}
	}
}

// TestLoadsBesideOtherWork has two of five loads beside other work.
func TestLoadsBesideOtherWork(t *testing.T) {
	m := newMachine(1)
	s := m.sampler(t)
	slow := [kinds + 1]float64{clock: 1, arithmetic: 1.6, memory: 1.4, kinds: 1.3}
	number := 0
	m.contention = func(_ time.Duration, kind int) float64 {
		if number%5 == 1 || number%5 == 3 {
			return slow[kind]
		}
		return 1
	}
	item, load := m.loadedItem(50*time.Microsecond, func() float64 { number++; return 1 })
	got, loads, err := s.measureLoads(context.Background(), item, load, nil, 0.01, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if off := got.Corrected.Median/50e3 - 1; math.Abs(off) > 0.01 || !got.Stable || got.Disturbed || got.Contended == 0 {
		t.Errorf("median is off by %.2f%% after %d loads, stable %t, disturbed %t, %d samples contended", 100*off, len(loads), got.Stable, got.Disturbed, got.Contended)
	}
	// Loads of another attempt count with the earlier ones.
	more, all, err := s.measureLoads(context.Background(), item, load, loads, 0.01, 50*time.Millisecond)
	if err != nil || len(all) <= len(loads) || more.Samples <= got.Samples {
		t.Errorf("%d loads and %d samples after %d and %d, error %v", len(all), more.Samples, len(loads), got.Samples, err)
	}
	m.contention = func(_ time.Duration, kind int) float64 { return slow[kind] }
	if got, _, err = s.measureLoads(context.Background(), item, load, nil, 0.01, time.Second); err != nil || got.Stable || !got.Disturbed {
		t.Errorf("contended all the time: stable %t, disturbed %t, error %v", got.Stable, got.Disturbed, err)
	}
}

func TestLoadsFail(t *testing.T) {
	m := newMachine(1)
	s := m.sampler(t)
	item := m.item(50 * time.Microsecond)
	broken := errors.New("no memory")
	_, _, err := s.measureLoads(context.Background(), item, func() (timedRuns, error) { return nil, broken }, nil, 0.01, time.Second)
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want that of loading", err)
	}
	// Where one load takes all of the time, it is measured, and is not stable.
	got, loads, err := s.measureLoads(context.Background(), m.item(time.Second), nil, nil, 0.01, time.Millisecond)
	if err != nil || len(loads) != 1 || got.Stable || got.Samples != 1 {
		t.Errorf("%d loads, stable %t, %d samples, error %v", len(loads), got.Stable, got.Samples, err)
	}
}
