package main

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/search"
	"github.com/hwprofd/hwprofd/nas/supernet"
	"github.com/hwprofd/hwprofd/predictor"
)

// allObjectives are what a search can look at: accuracy on validation images
// with the supernet's weights, and the predicted cost of one run.
var allObjectives = []nas.Objective{
	{Name: "accuracy", Unit: "%", Maximize: true},
	{Name: "latency", Unit: "ns"},
	{Name: "energy", Unit: "mJ"},
}

const (
	generation      = 16
	calibrateImages = 256 // to recalibrate batch norms with
)

// searchProblem is a space with what its architectures are judged by.
type searchProblem struct {
	space       nas.Space
	objectives  []nas.Objective
	constraints []nas.Constraint
	accuracy    *supernet.Evaluator
	predictor   *predictor.Predictor
}

func (p *searchProblem) evaluate(ctx context.Context, architectures []nas.Architecture) ([]nas.Evaluation, error) {
	scores, err := p.accuracy.Evaluate(ctx, architectures...)
	if err != nil {
		return nil, err
	}
	evaluations := make([]nas.Evaluation, len(architectures))
	for i, a := range architectures {
		g, err := p.space.Lower(a)
		if err != nil {
			return nil, err
		}
		prediction, err := p.predictor.PredictGraph(g)
		if err != nil {
			return nil, err
		}
		known := map[string]float64{"accuracy": 100 * scores[i].Accuracy, "latency": prediction.LatencyNS, "energy": prediction.EnergyMJ}
		e := nas.Evaluation{Architecture: a}
		for _, o := range p.objectives {
			e.Values = append(e.Values, known[o.Name])
		}
		if e.Violation, err = nas.Violation(e.Values, p.objectives, p.constraints); err != nil {
			return nil, err
		}
		evaluations[i] = e
	}
	return evaluations, nil
}

// searchOutcome is what a search and its control found.
type searchOutcome struct {
	objectives                     []nas.Objective
	Evaluated, Control             []nas.Evaluation
	Front                          []nas.Evaluation // of Evaluated, feasible, from fast to slow
	Hypervolume, RandomHypervolume float64          // share of the box between the worst and the best values found
}

// searchWithControl runs NSGA-II and, with as many evaluations, random search.
// Both begin with the ends of the space.
func (p *searchProblem) searchWithControl(ctx context.Context, seed uint64, width int, journal *evaluationJournal, done func(int) bool) (searchOutcome, error) {
	ends := []nas.Architecture{p.space.Smallest(), p.space.Largest()}
	evolution, err := search.NewNSGA2(p.space, p.objectives, search.Options{Population: generation, Seed: seed, Start: ends})
	if err != nil {
		return searchOutcome{}, err
	}
	random, err := search.NewRandom(p.space, seed, ends...)
	if err != nil {
		return searchOutcome{}, err
	}
	contenders := []*contender{{name: "nsga2", strategy: evolution}, {name: "random", strategy: random}}
	if err := compete(ctx, contenders, generation, width, journal, p.evaluate, done); err != nil {
		return searchOutcome{}, err
	}
	return p.judge(contenders[0].found, contenders[1].found)
}

// judge compares two searches by the volume that their fronts dominate.
func (p *searchProblem) judge(found, control []nas.Evaluation) (searchOutcome, error) {
	feasible := func(all []nas.Evaluation) []nas.Evaluation {
		return slices.DeleteFunc(slices.Clone(all), func(e nas.Evaluation) bool { return e.Violation > 0 })
	}
	o := searchOutcome{objectives: p.objectives, Evaluated: found, Control: control}
	o.Front = nas.Front(feasible(found), p.objectives)
	if len(o.Front) == 0 {
		return o, errors.New("no architecture was found that keeps the limits; loosen --limit or search longer")
	}
	if i := o.index("latency"); i >= 0 {
		slices.SortFunc(o.Front, func(a, b nas.Evaluation) int { return cmp.Compare(a.Values[i], b.Values[i]) })
	}
	reference, box := make([]float64, len(p.objectives)), 1.0
	for i, objective := range p.objectives {
		values := make([]float64, 0, len(found)+len(control))
		for _, e := range slices.Concat(found, control) {
			values = append(values, e.Values[i])
		}
		low, high := slices.Min(values), slices.Max(values)
		reference[i] = high
		if objective.Maximize {
			reference[i] = low
		}
		if high > low {
			box *= high - low
		}
	}
	var err error
	if o.Hypervolume, err = nas.Hypervolume(o.Front, p.objectives, reference); err != nil {
		return o, err
	}
	o.RandomHypervolume, err = nas.Hypervolume(feasible(control), p.objectives, reference)
	o.Hypervolume, o.RandomHypervolume = o.Hypervolume/box, o.RandomHypervolume/box
	return o, err
}

// index is the position of an objective, -1 where the search does not look at it.
func (o *searchOutcome) index(name string) int {
	return slices.IndexFunc(o.objectives, func(x nas.Objective) bool { return x.Name == name })
}

// picked is the prediction of a member of the front, corrected for having been
// picked: it was compared with the networks whose predictions lie within its
// interval, of which another could as well have been the fastest.
func (o *searchOutcome) picked(p predictor.Prediction) predictor.Prediction {
	latency, rivals := o.index("latency"), 1
	if latency < 0 {
		return p
	}
	for _, e := range o.Evaluated {
		if p.LowNS <= e.Values[latency] && e.Values[latency] <= p.HighNS {
			rivals++
		}
	}
	return predictor.Picked(p, rivals)
}

// pickNames are the files of the three picks, in the order of pickThree.
var pickNames = []string{"smallest", "knee", "most-accurate"}

// pickThree takes the fastest of the front, its knee, and the most accurate.
// The knee is looked for between the other two, so that the three differ
// wherever the front has as many members.
func (o *searchOutcome) pickThree() []nas.Evaluation {
	accuracy := o.index("accuracy")
	fastest := o.Front[0]
	accurate := slices.MaxFunc(o.Front, func(a, b nas.Evaluation) int {
		return cmp.Compare(a.Values[accuracy], b.Values[accuracy])
	})
	between := slices.DeleteFunc(slices.Clone(o.Front), func(e nas.Evaluation) bool {
		return e.Architecture.Equal(fastest.Architecture) || e.Architecture.Equal(accurate.Architecture)
	})
	if len(between) == 0 {
		between = o.Front
	}
	knee, _ := nas.Knee(between, o.objectives)
	return []nas.Evaluation{fastest, knee, accurate}
}
