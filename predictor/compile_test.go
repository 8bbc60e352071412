package predictor

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/graph"
)

// blockSpace is a space whose decisions act on each other in the ways of real
// ones: a resolution on all, widths on their neighbours, a depth that hides
// blocks, a stage that may be left out, and kernels that nobody else sees.
var blockSpace = []int{3, 3, 2, 3, 2, 3, 2, 3, 2}

func lowerBlocks(a []int) (*graph.Graph, error) {
	b := graph.NewBuilder("blocks")
	size := []int{16, 20, 24}[a[0]]
	x := b.Conv("stem", b.Input("image", 1, 3, size, size), 8, 3, 3, 2, 1, 1, false)
	stage := func(name string, width, depth int, kernels []int) {
		for i := range depth {
			x = b.Conv(fmt.Sprintf("%s.%d.expand", name, i), x, 3*width, 1, 1, 1, 0, 1, true)
			x = b.Activation(graph.OpRelu, x)
			k := []int{3, 5, 7}[kernels[i]]
			x = b.Conv(fmt.Sprintf("%s.%d.depthwise", name, i), x, 3*width, k, k, 1, k/2, 3*width, true)
			x = b.Conv(fmt.Sprintf("%s.%d.project", name, i), x, width, 1, 1, 1, 0, 1, true)
		}
	}
	stage("one", 8+4*a[1], 1+a[2], []int{a[3], a[3] % 2})
	stage("two", 12+4*a[5], a[4]*2, []int{a[7], 2 - a[7]}) // 0 or 2 blocks
	if a[6] == 1 {
		x = b.Activation(graph.OpHardSwish, x)
	}
	return b.Build(b.Linear("classifier", b.Flatten(b.GlobalAveragePool(x)), 10+a[8]))
}

