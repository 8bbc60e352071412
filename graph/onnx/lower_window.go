package onnx

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// flat gives an operator on [N C L] a height of 1 before its length, calls add
// with the input of rank 4, and takes the height away again.
func (l *lowering) flat(n *graph.Node, kind graph.Kind, a graph.Attributes, inputs ...*graph.Value) bool {
	x := inputs[0].Shape
	inputs[0] = l.inner(n, "plane", graph.Reshape, graph.Attributes{Shape: []int{x[0], x[1], 1, x[2]}}, inputs[0])
	y := l.inner(n, "row", kind, a, inputs...)
	return l.last(n, graph.Reshape, graph.Attributes{Shape: n.Outputs[0].Shape}, y)
}

func (l *lowering) conv(n *graph.Node) bool {
	x, w, b := n.Inputs[0], n.Inputs[1], input(n, 2)
	rank := len(x.Shape)
	if rank != 3 && rank != 4 || !constant(w) || len(w.Shape) != rank || b != nil && !constant(b) {
		return false
	}
	shape := planar(w.Shape)
	a, ok := windowAttributesOf(n, [2]int(shape[2:]))
	group, err := n.Attributes.Named.Int("group", 1)
	if !ok || err != nil {
		return false
	}
	a.Group, a.Kernel = group, [2]int{}
	inputs := []*graph.Value{x, l.parameter(w, graph.RoleWeight, shape)}
	if b != nil {
		inputs = append(inputs, l.parameter(b, graph.RoleBias, b.Shape))
	}
	if rank == 3 {
		return l.flat(n, graph.Conv, a, inputs...)
	}
	return l.last(n, graph.Conv, a, inputs...)
}

// planar is a shape [N C L] or [N C H W] with a height.
func planar(shape []int) []int {
	if len(shape) == 3 {
		return []int{shape[0], shape[1], 1, shape[2]}
	}
	return slices.Clone(shape)
}

func (l *lowering) pool(kind graph.Kind, n *graph.Node) bool {
	x := n.Inputs[0]
	if len(x.Shape) != 3 && len(x.Shape) != 4 {
		return false
	}
	named := n.Attributes.Named
	kernel, ok := spatial(named, "kernel_shape", len(x.Shape)-2, 1)
	if !ok {
		return false
	}
	a, ok := windowAttributesOf(n, kernel)
	includePad, err := named.Int("count_include_pad", 0)
	up, err2 := named.Int("ceil_mode", 0)
	if !ok || err != nil || err2 != nil || a.Dilation != [2]int{1, 1} || includePad != 0 && a.Pad != [4]int{} {
		return false
	}
	a.Dilation = [2]int{}
	plane := planar(x.Shape)
	if up != 0 {
		roundUp(&a, plane)
	}
	if max(a.Pad[0], a.Pad[2]) >= a.Kernel[0] || max(a.Pad[1], a.Pad[3]) >= a.Kernel[1] {
		return false
	}
	// The sizes must be those of the operator, whatever rounding it has.
	for i := range 2 {
		span := plane[2+i] + a.Pad[i] + a.Pad[2+i] - a.Kernel[i]
		if span < 0 || span/a.Stride[i]+1 != planar(n.Outputs[0].Shape)[2+i] {
			return false
		}
	}
	if len(x.Shape) == 3 {
		return l.flat(n, kind, a, x)
	}
	return l.last(n, kind, a, x)
}

// spatial is a list attribute with a number for each of rank dimensions, as one
// for height and width, where the height of [N C L] has the number missing.
func spatial(a operator.Attributes, name string, rank, missing int) ([2]int, bool) {
	list, err := a.Ints(name)
	if err != nil {
		return [2]int{}, false
	}
	pair := [2]int{missing, missing}
	if len(list) == 0 {
		return pair, true
	}
	if len(list) != rank {
		return pair, false
	}
	copy(pair[2-rank:], list)
	return pair, true
}

// windowAttributesOf reads strides, dilations and padding, and works out
// automatic padding; false where they are not such as a graph has.
func windowAttributesOf(n *graph.Node, kernel [2]int) (a graph.Attributes, ok bool) {
	named := n.Attributes.Named
	rank := len(n.Inputs[0].Shape) - 2
	x := planar(n.Inputs[0].Shape)
	a.Kernel = kernel
	if a.Stride, ok = spatial(named, "strides", rank, 1); !ok {
		return a, false
	}
	if a.Dilation, ok = spatial(named, "dilations", rank, 1); !ok {
		return a, false
	}
	for _, d := range [][2]int{kernel, a.Dilation, a.Stride} {
		if min(d[0], d[1]) < 1 || max(d[0], d[1]) > operator.MaxDim {
			return a, false
		}
	}
	auto, err := named.String("auto_pad", "NOTSET")
	if err != nil {
		return a, false
	}
	switch auto {
	case "NOTSET", "":
		pads, err := named.Ints("pads")
		if err != nil || len(pads) != 0 && len(pads) != 2*rank {
			return a, false
		}
		if len(pads) != 0 {
			copy(a.Pad[2-rank:2], pads[:rank])
			copy(a.Pad[4-rank:], pads[rank:])
		}
		for _, p := range a.Pad {
			if p < 0 || p > operator.MaxDim {
				return a, false
			}
		}
	case "VALID":
	case "SAME_UPPER", "SAME_LOWER":
		for i := range 2 {
			if i < 2-rank {
				continue
			}
			out := (int64(x[2+i]) + int64(a.Stride[i]) - 1) / int64(a.Stride[i])
			span := int64(kernel[i]-1)*int64(a.Dilation[i]) + 1
			total := max(0, (out-1)*int64(a.Stride[i])+span-int64(x[2+i]))
			small, large := clampInt(total/2), clampInt(total-total/2)
			if auto == "SAME_UPPER" { // the odd one goes to the end
				a.Pad[i], a.Pad[2+i] = small, large
			} else {
				a.Pad[i], a.Pad[2+i] = large, small
			}
		}
	default:
		return a, false
	}
	return a, true
}

// roundUp gives the input so much more padding at the end that windows which
// begin in it or in the padding before are not cut off (ceil_mode).
func roundUp(a *graph.Attributes, x []int) {
	for i := range 2 {
		in, stride, kernel := x[2+i], a.Stride[i], a.Kernel[i]
		begin, end := a.Pad[i], a.Pad[2+i]
		room := in + begin + end - kernel
		if room < 0 {
			continue
		}
		last := (room + stride - 1) / stride * stride // where the last window begins
		if last >= in+begin {
			last -= stride
		}
		a.Pad[2+i] = max(end, last+kernel-in-begin)
	}
}
