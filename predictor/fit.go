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

// Fit makes a predictor of a table: of its rows with warm caches and of its
// networks for "fit" and for "calibrate". Networks for other uses are not looked
// at, and the table is not kept. The same table gives the same predictor.
//
// All networks teach. What is left over of each for the interval is its error
// by a predictor of the others: they are left out in parts (cross-conformal:
// Vovk, "Cross-conformal predictors", Annals of Mathematics and Artificial
// Intelligence 74, 2015).
//
// Of another runtime's rows it takes off what a network pays once: the run, and
// the layouts at the borders of a model. Pairs in the table tell what it fuses.
func Fit(t *lut.Table) (*Predictor, error) {
	m, err := materialOf(t)
	if err != nil {
		return nil, err
	}
	p, err := m.learn(m.networks, nil)
	if err != nil {
		return nil, err
	}
	p.calibrate(m.leftOut(p))
	return p, nil
}

// material is what a table tells.
type material struct {
	meta                lut.Meta
	rows                []lut.Row
	alone               map[graph.Workload]cost // of the rows with warm caches
	order               []graph.Workload        // of these rows
	rules               []FusionRule
	networks, disturbed []lut.Network
	all                 []lut.Network // for whatever use
}

func materialOf(t *lut.Table) (*material, error) {
	m := &material{meta: t.Meta, rows: t.Rows, all: t.Networks, alone: map[graph.Workload]cost{}}
	var harmless bool
	networks, err := steadier(t.Networks)
	if err != nil {
		return nil, err
	}
	if m.networks, m.disturbed, harmless, err = usedNetworks(networks); err != nil {
		return nil, err
	}
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
		if _, twice := m.alone[w]; twice {
			return nil, fmt.Errorf("predictor: row %d: workload %s is in the table twice", i, row.Key)
		}
		row.LatencyMedianNS = withinNetwork(&t.Meta, row.LatencyMedianNS, row.BorderNS)
		noise := relativeNoise(row.LatencyMedianNS, row.LatencyCI95NS)
		if row.Contended && !harmless {
			noise = math.Hypot(noise, contendedNoise)
		}
		source := SourceTable
		if row.Predicted() {
			source = SourceTransfer
		}
		m.alone[w] = cost{ns: row.LatencyMedianNS, spread: noise, weights: weightBytes(w), source: source}
		m.order = append(m.order, w)
	}
	m.rules, err = fusionRules(t)
	return m, err
}

