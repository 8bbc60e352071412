package predictor

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/hwprofd/hwprofd/lut"
)

// usualCoverage is that of the intervals of a predictor that was fitted.
const usualCoverage = 0.9

// The values of Prediction.Interval.
const (
	// IntervalConformal intervals are split conformal (Lei et al.,
	// "Distribution-free predictive inference for regression", JASA 113(523),
	// 2018, section 2.2) on the errors of the table's networks, each predicted by
	// a predictor of others (cross-conformal: Vovk, 2015): a new network drawn like
	// these falls into its interval with about the coverage, whatever the
	// distribution of errors. Where there are enough of them, only those count
	// that are like the new one in origin or what they mostly do, and in size
	// (Mondrian: Vovk et al., "Algorithmic learning in a random world", 2005,
	// section 4.5), so that the coverage holds within such groups as well.
	IntervalConformal = "conformal"
	// IntervalCrossValidated intervals stand in where there are too few such
	// networks: they come from the largest of their errors, made wider, or from
	// what is usual. Nothing guarantees their coverage.
	IntervalCrossValidated = "cross-validation"
)

const (
	// leastSpread keeps a lucky fit from making its interval infinitely thin.
	leastSpread = 0.005
	// blindSpread is assumed of ln(ns) of a network where no network was there
	// to learn overhead from.
	blindSpread = 0.1
	// Without calibration an interval of 90% is at least cautiousScore
	// difficulties wide (1.64 would do if errors were normal and well
	// estimated), and caution times the largest error seen.
	cautiousScore = 2.0
	caution       = 1.25
	// mostWidth is the widest half width of an interval, in ln(ns), a factor of
	// ten: what a network asks of the device alone says more than a wider one.
	mostWidth = math.Ln10
	// minCalibrated is how many networks a group needs for a score of its own:
	// with fewer, chance would decide how wide its intervals are.
	minCalibrated = 20
	// unsteadyWeights is what weights that outgrow the caches cost more or less, as a
	// standard deviation, in another hour than that of the table, whose networks do not
	// tell: 20, -12, 0, -1.5 and -1.6% in five tables and the minutes after them.
	unsteadyWeights = 0.08
	// borrowed is how many networks' worth of the error over all groups goes
	// into that of each.
	borrowed = 4
)

// interval makes the interval of a prediction. Its half width, in ln(ns), is
// the network's difficulty times a score that errors rarely exceed.
type interval struct {
	// base is the error of networks all of whose workloads are measured, by
	// group.
	base []float64
	// all, and groups, have the scores of networks as others predict them, from
	// the least on; those of a group are also split at a latency.
	all    []float64
	groups []scoreGroup
	// weights is the standard deviation, between the hours of a device, of what weights
	// cost that outgrow its caches; 0 in predictors of before.
	weights float64
	// usual is the root mean square of the scores of all networks.
	usual float64
	// cautious is the score of 90% intervals where scores are too few.
	cautious float64

	coverage float64
	normal   float64         // standard deviations to either side that hold the coverage
	resolved []resolvedGroup // for the coverage, by group
}

// scoreGroup are the scores of networks of one group.
type scoreGroup struct {
	scores       []float64
	cut          float64 // ns; 0 where small and large are not told apart
	small, large []float64
}

// resolvedGroup has the scores of a group's small and large networks.
type resolvedGroup struct {
	cut          float64
	small, large resolvedScore
}

type resolvedScore struct {
	score  float64
	kind   string
	spread float64 // standard deviation that goes with it
}

// difficulty is the error to expect of ln(ns) of a network: base, and what its
// workloads are unsure by, which is taken to go one way.
func (i *interval) difficulty(group int, spread float64) float64 {
	return math.Hypot(i.base[group], spread)
}

// unsteady is the standard deviation of ln(ns) of a network by what its weights
// cost at another time.
func (p *Predictor) unsteady(s *networkSum) float64 {
	return p.interval.weights * spilled(p.overhead.knots, p.overhead.spill, s.weights) / s.ns
}

// halfWidth is that of a network's interval, in ln(ns).
func (p *Predictor) halfWidth(s *networkSum) float64 {
	known := p.interval.scoreOf(s.group, s.ns).score * p.interval.difficulty(s.group, s.relative())
	return min(math.Hypot(known, p.interval.normal*p.unsteady(s)), mostWidth)
}

// scoreOf is what the difficulty of a network is to be multiplied by.
func (i *interval) scoreOf(group int, ns float64) *resolvedScore {
	if r := &i.resolved[group]; ns <= r.cut {
		return &r.small
	}
	return &i.resolved[group].large
}

// resolve looks up the scores for a coverage. They grow with it: where a group
// is too small for it, the next larger one decides, but never on less than the
// largest score of the group.
func (i *interval) resolve(coverage float64) {
	i.coverage, i.normal = coverage, twoSided(coverage)
	i.resolved = make([]resolvedGroup, len(i.base))
	for group := range i.resolved {
		r := resolvedGroup{large: i.score(coverage, i.all)}
		if group < len(i.groups) {
			g := i.groups[group]
			r.cut = g.cut
			r.large = i.score(coverage, i.all, g.scores, g.large)
			r.small = i.score(coverage, i.all, g.scores, g.small)
		}
		i.resolved[group] = r
	}
}

// score is that of the last list that is not empty and large enough.
func (i *interval) score(coverage float64, lists ...[]float64) resolvedScore {
	r := i.scoreFor(coverage, lists)
	r.spread = max(i.scoreFor(usualCoverage, lists).score/normal90, i.usual)
	return r
}