func compiledBlocks(t testing.TB) (*Predictor, *Compiled) {
	t.Helper()
	m := newMachine(3)
	table := m.table(120, 12, 30)
	for i := range table.Rows {
		if i%3 > 0 {
			mj := 1e-6 * table.Rows[i].LatencyMedianNS * (1 + 0.1*float64(i%7))
			table.Rows[i].EnergyMJ, table.Rows[i].EnergySource = &mj, "meter"
		}
	}
	p := mustFit(t, table)
	// Weights that cost beyond some size, whatever the networks said.
	p.overhead.knots, p.overhead.spill = []float64{4000, 9000}, []float64{0.3, 0.1}
	c, err := p.Compile(blockSpace, lowerBlocks)
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

func drawChoices(t *rapid.T, choices []int) []int {
	a := make([]int, len(choices))
	for i, n := range choices {
		a[i] = rapid.IntRange(0, n-1).Draw(t, fmt.Sprint(i))
	}
	return a
}

func TestCompiledIsThePredictor(t *testing.T) {
	p, c := compiledBlocks(t)
	rapid.Check(t, func(t *rapid.T) {
		a := drawChoices(t, blockSpace)
		g, err := lowerBlocks(a)
		if err != nil {
			t.Fatal(err)
		}
		want, err := p.PredictGraph(g)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Predict(a)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range [][2]float64{
			{got.LatencyNS, want.LatencyNS}, {got.LowNS, want.LowNS}, {got.HighNS, want.HighNS}, {got.Spread, want.Spread},
			{got.EnergyMJ, want.EnergyMJ}, {got.EnergyLow, want.EnergyLow}, {got.EnergyHigh, want.EnergyHigh}, {got.Coverage, want.Coverage},
		} {
			if math.Abs(v[0]/v[1]-1) > 1e-9 {
				t.Fatalf("%v: compiled %+v, predicted %+v", a, got, want)
			}
		}
		if math.Abs(got.OverheadNS-want.OverheadNS) > 1e-9*want.LatencyNS || got.Interval != want.Interval || got.EnergySource != want.EnergySource {
			t.Fatalf("%v: compiled %+v, predicted %+v", a, got, want)
		}
		if got.LatencyNS <= 0 || got.EnergyMJ <= 0 {
			t.Fatalf("%v costs %g ns, %g mJ", a, got.LatencyNS, got.EnergyMJ)
		}
	})
	for _, tables := range c.tables {
		if len(tables.decisions) > 6 {
			t.Errorf("decisions %v share a table", tables.decisions)
		}
	}
}

func TestCliques(t *testing.T) {
	marked := make([][]bool, 6)
	for i := range marked {
		marked[i] = make([]bool, 6)
	}
	for _, edge := range [][2]int{{0, 1}, {0, 2}, {1, 2}, {2, 3}, {3, 4}} {
		marked[edge[0]][edge[1]], marked[edge[1]][edge[0]] = true, true
	}
	if got := fmt.Sprint(cliques(marked)); got != "[[0 1 2] [2 3] [3 4] [5]]" {
		t.Errorf("cliques %s", got)
	}
}

func TestPredictAll(t *testing.T) {
	_, c := compiledBlocks(t)
	rng := rand.New(rand.NewPCG(1, 1))
	architectures := make([][]int, 1000)
	for i := range architectures {
		for _, n := range blockSpace {
			architectures[i] = append(architectures[i], rng.IntN(n))
		}
	}
	into := make([]Prediction, len(architectures))
	if err := PredictAll(c, architectures, into); err != nil {
		t.Fatal(err)
	}
	for i, a := range architectures {
		want, err := c.Predict(a)
		if err != nil {
			t.Fatal(err)
		}
		if into[i].LatencyNS != want.LatencyNS || into[i].HighNS != want.HighNS {
			t.Fatalf("%v: %+v, alone %+v", a, into[i], want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = c.Predict(architectures[0]) }); n > 0 {
		t.Errorf("%g allocations a prediction", n)
	}
	architectures[500] = []int{1, 2}
	if err := PredictAll(c, architectures, into); err == nil {
		t.Error("a short architecture: no error")
	}
	if err := PredictAll(c, architectures, into[1:]); err == nil {
		t.Error("no room: no error")
	}
	if _, err := c.Predict([]int{0, 0, 0, 0, 0, 0, 0, 3, 0}); err == nil || !strings.Contains(err.Error(), "choice 3 of decision 7 is not in [0, 3)") {
		t.Errorf("choice out of range: error %v", err)
	}
}

func TestCompileErrors(t *testing.T) {
	p, _ := compiledBlocks(t)
	if _, err := p.Compile(nil, lowerBlocks); err == nil {
		t.Error("no decisions: no error")
	}
	if _, err := p.Compile([]int{2, 0}, lowerBlocks); err == nil {
		t.Error("a decision without choices: no error")
	}
	if _, err := p.Compile([]int{2}, func([]int) (*graph.Graph, error) { return nil, fmt.Errorf("broken") }); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("error %v, want that of lowering", err)
	}
	tangled := func(a []int) (*graph.Graph, error) {
		sum := 1
		for i, v := range a {
			sum += v << i
		}
		b := graph.NewBuilder("tangled")
		return b.Build(b.Linear("all", b.Input("x", 1, sum), 10))
	}
	if _, err := p.Compile([]int{2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}, tangled); err == nil || !strings.Contains(err.Error(), "act on each other") {
		t.Errorf("a space that is one large clique: error %v", err)
	}
}

// TestExpect compares the expectation with that over all architectures, and the
// gradient with finite differences.
func TestExpect(t *testing.T) {
	p, c := compiledBlocks(t)
	p.overhead.spill = nil // what weights cost is no sum over decisions
	p.overhead.knots = nil
	rng := rand.New(rand.NewPCG(2, 2))
	probabilities, gradient := drawProbabilities(rng, blockSpace)
	got, err := c.Expect(probabilities, gradient)
	if err != nil {
		t.Fatal(err)
	}
	var want float64
	a := make([]int, len(blockSpace))
	for done := false; !done; {
		likely := 1.0
		for i, v := range a {
			likely *= probabilities[i][v]
		}
		prediction, err := c.Predict(a)
		if err != nil {
			t.Fatal(err)
		}
		want += likely * prediction.LatencyNS
		done = true
		for i := range a {
			if a[i]++; a[i] < blockSpace[i] {
				done = false
				break
			}
			a[i] = 0
		}
	}
	if math.Abs(got/want-1) > 1e-9 {
		t.Errorf("expected latency %g ns, over all architectures %g", got, want)
	}
}

func drawProbabilities(rng *rand.Rand, choices []int) (probabilities, gradient [][]float64) {
	for _, n := range choices {
		list, sum := make([]float64, n), 0.0
		for i := range list {
			list[i] = 0.1 + rng.Float64()
			sum += list[i]
		}
		for i := range list {
			list[i] /= sum
		}
		probabilities, gradient = append(probabilities, list), append(gradient, make([]float64, n))
	}
	return probabilities, gradient
}

func TestGradient(t *testing.T) {
	p, c := compiledBlocks(t)
	p.overhead.knots, p.overhead.spill = []float64{500}, []float64{0.3} // less than any network has
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		probabilities, gradient := drawProbabilities(rng, blockSpace)
		if _, err := c.Expect(probabilities, gradient); err != nil {
			t.Fatal(err)
		}
		d := rapid.IntRange(0, len(blockSpace)-1).Draw(t, "decision")
		from, to := rng.IntN(blockSpace[d]), rng.IntN(blockSpace[d])
		slope := gradient[d][to] - gradient[d][from]
		_, scratch := drawProbabilities(rng, blockSpace)
		const step = 1e-4
		at := func(by float64) float64 {
			probabilities[d][to] += by
			probabilities[d][from] -= by
			ns, err := c.Expect(probabilities, scratch)
			if err != nil {
				t.Fatal(err)
			}
			probabilities[d][to] -= by
			probabilities[d][from] += by
			return ns
		}
		if got := (at(step) - at(-step)) / (2 * step); math.Abs(got-slope) > 1e-5*(1e3+math.Abs(slope)) {
			t.Fatalf("decision %d from %d to %d: finite difference %g, gradient %g", d, from, to, got, slope)
		}
	})
	_, gradient := drawProbabilities(rand.New(rand.NewPCG(1, 1)), blockSpace)
	if _, err := c.Expect(gradient, gradient); err == nil {
		t.Error("probabilities that do not add up: no error")
	}
	if _, err := c.Expect(nil, gradient); err == nil {
		t.Error("no probabilities: no error")
	}
}

func BenchmarkCompiled(b *testing.B) {
	_, c := compiledBlocks(b)
	a := make([]int, len(blockSpace))
	for b.Loop() {
		if _, err := c.Predict(a); err != nil {
			b.Fatal(err)
		}
	}
}
