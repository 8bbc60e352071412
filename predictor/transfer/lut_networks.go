package transfer

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// predictNetworks are the networks that all known tables have and the new one,
// of which the rows are complete, lacks: what they take by its rows and by what
// networks take beyond these on known devices, and for each what is usually left
// of it there. wrong is the standard deviation to expect of their logarithms, 0
// where it is not known.
func (t *tables) predictNetworks(known []*lut.Table, table *lut.Table, wrong float64) []lut.Network {
	networks := t.sharedNetworks(known)
	rows := make([]float64, len(t.workloads))
	for i, w := range t.workloads {
		r, _ := table.Lookup(w)
		rows[i] = math.Log(r.LatencyMedianNS)
	}
	logs := t.likelyNetworks(networks, t.beyondOf(networks), rows, t.alike(nil), nil)
	var out []lut.Network
	for at, x := range networks {
		n := x.Network
		if slices.ContainsFunc(table.Networks, func(o lut.Network) bool { return o.Name == n.Name }) {
			continue
		}
		workloads, err := n.ParseWorkloads()
		if err != nil {
			continue
		}
		_, spread, ok := sumOfRows(table, workloads)
		if !ok {
			continue
		}
		deviation := 0.1
		if len(known) > 1 {
			ratios := make([]float64, len(known)) // logarithms
			for d, latency := range x.logs {
				ratios[d] = latency - logOfSum(t.logs[d], x.rows)
			}
			_, deviation = moments(ratios)
		}
		if n.BorderNS != nil {
			border := *n.BorderNS * math.Exp(logs[at]) / n.LatencyMedianNS
			n.BorderNS = &border
		}
		n.Samples, n.Use, n.Shares = 0, "fit", nil // shares are those of another device
		n.LatencyMedianNS = math.Exp(logs[at])
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

// beyondOf is what networks take beyond their rows, by known device. Pairs of
// neighbours do not tell.
func (t *tables) beyondOf(networks []sharedNetwork) []beyond {
	out := make([]beyond, len(t.logs))
	for d, rows := range t.logs {
		var parts [][]int
		var logs []float64
		for _, n := range networks {
			if n.Use != lut.UsePair {
				parts, logs = append(parts, n.rows), append(logs, n.logs[d])
			}
		}
		out[d] = fitBeyond(parts, logs, rows, t.family)
	}
	return out
}

// likelyNetworks are the logarithms of networks' latencies on a device with the
// given logarithms of rows, by known ones: by all but one if without is not nil.
func (t *tables) likelyNetworks(networks []sharedNetwork, of []beyond, rows, alike []float64, without *int) []float64 {
	weights := beyondWeights(t.logs, rows, alike, of)
	if without != nil {
		weights[*without] = 0
	}
	var sums []float64
	for _, n := range networks {
		if n.Use != lut.UsePair {
			sums = append(sums, math.Exp(logOfSum(rows, n.rows)))
		}
	}
	mixed := mixBeyond(of, weights, 1)
	if len(sums) > 0 {
		mixed = mixBeyond(of, weights, median(sums))
	}
	out := make([]float64, len(networks))
	for at, n := range networks {
		var left []float64
		for d, latency := range n.logs {
			if without == nil || d != *without {
				left = append(left, latency-of[d].network(t.logs[d], n.rows, t.family))
			}
		}
		out[at] = mixed.network(rows, n.rows, t.family) + median(left)
	}
	return out
}

// rehearseNetworks lets each known device play the new one, of which the
// workloads which are measured with variances noise, and predicts its networks.
// It returns the root mean square error of their logarithms; 0 where there is
// nothing to rehearse with.
func (t *tables) rehearseNetworks(known []*lut.Table, which []int, noise []float64) (float64, error) {
	if len(known) < 2 {
		return 0, nil
	}
	networks := t.sharedNetworks(known)
	of := t.beyondOf(networks)
	var square, count float64
	for d := range known {
		alike := t.alike(&d)
		p := newWorkloadProcess(t.workloads, slices.Concat(t.logs[:d], t.logs[d+1:]), slices.Concat(alike[:d], alike[d+1:]))
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
		for at, v := range t.likelyNetworks(networks, of, a.mean, alike, &d) {
			if networks[at].Use != lut.UsePair {
				wrong := v - networks[at].logs[d]
				square, count = square+wrong*wrong, count+1
			}
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

// sharedNetwork is a network that all known tables have, with its workloads and
// the logarithm of its latency by device.
type sharedNetwork struct {
	lut.Network
	rows []int
	logs []float64
}

// sharedNetworks are those that are not for tests and of whose workloads all
// known tables have rows.
func (t *tables) sharedNetworks(known []*lut.Table) []sharedNetwork {
	var out []sharedNetwork
	for _, n := range known[0].Networks {
		if n.Use == "test" {
			continue
		}
		x := sharedNetwork{Network: n, rows: make([]int, len(n.Workloads))}
		complete := len(n.Workloads) > 0
		for k, key := range n.Workloads {
			var ok bool
			x.rows[k], ok = t.index[key]
			complete = complete && ok
		}
		for _, table := range known {
			at := slices.IndexFunc(table.Networks, func(o lut.Network) bool { return sameNetwork(o, n) })
			if at >= 0 {
				x.logs = append(x.logs, math.Log(table.Networks[at].LatencyMedianNS))
			}
		}
		if complete && len(x.logs) == len(known) {
			out = append(out, x)
		}
	}
	return out
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
