package benchmark

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Options say how results are compared.
type Options struct {
	Threshold float64 // the share by which a workload has to differ, such as 0.05
	Alpha     float64 // level of significance, such as 0.05
	AnyDevice bool    // compare results of different devices
}

// Change is what became of a workload.
type Change struct {
	Name     string            `json:"workload"`
	Old, New benchmath.Summary `json:"-"` // in ns
	OldNS    float64           `json:"old_ns"`
	NewNS    float64           `json:"new_ns"`
	Ratio    float64           `json:"ratio"` // new over old
	// P is the level of significance of the difference by the Mann-Whitney U
	// test, negative where a side is known by its summary alone: then the
	// difference is significant if the intervals of the medians do not meet.
	P           float64 `json:"p"`
	Samples     [2]int  `json:"samples"` // old and new
	Significant bool    `json:"significant"`
	Slower      bool    `json:"slower"` // significantly, and by more than the threshold
	Faster      bool    `json:"faster"`
}

// Report is the outcome of a comparison.
type Report struct {
	Changes []Change `json:"changes"`
	Mean    float64  `json:"mean_ratio"` // geometric mean of the ratios
	// Workloads that one side lacks.
	OnlyOld []string `json:"only_old"`
	OnlyNew []string `json:"only_new"`
	// Undecided are workloads with so few samples that no difference could
	// have been significant.
	Undecided []string `json:"undecided"`
	// Warning says what is not known of the devices.
	Warning string `json:"warning,omitempty"`
}

// Slower are the changes for the worse.
func (r *Report) Slower() []Change {
	return slices.DeleteFunc(slices.Clone(r.Changes), func(c Change) bool { return !c.Slower })
}

// confidence of the intervals of medians.
const confidence = .95

// Compare compares every workload that both have. A workload is slower if the
// Mann-Whitney U test tells its times apart at the level of significance, and
// its median is larger by more than the threshold. It fails if the results are
// of different devices, or have no workload in common.
func Compare(old, new *Results, o Options) (*Report, error) {
	r := &Report{}
	var err error
	if !o.AnyDevice {
		if r.Warning, err = SameDevice(old, new); err != nil {
			return nil, err
		}
	}
	before := make(map[string]*Times)
	for i := range old.Times {
		before[old.Times[i].Name] = &old.Times[i]
	}
	thresholds := &benchmath.Thresholds{CompareAlpha: o.Alpha}
	var logs float64
	for i := range new.Times {
		b := &new.Times[i]
		a := before[b.Name]
		if a == nil {
			r.OnlyNew = append(r.OnlyNew, b.Name)
			continue
		}
		delete(before, b.Name)
		c := Change{Name: b.Name, Old: a.summary(thresholds), New: b.summary(thresholds), Samples: [2]int{a.count(), b.count()}}
		c.OldNS, c.NewNS = c.Old.Center, c.New.Center
		c.Ratio = c.NewNS / c.OldNS
		logs += math.Log(c.Ratio)
		var decided bool
		c.Significant, c.P, decided = significant(a, b, &c, thresholds)
		if !decided {
			r.Undecided = append(r.Undecided, c.Name)
		}
		c.Slower = c.Significant && c.Ratio > 1+o.Threshold
		c.Faster = c.Significant && c.Ratio < 1/(1+o.Threshold)
		r.Changes = append(r.Changes, c)
	}
	for i := range old.Times {
		if name := old.Times[i].Name; before[name] != nil {
			r.OnlyOld = append(r.OnlyOld, name)
		}
	}
	if len(r.Changes) == 0 {
		return nil, fmt.Errorf("%s and %s have no workload in common", old.Source, new.Source)
	}
	r.Mean = math.Exp(logs / float64(len(r.Changes)))
	return r, nil
}

// significant tells whether a and b differ, and whether that could be told at
// all.
func significant(a, b *Times, c *Change, thresholds *benchmath.Thresholds) (differ bool, p float64, decided bool) {
	if a.Row != nil || b.Row != nil {
		infinite := math.IsInf(c.Old.Lo, 0) || math.IsInf(c.New.Lo, 0) || math.IsInf(c.Old.Hi, 0) || math.IsInf(c.New.Hi, 0)
		return c.Old.Hi < c.New.Lo || c.New.Hi < c.Old.Lo, -1, !infinite
	}
	test := benchmath.AssumeNothing.Compare(a.sample(thresholds), b.sample(thresholds))
	return test.P < test.Alpha, test.P, test.P < test.Alpha || len(test.Warnings) == 0
}

func (t *Times) sample(thresholds *benchmath.Thresholds) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(t.Samples), thresholds)
}

// summary is the median with its interval, in ns.
func (t *Times) summary(thresholds *benchmath.Thresholds) benchmath.Summary {
	if t.Row != nil {
		m, half := t.Row.LatencyMedianNS, t.Row.LatencyCI95NS
		return benchmath.Summary{Center: m, Lo: m - half, Hi: m + half, Confidence: confidence}
	}
	return benchmath.AssumeNothing.Summary(t.sample(thresholds), confidence)
}

// count is the number of samples.
func (t *Times) count() int {
	if t.Row != nil {
		return int(t.Row.Samples)
	}
	return len(t.Samples)
}

// SameDevice fails with a [DeviceError] where the two are known to be of
// different devices, and says what is not known.
func SameDevice(old, new *Results) (warning string, err error) {
	differ := func(what, a, b string) error {
		return fmt.Errorf("%s is of the %s %q, %s of %q: times of different devices do not compare", old.Source, what, a, new.Source, b)
	}
	if a, b := old.Fingerprint(), new.Fingerprint(); a != "" && b != "" {
		if a != b {
			return "", &DeviceError{differ("device", a, b)}
		}
		return "", nil
	}
	for _, key := range []string{"goos", "goarch", "cpu"} {
		if a, b := old.Config[key], new.Config[key]; a != "" && b != "" && a != b {
			return "", &DeviceError{differ(key, a, b)}
		}
	}
	without := old
	if old.Fingerprint() != "" {
		without = new
	}
	return fmt.Sprintf("%s has no line %q: whether both are of one device is not certain", without.Source, FingerprintKey+": ..."), nil
}

// DeviceError says that results are of different devices.
type DeviceError struct{ err error }

func (e *DeviceError) Error() string { return e.err.Error() }
