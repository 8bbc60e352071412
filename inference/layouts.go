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

// arrange returns g with a layout for every value: images between
// convolutions, and what goes with these, lie in blocks of channels. It puts
// conversions where a value is wanted in another layout than it is made in.
// With free, inputs and outputs of g have the layout that suits their nodes;
// else they are planar.
func arrange(g *graph.Graph, free bool) (*graph.Graph, layouts) {
	a := arrangement{
		graph:     &graph.Graph{Name: g.Name, Inputs: g.Inputs, Metadata: g.Metadata},
		layouts:   make(layouts),
		converted: make(map[*graph.Value]*graph.Value),
	}
	if free {
		a.freeInputs(g)
	}
	for _, n := range g.Nodes {
		a.add(n)
	}
	for _, v := range g.Outputs {
		if !free {
			v = a.in(v, kernels.Planar)
		}
		a.graph.Outputs = append(a.graph.Outputs, v)
	}
	return a.graph, a.layouts
}

// arrangement is a graph under construction.
type arrangement struct {
	graph     *graph.Graph
	layouts   layouts
	converted map[*graph.Value]*graph.Value // a value in the other layout
}

// freeInputs puts those inputs of g in blocks that all nodes want so.
func (a *arrangement) freeInputs(g *graph.Graph) {
	planar := make(map[*graph.Value]bool)
	for _, n := range g.Nodes {
		for i, v := range n.Inputs {
			if n.Plain() || !takesBlocks(n, i) {
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
	out := n.Outputs[0].Shape
	if out[2]*out[3] == 1 {
		return false
	}
	c, groups, block := n.Inputs[0].Shape[1], max(n.Attributes.Group, 1), kernels.ChannelBlock()
	depthwise := groups == c && groups == out[1]
	return groups == 1 || depthwise || c/groups%block == 0 && out[1]/groups%block == 0
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

// add appends n, and before it the conversions of its inputs.
func (a *arrangement) add(n *graph.Node) {
	// Layouts of the output, the first input and the others.
	layout, first, others := kernels.Planar, kernels.Planar, kernels.Planar
	if n.Plain() {
		a.addPlain(n)
		return
	}
	given := a.layouts[n.Inputs[0]]
	switch n.Kind {
	case graph.Conv:
		if makesBlocks(n) {
			layout, first, others = kernels.Blocked, kernels.Blocked, kernels.Blocked
			if !takesBlocks(n, 0) {
				first = given // read as it is
			}
		}
	case graph.Relu, graph.Relu6, graph.HardSwish, graph.HardSigmoid, graph.Sigmoid, graph.MaxPool, graph.AveragePool:
		layout, first = given, given
	case graph.GlobalAveragePool:
		first = given
	case graph.Add, graph.Mul:
		switch {
		case sameShape(n) && (given == kernels.Blocked || a.layouts[n.Inputs[1]] == kernels.Blocked):
			layout, first, others = kernels.Blocked, kernels.Blocked, kernels.Blocked
		case channelFactors(n):
			layout, first = given, given
		}
	}
	a.append(n, layout, first, others)
}

// onEachElement are operators that work on the elements in any order.
var onEachElement = map[graph.Kind]bool{
	"Relu": true, "Sigmoid": true, "Tanh": true, "HardSwish": true, "HardSigmoid": true, "LeakyRelu": true, "Gelu": true,
	"Swish": true, "Clip": true, "Abs": true, "Neg": true, "Exp": true, "Sqrt": true, "Erf": true,
}

// addPlain appends a plain operator.
func (a *arrangement) addPlain(n *graph.Node) {
	layout, others := kernels.Planar, kernels.Planar
	switch {
	case n.Kind == "QLinearConv":
		if _, ok := qlinearConvOf(n); ok {
			layout = pixels
		}
	case n.Kind == "ConvInteger":
		if _, ok := integerConvOf(n); ok {
			layout = pixels
		}
	case takesBytePool(n):
		layout = pixels
	case n.Kind == qlinearAdd:
		if len(n.Outputs[0].Shape) == 4 && (a.layouts[n.Inputs[0]] == pixels || a.layouts[n.Inputs[3]] == pixels) && bindQLinearAdd(n) != nil {
			layout, others = pixels, pixels
		}
	case onEachElement[n.Kind] && isFloat(n.Inputs[0]) && a.layouts[n.Inputs[0]] == kernels.Blocked:
		layout = kernels.Blocked
	}
	a.append(n, layout, layout, others)
}

// append appends n with its inputs and output in the given layouts.
func (a *arrangement) append(n *graph.Node, layout, first, others kernels.Layout) {
	m := *n
	m.Inputs = make([]*graph.Value, len(n.Inputs))
	for i, v := range n.Inputs {
		switch {
		case v == nil:
		case v.Role != graph.RoleNone && i > 0:
			m.Inputs[i] = v
		case i == 0:
			m.Inputs[i] = a.in(v, first)
		default:
			m.Inputs[i] = a.in(v, others)
		}
	}
	a.graph.Nodes = append(a.graph.Nodes, &m)
	if layout != kernels.Planar {
		a.layouts[n.Outputs[0]] = layout
	}
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
