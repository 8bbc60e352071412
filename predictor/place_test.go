package predictor

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// TestPlaces has a convolution that takes longer behind one operator than behind
// another, in networks of about the same rest.
func TestPlaces(t *testing.T) {
	work := conv(16, 16, 8, 3, 1, 1, "none")
	behind := map[graph.Workload]float64{
		conv(8, 16, 8, 1, 1, 1, "relu"):                               100e3,
		{Op: graph.OpRelu, DType: graph.F32, N: 1, C: 16, H: 8, W: 8}: 250e3,
	}
	table := &lut.Table{}
	for i := range 12 {
		for first, ns := range behind {
			rest := conv(16, 16+8*(i%3), 8, 1, 1, 1, "none")
			n := lut.Network{Name: "net", Use: "fit", LatencyMedianNS: 40e3 + ns + 30e3, Samples: 20}
			n.Workloads = []string{first.String(), work.String(), rest.String()}
			n.Shares = []float64{40e3 / n.LatencyMedianNS, ns / n.LatencyMedianNS, 30e3 / n.LatencyMedianNS}
			table.Networks = append(table.Networks, n)
		}
	}
	p := mustFit(t, table)
	for first, ns := range behind {
		prediction, err := p.Predict([]graph.Workload{first, work, conv(16, 16, 8, 1, 1, 1, "none")})
		if err != nil {
			t.Fatal(err)
		}
		if want := 70e3 + ns; math.Abs(prediction.LatencyNS/want-1) > 0.05 {
			t.Errorf("behind %s: %g ns, want %g", first, prediction.LatencyNS, want)
		}
		if got := prediction.Parts[1].LatencyNS; math.Abs(got/ns-1) > 0.08 {
			t.Errorf("behind %s the convolution takes %g ns, want %g", first, got, ns)
		}
	}
}

// TestCompiledPlaces wants tables of a space, and workloads prepared once, to know
// of places what predictions of graphs do.
func TestCompiledPlaces(t *testing.T) {
	p, plain := compiledBlocks(t)
	rng := rand.New(rand.NewPCG(1, 1))
	draw := func() []int {
		a := make([]int, len(blockSpace))
		for i, n := range blockSpace {
			a[i] = rng.IntN(n)
		}
		return a
	}
	lowered := func(a []int) []graph.Workload {
		g, err := lowerBlocks(a)
		if err != nil {
			t.Fatal(err)
		}
		workloads, err := p.Workloads(g)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range workloads { // so that it is known
			if _, err := p.cost(w); err != nil {
				t.Fatal(err)
			}
		}
		return workloads
	}
	for range 40 {
		withPlaces(p, lowered(draw()))
	}
	c, err := p.Compile(blockSpace, lowerBlocks)
	if err != nil {
		t.Fatal(err)
	}
	differs := 0
	for range 200 {
		a := draw()
		workloads := lowered(a)
		want, err := p.Predict(workloads)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Predict(a)
		if err != nil {
			t.Fatal(err)
		}
		prepared := make([]*Prepared, len(workloads))
		for i, w := range workloads {
			if prepared[i], err = p.Prepare(w); err != nil {
				t.Fatal(err)
			}
		}
		once, err := p.PredictPrepared(prepared)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []Prediction{got, once} {
			if math.Abs(other.LatencyNS/want.LatencyNS-1) > 1e-9 || math.Abs(other.HighNS/want.HighNS-1) > 1e-9 {
				t.Fatalf("architecture %v: %g to %g ns, as a graph %g to %g", a, other.LatencyNS, other.HighNS, want.LatencyNS, want.HighNS)
			}
		}
		before, err := plain.Predict(a)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(before.LatencyNS/want.LatencyNS-1) > 0.01 {
			differs++
		}
	}
	if differs < 100 {
		t.Errorf("places matter to %d of 200 architectures: the test tells little", differs)
	}
}
