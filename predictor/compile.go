package predictor

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/hwprofd/hwprofd/graph"
)

// Compiled predicts the architectures of one search space without building
// their graphs: a sum of table entries each. It is safe for concurrent use.
type Compiled struct {
	predictor *Predictor
	choices   []int
	tables    []choiceTable
	stride    int   // values of an entry
	groups    []int // of the values beyond the fixed ones
}

// choiceTable holds what some decisions add together, for all their choices.
type choiceTable struct {
	decisions []int
	steps     []int // of each decision, in entries
	values    []float64
}

// The values of an entry; those of the groups follow.
const (
	valueNS = iota
	valueAlone
	valueSpread
	valueWeights
	valueMJ
	valueEstimated
	fixedValues
)

const (
	maxStride = fixedValues + maxGroups
	// checked is how many random architectures a compiled space is compared on
	// with the predictor, and repairs how often what they show is mended.
	checked = 200
	repairs = 60
)

// Compile prepares the prediction of all architectures of a search space.
// choices is the number of choices of each decision, lower makes the graph of
// an architecture and must be safe for concurrent use. Which decisions act
// together is found out by lowering some thousands of architectures; the result
// is compared with p on random ones. A space of which so many decisions
// interact that tables of them become too large is an error.
func (p *Predictor) Compile(choices []int, lower func(choices []int) (*graph.Graph, error)) (*Compiled, error) {
	for i, n := range choices {
		if n < 1 || n > math.MaxUint16 {
			return nil, fmt.Errorf("predictor: compile: decision %d has %d choices", i, n)
		}
	}
	if len(choices) == 0 {
		return nil, fmt.Errorf("predictor: compile: the space has no decisions")
	}
	probe := &prober{
		choices: choices, lower: lower, rng: rand.New(rand.NewPCG(1, uint64(len(choices)))), split: p.placedWorkloads,
		numbers: map[placed]int32{}, known: map[string][]int32{},
	}
	marked := make([][]bool, len(choices))
	for i := range marked {
		marked[i] = make([]bool, len(choices))
	}
	for range probes {
		if err := probe.interactions(probe.random(), marked); err != nil {
			return nil, err
		}
	}
	for attempt := 0; ; attempt++ {
		c, err := p.fill(probe, cliques(marked))
		if err != nil {
			return nil, err
		}
		wrong, err := c.check(probe)
		if err != nil || wrong == nil {
			return c, err
		}
		if attempt == repairs {
			return nil, fmt.Errorf("predictor: compile: architecture %v costs other than the sum of what its decisions cost; the interactions of the space are too rare to be found", wrong)
		}
		if err := probe.interactions(wrong, marked); err != nil {
			return nil, err
		}
	}
}

// fill makes the tables of the cliques.
func (p *Predictor) fill(probe *prober, cliques [][]int) (*Compiled, error) {
	c := &Compiled{predictor: p, choices: slices.Clone(probe.choices)}
	anchor := make([]int, len(probe.choices))
	var needed [][]int
	for _, decisions := range cliques {
		t := choiceTable{decisions: decisions, steps: make([]int, len(decisions))}
		size := 1
		for i := len(decisions) - 1; i >= 0; i-- {
			t.steps[i] = size
			if size *= probe.choices[decisions[i]]; size > maxLowered {
				return nil, fmt.Errorf("predictor: compile: decisions %v of the space all act on each other, in more than %d ways", decisions, maxLowered)
			}
		}
		for entry := range size {
			needed = append(needed, t.architecture(entry, anchor, probe.choices))
		}
		if len(needed) > maxLowered {
			return nil, fmt.Errorf("predictor: compile: the decisions of the space act on each other in more than %d ways", maxLowered)
		}
		c.tables = append(c.tables, t)
	}
	if err := probe.lowerAll(needed); err != nil {
		return nil, err
	}
	sums, err := c.costs(probe)
	if err != nil {
		return nil, err
	}
	for k := range c.tables {
		t := &c.tables[k]
		var whole []float64
		for _, a := range needed[:t.entries(probe.choices)] {
			row := make([]float64, c.stride)
			numbers, err := probe.workloads(a)
			if err != nil {
				return nil, err
			}
			for _, number := range numbers {
				for i, v := range sums[number] {
					row[i] += v
				}
			}
			whole = append(whole, row...)
		}
		needed = needed[t.entries(probe.choices):]
		t.values = c.less(k, whole)
	}
	return c, nil
}

