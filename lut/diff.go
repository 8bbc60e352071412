package lut

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// DiffOptions say how tables are compared.
type DiffOptions struct {
	Alpha     float64 // share of false findings among the findings, such as 0.05
	Threshold float64 // share by which a median has to differ, such as 0.02
	Holm      bool    // Alpha is the probability of any false finding instead
	Across    bool    // compare tables of different devices, runtimes or threads
}

// Difference is what became of one workload in one cache state.
type Difference struct {
	Key    string  `json:"key"`
	Cache  string  `json:"cache_state"`
	OldNS  float64 `json:"old_ns"`
	NewNS  float64 `json:"new_ns"`
	Ratio  float64 `json:"ratio"`    // new over old
	Half   float64 `json:"ratio_ci"` // half-width of the ratio's 95% interval
	P      float64 `json:"p"`        // adjusted for the number of workloads; 1 where undecided
	Slower bool    `json:"slower"`   // significantly, and by more than the threshold
	Faster bool    `json:"faster"`
	// Undecided workloads are without an interval on a side, of a single sample,
	// or predicted there.
	Undecided bool `json:"undecided"`
}

// Differences are the outcome of [Diff].
type Differences struct {
	Rows    []Difference `json:"rows"` // the largest change first
	OnlyOld []string     `json:"only_old"`
	OnlyNew []string     `json:"only_new"`
	Mean    float64      `json:"mean_ratio"` // geometric
}

// z95 is the 97.5% quantile of the normal distribution.
const z95 = 1.959963984540054

// Diff compares each workload that both tables have, as the runtime computes it
// by its own choice of an algorithm. Whether the logarithms of
// the medians differ is tested as between normal variables, whose standard
// errors are those of the stored 95% intervals; the p-values are adjusted for
// their number by Benjamini and Hochberg's method, or Holm's.
func Diff(old, new *Table, o DiffOptions) (*Differences, error) {
	if !o.Across {
		if err := sameOrigin(old.Meta, new.Meta, "times of different origin do not compare, unless asked to (--across)"); err != nil {
			return nil, fmt.Errorf("lut: %w", err)
		}
	}
	index, err := new.indexRows()
	if err != nil {
		return nil, fmt.Errorf("lut: %w", err)
	}
	d := &Differences{OnlyOld: []string{}, OnlyNew: []string{}}
	matched := make([]bool, len(new.Rows))
	logs := 0.0
	for i := range old.Rows {
		a := &old.Rows[i]
		at := index.find(index.hash(a.workload(), a.Cache), func(at int) bool { return new.Rows[at].Key == a.Key && new.Rows[at].Cache == a.Cache })
		if at < 0 {
			d.OnlyOld = append(d.OnlyOld, a.Key)
			continue
		}
		matched[at] = true
		b := &new.Rows[at]
		row := Difference{Key: a.Key, Cache: a.Cache, OldNS: a.LatencyMedianNS, NewNS: b.LatencyMedianNS, Ratio: b.LatencyMedianNS / a.LatencyMedianNS, P: 1}
		change := math.Log(row.Ratio)
		logs += change
		switch sigma := math.Hypot(a.relativeError(), b.relativeError()); {
		case !a.hasInterval() || !b.hasInterval() || a.Predicted() || b.Predicted():
			row.Undecided = true
		default:
			row.Half = row.Ratio * z95 * sigma
			if sigma > 0 {
				row.P = 2 * distuv.UnitNormal.Survival(math.Abs(change)/sigma)
			} else if change != 0 {
				row.P = 0
			}
		}
		d.Rows = append(d.Rows, row)
	}
	for i := range new.Rows {
		if !matched[i] {
			d.OnlyNew = append(d.OnlyNew, new.Rows[i].Key)
		}
	}
	if len(d.Rows) == 0 {
		return nil, errors.New("lut: the tables have no workload in common")
	}
	d.Mean = math.Exp(logs / float64(len(d.Rows)))
	adjust(d.Rows, o.Holm)
	for i := range d.Rows {
		r := &d.Rows[i]
		r.Slower = r.P <= o.Alpha && r.Ratio > 1+o.Threshold
		r.Faster = r.P <= o.Alpha && r.Ratio < 1/(1+o.Threshold)
	}
	slices.SortStableFunc(d.Rows, func(a, b Difference) int {
		return cmp.Compare(math.Abs(math.Log(b.Ratio)), math.Abs(math.Log(a.Ratio)))
	})
	return d, nil
}

// adjust replaces the p-values of the rows that were decided.
func adjust(rows []Difference, holm bool) {
	var order []int
	for i := range rows {
		if !rows[i].Undecided {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rows[a].P, rows[b].P) })
	m := float64(len(order))
	if holm {
		largest := 0.0
		for rank, i := range order {
			largest = max(largest, min(1, rows[i].P*(m-float64(rank))))
			rows[i].P = largest
		}
		return
	}
	smallest := 1.0
	for rank := len(order) - 1; rank >= 0; rank-- {
		i := order[rank]
		smallest = min(smallest, rows[i].P*m/float64(rank+1))
		rows[i].P = smallest
	}
}

// hasInterval tells an interval of no width, where the clock told no times
// apart, from one that is not known, as of a single sample.
func (r *Row) hasInterval() bool { return r.LatencyCI95NS > 0 || r.Stable }

// relativeError is the standard error of the median over the median.
func (r *Row) relativeError() float64 { return r.LatencyCI95NS / z95 / r.LatencyMedianNS }