// learn makes a predictor without intervals of the rows and the given networks.
// Where one of more networks is given, like, its choices are taken over.
func (m *material) learn(networks []lut.Network, like *Predictor) (*Predictor, error) {
	p := &Predictor{meta: m.meta, families: map[string]int{}, regressions: map[string]*regression{}, memory: newMemory()}
	p.describer.hardware = hardwareOf(m.meta.Device)
	maps.Copy(p.memory.costs, m.alone)
	order := slices.Clone(m.order)
	inside, err := observeWithin(networks, m.disturbed, p.describer.hardware.CacheBytes)
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
	p.setRules(m.rules)
	if like != nil && inside == nil && !like.inside { // of the same rows
		p.families, p.regressions, p.roofline, p.describer = like.families, like.regressions, like.roofline, like.describer
		p.between, p.usualNoise, p.energy = like.between, like.usualNoise, like.energy
		for w := range p.memory.costs {
			p.memory.costs[w] = like.memory.costs[w]
		}
		return p, p.fitNetworks(networks, nil, like)
	}
	p.inside = inside != nil
	samples := map[string][]sample{}
	known := &lut.Table{}
	noises := make([]float64, 0, len(p.memory.costs))
	told := map[string]int{} // workloads of each family that networks tell
	if inside != nil {
		for w := range inside.seen {
			told[family(w)]++
		}
	}
	for _, w := range order {
		c := p.memory.costs[w]
		if c.source != SourceNetwork && told[family(w)] >= enoughTold {
			continue
		}
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
	together := p.together(m.all)
	p.fitFamilies(samples, together, like)
	for w, c := range p.memory.costs {
		if c.source == SourceTransfer {
			c.spread *= together
			p.memory.costs[w] = c
		}
	}
	if like != nil {
		p.energy = like.energy
	} else if p.energy, err = fitEnergy(m.rows, p.memory.costs); err != nil {
		return nil, err
	}
	return p, p.fitNetworks(networks, inside, like)
}

// enoughTold workloads of a family that networks tell make up its regression
// alone: those measured alone are only about what they cost in networks.
const enoughTold = 30

// parts is how many times a part of the networks is left out at most.
const parts = 8

// leftOut predicts each network by others, those aside that these know nothing of.
func (m *material) leftOut(p *Predictor) []replay {
	outcomes := make([][]replay, min(parts, len(m.networks)))
	var fits sync.WaitGroup
	for part := range outcomes {
		fits.Go(func() {
			var held, others []lut.Network
			for i, n := range m.networks {
				if i%parts == part {
					held = append(held, n)
				} else {
					others = append(others, n)
				}
			}
			q, err := m.learn(others, p)
			if err != nil { // as p was learned, too little is left
				return
			}
			for _, n := range held {
				if r, err := q.replay(n); err == nil {
					outcomes[part] = append(outcomes[part], r)
				}
			}
		})
	}
	fits.Wait()
	return slices.Concat(outcomes...)
}

// contendedNoise is the relative standard deviation, beside that of its
// interval, of what was measured beside other work all the time.
const contendedNoise = 0.15

// enoughNetworks tell whether corrections add more noise than they take away.
const enoughNetworks = 20

// contendedSlower is by how much longer, in ln(ns), workloads may take within
// networks that were measured beside other work for these to count like others.
const contendedSlower = 0.05

// usedNetworks are those to learn from. Those that were measured beside other
// work all the time are left out where the others show that it slowed them down,
// or do not tell, and as many others are left; they are the
// disturbed. harmless is whether the other work is known to have done no harm.
func usedNetworks(networks []lut.Network) (used, disturbed []lut.Network, harmless bool, err error) {
	var all, quiet []lut.Network
	for _, n := range networks {
		if n.Use != "fit" && n.Use != "calibrate" {
			continue
		}
		all = append(all, n)
		if n.Contended {
			disturbed = append(disturbed, n)
		} else {
			quiet = append(quiet, n)
		}
	}
	slower, ok, err := slowdown(quiet, disturbed)
	if err != nil {
		return nil, nil, false, err
	}
	if ok && slower < contendedSlower {
		return all, nil, true, nil
	}
	if len(quiet) >= max(minOverhead, len(disturbed)) {
		return quiet, disturbed, false, nil
	}
	return all, nil, false, nil
}

// enterNetworks puts what networks tell of workloads in the place of what these
// cost alone, and turns the costs of others into those within a network.
func (p *Predictor) enterNetworks(inside *within) {
	shifts := inside.shifts(p.memory.costs)
	p.weighing = inside.weighing()
	for w, c := range p.memory.costs {
		s, ok := shifts[family(w)]
		if !ok {
			s = shifts[""]
		}
		c.ns *= math.Exp(s.at(c.ns))
		c.spread = math.Hypot(c.spread, s.spread)
		c.weights = p.weighing.bytes(w, c.ns)
		p.memory.costs[w] = c
	}
	for w := range inside.seen {
		ns, noise, _ := inside.of(w, -1)
		p.memory.costs[w] = cost{ns: ns, spread: noise, weights: inside.seen[w].bytes, source: SourceNetwork}
	}
}

// relativeNoise is the relative standard deviation of a median with the given
// half width of its 95% interval, which is 1.96 standard deviations of a normal
// distribution.
func relativeNoise(median, ci95 float64) float64 { return ci95 / 1.96 / median }

// halfWidth is that of a median's 95% interval. Of so few samples that there is
// none, which is stored as 0, it is as wide as the median.
func halfWidth(median, ci95 float64, samples int64) float64 {
	if ci95 == 0 && samples < fewestSamples {
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
func family(w graph.Workload) string {
	if w.Op == graph.OpLinear && positions(w) == 1 {
		// A matrix times one vector waits for memory, times many it computes.
		return gemv + string(w.DType)
	}
	return coarseFamily(w)
}

const gemv = "gemv/"

// coarseFamily is the family in predictors of before products with one vector were
// told apart.
func coarseFamily(w graph.Workload) string { return w.Family() + "/" + string(w.DType) }

// family is that of w in this predictor, which may be of before.
func (p *Predictor) family(w graph.Workload) string {
	name := family(w)
	if _, ok := p.families[name]; !ok {
		return coarseFamily(w)
	}
	return name
}

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

// fitFamilies fits the roofline and the regressions, of the kinds that like has
// if it is not nil.
func (p *Predictor) fitFamilies(samples map[string][]sample, together float64, like *Predictor) {
	p.roofline = fitRoofline(samples)
	p.describer.roofline = p.roofline.coefficients
	var fits sync.WaitGroup
	var mu sync.Mutex
	if like != nil {
		p.families = like.families
	}
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		if like == nil {
			p.families[name] = len(p.families)
		}
		if len(samples[name]) < minRows {
			continue
		}
		fits.Go(func() {
			var r *regression
			if like != nil && like.regressions[name] != nil {
				r = like.regressions[name].again(samples[name], p.describer)
			} else {
				r = fitRegression(samples[name], p.describer)
				r.spread = math.Hypot(r.spread, together*unsure(samples[name]))
			}
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

// fitNetworks learns the overhead. inside and like may be nil.
func (p *Predictor) fitNetworks(networks []lut.Network, inside *within, like *Predictor) error {
	// Until the overhead is known, a network is the sum of its workloads. The
	// last factor is for families that the table does not have.
	families := len(p.families) + 1
	p.overhead = plainSum(families, inside)
	var observations []observation
	for i, n := range networks {
		o, err := p.observe(n, i, inside)
		if err != nil {
			return err
		}
		observations = append(observations, o)
	}
	if like != nil {
		p.overhead = like.overhead.again(observations, families, inside)
	} else {
		p.overhead = fitOverhead(observations, families, weightKnots(p.describer.hardware.CacheBytes), inside)
	}
	group, err := p.groupByOrigin(networks)
	if err != nil {
		return err
	}
	for w, c := range p.memory.costs {
		c.family = p.familyIndex(w)
		var ok bool
		if c.group, ok = group[w]; !ok {
			c.group = len(p.origins) + c.family
		}
		c.network = p.overhead.workload(c.family, c.ns, w.Bytes())
		if inside != nil {
			c.places = inside.placesOf(w, p.familyNumber)
		}
		p.memory.costs[w] = c
	}
	return nil
}

func (p *Predictor) familyIndex(w graph.Workload) int { return p.familyNumber(p.family(w)) }

// familyNumber is the position of a family, that of others if the table has none
// of it, and noFamily for none.
func (p *Predictor) familyNumber(name string) int {
	if name == "" {
		return noFamily
	}
	if i, ok := p.families[name]; ok {
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
	places := surroundingsOf(workloads)
	for k, w := range workloads {
		c, err := p.cost(w)
		if err != nil {
			return observation{}, fmt.Errorf("predictor: network %q: %w", n.Name, err)
		}
		if inside != nil {
			if ns, noise, ok := inside.of(w, i); ok {
				c.ns, c.spread = ns*inside.seen[w].factor(places[k], i), noise
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