// costs sets which groups there are and returns the values of each workload.
func (c *Compiled) costs(probe *prober) ([][]float64, error) {
	p := c.predictor
	costs := make([]cost, len(probe.numbers))
	present := map[int]bool{}
	for w, number := range probe.numbers {
		var err error
		if costs[number], err = p.placedCost(w); err != nil {
			return nil, err
		}
		present[min(costs[number].group, maxGroups-1)] = true
	}
	for group := range maxGroups {
		if present[group] {
			c.groups = append(c.groups, group)
		}
	}
	c.stride = fixedValues + len(c.groups)
	values := make([][]float64, len(costs))
	for i, x := range costs {
		v := make([]float64, c.stride)
		v[valueNS], v[valueAlone], v[valueSpread], v[valueWeights] = x.network, x.ns, x.network*x.spread, x.weights
		v[valueMJ], v[valueEstimated] = x.mj, x.estimated
		v[fixedValues+slices.Index(c.groups, min(x.group, maxGroups-1))] = x.network
		values[i] = v
	}
	return values, nil
}

// less takes off whole, the values of networks that differ from the anchor in
// the decisions of table k alone, what the tables before it have of them.
func (c *Compiled) less(k int, whole []float64) []float64 {
	t := &c.tables[k]
	// The sets of decisions that are in an earlier table as well, by inclusion
	// and exclusion, each with its sign.
	signs := map[string]int{}
	sets := map[string][]int{}
	for _, earlier := range c.tables[:k] {
		shared := []int{} // positions in t.decisions
		for i, d := range t.decisions {
			if slices.Contains(earlier.decisions, d) {
				shared = append(shared, i)
			}
		}
		more := map[string]int{architectureKey(shared): 1}
		sets[architectureKey(shared)] = shared
		for key, sign := range signs {
			both := []int{}
			for _, i := range sets[key] {
				if slices.Contains(shared, i) {
					both = append(both, i)
				}
			}
			more[architectureKey(both)] -= sign
			sets[architectureKey(both)] = both
		}
		for key, sign := range more {
			if signs[key] += sign; signs[key] == 0 {
				delete(signs, key)
			}
		}
	}
	values := slices.Clone(whole)
	keys := make([]string, 0, len(signs))
	for key := range signs {
		keys = append(keys, key)
	}
	slices.Sort(keys) // the order of sums decides their last digits
	for entry := range len(whole) / c.stride {
		for _, key := range keys {
			at := 0 // the same choices in the set, those of the anchor elsewhere
			for _, i := range sets[key] {
				at += entry / t.steps[i] % c.choices[t.decisions[i]] * t.steps[i]
			}
			for i := range c.stride {
				values[entry*c.stride+i] -= float64(signs[key]) * whole[at*c.stride+i]
			}
		}
	}
	return values
}

func (t *choiceTable) entries(choices []int) int { return t.steps[0] * choices[t.decisions[0]] }

// architecture is the anchor with the choices of an entry.
func (t *choiceTable) architecture(entry int, anchor, choices []int) []int {
	a := slices.Clone(anchor)
	for i, d := range t.decisions {
		a[d] = entry / t.steps[i] % choices[d]
	}
	return a
}

// check compares with the predictor on random architectures and returns one
// that disagrees, or nil.
func (c *Compiled) check(probe *prober) ([]int, error) {
	architectures := make([][]int, checked)
	for i := range architectures {
		architectures[i] = probe.random()
	}
	if err := probe.lowerAll(architectures); err != nil {
		return nil, err
	}
	values := make([]placed, len(probe.numbers))
	for w, number := range probe.numbers {
		values[number] = w
	}
	for _, a := range architectures {
		numbers, err := probe.workloads(a)
		if err != nil {
			return nil, err
		}
		var want networkSum
		var groups [maxGroups]float64
		for _, number := range numbers {
			cost, err := c.predictor.placedCost(values[number])
			if err != nil {
				return nil, err
			}
			want.add(&cost, &groups)
		}
		want.ns += c.predictor.overhead.once(want.weights)
		got := c.sum(a)
		for _, pair := range [][2]float64{{got.ns, want.ns}, {got.spread, want.spread}, {got.alone, want.alone}} {
			if math.Abs(pair[0]-pair[1]) > 1e-9*math.Abs(pair[1]) {
				return a, nil
			}
		}
	}
	return nil, nil
}

