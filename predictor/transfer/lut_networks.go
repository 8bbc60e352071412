package transfer

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// predictNetworks are the networks that all known tables have and the new one,
// of which all rows are there, lacks: the sum of its rows, times what a network
// takes over that sum on known devices. wrong is the standard deviation to expect
// of their logarithms, 0 where it is not known.
func predictNetworks(known []*lut.Table, table *lut.Table, wrong float64) []lut.Network {
	var out []lut.Network
	for _, n := range known[0].Networks {
		if n.Use == "test" || slices.ContainsFunc(table.Networks, func(o lut.Network) bool { return o.Name == n.Name }) {
			continue
		}
		workloads, err := n.ParseWorkloads()
		if err != nil {
			continue
		}
		sum, spread, ok := sumOfRows(table, workloads)
		if !ok {
			continue
		}
		var ratios []float64 // logarithms
		for _, k := range known {
			at := slices.IndexFunc(k.Networks, func(o lut.Network) bool { return sameNetwork(o, n) })
			if at < 0 {
				break
			}
			if parts, _, ok := sumOfRows(k, workloads); ok {
				ratios = append(ratios, math.Log(k.Networks[at].LatencyMedianNS/parts))
			}
		}
		if len(ratios) < len(known) {
			continue
		}
		ratio, deviation := moments(ratios)
		if len(ratios) == 1 {
			deviation = 0.1
		}
		n.Samples, n.Use = 0, "fit"
		n.LatencyMedianNS = sum * math.Exp(ratio)
		n.RawMedianNS, n.FirstRunNS, n.Contended, n.Bimodal = n.LatencyMedianNS, 0, false, false
		deviation = math.Hypot(deviation, spread)
		if wrong > 0 {
			deviation = wrong
		}
		n.LatencyP10NS = n.LatencyMedianNS * math.Exp(-normal80*deviation)
		n.LatencyP90NS = n.LatencyMedianNS * math.Exp(normal80*deviation)
		n.LatencyCI95NS = n.LatencyMedianNS * normal95 * deviation
		out = append(out, n)
	}
	return out
}

// rehearseNetworks lets each known device play the new one, of which the
// workloads which are measured with variances noise: its networks are predicted
// as the sum of their rows times what networks usually take over that sum on the
// others. It returns the root mean square error of their logarithms; 0 where
// there is nothing to rehearse with.
func (t *tables) rehearseNetworks(known []*lut.Table, which []int, noise []float64) (float64, error) {
	if len(known) < 2 {
		return 0, nil
	}
	parts, logs := t.sharedNetworks(known)
	var square, count float64
	usual := make([]float64, len(known)) // logarithm of networks over the sum of their rows
	for d := range known {
		var ratios []float64
		for n, rows := range parts {
			ratios = append(ratios, logs[d][n]-logOfSum(t.logs[d], rows))
		}
		if len(ratios) > 0 {
			usual[d] = median(ratios)
		}
	}
	for d := range known {
		without := func(of [][]float64) [][]float64 { return slices.Concat(of[:d], of[d+1:]) }
		alike := t.alike(&d)
		p := newWorkloadProcess(t.workloads, without(t.logs), slices.Concat(alike[:d], alike[d+1:]))
		y := make([]float64, len(which))
		for a, i := range which {
			y[a] = t.logs[d][i]
		}
		a, err := p.given(which, y, noise)
		if err != nil {
			return 0, err
		}
		for k, i := range which {
			a.mean[i] = y[k]
		}
		ratio, _ := moments(slices.Concat(usual[:d], usual[d+1:]))
		for n, rows := range parts {
			wrong := logOfSum(a.mean, rows) + ratio - logs[d][n]
			square, count = square+wrong*wrong, count+1
		}
	}
	if count == 0 {
		return 0, nil
	}
	return math.Sqrt(square / count), nil
}

// logOfSum is the logarithm of the sum of some latencies.
func logOfSum(logs []float64, which []int) float64 {
	sum := 0.0
	for _, i := range which {
		sum += math.Exp(logs[i])
	}
	return math.Log(sum)
}

// sharedNetworks are the workloads of each network that all known tables have,
// but for those for tests, and the logarithm of its latency by device.
func (t *tables) sharedNetworks(known []*lut.Table) (parts [][]int, logs [][]float64) {
	logs = make([][]float64, len(known))
	for _, n := range known[0].Networks {
		if n.Use == "test" || n.Use == lut.UsePair {
			continue
		}
		rows := make([]int, len(n.Workloads))
		complete := true
		for k, key := range n.Workloads {
			var ok bool
			rows[k], ok = t.index[key]
			complete = complete && ok
		}
		var latency []float64
		for _, table := range known {
			at := slices.IndexFunc(table.Networks, func(o lut.Network) bool { return sameNetwork(o, n) })
			if at >= 0 {
				latency = append(latency, math.Log(table.Networks[at].LatencyMedianNS))
			}
		}
		if !complete || len(latency) < len(known) {
			continue
		}
		parts = append(parts, rows)
		for d, v := range latency {
			logs[d] = append(logs[d], v)
		}
	}
	return parts, logs
}

// sameNetwork tells whether o is n, measured.
func sameNetwork(o, n lut.Network) bool {
	return o.Name == n.Name && o.Samples > 0 && o.LatencyMedianNS > 0 && slices.Equal(o.Workloads, n.Workloads)
}

// So many standard deviations to either side hold 80% and 95% of a normal
// distribution.
const (
	normal80 = 1.2816
	normal95 = 1.96
)

// sumOfRows is that of workloads' rows, with the standard deviation of its
// logarithm if all err the same way. It is false where a row is missing.
func sumOfRows(t *lut.Table, workloads []graph.Workload) (ns, deviation float64, ok bool) {
	for _, w := range workloads {
		r, ok := t.Lookup(w)
		if !ok {
			return 0, 0, false
		}
		ns += r.LatencyMedianNS
		deviation += r.LatencyCI95NS / normal95
	}
	return ns, deviation / ns, true
}
