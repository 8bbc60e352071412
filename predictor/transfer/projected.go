package transfer

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

const (
	// exactly is the number of measurements up to which a process is conditioned
	// on them at a cost that is cubic in it. More measurements are projected onto
	// the span of so many of them.
	exactly = 1000
	// leastProjected is the noise below which a projection would say more of
	// rounding than of the device; exactly measurements then tell all there is.
	leastProjected = 1e-5
	jitter         = 1e-8 // of a covariance of items with themselves, against rounding
)

// conditionMany conditions on measurements robustly, see conditionRobustly. It
// returns the posterior, the items that its weights are of, and a prediction of
// each measurement from the others.
func conditionMany(m mixture, kernels []*kernel, measured []int, y []float64) (posterior, []int, []float64, error) {
	if len(measured) <= exactly {
		q, loo, err := conditionRobustly(m, kernels, measured, y)
		return q, measured, loo, err
	}
	if m.noise < leastProjected {
		some := measured[:exactly]
		q, loo, err := conditionRobustly(m, kernels, some, y[:exactly])
		if err != nil {
			return q, nil, nil, err
		}
		return q, some, append(loo, q.means(kernels, some, measured[exactly:])...), nil
	}
	p, ok := m.project(kernels, measured[:exactly], measured)
	if !ok {
		return posterior{}, nil, nil, fmt.Errorf("transfer: no model can be fitted to the %d measurements", len(measured))
	}
	var loo []float64
	for range 2 {
		var variances []float64
		loo, variances = p.condition(y)
		if !pullIn(y, loo, variances) {
			break
		}
	}
	return p.posterior, measured[:exactly], loo, nil
}

// projection is a process whose values are those that it has at some inducing
// items, carried on to all others by their covariance: the projected process of
// Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006),
// section 8.3.4. It is linear regression on features of the items, of which
// there are as many as inducing items.
type projection struct {
	posterior
	n, features int
	lower       []float64 // Cholesky factor of the inducing items' covariances
	at          []float64 // features of the measured items, a column each
	inner       []float64 // Cholesky factor of 1 + at at'/noise
	leverage    []float64 // how much each measurement tells of itself
}

// project prepares conditioning on measured items. It is false where the
// covariances are singular to working precision.
func (m mixture) project(kernels []*kernel, inducing, measured []int) (*projection, bool) {
	n, k := len(measured), len(inducing)
	p := &projection{posterior: posterior{mixture: m}, n: n, features: k, leverage: make([]float64, n)}
	p.lower = m.covariances(kernels, inducing, inducing)
	for i := range k {
		p.lower[i*k+i] *= 1 + jitter
	}
	if _, ok := lapack64.Potrf(blas64.Symmetric{N: k, Stride: k, Data: p.lower, Uplo: blas.Lower}); !ok {
		return nil, false
	}
	p.at = m.covariances(kernels, inducing, measured)
	p.solve(p.lower, p.at)
	p.inner = make([]float64, k*k)
	at := blas64.General{Rows: k, Cols: n, Stride: n, Data: p.at}
	blas64.Gemm(blas.NoTrans, blas.Trans, 1/m.noise, at, at, 0, blas64.General{Rows: k, Cols: k, Stride: k, Data: p.inner})
	for i := range k {
		p.inner[i*k+i]++
	}
	if _, ok := lapack64.Potrf(blas64.Symmetric{N: k, Stride: k, Data: p.inner, Uplo: blas.Lower}); !ok {
		return nil, false
	}
	solved := slices.Clone(p.at)
	p.solve(p.inner, solved)
	for i := range k {
		for j, v := range solved[i*n : (i+1)*n] {
			p.leverage[j] += v * v / m.noise
		}
	}
	return p, true
}

// covariances of items with others, a row an item, level included.
func (m mixture) covariances(kernels []*kernel, items, others []int) []float64 {
	out := make([]float64, len(items)*len(others))
	inParallel(len(items), func(r int) {
		row := out[r*len(others) : (r+1)*len(others)]
		for c := range row {
			row[c] = level
		}
		for k, w := range m.weights {
			if w != 0 {
				for c, o := range others {
					row[c] += w * kernels[k].at(items[r], o)
				}
			}
		}
	})
	return out
}

// solve replaces the columns of b by the solutions of a lower triangular system.
func (p *projection) solve(lower, b []float64) {
	const columns = 64
	inParallel((p.n+columns-1)/columns, func(part int) {
		from := part * columns
		width := min(columns, p.n-from)
		blas64.Trsm(blas.Left, blas.NoTrans, 1,
			blas64.Triangular{N: p.features, Stride: p.features, Data: lower, Uplo: blas.Lower, Diag: blas.NonUnit},
			blas64.General{Rows: p.features, Cols: width, Stride: p.n, Data: b[from:]})
	})
}

// condition sets the posterior given y, the transformed measurements, and
// returns the mean and the variance of each given all others.
func (p *projection) condition(y []float64) (mean, variance []float64) {
	p.center = 0
	for _, v := range y {
		p.center += v / float64(p.n)
	}
	return p.around(y)
}

// around is condition with the center as it is.
func (p *projection) around(y []float64) (mean, variance []float64) {
	n, k := p.n, p.features
	rest := make([]float64, n)
	for i, v := range y {
		rest[i] = v - p.center
	}
	triangular := func(data []float64) blas64.Triangular {
		return blas64.Triangular{N: k, Stride: k, Data: data, Uplo: blas.Lower, Diag: blas.NonUnit}
	}
	at := blas64.General{Rows: k, Cols: n, Stride: n, Data: p.at}
	slopes := blas64.Vector{N: k, Inc: 1, Data: make([]float64, k)} // of the features
	blas64.Gemv(blas.NoTrans, 1/p.noise, at, blas64.Vector{N: n, Inc: 1, Data: rest}, 0, slopes)
	blas64.Trsv(blas.NoTrans, triangular(p.inner), slopes)
	blas64.Trsv(blas.Trans, triangular(p.inner), slopes)
	fit := blas64.Vector{N: n, Inc: 1, Data: make([]float64, n)}
	blas64.Gemv(blas.Trans, 1, at, slopes, 0, fit)
	square := 0.0
	for i, v := range rest {
		square += v * (v - fit.Data[i]) / p.noise
	}
	p.spread = max(square, 1e-12) / float64(n-1)
	mean, variance = make([]float64, n), make([]float64, n)
	for i, v := range rest {
		free := max(1-p.leverage[i], 1e-9)
		mean[i] = y[i] - (v-fit.Data[i])/free
		variance[i] = p.spread * p.noise / free
	}
	blas64.Trsv(blas.Trans, triangular(p.lower), slopes)
	p.alpha = slopes.Data
	return mean, variance
}