// sum adds up the tables.
func (c *Compiled) sum(a []int) (s networkSum) {
	var totals [maxStride]float64
	sums := totals[:c.stride]
	for k := range c.tables {
		t := &c.tables[k]
		at := 0
		for i, d := range t.decisions {
			at += a[d] * t.steps[i]
		}
		row := t.values[at*c.stride:][:len(sums)]
		for i, v := range row {
			sums[i] += v
		}
	}
	s = networkSum{
		ns: sums[valueNS], alone: sums[valueAlone], spread: sums[valueSpread], weights: sums[valueWeights],
		mj: sums[valueMJ], estimated: sums[valueEstimated], group: c.groups[largest(sums[fixedValues:])],
	}
	s.ns += c.predictor.overhead.once(s.weights)
	return s
}

// Predict returns what Predictor.PredictGraph does of the lowered architecture,
// without its parts. It allocates nothing.
func (c *Compiled) Predict(choices []int) (Prediction, error) {
	if err := c.validate(choices); err != nil {
		return Prediction{}, err
	}
	return c.predictor.finish(c.sum(choices)), nil
}

func (c *Compiled) validate(choices []int) error {
	if len(choices) != len(c.choices) {
		return fmt.Errorf("predictor: architecture %v has %d choices; the space has %d decisions", choices, len(choices), len(c.choices))
	}
	for i, v := range choices {
		if v < 0 || v >= c.choices[i] {
			return fmt.Errorf("predictor: architecture %v: choice %d of decision %d is not in [0, %d)", slices.Clone(choices), v, i, c.choices[i])
		}
	}
	return nil
}

// PredictAll predicts architectures on all processors, each into the element
// of into with its number.
func PredictAll[A ~[]int](c *Compiled, architectures []A, into []Prediction) error {
	if len(into) != len(architectures) {
		return fmt.Errorf("predictor: %d architectures, room for %d predictions", len(architectures), len(into))
	}
	workers := max(1, min(runtime.GOMAXPROCS(0), len(architectures)/64))
	errors := make([]error, workers)
	var work sync.WaitGroup
	for k := range workers {
		work.Go(func() {
			for i := k * len(architectures) / workers; i < (k+1)*len(architectures)/workers; i++ {
				if into[i], errors[k] = c.Predict(architectures[i]); errors[k] != nil {
					return
				}
			}
		})
	}
	work.Wait()
	for _, err := range errors {
		if err != nil {
			return err
		}
	}
	return nil
}

// Expect returns the expected latency in ns of an architecture whose decisions
// are drawn independently, each choice with the given probability, and sets
// gradient, of the same form, to its derivatives by them. As probabilities of a
// decision add up to 1, only differences of its derivatives mean something.
//
// The expectation is that of Predict's LatencyNS, exact but for what weights
// cost that outgrow the caches, which is taken at their expected size.
func (c *Compiled) Expect(probabilities, gradient [][]float64) (float64, error) {
	if len(gradient) != len(c.choices) || len(probabilities) != len(c.choices) {
		return 0, fmt.Errorf("predictor: probabilities of %d decisions, gradient of %d; the space has %d", len(probabilities), len(gradient), len(c.choices))
	}
	for d, list := range probabilities {
		var sum float64
		for _, v := range list {
			if !(v >= 0) {
				return 0, fmt.Errorf("predictor: decision %d: probability %g is not a number from 0 to 1", d, v)
			}
			sum += v
		}
		if len(list) != c.choices[d] || len(gradient[d]) != c.choices[d] || math.Abs(sum-1) > 1e-6 {
			return 0, fmt.Errorf("predictor: decision %d: %d probabilities that add up to %g; want %d that add up to 1", d, len(list), sum, c.choices[d])
		}
		clear(gradient[d])
	}
	// First the expected weights, which decide what a byte of them costs.
	var ns, weights float64
	for k := range c.tables {
		t := &c.tables[k]
		for entry := range t.entries(c.choices) {
			likely := 1.0
			for i, d := range t.decisions {
				likely *= probabilities[d][entry/t.steps[i]%c.choices[d]]
			}
			ns += likely * t.values[entry*c.stride+valueNS]
			weights += likely * t.values[entry*c.stride+valueWeights]
		}
	}
	slope := c.predictor.overhead.slope(weights)
	for k := range c.tables {
		t := &c.tables[k]
		for entry := range t.entries(c.choices) {
			value := t.values[entry*c.stride+valueNS] + slope*t.values[entry*c.stride+valueWeights]
			for i, d := range t.decisions {
				others := 1.0
				for j, e := range t.decisions {
					if j != i {
						others *= probabilities[e][entry/t.steps[j]%c.choices[e]]
					}
				}
				gradient[d][entry/t.steps[i]%c.choices[d]] += others * value
			}
		}
	}
	return ns + c.predictor.overhead.once(weights), nil
}
