package search

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/hwprofd/hwprofd/nas"
)

// Options say how an NSGA2 goes about its search.
type Options struct {
	Population int    // parents kept and children evaluated a generation; at least 2
	Seed       uint64 // same seed and same evaluations: same proposals
	// Start is proposed before the random architectures of the first
	// generation, such as the space's smallest and largest.
	Start []nas.Architecture
}

// NSGA2 is the elitist multi-objective evolution of Deb et al., "A fast and
// elitist multiobjective genetic algorithm: NSGA-II", IEEE TEC 6(2), 2002:
// fast non-dominated sorting (III.A), crowding distance (III.B), binary
// tournaments under constrained domination (VI) and selection among parents
// and children together (III.C), on integer genes with uniform crossover and
// per-gene mutation.
//
// A generation ends when Population evaluations have been told since the last
// one. Proposals beyond that come from the same parents, so any n may be asked
// at any time, evaluations may come back in any number, and the proposals of a
// generation are the same however they were asked for.
type NSGA2 struct {
	objectives []nas.Objective
	options    Options
	ledger     ledger
	parents    []individual
	brood      []nas.Evaluation // told since the generation began
	generation uint64
	source     *source // children of the parents
}

// crossoverRate is the share of children with two parents (Deb et al., V.A).
const crossoverRate = 0.9

// individual is a parent with its standing in the population.
type individual struct {
	nas.Evaluation
	rank     int     // 0: non-dominated
	crowding float64 // larger: lonelier on its front
}

// NewNSGA2 returns a search for the Pareto front of the objectives. Constraints
// reach it through the Violation of the evaluations.
func NewNSGA2(space nas.Space, objectives []nas.Objective, options Options) (*NSGA2, error) {
	if len(objectives) == 0 {
		return nil, fmt.Errorf("search: NSGA-II needs at least one objective")
	}
	if options.Population < 2 {
		return nil, fmt.Errorf("search: NSGA-II needs a population of at least 2, not %d", options.Population)
	}
	if err := validateStart(space, options.Start); err != nil {
		return nil, err
	}
	s := &NSGA2{objectives: objectives, options: options, ledger: newLedger(space)}
	s.beget()
	return s, nil
}

// Ask proposes n architectures; see Strategy.
func (s *NSGA2) Ask(n int) []nas.Architecture { return s.ledger.take(n, s.source) }

// Tell reports evaluations; see Strategy. Each needs one value an objective. A
// NaN marks what could not be evaluated: it loses against everything else.
func (s *NSGA2) Tell(evaluations []nas.Evaluation) error {
	checked, err := s.ledger.check(evaluations, len(s.objectives))
	if err != nil {
		return err
	}
	for _, e := range checked {
		s.ledger.record(e)
		if s.brood = append(s.brood, e); len(s.brood) == s.options.Population {
			for _, p := range s.parents {
				s.brood = append(s.brood, p.Evaluation)
			}
			s.parents = selectBest(s.brood, s.objectives, s.options.Population)
			s.brood = nil
			s.generation++
			s.beget()
		}
	}
	return nil
}

// beget sets up the proposals of a generation. What was told in earlier
// generations is excluded for good; what is told during this one is left to
// the ledger, so that a replay walks through the same sequence.
func (s *NSGA2) beget() {
	began := len(s.ledger.told)
	closed := func(key string) bool {
		position, told := s.ledger.told[key]
		return told && position < began
	}
	space := s.ledger.space
	if s.generation == 0 {
		draw := func(rng *rand.Rand) nas.Architecture { return nas.Random(space, rng) }
		s.source = newSource(space, s.options.Seed, 0, s.options.Start, draw, closed)
		return
	}
	parents := s.parents
	breed := func(rng *rand.Rand) nas.Architecture {
		return child(space, tournament(parents, rng), tournament(parents, rng), rng)
	}
	s.source = newSource(space, s.options.Seed, s.generation, nil, breed, closed)
}

// tournament is the better of two random parents: lower rank, then lonelier.
func tournament(parents []individual, rng *rand.Rand) nas.Architecture {
	a, b := parents[rng.IntN(len(parents))], parents[rng.IntN(len(parents))]
	if b.rank < a.rank || b.rank == a.rank && b.crowding > a.crowding {
		a = b
	}
	return a.Architecture
}

