// Package predictor tells the latency and energy of any network on a device
// from the device's table of measured workloads, with an interval and with
// where each number comes from.
//
// A workload's latency is its row in the table, else an interpolation between
// rows that differ from it in channels and resolution alone, else a regression
// over the rows of its family, else a roofline calibrated on all rows; each
// with a relative uncertainty of its own. A network's latency is the sum over
// its workloads plus what the sum misses, learned from whole networks of the
// table. The interval is split conformal on networks that nothing was fitted
// to, so that it holds whatever the models are worth.
package predictor

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// The values of Part.Source, from the most to the least certain.
const (
	SourceNetwork       = "network"       // measured, within networks
	SourceTable         = "table"         // measured alone
	SourceTransfer      = "transfer"      // a row that was predicted from other devices' tables
	SourceInterpolation = "interpolation" // between rows of the same kind
	SourceRegression    = "regression"    // from rows of the same family
	SourceRoofline      = "roofline"      // from the amount of work
)

// Prediction is the predicted cost of a network.
type Prediction struct {
	// LatencyNS is the predicted median latency in ns; it lies in the
	// interval [LowNS, HighNS] with probability Coverage.
	LatencyNS, LowNS, HighNS float64
	Coverage                 float64
	// Spread is the standard deviation to expect of ln(LatencyNS): what an
	// interval of 90% stands for, or the errors of all networks if they are larger.
	Spread float64
	// Interval says how the interval was made: IntervalConformal, or
	// IntervalCrossValidated, which is wider and does not guarantee Coverage.
	Interval string
	// EnergyMJ is in mJ, with an interval of its own. EnergySource is that of
	// the table's rows; where it is empty the table has no energy, and the
	// three numbers are NaN.
	EnergyMJ, EnergyLow, EnergyHigh float64
	EnergySource                    string
	// OverheadNS is LatencyNS less the sum of the parts: what a network costs
	// beyond its workloads alone. It can be negative.
	OverheadNS float64
	Parts      []Part // in order of the workloads
}

// Scaled is the prediction for the device at another speed, such as after its
// clock was changed: all latencies times factor. Energy, which does not follow
// the clock in a way that is known, stays.
func (p Prediction) Scaled(factor float64) Prediction {
	p.LatencyNS *= factor
	p.LowNS *= factor
	p.HighNS *= factor
	p.OverheadNS *= factor
	p.Parts = slices.Clone(p.Parts)
	for i := range p.Parts {
		p.Parts[i].LatencyNS *= factor
	}
	return p
}

// Part is one workload of a prediction.
type Part struct {
	Workload  graph.Workload
	LatencyNS float64 // of the workload alone, without what a model of one workload costs beyond it
	Source    string  // SourceTable, SourceTransfer, SourceInterpolation, SourceRegression or SourceRoofline
	// Uncertainty is the standard deviation to expect of ln(LatencyNS): 0.03
	// for 3%. It is what the part widens the network's interval by; of a predicted row
	// less than it alone is unsure by, as the errors of several partly cancel.
	Uncertainty float64
}

// Model describes the regression of a family.
type Model struct {
	Family string // with the element type, such as "pointwise/f32"
	Kind   string // "additive", "ridge", "gaussian process" or "boosted trees"
	Rows   int
	Error  float64 // root mean square relative error in cross-validation, 0.03 for 3%
	// Compared has the mean absolute relative error in cross-validation of each
	// kind that was tried; Kind is the least, or the simplest of those that are
	// about as good.
	Compared []Candidate
}

// Candidate is a kind of regression that was tried on a family.
type Candidate struct {
	Kind  string
	Error float64
}

// maxCached bounds the workloads whose cost is kept.
const maxCached = 1 << 20

// Predictor predicts from one table. It is safe for concurrent use.
type Predictor struct {
	meta        lut.Meta
	families    map[string]int // position in overhead.factors
	origins     []string       // of networks
	inside      bool           // networks told the times of workloads; not kept in files
	regressions map[string]*regression
	roofline    *roofline
	between     *lut.Interpolator
	describer   describer
	energy      *energyModel
	overhead    *overhead
	weighing    weighing
	usualNoise  float64 // median spread of rows
	fusion      []FusionRule
	rules       map[[2]string]bool // whether two kinds are fused
	whole       map[string]bool    // kinds that networks tell the time of
	interval    interval

	memory *memory
}

