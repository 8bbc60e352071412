package transfer

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/hwprofd/hwprofd/predictor/internal/rank"
)

// Sizes of the search for measurements that serve known devices best.
const (
	designPool     = 300 // items that may be measured
	designTest     = 250 // items that a set is judged by
	designMixtures = 6
	designStarts   = 150 // sets at first
	designSwaps    = 500 // exchanges of one item of the best set
	errorWeight    = 0.1 // of the mean error, over the deviation of the truth
)

// design is a set of measurements judged by how well it would have predicted the
// known devices, each seen through the devices of other families.
type design struct {
	pool, test []int
	// covariance[f][m] is that of mixture m for devices of family f, a row an
	// item of the pool, a column an item of the pool, then of the tests.
	covariance [][][]float64
	mixtures   []mixture
	devices    []designDevice
}

type designDevice struct {
	family int
	values []float64 // logarithms of the pool, then of the tests
	truth  []float64 // ranks of the tests
}

// rehearsed improves a set of measurements by exchange, beginning with the best
// of random sets and of the greedy one.
func (p *experience) rehearsed(n, k int, greedy []int, rng *rand.Rand) []int {
	d := p.newDesign(n, greedy, rng)
	if d == nil {
		return greedy
	}
	at := make([]int, len(greedy)) // the pool begins with the greedy set
	for i := range at {
		at[i] = i
	}
	starts := [][]int{at}
	for range designStarts {
		starts = append(starts, rng.Perm(len(d.pool))[:k])
	}
	scores := make([]float64, len(starts))
	inParallel(len(starts), func(i int) { scores[i] = d.score(starts[i]) })
	i := slices.Index(scores, slices.Max(scores))
	best, bestScore := starts[i], scores[i]
	const together = 4 // exchanges that are tried at once
	for range designSwaps / together {
		trials := make([][]int, together)
		for t := range trials {
			trials[t] = slices.Clone(best)
			in := rng.IntN(len(d.pool))
			for slices.Contains(best, in) {
				in = rng.IntN(len(d.pool))
			}
			trials[t][rng.IntN(k)] = in
		}
		scores := make([]float64, together)
		inParallel(together, func(t int) { scores[t] = d.score(trials[t]) })
		if t := slices.Index(scores, slices.Max(scores)); scores[t] > bestScore {
			best, bestScore = trials[t], scores[t]
		}
	}
	out := make([]int, k)
	for i, at := range best {
		out[i] = d.pool[at]
	}
	return out
}

// newDesign returns nil where there is nothing to rehearse with.
func (p *experience) newDesign(n int, first []int, rng *rand.Rand) *design {
	if len(p.families) < 2 || p.log == nil {
		return nil
	}
	known := func(i int) bool {
		for _, column := range p.items.times {
			if math.IsNaN(column[i]) {
				return false
			}
		}
		return true
	}
	for _, i := range first {
		if !known(i) {
			return nil
		}
	}
	d := &design{pool: slices.Clone(first)}
	for _, i := range rng.Perm(n) {
		switch {
		case slices.Contains(first, i) || !known(i):
		case len(d.pool) < designPool && len(d.pool)*3 < n*2:
			d.pool = append(d.pool, i)
		case len(d.test) < designTest:
			d.test = append(d.test, i)
		}
	}
	if len(d.pool) < 2*len(first) || len(d.test) < 20 {
		return nil
	}
	order := make([]int, len(p.mixtures))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.log[b], p.log[a]) })
	for _, i := range order {
		if i < p.drawn && p.mixtures[i].scale == 0 && len(d.mixtures) < designMixtures {
			d.mixtures = append(d.mixtures, p.mixtures[i])
		}
	}
	all := append(slices.Clone(d.pool), d.test...)
	for f, family := range p.families {
		kernels := p.kernelsFor(p.without(f))
		byMixture := make([][]float64, len(d.mixtures))
		inParallel(len(d.mixtures), func(m int) {
			out := make([]float64, len(d.pool)*len(all))
			for r, i := range d.pool {
				row := out[r*len(all) : (r+1)*len(all)]
				for c := range row {
					row[c] = level
				}
				for k, w := range d.mixtures[m].weights {
					if w != 0 {
						for c, j := range all {
							row[c] += w * kernels[0][k].at(i, j)
						}
					}
				}
			}
			byMixture[m] = out
		})
		d.covariance = append(d.covariance, byMixture)
		for _, device := range family {
			x := designDevice{family: f}
			var times []float64
			for _, i := range all {
				times = append(times, p.items.times[device][i])
			}
			x.values = winsorised(times, 0)
			x.truth = rank.Of(times[len(d.pool):])
			d.devices = append(d.devices, x)
		}
	}
	return d
}

// without are the devices of all families but one.
func (p *experience) without(family int) []int {
	var out []int
	for f, devices := range p.families {
		if f != family {
			out = append(out, devices...)
		}
	}
	slices.Sort(out)
	return out
}

// score is the mean rank correlation of known devices' tests; families count
// alike.
func (d *design) score(set []int) float64 {
	n, columns := len(set), len(d.pool)+len(d.test)
	within := make([]float64, n*n)
	y := make([]float64, n)
	mean := make([]float64, len(d.test))
	sums, counts := make([]float64, len(d.covariance)), make([]float64, len(d.covariance))
	for _, device := range d.devices {
		clear(mean)
		for m, mixture := range d.mixtures {
			covariance := d.covariance[device.family][m]
			for a, i := range set {
				y[a] = device.values[i]
				for b, j := range set {
					within[a*n+b] = covariance[i*columns+j] - level
				}
			}
			one := mixture
			one.weights = []float64{1}
			q, ok := one.condition([][]float64{within}, y)
			if !ok {
				continue
			}
			for t := range mean {
				mean[t] += q.center
			}
			for a, i := range set {
				for t, v := range covariance[i*columns+len(d.pool) : (i+1)*columns] {
					mean[t] += q.alpha[a] * v
				}
			}
		}
		// Ranks alone leave the level open, which the error then decides.
		wrong, truth := 0.0, device.values[len(d.pool):]
		for t, v := range mean {
			wrong += math.Abs(v/float64(len(d.mixtures))-truth[t]) / float64(len(mean))
		}
		_, deviation := moments(truth)
		sums[device.family] += rank.Correlation(rank.Of(mean), device.truth) - errorWeight*wrong/deviation
		counts[device.family]++
	}
	total := 0.0
	for f, s := range sums {
		total += s / counts[f] / float64(len(sums))
	}
	return total
}
