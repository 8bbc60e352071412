package inference

import (
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

func bindTranspose(n *graph.Node) *step {
	x := n.Inputs[0]
	permutation := intsOf(n, "perm")
	if permutation == nil {
		for i := range x.Shape {
			permutation = append([]int{i}, permutation...)
		}
	}
	if len(permutation) == 0 || inOrder(x.Shape, permutation) {
		return copyStep(n)
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.floats(n.Outputs[0]), m.floats(x)
		return always(func(ws *kernels.Workspace) { kernels.Transpose(ws, dst, src, x.Shape, permutation) })
	}}
}

// inOrder reports whether a permutation leaves the dimensions of more than one
// element in order, and with them all elements.
func inOrder(shape, permutation []int) bool {
	last := -1
	for _, d := range permutation {
		if shape[d] != 1 {
			if d < last {
				return false
			}
			last = d
		}
	}
	return true
}

// copyStep gives the first output the elements of the first input, in its
// memory where that is not a constant's.
func copyStep(n *graph.Node) *step {
	if n.Inputs[0].Role == graph.RoleNone && len(n.Outputs) == 1 {
		return &step{views: []int{0}}
	}
	return rowwise(n, func(dst, src []float32) { copy(dst, src) })
}

func bindConcat(n *graph.Node) *step {
	out := n.Outputs[0]
	axis := axisOf(n, 0, len(out.Shape))
	sizes := make([]int, len(n.Inputs))
	for i, v := range n.Inputs {
		sizes[i] = v.Shape[axis]
	}
	return &step{joins: product(out.Shape[:axis]) == 1, kernel: func(m *memory) call {
		dst := m.floats(out)
		var srcs [][]float32
		var rows []int
		at, inner := 0, product(out.Shape[axis+1:])
		apart := false // some operands are not where they are to go
		for i, v := range n.Inputs {
			src := m.floats(v)
			if len(src) > 0 {
				apart = apart || product(out.Shape[:axis]) > 1 || &src[0] != &dst[at*inner]
				srcs, rows = append(srcs, src), append(rows, sizes[i])
			}
			at += sizes[i]
		}
		if !apart {
			return nil
		}
		if product(out.Shape[:axis]) > 1 {
			return always(func(ws *kernels.Workspace) { kernels.Concat(ws, dst, out.Shape, axis, srcs, rows) })
		}
		return always(func(*kernels.Workspace) {
			at := 0
			for _, src := range srcs {
				if to := dst[at:]; &to[0] != &src[0] {
					copy(to, src)
				}
				at += len(src)
			}
		})
	}}
}

// bindExpand repeats elements along dimensions of one.
func bindExpand(n *graph.Node) *step {
	x, out := n.Inputs[0], n.Outputs[0]
	if !isFloat(x) {
		return nil
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.floats(out), m.floats(x)
		return always(func(ws *kernels.Workspace) {
			kernels.Broadcast(ws, kernels.OpCopy, dst, out.Shape, src, x.Shape, nil, nil)
		})
	}}
}

// bindSlice takes a box of elements, with steps that may be negative.
func bindSlice(n *graph.Node) *step {
	x := n.Inputs[0]
	starts, ok := constantInts(n.Inputs[1])
	if !isFloat(x) || !ok {
		return nil
	}
	rank := len(x.Shape)
	axes, steps := make([]int, len(starts)), make([]int, len(starts))
	for i := range axes {
		axes[i], steps[i] = i, 1
	}
	if v := input(n, 3); v != nil {
		if axes, ok = constantInts(v); !ok {
			return nil
		}
	}
	if v := input(n, 4); v != nil {
		if steps, ok = constantInts(v); !ok {
			return nil
		}
	}
	start, step := make([]int, rank), slices.Repeat([]int{1}, rank)
	for i, d := range axes {
		if d < 0 {
			d += rank
		}
		size, at := x.Shape[d], starts[i]
		if at < 0 {
			at += size
		}
		step[d] = steps[i]
		if step[d] < 0 {
			start[d] = min(max(at, 0), size-1)
		} else {
			start[d] = min(max(at, 0), size)
		}
	}
	return slicing(n, [][]int{start}, step)
}

