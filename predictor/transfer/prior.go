package transfer

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/hwprofd/hwprofd/predictor/internal/rank"
)

// Constants of the method. They were chosen with the training devices in turn as
// the new one, and with the published validation devices; see docs/transfer.md.
const (
	mixtures      = 1200 // Gaussian processes that are averaged
	rehearsals    = 8    // sets of measurements a known device plays the new one with
	rehearsalTest = 150  // items that a rehearsal is judged by
	rehearsalSize = 32   // and its measurements at most
	sharpness     = 60   // of the prior: log weight for a rank correlation 1 higher
	temper        = 0.7  // exponent of the evidence
	// pastWeight is for how many measurements of the new device the rehearsals'
	// errors count when intervals are calibrated.
	pastWeight = 20
)

// experience is what the known devices teach about a new one: which of many Gaussian
// processes predict a device that they do not know, and how wrong they are.
type experience struct {
	items    *items
	families [][]int      // known devices
	known    [][]surfaces // by scale and device
	describe []*kernel
	sums     []*kernel
	kernels  [][]*kernel // by scale; the last of each are one a known device, then sums
	mixtures []mixture
	drawn    int       // the first of mixtures are drawn, then there are sums
	matched  int       // from here on they match one known device
	log      []float64 // prior log weight by mixture
	// Absolute errors of rehearsals over their standard deviation, of known devices
	// and of made-up ones that cost sums.
	past, pastSums []weighted
	size           int     // measurements of a rehearsal
	least          float64 // how alike families of known devices are at least
}

// learn rehearses with measurements of size: every known device in turn plays
// the new one, seen through the devices of other families.
func learn(x *items, size int, seed uint64) (*experience, error) {
	p := &experience{items: x, size: min(max(size, 3), rehearsalSize)}
	var err error
	if p.known, err = x.surfaces(); err != nil {
		return nil, err
	}
	all := make([]int, len(x.times))
	byFamily := map[string][]int{}
	var names []string
	for d := range all {
		all[d] = d
		if name := x.families[d]; byFamily[name] == nil {
			names = append(names, name)
		}
		byFamily[x.families[d]] = append(byFamily[x.families[d]], d)
	}
	for _, name := range names {
		p.families = append(p.families, byFamily[name])
	}
	p.describe = descriptionKernels(x.groups, false)
	p.sums = sumKernels(x.sums)
	p.kernels = p.kernelsFor(all)
	rng := rand.New(rand.NewPCG(seed, 0x7e))
	count, special := len(p.kernels[0]), len(all)+len(p.sums)
	p.mixtures = drawMixtures(mixtures, count, special, rng)
	p.drawn = len(p.mixtures)
	p.mixtures = append(p.mixtures, sumMixtures(count, len(p.sums))...)
	p.matched = len(p.mixtures)
	p.mixtures = append(p.mixtures, matchMixtures(count, count-special, len(all))...)
	p.log = p.logPrior(nil, nil, -1)
	if size > few {
		return p, nil
	}
	known := p.rehearsalsOfKnown(seed)
	madeUp := p.rehearsalsOfSums(seed)
	inParallel(len(known)+len(madeUp), func(i int) {
		if i < len(known) {
			p.run(known[i])
		} else {
			p.run(madeUp[i-len(known)])
		}
	})
	p.log = p.logPrior(known, madeUp, -1)
	// How wrong the answers are, without what the device's own family taught.
	priors := make([][]float64, len(p.families))
	for f := range priors {
		priors[f] = p.logPrior(known, madeUp, f)
	}
	p.past = errorsOf(known, func(r *rehearsal) []float64 { return priors[r.family] })
	p.pastSums = errorsOf(madeUp, func(*rehearsal) []float64 { return p.log })
	if len(p.families) > 1 {
		p.least = p.likeness()
	}
	return p, nil
}

// kernelsFor are the kernels where only some devices are known; those that match
// one of the others are nil.
func (p *experience) kernelsFor(devices []int) [][]*kernel {
	out := make([][]*kernel, len(scales))
	for s := range scales {
		out[s] = append(deviceKernels(p.known[s], devices), p.describe...)
		out[s] = append(out[s], matchKernels(p.known[s], devices)...)
		out[s] = append(out[s], p.sums...)
	}
	return out
}

