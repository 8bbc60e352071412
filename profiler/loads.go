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
	// An item's time is divided among so many loads at least,
	usualLoads = 4
	// and an interval is not believed before there are so many.
	minLoads = 3
	// A load is not measured for longer than this, or than so many times what
	// loading took, so that more time is more loads.
	longestLoad = 100 * time.Millisecond
	loadCost    = 2
)

// measureLoads is measure over several loads of an item. Once it is loaded,
// the time of an item hardly changes, but when it is loaded again its data lie
// elsewhere, and it may be some percent faster or slower for as long as it is
// loaded. The item is loaded when it is called; load does so anew, and is
// called only where the time is likely to suffice. earlier are rounds of loads
// before, which count too. The rounds of all loads are returned.
func (s *sampler) measureLoads(ctx context.Context, t task, load func() (timedRuns, error), earlier [][]round, width float64, limit time.Duration) (measurement, [][]round, error) {
	deadline := s.now() + limit
	loads := slices.Clone(earlier)
	check, narrow := minLoads, false
	for first := true; ; first = false {
		start := s.now()
		if !first {
			var err error
			if t.run, err = load(); err != nil {
				return measurement{}, nil, err
			}
		}
		loading := s.now() - start
		share := max(min(limit/usualLoads, longestLoad)-loading, loadCost*loading)
		_, rounds, err := s.measureRounds(ctx, t, width, min(share, deadline-s.now()))
		if err != nil {
			return measurement{}, nil, err
		}
		loads = append(loads, rounds)
		late := 2*s.now()-start > deadline // after another load like this one
		if !late && len(loads) < check {
			continue
		}
		m := s.combine(loads, t.prior)
		m.Stable = m.Stable && m.Corrected.width() < width
		// As in measure, one look would often find it narrow by chance.
		narrow, m.Stable = m.Stable, m.Stable && narrow
		if m.Stable || late {
			return m, loads, nil
		}
		check = len(loads) + max(1, len(loads)/2)
	}
}

// combine summarizes the rounds of several loads, of which each counts alike
// however many samples it has. It is stable if there are enough quiet loads for
// the interval to be believed.
func (s *sampler) combine(loads [][]round, prior blend) measurement {
	var m measurement
	var quiet, all []measurement // a summary of each load
	var raw []float64
	quietRounds := 0
	for _, rounds := range loads {
		raw = append(raw, samplesOf(rounds)...)
		still, _ := s.sort(rounds, &m)
		if len(still) >= min(minRounds, (len(rounds)+1)/2) {
			quietRounds += len(still)
			var one measurement
			s.summarize(&one, still, prior)
			quiet = append(quiet, one)
		}
		all = append(all, s.evaluate(rounds, prior))
	}
	counting := quiet
	if m.Disturbed = quietRounds < minRounds || len(quiet) < min(minLoads, len(loads)); m.Disturbed {
		counting = s.quietestLoads(all)
	}
	m.Raw = summarize(raw)
	m.Corrected, m.corrected = summarizeLoads(counting)
	m.Samples = len(m.corrected)
	m.Speeds = speedsOfLoads(counting)
	m.Bimodal = withinLoads(counting)
	m.Stable = !m.Disturbed && len(counting) >= minLoads && m.Samples >= minSamples
	return m
}

// quietestLoads are those in which the kernel that is bound by arithmetic was
// nearly as fast as in the quietest few.
func (s *sampler) quietestLoads(loads []measurement) (chosen []measurement) {
	level := func(m measurement) float64 { return m.Speeds[arithmetic] / m.Speeds[clock] }
	var sorted []float64
	for _, m := range loads {
		sorted = append(sorted, level(m))
	}
	slices.Sort(sorted)
	limit := 1.1 * sorted[min(minLoads, len(sorted))-1]
	for _, m := range loads {
		if level(m) <= limit {
			chosen = append(chosen, m)
		}
	}
	return chosen
}

// summarizeLoads puts the samples of loads together. The median is that of the
// loads' medians.
func summarizeLoads(loads []measurement) (summary, []float64) {
	if len(loads) == 1 {
		return loads[0].Corrected, loads[0].corrected
	}
	var samples []float64
	each := make([]summary, 0, len(loads))
	independent := 0
	for _, m := range loads {
		samples = append(samples, m.corrected...)
		each = append(each, m.Corrected)
		independent += m.Corrected.Independent
	}
	sum := summarize(samples)
	sum.Median, sum.Low, sum.High = medianOfLoads(each)
	sum.Bounded, sum.Independent = true, independent
	return sum, samples
}

// medianOfLoads is the median of the loads' medians with its 95% interval: that
// of Student's t from the standard deviation of their logarithms, which holds
// what the loads differ by and the noise within each, times how much less the
// median of so many normal values tells than their mean.
func medianOfLoads(loads []summary) (center, low, high float64) {
	logs := make([]float64, len(loads))
	for i, l := range loads {
		logs[i] = math.Log(l.Median)
	}
	n := float64(len(loads))
	t := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(1 - (1-confidence)/2)
	half := t * medianError(len(loads)) * stat.StdDev(logs, nil) / math.Sqrt(n)
	m := median(logs)
	return math.Exp(m), math.Exp(m - half), math.Exp(m + half)
}

// medianErrors are standard deviations of the median of n normal values over
// that of their mean, from n = 2, by simulation.
var medianErrors = [...]float64{1, 1.160, 1.092, 1.197, 1.135, 1.214, 1.160, 1.223, 1.176}

func medianError(n int) float64 {
	if i := n - 2; i < len(medianErrors) {
		return medianErrors[i]
	}
	return math.Sqrt(math.Pi/2) * (1 - 0.5/float64(n))
}

// speedsOfLoads are the medians of the loads' speeds.
func speedsOfLoads(loads []measurement) (m speeds) {
	all := make([]float64, len(loads))
	for kind := range m {
		for i, l := range loads {
			all[i] = l.Speeds[kind]
		}
		m[kind] = median(all)
	}
	return m
}

// withinLoads reports whether samples are bimodal about the median of their
// load: that loads differ does not make them so.
func withinLoads(loads []measurement) bool {
	var relative []float64
	for _, l := range loads {
		for _, x := range l.corrected {
			relative = append(relative, x/l.Corrected.Median)
		}
	}
	slices.Sort(relative)
	return bimodal(relative)
}