// slicing is a step whose outputs are boxes of elements of the first input
// that start at given places. Where each is one run of elements, they share
// the input's memory.
func slicing(n *graph.Node, starts [][]int, steps []int) *step {
	x := n.Inputs[0]
	if views := runsOf(n, starts, steps); views != nil && x.Role == graph.RoleNone {
		return &step{views: views}
	}
	return &step{kernel: func(m *memory) call {
		src := m.floats(x)
		dsts := make([][]float32, len(n.Outputs))
		for i, v := range n.Outputs {
			dsts[i] = m.floats(v)
		}
		return always(func(ws *kernels.Workspace) {
			for i, dst := range dsts {
				if dst != nil {
					kernels.Slice(ws, dst, n.Outputs[i].Shape, src, x.Shape, starts[i], steps)
				}
			}
		})
	}}
}

// runsOf returns the bytes after which the outputs of a slice lie in the
// input, nil if one of them is not in one piece.
func runsOf(n *graph.Node, starts [][]int, steps []int) []int {
	shape := n.Inputs[0].Shape
	if slices.ContainsFunc(steps, func(s int) bool { return s != 1 }) {
		return nil
	}
	views := make([]int, len(starts))
	for i, start := range starts {
		if n.Outputs[i] == nil {
			continue
		}
		at, whole := 0, true // whether all dimensions behind are taken whole
		for d := len(shape) - 1; d >= 0; d-- {
			size := n.Outputs[i].Shape[d]
			if !whole && size != 1 {
				return nil
			}
			whole = whole && size == shape[d]
			at += start[d] * product(shape[d+1:])
		}
		views[i] = 4 * at
		if views[i]%alignment != 0 && !slices.Equal(n.Outputs[i].Shape, shape) {
			return nil // kernels are slower on rows that start within a cache line
		}
	}
	return views
}

func bindSplit(n *graph.Node) *step {
	x := n.Inputs[0]
	if !isFloat(x) || slices.Contains(n.Outputs, nil) {
		return nil
	}
	axis := axisOf(n, 0, len(x.Shape))
	starts := make([][]int, len(n.Outputs))
	at := 0
	for i, v := range n.Outputs {
		starts[i] = make([]int, len(x.Shape))
		starts[i][axis] = at
		at += v.Shape[axis]
	}
	return slicing(n, starts, slices.Repeat([]int{1}, len(x.Shape)))
}

func bindPad(n *graph.Node) *step {
	x, out := n.Inputs[0], n.Outputs[0]
	modes := map[string]kernels.PadMode{"constant": kernels.PadConstant, "reflect": kernels.PadReflect, "edge": kernels.PadEdge}
	mode, known := modes[stringOf(n, "mode", "constant")]
	pads, ok := constantInts(n.Inputs[1])
	value, okValue := constantFloat(input(n, 2), 0)
	if !known || !ok || !okValue || !isFloat(x) {
		return nil
	}
	rank := len(x.Shape)
	axes := make([]int, rank)
	for i := range axes {
		axes[i] = i
	}
	if v := input(n, 3); v != nil {
		if axes, ok = constantInts(v); !ok {
			return nil
		}
	}
	before, after := make([]int, rank), make([]int, rank)
	for i, d := range axes {
		if d < 0 {
			d += rank
		}
		before[d], after[d] = pads[i], pads[len(axes)+i]
		if before[d] < 0 || after[d] < 0 || mode == kernels.PadReflect && max(before[d], after[d]) >= x.Shape[d] {
			return nil
		}
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.floats(out), m.floats(x)
		return always(func(ws *kernels.Workspace) { kernels.Pad(ws, mode, dst, src, x.Shape, before, after, value) })
	}}
}

