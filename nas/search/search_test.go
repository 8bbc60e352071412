package search

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
)

// grid is a space of equal decisions. With conditional set, decision 0 is a
// depth: decision i has no effect where i > its choice.
type grid struct {
	decisions   []nas.Decision
	conditional bool
}

func newGrid(decisions, choices int, conditional bool) grid {
	g := grid{conditional: conditional}
	for i := range decisions {
		d := nas.Decision{Name: "x" + strconv.Itoa(i)}
		for c := range choices {
			d.Choices = append(d.Choices, strconv.Itoa(c))
		}
		g.decisions = append(g.decisions, d)
	}
	return g
}

func (g grid) Name() string              { return "grid" }
func (g grid) Decisions() []nas.Decision { return g.decisions }
func (g grid) Smallest() nas.Architecture {
	return make(nas.Architecture, len(g.decisions))
}
func (g grid) Largest() nas.Architecture {
	a := make(nas.Architecture, len(g.decisions))
	for i, d := range g.decisions {
		a[i] = len(d.Choices) - 1
	}
	return a
}
func (g grid) Lower(nas.Architecture) (*graph.Graph, error) {
	return nil, errors.New("a grid has no networks")
}
func (g grid) Canonical(a nas.Architecture) nas.Architecture {
	a = slices.Clone(a)
	if g.conditional {
		for i := a[0] + 1; i < len(a); i++ {
			a[i] = 0
		}
	}
	return a
}

// unit scales the choices to [0, 1].
func (g grid) unit(a nas.Architecture) []float64 {
	x := make([]float64, len(a))
	for i, c := range a {
		x[i] = float64(c) / float64(len(g.decisions[i].Choices)-1)
	}
	return x
}

var minimise2 = []nas.Objective{{Name: "f1"}, {Name: "f2"}}

// problem is a space with the values of its architectures.
type problem struct {
	space       nas.Space
	objectives  []nas.Objective
	constraints []nas.Constraint
	reference   []float64
	values      func(nas.Architecture) []float64
}

func (p problem) evaluate(t testing.TB, batch []nas.Architecture) []nas.Evaluation {
	t.Helper()
	var evaluations []nas.Evaluation
	for _, a := range batch {
		values := p.values(a)
		violation, err := nas.Violation(values, p.objectives, p.constraints)
		if err != nil {
			t.Fatal(err)
		}
		evaluations = append(evaluations, nas.Evaluation{Architecture: a, Values: values, Violation: violation})
	}
	return evaluations
}

// run spends the evaluations in batches of 20 and returns them in order.
func (p problem) run(t testing.TB, s Strategy, evaluations int) []nas.Evaluation {
	t.Helper()
	var all []nas.Evaluation
	for len(all) < evaluations {
		batch := s.Ask(min(20, evaluations-len(all)))
		if len(batch) == 0 {
			break
		}
		told := p.evaluate(t, batch)
		if err := s.Tell(told); err != nil {
			t.Fatal(err)
		}
		all = append(all, told...)
	}
	return all
}

func (p problem) hypervolume(t testing.TB, evaluations []nas.Evaluation) float64 {
	t.Helper()
	volume, err := nas.Hypervolume(nas.Front(evaluations, p.objectives), p.objectives, p.reference)
	if err != nil {
		t.Fatal(err)
	}
	return volume
}

// zdt is the family of Zitzler, Deb and Thiele ("Comparison of multiobjective
// evolutionary algorithms", 2000) on an integer grid: the front is where all
// decisions but the first are 0.
func zdt(decisions, choices int, shape func(f1, g float64) float64) problem {
	space := newGrid(decisions, choices, false)
	return problem{
		space: space, objectives: minimise2, reference: []float64{1.1, 11},
		values: func(a nas.Architecture) []float64 {
			x := space.unit(a)
			g := 1.0
			for _, v := range x[1:] {
				g += 9 * v / float64(len(x)-1)
			}
			return []float64{x[0], g * shape(x[0], g)}
		},
	}
}

