package lut

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"
)

// Conflict is a workload whose measurements differ by more than their intervals
// explain.
type Conflict struct {
	Key       string    `json:"key"`
	Cache     string    `json:"cache_state"`
	Algorithm string    `json:"algorithm,omitempty"`
	MediansNS []float64 `json:"medians_ns"`
	Birge     float64   `json:"birge"` // ratio by which the interval was widened
	P         float64   `json:"p"`     // of measurements as far apart by chance
}

// conflictP is the probability below which measurements are in conflict.
const conflictP = 0.001

// minRelativeError keeps a row whose clock told no times apart from outweighing
// all others.
const minRelativeError = 1e-4

// Merge combines repeated measurements of one device, runtime and number of
// threads. Medians are weighted by their inverse variance, which the 95%
// intervals tell. Where they are further apart than that explains, the interval
// is widened by Birge's ratio, as is usual with physical constants; a workload
// where that happens by chance in less than one of a thousand cases is
// reported, and not stable. Means and percentiles are averaged with the same
// weights, samples added, and the latest time kept. Rows without an interval
// count only where no other has one, predicted rows only where none was
// measured. Energy is averaged among rows of the same source; a meter goes before
// a model. Tables that have the very same measurement are an error: it would
// count twice.
func Merge(tables ...*Table) (*Table, []Conflict, error) {
	fail := func(err error) (*Table, []Conflict, error) { return nil, nil, fmt.Errorf("lut: merge: %w", err) }
	if len(tables) == 0 {
		return fail(errors.New("no tables"))
	}
	out := &Table{Meta: tables[0].Meta}
	var order []identity
	rows := map[identity][]*Row{}
	networks := map[string][]Network{}
	var names []string
	for i, t := range tables {
		if err := sameOrigin(out.Meta, t.Meta, "measurements of different origin are not combined, unless asked to (--across keeps the fastest of each workload)"); err != nil {
			return fail(err)
		}
		if t.Published != nil {
			return fail(fmt.Errorf("table %d has published entries, which are not measurements of this device", i))
		}
		out.Meta.addProtocol(&t.Meta, i > 0)
		for _, part := range [][]Row{t.Rows, t.Alternatives} {
			for n := range part {
				id := part[n].identity()
				if rows[id] == nil {
					order = append(order, id)
				}
				if slices.ContainsFunc(rows[id], part[n].sameMeasurement) {
					return fail(fmt.Errorf("%s of table %d is a measurement that a table before it has too: a measurement counts once", part[n].Key, i))
				}
				rows[id] = measuredFirst(rows[id], &part[n], (*Row).Predicted)
			}
		}
		for _, n := range t.Networks {
			if networks[n.Name] == nil {
				names = append(names, n.Name)
			}
			networks[n.Name] = measuredFirst(networks[n.Name], n, func(n Network) bool { return n.Samples == 0 })
		}
	}
	var conflicts []Conflict
	for _, id := range order {
		row, c := mergeRows(rows[id], out.Meta.Protocol.RelativeCI)
		if row.Algorithm == "" {
			out.Rows = append(out.Rows, row)
		} else {
			out.Alternatives = append(out.Alternatives, row)
		}
		if c.P < conflictP {
			conflicts = append(conflicts, c)
		}
	}
	for _, name := range names {
		n, c, err := mergeNetworks(networks[name])
		if err != nil {
			return fail(err)
		}
		out.Networks = append(out.Networks, n)
		if c.P < conflictP {
			conflicts = append(conflicts, c)
		}
	}
	for _, t := range tables {
		for _, f := range t.Failures { // which another table may have measured
			known := rows[identity{f.Name, f.Cache, f.Algorithm}] != nil
			if f.Network {
				known = networks[f.Name] != nil
			}
			if !known && !slices.ContainsFunc(out.Failures, func(o Failure) bool {
				return o.Name == f.Name && o.Cache == f.Cache && o.Algorithm == f.Algorithm && o.Network == f.Network
			}) {
				out.Failures = append(out.Failures, f)
			}
		}
	}
	slices.SortStableFunc(conflicts, func(a, b Conflict) int { return cmp.Compare(b.Birge, a.Birge) })
	if err := out.Verify(); err != nil {
		return nil, nil, err
	}
	return out, conflicts, nil
}

