package predictor

import (
	"fmt"
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/lut"
)

// coverage is that of every interval.
const coverage = 0.9

// The values of Prediction.Interval.
const (
	// IntervalConformal intervals are split conformal (Lei et al.,
	// "Distribution-free predictive inference for regression", JASA 113(523),
	// 2018, section 2.2) on the table's networks for "calibrate": a new network
	// drawn like these falls into its interval with at least the coverage,
	// whatever the distribution of errors.
	IntervalConformal = "conformal"
	// IntervalCrossValidated intervals stand in where there are too few such
	// networks: they come from the cross-validated errors of the regressions
	// and the leave-one-out errors of the overhead, made wider. Nothing
	// guarantees their coverage.
	IntervalCrossValidated = "cross-validation"
)

const (
	// leastSpread keeps a lucky fit from making its interval infinitely thin.
	leastSpread = 0.005
	// blindSpread is assumed of ln(ns) of a network where no network was there
	// to learn overhead from.
	blindSpread = 0.1
	// Without calibration an interval is at least cautiousScore difficulties
	// wide (1.64 would do if errors were normal and well estimated), and
	// caution times the largest error seen.
	cautiousScore = 2.0
	caution       = 1.25
)

// interval makes the interval of a prediction. Its half width, in ln(ns), is
// the network's difficulty times a score that errors rarely exceed.
type interval struct {
	kind  string
	base  float64 // error of networks all of whose workloads are measured
	score float64
}

// difficulty is the error to expect of ln(ns) of a network: base, and what its
// workloads are unsure by, which is taken to go one way.
func (i interval) difficulty(spread float64) float64 { return math.Hypot(i.base, spread) }

func (i interval) width(spread float64) float64 { return i.score * i.difficulty(spread) }

// conformalScore is the score that a fresh one, exchangeable with the given,
// exceeds with probability at most 1-coverage: the ceil((n+1) coverage)-th
// smallest of n. It is false where n is too small for that.
func conformalScore(scores []float64) (float64, bool) {
	rank := int(math.Ceil(float64(len(scores)+1)*coverage - 1e-9))
	if rank > len(scores) {
		return 0, false
	}
	return slices.Sorted(slices.Values(scores))[rank-1], true
}

// calibrate sets the interval from the fitted networks with their
// leave-one-out errors of ln(ns), and from networks not fitted to.
func (p *Predictor) calibrate(fitted []lut.Network, errors []float64, calibration []lut.Network) error {
	p.interval = interval{base: blindSpread}
	if len(fitted) >= minOverhead {
		p.interval.base = max(leastSpread, rootMeanSquare(errors))
	}
	scores, err := p.scores(calibration)
	if err != nil {
		return err
	}
	var ok bool
	if p.interval.score, ok = conformalScore(scores); ok {
		p.interval.kind = IntervalConformal
		return nil
	}
	p.interval.kind = IntervalCrossValidated
	p.interval.score = cautiousScore
	for _, s := range scores {
		p.interval.score = max(p.interval.score, caution*s)
	}
	for i, n := range fitted {
		_, spread, err := p.replay(n)
		if err != nil {
			return err
		}
		p.interval.score = max(p.interval.score, caution*math.Abs(errors[i])/p.interval.difficulty(spread))
	}
	return nil
}

// scores are the absolute errors of ln(ns) of measured networks, each relative
// to the network's difficulty.
func (p *Predictor) scores(networks []lut.Network) ([]float64, error) {
	scores := make([]float64, len(networks))
	for i, n := range networks {
		ns, spread, err := p.replay(n)
		if err != nil {
			return nil, err
		}
		scores[i] = math.Abs(math.Log(n.LatencyMedianNS/ns)) / p.interval.difficulty(spread)
	}
	return scores, nil
}

// replay predicts a measured network: its latency in ns, and by how much its
// workloads are unsure.
func (p *Predictor) replay(n lut.Network) (ns, spread float64, err error) {
	workloads, err := networkWorkloads(n)
	if err != nil {
		return 0, 0, err
	}
	prediction, spread, _, err := p.sum(workloads)
	if err != nil {
		return 0, 0, fmt.Errorf("predictor: network %q: %w", n.Name, err)
	}
	return prediction.LatencyNS, spread, nil
}
