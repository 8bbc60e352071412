package transfer

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// predictNetworks are the networks that all known tables have and the new one,
// of which all rows are there, lacks: the sum of its rows, times what a network
// takes over that sum on known devices.
func predictNetworks(known []*lut.Table, table *lut.Table) []lut.Network {
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
			at := slices.IndexFunc(k.Networks, func(o lut.Network) bool {
				return o.Name == n.Name && o.Samples > 0 && slices.Equal(o.Workloads, n.Workloads)
			})
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
		n.LatencyP10NS = n.LatencyMedianNS * math.Exp(-normal80*deviation)
		n.LatencyP90NS = n.LatencyMedianNS * math.Exp(normal80*deviation)
		n.LatencyCI95NS = n.LatencyMedianNS * normal95 * deviation
		out = append(out, n)
	}
	return out
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
