package server

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/hwprofd/hwprofd/server/api"
)

// The watch tells a machine that became slower or faster from noise by CUSUM
// charts (Page, "Continuous inspection schemes", Biometrika 41, 1954), one for
// each workload of a small panel and one for their geometric mean. A chart sees
// the logarithm of the time of each check. It needs no known mean and variance:
// each value is put in relation to those before it and becomes a standard normal
// variable, if they are normal and nothing changed (Hawkins, "Self-starting
// CUSUM charts for location and scale", The Statistician 36, 1987). Values are
// cut off at winsorAt, so that a single disturbed check is no alarm (Lucas and
// Crosier, "Robust CUSUM", Communications in Statistics 11, 1982).
const (
	// checksPerFalseAlarm is the mean number of checks between false alarms of
	// all charts together, at least.
	checksPerFalseAlarm = 1000
	warmUp              = 8   // checks before the first that can count
	reference           = 0.5 // half the shift, in standard deviations, that is found fastest
	winsorAt            = 3.0
	maxChecks           = 500 // that are kept
	maxAlarms           = 50
)

// chart is a self-starting CUSUM of a sequence.
type chart struct {
	n          int
	mean, m2   float64 // Welford's sums of the values so far
	up, down   float64
	upAt, dnAt int // check at which the sums last were 0
}

// add takes the next value; its sums are then those of the values so far.
func (c *chart) add(x float64) {
	if c.n >= warmUp {
		n := float64(c.n)
		deviation := math.Sqrt(c.m2 / (n - 1))
		u := 0.0
		if deviation > 0 {
			t := (x - c.mean) / deviation * math.Sqrt(n/(n+1))
			p := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.CDF(t)
			u = min(max(distuv.UnitNormal.Quantile(p), -winsorAt), winsorAt)
		} else if x != c.mean {
			u = math.Copysign(winsorAt, x-c.mean)
		}
		if c.up = max(0, c.up+u-reference); c.up == 0 {
			c.upAt = c.n + 1
		}
		if c.down = max(0, c.down-u-reference); c.down == 0 {
			c.dnAt = c.n + 1
		}
	}
	c.n++
	delta := x - c.mean
	c.mean += delta / float64(c.n)
	c.m2 += delta * (x - c.mean)
}

// statistic is the larger sum, with its sign, and the check since which it
// grows.
func (c *chart) statistic() (value float64, since int) {
	if c.down > c.up {
		return -c.down, c.dnAt
	}
	return c.up, c.upAt
}

// limit is the sum that is an alarm, such that charts two-sided charts raise a
// false one every checks checks on average or more seldom: from Siegmund's
// approximation of the average run length of a one-sided chart,
// 2 (exp(b) - b - 1) with b = h + 1.166 and a reference of 1/2 (Siegmund,
// "Sequential Analysis", 1985, section 2.6), of which 2*charts run side by side.
func limit(charts int, checks float64) float64 {
	want := checks * 2 * float64(charts)
	low, high := 1.166, 100.0
	for range 100 {
		if b := (low + high) / 2; 2*(math.Exp(b)-b-1) < want {
			low = b
		} else {
			high = b
		}
	}
	return high - 1.166
}

// overall is the name of the chart of the geometric mean.
const overall = "all"

// judge runs the charts over the checks since the last alarm, and returns them
// and an alarm, if the last check raises one.
func judge(checks []api.Check) (charts []api.DriftChart, alarm *api.DriftAlarm) {
	if len(checks) == 0 {
		return nil, nil
	}
	names := []string{overall}
	for _, m := range checks[0].Medians {
		names = append(names, m.Workload)
	}
	h := limit(len(names), checksPerFalseAlarm)
	for _, name := range names {
		var c chart
		var values []float64
		for _, check := range checks {
			v, ok := logTime(check, name)
			if !ok {
				continue
			}
			values = append(values, v)
			c.add(v)
		}
		value, since := c.statistic()
		charts = append(charts, api.DriftChart{Workload: name, Statistic: value, Limit: h})
		if math.Abs(value) <= h || len(values) == 0 {
			continue
		}
		since = min(since, len(values)-1)
		// A sum may begin to grow by chance before the change; the last two
		// values are surely after it, as none alone raises an alarm.
		ratio := math.Exp(mean(values[max(since, len(values)-2):]) - mean(values[:max(since, 1)]))
		found := api.DriftChange{Workload: name, Ratio: ratio}
		if alarm == nil {
			alarm = &api.DriftAlarm{At: checks[len(checks)-1].At, Since: checks[min(since, len(checks)-1)].At}
		}
		alarm.Changes = append(alarm.Changes, found)
	}
	if alarm != nil {
		alarm.Facts = changedFacts(checks[0].Facts, checks[len(checks)-1].Facts)
	}
	return charts, alarm
}

// logTime is the logarithm of the time of a workload, or of the mean of all.
func logTime(check api.Check, name string) (float64, bool) {
	sum, n := 0.0, 0
	for _, m := range check.Medians {
		if name == overall || m.Workload == name {
			sum += math.Log(m.NS)
			n++
		}
	}
	return sum / float64(n), n > 0
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// changedFacts lists the facts that differ, by name. Temperatures count from 5
// degrees on.
func changedFacts(before, after map[string]string) []api.ChangedFact {
	changed := []api.ChangedFact{}
	for name, is := range after {
		if was := before[name]; was != is && !(name == factTemperature && closeTemperatures(was, is)) {
			changed = append(changed, api.ChangedFact{Name: name, Was: was, Is: is})
		}
	}
	for name, was := range before {
		if _, ok := after[name]; !ok {
			changed = append(changed, api.ChangedFact{Name: name, Was: was})
		}
	}
	slices.SortFunc(changed, func(a, b api.ChangedFact) int { return cmp.Compare(a.Name, b.Name) })
	return changed
}

// observe adds a check to the state of the watch.
func observe(d *api.Drift, check api.Check) *api.DriftAlarm {
	d.Checks = append(d.Checks, check)
	d.Checks = d.Checks[max(0, len(d.Checks)-maxChecks):]
	since := d.Checks
	if i := slices.IndexFunc(since, func(c api.Check) bool { return c.At.After(d.Begun) }); i >= 0 {
		since = since[i:]
	}
	charts, alarm := judge(since)
	d.Charts = charts
	if alarm == nil {
		return nil
	}
	d.Alarms = append(d.Alarms, *alarm)
	d.Alarms = d.Alarms[max(0, len(d.Alarms)-maxAlarms):]
	d.Begun = check.At // what is now is what the next checks are compared with
	return alarm
}
