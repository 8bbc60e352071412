package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
)

// layer is a workload of a network with all its occurrences.
type layer struct {
	Name      string
	Times     int
	LatencyNS float64 // of all occurrences
	Share     float64 // of the network
	Source    string
}

// layersOf sums the parts of a prediction by workload, slowest first.
func layersOf(p predictor.Prediction) []layer {
	var all []layer
	at := map[string]int{}
	for _, part := range p.Parts {
		name := part.Workload.String()
		i, ok := at[name]
		if !ok {
			i = len(all)
			at[name] = i
			all = append(all, layer{Name: name, Source: part.Source})
		}
		all[i].Times++
		all[i].LatencyNS += part.LatencyNS
	}
	for i := range all {
		all[i].Share = all[i].LatencyNS / p.LatencyNS
	}
	slices.SortStableFunc(all, func(a, b layer) int { return cmp.Compare(b.LatencyNS, a.LatencyNS) })
	return all
}

// family sums up the rows of one family of workloads.
type family struct {
	Name         string
	Rows, Stable int
	MedianCI     float64 // median of the half-width over the median latency
	LargestCI    float64
}

// relativeCI is the half-width of a row's interval over its median latency.
func relativeCI(r lut.Row) float64 { return r.LatencyCI95NS / r.LatencyMedianNS }

func familiesOf(t *lut.Table) []family {
	intervals := map[string][]float64{}
	stable := map[string]int{}
	for _, r := range t.Rows {
		w, err := r.Workload()
		if err != nil { // the table was verified when it was read
			continue
		}
		name := w.Family()
		intervals[name] = append(intervals[name], relativeCI(r))
		if r.Stable {
			stable[name]++
		}
	}
	var all []family
	for name, ci := range intervals {
		slices.Sort(ci)
		all = append(all, family{name, len(ci), stable[name], median(ci), ci[len(ci)-1]})
	}
	slices.SortFunc(all, func(a, b family) int { return cmp.Or(b.Rows-a.Rows, cmp.Compare(a.Name, b.Name)) })
	return all
}

// Stable is the share of rows that reached the asked interval.
func (f family) StableShare() float64 { return float64(f.Stable) / float64(f.Rows) }

// median of sorted values.
func median(sorted []float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// summarise returns the median relative error and the share of measurements
// that lie in their interval.
func summarise(networks []Comparison) (medianError, coverage float64) {
	var errs []float64
	inside := 0
	for _, n := range networks {
		errs = append(errs, math.Abs(n.Error()))
		if n.Inside() {
			inside++
		}
	}
	slices.Sort(errs)
	return median(errs), float64(inside) / float64(len(networks))
}

// timeUnit is a unit of time with its size in ns.
type timeUnit struct {
	name string
	ns   float64
}

// unitOf is the unit that suits the longest of the times that are shown together.
func unitOf(longestNS float64) timeUnit {
	if math.Abs(longestNS) < 1e6 {
		return timeUnit{"µs", 1e3}
	}
	return timeUnit{"ms", 1e6}
}

// latency writes nanoseconds with three significant digits.
func latency(ns float64) string {
	if ns == 0 || math.IsNaN(ns) {
		return "–"
	}
	unit := unitOf(ns)
	v := ns / unit.ns
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return strconv.FormatFloat(v, 'f', digits, 64) + " " + unit.name
}

func percent(share float64) string {
	if math.IsNaN(share) {
		return "–"
	}
	return strconv.FormatFloat(100*share, 'f', 1, 64) + "%"
}

func signedPercent(share float64) string { return fmt.Sprintf("%+.1f%%", 100*share) }

// count writes a number with three digits and a prefix, such as 1.23 M.
func count(n int64) string {
	for _, u := range []struct {
		value  float64
		prefix string
	}{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if v := float64(n) / u.value; v >= 1 {
			return strconv.FormatFloat(v, 'g', 3, 64) + u.prefix
		}
	}
	return strconv.FormatInt(n, 10)
}

// byteSize writes bytes in the unit that fits caches and memories.
func byteSize[T int64 | uint64](n T) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.4g KiB", float64(n)/(1<<10))
}

func energy(mj float64) string {
	if mj == 0 || math.IsNaN(mj) {
		return "–"
	}
	return strconv.FormatFloat(mj, 'g', 3, 64) + " mJ"
}