func convex(f1, g float64) float64  { return 1 - math.Sqrt(f1/g) }
func concave(f1, g float64) float64 { return 1 - (f1/g)*(f1/g) }
func broken(f1, g float64) float64 {
	return 1 - math.Sqrt(f1/g) - f1/g*math.Sin(10*math.Pi*f1)
}

// elastic resembles a real space: a depth switches layers on, each layer adds
// cost and, with diminishing returns, quality.
func elastic() problem {
	space := newGrid(12, 6, true)
	return problem{
		space:      space,
		objectives: []nas.Objective{{Name: "quality", Maximize: true}, {Name: "cost"}},
		reference:  []float64{0, 80},
		values: func(a nas.Architecture) []float64 {
			quality, cost := 0.0, 5.0
			for i := 1; i <= min(a[0]*2+1, len(a)-1); i++ {
				quality += math.Sqrt(float64(a[i]+1)) * (1 + 0.5*math.Sin(float64(3*i)))
				cost += float64(a[i]+1) * (1 + 0.4*math.Cos(float64(5*i)))
			}
			return []float64{quality, cost}
		},
	}
}

func constrained() problem {
	p := zdt(12, 8, convex)
	p.constraints = []nas.Constraint{{Objective: "f2", Limit: 1.5}}
	return p
}

func problems() map[string]problem {
	return map[string]problem{
		"convex": zdt(12, 8, convex), "concave": zdt(12, 8, concave), "broken": zdt(12, 12, broken),
		"elastic": elastic(), "constrained": constrained(),
	}
}

func mustNSGA2(t testing.TB, p problem, o Options) *NSGA2 {
	t.Helper()
	s, err := NewNSGA2(p.space, p.objectives, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustRandom(t testing.TB, p problem, seed uint64) *Random {
	t.Helper()
	s, err := NewRandom(p.space, seed)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNSGA2BeatsRandom(t *testing.T) {
	for name, p := range problems() {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= 5; seed++ {
				evolved := p.hypervolume(t, p.run(t, mustNSGA2(t, p, Options{Population: 40, Seed: seed}), 800))
				random := p.hypervolume(t, p.run(t, mustRandom(t, p, seed), 800))
				t.Logf("seed %d: NSGA-II %.3f, random %.3f", seed, evolved, random)
				if evolved <= random {
					t.Errorf("seed %d: hypervolume %g of NSGA-II is not above %g of random search", seed, evolved, random)
				}
			}
		})
	}
}

// TestNSGA2ReachesKnownFront wants nearly all of the volume under the true
// front of the grid.
func TestNSGA2ReachesKnownFront(t *testing.T) {
	p := zdt(12, 8, convex)
	var front []nas.Architecture
	for c := range 8 {
		a := p.space.Smallest()
		a[0] = c
		front = append(front, a)
	}
	best := p.hypervolume(t, p.evaluate(t, front))
	found := p.hypervolume(t, p.run(t, mustNSGA2(t, p, Options{Population: 40, Seed: 1}), 2000))
	if found > best || found < 0.98*best {
		t.Errorf("hypervolume %g, want at least 98%% of the true front's %g and no more than it", found, best)
	}
}

func TestNSGA2FindsFeasible(t *testing.T) {
	p := zdt(12, 8, convex)
	p.constraints = []nas.Constraint{{Objective: "f2", Limit: 0.7}} // no random draw gets there
	feasible := func(evaluations []nas.Evaluation) (n int) {
		for _, e := range evaluations {
			if e.Violation == 0 {
				n++
			}
		}
		return n
	}
	if n := feasible(p.run(t, mustRandom(t, p, 1), 1500)); n != 0 {
		t.Fatalf("random search found %d feasible points; the constraint is too loose for this test", n)
	}
	if n := feasible(p.run(t, mustNSGA2(t, p, Options{Population: 40, Seed: 1}), 1500)); n == 0 {
		t.Error("no feasible point found")
	}
}

func strategies(t testing.TB, p problem, seed uint64) map[string]func() Strategy {
	return map[string]func() Strategy{
		"nsga2":  func() Strategy { return mustNSGA2(t, p, Options{Population: 8, Seed: seed}) },
		"random": func() Strategy { return mustRandom(t, p, seed) },
	}
}

func TestDeterministic(t *testing.T) {
	p := elastic()
	for name, create := range strategies(t, p, 7) {
		t.Run(name, func(t *testing.T) {
			a, b := p.run(t, create(), 200), p.run(t, create(), 200)
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("two runs of one seed differ:\n%s", diff)
			}
		})
	}
	if cmp.Equal(p.run(t, mustRandom(t, p, 1), 50), p.run(t, mustRandom(t, p, 2), 50)) {
		t.Error("seeds 1 and 2 give the same random search")
	}
	other := mustNSGA2(t, p, Options{Population: 8, Seed: 2})
	if cmp.Equal(p.run(t, mustNSGA2(t, p, Options{Population: 8, Seed: 1}), 50), p.run(t, other, 50)) {
		t.Error("seeds 1 and 2 give the same evolution")
	}
}