// rehearsal is one set of measurements of a known device, of a family, or of a
// made-up one that costs a sum.
type rehearsal struct {
	family         int
	measured, rest []int
	times, truth   []float64
	posteriors     []*posterior
	kernels        [][]*kernel
	score          []float64 // by mixture: rank correlation with the truth
}

func (p *experience) rehearsalsOfKnown(seed uint64) []*rehearsal {
	if len(p.families) < 2 {
		return nil
	}
	var all []*rehearsal
	for f, family := range p.families {
		kernels := p.kernelsFor(p.without(f))
		for _, d := range family {
			rng := rand.New(rand.NewPCG(seed, uint64(d)+1))
			var measured []int
			for i, v := range p.items.times[d] {
				if !math.IsNaN(v) {
					measured = append(measured, i)
				}
			}
			for range rehearsals {
				if r := p.rehearsalOf(p.items.times[d], measured, kernels, rng); r != nil {
					r.family = f
					all = append(all, r)
				}
			}
		}
	}
	return all
}

// rehearsalOf draws measurements of a device with times; it shuffles those that
// it may draw. It returns nil where there are too few.
func (p *experience) rehearsalOf(times []float64, from []int, kernels [][]*kernel, rng *rand.Rand) *rehearsal {
	size := min(p.size, len(from)/2)
	if size < 2 {
		return nil
	}
	rng.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	r := &rehearsal{kernels: kernels,
		measured: slices.Clone(from[:size]),
		rest:     slices.Clone(from[size:min(size+rehearsalTest, len(from))])}
	for _, i := range r.measured {
		r.times = append(r.times, times[i])
	}
	for _, i := range r.rest {
		r.truth = append(r.truth, math.Log(times[i]))
	}
	return r
}

// errorsOf are the absolute errors of rehearsals over their standard deviation.
func errorsOf(all []*rehearsal, prior func(*rehearsal) []float64) []weighted {
	errors := make([][]weighted, len(all))
	inParallel(len(all), func(i int) {
		r := all[i]
		answer := answerOf(blend(r.posteriors, prior(r), temper), r.kernels, r.measured, geometricMean(r.times), r.rest)
		answer.round(r.times)
		for j, v := range r.truth {
			errors[i] = append(errors[i], weighted{math.Abs(v-answer.mean[j]) / answer.deviation[j], 1 / float64(len(r.truth)) / float64(len(all))})
		}
	})
	return slices.Concat(errors...)
}

// run conditions every mixture on the rehearsal's measurements and scores it.
func (p *experience) run(r *rehearsal) {
	r.posteriors = p.conditionAll(p.mixtures, r.kernels, r.measured, r.times)
	truth := rank.Of(r.truth)
	r.score = make([]float64, len(p.mixtures))
	for i, mean := range meansAt(r.posteriors, r.kernels, r.measured, r.rest) {
		if mean == nil {
			r.score[i] = -1
			continue
		}
		r.score[i] = rank.Correlation(rank.Of(mean), truth)
	}
}

// meansAt are the means of each posterior at items, on its own scale and
// without the level; nil for what is no posterior.
func meansAt(posteriors []*posterior, kernels [][]*kernel, measured, items []int) [][]float64 {
	n, m := len(measured), len(items)
	cross := make([][][]float64, len(scales))
	for s := range scales {
		cross[s] = make([][]float64, len(kernels[s]))
		for k, kernel := range kernels[s] {
			if kernel != nil {
				cross[s][k] = make([]float64, m*n)
				kernel.fill(cross[s][k], items, measured)
			}
		}
	}
	out := make([][]float64, len(posteriors))
	for i, q := range posteriors {
		if q == nil {
			continue
		}
		mean := make([]float64, m)
		for k, w := range q.weights {
			if w == 0 {
				continue
			}
			for j := range mean {
				sum := 0.0
				for c, v := range cross[q.scale][k][j*n : (j+1)*n] {
					sum += v * q.alpha[c]
				}
				mean[j] += w * sum
			}
		}
		out[i] = mean
	}
	return out
}

// likeness is the least rank correlation of a family of known devices with the
// mean of the others.
func (p *experience) likeness() float64 {
	least := 1.0
	for f, family := range p.families {
		own := deviceKernels(p.known[0], family)[0]
		others := deviceKernels(p.known[0], p.without(f))[0]
		least = min(least, rank.Spearman(own.f, others.f))
	}
	return least
}

