package profiler

import (
	"context"
	"math"
	"time"
)

// The kinds of calibration kernels.
const (
	clock      = iota // a chain of dependent operations: the core's clock
	arithmetic        // bound by arithmetic, within the innermost caches
	memory            // bound by memory
	kinds
)

// speeds are the times of one run of each calibration kernel, in ns.
type speeds [kinds]float64

// calibrationSample is how long a sample of a calibration kernel lasts at least.
const calibrationSample = 30 * time.Microsecond

// The calibration kernels take this part of the time of a long round, in no more
// than so many samples each.
const (
	calibrationShare = 0.1
	mostCalibrations = 15
)

// clockSteps is how many operations the chain of the clock's kernel has, each
// of which takes a cycle.
const clockSteps = 8000

var chainStart, chainKey uint64 = 1, 7 // variables, so that the chain is not computed beforehand

// chain waits for the result of each operation before the next: additions and
// exclusive ors, which take a cycle on every processor that this runs on.
func chain() {
	x, a, b := chainStart, chainKey, chainKey<<1
	for range clockSteps / 8 {
		x = (x + a) ^ b
		x = (x + b) ^ a
		x = (x + a) ^ b
		x = (x + b) ^ a
	}
	chainStart = x
}

// walk reads memory that is in no cache: each run goes on where the last one
// ended, in a buffer that is larger than the caches.
type walk struct {
	buffer []uint64
	at     int
	sum    uint64
}

// walkPiece is what a run reads: little enough to leave most of a core's own
// caches alone.
const walkPiece = 128 << 10 // bytes

func newWalk(bytes int64) *walk {
	w := &walk{buffer: make([]uint64, bytes/walkPiece*(walkPiece/8))}
	for i := range w.buffer { // memory that was never written may be one page
		w.buffer[i] = uint64(i)
	}
	return w
}

func (w *walk) run() {
	sum := w.sum
	for _, v := range w.buffer[w.at : w.at+walkPiece/8] {
		sum += v
	}
	w.sum = sum
	w.at += walkPiece / 8
	if w.at == len(w.buffer) {
		w.at = 0
	}
}

// evict puts other data into all caches.
func (w *walk) evict() {
	const line = 64 / 8 // of bytes, at least half of the length that any cache has
	for i := 0; i < len(w.buffer); i += line {
		w.buffer[i]++
	}
}

// reference is the undisturbed machine: the least that the calibration kernels
// take, in the median over referenceWindow samples, over what the clock's takes
// then.
type reference struct {
	window []speeds
	least  speeds // ratios to the clock's; +Inf before the first
}

const referenceWindow = 64

func newReference(baseline speeds) reference {
	r := reference{least: speeds{1, math.Inf(1), math.Inf(1)}}
	if baseline.known() {
		for kind := range r.least {
			r.least[kind] = baseline[kind] / baseline[clock]
		}
	}
	return r
}

// add takes note of a sample.
func (r *reference) add(s speeds) {
	r.window = append(r.window, s)
	if len(r.window) == referenceWindow {
		r.take()
	}
}

// take looks at the window, and begins a new one.
func (r *reference) take() {
	var m speeds
	values := make([]float64, len(r.window))
	for kind := range m {
		for i, s := range r.window {
			values[i] = s[kind]
		}
		m[kind] = median(values)
	}
	for kind := range m {
		r.least[kind] = min(r.least[kind], m[kind]/m[clock])
	}
	r.window = r.window[:0]
}

func (s speeds) known() bool { return s[clock] > 0 && s[arithmetic] > 0 && s[memory] > 0 }

// calibrate samples each calibration kernel, with its own data in the caches.
// The arithmetic one runs for longer before: some processors need tens of
// microseconds to be ready for wide vectors after work without them.
func (s *sampler) calibrate() (now speeds) {
	for kind, run := range s.kernels {
		for range 1 + s.warmRuns[kind] {
			run()
		}
		now[kind] = s.sample(s.timed(run), s.perSample[kind])
	}
	s.quiet.add(now)
	return now
}

// calibrateAfter is calibrate after a round that took so long: the median of as
// many samples as take some part of that time.
func (s *sampler) calibrateAfter(took time.Duration) speeds {
	n := min(max(1, int(calibrationShare*float64(took)/float64(kinds*calibrationSample))), mostCalibrations)
	rounds := make([]round, n)
	for i := range rounds {
		now := s.calibrate()
		rounds[i] = round{before: now, after: now}
	}
	return medianSpeeds(rounds)
}

// setBaseline warms the calibration kernels up, sizes their samples, and takes
// some, for limit. What is not known of the baseline is taken from the median
// of those that nothing disturbed.
func (s *sampler) setBaseline(ctx context.Context, limit time.Duration) error {
	deadline := s.now() + limit
	for kind, run := range s.kernels {
		n, err := s.warmUp(ctx, s.timed(run), calibrationSample, limit/8)
		if err != nil {
			return err
		}
		s.perSample[kind] = n
		if kind == arithmetic {
			s.warmRuns[kind] = 2 * n
		}
	}
	s.quiet = newReference(s.baseline)
	s.watch.begin(s.now())
	var rounds []round
	for len(rounds) < minSamples || s.now() < deadline {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := s.calibrate()
		rounds = append(rounds, round{before: now, after: now})
	}
	s.watch.judge(s.now(), rounds, true) // for items that are over before the next look
	if math.IsInf(s.quiet.least[arithmetic], 1) {
		s.quiet.take()
	}
	if s.baseline[clock] == 0 {
		level, contended := s.slowness(rounds)
		var undisturbed []round
		for i, r := range rounds {
			if !contended[i] {
				undisturbed = append(undisturbed, r)
			}
		}
		if len(undisturbed) < minRounds {
			undisturbed = quietest(rounds, level)
		}
		s.baseline[clock] = medianSpeeds(undisturbed)[clock]
	}
	return nil
}
