package transfer

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// mixture is one Gaussian process of many: a scale, the weights of the kernels
// and the variance of the noise, all relative to an amplitude that is integrated
// out under the prior 1/amplitude^2.
type mixture struct {
	scale   int
	weights []float64 // by kernel
	noise   float64
}

// level is the prior variance of a constant, relative to kernels of variance 1:
// so wide that the level comes from the measurements.
const level = 20

// drawMixtures draws mixtures of one to four kernels each, none of the last ones.
func drawMixtures(n, kernels, last int, rng *rand.Rand) []mixture {
	out := make([]mixture, n)
	for i := range out {
		m := mixture{scale: rng.IntN(len(scales)), weights: make([]float64, kernels)}
		kernels := kernels - last
		m.noise = math.Exp(math.Log(0.001) + rng.Float64()*(math.Log(0.5)-math.Log(0.001)))
		some, sum := rng.Perm(kernels)[:min(1+rng.IntN(4), kernels)], 0.0
		for _, k := range some {
			m.weights[k] = rng.ExpFloat64()
			sum += m.weights[k]
		}
		for _, k := range some {
			m.weights[k] /= sum
		}
		out[i] = m
	}
	return out
}

// posterior is a mixture's process given measurements.
type posterior struct {
	mixture
	evidence float64   // logarithm, up to a constant that all mixtures share
	center   float64   // the mean of the transformed measurements
	alpha    []float64 // covariance^-1 (y - center)
	factor   []float64 // lower triangle of the covariance's Cholesky factor
	spread   float64   // posterior mean of the squared amplitude
}

// condition returns the posterior of m given y, the transformed measurements,
// whose covariances are within[kernel], symmetric matrices row by row; the
// logarithms of the measurements relative to their geometric mean sum to 0, so
// that evidences of different scales compare as they are. It returns false where
// the covariance is singular to working precision.
func (m mixture) condition(within [][]float64, y []float64) (posterior, bool) {
	n := len(y)
	p := posterior{mixture: m, factor: make([]float64, n*n), alpha: make([]float64, n)}
	for k, w := range m.weights {
		if w != 0 {
			for i, v := range within[k][:n*n] {
				p.factor[i] += w * v
			}
		}
	}
	for i := range p.factor {
		p.factor[i] += level
	}
	for i := range n {
		p.factor[i*n+i] += m.noise
		p.center += y[i] / float64(n)
	}
	lower, ok := lapack64.Potrf(blas64.Symmetric{N: n, Stride: n, Data: p.factor, Uplo: blas.Lower})
	if !ok {
		return p, false
	}
	determinant := 0.0
	for i, v := range y {
		p.alpha[i] = v - p.center
		determinant += math.Log(p.factor[i*n+i])
	}
	x := blas64.Vector{N: n, Inc: 1, Data: p.alpha}
	blas64.Trsv(blas.NoTrans, lower, x)
	square := blas64.Dot(x, x)
	blas64.Trsv(blas.Trans, lower, x)
	freedom := float64(n - 1) // one is spent on the level
	// A device on which every network costs the same has no amplitude to learn.
	square = max(square, 1e-12)
	p.spread = square / freedom
	p.evidence = -determinant - freedom/2*math.Log(square)
	return p, true
}

// leaveOneOut returns, for each measurement, the mean and the variance of the
// posterior predictive, noise included, given all others: Rasmussen and
// Williams, "Gaussian Processes for Machine Learning" (2006), equations 5.10 to
// 5.12. The amplitude is that of all measurements.
func (p *posterior) leaveOneOut(y []float64) (mean, variance []float64) {
	n := len(y)
	inverse := append([]float64(nil), p.factor...)
	lapack64.Potri(blas64.Triangular{N: n, Stride: n, Data: inverse, Uplo: blas.Lower, Diag: blas.NonUnit})
	mean, variance = make([]float64, n), make([]float64, n)
	for i := range n {
		d := inverse[i*n+i]
		mean[i] = y[i] - p.alpha[i]/d
		variance[i] = p.spread / d
	}
	return mean, variance
}

// mean of the posterior at an item, given its covariances with the measured
// ones, of which only those of kernels with weight are read.
func (p *posterior) mean(cross []float64) float64 {
	sum := p.center
	for i, a := range p.alpha {
		sum += a * cross[i]
	}
	return sum
}

// variance of the predictive, noise included. It overwrites cross.
func (p *posterior) variance(prior float64, cross []float64) float64 {
	n := len(p.alpha)
	x := blas64.Vector{N: n, Inc: 1, Data: cross}
	blas64.Trsv(blas.NoTrans, blas64.Triangular{N: n, Stride: n, Data: p.factor, Uplo: blas.Lower, Diag: blas.NonUnit}, x)
	return p.spread * max(prior-blas64.Dot(x, x)+p.noise, p.noise)
}