// sameMeasurement tells whether another row is of the same measurement, and not
// of a repeated one, which never takes the same to the nanosecond at the same time.
func (r *Row) sameMeasurement(o *Row) bool {
	return !r.Predicted() && r.MeasuredAt.Equal(o.MeasuredAt) && r.Samples == o.Samples &&
		r.LatencyMedianNS == o.LatencyMedianNS && r.RawMedianNS == o.RawMedianNS && r.LatencyMeanNS == o.LatencyMeanNS
}

// measuredFirst adds v to what is combined, unless only one of them was measured:
// a prediction adds nothing to a measurement. Of predictions the last counts.
func measuredFirst[T any](list []T, v T, predicted func(T) bool) []T {
	switch {
	case len(list) == 0 || !predicted(v) && !predicted(list[0]):
		return append(list, v)
	case predicted(v) && !predicted(list[0]):
		return list
	}
	return []T{v}
}

// MergeAcross combines tables of one device and of several runtimes: of each
// workload and network the fastest measurement, as of someone who uses the
// fastest runtime for each; predictions only where there is none. The runtime of
// the result is the names of all. Rows by a certain algorithm are left out: its
// name means nothing to another runtime.
func MergeAcross(tables ...*Table) (*Table, []Conflict, error) {
	fail := func(err error) (*Table, []Conflict, error) { return nil, nil, fmt.Errorf("lut: merge: %w", err) }
	if len(tables) == 0 {
		return fail(errors.New("no tables"))
	}
	out := &Table{Meta: tables[0].Meta}
	rows, networks := map[identity]int{}, map[string]int{}
	var names, versions []string
	for i, t := range tables {
		switch {
		case t.Meta.Fingerprint != out.Meta.Fingerprint:
			return fail(fmt.Errorf("the device fingerprint was %s, now it is %s: tables of different devices are not combined", out.Meta.Fingerprint, t.Meta.Fingerprint))
		case t.Meta.Threads != out.Meta.Threads:
			return fail(fmt.Errorf("the number of threads was %d, now it is %d: tables of different threads are not combined", out.Meta.Threads, t.Meta.Threads))
		case t.Published != nil:
			return fail(fmt.Errorf("table %d has published entries, which are not measurements of this device", i))
		}
		out.Meta.addProtocol(&t.Meta, i > 0)
		out.Meta.RuntimeOverheadNS = min(out.Meta.RuntimeOverheadNS, t.Meta.RuntimeOverheadNS)
		if !slices.Contains(names, t.Meta.Runtime) {
			names, versions = append(names, t.Meta.Runtime), append(versions, t.Meta.RuntimeVersion)
		}
		for _, r := range t.Rows {
			id := r.identity()
			at, ok := rows[id]
			switch {
			case !ok:
				rows[id] = len(out.Rows)
				out.Rows = append(out.Rows, r)
			case r.Predicted() != out.Rows[at].Predicted():
				if !r.Predicted() {
					out.Rows[at] = r
				}
			case r.LatencyMedianNS < out.Rows[at].LatencyMedianNS:
				out.Rows[at] = r
			}
		}
		for _, n := range t.Networks {
			at, ok := networks[n.Name]
			if !ok {
				networks[n.Name] = len(out.Networks)
				out.Networks = append(out.Networks, n)
			} else if o := &out.Networks[at]; o.Samples == 0 || n.Samples > 0 && n.LatencyMedianNS < o.LatencyMedianNS {
				*o = n
			}
		}
	}
	out.Meta.Runtime, out.Meta.RuntimeVersion, out.Meta.RuntimeOptions = strings.Join(names, "+"), strings.Join(versions, "+"), nil
	if err := out.Verify(); err != nil {
		return nil, nil, err
	}
	return out, nil, nil
}