// plausible returns the prior's log weights, lowered where a posterior is less
// like the known devices than they are like each other: some measurements of a
// noisy device happen to say that large networks are fast. Sums need not be like
// any known device, and gain where the others are unlike all.
func (p *experience) plausible(posteriors []*posterior, measured []int) []float64 {
	if len(p.families) < 2 {
		return p.log
	}
	const asked = 200
	rng := rand.New(rand.NewPCG(1, asked))
	items := rng.Perm(len(p.items.groups))
	items = items[:min(asked, len(items))]
	mean := make([]float64, len(items))
	for i, item := range items {
		mean[i] = p.kernels[0][0].f[item]
	}
	least := max(p.least, 0)
	out := slices.Clone(p.log)
	for i, m := range meansAt(posteriors, p.kernels, measured, items) {
		if m != nil && !p.isSum(p.mixtures[i]) {
			out[i] -= sharpness * max(0, least-rank.Correlation(m, mean))
		}
	}
	return out
}

// logPrior turns scores into logarithms of weights that sum to 1. Drawn mixtures
// are scored by known devices: families count alike, and so do the devices in
// one; the family without is left out. Mixtures of a sum are scored by made-up
// devices that cost that sum. Those that match a device count alike.
func (p *experience) logPrior(all, madeUp []*rehearsal, without int) []float64 {
	count := make([]float64, len(p.families))
	families := 0.0
	for _, r := range all {
		if r.family != without {
			if count[r.family] == 0 {
				families++
			}
			count[r.family]++
		}
	}
	out := make([]float64, len(p.mixtures))
	for _, r := range all {
		if r.family != without {
			for i, s := range r.score {
				out[i] += sharpness * s / count[r.family] / families
			}
		}
	}
	clear(out[p.drawn:])
	for _, r := range madeUp {
		of := p.mixturesOf(r.family)
		for i, s := range r.score[of[0]:of[1]] {
			out[of[0]+i] += sharpness * s / (sumDevices * sumDraws)
		}
	}
	left := 1 - matchShare
	if len(p.sums) > 0 {
		left -= sumShare
	}
	normaliseLog(out[:p.drawn], left)
	normaliseLog(out[p.matched:], matchShare)
	for k := range p.sums {
		of := p.mixturesOf(k)
		normaliseLog(out[of[0]:of[1]], sumShare/float64(len(p.sums)))
	}
	return out
}

// normaliseLog shifts the logarithms of weights so that these sum to total.
func normaliseLog(log []float64, total float64) {
	most, sum := slices.Max(log), 0.0
	for _, l := range log {
		sum += math.Exp(l - most)
	}
	for i := range log {
		log[i] += math.Log(total/sum) - most
	}
}

// conditionAll conditions mixtures on measurements; what cannot be is nil.
func (p *experience) conditionAll(mixtures []mixture, kernels [][]*kernel, measured []int, times []float64) []*posterior {
	n := len(measured)
	y := make([][]float64, len(scales))
	within := make([][][]float64, len(scales))
	g := geometricMean(times)
	for s, l := range scales {
		for _, v := range times {
			y[s] = append(y[s], boxCox(v/g, l))
		}
		within[s] = make([][]float64, len(kernels[s]))
		for k, kernel := range kernels[s] {
			if kernel != nil {
				within[s][k] = make([]float64, n*n)
				kernel.fill(within[s][k], measured, measured)
			}
		}
	}
	out := make([]*posterior, len(mixtures))
	for i, m := range mixtures {
		if !m.among(kernels[m.scale]) {
			continue
		}
		if q, ok := m.condition(within[m.scale], y[m.scale]); ok {
			out[i] = &q
		}
	}
	return out
}

func geometricMean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += math.Log(x)
	}
	return math.Exp(sum / float64(len(v)))
}

// member is a posterior with its share in the answer.
type member struct {
	*posterior
	share float64
}

// blend weighs posteriors by prior and evidence and keeps the heaviest.
func blend(posteriors []*posterior, log []float64, temper float64) []member {
	const most, enough = 60, 0.99
	best := math.Inf(-1)
	weight := make([]float64, len(posteriors))
	for i, q := range posteriors {
		weight[i] = math.Inf(-1)
		if q != nil {
			weight[i] = log[i] + temper*q.evidence
		}
		best = max(best, weight[i])
	}
	var out []member
	total := 0.0
	for i, q := range posteriors {
		if q != nil {
			w := math.Exp(weight[i] - best)
			total += w
			out = append(out, member{q, w})
		}
	}
	slices.SortStableFunc(out, func(a, b member) int { return cmp.Compare(b.share, a.share) })
	kept := 0.0
	for i := range out {
		kept += out[i].share
		if i+1 == most || kept >= enough*total {
			out = out[:i+1]
			break
		}
	}
	for i := range out {
		out[i].share /= kept
	}
	return out
}

