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
	regressions map[string]*regression
	roofline    *roofline
	between     *lut.Interpolator
	describer   describer
	energy      *energyModel
	overhead    *overhead
	usualNoise  float64 // median spread of rows
	fusion      []FusionRule
	rules       map[[2]string]bool // whether two kinds are fused
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
	weights   float64 // bytes of weights that it reads
	mj        float64 // alone
	estimated float64 // the part of mj that no row has
	source    string
	family    int // position in Predictor.families
}

// Fit makes a predictor of a table: of its rows with warm caches, of its networks
// for "fit" and of those for "calibrate". Networks for other uses are not looked
// at, and the table is not kept. The same table gives the same predictor.
//
// Of another runtime's rows it takes off what a network pays once: the run, and
// the layouts at the borders of a model. Pairs in the table tell what it fuses.
func Fit(t *lut.Table) (*Predictor, error) {
	p := &Predictor{families: map[string]int{}, regressions: map[string]*regression{}, memory: newMemory()}
	p.meta = t.Meta
	p.describer.hardware = hardwareOf(t.Meta.Device)
	var order []graph.Workload // that of the rows
	for i, row := range t.Rows {
		if row.Cache != lut.CacheWarm {
			continue
		}
		w, err := row.Workload()
		if err != nil {
			return nil, fmt.Errorf("predictor: row %d: %w", i, err)
		}
		if err := checkMeasured(row.LatencyMedianNS, row.LatencyCI95NS); err != nil {
			return nil, fmt.Errorf("predictor: row %d (%s): %w", i, row.Key, err)
		}
		if _, twice := p.memory.costs[w]; twice {
			return nil, fmt.Errorf("predictor: row %d: workload %s is in the table twice", i, row.Key)
		}
		row.LatencyMedianNS = withinNetwork(&t.Meta, row.LatencyMedianNS, row.BorderNS)
		noise := relativeNoise(row.LatencyMedianNS, row.LatencyCI95NS)
		if row.Contended {
			noise = math.Hypot(noise, contendedNoise)
		}
		source := SourceTable
		if row.Predicted() {
			source = SourceTransfer
		}
		p.memory.costs[w] = cost{ns: row.LatencyMedianNS, spread: noise, weights: weightBytes(w), source: source}
		order = append(order, w)
	}
	fitted, calibration, disturbed := usedNetworks(t.Networks)
	inside, err := observeWithin(fitted, disturbed, p.describer.hardware.CacheBytes)
	if err != nil {
		return nil, err
	}
	if inside != nil {
		for _, w := range sortedWorkloads(inside.seen) {
			if _, ok := p.memory.costs[w]; !ok {
				order = append(order, w)
			}
		}
		p.enterNetworks(inside)
	}
	if len(p.memory.costs) == 0 {
		return nil, errors.New("predictor: the table has no rows with warm caches: profile some workloads first")
	}
	rules, err := fusionRules(t)
	if err != nil {
		return nil, err
	}
	p.setRules(rules)
	samples := map[string][]sample{}
	known := &lut.Table{}
	noises := make([]float64, 0, len(p.memory.costs))
	for _, w := range order {
		c := p.memory.costs[w]
		predicted := c.source == SourceTransfer
		samples[family(w)] = append(samples[family(w)], sample{workload: w, ns: c.ns, noise: c.spread, predicted: predicted})
		if !predicted {
			row := lut.NewRow(w)
			row.LatencyMedianNS = c.ns
			known.Rows = append(known.Rows, row)
		}
		noises = append(noises, c.spread)
	}
	slices.Sort(noises)
	p.usualNoise = quantile(noises, 0.5)
	p.between = lut.NewInterpolator(known)
	together := p.together(t.Networks)
	p.fitFamilies(samples, together)
	for w, c := range p.memory.costs {
		if c.source == SourceTransfer {
			c.spread *= together
			p.memory.costs[w] = c
		}
	}
	if p.energy, err = fitEnergy(t.Rows, p.memory.costs); err != nil {
		return nil, err
	}
	if err := p.fitNetworks(fitted, calibration, inside); err != nil {
		return nil, err
	}
	return p, nil
}

// contendedNoise is the relative standard deviation, beside that of its
// interval, of what was measured beside other work all the time.
const contendedNoise = 0.15

// enoughNetworks that were measured without other work beside them make up for
// any number of others.
const enoughNetworks = 20

// usedNetworks are those to fit and those to calibrate on. Those that were
// measured beside other work all the time are left out where enough others, or
// as many, are left; of those to fit they are the disturbed.
func usedNetworks(networks []lut.Network) (fitted, calibration, disturbed []lut.Network) {
	of := func(use string) (used, rest []lut.Network) {
		var quiet, contended []lut.Network
		for _, n := range networks {
			switch {
			case n.Use != use:
			case n.Contended:
				contended = append(contended, n)
			default:
				quiet = append(quiet, n)
			}
		}
		if len(quiet) >= enoughNetworks || len(quiet) >= max(minOverhead, len(contended)) {
			return quiet, contended
		}
		return append(quiet, contended...), nil
	}
	fitted, disturbed = of("fit")
	calibration, _ = of("calibrate")
	return fitted, calibration, disturbed
}

