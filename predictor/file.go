package predictor

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"

	"github.com/google/renameio/v2/maybe"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// FileVersion is the version of predictor files that this package writes. It
// reads this one and all before it.
const FileVersion = 5

const (
	fileFormat = "hwprofd.predictor"
	// maxFileBytes keeps a wrong file from being read into memory.
	maxFileBytes = 1 << 30
)

// fileMeta is what a predictor file has beside numbers, as JSON in the
// header's metadata.
type fileMeta struct {
	Table        lut.Meta         `json:"table"` // of the table that it was fitted to
	Hardware     hardware         `json:"hardware"`
	Families     []string         `json:"families"`
	Origins      []string         `json:"origins,omitempty"` // since version 3
	Workloads    []string         `json:"workloads"`         // whose costs are in the tensors workload.*
	Sources      []string         `json:"sources"`           // of the workloads, by number in workload.source
	UsualNoise   float64          `json:"usual_noise"`
	Regressions  []regressionMeta `json:"regressions"`
	Roofline     rooflineMeta     `json:"roofline"`
	EnergySource string           `json:"energy_source"`
	EnergySpread float64          `json:"energy_spread"`
	Constant     float64          `json:"overhead_constant_ns"`
	PerWorkload  float64          `json:"overhead_workload_ns"`
	PerByte      float64          `json:"overhead_byte_ns"`
	Weighing     weighing         `json:"weights"` // since version 4
	Cautious     float64          `json:"interval_cautious"`
	Usual        float64          `json:"interval_usual"`
	Coverage     float64          `json:"interval_coverage"`
	Weights      float64          `json:"interval_weights,omitempty"` // for the coverage; since version 5
	Fusion       []FusionRule     `json:"fusion,omitempty"`
}

type rooflineMeta struct {
	Computes bool               `json:"computes"`
	Spread   float64            `json:"spread"`
	Factors  map[string]float64 `json:"factors"`
	Spreads  map[string]float64 `json:"spreads"`
}

type regressionMeta struct {
	Family    string      `json:"family"`
	Kind      string      `json:"kind"`
	Rows      int         `json:"rows"`
	Spread    float64     `json:"spread"`
	Scale     float64     `json:"scale"`
	Low       float64     `json:"low"`
	High      float64     `json:"high"`
	Typical   float64     `json:"typical"`
	Epilogues []string    `json:"epilogues"`
	Smooth    float64     `json:"smooth"`
	Length    float64     `json:"length"`
	Noise     float64     `json:"noise"`
	Compared  []Candidate `json:"compared"`
}

var fileSources = []string{SourceTable, SourceInterpolation, SourceRegression, SourceRoofline, SourceTransfer, SourceNetwork}

// Save writes the predictor to path, to be read by Load: all that it learned,
// the costs of the table's workloads and of those that it has been asked for.
// The file is a safetensors file, see docs/prediction.md.
func (p *Predictor) Save(path string) error {
	content, err := p.encode()
	if err != nil {
		return fmt.Errorf("predictor: %s: %w", path, err)
	}
	if err := maybe.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("predictor: %w", err)
	}
	return nil
}

// Load reads a predictor that Save wrote.
func Load(path string) (*Predictor, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("predictor: %w", err)
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("predictor: %s: %d bytes are more than any predictor has", path, info.Size())
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("predictor: %w", err)
	}
	p, err := decode(content)
	if err != nil {
		return nil, fmt.Errorf("predictor: %s: %w", path, err)
	}
	return p, nil
}

func (p *Predictor) encode() ([]byte, error) {
	meta := fileMeta{
		Table: p.meta, Hardware: p.describer.hardware, Families: make([]string, len(p.families)), Origins: p.origins, Sources: fileSources, UsualNoise: p.usualNoise,
		Roofline:     rooflineMeta{p.roofline.computes, p.roofline.spread, p.roofline.factors, p.roofline.spreads},
		EnergySource: p.energy.source, EnergySpread: p.energy.spread,
		Constant: p.overhead.constant, PerWorkload: p.overhead.perWorkload, PerByte: p.overhead.perByte, Weighing: p.weighing,
		Cautious: p.interval.cautious, Usual: p.interval.usual, Coverage: p.interval.coverage, Weights: p.interval.normal * p.interval.weights, Fusion: p.fusion,
	}
	for name, at := range p.families {
		meta.Families[at] = name
	}
	t := newTensors()
	p.encodeWorkloads(t, &meta)
	t.vector("roofline.coefficients", p.roofline.coefficients)
	t.vector("energy.coefficients", p.energy.coefficients)
	t.vector("energy.errors", p.energy.errors)
	t.vector("overhead.factors", p.overhead.factors)
	t.vector("overhead.knots", p.overhead.knots)
	t.vector("overhead.spill", p.overhead.spill)
	p.interval.encode(t)
	for i, name := range slices.Sorted(maps.Keys(p.regressions)) {
		meta.Regressions = append(meta.Regressions, p.regressions[name].encode(t, name, fmt.Sprintf("regression.%d.", i)))
	}
	text, err := json.Marshal(meta)
	if err != nil {
		return nil, err
	}
	return t.encode(map[string]string{"format": fileFormat, "version": fmt.Sprint(FileVersion), "predictor": string(text)})
}

