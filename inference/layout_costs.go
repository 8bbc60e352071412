package inference

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// costs tells what nodes take in the layouts that they may have, in ns. A node
// whose workload was measured takes that, others what a model says: of
// convolutions that of package kernels, else a time for each element. On a
// machine that was measured all that is modelled is multiplied by the median
// ratio of measured to modelled times.
type costs struct {
	measured map[*graph.Node]map[string]Timing
	scale    float64
}

func newCosts(g *graph.Graph, timings func(graph.Workload) []Timing) (*costs, error) {
	c := &costs{measured: make(map[*graph.Node]map[string]Timing), scale: 1}
	if timings == nil {
		return c, nil
	}
	var ratios []float64
	for _, n := range g.Nodes {
		w, ok := n.Workload()
		if !ok {
			continue
		}
		byName, err := checkTimings(w, timings(w))
		if err != nil {
			return nil, err
		}
		if len(byName) > 0 {
			c.measured[n] = byName
			if r := c.ratio(n); r > 0 {
				ratios = append(ratios, r)
			}
		}
	}
	if len(ratios) > 0 {
		slices.Sort(ratios)
		c.scale = ratios[len(ratios)/2]
	}
	return c, nil
}

// scaleOf is what modelled times of n are multiplied by.
func (c *costs) scaleOf(n *graph.Node) float64 {
	if r := c.ratio(n); r > 0 {
		return r
	}
	return c.scale
}

// ratio is that of the measured time of n, as a part, to the modelled one; 0
// where it is not known.
func (c *costs) ratio(n *graph.Node) float64 {
	t, ok := c.measured[n][""]
	if !ok {
		return 0
	}
	var modelled float64
	if n.Kind == graph.Conv {
		w, _ := n.Workload()
		in, out := partLayouts(w)
		rule, _ := kernels.ConvolutionAlgorithm(convolutionShape(w), in, out)
		for _, a := range kernels.ConvolutionAlgorithms(convolutionShape(w)) {
			if a.Name == rule {
				modelled = a.NS
			}
		}
	} else {
		modelled = perElement(n, kernels.Blocked)
	}
	if modelled == 0 {
		return 0
	}
	return t.NS / modelled
}

// perElement is the modelled time of a node that is no convolution.
func perElement(n *graph.Node, layout kernels.Layout) float64 {
	const (
		pass   = 0.15 // one element read and written
		window = 0.12 // an element of a window, in blocks
		planes = 2.5  // times as long in planes
	)
	elements := func(v *graph.Value) float64 {
		if n, channels, hw, ok := image(v); ok {
			return float64(layout.Size(n, channels, hw))
		}
		return float64(v.Elements())
	}
	switch n.Kind {
	case graph.MaxPool, graph.AveragePool:
		w, _ := n.Workload()
		ns := window * elements(n.Outputs[0]) * float64(w.R*w.S)
		if layout == kernels.Planar {
			ns *= planes
		}
		return ns
	case graph.GlobalAveragePool:
		return pass * elements(n.Inputs[0])
	}
	return pass * elements(n.Outputs[0])
}

// never is the time of what cannot be done.
var never = math.Inf(1)

// nodeCosts are the times of a node by the layouts of its first input and its
// output: 0 is planar, 1 the other layout, see [otherLayout].
type nodeCosts struct {
	ns [2][2]float64
	// asOutput says that the other inputs have the layout of the output; else
	// they are planar.
	asOutput bool
}

func planarOnly(ns float64) nodeCosts {
	return nodeCosts{ns: [2][2]float64{{ns, never}, {never, never}}}
}

func otherOnly() nodeCosts { return nodeCosts{ns: [2][2]float64{{never, never}, {never, 0}}} }

func (c *costs) both(n *graph.Node, asOutput bool) nodeCosts {
	scale := c.scaleOf(n)
	return nodeCosts{
		ns:       [2][2]float64{{scale * perElement(n, kernels.Planar), never}, {never, scale * perElement(n, kernels.Blocked)}},
		asOutput: asOutput,
	}
}

// of returns what n takes.
func (c *costs) of(n *graph.Node) nodeCosts {
	if n.Plain() {
		return c.ofPlain(n)
	}
	_, _, _, isImage := image(n.Inputs[0])
	switch n.Kind {
	case graph.Conv:
		t := nodeCosts{asOutput: true}
		for in := range 2 {
			for out := range 2 {
				t.ns[in][out] = never
				if out == 1 && !makesBlocks(n) || in > out {
					continue // from blocks to planes by no algorithm
				}
				if x, ok := c.convolution(n, kernels.Layout(in), kernels.Layout(out)); ok {
					t.ns[in][out] = x.ns
				}
			}
		}
		return t
	case graph.Relu, graph.Relu6, graph.HardSwish, graph.HardSigmoid, graph.Sigmoid, graph.MaxPool, graph.AveragePool:
		if isImage {
			return c.both(n, false)
		}
	case graph.GlobalAveragePool:
		if isImage {
			t := c.both(n, false).ns
			return nodeCosts{ns: [2][2]float64{{t[0][0], never}, {t[1][1], never}}}
		}
	case graph.Add, graph.Mul:
		if sameShape(n) {
			return c.both(n, true)
		} else if channelFactors(n) {
			return c.both(n, false)
		}
	}
	return planarOnly(0)
}

func (c *costs) ofPlain(n *graph.Node) nodeCosts {
	switch {
	case n.Kind == "QLinearConv":
		if _, ok := qlinearConvOf(n); ok {
			return otherOnly()
		}
	case n.Kind == "ConvInteger":
		if _, ok := integerConvOf(n); ok {
			return otherOnly()
		}
	case takesBytePool(n):
		return otherOnly()
	case n.Kind == qlinearAdd:
		if len(n.Outputs[0].Shape) == 4 && bindQLinearAdd(n) != nil {
			return c.both(n, true)
		}
	case onEachElement[n.Kind] && isFloat(n.Inputs[0]) && len(n.Inputs[0].Shape) == 4:
		return c.both(n, false)
	}
	return planarOnly(0)
}