// enterNetworks puts what networks tell of workloads in the place of what these
// cost alone, and turns the costs of others into those within a network.
func (p *Predictor) enterNetworks(inside *within) {
	shifts := inside.shifts(p.memory.costs)
	for w, c := range p.memory.costs {
		s, ok := shifts[family(w)]
		if !ok {
			s = shifts[""]
		}
		c.ns *= math.Exp(s.mean)
		c.spread = math.Hypot(c.spread, s.spread)
		p.memory.costs[w] = c
	}
	for w := range inside.seen {
		ns, noise, _ := inside.of(w, -1)
		p.memory.costs[w] = cost{ns: ns, spread: noise, weights: weightBytes(w), source: SourceNetwork}
	}
}

// relativeNoise is the relative standard deviation of a median with the given
// half width of its 95% interval, which is 1.96 standard deviations of a normal
// distribution.
func relativeNoise(median, ci95 float64) float64 { return ci95 / 1.96 / median }

// halfWidth is that of a median's 95% interval. Of so few samples that there is
// none, which is stored as 0, it is as wide as the median.
func halfWidth(median, ci95 float64, samples int64) float64 {
	const fewest = 6 // for an interval of 95% by order statistics
	if ci95 == 0 && samples < fewest {
		return median
	}
	return ci95
}

func checkMeasured(median, ci95 float64) error {
	if !(median > 0) || math.IsInf(median, 1) {
		return fmt.Errorf("latency_median_ns is %g; want a positive number", median)
	}
	if !(ci95 >= 0) || math.IsInf(ci95, 1) {
		return fmt.Errorf("latency_ci95_ns is %g; want a number that is not negative", ci95)
	}
	return nil
}

// weightBytes are those of the weights that a workload reads: of a table that it
// gathers from, the part that it takes.
func weightBytes(w graph.Workload) float64 {
	return float64(min(w.Params()*w.DType.Size(), w.BytesRead()))
}

// family is what shares a regression.
func family(w graph.Workload) string { return w.Family() + "/" + string(w.DType) }

// together is the part of the uncertainty of predicted rows that is left in the
// sum over a network, where their errors partly cancel: predicted networks tell.
// It is 1 where there are none.
func (p *Predictor) together(networks []lut.Network) float64 {
	var parts []float64
	for _, n := range networks {
		workloads, err := n.ParseWorkloads()
		if n.Samples > 0 || err != nil || !(n.LatencyMedianNS > 0) {
			continue // errors are reported where networks are fitted
		}
		var ns, spread float64
		for _, w := range p.cut(workloads) {
			if c, ok := p.memory.costs[w]; ok {
				ns, spread = ns+c.ns, spread+c.ns*c.spread
			}
		}
		if spread > 0 {
			parts = append(parts, min(1, relativeNoise(n.LatencyMedianNS, n.LatencyCI95NS)*ns/spread))
		}
	}
	if len(parts) == 0 {
		return 1
	}
	slices.Sort(parts)
	return quantile(parts, 0.5)
}

func (p *Predictor) fitFamilies(samples map[string][]sample, together float64) {
	p.roofline = fitRoofline(samples)
	p.describer.roofline = p.roofline.coefficients
	var fits sync.WaitGroup
	var mu sync.Mutex
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		p.families[name] = len(p.families)
		if len(samples[name]) < minRows {
			continue
		}
		fits.Go(func() {
			r := fitRegression(samples[name], p.describer)
			r.spread = math.Hypot(r.spread, together*unsure(samples[name]))
			mu.Lock()
			defer mu.Unlock()
			p.regressions[name] = r
		})
	}
	fits.Wait()
}

// unsure is the root mean square uncertainty of predicted rows. They lie on a
// smooth surface, so that cross-validation does not see it.
func unsure(samples []sample) float64 {
	var noise []float64
	for _, s := range samples {
		if s.predicted {
			noise = append(noise, s.noise)
		}
	}
	if len(noise) == 0 {
		return 0
	}
	return rootMeanSquare(noise)
}

// fitNetworks learns overhead and interval. inside may be nil.
func (p *Predictor) fitNetworks(fitted, calibration []lut.Network, inside *within) error {
	// Until the overhead is known, a network is the sum of its workloads. The
	// last factor is for families that the table does not have.
	families := len(p.families) + 1
	p.overhead, _ = fitOverhead(nil, families, nil, nil)
	var observations []observation
	for i, n := range fitted {
		o, err := p.observe(n, i, inside)
		if err != nil {
			return err
		}
		observations = append(observations, o)
	}
	fit, errors := fitOverhead(observations, families, weightKnots(p.describer.hardware.CacheBytes), inside)
	p.overhead = fit
	for w, c := range p.memory.costs {
		c.family = p.familyIndex(w)
		c.network = p.overhead.workload(c.family, c.ns, w.Bytes())
		p.memory.costs[w] = c
	}
	return p.calibrate(fitted, errors, calibration)
}

