package profiler

import (
	"context"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
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
	// Samples of the item between two of the calibration kernel: as many as
	// last roundTime, so that the kernel sees what the item sees.
	roundTime       = 400 * time.Microsecond
	samplesPerRound = 4 // at most
	// Warm-up is over when the median of so many samples is no more than
	// warmTolerance below that of as many before,
	warmWindow    = 3
	warmTolerance = 0.02
	// and takes at most this part of an item's time.
	warmShare = 0.25
	// A round is quiet if the calibration kernel, before and after it, is no
	// more than quietTolerance slower than its quiet time: the quantile
	// quietQuantile of its last historySize samples, some seconds. Other
	// work on the machine comes and goes within milliseconds, and on a core
	// that shares its pipelines with another one slows different kernels down
	// differently; what changes more slowly, such as the clock's frequency, is
	// drift, and is divided out.
	quietTolerance = 0.05
	quietQuantile  = 0.05
	historySize    = 4000
	// The drift of a round is the median over the quiet rounds no more than
	// driftWindow before and after it.
	driftWindow = 2
)

// sampler times work against a clock, with a calibration kernel between.
type sampler struct {
	now        func() time.Duration // since some fixed moment
	resolution time.Duration        // smallest step of now
	calibrate  func()               // one run of the calibration kernel
	perSample  int                  // runs of the calibration kernel in a sample
	baseline   float64              // ns that one run of it takes on the undisturbed machine
	history    []float64            // its last samples, a ring
	next       int                  // where the ring goes on
	fastest    float64              // least quiet time so far, 0 before the first
}

// measurement is what sampler.measure found, in ns per run.
type measurement struct {
	Raw       summary // of all samples as timed
	Corrected summary // of the quiet rounds' samples, with drift divided out
	Samples   int     // in quiet rounds
	Stable    bool    // the corrected interval is as narrow as asked
}

// round is some samples between two of the calibration kernel.
type round struct {
	before, after float64 // the calibration kernel, ns per run
	samples       []float64
}

// slowest is the slower of the calibration kernel's samples.
func (r *round) slowest() float64 { return max(r.before, r.after) }

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

// measure times run, at most for limit, until the 95% interval of the median
// is narrower than width times the median. It always takes one round of
// samples, however long that is. A context that ends is noticed between two
// samples.
func (s *sampler) measure(ctx context.Context, run timedRuns, width float64, limit time.Duration) (measurement, error) {
	deadline := s.now() + limit
	perSample, err := s.warmUp(ctx, run, time.Duration(warmShare*float64(limit)))
	if err != nil {
		return measurement{}, err
	}
	var (
		rounds []round
		check  = minRounds
		before = s.sampleCalibration()
	)
	for {
		r := round{before: before}
		run(1) // brings the item's data back into the caches
		for start := s.now(); len(r.samples) == 0 || len(r.samples) < samplesPerRound && s.now()-start < roundTime; {
			if err := ctx.Err(); err != nil {
				return measurement{}, err
			}
			r.samples = append(r.samples, s.sample(run, perSample))
		}
		r.after = s.sampleCalibration()
		before = r.after
		rounds = append(rounds, r)

		late := s.now() >= deadline
		if !late && len(rounds) < check {
			continue
		}
		m := s.evaluate(rounds)
		m.Stable = m.Stable && m.Corrected.width() < width
		if m.Stable || late {
			if t := s.quietTime(); s.fastest == 0 || t < s.fastest {
				s.fastest = t
			}
			return m, nil
		}
		// Looking after every round would often stop at a moment when the
		// interval is narrow by chance.
		check = len(rounds) + max(minRounds/2, len(rounds)/4)
	}
}

// evaluate summarizes rounds. The result is stable if there are enough of them
// for its interval to be believed.
func (s *sampler) evaluate(rounds []round) measurement {
	var raw []float64
	for _, r := range rounds {
		raw = append(raw, r.samples...)
	}
	quiet, enough := s.quiet(rounds)
	corrected := s.correct(quiet)
	m := measurement{Raw: summarize(raw), Samples: len(corrected)}
	m.Corrected = summarize(corrected)
	m.Stable = enough && len(corrected) >= minSamples && m.Corrected.Bounded
	return m
}

