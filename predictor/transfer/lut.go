package transfer

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// CompleteTable adds to a table of a few measured rows those that it lacks and
// all known tables have, with warm caches, as predicted from these: see
// [lut.Row.Predicted]. What was measured stays as it is; what was predicted
// before is predicted anew, and predictions in known tables are not looked at.
//
// Networks that all known tables have are predicted as well: by their rows and
// by what they take beyond the sum of these there.
//
// Known devices count the more, the more their tables' metadata have in common
// with the new one's.
func CompleteTable(known []*lut.Table, measured *lut.Table, seed uint64) (*lut.Table, error) {
	t, err := readTables(known, measured)
	if err != nil {
		return nil, err
	}
	out := &lut.Table{Meta: measured.Meta, Alternatives: measured.Alternatives, Failures: measured.Failures}
	have := map[string]bool{} // warm rows
	var which []int
	var logs, noise []float64
	for i, r := range measured.Rows {
		if r.Predicted() {
			continue
		}
		if !(r.LatencyMedianNS > 0) || math.IsInf(r.LatencyMedianNS, 0) {
			return nil, fmt.Errorf("transfer: the new device's table: row %d: latency_median_ns is %v, want a positive number", i, r.LatencyMedianNS)
		}
		out.Rows = append(out.Rows, r)
		if r.Cache != lut.CacheWarm {
			continue
		}
		have[r.Key] = true
		if at, ok := t.index[r.Key]; ok {
			which, logs, noise = append(which, at), append(logs, math.Log(r.LatencyMedianNS)), append(noise, noiseOf(r))
		}
	}
	if len(which) < leastMeasured {
		return nil, fmt.Errorf("transfer: the new device's table shares %d measured workloads with all of the %d known ones, want at least %d", len(which), len(known), leastMeasured)
	}
	predicted, err := complete(t.workloads, t.logs, t.alike, which, logs, noise, seed)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	for i, w := range t.workloads {
		if have[w.String()] {
			continue
		}
		row := lut.NewRow(w)
		row.LatencyMedianNS, row.MeasuredAt = predicted.value(i), now
		row.LatencyMeanNS, row.RawMedianNS = row.LatencyMedianNS, row.LatencyMedianNS
		row.LatencyP10NS, row.LatencyP90NS, row.LatencyCI95NS = predicted.spread(i)
		out.Rows = append(out.Rows, row)
	}
	for _, n := range measured.Networks {
		if n.Samples > 0 {
			out.Networks = append(out.Networks, n)
		}
	}
	wrong, err := t.rehearseNetworks(known, which, noise)
	if err != nil {
		return nil, err
	}
	out.Networks = append(out.Networks, t.predictNetworks(known, out, wrong)...)
	return out, nil
}

// spread are the 10th and the 90th percentile of an item's prediction and the
// half-width of its 95% interval.
func (p *prediction) spread(item int) (p10, p90, half95 float64) {
	p10, p90, _ = p.interval(item, 0.8)
	low, high, _ := p.interval(item, 0.95)
	return p10, p90, (high - low) / 2
}

// noiseOf is the variance of the logarithm of a row's latency. Of so few samples
// that there is no interval, which is stored as 0, it is as wide as the median.
func noiseOf(r lut.Row) float64 {
	const fewest = 6 // for an interval of 95% by order statistics
	half := r.LatencyCI95NS / r.LatencyMedianNS
	if half == 0 && r.Samples < fewest {
		half = 1
	}
	return half / normal95 * half / normal95
}

// leastMeasured is how few measurements tell anything of a device.
const leastMeasured = 3

// ChooseRows says which k workloads of those that all known tables have are best
// measured on a new device, for [CompleteTable].
func ChooseRows(known []*lut.Table, k int, seed uint64) ([]graph.Workload, error) {
	t, err := readTables(known, &lut.Table{})
	if err != nil {
		return nil, err
	}
	if k < leastMeasured || k >= len(t.workloads) {
		return nil, fmt.Errorf("transfer: %d workloads to measure of the %d that the known tables share, want at least %d and fewer than all", k, len(t.workloads), leastMeasured)
	}
	p := newWorkloadProcess(t.workloads, t.logs, make([]float64, len(known)))
	var out []graph.Workload
	for _, i := range p.chooseWorkloads(k, t.networks(known), t.usualNoise(), rand.New(rand.NewPCG(seed, 0x10))) {
		out = append(out, t.workloads[i])
	}
	return out, nil
}