// bindGather takes rows by their number.
func bindGather(n *graph.Node) *step {
	x, indices, out := n.Inputs[0], n.Inputs[1], n.Outputs[0]
	if !isFloat(x) || len(x.Shape) == 0 {
		return nil
	}
	axis := axisOf(n, 0, len(x.Shape))
	outer, size, inner := product(x.Shape[:axis]), x.Shape[axis], product(x.Shape[axis+1:])
	return &step{kernel: func(m *memory) call {
		dst, src := m.floats(out), m.floats(x)
		list := make([]int, indices.Elements())
		from := m.data(indices)
		return func(ws *kernels.Workspace) error {
			switch from := from.(type) {
			case []int64:
				for i, v := range from {
					list[i] = int(v)
				}
			case []int32:
				for i, v := range from {
					list[i] = int(v)
				}
			}
			for i, v := range list {
				if v < -size || v >= size {
					return fmt.Errorf("index %d, element %d of %q, is outside axis %d of %q, which is %v", v, i, indices.Name, axis, x.Name, x.Shape)
				}
			}
			kernels.Gather(ws, dst, src, outer, size, inner, list)
			return nil
		}
	}}
}

// bindResize resizes the planes of images.
func bindResize(n *graph.Node) *step {
	x, out := n.Inputs[0], n.Outputs[0]
	if !isFloat(x) || len(x.Shape) != 4 || x.Shape[0] != out.Shape[0] || x.Shape[1] != out.Shape[1] {
		return nil
	}
	mode, okMode := map[string]kernels.ResizeMode{
		"nearest": kernels.ResizeNearest, "linear": kernels.ResizeLinear, "cubic": kernels.ResizeCubic,
	}[stringOf(n, "mode", "nearest")]
	coordinates, okCoordinates := map[string]kernels.ResizeCoordinates{
		"half_pixel": kernels.HalfPixel, "pytorch_half_pixel": kernels.PyTorchHalfPixel,
		"align_corners": kernels.AlignCorners, "asymmetric": kernels.Asymmetric,
	}[stringOf(n, "coordinate_transformation_mode", "half_pixel")]
	rounding, okRounding := map[string]kernels.ResizeRounding{
		"round_prefer_floor": kernels.RoundPreferFloor, "round_prefer_ceil": kernels.RoundPreferCeil,
		"floor": kernels.RoundFloor, "ceil": kernels.RoundCeil,
	}[stringOf(n, "nearest_mode", "round_prefer_floor")]
	if mode == kernels.ResizeCubic && coordinates == kernels.PyTorchHalfPixel {
		return nil // the definition takes a single pixel from another place
	}
	if !okMode || !okCoordinates || !okRounding || intsOf(n, "axes") != nil || intOf(n, "antialias", 0) != 0 ||
		intOf(n, "exclude_outside", 0) != 0 || stringOf(n, "keep_aspect_ratio_policy", "stretch") != "stretch" {
		return nil
	}
	r := kernels.Resize2D{
		Planes: x.Shape[0] * x.Shape[1], H: x.Shape[2], W: x.Shape[3], OutH: out.Shape[2], OutW: out.Shape[3],
		Mode: mode, Coordinates: coordinates, Rounding: rounding, Cubic: float64(floatOf(n, "cubic_coeff_a", -0.75)),
	}
	if scales := input(n, 2); scales != nil && scales.Elements() > 0 {
		if !constant(scales) || len(scales.Data) != 4 {
			return nil
		}
		r.ScaleH, r.ScaleW = float64(scales.Data[2]), float64(scales.Data[3])
		if coordinates == kernels.AlignCorners && (r.ScaleH*float64(r.H) != float64(r.OutH) || r.ScaleW*float64(r.W) != float64(r.OutW)) {
			return nil // the definition aligns with corners between pixels
		}
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.floats(out), m.floats(x)
		return always(func(ws *kernels.Workspace) { kernels.Resize(ws, r, dst, src) })
	}}
}
