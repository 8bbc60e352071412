package profiler

import (
	"context"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// An interval is not believed before there are so many quiet visits.
	minVisits = 4
	// Of the visits that count, these parts do not, more of the slowest: other
	// work that the calibration kernels did not show only ever makes an item
	// slower.
	trimmedSlowest = 0.3
	trimmedFastest = 0.1
	// Beside other work, a round is taken after so many samples of the
	// calibration kernels only, to look for a quiet moment more often.
	patience = 8
	// An interval reaches no further than so many times the median: of two visits
	// that differ it would have no end.
	widest = 10
	// Points of the distribution of samples that a visit keeps.
	quantiles = 16
	// A clock that stays so near to the baseline's in nine tenths of an item's
	// visits has not changed: the steps that processors change it by are larger,
	// and its kernel, a chain of scalar operations, is seen to vary by so much
	// while vectors do not.
	sameClock = 0.02
)

// visit is what one stretch of measuring an item found, in ns. Each has a load
// of the item of its own. Once it is loaded, the time of an item hardly changes,
// but when it is loaded again its data lie elsewhere; and the machine at one
// time is another one than at another time, in more than the calibration
// kernels show. Both show between visits.
type visit struct {
	At time.Time `json:"at"` // its end
	// Quiet is the number of rounds that nothing disturbed. If there are any, the
	// samples of those count, else those of all.
	Quiet int `json:"quiet"`
	// Median, Mean and the quantiles are of the samples that count, at the
	// baseline's clock. Error is the half-width of the median's interval within
	// the visit, as a part of it.
	Median    float64   `json:"median_ns"`
	Mean      float64   `json:"mean_ns"`
	Quantiles []float64 `json:"quantiles"` // over Median, from low to high
	// Fastest are quantiles of the fastest sample of each round, over Median: of
	// whether there are two levels, as an interruption of some microseconds makes
	// many single samples slower.
	Fastest []float64 `json:"fastest"`
	Error   float64   `json:"error"`
	Raw     float64   `json:"raw_median_ns"` // of all samples, as timed
	Samples int       `json:"samples"`       // that count
	// Contended and Interrupted are samples beside other work, and those in which
	// the thread had to wait.
	Contended   int    `json:"contended"`
	Interrupted int    `json:"interrupted"`
	Speeds      speeds `json:"calibration_ns"` // medians over the rounds that count
}

// roundsFor takes rounds of samples of t for limit, at least one.
func (s *sampler) roundsFor(ctx context.Context, t task, limit time.Duration) ([]round, error) {
	deadline := s.now() + limit
	perSample := 1
	if t.prepare == nil {
		var err error
		if perSample, err = s.warmUp(ctx, t.run, minSample, time.Duration(warmShare*float64(limit))); err != nil {
			return nil, err
		}
	}
	var rounds []round
	s.watch.begin(s.now())
	for before, waited := s.calibrate(), 0; ; {
		if len(rounds) > 0 && s.disturbed(before) && waited < patience {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			before = s.calibrate()
			waited++
		} else {
			r, err := s.round(ctx, t, perSample, before)
			if err != nil {
				return nil, err
			}
			before, waited = r.after, 0
			rounds = append(rounds, r)
			s.watch.judge(s.now(), rounds, false)
		}
		if s.now() >= deadline {
			s.watch.judge(s.now(), rounds, true)
			return rounds, nil
		}
	}
}