// conversion is the time of copying v into its other layout.
func (c *costs) conversion(v *graph.Value) float64 {
	n, channels, hw, ok := image(v)
	if !ok {
		return never
	}
	return c.scale * kernels.ConversionTime(n, channels, hw)
}

// otherLayout is the layout beside the planar one that the first input of n, or
// its output, may have.
func otherLayout(n *graph.Node) kernels.Layout {
	if n.Plain() && !onEachElement[n.Kind] {
		return pixels
	}
	return kernels.Blocked
}

// nodeLayouts are the layouts of the first input of a node, of the others that
// are no parameters, and of the output.
type nodeLayouts struct{ first, others, out kernels.Layout }

// cheapest assigns the layouts by which g takes the least time: each node that of
// its own in them, and each value that is wanted in another layout than it is made
// in that of one conversion. Inputs and outputs of g are planar.
//
// As there are two layouts to a value, and no node is best where it turns blocks
// into planes, this is a minimum cut (Kolmogorov and Zabih, PAMI 26, 2004), and
// exact. Of several the one with the fewest planar values is taken.
func (c *costs) cheapest(g *graph.Graph) map[*graph.Node]nodeLayouts {
	const (
		unit = 16      // steps of a nanosecond
		most = 1 << 40 // of a cost, some 70 seconds
	)
	capacity := func(ns float64) int64 { return int64(math.Round(min(ns*unit, most))) }
	cut := newNetwork()
	made := make(map[*graph.Value]int) // vertices; others are planar, as the source is
	wanted := make(map[*graph.Value][]int)
	type vertices struct{ in, out int }
	of, times := make([]vertices, len(g.Nodes)), make([]nodeCosts, len(g.Nodes))
	for i, n := range g.Nodes {
		times[i] = c.of(n)
		t, at := &times[i], &of[i]
		at.in, at.out = t.vertices(cut)
		t.connect(cut, at.in, at.out, capacity)
		for k, v := range n.Inputs {
			switch {
			case v == nil || v.Role != graph.RoleNone && k > 0:
			case k == 0:
				wanted[v] = append(wanted[v], at.in)
			case t.asOutput:
				wanted[v] = append(wanted[v], at.out)
			default:
				wanted[v] = append(wanted[v], source)
			}
		}
		made[n.Outputs[0]] = at.out
	}
	for _, v := range g.Outputs {
		wanted[v] = append(wanted[v], source)
	}
	seen := make(map[*graph.Value]bool)
	share := func(v *graph.Value) {
		if v != nil && !seen[v] && len(wanted[v]) > 0 {
			seen[v] = true
			cut.share(made[v], wanted[v], capacity(c.conversion(v)), most)
		}
	}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			share(v)
		}
	}
	for _, v := range g.Outputs { // which may be there twice
		share(v)
	}
	planar := cut.minCut()
	result := make(map[*graph.Node]nodeLayouts, len(g.Nodes))
	for i, n := range g.Nodes {
		layout := func(vertex int) kernels.Layout {
			if planar[vertex] {
				return kernels.Planar
			}
			return otherLayout(n)
		}
		l := nodeLayouts{first: layout(of[i].in), out: layout(of[i].out)}
		if times[i].asOutput {
			l.others = l.out
		}
		result[n] = l
	}
	return result
}

// vertices returns those that stand for the layout of the first input and of the
// output: the source where it can only be planar, the sink where it cannot, and
// one where they are the same.
func (t *nodeCosts) vertices(cut *network) (in, out int) {
	can := func(a, b int) bool { return !math.IsInf(t.ns[a][b], 1) }
	vertex := func(planar, other bool) int {
		switch {
		case planar && other:
			return cut.vertex()
		case planar:
			return source
		}
		return sink
	}
	in = vertex(can(0, 0) || can(0, 1), can(1, 0) || can(1, 1))
	if can(0, 0) && can(1, 1) && !can(0, 1) && !can(1, 0) {
		return in, in
	}
	return in, vertex(can(0, 0) || can(1, 0), can(0, 1) || can(1, 1))
}

// connect adds the times of a node between its vertices.
func (t *nodeCosts) connect(cut *network, in, out int, capacity func(float64) int64) {
	a, b, c, d := capacity(t.ns[0][0]), capacity(t.ns[0][1]), capacity(t.ns[1][0]), capacity(t.ns[1][1])
	either := func(v int, planar, other int64) { // more for one than for the other
		cut.connect(source, v, other-planar)
		cut.connect(v, sink, planar-other)
	}
	switch {
	case in == out:
		if in != source && in != sink {
			either(in, a, d)
		}
	case in == source:
		either(out, a, b)
	case in == sink:
		either(out, c, d)
	case out == source:
		either(in, a, c)
	case out == sink:
		either(in, b, d)
	default:
		either(in, a, c)
		either(out, c, d)
		cut.connect(in, out, b+c-a-d)
	}
}

// share has a value converted once, at a cost, if one of those that want it is
// on the other side of the cut than what makes it.
func (n *network) share(made int, wanted []int, cost, never int64) {
	anyOther, anyPlanar := n.vertex(), n.vertex()
	for _, v := range wanted {
		n.connect(anyOther, v, never<<10)
		n.connect(v, anyPlanar, never<<10)
	}
	n.connect(made, anyOther, cost)
	n.connect(anyPlanar, made, cost)
}
