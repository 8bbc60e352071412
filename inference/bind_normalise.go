package inference

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

func bindLayerNorm(n *graph.Node) *step {
	x, scale, shift := n.Inputs[0], n.Inputs[1], input(n, 2)
	axis := axisOf(n, -1, len(x.Shape))
	rows, size := product(x.Shape[:axis]), product(x.Shape[axis:])
	eps := floatOf(n, "epsilon", 1e-5)
	if scale.Elements() != size || shift != nil && shift.Elements() != size {
		return nil
	}
	return &step{inPlace: []int{0}, kernel: func(m *memory) call {
		dst, src, s, t := m.floats(n.Outputs[0]), m.floats(x), m.floats(scale), m.floats(shift)
		var mean, inverse []float32
		if len(n.Outputs) > 1 {
			mean = m.floats(n.Outputs[1])
		}
		if len(n.Outputs) > 2 {
			inverse = m.floats(n.Outputs[2])
		}
		return always(func(ws *kernels.Workspace) { kernels.LayerNorm(ws, rows, size, dst, src, s, t, mean, inverse, eps) })
	}}
}

func bindRMSNorm(n *graph.Node) *step {
	x, scale := n.Inputs[0], n.Inputs[1]
	axis := axisOf(n, -1, len(x.Shape))
	rows, size := product(x.Shape[:axis]), product(x.Shape[axis:])
	eps := floatOf(n, "epsilon", 1e-5)
	if scale.Elements() != size {
		return nil
	}
	return &step{inPlace: []int{0}, kernel: func(m *memory) call {
		dst, src, s := m.floats(n.Outputs[0]), m.floats(x), m.floats(scale)
		return always(func(ws *kernels.Workspace) { kernels.RMSNorm(ws, rows, size, dst, src, s, nil, eps) })
	}}
}

// bindGroupNorm is group normalisation, of which instance normalisation has a
// group for each channel.
func bindGroupNorm(n *graph.Node) *step {
	x, scale, shift := n.Inputs[0], n.Inputs[1], n.Inputs[2]
	if len(x.Shape) < 2 {
		return nil
	}
	count, c, hw := x.Shape[0], x.Shape[1], product(x.Shape[2:])
	groups := c
	if n.Kind == "GroupNormalization" {
		groups = intOf(n, "num_groups", 1)
	}
	eps := floatOf(n, "epsilon", 1e-5)
	if scale.Elements() != c || shift.Elements() != c || groups < 1 || c%groups != 0 {
		return nil
	}
	return &step{inPlace: []int{0}, kernel: func(m *memory) call {
		dst, src, s, t := m.floats(n.Outputs[0]), m.floats(x), m.floats(scale), m.floats(shift)
		mean, inverse := make([]float32, count*groups), make([]float32, count*groups)
		return always(func(ws *kernels.Workspace) {
			kernels.GroupNorm(ws, count, c, hw, groups, dst, src, s, t, mean, inverse, eps)
		})
	}}
}

func bindBatchNorm(n *graph.Node) *step {
	x := n.Inputs[0]
	if len(n.Outputs) > 1 || intOf(n, "training_mode", 0) != 0 || len(x.Shape) < 2 {
		return nil
	}
	eps := floatOf(n, "epsilon", 1e-5)
	if !n.Plain() {
		eps = n.Attributes.Epsilon
	}
	count, c, hw := x.Shape[0], x.Shape[1], product(x.Shape[2:])
	return &step{inPlace: []int{0}, kernel: func(m *memory) call {
		dst, src := m.floats(n.Outputs[0]), m.floats(x)
		scale, shift, mean, variance := m.floats(n.Inputs[1]), m.floats(n.Inputs[2]), m.floats(n.Inputs[3]), m.floats(n.Inputs[4])
		return always(func(*kernels.Workspace) {
			kernels.BatchNormForward(count, c, hw, dst, src, mean, variance, scale, shift, eps)
		})
	}}
}

// bindSoftmax is Softmax or LogSoftmax along any axis.
func bindSoftmax(n *graph.Node) *step {
	shape := n.Inputs[0].Shape
	if len(shape) == 0 {
		return nil
	}
	softmax := kernels.Softmax
	if n.Kind == "LogSoftmax" {
		softmax = kernels.LogSoftmax
	}
	axis := axisOf(n, -1, len(shape))
	outer, size, inner := product(shape[:axis]), shape[axis], product(shape[axis+1:])
	if inner == 1 {
		return rowwise(n, func(dst, src []float32) { softmax(outer, size, dst, src) })
	}
	from, to, swap := []int{outer, size, inner}, []int{outer, inner, size}, []int{0, 2, 1}
	return &step{inPlace: []int{0}, kernel: func(m *memory) call {
		dst, src := m.floats(n.Outputs[0]), m.floats(n.Inputs[0])
		turned := make([]float32, len(src))
		return always(func(ws *kernels.Workspace) {
			kernels.Transpose(ws, turned, src, from, swap)
			softmax(outer*inner, size, turned, turned)
			kernels.Transpose(ws, dst, turned, to, swap)
		})
	}}
}