// visitOf sums up the rounds of a visit, in each run of which the work is done
// times times.
func (s *sampler) visitOf(rounds []round, times float64) visit {
	var counts measurement
	counting, _ := s.sort(rounds, &counts)
	v := visit{Quiet: len(counting), Contended: counts.Contended, Interrupted: counts.Interrupted}
	if v.Quiet == 0 {
		counting = slices.DeleteFunc(slices.Clone(rounds), func(r round) bool { return r.interrupted })
	}
	if len(counting) == 0 {
		counting = rounds
	}
	samples, middle := s.correct(counting)
	var fastest []float64
	for i, rest := 0, samples; i < len(counting); i++ {
		n := len(counting[i].samples)
		fastest = append(fastest, slices.Min(rest[:n]))
		rest = rest[n:]
	}
	sum := summarize(samples) // which sorts them
	v.Median, v.Mean, v.Samples, v.Speeds = sum.Median/times, sum.Mean/times, len(samples), middle
	v.Error = sum.width() / 2
	slices.Sort(fastest)
	v.Quantiles, v.Fastest = quantilesOf(samples, sum.Median), quantilesOf(fastest, sum.Median)
	v.Raw = median(samplesOf(rounds)) / times
	return v
}

// quantilesOf are points of the distribution of sorted values, over whole.
func quantilesOf(sorted []float64, whole float64) (points []float64) {
	n := min(quantiles, len(sorted))
	for i := range n {
		at := (float64(i) + 0.5) / float64(n)
		points = append(points, math.Round(1e4*atRank(sorted, at*float64(len(sorted))-0.5)/whole)/1e4)
	}
	return points
}

// quietVisit reports whether nothing disturbed a visit, as is known now: it may have
// been taken for quiet before the machine was seen undisturbed.
func (s *sampler) quietVisit(v visit) bool { return v.Quiet > 0 && !s.disturbed(v.Speeds) }

// combine summarizes visits, of which the quiet ones count, each alike. Where
// none is quiet, all do, as they were timed: to divide out what other work slowed
// the calibration kernels down by, or to take those alone where that was least,
// makes rows worse (docs/measurement.md).
func (s *sampler) combine(visits []visit, kind workKind) measurement {
	var m measurement
	counting := make([]visit, 0, len(visits))
	raw := make([]float64, len(visits))
	for i, v := range visits {
		m.Contended += v.Contended
		m.Interrupted += v.Interrupted
		raw[i] = v.Raw
		if s.quietVisit(v) {
			counting = append(counting, v)
		}
	}
	m.Raw.Median = median(raw)
	enough := len(counting) >= minVisits
	m.Disturbed = len(counting) < min(minVisits, (len(visits)+2)/2)
	quiet := len(counting) > 0
	if !quiet {
		counting = visits
	}
	counting, unknown := s.withOneClock(counting, kind, quiet)
	m.Corrected = summarizeVisits(counting)
	if len(counting) == 1 { // so much is known of the noise, and of others
		m.Corrected.widen(counting[0].Error)
		if len(visits) > 1 {
			other := summarizeVisits(visits)
			m.Corrected.Low, m.Corrected.High = min(m.Corrected.Low, other.Low), max(m.Corrected.High, other.High)
		}
	}
	var relative, fastest []float64
	mean := 0.0
	for _, v := range counting {
		m.Samples += v.Samples
		mean += v.Mean / float64(len(counting))
		relative = append(relative, v.Quantiles...)
		for _, x := range v.Fastest {
			// Over the visit's lower level, as which of two is its median is chance.
			fastest = append(fastest, x/v.Fastest[len(v.Fastest)/8])
		}
	}
	slices.Sort(relative)
	slices.Sort(fastest)
	m.Corrected.Mean = mean
	m.Corrected.P10 = m.Corrected.Median * min(1, stat.Quantile(0.1, stat.Empirical, relative, nil))
	m.Corrected.P90 = m.Corrected.Median * max(1, stat.Quantile(0.9, stat.Empirical, relative, nil))
	m.Bimodal = bimodal(fastest)
	m.Speeds = speedsOfVisits(counting)
	m.Stable = enough && m.Samples >= minSamples
	m.Corrected.widen(unknown)
	if !quiet {
		m.Corrected.widen(s.harm(m.Speeds))
	}
	return m
}