// child crosses two architectures gene by gene and mutates one gene on average.
// Decisions without effect on a parent carry no information; they are drawn
// anew, or else every layer that a child adds would take its first choices.
func child(space nas.Space, mother, father nas.Architecture, rng *rand.Rand) nas.Architecture {
	decisions := space.Decisions()
	c := wake(space, mother, rng)
	if rng.Float64() < crossoverRate {
		for i, gene := range wake(space, father, rng) {
			if rng.IntN(2) == 0 {
				c[i] = gene
			}
		}
	}
	for i, d := range decisions {
		if choices := len(d.Choices); choices > 1 && rng.Float64()*float64(len(decisions)) < 1 {
			c[i] = (c[i] + 1 + rng.IntN(choices-1)) % choices
		}
	}
	return c
}

// wake is the architecture with its inactive decisions drawn at random. A
// decision is inactive if it stands at 0 and choosing otherwise changes nothing.
func wake(space nas.Space, a nas.Architecture, rng *rand.Rand) nas.Architecture {
	awake, probe := slices.Clone(a), slices.Clone(a)
	for i, d := range space.Decisions() {
		if a[i] != 0 || len(d.Choices) < 2 {
			continue
		}
		probe[i] = 1
		if space.Canonical(probe).Equal(a) {
			awake[i] = rng.IntN(len(d.Choices))
		}
		probe[i] = 0
	}
	return awake
}

// selectBest keeps the n best by rank, and of the front that does not fit
// whole, the loneliest.
func selectBest(pool []nas.Evaluation, objectives []nas.Objective, n int) []individual {
	var best []individual
	for rank, front := range sortByDomination(pool, objectives) {
		members := make([]individual, len(front))
		for i, distance := range crowdingDistances(front, len(objectives)) {
			members[i] = individual{Evaluation: front[i], rank: rank, crowding: distance}
		}
		if room := n - len(best); len(members) > room {
			slices.SortStableFunc(members, func(a, b individual) int { return cmp.Compare(b.crowding, a.crowding) })
			members = members[:room]
		}
		if best = append(best, members...); len(best) == n {
			break
		}
	}
	return best
}

// sortByDomination divides the pool into fronts: the first is dominated by
// nobody, each other one only by members of those before it.
func sortByDomination(pool []nas.Evaluation, objectives []nas.Objective) [][]nas.Evaluation {
	dominated := make([][]int, len(pool)) // whom each dominates
	dominators := make([]int, len(pool))  // how many dominate it
	for i := range pool {
		for j := range i {
			switch {
			case nas.Dominates(pool[i], pool[j], objectives):
				dominated[i] = append(dominated[i], j)
				dominators[j]++
			case nas.Dominates(pool[j], pool[i], objectives):
				dominated[j] = append(dominated[j], i)
				dominators[i]++
			}
		}
	}
	var current []int
	for i, count := range dominators {
		if count == 0 {
			current = append(current, i)
		}
	}
	var fronts [][]nas.Evaluation
	for len(current) > 0 {
		var front []nas.Evaluation
		var next []int
		for _, i := range current {
			front = append(front, pool[i])
			for _, j := range dominated[i] {
				if dominators[j]--; dominators[j] == 0 {
					next = append(next, j)
				}
			}
		}
		fronts = append(fronts, front)
		current = next
	}
	return fronts
}

// crowdingDistances is, for each member of a front, the sum over the
// objectives of the gap between its two neighbours relative to the front's
// extent; the ends of the front are infinitely far from anyone. An objective
// whose extent is zero or not finite says nothing.
func crowdingDistances(front []nas.Evaluation, objectives int) []float64 {
	distances := make([]float64, len(front))
	order := make([]int, len(front))
	for m := range objectives {
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(front[a].Values[m], front[b].Values[m]) })
		value := func(i int) float64 { return front[order[i]].Values[m] }
		last := len(order) - 1
		extent := value(last) - value(0)
		if !(extent > 0) || math.IsInf(extent, 1) {
			continue
		}
		distances[order[0]] = math.Inf(1)
		distances[order[last]] = math.Inf(1)
		for i := 1; i < last; i++ {
			distances[order[i]] += (value(i+1) - value(i-1)) / extent
		}
	}
	return distances
}
