package transfer

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestProjection: projected onto all measured items a process stays what it is;
// onto some of them, each measurement is predicted from the others as by a
// process that was not told of it.
func TestProjection(t *testing.T) {
	const n, target = 12, 12
	rng := rand.New(rand.NewPCG(3, 1))
	columns := newColumns(3, n+1)
	for _, c := range columns {
		for i := range c {
			c[i] = rng.NormFloat64()
		}
	}
	k := kernelOf("x", true, columns...)
	kernels := []*kernel{k, k.near(0.7)}
	m := mixture{weights: []float64{0.3, 0.6}, noise: 0.1}
	items, y := make([]int, n), make([]float64, n)
	for i := range y {
		items[i], y[i] = i, rng.NormFloat64()+2
	}
	exact, ok := m.condition(covariances(kernels, items), y)
	all, ok2 := m.project(kernels, items, items)
	if !ok || !ok2 {
		t.Fatal("the covariance cannot be factored")
	}
	loo, variances := all.condition(y)
	near(t, "mean", all.means(kernels, items, []int{target})[0], exact.means(kernels, items, []int{target})[0])
	near(t, "spread", all.spread, exact.spread)
	wantLoo, wantVariances := exact.leaveOneOut(y)
	for i := range y {
		near(t, "left out", loo[i], wantLoo[i])
		near(t, "variance", variances[i], wantVariances[i])
	}

	inducing := items[:5]
	some, ok := m.project(kernels, inducing, items)
	if !ok {
		t.Fatal("the covariance cannot be factored")
	}
	loo, _ = some.condition(y)
	for _, i := range []int{2, 8} {
		rest, ok := m.project(kernels, inducing, slices.Concat(items[:i], items[i+1:]))
		if !ok {
			t.Fatal("the covariance cannot be factored")
		}
		rest.center = some.center
		rest.around(slices.Concat(y[:i], y[i+1:]))
		near(t, "left out", loo[i], rest.means(kernels, inducing, []int{i})[0])
	}
}