// answer is the logarithm of costs, and its standard deviation, by item.
type answer struct{ mean, deviation []float64 }

// round adds to deviations what rounding as that of times adds. Means that are
// known better than that are rounded too, so that networks of one cost are tied.
func (a answer) round(times []float64) {
	unit, digits := resolution(times)
	if digits > 9 {
		return
	}
	for i, m := range a.mean {
		v := math.Exp(m)
		own := max(unit, math.Pow(10, math.Floor(math.Log10(v))+1-float64(digits)))
		if units := math.Round(v / own); units > 0 && a.deviation[i]*v < own {
			a.mean[i] = math.Log(units * own)
		}
		a.deviation[i] = math.Hypot(a.deviation[i], own/v/math.Sqrt(12))
	}
}

// answerOf predicts items from members that were conditioned on measurements
// with a geometric mean.
func answerOf(members []member, kernels [][]*kernel, measured []int, geometric float64, which []int) answer {
	a := answer{make([]float64, len(which)), make([]float64, len(which))}
	used := make([][]bool, len(scales))
	for s := range scales {
		used[s] = make([]bool, len(kernels[s]))
	}
	for _, m := range members {
		for k, w := range m.weights {
			used[m.scale][k] = used[m.scale][k] || w != 0
		}
	}
	offset := math.Log(geometric)
	const block = 256
	n := len(measured)
	inParallel((len(which)+block-1)/block, func(b int) {
		cross := make([][][]float64, len(scales))
		for s := range scales {
			cross[s] = make([][]float64, len(kernels[s]))
			for k := range cross[s] {
				cross[s][k] = make([]float64, n)
			}
		}
		own := make([][]float64, len(scales))
		for s := range scales {
			own[s] = make([]float64, len(kernels[s]))
		}
		total := make([]float64, n)
		means, variances := make([]float64, len(members)), make([]float64, len(members))
		for j := b * block; j < min((b+1)*block, len(which)); j++ {
			item := which[j]
			for s := range scales {
				for k, kernel := range kernels[s] {
					if used[s][k] {
						for c, o := range measured {
							cross[s][k][c] = kernel.at(item, o)
						}
						own[s][k] = kernel.at(item, item)
					}
				}
			}
			for i, m := range members {
				for c := range total {
					total[c] = level
				}
				prior := float64(level)
				for k, w := range m.weights {
					if w == 0 {
						continue
					}
					prior += w * own[m.scale][k]
					for c, v := range cross[m.scale][k] {
						total[c] += w * v
					}
				}
				l := scales[m.scale]
				transformed := m.mean(total)
				means[i] = logOf(transformed, l)
				// The deviation of the logarithm, to first order.
				slope := math.Exp(-l * max(means[i], -2))
				variances[i] = m.variance(prior, total) * slope * slope
				a.mean[j] += m.share * means[i]
			}
			variance := 0.0
			for i, m := range members {
				d := means[i] - a.mean[j]
				variance += m.share * (variances[i] + d*d)
			}
			a.deviation[j] = math.Sqrt(variance)
			a.mean[j] += offset
		}
	})
	return a
}

// check reports measurements that cannot be used.
func checkMeasured(measured []int, times []float64, items int) error {
	seen := make(map[int]bool, len(measured))
	for i, m := range measured {
		switch {
		case m < 0 || m >= items:
			return fmt.Errorf("transfer: measurement %d is of item %d, there are %d items", i, m, items)
		case seen[m]:
			return fmt.Errorf("transfer: item %d is measured twice", m)
		case !(times[i] > 0) || math.IsInf(times[i], 0):
			return fmt.Errorf("transfer: measurement %d is %v, want a positive time", i, times[i])
		}
		seen[m] = true
	}
	if len(measured) < 3 {
		return fmt.Errorf("transfer: there are %d measurements, want at least 3", len(measured))
	}
	return nil
}