// memory keeps the costs of workloads, so that each is worked out once.
type memory struct {
	mu    sync.RWMutex
	costs map[graph.Workload]cost
	cuts  map[graph.Workload][]graph.Workload // of those that the runtime does in several steps
}

func newMemory() *memory {
	return &memory{costs: map[graph.Workload]cost{}, cuts: map[graph.Workload][]graph.Workload{}}
}

// cost is what a workload adds to a prediction.
type cost struct {
	ns        float64 // alone
	network   float64 // in a network, ns
	spread    float64 // standard deviation of ln(ns)
	weights   float64 // bytes that its weights count as
	mj        float64 // alone
	estimated float64 // the part of mj that no row has
	source    string
	places    []place
	family    int // position in Predictor.families
	group     int // position in Predictor.origins, or len(origins) + family
}

// Meta says on what the table was measured that the predictor was fitted to.
func (p *Predictor) Meta() lut.Meta { return p.meta }

// Models lists the regressions, by family. Families that are missing here had
// too few rows for one and are predicted by the roofline where they have none.
func (p *Predictor) Models() []Model {
	var models []Model
	for _, name := range slices.Sorted(maps.Keys(p.regressions)) {
		r := p.regressions[name]
		models = append(models, Model{Family: name, Kind: r.kind, Rows: r.rows, Error: r.spread, Compared: slices.Clone(r.compared)})
	}
	return models
}

// Predict returns the cost of a network that does the workloads one after the
// other. It fails where a workload is not valid, and where the table has
// nothing that its cost could be derived from.
func (p *Predictor) Predict(workloads []graph.Workload) (Prediction, error) {
	s, parts, err := p.sum(workloads)
	if err != nil {
		return Prediction{}, err
	}
	prediction := p.finish(s)
	prediction.Parts = parts
	return prediction, nil
}

// networkSum is what the parts of a network add up to.
type networkSum struct {
	ns        float64 // of the network
	alone     float64 // of its workloads alone, ns
	spread    float64 // ns by which they are unsure, were they all wrong the same way
	weights   float64 // bytes of weights
	mj        float64 // of the workloads
	estimated float64 // the part of mj that no row has
	group     int     // with the largest part
}

// relative is the standard deviation of ln(ns) that the workloads leave.
func (s *networkSum) relative() float64 { return s.spread / s.ns }

// finish puts intervals around a sum.
func (p *Predictor) finish(s networkSum) Prediction {
	score := p.interval.scoreOf(s.group, s.ns)
	difficulty := p.interval.difficulty(s.group, s.relative())
	unsteady := p.unsteady(&s)
	width := p.halfWidth(&s)
	prediction := Prediction{
		LatencyNS: s.ns, LowNS: s.ns * math.Exp(-width), HighNS: s.ns * math.Exp(width),
		Coverage: p.interval.coverage, Interval: score.kind, Spread: min(math.Hypot(score.spread*difficulty, unsteady), mostWidth/normal90), OverheadNS: s.ns - s.alone,
	}
	if p.energy.coefficients == nil {
		prediction.EnergyMJ, prediction.EnergyLow, prediction.EnergyHigh = math.NaN(), math.NaN(), math.NaN()
		return prediction
	}
	prediction.EnergySource = p.energy.source
	prediction.EnergyMJ, width = p.energy.of(s.mj, s.estimated, prediction.OverheadNS, width, p.interval.coverage)
	prediction.EnergyLow, prediction.EnergyHigh = prediction.EnergyMJ*math.Exp(-width), prediction.EnergyMJ*math.Exp(width)
	return prediction
}

// maxGroups is how many groups are told apart when looking for that with the
// largest part of a network.
const maxGroups = 64

