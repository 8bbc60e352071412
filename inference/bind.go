package inference

import (
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// bind returns the kernel call that does the work w of node n on the memory
// that m gives its values.
func bind(n *graph.Node, w graph.Workload, m *memory) (func(*kernels.Workspace), error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	dst, src := m.slice(n.Outputs[0]), m.slice(n.Inputs[0])
	hw := w.H * w.W
	switch w.Op {
	case graph.OpConv2D:
		return bindConv2D(n, w, dst, src, m)
	case graph.OpLinear:
		return bindLinear(n, w, dst, src)
	case graph.OpAdd, graph.OpMul:
		return bindBinary(n, w, dst, src, m)
	case graph.OpMaxPool, graph.OpAvgPool:
		shape := kernels.Pool2D{
			N: w.N, C: w.C, H: w.H, W: w.W, R: w.R, S: w.S, StrideH: w.StrideH, StrideW: w.StrideW,
			PadTop: w.PadTop, PadLeft: w.PadLeft, PadBottom: w.PadBottom, PadRight: w.PadRight,
			Blocked: m.layouts[n.Inputs[0]] == kernels.Blocked,
		}
		if w.Op == graph.OpMaxPool {
			return func(ws *kernels.Workspace) { kernels.MaxPool(ws, shape, dst, src) }, nil
		}
		return func(ws *kernels.Workspace) { kernels.AvgPool(ws, shape, dst, src) }, nil
	case graph.OpGlobalAvgPool:
		if m.layouts[n.Inputs[0]] == kernels.Blocked {
			return bindBlockedGlobalPool(w, dst, src), nil
		}
		return func(*kernels.Workspace) { kernels.GlobalAvgPool(w.N, w.C, hw, dst, src) }, nil
	case graph.OpSoftmax:
		return func(*kernels.Workspace) { kernels.Softmax(w.N, w.C, dst, src) }, nil
	}
	act, err := activation(w.Op)
	if err != nil {
		return nil, err
	}
	return func(*kernels.Workspace) { kernels.Activate(act, dst, src) }, nil
}

func bindConv2D(n *graph.Node, w graph.Workload, dst, src []float32, m *memory) (func(*kernels.Workspace), error) {
	act, err := activation(n.Attributes.Epilogue.Activation)
	if err != nil {
		return nil, err
	}
	shape := kernels.Conv2D{
		N: w.N, C: w.C, H: w.H, W: w.W, K: w.K, R: w.R, S: w.S, StrideH: w.StrideH, StrideW: w.StrideW,
		PadTop: w.PadTop, PadLeft: w.PadLeft, PadBottom: w.PadBottom, PadRight: w.PadRight,
		DilationH: w.DilationH, DilationW: w.DilationW, Groups: w.Group,
	}
	packed, err := kernels.PackConv2DLayouts(shape, m.layouts[n.Inputs[0]], m.layouts[n.Outputs[0]], n.Inputs[1].Data, data(n.Bias()))
	if err != nil {
		return nil, err
	}
	var residual []float32
	if r := n.Residual(); r != nil {
		residual = m.slice(r)
	}
	return func(ws *kernels.Workspace) { packed.Forward(ws, dst, src, residual, act) }, nil
}

func bindLinear(n *graph.Node, w graph.Workload, dst, src []float32) (func(*kernels.Workspace), error) {
	act, err := activation(n.Attributes.Epilogue.Activation)
	if err != nil {
		return nil, err
	}
	packed := kernels.PackLinear(w.C, w.K, n.Inputs[1].Data, data(n.Bias()))
	return func(ws *kernels.Workspace) { packed.Forward(ws, w.N, dst, src, act) }, nil
}

// data is the data of v, nil where there is no v.
func data(v *graph.Value) []float32 {
	if v == nil {
		return nil
	}
	return v.Data
}

// bindBlockedGlobalPool pools images in blocks of channels; the result, one
// element a channel, is planar.
func bindBlockedGlobalPool(w graph.Workload, dst, src []float32) func(*kernels.Workspace) {
	shape := kernels.Pool2D{N: w.N, C: w.C, H: w.H, W: w.W, R: w.H, S: w.W, StrideH: 1, StrideW: 1, Blocked: true}
	means := make([]float32, kernels.BlockedSize(w.N, w.C, 1))
	return func(ws *kernels.Workspace) {
		kernels.AvgPool(ws, shape, means, src)
		for i := range w.N {
			copy(dst[i*w.C:(i+1)*w.C], means[i*len(means)/w.N:])
		}
	}
}

func bindBinary(n *graph.Node, w graph.Workload, dst, x []float32, m *memory) (func(*kernels.Workspace), error) {
	act, err := activation(n.Attributes.Epilogue.Activation)
	if err != nil {
		return nil, err
	}
	op := kernels.OpAdd
	if w.Op == graph.OpMul {
		op = kernels.OpMul
	}
	y := m.slice(n.Inputs[1])
	shape, yShape := n.Inputs[0].Shape, n.Inputs[1].Shape
	prepare := func() {}
	if m.layouts[n.Inputs[0]] == kernels.Blocked {
		block := kernels.ChannelBlock()
		blocks := kernels.BlockedSize(1, w.C, 1) / block
		shape = []int{w.N, blocks, w.H * w.W, block}
		yShape = shape
		if m.layouts[n.Inputs[1]] == kernels.Planar {
			// Factors of an image start with a block of their own.
			planar := y
			y, yShape = make([]float32, w.N*blocks*block), []int{w.N, blocks, 1, block}
			prepare = func() {
				for i := range w.N {
					copy(y[i*blocks*block:], planar[i*w.C:(i+1)*w.C])
				}
			}
		}
	}
	return func(ws *kernels.Workspace) {
		prepare()
		kernels.Broadcast(ws, op, dst, shape, x, shape, y, yShape)
		if act != kernels.NoActivation {
			kernels.Activate(act, dst, dst)
		}
	}, nil
}

// activation is the kernels' name of an activation; an empty one is none.
func activation(op graph.Op) (kernels.Activation, error) {
	switch op {
	case "":
		return kernels.NoActivation, nil
	case graph.OpRelu:
		return kernels.ReLU, nil
	case graph.OpRelu6:
		return kernels.ReLU6, nil
	case graph.OpHardSwish:
		return kernels.HardSwish, nil
	case graph.OpHardSigmoid:
		return kernels.HardSigmoid, nil
	case graph.OpSigmoid:
		return kernels.Sigmoid, nil
	}
	return 0, fmt.Errorf("activation %q is not supported", op)
}
