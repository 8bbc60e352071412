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
	weights  float64   // bytes of weights that they read
	ns       float64   // measured
	noise    float64   // relative standard deviation of ns
}

// overhead turns the latencies of workloads measured alone into that of a
// network: each family's sum times a factor, plus a cost a workload, a cost a
// byte moved, a cost a byte of weights that grows with their size, and a
// constant, all non-negative. What a sum misses is mostly dispatch (a cost a
// workload), caches that hold other data than in the measurement alone (a
// factor, a cost a byte), and weights: those of a layer measured alone stay in
// a cache that those of a whole network may not fit into.
type overhead struct {
	factors     []float64 // a family
	perWorkload float64   // ns
	perByte     float64   // ns
	constant    float64   // ns
	knots       []float64 // sizes of weights in bytes, ascending
	spill       []float64 // ns a byte of weights between each of them and the next

	// What was chosen, where strength is not 0; not kept in files.
	form     overheadForm
	strength float64
}

// minOverhead is how many networks it takes to learn overhead at all.
const minOverhead = 3

// strengths are the weights tried for the pull towards "a network costs the
// sum of its workloads". The strongest comes first: it wins ties.
var strengths = []float64{1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5}

// plainSum is no overhead but for what weights cost within networks.
func plainSum(families int, inside *within) *overhead {
	o := &overhead{factors: slices.Repeat([]float64{1}, families)}
	if inside != nil {
		o.knots, o.spill = inside.knots, inside.spill
	}
	return o
}

// fitOverhead learns the overhead from networks over the given number of
// families, with errors relative to the measured latency. It tries no overhead,
// one factor for all families, and one for each, with and without a cost of
// weights beyond the caches, at several strengths of the pull, and takes what
// predicts left-out networks best. With fewer than minOverhead observations
// there is no overhead. Where the workloads are known from inside of networks,
// inside, else nil, says what weights cost.
func fitOverhead(observations []observation, families int, knots []float64, inside *within) *overhead {
	best := plainSum(families, inside)
	if inside != nil {
		knots = nil
	}
	if len(observations) < minOverhead {
		return best
	}
	errors := make([]float64, len(observations))
	for i, o := range observations {
		errors[i] = math.Log(o.ns / best.predict(o))
	}
	least := weighted(observations, errors)
	knots = slices.DeleteFunc(slices.Clone(knots), func(size float64) bool {
		return !slices.ContainsFunc(observations, func(o observation) bool { return o.weights > size })
	})
	forms := []overheadForm{{families: families, known: inside}, {families: families, split: true, known: inside}}
	if len(knots) > 0 {
		forms = append(forms, overheadForm{families: families, knots: knots}, overheadForm{families: families, split: true, knots: knots})
	}
	for _, form := range forms {
		for _, strength := range strengths {
			if e := weighted(observations, form.leftOut(observations, strength)); e < least {
				best, least = form.solve(observations, strength), e
			}
		}
	}
	return best
}

// again solves for other observations with what was chosen.
func (o *overhead) again(observations []observation, families int, inside *within) *overhead {
	if o.strength == 0 || len(observations) == 0 {
		return plainSum(families, inside)
	}
	form := o.form
	form.families, form.known = families, inside
	return form.solve(observations, o.strength)
}

// mostLeftOut is how often a part of the networks is left out at most.
const mostLeftOut = 20

// leftOut are the errors of ln(ns) of networks that were left out of the fit:
// one by one where they are few.
func (f overheadForm) leftOut(observations []observation, strength float64) []float64 {
	errors := make([]float64, len(observations))
	parts := min(len(observations), mostLeftOut)
	for part := range parts {
		var others []observation
		for i, o := range observations {
			if i%parts != part {
				others = append(others, o)
			}
		}
		fit := f.solve(others, strength)
		for i := part; i < len(observations); i += parts {
			errors[i] = math.Log(observations[i].ns / fit.predict(observations[i]))
		}
	}
	return errors
}

// overheadForm says which terms an overhead has.
type overheadForm struct {
	families int
	split    bool      // a factor for each family, or one for all
	knots    []float64 // between which a byte of weights has a cost of its own
	known    *within   // what weights cost, but for a factor; or nil
}

func (f overheadForm) solve(observations []observation, strength float64) *overhead {
	// A factor is pulled by its distance from 1 whatever its family's share,
	// or else rare families would make up for all that the others miss.
	factor := []prior{{value: 1, scale: 1}}
	if f.split {
		factor = slices.Repeat(factor, f.families)
	}
	first := 3 + len(f.knots)
	priors := append(make([]prior, first), factor...)
	if f.known != nil {
		priors = append(priors, prior{value: 1, scale: 1})
	}
	var columns [][]float64
	var y, noise []float64
	for _, o := range observations {
		column := []float64{o.count, o.bytes, 1}
		for i := range f.knots {
			column = append(column, between(f.knots, i, o.weights))
		}
		if f.split {
			column = append(column, o.families...)
		} else {
			column = append(column, total(o.families))
		}
		if f.known != nil {
			column = append(column, f.known.once(o.weights))
		}
		columns = append(columns, column)
		y, noise = append(y, o.ns), append(noise, o.noise)
	}
	b := solveRelative(columns, y, noise, priors, strength)
	knots, spill := f.knots, b[3:first]
	if f.known != nil {
		knots, spill = f.known.knots, slices.Clone(f.known.spill)
		for i := range spill {
			spill[i] *= b[len(b)-1]
		}
		b = b[:len(b)-1]
	}
	factors := b[first:]
	if !f.split {
		factors = slices.Repeat(factors, f.families)
	}
	return &overhead{
		perWorkload: b[0], perByte: b[1], constant: b[2], spill: spill, knots: knots, factors: factors,
		form: f, strength: strength,
	}
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
	return dot(o.factors, network.families) + o.perWorkload*network.count + o.perByte*network.bytes + o.once(network.weights)
}

// once is what a network costs beyond its workloads, in ns, by the bytes of
// weights that they read.
func (o *overhead) once(weights float64) float64 {
	return o.constant + spilled(o.knots, o.spill, weights)
}

// slope is what one more byte of weights costs, in ns.
func (o *overhead) slope(weights float64) (ns float64) {
	for i, slope := range o.spill {
		if weights >= o.knots[i] && (i+1 == len(o.knots) || weights < o.knots[i+1]) {
			ns += slope
		}
	}
	return ns
}

// between is how much of v lies between knot i and the next.
func between(knots []float64, i int, v float64) float64 {
	if i+1 < len(knots) {
		v = min(v, knots[i+1])
	}
	return max(0, v-knots[i])
}

// weightKnots are those for caches of the given sizes: weights begin to cost
// where they no longer fit into the second level, and are all in memory some
// time after they no longer fit into what other programs leave of the last.
func weightKnots(caches []float64) (knots []float64) {
	if len(caches) < 2 {
		return nil
	}
	for size := caches[1]; size <= caches[len(caches)-1]; size *= 2 {
		knots = append(knots, size)
	}
	return knots
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
