package transfer

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

const (
	few      = 64  // measurements up to which mixtures are averaged
	tuneSize = 300 // measurements by which weights are tuned, at most
	tuneMost = 40  // steps of tuning
)

// tune raises the evidence of a mixture by gradient ascent on the logarithms of
// its weights and noise (Rasmussen and Williams, equation 5.9), with the step of
// each adapted by the sign of its slope (Rprop, Riedmiller and Braun 1993).
// A weight of zero starts small.
func (m mixture) tune(within [][]float64, y []float64) mixture {
	n, dims := len(y), len(m.weights)+1
	at := make([]float64, dims)
	for k, w := range m.weights {
		at[k] = math.Log(max(w, 0.01))
	}
	at[dims-1] = math.Log(m.noise)
	step, before := make([]float64, dims), make([]float64, dims)
	for i := range step {
		step[i] = 0.5
	}
	best, bestEvidence := m, math.Inf(-1)
	for range tuneMost {
		trial := mixture{scale: m.scale, weights: make([]float64, dims-1), noise: math.Exp(at[dims-1])}
		for k := range trial.weights {
			trial.weights[k] = math.Exp(at[k])
		}
		p, ok := trial.condition(within, y)
		if !ok {
			at[dims-1] += 1
			continue
		}
		if p.evidence > bestEvidence {
			best, bestEvidence = trial, p.evidence
		}
		slopes := p.slopes(within, n)
		for i, g := range slopes {
			switch {
			case g*before[i] > 0:
				step[i] = min(step[i]*1.2, 1)
			case g*before[i] < 0:
				step[i] = max(step[i]*0.5, 1e-3)
				g = 0
			}
			before[i] = g
			if g > 0 {
				at[i] += step[i]
			} else if g < 0 {
				at[i] -= step[i]
			}
			at[i] = min(max(at[i], math.Log(1e-7)), math.Log(1e3))
		}
	}
	for k, w := range best.weights {
		if w < 1e-5 {
			best.weights[k] = 0
		}
	}
	return best
}

// slopes of the evidence by the logarithms of the weights, then of the noise.
func (p *posterior) slopes(within [][]float64, n int) []float64 {
	inverse := slices.Clone(p.factor)
	lapack64.Potri(blas64.Triangular{N: n, Stride: n, Data: inverse, Uplo: blas.Lower, Diag: blas.NonUnit})
	// d evidence / d covariance = (a a' / spread - covariance^-1) / 2
	for i := range n {
		for j := range i + 1 {
			v := p.alpha[i]*p.alpha[j]/p.spread - inverse[i*n+j]
			if i == j {
				v /= 2
			}
			inverse[i*n+j] = v
		}
	}
	out := make([]float64, len(p.weights)+1)
	for i := range n {
		out[len(p.weights)] += p.noise * inverse[i*n+i]
	}
	inParallel(len(p.weights), func(k int) {
		sum := 0.0
		for i := range n {
			row := within[k][i*n : i*n+i+1]
			for j, v := range inverse[i*n : i*n+i+1] {
				sum += v * row[j]
			}
		}
		out[k] = sum * p.weights[k]
	})
	return out
}