func (p *Predictor) encodeWorkloads(t *tensors, meta *fileMeta) {
	p.memory.mu.RLock()
	defer p.memory.mu.RUnlock()
	costs := map[string]cost{}
	for w, c := range p.memory.costs {
		costs[w.String()] = c
	}
	columns := map[string][]float64{}
	var family, group, source []int32
	for _, key := range slices.Sorted(maps.Keys(costs)) {
		c := costs[key]
		meta.Workloads = append(meta.Workloads, key)
		for name, v := range c.columns() {
			columns[name] = append(columns[name], *v)
		}
		family, group = append(family, int32(c.family)), append(group, int32(c.group))
		source = append(source, int32(slices.Index(fileSources, c.source)))
	}
	for name, values := range columns {
		t.vector("workload."+name, values)
	}
	t.ints["workload.family"], t.ints["workload.group"], t.ints["workload.source"] = family, group, source
	var workload, before, after []int32
	var factor []float64
	for i, key := range meta.Workloads {
		for _, at := range costs[key].places {
			workload, factor = append(workload, int32(i)), append(factor, at.factor)
			before, after = append(before, int32(at.before)), append(after, int32(at.after))
		}
	}
	t.ints["place.workload"], t.ints["place.before"], t.ints["place.after"] = workload, before, after
	t.vector("place.factor", factor)
}

// columns are the numbers of a cost by their names in a file.
func (c *cost) columns() map[string]*float64 {
	return map[string]*float64{
		"alone_ns": &c.ns, "network_ns": &c.network, "spread": &c.spread, "weight_bytes": &c.weights, "mj": &c.mj, "estimated_mj": &c.estimated,
	}
}

func (i *interval) encode(t *tensors) {
	t.vector("interval.base", i.base)
	t.vector("interval.all", i.all)
	var cut []float64
	var scores [][]float64
	for k, r := range i.resolved {
		cut = append(cut, r.cut)
		scores = append(scores, []float64{r.small.score, r.large.score})
		var g scoreGroup
		if k < len(i.groups) {
			g = i.groups[k]
		}
		for name, list := range map[string][]float64{"all": g.scores, "small": g.small, "large": g.large} {
			t.vector(fmt.Sprintf("interval.%d.%s", k, name), list)
		}
	}
	t.vector("interval.cut_ns", cut)
	t.matrix("interval.score", scores, 2) // of small and large networks, for interval_coverage
}

func (r *regression) encode(t *tensors, family, prefix string) regressionMeta {
	m := regressionMeta{
		Family: family, Kind: r.kind, Rows: r.rows, Spread: r.spread, Scale: r.scale, Low: r.low, High: r.high,
		Typical: r.typical, Epilogues: r.encoder.epilogues, Compared: r.compared,
	}
	t.vector(prefix+"additive", r.additive)
	t.vector(prefix+"mean", r.encoder.mean)
	t.vector(prefix+"deviation", r.encoder.scale)
	kept := make([]int32, len(r.encoder.kept))
	for i, v := range r.encoder.kept {
		kept[i] = int32(v)
	}
	t.ints[prefix+"features"] = kept
	switch {
	case r.process != nil:
		m.Smooth, m.Length, m.Noise = r.process.hyper.smooth, r.process.hyper.length, r.process.hyper.noise
		t.matrix(prefix+"x", r.process.x, len(kept))
		t.vector(prefix+"weights", r.process.weights)
		t.vector(prefix+"own_noise", r.process.own)
	case r.trees != nil:
		t.matrix(prefix+"x", r.rowsAt, len(kept))
		var threshold, value []float64
		var feature, left, right, roots []int32
		for _, n := range r.trees.nodes {
			threshold, value = append(threshold, n.threshold), append(value, n.value)
			feature, left, right = append(feature, int32(n.feature)), append(left, int32(n.left)), append(right, int32(n.right))
		}
		for _, root := range r.trees.roots {
			roots = append(roots, int32(root))
		}
		t.vector(prefix+"threshold", threshold)
		t.vector(prefix+"value", value)
		t.ints[prefix+"feature"], t.ints[prefix+"left"], t.ints[prefix+"right"], t.ints[prefix+"roots"] = feature, left, right, roots
	}
	return m
}