// quiet returns the quiet rounds, in their order, and whether these are at
// least minRounds; if not, the quietest rounds are added.
func (s *sampler) quiet(rounds []round) (quiet []round, enough bool) {
	limit := s.quietLimit()
	isQuiet := func(r *round) bool { return r.slowest() <= limit }
	count := 0
	for i := range rounds {
		if isQuiet(&rounds[i]) {
			count++
		}
	}
	if enough = count >= minRounds; !enough && count < len(rounds) {
		slowest := make([]float64, len(rounds))
		for i := range rounds {
			slowest[i] = rounds[i].slowest()
		}
		slices.Sort(slowest)
		limit = slowest[min(minRounds, len(rounds))-1]
	}
	for i := range rounds {
		if isQuiet(&rounds[i]) {
			quiet = append(quiet, rounds[i])
		}
	}
	return quiet, enough
}

// correct returns the samples of rounds with what the calibration kernel was
// slower than its baseline divided out.
func (s *sampler) correct(rounds []round) []float64 {
	var corrected, nearby []float64
	for i, r := range rounds {
		nearby = nearby[:0]
		for _, near := range rounds[max(0, i-driftWindow):min(i+driftWindow+1, len(rounds))] {
			nearby = append(nearby, near.before, near.after)
		}
		drift := median(nearby) / s.baseline
		for _, sample := range r.samples {
			corrected = append(corrected, sample/drift)
		}
	}
	return corrected
}

// warmUp runs until the time of a sample no longer falls, at most for limit,
// and returns the runs that make up a sample.
func (s *sampler) warmUp(ctx context.Context, run timedRuns, limit time.Duration) (perSample int, err error) {
	deadline := s.now() + limit
	run(1)
	shortest := float64(max(minSample, minTicks*s.resolution))
	perSample = 1
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		took := s.sample(run, perSample)
		if took*float64(perSample) >= shortest {
			break
		}
		// The clock's step bounds how wrong a short time can be.
		took = max(took, float64(s.resolution)/float64(perSample))
		perSample = min(int(shortest*1.1/took)+1, 10*perSample)
	}
	var recent []float64
	for s.now() < deadline {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		recent = append(recent, s.sample(run, perSample))
		if n := len(recent); n >= 2*warmWindow {
			before, after := median(recent[n-2*warmWindow:n-warmWindow]), median(recent[n-warmWindow:])
			if after >= (1-warmTolerance)*before {
				break
			}
		}
	}
	return perSample, nil
}

// sample returns the time of one of n runs, in ns.
func (s *sampler) sample(run timedRuns, n int) float64 {
	return float64(run(n)) / float64(n)
}

// sampleCalibration returns the time of one run of the calibration kernel, in
// ns, with its own data in the caches.
func (s *sampler) sampleCalibration() float64 {
	s.calibrate()
	took := s.sample(s.timed(s.calibrate), s.perSample)
	if len(s.history) < historySize {
		s.history = append(s.history, took)
	} else {
		s.history[s.next] = took
		s.next = (s.next + 1) % historySize
	}
	return took
}

// setBaseline warms the calibration kernel up, sizes its samples, and takes
// some, for limit. Unless there is a baseline, the median of the quiet ones is
// taken as the undisturbed machine's.
func (s *sampler) setBaseline(ctx context.Context, limit time.Duration) error {
	deadline := s.now() + limit
	var err error
	if s.perSample, err = s.warmUp(ctx, s.timed(s.calibrate), limit/2); err != nil {
		return err
	}
	for len(s.history) < minSamples || s.now() < deadline {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.sampleCalibration()
	}
	if s.baseline == 0 {
		s.baseline = s.quietTime()
	}
	return nil
}

// quietTime is the median time of the calibration kernel, of late, while
// nothing else disturbed it.
func (s *sampler) quietTime() float64 {
	limit := s.quietLimit()
	return median(slices.DeleteFunc(slices.Clone(s.history), func(t float64) bool { return t > limit }))
}

// quietLimit is the longest that the calibration kernel takes, of late, while
// nothing else disturbs it.
func (s *sampler) quietLimit() float64 {
	sorted := slices.Sorted(slices.Values(s.history))
	return (1 + quietTolerance) * stat.Quantile(quietQuantile, stat.Empirical, sorted, nil)
}