// axesOf are the axes that n reduces, counted from the front; false where they
// are computed.
func axesOf(n *graph.Node, rank int) ([]int, bool) {
	var axes []int
	if v := input(n, 1); v != nil {
		var ok bool
		if axes, ok = constantInts(v); !ok {
			return nil, false
		}
	}
	if len(axes) == 0 && intOf(n, "noop_with_empty_axes", 0) == 0 {
		for i := range rank {
			axes = append(axes, i)
		}
	}
	for i, a := range axes {
		if a < 0 {
			axes[i] += rank
		}
	}
	slices.Sort(axes)
	return slices.Compact(axes), true
}

func bindReduce(n *graph.Node, how kernels.Reduction) *step {
	x, out := n.Inputs[0], n.Outputs[0]
	axes, ok := axesOf(n, len(x.Shape))
	if !ok || !isFloat(x, out) || len(axes) == 0 {
		return nil
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.floats(out), m.floats(x)
		return always(func(ws *kernels.Workspace) { kernels.Reduce(ws, how, dst, src, x.Shape, axes) })
	}}
}

func bindPlainGlobalPool(n *graph.Node) *step {
	x := n.Inputs[0]
	if len(x.Shape) < 3 {
		return nil
	}
	count, c, hw := x.Shape[0], x.Shape[1], product(x.Shape[2:])
	pool := kernels.GlobalAvgPool
	if n.Kind == "GlobalMaxPool" {
		pool = kernels.GlobalMaxPool
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.floats(n.Outputs[0]), m.floats(x)
		return always(func(*kernels.Workspace) { pool(count, c, hw, dst, src) })
	}}
}

// bindPlainPool is MaxPool or AveragePool of images or sequences.
func bindPlainPool(n *graph.Node) *step {
	x, out := n.Inputs[0], n.Outputs[0]
	if len(n.Outputs) > 1 || len(x.Shape) < 3 {
		return nil
	}
	w, ok := windowOf(n, intsOf(n, "kernel_shape"))
	ceil, counted := intOf(n, "ceil_mode", 0) != 0, intOf(n, "count_include_pad", 0) != 0
	if !ok || ceil && counted {
		return nil
	}
	h, wd := planeOf(x.Shape)
	shape := kernels.Pool2D{
		N: x.Shape[0], C: x.Shape[1], H: h, W: wd, R: w.r, S: w.s, StrideH: w.strideH, StrideW: w.strideW,
		PadTop: w.top, PadLeft: w.left, PadBottom: w.bottom, PadRight: w.right,
		DilationH: w.dilationH, DilationW: w.dilationW, Ceil: ceil, CountPadding: counted,
	}
	if outH, outW := planeOf(out.Shape); shape.OutH() != outH || shape.OutW() != outW {
		return nil
	}
	pool := kernels.AvgPool
	if n.Kind == "MaxPool" {
		pool = kernels.MaxPool
	}
	return &step{kernel: func(m *memory) call {
		dst, src := m.floats(out), m.floats(x)
		return always(func(ws *kernels.Workspace) { pool(ws, shape, dst, src) })
	}}
}

// bindArgMax finds the first of the largest elements.
func bindArgMax(n *graph.Node) *step {
	x, out := n.Inputs[0], n.Outputs[0]
	if !isFloat(x) || intOf(n, "select_last_index", 0) != 0 || len(x.Shape) == 0 {
		return nil
	}
	axis := axisOf(n, 0, len(x.Shape))
	outer, size, inner := product(x.Shape[:axis]), x.Shape[axis], product(x.Shape[axis+1:])
	return &step{kernel: func(m *memory) call {
		dst, src := m.data(out).([]int64), m.floats(x)
		indices := make([]int32, len(dst))
		return always(func(ws *kernels.Workspace) {
			kernels.ArgMax(ws, indices, src, outer, size, inner)
			for i, v := range indices {
				dst[i] = int64(v)
			}
		})
	}}
}