func decode(content []byte) (*Predictor, error) {
	t, metadata, err := decodeTensors(content)
	if err != nil {
		return nil, err
	}
	if metadata["format"] != fileFormat {
		return nil, fmt.Errorf("it is no predictor: its format is %q, want %q", metadata["format"], fileFormat)
	}
	var version int
	if _, err := fmt.Sscan(metadata["version"], &version); err != nil || version < 1 {
		return nil, fmt.Errorf("version %q does not exist", metadata["version"])
	}
	if version > FileVersion {
		return nil, fmt.Errorf("version %d is newer than %d: update hwprofd to read it", version, FileVersion)
	}
	var meta fileMeta
	if err := json.Unmarshal([]byte(metadata["predictor"]), &meta); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if meta.Hardware.VectorBytes < 1 {
		return nil, fmt.Errorf("vector_bytes is %d", meta.Hardware.VectorBytes)
	}
	for family, count := range meta.Weighing.Counts {
		if !(count >= 0) {
			return nil, fmt.Errorf("a byte of weights of %s counts as %g", family, count)
		}
	}
	r := &reader{tensors: t}
	p := &Predictor{
		meta: meta.Table, families: map[string]int{}, origins: meta.Origins, regressions: map[string]*regression{}, usualNoise: meta.UsualNoise, weighing: meta.Weighing,
		roofline: &roofline{r.vector("roofline.coefficients", 3), meta.Roofline.Computes, meta.Roofline.Spread, meta.Roofline.Factors, meta.Roofline.Spreads},
		energy:   &energyModel{coefficients: r.vector("energy.coefficients", -1), spread: meta.EnergySpread, source: meta.EnergySource},
		overhead: &overhead{
			factors:     r.vector("overhead.factors", len(meta.Families)+1),
			perWorkload: meta.PerWorkload, perByte: meta.PerByte, constant: meta.Constant,
			knots: r.vector("overhead.knots", -1), spill: r.vector("overhead.spill", -1),
		},
	}
	p.describer = describer{hardware: meta.Hardware, roofline: p.roofline.coefficients}
	for i, name := range meta.Families {
		p.families[name] = i
	}
	if _, ok := t.floats["energy.errors"]; ok { // missing in files of before
		p.energy.errors = r.vector("energy.errors", -1)
	}
	if !slices.IsSorted(p.energy.errors) || len(p.energy.errors) > 0 && p.energy.errors[0] < 0 {
		r.fail("energy.errors are not ascending from 0")
	}
	switch n := len(p.energy.coefficients); {
	case n == 0:
		p.energy.coefficients = nil
	case n != 3:
		r.fail("energy.coefficients are %d, want 3 or none", n)
	}
	if len(p.overhead.knots) != len(p.overhead.spill) {
		r.fail("overhead.knots are %d, overhead.spill %d", len(p.overhead.knots), len(p.overhead.spill))
	}
	p.decodeWorkloads(r, &meta, version)
	p.setRules(meta.Fusion)
	p.interval.decode(r, p.groups(), &meta)
	for i, m := range meta.Regressions {
		p.regressions[m.Family] = decodeRegression(r, m, p.describer, fmt.Sprintf("regression.%d.", i))
	}
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

func (p *Predictor) decodeWorkloads(r *reader, meta *fileMeta, version int) {
	p.memory = newMemory()
	costs := make([]cost, len(meta.Workloads))
	for name := range new(cost).columns() {
		for i, v := range r.vector("workload."+name, len(costs)) {
			*costs[i].columns()[name] = v
		}
	}
	family, source := r.ints("workload.family", len(costs)), r.ints("workload.source", len(costs))
	group := family // before version 3
	if version >= 3 {
		group = r.ints("workload.group", len(costs))
	}
	if r.err != nil {
		return
	}
	if version >= 5 && !decodePlaces(r, costs, len(meta.Families)) {
		return
	}
	rows := &lut.Table{}
	for i, key := range meta.Workloads {
		w, err := graph.ParseWorkload(key)
		c := &costs[i]
		switch {
		case err != nil:
			r.fail("workload %d: %w", i, err)
			return
		case family[i] < 0 || family[i] > len(meta.Families) || source[i] < 0 || source[i] >= len(meta.Sources):
			r.fail("workload %d (%s): family %d or source %d does not exist", i, key, family[i], source[i])
			return
		case group[i] < 0 || group[i] >= p.groups():
			r.fail("workload %d (%s): group %d does not exist", i, key, group[i])
			return
		case !(c.ns > 0) || c.network < 0 || c.spread < 0 || c.weights < 0 || c.mj < 0:
			r.fail("workload %d (%s): a cost is negative", i, key)
			return
		}
		c.family, c.group, c.source = family[i], group[i], meta.Sources[source[i]]
		p.memory.costs[w] = *c
		if c.source == SourceTable || c.source == SourceNetwork {
			row := lut.NewRow(w)
			row.LatencyMedianNS = c.ns
			rows.Rows = append(rows.Rows, row)
		}
	}
	p.between = lut.NewInterpolator(rows)
}

func decodePlaces(r *reader, costs []cost, families int) bool {
	factor := r.vector("place.factor", -1)
	workload, before, after := r.ints("place.workload", len(factor)), r.ints("place.before", len(factor)), r.ints("place.after", len(factor))
	if r.err != nil {
		return false
	}
	for i, f := range factor {
		at := place{before[i], after[i], f}
		if workload[i] < 0 || workload[i] >= len(costs) || min(at.before, at.after) < noFamily || max(at.before, at.after) > families || !(f > 0) || math.IsInf(f, 1) {
			r.fail("place %d, of workload %d between families %d and %d with a factor of %g, is impossible", i, workload[i], at.before, at.after, f)
			return false
		}
		c := &costs[workload[i]]
		c.places = append(c.places, at)
	}
	return true
}

func (i *interval) decode(r *reader, groups int, meta *fileMeta) {
	i.base, i.all, i.cautious, i.usual = r.vector("interval.base", groups), r.vector("interval.all", -1), meta.Cautious, meta.Usual
	cut := r.vector("interval.cut_ns", groups)
	for k := range groups {
		list := func(name string) []float64 { return r.vector(fmt.Sprintf("interval.%d.%s", k, name), -1) }
		i.groups = append(i.groups, scoreGroup{scores: list("all"), small: list("small"), large: list("large"), cut: cut[k]})
	}
	if !(meta.Coverage > 0 && meta.Coverage < 1) {
		r.fail("interval_coverage is %g", meta.Coverage)
		return
	}
	if i.weights = meta.Weights / twoSided(meta.Coverage); !(i.weights >= 0) {
		r.fail("interval_weights is %g", meta.Weights)
	}
	i.resolve(meta.Coverage)
}

func decodeRegression(r *reader, m regressionMeta, d describer, prefix string) *regression {
	out := &regression{
		kind: m.Kind, rows: m.Rows, spread: m.Spread, scale: m.Scale, low: m.Low, high: m.High, typical: m.Typical, compared: m.Compared,
		additive: r.vector(prefix+"additive", len(d.work(graph.Workload{Op: graph.OpRelu, DType: graph.F32, N: 1, C: 1, H: 1, W: 1}))),
		encoder:  &encoder{describer: d, epilogues: m.Epilogues, kept: r.ints(prefix+"features", -1)},
	}
	e := out.encoder
	columns := len(e.kept)
	e.mean, e.scale = r.vector(prefix+"mean", columns), r.vector(prefix+"deviation", columns)
	available := len(e.raw(graph.Workload{Op: graph.OpRelu, DType: graph.F32, N: 1, C: 1, H: 1, W: 1}))
	for _, feature := range e.kept {
		if feature < 0 || feature >= available {
			r.fail("%sfeatures: there is no feature %d", prefix, feature)
		}
	}
	switch m.Kind {
	case additive:
	case ridge, gaussianProcess:
		x := r.matrix(prefix+"x", columns)
		weights, own := r.vector(prefix+"weights", len(x)), r.vector(prefix+"own_noise", len(x))
		if r.err != nil {
			return out
		}
		var ok bool
		if out.process, ok = condition(hyper{smooth: m.Smooth, length: m.Length, noise: m.Noise}, x, make([]float64, len(x)), own); !ok {
			r.fail("%sx: the covariances of its rows are singular", prefix)
			return out
		}
		out.process.weights = weights
	case boostedTrees:
		out.rowsAt = r.matrix(prefix+"x", columns)
		threshold := r.vector(prefix+"threshold", -1)
		n := len(threshold)
		value, feature, left, right := r.vector(prefix+"value", n), r.ints(prefix+"feature", n), r.ints(prefix+"left", n), r.ints(prefix+"right", n)
		out.trees = &trees{roots: r.ints(prefix+"roots", -1), nodes: make([]treeNode, n)}
		for i := range out.trees.nodes {
			node := treeNode{feature[i], threshold[i], left[i], right[i], value[i]}
			// Children stand behind their parent, so that every walk ends.
			if node.left != 0 && (node.left <= i || node.right <= i || node.left >= n || node.right >= n || node.feature < 0 || node.feature >= columns) {
				r.fail("%sleft: node %d of a tree is impossible", prefix, i)
			}
			out.trees.nodes[i] = node
		}
		for _, root := range out.trees.roots {
			if root < 0 || root >= n {
				r.fail("%sroots: there is no node %d", prefix, root)
			}
		}
	default:
		r.fail("family %s: kind %q is not known", m.Family, m.Kind)
	}
	return out
}