func (i *interval) scoreFor(coverage float64, lists [][]float64) resolvedScore {
	r := resolvedScore{score: i.cautious * twoSided(coverage) / normal90, kind: IntervalCrossValidated}
	for n, scores := range lists {
		if len(scores) == 0 || n > 0 && len(scores) < minCalibrated {
			continue
		}
		if s, ok := conformalScore(scores, coverage); ok {
			r = resolvedScore{score: s, kind: IntervalConformal}
		} else {
			r.score = max(r.score, scores[len(scores)-1])
		}
	}
	return r
}

// conformalScore is the score that a fresh one, exchangeable with the given
// ascending ones, exceeds with probability at most 1-coverage: the
// ceil((n+1) coverage)-th smallest of n. It is false where n is too small.
func conformalScore(scores []float64, coverage float64) (float64, bool) {
	rank := int(math.Ceil(float64(len(scores)+1)*coverage - 1e-9))
	if rank > len(scores) {
		return 0, false
	}
	return scores[max(rank, 1)-1], true
}

// normal90 standard deviations to either side hold 90% of a normal distribution.
const normal90 = 1.6448536269514722

// twoSided standard deviations to either side hold that part of a normal
// distribution.
func twoSided(coverage float64) float64 { return distuv.UnitNormal.Quantile((1 + coverage) / 2) }

// Within returns the predictor with intervals of another coverage, such as
// 0.95. It shares all else with p. Intervals grow with the coverage.
func (p *Predictor) Within(coverage float64) (*Predictor, error) {
	if !(coverage > 0 && coverage < 1) {
		return nil, fmt.Errorf("predictor: coverage is %g; want a number between 0 and 1, such as 0.9", coverage)
	}
	other := *p
	other.interval.resolve(coverage)
	return &other, nil
}

// calibrate sets the interval from networks as others predict them.
func (p *Predictor) calibrate(left []replay) {
	left = steadyReplays(left)
	p.interval = interval{cautious: cautiousScore, weights: unsteadyWeights, base: slices.Repeat([]float64{blindSpread}, p.groups())}
	if len(left) >= minOverhead {
		p.interval.base = baseErrors(left, p.groups())
	}
	byGroup := make([][]replay, p.groups())
	var scores []float64
	for _, r := range left {
		r.score = math.Abs(r.error) / p.interval.difficulty(r.group, r.spread)
		scores = append(scores, r.score)
		p.interval.cautious = max(p.interval.cautious, caution*r.score)
		if r.measured {
			byGroup[r.group] = append(byGroup[r.group], r)
			p.interval.all = append(p.interval.all, r.score)
		}
	}
	slices.Sort(p.interval.all)
	for _, group := range byGroup {
		p.interval.groups = append(p.interval.groups, groupScores(group))
	}
	p.interval.usual = rootMeanSquare(scores)
	p.interval.resolve(usualCoverage)
}

// baseErrors are the root mean squares of the errors of networks by group,
// each drawn towards that of all.
func baseErrors(left []replay, groups int) []float64 {
	var errors []float64
	squares, count := make([]float64, groups), make([]float64, groups)
	for _, r := range left {
		errors = append(errors, r.error)
		squares[r.group] += r.error * r.error
		count[r.group]++
	}
	all := max(leastSpread, rootMeanSquare(errors))
	base := make([]float64, groups)
	for f := range base {
		base[f] = max(leastSpread, math.Sqrt((squares[f]+borrowed*all*all)/(count[f]+borrowed)))
	}
	return base
}

// groupScores splits networks at their median predicted latency where both
// halves are large enough.
func groupScores(networks []replay) scoreGroup {
	scores := func(list []replay) (s []float64) {
		for _, r := range list {
			s = append(s, r.score)
		}
		slices.Sort(s)
		return s
	}
	g := scoreGroup{scores: scores(networks)}
	if len(networks) < 2*minCalibrated {
		return g
	}
	slices.SortFunc(networks, func(a, b replay) int { return cmp.Compare(a.ns, b.ns) })
	half := len(networks) / 2
	g.cut = networks[half-1].ns
	g.small, g.large = scores(networks[:half]), scores(networks[half:])
	return g
}

// replay is the prediction of a network of the table. What one that was predicted
// itself errs by against the rows that it was predicted from is in no interval.
type replay struct {
	measured   bool
	ns, spread float64 // spread: by how much its workloads are unsure
	group      int     // that it mostly consists of
	error      float64 // of ln(ns)
	score      float64
	samples    int64
}

// fewestSamples are those of which order statistics give an interval of 95%.
const fewestSamples = 6

// steadyReplays leaves out networks that were measured too rarely where enough of
// their group are left: what they seem to err by is mostly their own noise.
func steadyReplays(left []replay) []replay {
	steady := func(r replay) bool { return !r.measured || r.samples >= fewestSamples }
	enough := map[int]int{}
	for _, r := range left {
		if steady(r) {
			enough[r.group]++
		}
	}
	return slices.DeleteFunc(slices.Clone(left), func(r replay) bool {
		return !steady(r) && enough[r.group] >= minCalibrated
	})
}

func (p *Predictor) replay(n lut.Network) (replay, error) {
	workloads, err := networkWorkloads(n)
	if err != nil {
		return replay{}, err
	}
	s, _, err := p.sum(workloads)
	if err != nil {
		return replay{}, fmt.Errorf("predictor: network %q: %w", n.Name, err)
	}
	return replay{samples: n.Samples, measured: n.Samples > 0, ns: s.ns, spread: s.relative(), group: s.group, error: math.Log(n.LatencyMedianNS / s.ns)}, nil
}
