package energy

import (
	"fmt"
	"slices"
	"time"
)

// sample is the power at some moment.
type sample struct {
	at    time.Time
	watts float64
}

// longestGap is the longest pause between two samples that others took; after a
// longer one samples are missing.
func longestGap(samples []sample) time.Duration {
	return max(4*usualPeriod(samples), 50*time.Millisecond)
}

// usualPeriod is the median time between two samples, or 0 for fewer than two.
func usualPeriod(samples []sample) time.Duration {
	var periods []time.Duration
	for i := 1; i < len(samples); i++ {
		periods = append(periods, samples[i].at.Sub(samples[i-1].at))
	}
	if len(periods) == 0 {
		return 0
	}
	slices.Sort(periods)
	return periods[len(periods)/2]
}

// around returns those of samples, which are in order of time, that are needed
// to integrate from start to end: with one at or before start and one at or
// after end.
func around(samples []sample, start, end time.Time) ([]sample, error) {
	const layout = "15:04:05.000"
	first := -1
	for i, s := range samples {
		if !s.at.After(start) {
			first = i
		}
	}
	last := slices.IndexFunc(samples, func(s sample) bool { return !s.at.Before(end) })
	switch {
	case len(samples) == 0:
		return nil, fmt.Errorf("no samples of power at all")
	case first < 0:
		return nil, fmt.Errorf("samples are missing: the first is of %s, the run began at %s", samples[0].at.Format(layout), start.Format(layout))
	case last < 0:
		return nil, fmt.Errorf("samples are missing: the last is of %s, the run ended at %s", samples[len(samples)-1].at.Format(layout), end.Format(layout))
	}
	return samples[first : max(last, first)+1], nil
}

// integrate returns the energy between start and end by the trapezoidal rule;
// at both the power is interpolated. It fails where there is no sample for
// longer than allowed.
func integrate(samples []sample, start, end time.Time, allowed time.Duration) (Energy, error) {
	within, err := around(samples, start, end)
	if err != nil {
		return Energy{}, err
	}
	e := Energy{Start: start, End: end, Samples: len(within)}
	var longest time.Duration
	lowest, highest := within[0].watts, within[0].watts
	for i := range within[1:] {
		a, b := within[i], within[i+1]
		gap := b.at.Sub(a.at)
		if gap > allowed {
			return Energy{}, fmt.Errorf("samples are missing: none for %v from %s on, where one comes every %v", gap.Round(time.Millisecond), a.at.Format("15:04:05.000"), usualPeriod(samples).Round(time.Microsecond))
		}
		longest = max(longest, gap)
		lowest, highest = min(lowest, b.watts), max(highest, b.watts)
		from, to := a, b
		if from.at.Before(start) {
			from = between(a, b, start)
		}
		if to.at.After(end) {
			to = between(a, b, end)
		}
		e.Joules += (from.watts + to.watts) / 2 * to.at.Sub(from.at).Seconds()
	}
	// When the power changed between two samples, as at the ends, is not seen.
	e.Bound = (highest - lowest) * longest.Seconds()
	return e, nil
}

// between interpolates between a and b.
func between(a, b sample, at time.Time) sample {
	part := at.Sub(a.at).Seconds() / b.at.Sub(a.at).Seconds()
	return sample{at, a.watts + part*(b.watts-a.watts)}
}