func (p *Predictor) familyIndex(w graph.Workload) int {
	if i, ok := p.families[family(w)]; ok {
		return i
	}
	return len(p.families)
}

// observe sums up the i-th fitted network, as the others tell of its workloads.
func (p *Predictor) observe(n lut.Network, i int, inside *within) (observation, error) {
	workloads, err := networkWorkloads(n)
	if err != nil {
		return observation{}, err
	}
	workloads = p.cut(workloads)
	o := observation{
		families: make([]float64, len(p.families)+1), count: float64(len(workloads)),
		ns: n.LatencyMedianNS,
	}
	var spread float64
	for _, w := range workloads {
		c, err := p.cost(w)
		if err != nil {
			return observation{}, fmt.Errorf("predictor: network %q: %w", n.Name, err)
		}
		if inside != nil {
			if ns, noise, ok := inside.of(w, i); ok {
				c.ns, c.spread = ns, noise
			}
		}
		o.families[p.familyIndex(w)] += c.ns
		o.bytes += float64(w.Bytes())
		o.weights += c.weights
		spread += c.ns * c.spread
	}
	// A network whose workloads are guesses says little of what their sum misses.
	ci95 := n.LatencyCI95NS
	if inside == nil { // else few samples are of a long network, which its runs average over
		ci95 = halfWidth(n.LatencyMedianNS, ci95, n.Samples)
	}
	o.noise = math.Hypot(relativeNoise(n.LatencyMedianNS, ci95), spread/total(o.families))
	return o, nil
}

// networkWorkloads parses and checks a measured network.
func networkWorkloads(n lut.Network) ([]graph.Workload, error) {
	if err := checkMeasured(n.LatencyMedianNS, n.LatencyCI95NS); err != nil {
		return nil, fmt.Errorf("predictor: network %q: %w", n.Name, err)
	}
	if len(n.Workloads) == 0 {
		return nil, fmt.Errorf("predictor: network %q has no workloads", n.Name)
	}
	workloads, err := n.ParseWorkloads()
	if err != nil {
		return nil, fmt.Errorf("predictor: network %w", err)
	}
	return workloads, nil
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
	family    int     // with the largest part
}

// relative is the standard deviation of ln(ns) that the workloads leave.
func (s *networkSum) relative() float64 { return s.spread / s.ns }

// finish puts intervals around a sum.
func (p *Predictor) finish(s networkSum) Prediction {
	score := p.interval.scoreOf(s.family, s.ns)
	difficulty := p.interval.difficulty(s.family, s.relative())
	width := min(score.score*difficulty, mostWidth)
	prediction := Prediction{
		LatencyNS: s.ns, LowNS: s.ns * math.Exp(-width), HighNS: s.ns * math.Exp(width),
		Coverage: p.interval.coverage, Interval: score.kind, Spread: min(score.spread*difficulty, mostWidth/normal90), OverheadNS: s.ns - s.alone,
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

// maxFamilies is how many families are told apart when looking for that with
// the largest part of a network.
const maxFamilies = 64

// sum adds up the workloads.
func (p *Predictor) sum(workloads []graph.Workload) (s networkSum, parts []Part, err error) {
	if len(workloads) == 0 {
		return networkSum{}, nil, errors.New("predictor: no workloads to predict")
	}
	workloads = p.cut(workloads)
	parts = make([]Part, len(workloads))
	var families [maxFamilies]float64
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
		parts[i] = c.part(w)
		s.add(&c, &families)
	}
	p.memory.mu.RUnlock()
	p.close(&s, &families)
	return s, parts, nil
}

// part is what the cost of a workload tells.
func (c *cost) part(w *graph.Workload) Part {
	return Part{Workload: *w, LatencyNS: c.ns, Source: c.source, Uncertainty: c.spread}
}

// add adds a workload.
func (s *networkSum) add(c *cost, families *[maxFamilies]float64) {
	s.ns += c.network
	s.alone += c.ns
	s.spread += c.network * c.spread
	s.weights += c.weights
	s.mj += c.mj
	s.estimated += c.estimated
	families[min(c.family, maxFamilies-1)] += c.network
}

// close adds what a network costs once.
func (p *Predictor) close(s *networkSum, families *[maxFamilies]float64) {
	s.family = largest(families[:min(len(p.families)+1, maxFamilies)])
	s.ns += p.overhead.once(s.weights)
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
	c.weights = weightBytes(w)
	c.family = p.familyIndex(w)
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
	if r, ok := p.regressions[family(w)]; ok {
		if spread := r.uncertainty(w); spread < c.spread {
			c, known = cost{ns: r.predict(w), spread: spread, source: SourceRegression}, true
		}
	}
	if known {
		return c, nil
	}
	ns, spread, err := p.roofline.predict(family(w), w)
	return cost{ns: ns, spread: spread, source: SourceRoofline}, err
}