// usualNoise is the variance of measuring each workload on a known device, the
// median of these: what cannot be measured well is not worth it.
func (t *tables) usualNoise() []float64 {
	out := make([]float64, len(t.workloads))
	of := make([]float64, len(t.noise))
	for i := range out {
		for d := range of {
			of[d] = t.noise[d][i]
		}
		out[i] = median(of)
	}
	return out
}

// networks are the share of workloads in each network of the known tables, of
// which all workloads are there.
func (t *tables) networks(known []*lut.Table) []map[int]float64 {
	var out []map[int]float64
	seen := map[string]bool{}
	for _, table := range known {
	network:
		for _, n := range table.Networks {
			if seen[n.Name] || n.Use == "test" {
				continue
			}
			share, total := map[int]float64{}, 0.0
			for _, key := range n.Workloads {
				i, ok := t.index[key]
				if !ok {
					continue network
				}
				ns := 0.0
				for d := range t.logs {
					ns += t.logs[d][i] / float64(len(t.logs))
				}
				share[i] += math.Exp(ns)
				total += math.Exp(ns)
			}
			seen[n.Name] = true
			for i := range share {
				share[i] /= total
			}
			out = append(out, share)
		}
	}
	return out
}

// tables are the warm workloads that all known tables have, in the order of the
// first.
type tables struct {
	workloads []graph.Workload
	index     map[string]int // by the workload's name
	logs      [][]float64    // of latencies, by device and workload
	noise     [][]float64    // variances of logs
	family    []int          // of workloads
	// alike are how many things known devices have in common with one of them,
	// or with the new one.
	alike func(known *int) []float64
}

func readTables(known []*lut.Table, unknown *lut.Table) (*tables, error) {
	if len(known) == 0 {
		return nil, errors.New("transfer: there is no table of a known device")
	}
	rows := make([]map[string]lut.Row, len(known))
	for d, table := range known {
		rows[d] = make(map[string]lut.Row, len(table.Rows))
		for i, r := range table.Rows {
			if r.Cache != lut.CacheWarm || r.Predicted() {
				continue
			}
			if !(r.LatencyMedianNS > 0) || math.IsInf(r.LatencyMedianNS, 0) {
				return nil, fmt.Errorf("transfer: known table %d: row %d: latency_median_ns is %v, want a positive number", d, i, r.LatencyMedianNS)
			}
			rows[d][r.Key] = r
		}
	}
	t := &tables{logs: make([][]float64, len(known)), noise: make([][]float64, len(known)), index: map[string]int{}}
	for i, r := range known[0].Rows {
		if r.Cache != lut.CacheWarm || slices.ContainsFunc(rows, func(of map[string]lut.Row) bool { _, ok := of[r.Key]; return !ok }) {
			continue
		}
		w, err := r.Workload()
		if err != nil {
			return nil, fmt.Errorf("transfer: known table 0: row %d: %w", i, err)
		}
		t.index[r.Key] = len(t.workloads)
		t.workloads = append(t.workloads, w)
		for d := range known {
			row := rows[d][r.Key]
			t.logs[d], t.noise[d] = append(t.logs[d], math.Log(row.LatencyMedianNS)), append(t.noise[d], noiseOf(row))
		}
	}
	if len(t.workloads) <= leastMeasured {
		return nil, fmt.Errorf("transfer: the %d known tables share %d measured workloads, want more than %d", len(known), len(t.workloads), leastMeasured)
	}
	t.family = familiesOf(t.workloads)
	t.alike = func(one *int) []float64 {
		meta := unknown.Meta
		if one != nil {
			meta = known[*one].Meta
		}
		out := make([]float64, len(known))
		for d := range known {
			out[d] = likeness(meta, known[d].Meta)
		}
		return out
	}
	return t, nil
}

// likeness counts what two tables' devices and ways of running have in common.
func likeness(a, b lut.Meta) float64 {
	n := 0.0
	for _, same := range []bool{
		a.Device.OS == b.Device.OS, a.Device.Arch == b.Device.Arch,
		slices.Equal(a.Device.CPUs, b.Device.CPUs), slices.Equal(a.Device.ISA, b.Device.ISA),
		a.Fingerprint == b.Fingerprint, a.Runtime == b.Runtime, a.Threads == b.Threads,
		maps.Equal(a.RuntimeOptions, b.RuntimeOptions),
	} {
		if same {
			n++
		}
	}
	return n
}
