package predictor

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// parsed are the workloads of networks, and each that occurs, once.
func parsed(t *testing.T, networks []lut.Network) (of [][]graph.Workload, distinct []graph.Workload) {
	t.Helper()
	seen := map[graph.Workload]bool{}
	for _, n := range networks {
		workloads, err := networkWorkloads(n)
		if err != nil {
			t.Fatal(err)
		}
		of = append(of, workloads)
		for _, w := range workloads {
			if !seen[w] {
				seen[w] = true
				distinct = append(distinct, w)
			}
		}
	}
	return of, distinct
}

// TestDesignBeatsRandom measures rows in batches, designed or drawn at random
// from the workloads of the same networks, and compares the errors on others.
func TestDesignBeatsRandom(t *testing.T) {
	const seeds, first, batches, batch = 6, 12, 2, 16
	var designed, drawn float64
	better := 0
	for seed := range uint64(seeds) {
		m := newMachine(seed)
		aims, candidates := parsed(t, m.networks("fit", 60))
		fit, calibrate, test := m.networks("fit", 12), m.networks("calibrate", 12), m.networks("test", 80)
		rng := rand.New(rand.NewPCG(seed, 9))
		rng.Shuffle(len(candidates), func(i, j int) { candidates[i], candidates[j] = candidates[j], candidates[i] })
		run := func(next func(table *lut.Table, k int) []graph.Workload) float64 {
			table := &lut.Table{Networks: slices.Concat(fit, calibrate)}
			for _, w := range candidates[:first] {
				table.Rows = append(table.Rows, m.row(w))
			}
			for k := range batches {
				for _, w := range next(table, k) {
					table.Rows = append(table.Rows, m.row(w))
				}
			}
			a, err := mustFit(t, table).Evaluate(test)
			if err != nil {
				t.Fatal(err)
			}
			return a.MAPE
		}
		d := run(func(table *lut.Table, _ int) []graph.Workload {
			design, err := mustFit(t, table).Design(aims, batch)
			if err != nil {
				t.Fatal(err)
			}
			return design.Workloads
		})
		r := run(func(_ *lut.Table, k int) []graph.Workload { return candidates[first+k*batch:][:batch] })
		t.Logf("seed %d: mean error %.4f designed, %.4f at random", seed, d, r)
		designed += d / seeds
		drawn += r / seeds
		if d < r {
			better++
		}
	}
	t.Logf("mean of %d: %.4f designed, %.4f at random; designed is better in %d", seeds, designed, drawn, better)
	if designed >= drawn || better <= seeds/2 {
		t.Errorf("designed rows give a mean error of %g, random ones %g, better in %d of %d", designed, drawn, better, seeds)
	}
}

// TestDesign wants no row that is there, none twice, and the same each time; and
// once everything is measured nothing to gain.
func TestDesign(t *testing.T) {
	m := newMachine(1)
	networks := m.networks("fit", 10)
	aims, distinct := parsed(t, networks)
	table := &lut.Table{Networks: networks}
	for _, w := range distinct[:15] {
		table.Rows = append(table.Rows, m.row(w))
	}
	d, err := mustFit(t, table).Design(aims, len(distinct))
	if err != nil {
		t.Fatal(err)
	}
	again, err := mustFit(t, table).Design(aims, len(distinct))
	if err != nil || !slices.Equal(d.Workloads, again.Workloads) {
		t.Errorf("another choice the second time, or %v", err)
	}
	if len(d.Workloads) == 0 || !(d.Gain > 0) || d.Gain > d.Spread {
		t.Fatalf("%d workloads, a gain of %g of %g", len(d.Workloads), d.Gain, d.Spread)
	}
	seen := map[graph.Workload]bool{}
	for _, w := range distinct[:15] {
		seen[w] = true
	}
	for _, w := range d.Workloads {
		if seen[w] {
			t.Errorf("%s is there already", w)
		}
		seen[w] = true
		table.Rows = append(table.Rows, m.row(w))
	}
	for _, w := range distinct {
		if !seen[w] {
			table.Rows = append(table.Rows, m.row(w))
		}
	}
	if d, err := mustFit(t, table).Design(aims, 3); err != nil || len(d.Workloads) != 0 || d.Gain != 0 {
		t.Errorf("of a complete table: %+v, %v", d, err)
	}
	if _, err := mustFit(t, table).Design([][]graph.Workload{{}}, 3); err == nil {
		t.Error("a network of nothing passes")
	}
}
