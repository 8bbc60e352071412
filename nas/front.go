package nas

import (
	"fmt"
	"math"
	"slices"
)

// Objective is a quantity that the search optimises.
type Objective struct {
	Name     string // such as "accuracy", "latency", "energy"
	Unit     string // such as "%", "ns", "mJ"
	Maximize bool   // false: less is better
}

// Constraint bounds an objective: values of a minimised objective must not
// exceed Limit, values of a maximised one must not fall below it.
type Constraint struct {
	Objective string  // its name
	Limit     float64 // in the objective's unit
}

// Evaluation is what was found out about an architecture.
type Evaluation struct {
	Architecture Architecture
	Values       []float64 // one an objective, each in its own unit and direction
	Violation    float64   // how far the constraints are exceeded; 0: feasible
}

// Violation adds up by how much the values break the constraints, each
// relative to its limit (absolute where the limit is 0). 0 means that all
// hold. It fails where a constraint names no objective or the number of
// values is not that of the objectives.
func Violation(values []float64, objectives []Objective, constraints []Constraint) (float64, error) {
	if len(values) != len(objectives) {
		return 0, fmt.Errorf("nas: %d values for %d objectives", len(values), len(objectives))
	}
	var total float64
	for _, c := range constraints {
		i := slices.IndexFunc(objectives, func(o Objective) bool { return o.Name == c.Objective })
		if i < 0 {
			return 0, fmt.Errorf("nas: constraint on %q, which is not one of the objectives", c.Objective)
		}
		excess := values[i] - c.Limit
		if objectives[i].Maximize {
			excess = -excess
		}
		if !(excess <= 0) { // NaN breaks every constraint
			if c.Limit != 0 {
				excess /= math.Abs(c.Limit)
			}
			total += excess
		}
	}
	return total, nil
}

// Dominates says whether a beats b under constrained domination (Deb et al.,
// "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002,
// section VI): the smaller violation wins; at equal violation, a must be no
// worse in every objective and better in one. An evaluation with a NaN among
// its values is dominated by any without.
func Dominates(a, b Evaluation, objectives []Objective) bool {
	if an, bn := hasNaN(a), hasNaN(b); an || bn {
		return !an && bn
	}
	if a.Violation != b.Violation {
		return a.Violation < b.Violation
	}
	better := false
	for i, o := range objectives {
		av, bv := a.Values[i], b.Values[i]
		if o.Maximize {
			av, bv = -av, -bv
		}
		if av > bv {
			return false
		}
		if av < bv {
			better = true
		}
	}
	return better
}

func hasNaN(e Evaluation) bool {
	return math.IsNaN(e.Violation) || slices.ContainsFunc(e.Values, math.IsNaN)
}

// Front returns the feasible evaluations that no other one dominates, by the
// first objective from worst to best. Of several with the same values it
// keeps the first. It is empty where nothing is feasible.
func Front(evaluations []Evaluation, objectives []Objective) []Evaluation {
	var front []Evaluation
	for _, e := range evaluations {
		if e.Violation != 0 || hasNaN(e) {
			continue
		}
		beaten := slices.ContainsFunc(front, func(f Evaluation) bool {
			return Dominates(f, e, objectives) || slices.Equal(f.Values, e.Values)
		})
		if beaten {
			continue
		}
		front = slices.DeleteFunc(front, func(f Evaluation) bool { return Dominates(e, f, objectives) })
		front = append(front, e)
	}
	slices.SortStableFunc(front, func(a, b Evaluation) int {
		for i, o := range objectives {
			av, bv := a.Values[i], b.Values[i]
			if o.Maximize {
				av, bv = bv, av
			}
			switch {
			case av > bv:
				return -1
			case av < bv:
				return 1
			}
		}
		return 0
	})
	return front
}

// Knee returns the member of the front that gives the most for what it costs:
// objectives are scaled to [0, 1] over the front, and the knee is the point
// farthest on the better side of the hyperplane through the single-objective
// ends (Das, "On characterizing the knee of the Pareto curve based on
// normal-boundary intersection", 1999). It is false for an empty front.
func Knee(front []Evaluation, objectives []Objective) (Evaluation, bool) {
	if len(front) == 0 {
		return Evaluation{}, false
	}
	sums := make([]float64, len(front))
	for i, o := range objectives {
		low, high := math.Inf(1), math.Inf(-1)
		for _, e := range front {
			low, high = min(low, e.Values[i]), max(high, e.Values[i])
		}
		if low == high {
			continue
		}
		for j, e := range front {
			cost := (e.Values[i] - low) / (high - low)
			if o.Maximize {
				cost = 1 - cost
			}
			sums[j] += cost
		}
	}
	best := 0
	for j, s := range sums {
		if s < sums[best] {
			best = j
		}
	}
	return front[best], true
}
