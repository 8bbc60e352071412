package predictor

import (
	"cmp"
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
)

// Design is what to measure next so that networks of a kind are predicted
// better.
type Design struct {
	// Workloads are those to measure, the one that helps most first.
	Workloads []graph.Workload
	// Spread is what networks are unsure by because of their workloads, as the
	// mean over the networks of a part of their latency; Gain is how much of it
	// measuring every workload that has no row would take away.
	Spread, Gain float64
}

const (
	// designPool bounds the workloads that are weighed against each other.
	designPool = 600
	// designScale is how far from a measured workload, in standard deviations
	// of the features of its family, another one is still better known for it.
	designScale = 0.5
)

// Design picks at most n workloads whose measurement makes the latency of the
// networks, each given by its workloads, less uncertain: greedily those with the
// largest part in latency times uncertainty, counted over all networks, together
// with what a measurement says of similar workloads. That part is then taken
// off these, so that a batch is spread out as one by one choices would be
// (local penalisation: González et al., "Batch Bayesian Optimization via Local
// Penalization", AISTATS 2016).
func (p *Predictor) Design(networks [][]graph.Workload, n int) (Design, error) {
	gains := map[graph.Workload]float64{}
	var d Design
	for _, workloads := range networks {
		s, _, err := p.sum(workloads)
		if err != nil {
			return Design{}, err
		}
		part := 1 / s.ns / float64(len(networks))
		d.Spread += s.spread * part
		for _, w := range workloads {
			c, err := p.cost(w)
			if err != nil {
				return Design{}, err
			}
			if gain := c.network * max(0, c.spread-p.usualNoise) * part; c.source != SourceTable && c.source != SourceNetwork && gain > 0 {
				gains[w] += gain
				d.Gain += gain
			}
		}
	}
	candidates := make([]*option, 0, len(gains))
	for w, gain := range gains {
		candidates = append(candidates, &option{workload: w, gain: gain, family: family(w)})
	}
	slices.SortFunc(candidates, func(a, b *option) int {
		return cmp.Or(cmp.Compare(b.gain, a.gain), cmp.Compare(a.workload.String(), b.workload.String()))
	})
	candidates = candidates[:min(len(candidates), designPool)]
	p.place(candidates)
	for range min(n, len(candidates)) {
		var best *option
		var most float64
		for _, c := range candidates {
			if c.taken {
				continue
			}
			var gain float64
			for _, other := range candidates {
				gain += other.gain * c.tells(other)
			}
			if best == nil || gain > most {
				best, most = c, gain
			}
		}
		best.taken = true
		for _, other := range candidates {
			if other != best {
				other.gain *= 1 - best.tells(other)
			}
		}
		best.gain = 0
		d.Workloads = append(d.Workloads, best.workload)
	}
	return d, nil
}

// option is a workload that may be measured.
type option struct {
	workload graph.Workload
	gain     float64
	family   string
	place    []float64 // features, in standard deviations over the candidates of the family
	taken    bool
}

// place standardises the features of the candidates of each family.
func (p *Predictor) place(candidates []*option) {
	families := map[string][]*option{}
	for _, c := range candidates {
		c.place = p.describer.logFeatures(c.workload)
		families[c.family] = append(families[c.family], c)
	}
	for _, members := range families {
		for i := range members[0].place {
			var sum, squares float64
			for _, c := range members {
				sum += c.place[i]
			}
			mean := sum / float64(len(members))
			for _, c := range members {
				c.place[i] -= mean
				squares += c.place[i] * c.place[i]
			}
			if deviation := math.Sqrt(squares / float64(len(members))); deviation > 0 {
				for _, c := range members {
					c.place[i] /= deviation
				}
			}
		}
	}
}

// tells is the share of the other's uncertainty that a measurement of c takes
// away: 1 for itself, 0 for another family.
func (c *option) tells(other *option) float64 {
	if c.family != other.family {
		return 0
	}
	var squares float64
	for i, x := range c.place {
		squares += (x - other.place[i]) * (x - other.place[i])
	}
	return math.Exp(-squares / float64(len(c.place)) / (2 * designScale * designScale))
}
