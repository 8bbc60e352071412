package profiler

import (
	"context"
	"time"
)

const (
	// A sample lasts at least this long, so that reading the clock and a timer
	// interrupt are small parts of it.
	minSample = 100 * time.Microsecond
	// and at least this many ticks of the clock, so that rounding to a tick is
	// at most 0.1% of it.
	minTicks = 1000
	// An interval is not believed before there are this many samples in this
	// many rounds: a machine's disturbances come in bursts.
	minSamples = 20
	minRounds  = 8
	// Samples of the item that follow one sample of the calibration kernel.
	samplesPerRound = 4
	// The calibration kernel's speed around a round is the median of the
	// samples in this many rounds, so that an interruption of one of them does
	// not pass for drift.
	calibrationWindow = 5
	// Warm-up is over when the median of so many samples is no more than
	// warmTolerance below that of as many before.
	warmWindow    = 3
	warmTolerance = 0.02
	// and takes at most this part of an item's time.
	warmShare = 0.25
)

// sampler times work against a clock, with a calibration kernel between.
type sampler struct {
	now        func() time.Duration // since some fixed moment
	resolution time.Duration        // smallest step of now
	calibrate  func()               // one run of the calibration kernel
	perSample  int                  // runs of the calibration kernel in a sample
	baseline   float64              // ns that one run of it takes on the undisturbed machine
}

// measurement is what sampler.measure found, in ns per run.
type measurement struct {
	Raw       summary // as timed
	Corrected summary // with the calibration kernel's drift divided out
	Samples   int
	Stable    bool // the corrected interval is as narrow as asked
}

// measure times run, at most for limit, until the 95% interval of the median
// is narrower than width times the median. It always takes one round of
// samples, however long that is. A context that ends is noticed between two
// samples.
func (s *sampler) measure(ctx context.Context, run func(), width float64, limit time.Duration) (measurement, error) {
	deadline := s.now() + limit
	perSample, err := s.warmUp(ctx, run, time.Duration(warmShare*float64(limit)))
	if err != nil {
		return measurement{}, err
	}
	var (
		samples      []float64 // raw, samplesPerRound of them a round
		calibrations []float64 // one a round
		check        = minSamples
	)
	for {
		calibrations = append(calibrations, s.sampleCalibration())
		run() // brings the item's data back into the caches
		for range samplesPerRound {
			if err := ctx.Err(); err != nil {
				return measurement{}, err
			}
			samples = append(samples, s.sample(run, perSample))
		}
		late := s.now() >= deadline
		if !late && (len(samples) < check || len(calibrations) < minRounds) {
			continue
		}
		corrected := summarize(s.correct(samples, calibrations))
		stable := corrected.Bounded && corrected.width() < width
		if stable || late {
			return measurement{
				Raw:       summarize(samples),
				Corrected: corrected,
				Samples:   len(samples),
				Stable:    stable,
			}, nil
		}
		// Looking after every round would often stop at a moment when the
		// interval is narrow by chance.
		check = len(samples) * 5 / 4
	}
}

// warmUp runs until the time of a sample no longer falls, at most for limit,
// and returns the runs that make up a sample.
func (s *sampler) warmUp(ctx context.Context, run func(), limit time.Duration) (perSample int, err error) {
	deadline := s.now() + limit
	run()
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
func (s *sampler) sample(run func(), n int) float64 {
	start := s.now()
	for range n {
		run()
	}
	return float64(s.now()-start) / float64(n)
}

// sampleCalibration returns the time of one run of the calibration kernel, in
// ns, with its own data in the caches.
func (s *sampler) sampleCalibration() float64 {
	s.calibrate()
	return s.sample(s.calibrate, s.perSample)
}

// setBaseline warms the calibration kernel up and sizes its samples. Unless
// there is a baseline it takes the kernel's speed, looked at for limit, as the
// undisturbed machine's.
func (s *sampler) setBaseline(ctx context.Context, limit time.Duration) error {
	var err error
	if s.perSample, err = s.warmUp(ctx, s.calibrate, limit/2); err != nil || s.baseline > 0 {
		return err
	}
	var samples []float64
	for deadline := s.now() + limit/2; len(samples) < minSamples || s.now() < deadline; {
		if err := ctx.Err(); err != nil {
			return err
		}
		samples = append(samples, s.sampleCalibration())
	}
	s.baseline = median(samples)
	return nil
}

// correct divides out of samples how much slower than its baseline the
// calibration kernel ran around each round.
func (s *sampler) correct(samples, calibrations []float64) []float64 {
	corrected := make([]float64, len(samples))
	for round := range calibrations {
		from := max(0, min(round-calibrationWindow/2, len(calibrations)-calibrationWindow))
		to := min(from+calibrationWindow, len(calibrations))
		drift := median(calibrations[from:to]) / s.baseline
		for i := round * samplesPerRound; i < (round+1)*samplesPerRound; i++ {
			corrected[i] = samples[i] / drift
		}
	}
	return corrected
}
