package search

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/nas"
)

func evaluations(values ...[]float64) []nas.Evaluation {
	var all []nas.Evaluation
	for i, v := range values {
		all = append(all, nas.Evaluation{Architecture: nas.Architecture{i}, Values: v})
	}
	return all
}

func TestSortByDomination(t *testing.T) {
	pool := evaluations(
		[]float64{1, 5}, // 0: front 0
		[]float64{2, 6}, // 1: behind 0
		[]float64{5, 1}, // 2: front 0
		[]float64{3, 7}, // 3: behind 0 and 1
		[]float64{0, 0}, // 4: best of all, but infeasible
		[]float64{1, 5}, // 5: equal to 0
		[]float64{math.NaN(), 0},
	)
	pool[4].Violation = 0.1
	var got [][]int
	for _, front := range sortByDomination(pool, minimise2) {
		var ids []int
		for _, e := range front {
			ids = append(ids, e.Architecture[0])
		}
		got = append(got, ids)
	}
	if diff := cmp.Diff([][]int{{0, 2, 5}, {1}, {3}, {4}, {6}}, got); diff != "" {
		t.Errorf("fronts differ (-want +got):\n%s", diff)
	}
}

// TestSortIsAPartition checks on random pools what defines the fronts.
func TestSortIsAPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		point := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 5), func(i int) float64 { return float64(i) }), 3, 3)
		pool := evaluations(rapid.SliceOfN(point, 1, 30).Draw(t, "pool")...)
		objectives := []nas.Objective{{Name: "a"}, {Name: "b", Maximize: true}, {Name: "c"}}
		fronts := sortByDomination(pool, objectives)
		size := 0
		for rank, front := range fronts {
			size += len(front)
			for _, e := range front {
				beaten := rank == 0
				for r, other := range fronts {
					for _, o := range other {
						if nas.Dominates(o, e, objectives) {
							if r >= rank {
								t.Fatalf("%v in front %d is dominated by %v in front %d", e.Values, rank, o.Values, r)
							}
							beaten = beaten || r == rank-1
						}
					}
				}
				if !beaten {
					t.Fatalf("nobody in front %d dominates %v of front %d", rank-1, e.Values, rank)
				}
			}
		}
		if size != len(pool) {
			t.Fatalf("fronts hold %d of %d", size, len(pool))
		}
	})
}

func TestCrowdingDistances(t *testing.T) {
	inf := math.Inf(1)
	for name, test := range map[string]struct {
		front []nas.Evaluation
		want  []float64
	}{
		"one":      {evaluations([]float64{1, 1}), []float64{0}},
		"two":      {evaluations([]float64{1, 2}, []float64{2, 1}), []float64{inf, inf}},
		"middle":   {evaluations([]float64{0, 10}, []float64{10, 0}, []float64{2, 6}, []float64{4, 4}), []float64{inf, inf, 0.4 + 0.6, 0.8 + 0.6}},
		"constant": {evaluations([]float64{3, 0}, []float64{3, 2}, []float64{3, 8}), []float64{inf, 2.0 / 2, inf}},
		"infinite": {evaluations([]float64{inf, 0}, []float64{1, 2}, []float64{0, 8}), []float64{inf, 8.0 / 8, inf}},
	} {
		got := crowdingDistances(test.front, 2)
		if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b float64) bool { return a == b || math.Abs(a-b) < 1e-12 })); diff != "" {
			t.Errorf("%s: distances differ (-want +got):\n%s", name, diff)
		}
	}
}

func TestSelectBest(t *testing.T) {
	pool := evaluations(
		[]float64{0, 10}, []float64{1, 9}, []float64{1.1, 8.9}, []float64{5, 5}, []float64{10, 0}, // front 0
		[]float64{6, 6}, // front 1
	)
	var got []int
	for _, i := range selectBest(pool, minimise2, 4) {
		got = append(got, i.Architecture[0])
	}
	// Both ends, then the loneliest; the crowded 1 goes, since 2 has more room.
	if diff := cmp.Diff([]int{0, 4, 3, 2}, got); diff != "" {
		t.Errorf("kept differ (-want +got):\n%s", diff)
	}
	if all := selectBest(pool, minimise2, 10); len(all) != len(pool) || all[5].rank != 1 {
		t.Errorf("a pool smaller than n is not kept whole: %v", all)
	}
}

// TestWake draws decisions without effect anew and leaves the others.
func TestWake(t *testing.T) {
	p := elastic()
	s := newSource(p.space, 1, 0, nil, nil, nil)
	a := nas.Architecture{2, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	changed := make([]bool, len(a))
	for range 50 {
		for i, gene := range wake(p.space, a, s.rng) {
			changed[i] = changed[i] || gene != a[i]
		}
	}
	for i, c := range changed {
		if c != (i > 2) {
			t.Errorf("decision %d: drawn anew: %v", i, c)
		}
	}
}

// TestTournament expects three of four tournaments to go to the better of two.
func TestTournament(t *testing.T) {
	worse, better := nas.Architecture{0}, nas.Architecture{1}
	for name, parents := range map[string][]individual{
		"rank": {
			{Evaluation: nas.Evaluation{Architecture: worse}, rank: 1, crowding: 9},
			{Evaluation: nas.Evaluation{Architecture: better}, rank: 0, crowding: 1},
		},
		"crowding": {
			{Evaluation: nas.Evaluation{Architecture: worse}, rank: 1, crowding: 1},
			{Evaluation: nas.Evaluation{Architecture: better}, rank: 1, crowding: 9},
		},
	} {
		rng := rand.New(rand.NewPCG(1, 1))
		won := 0
		for range 1000 {
			won += tournament(parents, rng)[0]
		}
		if won < 700 || won > 800 {
			t.Errorf("%s: the better won %d of 1000, want about 750", name, won)
		}
	}
}
