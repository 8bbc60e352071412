package predictor

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// hyper are the hyperparameters of a Gaussian process over vectors x of d
// standardised features, for targets of mean 0 and variance 1, with covariance
//
//	(x·x' + 1)/(d+1) + smooth * exp(-|x-x'|^2 / (2 length^2 d)) + noise [x = x']
//
// With smooth = 0 it is ridge regression (Rasmussen and Williams, "Gaussian
// Processes for Machine Learning", 2006, section 2.1).
type hyper struct {
	smooth, length, noise float64
}

// ridgeGrid and smoothGrid are what is tried.
func ridgeGrid() (grid []hyper) {
	for _, noise := range []float64{1e-3, 1e-2, 1e-1, 1} {
		grid = append(grid, hyper{noise: noise})
	}
	return grid
}

func smoothGrid() (grid []hyper) {
	for _, smooth := range []float64{0.3, 3} {
		for _, length := range []float64{0.3, 0.6, 1.2, 2.4} {
			for _, noise := range []float64{1e-4, 1e-2, 1e-1} {
				grid = append(grid, hyper{smooth: smooth, length: length, noise: noise})
			}
		}
	}
	return grid
}

func (h hyper) covariance(product, distance float64, d int) float64 {
	k := (product + 1) / float64(d+1)
	if h.smooth > 0 {
		k += h.smooth * math.Exp(-distance/(2*h.length*h.length*float64(d)))
	}
	return k
}

func squaredDistance(a, b []float64) float64 {
	var sum float64
	for i, v := range a {
		sum += (v - b[i]) * (v - b[i])
	}
	return sum
}

// covariances is the covariance matrix of the rows of x; own is the known
// noise variance of each row, added to that of h.
func (h hyper) covariances(x [][]float64, own []float64) *mat.SymDense {
	return h.covariancesOf(compare(x), own)
}

// compared are the inner products and the squared distances of rows, of each with
// those up to itself.
type compared struct {
	rows, dims          int
	products, distances []float64
}

func compare(x [][]float64) compared {
	n := len(x)
	c := compared{rows: n, dims: len(x[0]), products: make([]float64, n*(n+1)/2), distances: make([]float64, n*(n+1)/2)}
	at := 0
	for i := range n {
		for j := range i + 1 {
			c.products[at] = dot(x[i], x[j])
			if i != j {
				c.distances[at] = squaredDistance(x[i], x[j])
			}
			at++
		}
	}
	return c
}

func (h hyper) covariancesOf(c compared, own []float64) *mat.SymDense {
	k := mat.NewSymDense(c.rows, nil)
	at := 0
	for i := range c.rows {
		for j := range i + 1 {
			v := h.covariance(c.products[at], c.distances[at], c.dims)
			if i == j {
				v = v + h.noise + own[i]
			}
			k.SetSym(i, j, v)
			at++
		}
	}
	return k
}

// leaveOneOut is the mean absolute error of predicting each y from all others
// (Rasmussen and Williams, equation 5.12), infinite where the covariance
// matrix is singular.
func (h hyper) leaveOneOut(x compared, y, own []float64) float64 {
	var factor mat.Cholesky
	if !factor.Factorize(h.covariancesOf(x, own)) {
		return math.Inf(1)
	}
	var inverse mat.SymDense
	if err := factor.InverseTo(&inverse); err != nil {
		return math.Inf(1)
	}
	var weights mat.VecDense
	weights.MulVec(&inverse, mat.NewVecDense(len(y), y))
	var sum float64
	for i := range y {
		sum += math.Abs(weights.AtVec(i) / inverse.At(i, i))
	}
	return sum / float64(len(y))
}

// bestHyper is the one of the grid with the least leave-one-out error.
func bestHyper(grid []hyper, x [][]float64, y, own []float64) hyper {
	best, least := grid[0], math.Inf(1)
	c := compare(x)
	for _, h := range grid {
		if e := h.leaveOneOut(c, y, own); e < least {
			best, least = h, e
		}
	}
	return best
}

// process is a Gaussian process conditioned on rows.
type process struct {
	hyper   hyper
	x       [][]float64
	own     []float64 // known noise variance of the rows
	weights []float64
	factor  mat.Cholesky
}

// condition returns the process given y at the rows of x; false where the
// covariance matrix is singular.
func condition(h hyper, x [][]float64, y, own []float64) (*process, bool) {
	p := &process{hyper: h, x: x, own: own}
	if !p.factor.Factorize(h.covariances(x, own)) {
		return nil, false
	}
	var weights mat.VecDense
	if err := p.factor.SolveVecTo(&weights, mat.NewVecDense(len(y), y)); err != nil {
		return nil, false
	}
	p.weights = weights.RawVector().Data
	return p, true
}

func (p *process) toRows(x []float64) []float64 {
	k := make([]float64, len(p.x))
	for i, row := range p.x {
		k[i] = p.hyper.covariance(dot(x, row), squaredDistance(x, row), len(row))
	}
	return k
}

func (p *process) mean(x []float64) float64 { return dot(p.toRows(x), p.weights) }

// deviation is the standard deviation of the noiseless value at x.
func (p *process) deviation(x []float64) float64 {
	k := p.toRows(x)
	// With the covariances K = UᵀU, of which the factor keeps U.
	blas64.Trsv(blas.Trans, p.upper(), blas64.Vector{N: len(k), Inc: 1, Data: k})
	prior := p.hyper.covariance(dot(x, x), 0, len(x))
	return math.Sqrt(max(0, prior-dot(k, k)))
}

// upper is the factor U of the covariances UᵀU.
func (p *process) upper() blas64.Triangular {
	return p.factor.RawU().(mat.RawTriangular).RawTriangular()
}