// TestReplay interrupts a search at an arbitrary evaluation, tells a fresh
// strategy what was found, and wants the rest to be as if nothing had happened.
func TestReplay(t *testing.T) {
	small := problem{
		space: newGrid(3, 4, true), objectives: minimise2,
		values: func(a nas.Architecture) []float64 {
			return []float64{float64(a[0] + a[1]), float64(6 - a[0] - a[2])}
		},
	}
	for space, p := range map[string]problem{"elastic": elastic(), "small": small} {
		for name, create := range strategies(t, p, 3) {
			t.Run(space+"/"+name, func(t *testing.T) {
				rapid.Check(t, func(rt *rapid.T) {
					batches := rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 5, 8, 11}), 1, 30).Draw(rt, "batches")
					cut := rapid.IntRange(0, len(batches)).Draw(rt, "cut")
					var told []nas.Evaluation
					whole := create()
					var want [][]nas.Architecture
					for i, n := range batches {
						batch := whole.Ask(n)
						evaluations := p.evaluate(t, batch)
						if err := whole.Tell(evaluations); err != nil {
							rt.Fatal(err)
						}
						if i < cut {
							told = append(told, evaluations...)
						} else {
							want = append(want, batch)
						}
					}
					resumed := create()
					if err := resumed.Tell(told); err != nil {
						rt.Fatal(err)
					}
					for i, n := range batches[cut:] {
						batch := resumed.Ask(n)
						if diff := cmp.Diff(want[i], batch); diff != "" {
							rt.Fatalf("batch %d after %d told differs:\n%s", i, len(told), diff)
						}
						if err := resumed.Tell(p.evaluate(t, batch)); err != nil {
							rt.Fatal(err)
						}
					}
				})
			})
		}
	}
}

// TestReplayInsideBatch loses half of a batch: what was in flight is proposed
// again.
func TestReplayInsideBatch(t *testing.T) {
	p := elastic()
	for name, create := range strategies(t, p, 5) {
		t.Run(name, func(t *testing.T) {
			s := create()
			told := p.run(t, s, 40)
			lost := s.Ask(8)
			told = append(told, p.evaluate(t, lost[:3])...)
			resumed := create()
			if err := resumed.Tell(told); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(lost[3:], resumed.Ask(5)); diff != "" {
				t.Errorf("proposals in flight differ after resuming:\n%s", diff)
			}
		})
	}
}

func TestExhaustion(t *testing.T) {
	// Depth d in 0..2 leaves 3^d vectors of effect: 1 + 3 + 9.
	p := problem{
		space: newGrid(3, 3, true), objectives: minimise2,
		values: func(a nas.Architecture) []float64 { return []float64{float64(a[1]), float64(-a[2])} },
	}
	const distinct = 13
	for name, create := range strategies(t, p, 1) {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 5, distinct, 100} {
				s := create()
				seen := map[string]bool{}
				for {
					batch := s.Ask(n)
					for _, a := range batch {
						if seen[a.String()] {
							t.Fatalf("%s asked twice", a)
						}
						if !p.space.Canonical(a).Equal(a) {
							t.Fatalf("%s is not canonical", a)
						}
						seen[a.String()] = true
					}
					if err := s.Tell(p.evaluate(t, batch)); err != nil {
						t.Fatal(err)
					}
					if len(batch) < n {
						break
					}
				}
				if len(seen) != distinct {
					t.Errorf("in batches of %d: %d architectures, want all %d", n, len(seen), distinct)
				}
				if again := s.Ask(1); len(again) != 0 {
					t.Errorf("asked %s after the space was exhausted", again[0])
				}
			}
		})
	}
}

