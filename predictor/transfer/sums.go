package transfer

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Many simulators, and accelerators that run one operator after the other, cost
// exactly the sum of what a network's operators cost. No known device needs to be
// of that class, and rehearsals on noisy ones teach to distrust models without
// noise. So the class has its own models, which compete with the others by their
// evidence, and its own, made-up, devices to rehearse with.
const (
	// sumShare is the prior probability that the new device is of that class.
	sumShare = 0.02
	// Variances of the noise of its models, relative to the amplitude: from the
	// rounding of five digits to some percent.
	sumNoises   = 8
	leastNoise  = 1e-9
	mostNoise   = 1e-2
	sumDevices  = 4 // made-up devices a model
	sumDraws    = 2 // sets of measurements of each
	madeUpFree  = 0.25
	madeUpDigit = 5
)

// sumKernels are linear kernels, one for each way of counting what may be summed.
func sumKernels(sums [][]group) []*kernel {
	if sums == nil {
		return nil
	}
	var out []*kernel
	for g, first := range sums[0] {
		out = append(out, kernelOf("sum of "+first.name, true, columnsOf(sums, g)...))
	}
	return out
}

func columnsOf(groups [][]group, g int) [][]float64 {
	columns := newColumns(len(groups[0][g].values), len(groups))
	for i, item := range groups {
		for x, v := range item[g].values {
			columns[x][i] = v
		}
	}
	return columns
}

// sumMixtures are the models of the class: one of the last sums kernels each, on
// the scale on which costs add, by kernel and noise.
func sumMixtures(kernels, sums int) []mixture {
	var out []mixture
	for k := range sums {
		for i := range sumNoises {
			m := mixture{scale: len(scales) - 1, weights: make([]float64, kernels)}
			m.weights[kernels-sums+k] = 1
			m.noise = leastNoise * math.Pow(mostNoise/leastNoise, float64(i)/(sumNoises-1))
			out = append(out, m)
		}
	}
	return out
}

// isSum tells whether a mixture is one of the class.
func (p *experience) isSum(m mixture) bool {
	return slices.ContainsFunc(m.weights[len(m.weights)-len(p.sums):], func(w float64) bool { return w != 0 })
}

// mixturesOf are the bounds of the mixtures of a sum.
func (p *experience) mixturesOf(sum int) [2]int {
	from := p.drawn + sum*sumNoises
	return [2]int{from, from + sumNoises}
}

// rehearsalsOfSums are of made-up devices; the family is the sum.
func (p *experience) rehearsalsOfSums(seed uint64) []*rehearsal {
	rng := rand.New(rand.NewPCG(seed, 0x5a))
	all := rng.Perm(len(p.items.groups))
	var out []*rehearsal
	for k := range p.sums {
		columns := columnsOf(p.items.sums, k)
		for d := range sumDevices {
			times := madeUpCosts(columns, d%2 == 0, rng)
			for range sumDraws {
				if r := p.rehearsalOf(times, all, p.kernels, rng); r != nil {
					r.family = k
					out = append(out, r)
				}
			}
		}
	}
	return out
}

// madeUpCosts are the costs of all items on a device that sums up columns: each has a
// random cost, some none, and there is a constant. Every other device is exact to
// five digits, the rest have noise of one to three percent.
func madeUpCosts(columns [][]float64, exact bool, rng *rand.Rand) []float64 {
	out := make([]float64, len(columns[0]))
	some := false
	for x, column := range columns {
		_, deviation := moments(column)
		cost := math.Exp(rng.NormFloat64()) / deviation
		if rng.Float64() < madeUpFree && (some || x+1 < len(columns)) {
			continue
		}
		some = true
		for i, v := range column {
			out[i] += cost * v
		}
	}
	mean, _ := moments(out)
	constant := mean * (0.02 + rng.Float64())
	noise := 0.01 + 0.02*rng.Float64()
	for i := range out {
		out[i] += constant
		if !exact {
			out[i] *= math.Exp(noise * rng.NormFloat64())
		}
		out[i] = rounded(out[i], madeUpDigit)
	}
	return out
}

// rounded keeps a number of significant digits.
func rounded(v float64, digits int) float64 {
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	return v
}

// resolution is how times were rounded: to multiples of a power of ten, 1 at
// most, or to significant digits.
func resolution(times []float64) (unit float64, digits int) {
	decimals := 0
	for _, v := range times {
		text := strconv.FormatFloat(v, 'f', -1, 64)
		whole, fraction, _ := strings.Cut(text, ".")
		decimals = max(decimals, len(fraction))
		digits = max(digits, len(strings.Trim(whole+fraction, "0")))
	}
	return math.Pow(10, -float64(decimals)), digits
}