// withOneClock returns visits at the baseline's clock, by what items of this kind
// are seen to follow it, or as they were timed if theirs is the same, or if none is
// quiet, as then other work slows the clock's kernel down as well; then also what
// is not known of that, as a part of their times.
func (s *sampler) withOneClock(visits []visit, kind workKind, quiet bool) (counting []visit, unknown float64) {
	other, changes := 0, make([]float64, len(visits))
	for i, v := range visits {
		changes[i] = v.Speeds[clock] / s.baseline[clock]
		if math.Abs(changes[i]-1) > sameClock {
			other++
		}
	}
	power := s.trends[kind].power()
	if !quiet || 10*other <= len(visits) {
		power, unknown = 0, math.Abs(median(changes)-1) // some items may follow it all the same
	}
	counting = slices.Clone(visits)
	for i := range counting { // whose medians are divided by all of the change
		back := math.Pow(changes[i], 1-power)
		counting[i].Median *= back
		counting[i].Mean *= back
	}
	return counting, unknown
}

// summarizeVisits summarizes visits that all count.
func summarizeVisits(visits []visit) summary {
	medians := make([]float64, len(visits))
	for i, v := range visits {
		medians[i] = v.Median
	}
	return trimmedSummary(medians)
}

// trimmedSummary is the geometric mean of the medians of visits but for
// trimmedSlowest and trimmedFastest of them, in Median, with its 95% interval:
// that of Student's t for a trimmed mean, whose variance goes by the winsorized
// one, of Tukey and McLaughlin, "Less vulnerable confidence and significance
// procedures for location based on a single sample" (1963), times 1 + 1.5/n: by
// simulation it is too narrow for few visits, the more so as their number
// depends on it. The variance holds both what visits differ by and the noise
// within each.
//
// Where visits differ by noise that goes both ways, trimming more at one end
// takes something off. It is added again: the mean of normal values, of which
// those that are kept are of their ranks, by the slope of these over the ranks'
// expectations. So the result is that of normal noise with other work on top.
func trimmedSummary(medians []float64) (sum summary) {
	logs := make([]float64, len(medians))
	for i, m := range medians {
		logs[i] = math.Log(m)
	}
	slices.Sort(logs)
	n := len(logs)
	first, end := keptVisits(n)
	center := stat.Mean(logs[first:end], nil)
	// Blom's approximation of the expected ranks of normal values.
	expected := make([]float64, end-first)
	for i := range expected {
		expected[i] = distuv.UnitNormal.Quantile((float64(first+i) + 0.625) / (float64(n) + 0.25))
	}
	if len(expected) > 1 {
		_, spread := stat.LinearRegression(expected, logs[first:end], nil, false)
		center -= spread * stat.Mean(expected, nil)
	}
	sum.Median, sum.Independent = math.Exp(center), n
	sum.Low, sum.High = math.Exp(logs[0]), math.Exp(logs[n-1])
	kept := float64(end - first)
	if kept < 2 {
		return sum
	}
	for i := range logs {
		logs[i] = min(max(logs[i], logs[first]), logs[end-1])
	}
	t := distuv.StudentsT{Sigma: 1, Nu: kept - 1}.Quantile(1 - (1-confidence)/2)
	half := t * stat.StdDev(logs, nil) * math.Sqrt(float64(n)) / kept * (1 + 1.5/float64(n))
	half = min(half, math.Log(widest))
	sum.Low, sum.High, sum.Bounded = math.Exp(center-half), math.Exp(center+half), true
	return sum
}

// keptVisits are the ranks of the visits, of n, that are not trimmed. Of two
// none is.
func keptVisits(n int) (first, end int) {
	return int(trimmedFastest * float64(n)), n - int(math.Round(trimmedSlowest*float64(n)-0.15))
}

// speedsOfVisits are the medians of the visits' speeds.
func speedsOfVisits(visits []visit) (m speeds) {
	all := make([]float64, len(visits))
	for kind := range m {
		for i, v := range visits {
			all[i] = v.Speeds[kind]
		}
		m[kind] = median(all)
	}
	return m
}
