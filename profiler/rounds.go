package profiler

import (
	"math"
	"slices"
)

const (
	// A round is beside other work if a calibration kernel, before or after
	// it, takes so much more than undisturbed at the same clock. By less they
	// differ without other work: from process to process, where their data lie
	// elsewhere, and with what ran before them; while a second thread on the
	// same core costs them 30% and more. The clock itself changes slowly and
	// slows all down alike, so that it is divided out however little it is.
	computeTolerance = 0.15
	memoryTolerance  = 0.35
	// The speeds of a round are medians over the rounds no more than
	// driftWindow before and after it.
	driftWindow = 4
)

// round is some samples between two of the calibration kernels.
type round struct {
	before, after speeds
	samples       []float64
	interrupted   bool // the thread had to wait for a CPU
	loaded        bool // other work was seen on this CPU or its neighbours
}

// evaluate summarizes rounds. The result is stable if there are enough of them
// for its interval to be believed.
func (s *sampler) evaluate(rounds []round) measurement {
	var m measurement
	quiet, level := s.sort(rounds, &m)
	counting := quiet
	if m.Disturbed = len(quiet) < minRounds; m.Disturbed && len(quiet) < len(rounds) {
		counting = quietest(rounds, level)
	}
	m.Raw = summarize(samplesOf(rounds))
	m.corrected, m.Speeds = s.correct(counting)
	m.Samples = len(m.corrected)
	m.Corrected = summarize(m.corrected)
	m.Corrected.widen(s.driftError(counting))
	if m.Disturbed {
		m.Corrected.widen(s.harm(m.Speeds))
	}
	m.Bimodal = bimodal(m.corrected)
	m.Stable = !m.Disturbed && m.Corrected.Independent >= minSamples
	return m
}

// sort returns the rounds that nothing disturbed, and the level of all as
// slowness tells it. It adds the samples of the others to the counts of m.
func (s *sampler) sort(rounds []round, m *measurement) (quiet []round, level []float64) {
	level, contended := s.slowness(rounds)
	for i, r := range rounds {
		switch {
		case r.interrupted:
			m.Interrupted += len(r.samples)
		case contended[i]:
			m.Contended += len(r.samples)
		default:
			quiet = append(quiet, r)
		}
	}
	return quiet, level
}

// samplesOf are the samples of rounds, in their order.
func samplesOf(rounds []round) (samples []float64) {
	for _, r := range rounds {
		samples = append(samples, r.samples...)
	}
	return samples
}

// slowness tells for each round by how much the calibration kernel that is bound
// by arithmetic was slower than undisturbed at the same clock, in the median
// over the rounds near it, and whether the round is beside other work: there a
// single slow sample is enough.
func (s *sampler) slowness(rounds []round) (level []float64, contended []bool) {
	level = make([]float64, len(rounds))
	contended = make([]bool, len(rounds))
	for i, r := range rounds {
		now := medianSpeeds(nearby(rounds, i))
		level[i] = s.slower(now, arithmetic)
		computing := max(r.before[arithmetic], r.after[arithmetic]) / now[clock] / s.quiet.least[arithmetic]
		fetching := max(r.before[memory], r.after[memory]) / now[clock] / s.quiet.least[memory]
		contended[i] = r.loaded || computing > 1+computeTolerance || fetching > 1+memoryTolerance
	}
	return level, contended
}

// quietest returns, of rounds too few of which are quiet, those whose level is
// nearly as low as that of the lowest minRounds, in their order. It goes by the
// level, since the rounds whose own samples of the calibration kernels are the
// fastest are so by chance.
func quietest(rounds []round, level []float64) []round {
	usable := 0
	for _, r := range rounds {
		if !r.interrupted {
			usable++
		}
	}
	all := usable < min(minRounds, len(rounds))
	var sorted []float64
	for i, r := range rounds {
		if all || !r.interrupted {
			sorted = append(sorted, level[i])
		}
	}
	slices.Sort(sorted)
	limit := 1.1 * sorted[min(minRounds, len(sorted))-1]
	var chosen []round
	for i, r := range rounds {
		if (all || !r.interrupted) && level[i] <= limit {
			chosen = append(chosen, r)
		}
	}
	return chosen
}

// nearby are the rounds that tell the speed of the machine at round i.
func nearby(rounds []round, i int) []round {
	return rounds[max(0, i-driftWindow):min(i+driftWindow+1, len(rounds))]
}

// slower is by how much a calibration kernel is slower than undisturbed at the
// same clock.
func (s *sampler) slower(now speeds, kind int) float64 {
	return now[kind] / now[clock] / s.quiet.least[kind]
}

// harm is how much longer, as a part, work may take beside other work: it is slowed
// down by less than the arithmetic kernel, by how much is not known.
func (s *sampler) harm(now speeds) float64 { return max(0, s.slower(now, arithmetic)-1) / 2 }

// disturbed reports whether the calibration kernels tell of other work.
func (s *sampler) disturbed(now speeds) bool {
	return s.slower(now, arithmetic) > 1+computeTolerance || s.slower(now, memory) > 1+memoryTolerance
}

// correct returns the samples of rounds at the baseline's clock, and the median
// speeds.
func (s *sampler) correct(rounds []round) (corrected []float64, middle speeds) {
	for i, r := range rounds {
		slower := medianSpeeds(nearby(rounds, i))[clock] / s.baseline[clock]
		for _, sample := range r.samples {
			corrected = append(corrected, sample/slower)
		}
	}
	return corrected, medianSpeeds(rounds)
}

// residualScale makes up for a sample being among those that the median near it
// is taken of, which are 2*driftWindow+2.
var residualScale = math.Sqrt((2*driftWindow + 2.0) / (2*driftWindow + 1.0))

// driftError is the half-width of the 95% interval of the change of the clock that
// was divided out, as a part of it: its kernel's samples are noisy too, which all
// samples of an item have in common. The noise is what a sample differs from the
// median of those near it.
func (s *sampler) driftError(rounds []round) float64 {
	residuals := make([]float64, len(rounds))
	for i, r := range rounds {
		residuals[i] = r.after[clock] / medianSpeeds(nearby(rounds, i))[clock]
	}
	return summarize(residuals).width() / 2 * residualScale
}

// widen adds a further error, independent of the samples' own, to the interval.
func (s *summary) widen(relative float64) {
	e := relative * s.Median
	s.Low = s.Median - math.Hypot(s.Median-s.Low, e)
	s.High = s.Median + math.Hypot(s.High-s.Median, e)
}

// medianSpeeds are the medians before and after rounds.
func medianSpeeds(rounds []round) (m speeds) {
	all := make([]float64, 0, 2*len(rounds))
	for kind := range m {
		all = all[:0]
		for i := range rounds {
			all = append(all, rounds[i].before[kind], rounds[i].after[kind])
		}
		m[kind] = median(all)
	}
	return m
}

// undisturbed are the speeds of the undisturbed machine with the baseline's clock.
func (s *sampler) undisturbed() (base speeds) {
	for kind := range base {
		base[kind] = s.quiet.least[kind] * s.baseline[clock]
	}
	return base
}
