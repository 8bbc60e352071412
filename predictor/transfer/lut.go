package transfer

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// Row is the latency of a workload on the new device.
type Row struct {
	Key       string
	LatencyNS float64
	// LowNS and HighNS hold the latency with the asked coverage. Of a row that
	// was measured they are those of its 95% confidence interval.
	LowNS, HighNS float64
	Measured      bool // else predicted
}

// CompleteTable predicts, from complete tables of known devices and a few rows
// of a new one, the warm latency of every workload that all known tables have.
// Rows that were measured are returned as they are. Where the tables say what
// devices they are of, the known one that is most like the new one counts apart.
func CompleteTable(known []*lut.Table, measured *lut.Table, coverage float64, seed uint64) ([]Row, error) {
	keys, it, err := itemsOfTables(known, measured)
	if err != nil {
		return nil, err
	}
	index := make(map[string]int, len(keys))
	for i, key := range keys {
		index[key] = i
	}
	var out []Row
	var which []int
	var times []float64
	for i, r := range measured.Rows {
		if r.Cache != lut.CacheWarm {
			continue
		}
		if !(r.LatencyMedianNS > 0) || math.IsInf(r.LatencyMedianNS, 0) {
			return nil, fmt.Errorf("transfer: the new device's table: row %d: latency_median_ns is %v, want a positive number", i, r.LatencyMedianNS)
		}
		out = append(out, Row{r.Key, r.LatencyMedianNS, r.LatencyMedianNS - r.LatencyCI95NS, r.LatencyMedianNS + r.LatencyCI95NS, true})
		if at, ok := index[r.Key]; ok {
			which, times = append(which, at), append(times, r.LatencyMedianNS)
		}
	}
	if len(which) < 3 {
		return nil, fmt.Errorf("transfer: the new device's table shares %d warm workloads with all of the %d known ones, want at least 3", len(which), len(known))
	}
	prior, err := learn(it, len(which), seed)
	if err != nil {
		return nil, fmt.Errorf("transfer: %w", err)
	}
	prediction, err := prior.predict(which, times)
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		if slices.Contains(which, i) {
			continue
		}
		low, high, err := prediction.Interval(i, coverage)
		if err != nil {
			return nil, err
		}
		out = append(out, Row{key, prediction.Value(i), low, high, false})
	}
	return out, nil
}

// ChooseRows names the k workloads that are best measured on a new device.
func ChooseRows(known []*lut.Table, k int, seed uint64) ([]string, error) {
	keys, it, err := itemsOfTables(known, &lut.Table{})
	if err != nil {
		return nil, err
	}
	if k < 3 || k >= len(keys) {
		return nil, fmt.Errorf("transfer: %d workloads to measure of %d, want at least 3 and fewer than all", k, len(keys))
	}
	prior, err := learn(it, k, seed)
	if err != nil {
		return nil, fmt.Errorf("transfer: %w", err)
	}
	var out []string
	for _, i := range prior.choose(len(keys), k, rand.New(rand.NewPCG(seed, 0x10))) {
		out = append(out, keys[i])
	}
	return out, nil
}

// itemsOfTables are the warm workloads that all known tables have, in the order
// of the first.
func itemsOfTables(known []*lut.Table, unknown *lut.Table) ([]string, *items, error) {
	if len(known) == 0 {
		return nil, nil, errors.New("transfer: there is no table of a known device")
	}
	latency := make([]map[string]float64, len(known))
	for d, table := range known {
		latency[d] = make(map[string]float64, len(table.Rows))
		for i, r := range table.Rows {
			if r.Cache != lut.CacheWarm {
				continue
			}
			if !(r.LatencyMedianNS > 0) || math.IsInf(r.LatencyMedianNS, 0) {
				return nil, nil, fmt.Errorf("transfer: known table %d: row %d: latency_median_ns is %v, want a positive number", d, i, r.LatencyMedianNS)
			}
			latency[d][r.Key] = r.LatencyMedianNS
		}
	}
	it := &items{times: make([][]float64, len(known))}
	var keys []string
	var workloads []graph.Workload
	families := map[string]int{}
	for i, r := range known[0].Rows {
		if r.Cache != lut.CacheWarm || slices.ContainsFunc(latency, func(l map[string]float64) bool { _, ok := l[r.Key]; return !ok }) {
			continue
		}
		w, err := r.Workload()
		if err != nil {
			return nil, nil, fmt.Errorf("transfer: known table 0: row %d: %w", i, err)
		}
		if _, ok := families[w.Family()]; !ok {
			families[w.Family()] = len(families)
		}
		keys, workloads = append(keys, r.Key), append(workloads, w)
		for d := range known {
			it.times[d] = append(it.times[d], latency[d][r.Key])
		}
	}
	if len(keys) < 4 {
		return nil, nil, fmt.Errorf("transfer: the %d known tables share %d warm workloads, want at least 4", len(known), len(keys))
	}
	for _, w := range workloads {
		work := []float64{math.Log1p(float64(w.MACs())), math.Log1p(float64(w.Bytes())), math.Log1p(float64(w.Params()))}
		f := families[w.Family()]
		perFamily := make([]float64, 2*len(families))
		perFamily[2*f], perFamily[2*f+1] = work[0], work[1]
		it.groups = append(it.groups, []group{
			{"work", work, true},
			{"family", oneHot(1, len(families), f), false},
			{"work of families", perFamily, false},
		})
	}
	for d := range known {
		it.families = append(it.families, fmt.Sprint(d))
	}
	it.alike = func(new int, of []int) int {
		meta := unknown.Meta
		if new >= 0 {
			meta = known[new].Meta
		}
		best, most := of[0], -1
		for _, d := range of {
			if l := likeness(meta, known[d].Meta); l > most {
				best, most = d, l
			}
		}
		return best
	}
	return keys, it, nil
}

// likeness counts what two tables' devices and ways of running have in common.
func likeness(a, b lut.Meta) int {
	n := 0
	for _, same := range []bool{
		a.Device.OS == b.Device.OS, a.Device.Arch == b.Device.Arch,
		slices.Equal(a.Device.CPUs, b.Device.CPUs), slices.Equal(a.Device.ISA, b.Device.ISA),
		a.Fingerprint == b.Fingerprint, a.Runtime == b.Runtime, a.Threads == b.Threads,
	} {
		if same {
			n++
		}
	}
	return n
}
