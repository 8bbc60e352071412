package predictor

import "math"

// Coordinate descent stops after maxSweeps, or when no coefficient moves by
// more than tolerance times its column's scale. Collinear columns converge
// slowly, but then the coefficients hardly matter apart.
const (
	maxSweeps = 2000
	tolerance = 1e-9
)

// prior is where a coefficient is pulled to, and the pull is lambda times the
// square of its distance times scale; a scale of 0 stands for the root mean
// square of the coefficient's column, so that the pull is on what the
// coefficient contributes.
type prior struct {
	value, scale float64
}

// solveNonNegative minimises, over coefficients b >= 0,
//
//	mean over rows of (x·b - y)^2 + lambda * sum over columns of (scale_j (b_j - value_j))^2
//
// by coordinate descent. A column of zeros keeps its prior value.
func solveNonNegative(x [][]float64, y []float64, priors []prior, lambda float64) []float64 {
	d := len(priors)
	scale := make([]float64, d)
	for _, row := range x {
		for j, v := range row {
			scale[j] += v * v
		}
	}
	pull := make([]float64, d)
	scaled := make([]float64, d) // b_j times the column's root mean square
	for j := range scale {
		scale[j] = math.Sqrt(scale[j] / float64(len(x)))
		if pull[j] = lambda; priors[j].scale > 0 && scale[j] > 0 {
			pull[j] *= priors[j].scale * priors[j].scale / (scale[j] * scale[j])
		}
		scaled[j] = priors[j].value * scale[j]
	}
	gram := make([]float64, d*d)
	target := make([]float64, d)
	for i, row := range x {
		for j := range d {
			if scale[j] == 0 {
				continue
			}
			v := row[j] / scale[j] / float64(len(x))
			target[j] += v * y[i]
			for k := range d {
				if scale[k] > 0 {
					gram[j*d+k] += v * row[k] / scale[k]
				}
			}
		}
	}
	for range maxSweeps {
		var moved float64
		for j := range d {
			if scale[j] == 0 {
				continue
			}
			rest := target[j] + pull[j]*priors[j].value*scale[j]
			for k := range d {
				if k != j {
					rest -= gram[j*d+k] * scaled[k]
				}
			}
			next := max(0, rest/(gram[j*d+j]+pull[j]))
			moved = max(moved, math.Abs(next-scaled[j]))
			scaled[j] = next
		}
		if moved < tolerance {
			break
		}
	}
	b := make([]float64, d)
	for j := range d {
		if b[j] = priors[j].value; scale[j] > 0 {
			b[j] = scaled[j] / scale[j]
		}
	}
	return b
}

// steadyNoise is the relative standard deviation up to which a measurement
// counts nearly in full; other errors of the models are of this size.
const steadyNoise = 0.02

// reliability is the weight of the error of a measurement with the given
// relative standard deviation: 1 for an exact one.
func reliability(noise float64) float64 { return steadyNoise / math.Hypot(steadyNoise, noise) }

// solveRelative fits y ≈ x·b, b >= 0, with errors relative to y > 0 and weighted
// by the reliability of y, which has the given relative standard deviations.
func solveRelative(x [][]float64, y, noise []float64, priors []prior, lambda float64) []float64 {
	scaled := make([][]float64, len(x))
	weights := make([]float64, len(x))
	for i, row := range x {
		weights[i] = reliability(noise[i])
		scaled[i] = make([]float64, len(row))
		for j, v := range row {
			scaled[i][j] = weights[i] * v / y[i]
		}
	}
	return solveNonNegative(scaled, weights, priors, lambda)
}

func dot(a, b []float64) float64 {
	var sum float64
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// rootMeanSquare is 0 for no values.
func rootMeanSquare(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return math.Sqrt(dot(values, values) / float64(len(values)))
}
