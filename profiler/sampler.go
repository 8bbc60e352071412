package profiler

import (
	"context"
	"time"
)

const (
	// A sample lasts at least this long, so that reading the clock and a timer
	// interrupt are small parts of it,
	minSample = 100 * time.Microsecond
	// and at least this many steps of the clock, so that rounding to a step is
	// at most 0.1% of it.
	minTicks = 1000
	// An interval is not believed before there are this many samples in this
	// many rounds: a machine's disturbances come in bursts.
	minSamples = 20
	minRounds  = 8
	// Samples of the item between two of the calibration kernels: as many as
	// last roundTime, so that the kernels see what the item sees.
	roundTime       = 400 * time.Microsecond
	samplesPerRound = 4 // at most
	// and at least two, if the first lasts no longer than this: the run before them,
	// which counts for nothing, is half of the time else.
	longSample = 20 * time.Millisecond
	// An item whose run lasts so many times the shortest sample needs no second run
	// to tell that one makes a sample.
	longRun = 10
	// Warm-up is over when a test for a change of level finds none in so many
	// samples, or one that is smaller than warmTolerance,
	warmSamples   = 24
	warmTolerance = 0.005
	// and takes at most this part of an item's time.
	warmShare = 0.25
)

// sampler times work against a clock, with calibration kernels between.
type sampler struct {
	now        func() time.Duration // since some fixed moment
	resolution time.Duration        // smallest step of now
	kernels    [kinds]func()        // one run of each calibration kernel
	perSample  [kinds]int           // runs of it in a sample
	warmRuns   [kinds]int           // runs of it before, beside one
	baseline   speeds               // of the undisturbed machine, as far as it was known before; then the clock's alone counts
	quiet      reference
	trends     map[workKind]*clockTrend
	watch      watch
}

// task is what is to be timed.
type task struct {
	run     timedRuns
	prepare func() // if set, called before each run, which then is a sample of its own
	// warms, if set, reports whether run does it once more before, untimed.
	warms func() bool
}

// timedRuns runs something n times and returns how long that took.
type timedRuns func(n int) time.Duration

// timed times run by the sampler's clock.
func (s *sampler) timed(run func()) timedRuns {
	return func(n int) time.Duration {
		start := s.now()
		for range n {
			run()
		}
		return s.now() - start
	}
}

// measurement is what sampler.measure found, in ns per run.
type measurement struct {
	Raw         summary // of all samples as timed
	Corrected   summary // of the samples that count, with drift divided out
	Samples     int     // that count
	Contended   int     // samples beside other work
	Interrupted int     // samples in which the thread had to wait
	Disturbed   bool    // there were too few samples without other work, so that others count too
	Bimodal     bool    // the corrected samples have two clusters
	Stable      bool    // undisturbed, and the corrected interval is as narrow as asked
	Speeds      speeds  // of the calibration kernels, median over the samples that count

	corrected []float64 // the samples that count, sorted
}

// measure times t as it is loaded, at most for limit, until the 95% interval of
// the median is narrower than width times the median. It always takes one round
// of samples, however long that is. A context that ends is noticed between two
// samples.
func (s *sampler) measure(ctx context.Context, t task, width float64, limit time.Duration) (measurement, error) {
	deadline := s.now() + limit
	perSample, err := s.warmUp(ctx, t.run, minSample, time.Duration(warmShare*float64(limit)))
	if err != nil {
		return measurement{}, err
	}
	var (
		rounds []round
		check  = minRounds
		narrow bool // at the last look
		before = s.calibrate()
	)
	s.watch.begin(s.now())
	for {
		r, err := s.round(ctx, t, perSample, before)
		if err != nil {
			return measurement{}, err
		}
		before = r.after
		rounds = append(rounds, r)
		s.watch.judge(s.now(), rounds, false)

		late := s.now() >= deadline
		if !late && len(rounds) < check {
			continue
		}
		s.watch.judge(s.now(), rounds, true)
		m := s.evaluate(rounds)
		m.Stable = m.Stable && m.Corrected.width() < width
		// Looking after every round, or believing the first look, would often
		// stop at a moment when the interval is narrow by chance.
		narrow, m.Stable = m.Stable, m.Stable && narrow
		if m.Stable || late {
			return m, nil
		}
		check = len(rounds) + max(minRounds/2, len(rounds)/2)
	}
}

// round takes a round of samples after a sample of the calibration kernels.
func (s *sampler) round(ctx context.Context, t task, perSample int, before speeds) (round, error) {
	r := round{before: before}
	switches, start := s.watch.waits(), s.now()
	if t.prepare == nil && (t.warms == nil || !t.warms()) {
		t.run(1) // brings the item's data back into the caches
	}
	for first := s.now(); moreSamples(len(r.samples), s.now()-first); {
		if err := ctx.Err(); err != nil {
			return round{}, err
		}
		if t.prepare != nil {
			t.prepare()
		}
		r.samples = append(r.samples, s.sample(t.run, perSample))
	}
	r.after = s.calibrateAfter(s.now() - start)
	r.interrupted = s.watch.waits() != switches
	return r, nil
}

// moreSamples says whether a round goes on that has so many samples, which took so long.
func moreSamples(samples int, took time.Duration) bool {
	switch samples {
	case 0:
		return true
	case 1:
		return took < longSample
	}
	return samples < samplesPerRound && took < roundTime
}

// warmUp sizes a sample to last at least shortest, and runs until its level no
// longer changes, at most for limit. It returns the runs that make up a sample.
//
// The level is steady when the test of Pettitt finds no change in the last
// samples. Where it finds one, what was before it is forgotten, and further
// samples are taken.
func (s *sampler) warmUp(ctx context.Context, run timedRuns, shortest, limit time.Duration) (perSample int, err error) {
	deadline := s.now() + limit
	least := float64(max(shortest, minTicks*s.resolution))
	perSample = 1
	for first := s.sample(run, 1); first < longRun*least; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		took := s.sample(run, perSample)
		if took*float64(perSample) >= least {
			break
		}
		// The clock's step bounds how wrong a short time can be.
		took = max(took, float64(s.resolution)/float64(perSample))
		perSample = min(int(least*1.1/took)+1, 10*perSample)
	}
	var recent []float64
	for s.now() < deadline {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		recent = append(recent, s.sample(run, perSample))
		if len(recent) < warmSamples {
			continue
		}
		at := lastChange(recent)
		if at == 0 {
			break
		}
		before, after := median(recent[:at]), median(recent[at:])
		if after/before < 1+warmTolerance && before/after < 1+warmTolerance {
			break
		}
		recent = recent[at:]
	}
	return perSample, nil
}

// sample returns the time of one of n runs, in ns.
func (s *sampler) sample(run timedRuns, n int) float64 {
	return float64(run(n)) / float64(n)
}