// TestAskWithoutTell wants distinct proposals however many are in flight.
func TestAskWithoutTell(t *testing.T) {
	p := elastic()
	for name, create := range strategies(t, p, 1) {
		t.Run(name, func(t *testing.T) {
			s := create()
			p.run(t, s, 20)
			seen := map[string]bool{}
			for range 20 {
				for _, a := range s.Ask(10) {
					seen[a.String()] = true
				}
			}
			if len(seen) != 200 {
				t.Errorf("%d distinct proposals, want 200", len(seen))
			}
		})
	}
}

func TestStart(t *testing.T) {
	p := elastic()
	start := []nas.Architecture{p.space.Largest(), p.space.Smallest(), p.space.Largest()}
	random, err := NewRandom(p.space, 1, start...)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Strategy{
		"nsga2":  mustNSGA2(t, p, Options{Population: 8, Start: start}),
		"random": random,
	} {
		batch := s.Ask(3)
		if !batch[0].Equal(p.space.Canonical(p.space.Largest())) || !batch[1].Equal(p.space.Smallest()) || batch[2].Equal(batch[0]) {
			t.Errorf("%s: first proposals are %v", name, batch)
		}
	}
}

func TestErrors(t *testing.T) {
	p := zdt(3, 4, convex)
	good := nas.Evaluation{Architecture: nas.Architecture{0, 1, 2}, Values: []float64{1, 2}}
	for name, test := range map[string]struct {
		told []nas.Evaluation
		want string
	}{
		"values": {
			[]nas.Evaluation{{Architecture: good.Architecture, Values: []float64{1}}},
			"search: tell: architecture 0.1.2 has 1 values for 2 objectives",
		},
		"outside": {
			[]nas.Evaluation{good, {Architecture: nas.Architecture{0, 1, 4}, Values: []float64{1, 2}}},
			"search: tell: evaluation 1: nas: architecture 0.1.4: choice 4 of decision 2 (x2) is not in [0, 4) of space grid",
		},
		"twice": {[]nas.Evaluation{good, good}, "search: tell: architecture 0.1.2 was told before"},
	} {
		s := mustNSGA2(t, p, Options{Population: 4})
		if err := s.Tell(test.told); err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
		if err := s.Tell([]nas.Evaluation{good}); err != nil {
			t.Errorf("%s: a refused Tell left something behind: %v", name, err)
		}
	}
	if _, err := NewNSGA2(p.space, nil, Options{Population: 4}); err == nil {
		t.Error("no objectives: no error")
	}
	if _, err := NewNSGA2(p.space, p.objectives, Options{Population: 1}); err == nil {
		t.Error("population 1: no error")
	}
	outside := nas.Architecture{9, 9, 9}
	if _, err := NewNSGA2(p.space, p.objectives, Options{Population: 4, Start: []nas.Architecture{outside}}); err == nil {
		t.Error("NSGA-II: start outside the space: no error")
	}
	if _, err := NewRandom(p.space, 1, outside); err == nil {
		t.Error("random: start outside the space: no error")
	}
}

// TestFailedEvaluations wants a search whose evaluations partly fail to stay
// clear of NaN and of infinity.
func TestFailedEvaluations(t *testing.T) {
	p := elastic()
	values := p.values
	p.values = func(a nas.Architecture) []float64 {
		v := values(a)
		switch a[1] {
		case 0:
			v[0] = math.NaN()
		case 1:
			v[1] = math.Inf(1)
		}
		return v
	}
	told := p.run(t, mustNSGA2(t, p, Options{Population: 20, Seed: 1}), 400)
	bad := 0
	for _, e := range told[200:] {
		if e.Architecture[1] < 2 {
			bad++
		}
	}
	if bad > 50 { // a third at random; mutation keeps a few
		t.Errorf("%d of the last 200 proposals are known not to work", bad)
	}
}
