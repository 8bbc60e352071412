package inference

import (
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// layouts says how the values of a graph lie in memory; those that it does not
// name are planar.
type layouts map[*graph.Value]kernels.Layout

// pixels is the layout of images of bytes that kernels work on: [N, H, W, C]
// with the channels of a pixel filled up as [kernels.Int8Channels] says.
const pixels kernels.Layout = kernels.Blocked + 1

// conversion is the kind of node that copies a value into another layout.
// Such nodes exist inside a plan only.
const conversion graph.Kind = "layout"

// image returns the dimensions of v as images, and whether it has them.
func image(v *graph.Value) (n, c, hw int, ok bool) {
	if len(v.Shape) != 4 {
		return 0, 0, 0, false
	}
	return v.Shape[0], v.Shape[1], v.Shape[2] * v.Shape[3], true
}

// elements is the number of elements that v takes in its layout.
func (l layouts) elements(v *graph.Value) int {
	if n, c, hw, ok := image(v); ok && l[v] == kernels.Blocked {
		return kernels.BlockedSize(n, c, hw)
	} else if ok && l[v] == pixels {
		return n * hw * kernels.Int8Channels(c)
	}
	return v.Elements()
}

// bytes is the memory that v takes in its layout.
func (l layouts) bytes(v *graph.Value) int { return l.elements(v) * int(v.DType.Size()) }

// arrange returns g with a layout for every value, and puts conversions where a
// value is wanted in another layout than it is made in. The layouts are those by
// which g takes the least time, its inputs and outputs being planar. With free,
// inputs and outputs of g have the layout that suits their nodes, and nodes those
// that they usually have: images between convolutions, and what goes with these,
// lie in blocks of channels.
func arrange(g *graph.Graph, o options) (*arrangement, error) {
	a := &arrangement{
		graph:     &graph.Graph{Name: g.Name, Inputs: g.Inputs, Metadata: g.Metadata},
		layouts:   make(layouts),
		decisions: make(map[*graph.Node]decision),
		converted: make(map[*graph.Value]*graph.Value),
		algorithm: o.algorithm,
	}
	layoutsOf := a.usual
	var c *costs
	if o.free {
		a.freeInputs(g)
	} else {
		var err error
		if c, err = newCosts(g, o.timings); err != nil {
			return nil, err
		}
		cheapest := c.cheapest(g)
		layoutsOf = func(n *graph.Node) nodeLayouts { return cheapest[n] }
	}
	for _, n := range g.Nodes {
		l := layoutsOf(n)
		m := a.append(n, l)
		if n.Kind != graph.Conv || n.Plain() {
			continue
		}
		if c != nil {
			decided, _ := c.convolution(n, l.first, l.out)
			a.decisions[m] = decided.decision
		} else if a.algorithm != "" {
			a.decisions[m] = decision{a.algorithm, "asked for"}
		}
	}
	for _, v := range g.Outputs {
		if !o.free {
			v = a.in(v, kernels.Planar)
		}
		a.graph.Outputs = append(a.graph.Outputs, v)
	}
	return a, nil
}

// arrangement is a graph under construction.
type arrangement struct {
	graph     *graph.Graph
	layouts   layouts
	decisions map[*graph.Node]decision      // of convolutions
	converted map[*graph.Value]*graph.Value // a value in the other layout
	algorithm string                        // of the convolutions of a part, if it is not for the rule to say
}

// freeInputs puts those inputs of g in blocks that all nodes want so.
func (a *arrangement) freeInputs(g *graph.Graph) {
	planar := make(map[*graph.Value]bool)
	for _, n := range g.Nodes {
		for i, v := range n.Inputs {
			if n.Plain() || !a.takesBlocks(n, i) {
				planar[v] = true
			}
		}
	}
	for _, v := range g.Inputs {
		if _, _, hw, ok := image(v); ok && hw > 1 && !planar[v] {
			a.layouts[v] = kernels.Blocked
		}
	}
}

// takesBlocks is the function of that name, for the algorithm that a part was
// asked to use.
func (a *arrangement) takesBlocks(n *graph.Node, i int) bool {
	if in, out, ok := a.asked(n); ok {
		return i == 0 && in == kernels.Blocked || i > 0 && out == kernels.Blocked
	}
	return takesBlocks(n, i)
}

// asked returns the layouts of the algorithm that a part was asked to use, where n
// is a convolution.
func (a *arrangement) asked(n *graph.Node) (in, out kernels.Layout, ok bool) {
	if a.algorithm == "" || n.Kind != graph.Conv || n.Plain() {
		return 0, 0, false
	}
	w, _ := n.Workload()
	for _, k := range kernels.ConvolutionAlgorithms(convolutionShape(w)) {
		if k.Name == a.algorithm {
			return k.In, k.Out, true
		}
	}
	return 0, 0, false
}

// fewChannels is the number of channels up to which a convolution reads a
// planar image as it is.
const fewChannels = 4

// takesBlocks reports whether n is best given its i-th input in blocks if all
// its inputs may be.
func takesBlocks(n *graph.Node, i int) bool {
	switch n.Kind {
	case graph.Conv:
		if i == 0 {
			return n.Inputs[0].Shape[1] > fewChannels && makesBlocks(n)
		}
		return makesBlocks(n)
	case graph.Relu, graph.Relu6, graph.HardSwish, graph.HardSigmoid, graph.Sigmoid, graph.MaxPool, graph.AveragePool, graph.GlobalAveragePool:
		return true
	case graph.Add, graph.Mul:
		return sameShape(n) || i == 0 && channelFactors(n)
	}
	return false
}

// makesBlocks reports whether a convolution computes its output in blocks.
func makesBlocks(n *graph.Node) bool {
	w, ok := n.Workload()
	return ok && shapeMakesBlocks(convolutionShape(w))
}

func shapeMakesBlocks(s kernels.Conv2D) bool {
	if s.OutH()*s.OutW() == 1 {
		return false
	}
	block := kernels.ChannelBlock()
	depthwise := s.Groups == s.C && s.Groups == s.K
	return s.Groups == 1 || depthwise || s.C/s.Groups%block == 0 && s.K/s.Groups%block == 0
}

func sameShape(n *graph.Node) bool {
	x, y := n.Inputs[0], n.Inputs[1]
	return len(x.Shape) == 4 && y.Role == graph.RoleNone && x.Elements() == y.Elements()
}

// channelFactors reports whether the second operand of n has one element for
// each channel of each image, planar.
func channelFactors(n *graph.Node) bool {
	x, y := n.Inputs[0].Shape, n.Inputs[1].Shape
	return len(x) == 4 && len(y) == 4 && y[0] == x[0] && y[1] == x[1] && y[2]*y[3] == 1
}

// usual returns the layouts that n usually has in a network, given those that its
// inputs have: convolutions are in blocks, and others go with their inputs.
func (a *arrangement) usual(n *graph.Node) nodeLayouts {
	const planar, blocked = kernels.Planar, kernels.Blocked
	if n.Plain() {
		return a.usualPlain(n)
	}
	if in, out, ok := a.asked(n); ok {
		return nodeLayouts{in, out, out}
	}
	given := a.layouts[n.Inputs[0]]
	switch n.Kind {
	case graph.Conv:
		if makesBlocks(n) {
			if !takesBlocks(n, 0) {
				return nodeLayouts{given, blocked, blocked} // read as it is
			}
			return nodeLayouts{blocked, blocked, blocked}
		}
	case graph.Relu, graph.Relu6, graph.HardSwish, graph.HardSigmoid, graph.Sigmoid, graph.MaxPool, graph.AveragePool:
		return nodeLayouts{given, planar, given}
	case graph.GlobalAveragePool:
		return nodeLayouts{given, planar, planar}
	case graph.Add, graph.Mul:
		switch {
		case sameShape(n) && (given == blocked || a.layouts[n.Inputs[1]] == blocked):
			return nodeLayouts{blocked, blocked, blocked}
		case channelFactors(n):
			return nodeLayouts{given, planar, given}
		}
	}
	return nodeLayouts{}
}

// onEachElement are operators that work on the elements in any order.
var onEachElement = map[graph.Kind]bool{
	"Relu": true, "Sigmoid": true, "Tanh": true, "HardSwish": true, "HardSigmoid": true, "LeakyRelu": true, "Gelu": true,
	"Swish": true, "Clip": true, "Abs": true, "Neg": true, "Exp": true, "Sqrt": true, "Erf": true,
}

// usualPlain is usual for a plain operator.
func (a *arrangement) usualPlain(n *graph.Node) nodeLayouts {
	switch {
	case n.Kind == "QLinearConv":
		if _, ok := qlinearConvOf(n); ok {
			return nodeLayouts{pixels, kernels.Planar, pixels}
		}
	case n.Kind == "ConvInteger":
		if _, ok := integerConvOf(n); ok {
			return nodeLayouts{pixels, kernels.Planar, pixels}
		}
	case takesBytePool(n):
		return nodeLayouts{pixels, kernels.Planar, pixels}
	case n.Kind == qlinearAdd:
		if len(n.Outputs[0].Shape) == 4 && (a.layouts[n.Inputs[0]] == pixels || a.layouts[n.Inputs[3]] == pixels) && bindQLinearAdd(n) != nil {
			return nodeLayouts{pixels, pixels, pixels}
		}
	case onEachElement[n.Kind] && isFloat(n.Inputs[0]) && a.layouts[n.Inputs[0]] == kernels.Blocked:
		return nodeLayouts{kernels.Blocked, kernels.Planar, kernels.Blocked}
	}
	return nodeLayouts{}
}

// append appends n in the given layouts, and before it the conversions of its
// inputs, and returns what it appended.
func (a *arrangement) append(n *graph.Node, l nodeLayouts) *graph.Node {
	m := *n
	m.Inputs = make([]*graph.Value, len(n.Inputs))
	for i, v := range n.Inputs {
		switch {
		case v == nil:
		case v.Role != graph.RoleNone && i > 0:
			m.Inputs[i] = v
		case i == 0:
			m.Inputs[i] = a.in(v, l.first)
		default:
			m.Inputs[i] = a.in(v, l.others)
		}
	}
	a.graph.Nodes = append(a.graph.Nodes, &m)
	if l.out != kernels.Planar {
		a.layouts[n.Outputs[0]] = l.out
	}
	return &m
}

// in returns v in the given layout.
func (a *arrangement) in(v *graph.Value, layout kernels.Layout) *graph.Value {
	if a.layouts[v] == layout {
		return v
	}
	if c, ok := a.converted[v]; ok {
		return c
	}
	names := map[kernels.Layout]string{kernels.Planar: "planar", kernels.Blocked: "blocked", pixels: "pixels"}
	c := &graph.Value{Name: v.Name + " as " + names[layout], DType: v.DType, Shape: v.Shape}
	a.converted[v] = c
	if layout != kernels.Planar {
		a.layouts[c] = layout
	}
	a.graph.Nodes = append(a.graph.Nodes, &graph.Node{Name: c.Name, Kind: conversion, Inputs: []*graph.Value{v}, Outputs: []*graph.Value{c}})
	return c
}

// bindConversion copies a value into the other layout.
func bindConversion(n *graph.Node, l layouts) *step {
	v, out := n.Inputs[0], n.Outputs[0]
	count, c, hw, _ := image(v)
	from := l[v]
	if isByte(v) {
		return bindPixels(n, from == pixels)
	}
	if from == pixels {
		return bindSumsToPlanes(n)
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.floats(out), m.floats(v)
		if from == kernels.Planar {
			return always(func(ws *kernels.Workspace) { kernels.ToBlocked(ws, count, c, hw, dst, src) })
		}
		return always(func(ws *kernels.Workspace) { kernels.FromBlocked(ws, count, c, hw, dst, src) })
	}}
}