// addProtocol keeps of two protocols what holds for both.
func (m *Meta) addProtocol(o *Meta, further bool) {
	if !further {
		return
	}
	if o.Created.After(m.Created) {
		m.Created, m.Device = o.Created, o.Device
	}
	p, q := &m.Protocol, &o.Protocol
	p.RelativeCI = max(p.RelativeCI, q.RelativeCI)
	p.BudgetSeconds += q.BudgetSeconds
	p.MaxItemSeconds = max(p.MaxItemSeconds, q.MaxItemSeconds)
	p.Pinned = p.Pinned && q.Pinned
	if p.Baseline == nil || q.Baseline == nil || *p.Baseline != *q.Baseline {
		p.Baseline = nil
	}
	if p.EnergyModel == nil || q.EnergyModel == nil || *p.EnergyModel != *q.EnergyModel {
		p.EnergyModel = nil
	}
	if p.Calibration != q.Calibration {
		p.Calibration = ""
	}
}

// combine returns the weights of medians, which add up to 1, their mean with
// the half-width of its interval, and how far they are apart.
func combine(medians, halves []float64) (weights []float64, mean, half, birge, p float64) {
	weights = make([]float64, len(medians))
	total := 0.0
	for i, half := range halves {
		sigma := max(half/z95, minRelativeError*medians[i])
		weights[i] = 1 / (sigma * sigma)
		total += weights[i]
	}
	for i := range weights {
		mean += weights[i] / total * medians[i]
	}
	chi := 0.0
	for i := range weights {
		chi += weights[i] * (medians[i] - mean) * (medians[i] - mean)
		weights[i] /= total
	}
	birge, p = 1, 1
	if n := float64(len(medians) - 1); n > 0 {
		birge = max(1, math.Sqrt(chi/n))
		p = distuv.ChiSquared{K: n}.Survival(chi)
	}
	return weights, mean, birge * z95 / math.Sqrt(total), birge, p
}

func mergeRows(rows []*Row, relativeCI float64) (Row, Conflict) {
	out := *rows[0]
	c := Conflict{Key: out.Key, Cache: out.Cache, Algorithm: out.Algorithm, P: 1}
	if len(rows) == 1 {
		return out, c
	}
	used := slices.DeleteFunc(slices.Clone(rows), func(r *Row) bool { return !r.hasInterval() })
	known := len(used) > 0
	if !known {
		used = rows
	}
	var medians, halves []float64
	for _, r := range used {
		medians = append(medians, r.LatencyMedianNS)
		half := r.LatencyCI95NS
		if !known { // as precise as they are numerous
			half = r.LatencyMedianNS / math.Sqrt(float64(r.Samples))
		}
		halves = append(halves, half)
	}
	weights, mean, half, birge, p := combine(medians, halves)
	mix := func(get func(*Row) float64) (v float64) {
		for i, r := range used {
			v += weights[i] * get(r)
		}
		return v
	}
	out.LatencyMedianNS = mean
	out.LatencyMeanNS = mix(func(r *Row) float64 { return r.LatencyMeanNS })
	out.RawMedianNS = mix(func(r *Row) float64 { return r.RawMedianNS })
	out.LatencyP10NS = min(mean, mix(func(r *Row) float64 { return r.LatencyP10NS }))
	out.LatencyP90NS = max(mean, mix(func(r *Row) float64 { return r.LatencyP90NS }))
	out.LatencyCI95NS = half
	out.Stable = known && (relativeCI == 0 || 2*half <= relativeCI*mean)
	if known {
		c.MediansNS, c.Birge, c.P = medians, birge, p
		out.Stable = out.Stable && p >= conflictP
	} else {
		out.LatencyCI95NS = (slices.Max(medians) - slices.Min(medians)) / 2
	}
	out.Samples = 0
	for _, r := range rows {
		out.Samples += r.Samples
		if r.MeasuredAt.After(out.MeasuredAt) {
			out.MeasuredAt = r.MeasuredAt
		}
	}
	out.EnergyMJ, out.EnergySource = mergeEnergy(rows)
	mergeConditions(&out, rows, used, weights)
	return out, c
}

