package profiler

import (
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

var simulations = flag.Int("simulations", 60, "how many items TestSimulatedNoise measures in each kind of noise; 2000 take minutes and tell coverage to 0.5%")

// simulated is a kind of noise with a known truth. It changes a machine.
type simulated struct {
	name string
	make func(m *machine, rng *rand.Rand)
	// undisturbed says that the machine is quiet often enough for all items to
	// be measured as stable.
	undisturbed bool
}

// noise draws a run's factor from a distribution with median 1.
func heavyTails(rng *rand.Rand) func() float64 {
	return func() float64 {
		// Of a sample's mean, one in some ten is late by half, some by much more.
		if rng.Float64() < 0.002 {
			return 1 + 5*math.Pow(rng.Float64(), -0.5)
		}
		return math.Exp(0.02 * rng.NormFloat64())
	}
}

// correlated noise has a level that wanders by a percent and comes back within
// some milliseconds.
func correlated(m *machine, rng *rand.Rand) func(time.Duration) float64 {
	level, last := 0.0, time.Duration(0)
	const memory = 2 * time.Millisecond
	return func(at time.Duration) float64 {
		phi := math.Exp(-float64(at-last) / float64(memory))
		level = phi*level + 0.01*math.Sqrt(1-phi*phi)*rng.NormFloat64()
		last = at
		return math.Exp(level)
	}
}

// phases alternates between 0 and 1, for random times of the given means.
func phases(rng *rand.Rand, off, on time.Duration) func(at time.Duration) bool {
	var end time.Duration
	busy := true
	return func(at time.Duration) bool {
		for at >= end {
			mean := off
			if busy = !busy; busy {
				mean = on
			}
			end += time.Duration(float64(mean) * rng.ExpFloat64())
		}
		return busy
	}
}

var simulatedNoise = []simulated{
	{"white", func(*machine, *rand.Rand) {}, true},
	{"drift", func(m *machine, rng *rand.Rand) {
		m.slowdown = func(at time.Duration) float64 { return 1 + 0.05*at.Seconds() }
	}, true},
	{"waves of the clock", func(m *machine, rng *rand.Rand) {
		m.slowdown = func(at time.Duration) float64 { return 1.1 + 0.1*math.Sin(9*at.Seconds()) }
	}, true},
	{"two clocks", func(m *machine, rng *rand.Rand) {
		low := phases(rng, 80*time.Millisecond, 40*time.Millisecond)
		m.slowdown = func(at time.Duration) float64 {
			if low(at) {
				return 1.25
			}
			return 1
		}
	}, true},
	{"steal bursts", func(m *machine, rng *rand.Rand) {
		stolen := 0.0
		next := 3 * time.Millisecond
		m.slowdown = func(at time.Duration) float64 {
			if at >= next { // the host takes the CPU away for up to 3 ms
				next = at + time.Duration(20e6*rng.ExpFloat64())
				m.clock += time.Duration(3e6 * rng.Float64())
				stolen++
			}
			return 1
		}
	}, true},
	{"other work in bursts", func(m *machine, rng *rand.Rand) {
		busy := phases(rng, 60*time.Millisecond, 60*time.Millisecond)
		slow := [kinds + 1]float64{clock: 1, arithmetic: 1.5, memory: 1.5, kinds: 1.35}
		m.contention = func(at time.Duration, kind int) float64 {
			if busy(at) {
				return slow[kind]
			}
			return 1
		}
	}, true},
	{"heavy tails", func(m *machine, rng *rand.Rand) { m.noise = heavyTails(rng) }, true},
	{"correlated", func(m *machine, rng *rand.Rand) {
		level := correlated(m, rng)
		m.contention = func(at time.Duration, kind int) float64 {
			if kind == kinds { // of the item alone, so that nothing divides it out
				return level(at)
			}
			return 1
		}
	}, true},
}

// simulatedItem is measured on a simulated machine, between others.
type simulatedItem struct {
	m     *machine
	truth time.Duration
	level func() float64 // of each load; nil for 1
	loads int
}

func (r *simulatedItem) Info() RuntimeInfo { return RuntimeInfo{Name: "simulated", Threads: 1} }
func (r *simulatedItem) Close() error      { return nil }

func (r *simulatedItem) LoadWorkload(context.Context, graph.Workload, uint64) (Session, int, error) {
	r.loads++
	r.m.clock += 3 * time.Millisecond
	d := r.truth
	if r.level != nil {
		d = time.Duration(float64(d) * r.level())
	}
	return simulatedSession{r.m.item(d).run}, 1, nil
}

func (r *simulatedItem) LoadNetwork(context.Context, NamedGraph, uint64) (Session, []graph.Workload, error) {
	panic("not simulated")
}

type simulatedSession struct{ run timedRuns }

func (s simulatedSession) Run(_ context.Context, n int) (time.Duration, error) { return s.run(n), nil }
func (s simulatedSession) Nodes(context.Context, int) ([]NodeTime, error)      { return nil, ErrNoNodeTimes }
func (s simulatedSession) Close() error                                        { return nil }

// others is the keeper of a simulation: after each visit, others take so long.
type others struct {
	discard
	m    *machine
	take time.Duration
}

func (o others) visited(*item, found) error {
	o.m.clock += o.take
	return nil
}

// simulate measures r as one of many items, and returns what its visits tell.
func (r *simulatedItem) simulate(t *testing.T, s *sampler, width float64, each time.Duration) (m measurement, it *item) {
	t.Helper()
	p := New(Options{Runtime: r, RelativeCI: width, MaxPerItem: each})
	p.sampler = s
	it = newItem(calibration, lut.CacheWarm, "")
	if err := p.visitAll(context.Background(), []*item{it}, 0, true, others{m: r.m, take: 150 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	m = s.combine(it.visits, it.kind)
	m.Stable = m.Stable && it.stable
	return m, it
}

// knownSampler is that of a machine whose baseline is known, so that it adds no
// error that all items share.
func (m *machine) knownSampler(t *testing.T) *sampler {
	t.Helper()
	s := &sampler{now: m.now, resolution: m.resolution, baseline: speeds{10e3, 10e3, 10e3}}
	for kind := range s.kernels {
		s.kernels[kind] = func() { m.work(10*time.Microsecond, kind) }
	}
	if err := s.setBaseline(context.Background(), 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSimulatedNoise measures items of known time on simulated machines.
func TestSimulatedNoise(t *testing.T) {
	if testing.Short() {
		*simulations = min(*simulations, 20)
	}
	for _, n := range simulatedNoise {
		t.Run(n.name, func(t *testing.T) {
			covered, stable, bimodal, visits, bias, worst := 0, 0, 0, 0, 0.0, 0.0
			for i := range *simulations {
				rng := rand.New(rand.NewPCG(uint64(i), 11))
				truth := time.Duration(5e3 * math.Exp(5*rng.Float64())) // 5 us to 700 us
				m := newMachine(uint64(i))
				s := m.knownSampler(t)
				n.make(m, rng)
				got, it := (&simulatedItem{m: m, truth: truth}).simulate(t, s, 0.01, 2*time.Second)
				visits += len(it.visits)
				off := got.Corrected.Median/float64(truth) - 1
				bias += off / float64(*simulations)
				worst = max(worst, math.Abs(off))
				if got.Corrected.Low <= float64(truth) && float64(truth) <= got.Corrected.High {
					covered++
				}
				if got.Stable {
					stable++
				}
				if got.Bimodal {
					bimodal++
				}
			}
			all := float64(*simulations)
			coverage := float64(covered) / all
			t.Logf("bias %+.2f%%, worst %.2f%%, coverage %.1f%%, stable %.1f%%, bimodal %.1f%%, %.1f visits",
				100*bias, 100*worst, 100*coverage, 100*float64(stable)/all, 100*float64(bimodal)/all, float64(visits)/all)
			if math.Abs(bias) > 0.005 {
				t.Errorf("the bias is %+.2f%%, want at most 0.5%%", 100*bias)
			}
			// Three standard deviations of the share that is simulated.
			slack := 3 * math.Sqrt(0.95*0.05/all)
			if coverage < 0.93-slack || coverage > 0.97+slack {
				t.Errorf("the intervals cover the truth in %.1f%%, want 93%% to 97%%", 100*coverage)
			}
			if n.undisturbed && float64(stable) < 0.9*all {
				t.Errorf("%d of %d are stable", stable, *simulations)
			}
			if float64(bimodal) > 0.05*all {
				t.Errorf("%d of %d are called bimodal", bimodal, *simulations)
			}
		})
	}
}
