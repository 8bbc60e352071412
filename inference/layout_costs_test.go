package inference

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// total is what g, whose nodes take times, takes in the given layouts.
func (c *costs) total(g *graph.Graph, times map[*graph.Node]nodeCosts, of map[*graph.Node]nodeLayouts) float64 {
	sum := 0.0
	made, converted := make(map[*graph.Value]kernels.Layout), make(map[*graph.Value]bool)
	want := func(v *graph.Value, l kernels.Layout) {
		if made[v] != l && !converted[v] {
			converted[v] = true
			sum += c.conversion(v)
		}
	}
	for _, n := range g.Nodes {
		l, t := of[n], times[n]
		a, b := min(int(l.first), 1), min(int(l.out), 1)
		sum += t.ns[a][b]
		for i, v := range n.Inputs {
			switch {
			case v == nil || v.Role != graph.RoleNone && i > 0:
			case i == 0:
				want(v, l.first)
			default:
				want(v, l.others)
			}
		}
		made[n.Outputs[0]] = l.out
	}
	for _, v := range g.Outputs {
		want(v, kernels.Planar)
	}
	return sum
}

// usualLayouts are those of the rule.
func usualLayouts(g *graph.Graph) map[*graph.Node]nodeLayouts {
	a := &arrangement{graph: &graph.Graph{}, layouts: make(layouts), converted: make(map[*graph.Value]*graph.Value)}
	of := make(map[*graph.Node]nodeLayouts)
	for _, n := range g.Nodes {
		of[n] = a.usual(n)
		a.append(n, of[n])
	}
	return of
}

// randomNetwork draws a network of convolutions, and of operators between them
// that have either layout or only one.
func randomNetwork(r *rand.Rand, nodes int) (*graph.Graph, error) {
	b := graph.NewBuilder("random")
	channels := []int{3, 8, 24, 64}
	values := []*graph.Value{b.Input("x", 1, channels[r.IntN(4)], 12, 12)}
	for i := range nodes {
		x := values[len(values)-1-r.IntN(min(len(values), 3))]
		name := fmt.Sprint("n", i)
		switch r.IntN(9) {
		case 0, 1:
			x = b.Conv(name, x, channels[1+r.IntN(3)], 3, 3, 1, 1, 1, true)
		case 2:
			x = b.Conv(name, x, channels[1+r.IntN(3)], 1, 1, 1, 0, 1, true)
		case 3:
			x = b.Conv(name, x, x.Shape[1], 3, 3, 1, 1, x.Shape[1], true)
		case 4:
			x = b.Activation(graph.OpHardSwish, x)
		case 5:
			x = b.MaxPool(x, 3, 1, 1)
		case 6: // in planes only
			x = b.BatchNorm(name, x)
		default:
			y := values[r.IntN(len(values))]
			if y.Shape[1] != x.Shape[1] || y == x {
				y = b.GlobalAveragePool(x)
				x = b.Mul(x, y)
			} else {
				x = b.Add(x, y)
			}
		}
		values = append(values, x)
	}
	return b.Build(values[len(values)-1], values[len(values)/2])
}

// The assignment is never more costly than the rule's, with times of the model
// and with measured ones, and as cheap as the cheapest of all on small networks.
func TestCheapestLayouts(t *testing.T) {
	cheaper := 0
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		nodes := rapid.IntRange(1, 7).Draw(t, "nodes")
		g, err := randomNetwork(r, nodes)
		if err != nil {
			t.Fatal(err)
		}
		var timings func(graph.Workload) []Timing
		if rapid.Bool().Draw(t, "measured") {
			timings = func(w graph.Workload) []Timing {
				list := []Timing{{"", 100 * math.Exp(5*r.Float64()), 1}}
				for _, name := range Alternatives(w) {
					list = append(list, Timing{name, 100 * math.Exp(5*r.Float64()), 1})
				}
				return list
			}
		}
		c, err := newCosts(g, timings)
		if err != nil {
			t.Fatal(err)
		}
		best := c.cheapest(g)
		times := make(map[*graph.Node]nodeCosts)
		for _, n := range g.Nodes {
			times[n] = c.of(n)
		}
		got, rule := c.total(g, times, best), c.total(g, times, usualLayouts(g))
		tolerance := float64(len(g.Nodes)) / 4 // times are rounded
		if !(got <= rule+tolerance) {
			t.Fatalf("%v ns, the rule's layouts %v ns: %v", got, rule, best)
		}
		if got < rule-tolerance {
			cheaper++
		}
		// All that there are: a bit for the first input, one for the output.
		least := math.Inf(1)
		k := len(g.Nodes)
		if k > 6 {
			return
		}
		of := make(map[*graph.Node]nodeLayouts, k)
		for choice := range 1 << (2 * k) {
			for i, n := range g.Nodes {
				l := nodeLayouts{first: kernels.Layout(choice >> (2 * i) & 1), out: kernels.Layout(choice >> (2*i + 1) & 1)}
				if times[n].asOutput {
					l.others = l.out
				}
				of[n] = l
			}
			least = min(least, c.total(g, times, of))
		}
		if math.Abs(got-least) > tolerance {
			t.Fatalf("%v ns, the least is %v ns: %v", got, least, best)
		}
	})
	if cheaper == 0 {
		t.Error("the rule's layouts were never beaten: the test has no power")
	}
}

// A minimum cut is as small as the smallest over all sets of vertices.
func TestMinCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		n := newNetwork()
		const vertices = 8
		for range vertices - 2 {
			n.vertex()
		}
		var arcs [][3]int
		for range rapid.IntRange(0, 40).Draw(t, "arcs") {
			a := [3]int{r.IntN(vertices), r.IntN(vertices), r.IntN(20)}
			arcs = append(arcs, a)
			n.connect(a[0], a[1], int64(a[2]))
		}
		size := func(side uint) (sum int) {
			for _, a := range arcs {
				if side>>a[0]&1 == 1 && side>>a[1]&1 == 0 {
					sum += a[2]
				}
			}
			return sum
		}
		var got uint
		for v, in := range n.minCut() {
			if in {
				got |= 1 << v
			}
		}
		if got&3 != 1<<source {
			t.Fatalf("a cut of %b", got)
		}
		for side := range uint(1 << vertices) {
			if side&3 != 1<<source {
				continue
			}
			if s := size(side); s < size(got) || s == size(got) && bits.OnesCount(side) < bits.OnesCount(got) {
				t.Fatalf("%b cuts %d, %b only %d", got, size(got), side, s)
			}
		}
	})
}

// What is planar on both sides of a convolution is not put into blocks for it.
func TestPatchesStayPlanar(t *testing.T) {
	b := graph.NewBuilder("patches")
	x := b.Conv("patches", b.Input("x", 1, 3, 224, 224), 192, 16, 16, 16, 0, 1, true)
	g, err := b.Build(b.Apply(graph.Flatten, "flat", graph.Attributes{Axis: 1}, x))
	if err != nil {
		t.Fatal(err)
	}
	fill(g, 1)
	a, err := arrange(g, options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.layouts) > 0 || len(a.graph.Nodes) != len(g.Nodes) {
		t.Errorf("%d values are not planar, %d nodes of %d", len(a.layouts), len(a.graph.Nodes), len(g.Nodes))
	}
	check(t, g)
}
