package predictor

import (
	"math"
	"slices"
)

// observation is a measured network and what it asks of the device.
type observation struct {
	families []float64 // summed latency of the workloads of each family, ns
	count    float64   // workloads
	bytes    float64   // moved by all of them
	ns       float64   // measured
	noise    float64   // relative standard deviation of ns
}

// overhead turns the latencies of workloads measured alone into that of a
// network: each family's sum times a factor, plus a cost a workload, a cost a
// byte moved and a constant, all non-negative. What a sum misses is mostly
// dispatch (a cost a workload) and caches that hold other data than in the
// measurement alone (a factor, a cost a byte).
type overhead struct {
	factors     []float64 // a family
	perWorkload float64   // ns
	perByte     float64   // ns
	constant    float64   // ns
}

// minOverhead is how many networks it takes to learn overhead at all.
const minOverhead = 3

// strengths are the weights tried for the pull towards "a network costs the
// sum of its workloads". The strongest comes first: it wins ties.
var strengths = []float64{1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5}

// fitOverhead learns the overhead from networks over the given number of
// families, with errors relative to the measured latency. It tries no overhead,
// one factor for all families, and one for each, at several strengths of the
// pull, and takes what predicts left-out networks best. It also returns these
// leave-one-out errors of ln(ns). With fewer than minOverhead observations
// there is no overhead.
func fitOverhead(observations []observation, families int) (*overhead, []float64) {
	best := &overhead{factors: slices.Repeat([]float64{1}, families)}
	errors := make([]float64, len(observations))
	for i, o := range observations {
		errors[i] = math.Log(o.ns / best.predict(o))
	}
	if len(observations) < minOverhead {
		return best, errors
	}
	least := weighted(observations, errors)
	for _, split := range []bool{false, true} {
		for _, strength := range strengths {
			left := make([]float64, len(observations))
			for i, o := range observations {
				others := slices.Concat(observations[:i], observations[i+1:])
				left[i] = math.Log(o.ns / solveOverhead(others, families, split, strength).predict(o))
			}
			if e := weighted(observations, left); e < least {
				best, errors, least = solveOverhead(observations, families, split, strength), left, e
			}
		}
	}
	return best, errors
}

// solveOverhead fits with a factor for each family (split) or one for all.
func solveOverhead(observations []observation, families int, split bool, strength float64) *overhead {
	// A factor is pulled by its distance from 1 whatever its family's share,
	// or else rare families would make up for all that the others miss.
	factor := []prior{{value: 1, scale: 1}}
	if split {
		factor = slices.Repeat(factor, families)
	}
	priors := append(make([]prior, 3), factor...)
	var columns [][]float64
	var y, noise []float64
	for _, o := range observations {
		sums := o.families
		if !split {
			sums = []float64{total(o.families)}
		}
		columns = append(columns, append([]float64{o.count, o.bytes, 1}, sums...))
		y, noise = append(y, o.ns), append(noise, o.noise)
	}
	b := solveRelative(columns, y, noise, priors, strength)
	factors := b[3:]
	if !split {
		factors = slices.Repeat(factors, families)
	}
	return &overhead{perWorkload: b[0], perByte: b[1], constant: b[2], factors: factors}
}

// weighted is the root mean square of errors, each by how far the observation
// can be relied on.
func weighted(observations []observation, errors []float64) float64 {
	scaled := make([]float64, len(errors))
	for i, e := range errors {
		scaled[i] = e * reliability(observations[i].noise)
	}
	return rootMeanSquare(scaled)
}

func (o *overhead) predict(network observation) float64 {
	return dot(o.factors, network.families) + o.perWorkload*network.count + o.perByte*network.bytes + o.constant
}

// workload is what a workload of the given family adds to a network, in ns.
func (o *overhead) workload(family int, ns float64, bytes int64) float64 {
	return o.factors[family]*ns + o.perWorkload + o.perByte*float64(bytes)
}

func total(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum
}