// mergeConditions combines what says how the rows were measured: a number is
// the weighted mean over those that have it, in the weights of the latency.
func mergeConditions(out *Row, rows, used []*Row, weights []float64) {
	out.SamplesContended, out.SamplesInterrupted = 0, 0
	for _, r := range rows {
		out.SamplesContended += r.SamplesContended
		out.SamplesInterrupted += r.SamplesInterrupted
	}
	out.Contended, out.Bimodal = false, false
	for _, r := range used {
		out.Contended = out.Contended || r.Contended
		out.Bimodal = out.Bimodal || r.Bimodal
	}
	for _, field := range []func(*Row) **float64{
		func(r *Row) **float64 { return &r.FirstRunNS },
		func(r *Row) **float64 { return &r.Cycles },
		func(r *Row) **float64 { return &r.Instructions },
		func(r *Row) **float64 { return &r.CacheMisses },
		func(r *Row) **float64 { return &r.PeakMemoryBytes },
		func(r *Row) **float64 { return &r.TemperatureC },
		func(r *Row) **float64 { return &r.ClockHz },
		func(r *Row) **float64 { return &r.ComputeSlowdown },
		func(r *Row) **float64 { return &r.MemorySlowdown },
		func(r *Row) **float64 { return &r.RuntimeNodes },
		func(r *Row) **float64 { return &r.BorderNS },
	} {
		sum, weight := 0.0, 0.0
		for i, r := range used {
			if v := *field(r); v != nil {
				sum += weights[i] * *v
				weight += weights[i]
			}
		}
		*field(out) = nil
		if weight > 0 {
			sum /= weight
			*field(out) = &sum
		}
	}
	// They belong to an energy_mj that is no longer one measurement's.
	out.EnergyGrossMJ, out.EnergyIdleMJ = nil, nil
}

// modelled is the source of energy that no meter told.
const modelled = "modelled"

func mergeEnergy(rows []*Row) (*float64, string) {
	source := ""
	for _, r := range rows {
		if r.EnergyMJ != nil && (source == "" || source == modelled) {
			source = r.EnergySource
		}
	}
	sum, samples := 0.0, 0.0
	for _, r := range rows {
		if r.EnergyMJ != nil && r.EnergySource == source {
			sum += *r.EnergyMJ * float64(r.Samples)
			samples += float64(r.Samples)
		}
	}
	if source == "" {
		return nil, ""
	}
	sum /= samples
	return &sum, source
}

func mergeNetworks(list []Network) (Network, Conflict, error) {
	out := list[0]
	c := Conflict{Key: out.Name, P: 1}
	if len(list) == 1 {
		return out, c, nil
	}
	var medians, halves []float64
	for _, n := range list {
		if n.Use != out.Use || !slices.Equal(n.Workloads, out.Workloads) {
			return out, c, fmt.Errorf("network %q has other workloads, or another use, in one table than in another", out.Name)
		}
		medians, halves = append(medians, n.LatencyMedianNS), append(halves, n.LatencyCI95NS)
	}
	weights, mean, half, birge, p := combine(medians, halves)
	out.LatencyMedianNS, out.LatencyCI95NS = mean, half
	out.LatencyP10NS, out.LatencyP90NS, out.Samples = 0, 0, 0
	out.RawMedianNS, out.FirstRunNS = 0, 0
	for i, n := range list {
		out.LatencyP10NS += weights[i] * n.LatencyP10NS
		out.LatencyP90NS += weights[i] * n.LatencyP90NS
		out.Contended = out.Contended || n.Contended
		out.Bimodal = out.Bimodal || n.Bimodal
		out.Samples += n.Samples
	}
	out.LatencyP10NS, out.LatencyP90NS = min(mean, out.LatencyP10NS), max(mean, out.LatencyP90NS)
	c.MediansNS, c.Birge, c.P = medians, birge, p
	return out, c, nil
}
