package inference

import (
	"math"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// convolutions is a graph whose convolutions have several algorithms each.
func convolutions(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder("three")
	x := b.Activation(graph.OpRelu, b.Conv("first", b.Input("x", 1, 32, 28, 28), 64, 3, 3, 1, 1, 1, true))
	x = b.Conv("second", x, 48, 3, 3, 1, 1, 1, true)
	g, err := b.Build(b.Conv("third", x, 32, 1, 1, 1, 0, 1, true))
	if err != nil {
		t.Fatal(err)
	}
	fill(g, 1)
	return g
}

// A table in which another algorithm is clearly faster makes the plan use it; one
// in which it may not be, does not. Results stay what they were.
func TestByTimings(t *testing.T) {
	g := convolutions(t)
	w := convolutionsOf(t, g)
	first, second, third := w[0], w[1], w[2]
	// Before the third convolution more channels change their layout than after it.
	conversions := kernels.ConversionTime(1, third.C, third.H*third.W) - kernels.ConversionTime(1, third.K, third.H*third.W)
	estimate := 0.0
	for _, a := range kernels.ConvolutionAlgorithms(convolutionShape(third)) {
		if a.Name == ruleOf(third) {
			estimate = a.NS
		}
	}
	for _, c := range []struct {
		name    string
		timings map[graph.Workload][]Timing
		want    map[graph.Workload]string // "" is the rule's
		why     string
	}{
		{"nothing measured", nil, map[graph.Workload]string{first: "", second: ""}, ""},
		{"all as the rule says", map[graph.Workload][]Timing{
			first: {{"", 1000, 10}, {"direct", 2000, 10}}, second: {{"", 1000, 10}, {"direct", 1500, 10}},
		}, map[graph.Workload]string{first: "", second: ""}, "no other is clearly faster"},
		{"one faster", map[graph.Workload][]Timing{
			first: {{"", 1000, 10}, {"direct", 2000, 10}}, second: {{"", 1000, 10}, {"direct", 800, 10}},
		}, map[graph.Workload]string{first: "", second: "direct"}, "0.80 of the time of"},
		{"within the intervals", map[graph.Workload][]Timing{
			second: {{"", 1000, 150}, {"direct", 800, 100}},
		}, map[graph.Workload]string{second: ""}, "no other is clearly faster"},
		{"in planes by so much that conversions pay", map[graph.Workload][]Timing{
			third: {{"", 1e6, 10}, {"unfolded GEMM", 1000, 10}},
		}, map[graph.Workload]string{first: "", second: "", third: "unfolded GEMM"}, "no other is clearly faster"},
		{"in planes, but by less than conversions take", map[graph.Workload][]Timing{
			third: {{"", estimate, 0.1}, {"unfolded GEMM", estimate - conversions/2, 0.1}},
		}, map[graph.Workload]string{first: "", second: "", third: ""}, "of the time, but"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Compile(g, ByTimings(func(w graph.Workload) []Timing { return c.timings[w] }))
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, s := range p.Steps() {
				want, ok := c.want[s.Workload]
				if !ok {
					continue
				}
				if want == "" {
					want = ruleOf(s.Workload)
				}
				if s.Algorithm != want {
					t.Errorf("%s by %q (%s), want %q", s.Workload, s.Algorithm, s.Why, want)
				}
				found = found || strings.Contains(s.Why, c.why)
			}
			if !found {
				t.Errorf("none of %+v says %q", p.Steps(), c.why)
			}
			sameResults(t, g, p)
		})
	}
}

// Every algorithm of a part computes what the rule's does, and says its name.
func TestAlternatives(t *testing.T) {
	g := convolutions(t)
	w := convolutionsOf(t, g)[0]
	names := Alternatives(w)
	if len(names) == 0 {
		t.Fatalf("alternatives of %s are %q", w, names)
	}
	for _, name := range names {
		one, err := graph.FromWorkload(w, 1)
		if err != nil {
			t.Fatal(err)
		}
		p, err := CompilePart(one, By(name))
		if err != nil {
			t.Fatal(err)
		}
		if s := p.Steps(); s[0].Algorithm != name {
			t.Errorf("asked for %s, got %+v", name, s[0])
		}
	}
	one, err := graph.FromWorkload(w, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CompilePart(one, By("abacus")); err == nil || !strings.Contains(err.Error(), `"abacus" is no algorithm`) {
		t.Errorf("an unknown algorithm: %v", err)
	}
	linear := graph.Workload{Op: graph.OpLinear, DType: graph.F32, N: 1, C: 8, K: 8}
	if names := Alternatives(linear); names != nil {
		t.Errorf("alternatives of %s are %q", linear, names)
	}
}

func TestByTimingsRefuses(t *testing.T) {
	g := convolutions(t)
	for want, timing := range map[string]Timing{
		`measured by "winograd F(8x8,3x3)", which is no algorithm of this version`: {"winograd F(8x8,3x3)", 1000, 10},
		`measured by "linear", which is no algorithm`:                              {"linear", 1000, 10},
		"measured to take -1 ± 0 ns":                                               {"", -1, 0},
		"measured to take NaN ± 0 ns":                                              {"", math.NaN(), 0},
	} {
		_, err := Compile(g, ByTimings(func(w graph.Workload) []Timing {
			if w.Op != graph.OpConv2D {
				return nil
			}
			return []Timing{timing}
		}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// convolutionsOf returns the workloads of the convolutions of g.
func convolutionsOf(t *testing.T, g *graph.Graph) (list []graph.Workload) {
	t.Helper()
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range p.Workloads() {
		if w.Op == graph.OpConv2D {
			list = append(list, w)
		}
	}
	return list
}

func ruleOf(w graph.Workload) string {
	in, out := partLayouts(w)
	name, _ := kernels.ConvolutionAlgorithm(convolutionShape(w), in, out)
	return name
}

// sameResults compares a plan of g with that without options.
func sameResults(t *testing.T, g *graph.Graph, got *Plan) {
	t.Helper()
	want, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Plan{want, got} {
		if err := p.FillInputs(3); err != nil {
			t.Fatal(err)
		}
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
	}
	for i, o := range want.Outputs() {
		x, y := o.Data.([]float32), got.Outputs()[i].Data.([]float32)
		for k := range x {
			if math.Abs(float64(x[k]-y[k])) > 1e-4*(1+math.Abs(float64(x[k]))) {
				t.Fatalf("output %d, element %d is %g, want %g", i, k, y[k], x[k])
			}
		}
	}
}
