package transfer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestPosterior compares mean, variance, evidence and leave-one-out answers with
// their definitions, computed by inverting the covariance and by fitting anew
// without each measurement.
func TestPosterior(t *testing.T) {
	const n, new = 7, 3
	rng := rand.New(rand.NewPCG(1, 2))
	columns := newColumns(2, n+new)
	for _, c := range columns {
		for i := range c {
			c[i] = rng.NormFloat64()
		}
	}
	k := kernelOf("x", true, columns...)
	kernels := []*kernel{k, k.near(0.7)}
	m := mixture{scale: 0, weights: []float64{0.3, 0.6}, noise: 0.1}
	items := []int{0, 1, 2, 3, 4, 5, 6}
	y := make([]float64, n)
	for i := range y {
		y[i] = rng.NormFloat64() + 2
	}
	covariance := func(i, j int) float64 {
		v := level + 0.3*k.at(i, j) + 0.6*kernels[1].at(i, j)
		if i == j {
			v += 0.1
		}
		return v
	}
	// The definition, with the amplitude that the code estimates.
	solve := func(which []int, target int) (mean, variance, determinant, square float64) {
		c := mat.NewSymDense(len(which), nil)
		cross := mat.NewVecDense(len(which), nil)
		v := mat.NewVecDense(len(which), nil)
		center := 0.0
		for _, i := range items {
			center += y[i] / n
		}
		for a, i := range which {
			for b, j := range which {
				c.SetSym(a, b, covariance(i, j))
			}
			cross.SetVec(a, covariance(i, target))
			v.SetVec(a, y[i]-center)
		}
		var inverse mat.Dense
		if err := inverse.Inverse(c); err != nil {
			t.Fatal(err)
		}
		var left mat.VecDense
		left.MulVec(&inverse, v)
		mean = center + mat.Dot(cross, &left)
		square = mat.Dot(v, &left)
		left.MulVec(&inverse, cross)
		variance = covariance(target, target) - mat.Dot(cross, &left)
		return mean, variance, mat.Det(c), square
	}
	p, ok := m.condition(covariances(kernels, items), y)
	if !ok {
		t.Fatal("the covariance cannot be factored")
	}
	_, _, determinant, square := solve(items, n)
	near(t, "evidence", p.evidence, -math.Log(determinant)/2-(n-1)/2.0*math.Log(square))
	near(t, "spread", p.spread, square/(n-1))
	for target := n; target < n+new; target++ {
		cross := make([]float64, n)
		for i := range cross {
			cross[i] = covariance(i, target)
		}
		mean, variance, _, _ := solve(items, target)
		near(t, "mean", p.mean(cross), mean)
		near(t, "means", p.means(kernels, items, []int{target})[0], mean)
		near(t, "variance", p.variance(covariance(target, target)-0.1, cross), variance*p.spread)
	}
	means, variances := p.leaveOneOut(y)
	for i := range items {
		others := append(append([]int(nil), items[:i]...), items[i+1:]...)
		mean, variance, _, _ := solve(others, i)
		near(t, "mean without", means[i], mean)
		near(t, "variance without", variances[i], variance*p.spread)
	}
	// Slopes against finite differences.
	slopes := p.slopes(covariances(kernels, items), n)
	for i := range slopes {
		const h = 1e-5
		moved := func(by float64) float64 {
			q := mixture{scale: 0, weights: []float64{0.3, 0.6}, noise: 0.1}
			if i < 2 {
				q.weights[i] *= math.Exp(by)
			} else {
				q.noise *= math.Exp(by)
			}
			r, _ := q.condition(covariances(kernels, items), y)
			return r.evidence
		}
		if want := (moved(h) - moved(-h)) / (2 * h); math.Abs(slopes[i]-want) > 1e-5*(1+math.Abs(want)) {
			t.Errorf("slope %d is %g, finite differences say %g", i, slopes[i], want)
		}
	}
	before, _ := m.condition(covariances(kernels, items), y)
	after, _ := m.tune(covariances(kernels, items), y).condition(covariances(kernels, items), y)
	if after.evidence < before.evidence-0.1 {
		t.Errorf("tuning lowers the evidence from %g to %g", before.evidence, after.evidence)
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
		t.Errorf("%s is %g, want %g", what, got, want)
	}
}

// TestScales: logOf undoes boxCox and keeps the order beyond it.
func TestScales(t *testing.T) {
	for _, l := range append(scales, 0.3) {
		for _, x := range []float64{0.1, 0.5, 1, 3, 200} {
			near(t, "logarithm", logOf(boxCox(x, l), l), math.Log(x))
		}
	}
	last := math.Inf(-1)
	for v := -5.0; v < 5; v += 0.01 {
		got := logOf(v, 1)
		if !(got > last) {
			t.Fatalf("logOf(%g) = %g is not above %g", v, got, last)
		}
		last = got
	}
}

// TestGreedy compares with trying every pair by its definition: the sum of the
// variances that remain, in the first step and given the first pick.
func TestGreedy(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const n = 6
	const noise = 0.1
	columns := newColumns(3, n)
	for _, c := range columns {
		for i := range c {
			c[i] = rng.NormFloat64()
		}
	}
	k := kernelOf("x", false, columns...)
	all := []int{0, 1, 2, 3, 4, 5}
	left := func(picked []int) float64 {
		c := mat.NewSymDense(len(picked), nil)
		for a, i := range picked {
			for b, j := range picked {
				c.SetSym(a, b, k.at(i, j))
			}
			c.SetSym(a, a, k.at(i, i)+noise)
		}
		var inverse mat.Dense
		if err := inverse.Inverse(c); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i := range n {
			v := mat.NewVecDense(len(picked), nil)
			for a, j := range picked {
				v.SetVec(a, k.at(i, j))
			}
			sum += k.at(i, i) - mat.Inner(v, &inverse, v)
		}
		return sum
	}
	covariance := make([]float64, n*n)
	k.fill(covariance, all, all)
	picks := greedy(covariance, n, 0, slices.Repeat([]float64{noise}, n), 3, all)
	for step := range picks {
		for other := range n {
			trial := append(append([]int(nil), picks[:step]...), other)
			skip := false
			for _, p := range picks[:step] {
				skip = skip || p == other
			}
			if !skip && left(trial) < left(picks[:step+1])-1e-9 {
				t.Errorf("step %d picks %d, but %d leaves less variance", step, picks[step], other)
			}
		}
	}
}
