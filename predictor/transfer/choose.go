package transfer

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Sizes of the sets that are chosen from and judged by when measurements are
// designed; the first is at least twice the number to choose.
const (
	candidates = 500
	references = 500
)

// choose picks k of the first n items to measure: one by one that which reduces
// the variance of the others most, summed over a sample, under the covariance
// that the known devices taught (Seo et al., "Gaussian Process Regression:
// Active Data Selection and Test Point Rejection", 2000). Few are then exchanged
// for others as long as that would have predicted known devices better.
func (p *experience) choose(n, k int, rng *rand.Rand) []int {
	order := rng.Perm(n)
	pool := min(max(candidates, 2*k), n)
	all := order[:min(pool+references, n)]
	covariance, noise := p.priorCovariance(all[:pool], all)
	picks := greedy(covariance, len(all), 0, slices.Repeat([]float64{noise}, pool), k, all)
	if k > few {
		return picks
	}
	return p.rehearsed(n, k, picks, rng)
}

// greedy picks k rows. covariance has a row a candidate and a column each of
// all, which begin with the candidates; it is overwritten. Of the columns those
// from counts on are what variances are summed over. noise is by row.
func greedy(covariance []float64, columns, counts int, noise []float64, k int, all []int) []int {
	rows := len(covariance) / columns
	gone := make([]bool, rows)
	var out []int
	for range k {
		best, most := -1, math.Inf(-1)
		for i := range rows {
			if gone[i] {
				continue
			}
			row := covariance[i*columns : (i+1)*columns]
			sum := 0.0
			for _, v := range row[counts:] {
				sum += v * v
			}
			if gain := sum / (row[i] + noise[i]); gain > most {
				best, most = i, gain
			}
		}
		gone[best] = true
		out = append(out, all[best])
		picked := append([]float64(nil), covariance[best*columns:(best+1)*columns]...)
		for i := range rows {
			if f := picked[i] / (picked[best] + noise[best]); !gone[i] && f != 0 {
				row := covariance[i*columns : (i+1)*columns]
				for j, v := range picked {
					row[j] -= f * v
				}
			}
		}
	}
	return out
}

// priorCovariance is the mean covariance, and noise, of the mixtures under the
// prior.
func (p *experience) priorCovariance(rows, columns []int) (covariance []float64, noise float64) {
	best := math.Inf(-1)
	for _, l := range p.log {
		best = max(best, l)
	}
	weights := make([][]float64, len(scales))
	for s := range scales {
		weights[s] = make([]float64, len(p.kernels[s]))
	}
	total := 0.0
	for i, m := range p.mixtures {
		w := math.Exp(p.log[i] - best)
		total += w
		noise += w * m.noise
		for k, v := range m.weights {
			weights[m.scale][k] += w * v
		}
	}
	covariance = make([]float64, len(rows)*len(columns))
	inParallel(len(rows), func(r int) {
		out := covariance[r*len(columns) : (r+1)*len(columns)]
		for c := range out {
			out[c] = level
		}
		for s := range scales {
			for k, kernel := range p.kernels[s] {
				if w := weights[s][k] / total; w > 1e-4 {
					for c, item := range columns {
						out[c] += w * kernel.at(rows[r], item)
					}
				}
			}
		}
	})
	return covariance, noise / total
}
