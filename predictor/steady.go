package predictor

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// mostCorrected is by how much, in ln(ns), corrections may differ between networks
// for what was timed to be taken: where they are larger, other work slowed down
// some networks and not others, and those that agree may all be slow.
const mostCorrected = 0.1

// steadier returns the networks with the times in which they agree better: as
// corrected for the device's speed at the time, or as it timed them, at the
// corrected ones' level. A correction can add more noise than it takes away
// where networks were measured for a few runs only.
func steadier(networks []lut.Network) ([]lut.Network, error) {
	var levels []float64
	for _, n := range networks {
		if n.Use == "fit" || n.Use == "calibrate" {
			if !(n.RawMedianNS > 0) || n.Shares == nil || !(n.LatencyMedianNS > 0) {
				return networks, nil
			}
			levels = append(levels, math.Log(n.LatencyMedianNS/n.RawMedianNS))
		}
	}
	if len(levels) < enoughNetworks {
		return networks, nil
	}
	at := middle(levels)
	if deviation(levels, at) > mostCorrected {
		return networks, nil
	}
	level := math.Exp(at)
	raw := slices.Clone(networks)
	for i, n := range raw {
		if n.Use == "fit" || n.Use == "calibrate" {
			scale := level * n.RawMedianNS / n.LatencyMedianNS
			raw[i].LatencyMedianNS *= scale
			raw[i].LatencyCI95NS *= scale
		}
	}
	corrected, err := disagreement(networks)
	if err != nil {
		return nil, err
	}
	timed, err := disagreement(raw)
	if err != nil {
		return nil, err
	}
	if timed < corrected {
		return raw, nil
	}
	return networks, nil
}

// disagreement is by how much, in ln(ns), the times of the same workload differ
// between networks: the mean distance from the middle, by time.
func disagreement(networks []lut.Network) (float64, error) {
	seen := map[graph.Workload][]float64{}
	for _, n := range networks {
		if n.Use != "fit" && n.Use != "calibrate" {
			continue
		}
		times, _, err := timesWithin(n)
		if err != nil {
			return 0, err
		}
		for w, ns := range times {
			seen[w] = append(seen[w], math.Log(total(ns)/float64(len(ns))))
		}
	}
	var sum, time float64
	for _, w := range sortedWorkloads(seen) {
		values := seen[w]
		if len(values) < 2 {
			continue
		}
		at := middle(values)
		for _, v := range values {
			sum += math.Exp(at) * math.Abs(v-at)
			time += math.Exp(at)
		}
	}
	if time == 0 {
		return 0, nil
	}
	return sum / time, nil
}