// sum adds up the workloads.
func (p *Predictor) sum(workloads []graph.Workload) (s networkSum, parts []Part, err error) {
	if len(workloads) == 0 {
		return networkSum{}, nil, errors.New("predictor: no workloads to predict")
	}
	workloads = p.cut(workloads)
	parts = make([]Part, len(workloads))
	l := newLine(p)
	p.memory.mu.RLock() // once for all, unless one is new
	for i := range workloads {
		w := &workloads[i]
		c, ok := p.memory.costs[*w]
		if !ok {
			p.memory.mu.RUnlock()
			if c, err = p.cost(*w); err != nil {
				return networkSum{}, nil, err
			}
			p.memory.mu.RLock()
		}
		if l.add(&c); i > 0 {
			parts[i-1] = l.done.part(&workloads[i-1])
		}
	}
	p.memory.mu.RUnlock()
	l.end()
	parts[len(parts)-1] = l.done.part(&workloads[len(parts)-1])
	return l.close(), parts, nil
}

// part is what the cost of a workload tells.
func (c *cost) part(w *graph.Workload) Part {
	return Part{Workload: *w, LatencyNS: c.ns, Source: c.source, Uncertainty: c.spread}
}

// add adds a workload.
func (s *networkSum) add(c *cost, groups *[maxGroups]float64) {
	s.ns += c.network
	s.alone += c.ns
	s.spread += c.network * c.spread
	s.weights += c.weights
	s.mj += c.mj
	s.estimated += c.estimated
	groups[min(c.group, maxGroups-1)] += c.network
}

// largest is the position of the largest value, the first of equal ones.
func largest(values []float64) (at int) {
	for i, v := range values {
		if v > values[at] {
			at = i
		}
	}
	return at
}

// PredictGraph returns the cost of a graph as it runs once fused.
func (p *Predictor) PredictGraph(g *graph.Graph) (Prediction, error) {
	workloads, err := p.Workloads(g)
	if err != nil {
		return Prediction{}, err
	}
	return p.Predict(workloads)
}

// Workloads are those that a graph is cut into for the runtime of the table:
// as [graph.Fuse] does, less what the runtime is known not to fuse.
func (p *Predictor) Workloads(g *graph.Graph) ([]graph.Workload, error) {
	var options []graph.Option
	if len(p.rules) > 0 {
		options = append(options, graph.ForOtherRuntime())
	}
	fused, err := graph.Optimize(g, options...)
	if err != nil {
		return nil, fmt.Errorf("predictor: %w", err)
	}
	workloads, err := fused.Workloads()
	if err != nil {
		return nil, fmt.Errorf("predictor: %w", err)
	}
	return p.cut(workloads), nil
}

// cost returns what a workload costs; each is worked out once.
func (p *Predictor) cost(w graph.Workload) (cost, error) {
	p.memory.mu.RLock()
	c, ok := p.memory.costs[w]
	p.memory.mu.RUnlock()
	if ok {
		return c, nil
	}
	c, err := p.estimate(w)
	if err != nil {
		return cost{}, err
	}
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	if len(p.memory.costs) < maxCached {
		p.memory.costs[w] = c
	}
	return c, nil
}

// estimate is the cost of a workload that has no row.
func (p *Predictor) estimate(w graph.Workload) (cost, error) {
	if err := w.Validate(); err != nil {
		return cost{}, fmt.Errorf("predictor: %w", err)
	}
	c, err := p.alone(w)
	if err != nil {
		return cost{}, err
	}
	c.weights = p.weighing.bytes(w, c.ns)
	c.family = p.familyIndex(w)
	c.group = len(p.origins) + c.family
	c.network = p.overhead.workload(c.family, c.ns, w.Bytes())
	c.mj = p.energy.estimate(w, c.ns)
	c.estimated = c.mj
	return c, nil
}

// alone is the latency of a workload that has no row, measured alone. An
// interpolation counts where it errs less than the regression.
func (p *Predictor) alone(w graph.Workload) (cost, error) {
	c, known := cost{spread: math.Inf(1)}, false
	if e, ok := p.between.Estimate(w); ok {
		spread := max(leastSpread, math.Log(e.HighNS/e.LatencyNS)/normal90)
		c, known = cost{ns: e.LatencyNS, spread: spread, source: SourceInterpolation}, true
	}
	if r, ok := p.regressions[p.family(w)]; ok {
		if spread := r.uncertainty(w); spread < c.spread {
			c, known = cost{ns: r.predict(w), spread: spread, source: SourceRegression}, true
		}
	}
	if known {
		return c, nil
	}
	ns, spread, err := p.roofline.predict(p.family(w), w)
	return cost{ns: ns, spread: spread, source: SourceRoofline}, err
}
