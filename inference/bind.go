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
		return bindBinary(n, w, dst, src, m.slice(n.Inputs[1]))
	case graph.OpMaxPool, graph.OpAvgPool:
		shape := kernels.Pool2D{
			N: w.N, C: w.C, H: w.H, W: w.W, R: w.R, S: w.S, StrideH: w.StrideH, StrideW: w.StrideW,
			PadTop: w.PadTop, PadLeft: w.PadLeft, PadBottom: w.PadBottom, PadRight: w.PadRight,
		}
		if w.Op == graph.OpMaxPool {
			return func(ws *kernels.Workspace) { kernels.MaxPool(ws, shape, dst, src) }, nil
		}
		return func(ws *kernels.Workspace) { kernels.AvgPool(ws, shape, dst, src) }, nil
	case graph.OpGlobalAvgPool:
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

func bindBinary(n *graph.Node, w graph.Workload, dst, x, y []float32) (func(*kernels.Workspace), error) {
	act, err := activation(n.Attributes.Epilogue.Activation)
	if err != nil {
		return nil, err
	}
	var combine func()
	switch {
	case len(x) == len(y) && w.Op == graph.OpAdd:
		combine = func() { kernels.Add(dst, x, y) }
	case len(x) == len(y):
		combine = func() { kernels.Mul(dst, x, y) }
	case w.Op == graph.OpMul && w.K == w.C && w.R*w.S == 1 && len(y) == w.N*w.C:
		combine = func() { kernels.ScaleChannels(w.N, w.C, w.H*w.W, dst, x, y) }
	default:
		b := newBroadcast(w, len(y))
		if w.Op == graph.OpAdd {
			combine = func() { b.add(dst, x, y) }
		} else {
			combine = func() { b.mul(dst, x, y) }
		}
	}
	if act == kernels.NoActivation {
		return func(*kernels.Workspace) { combine() }, nil
	}
	return func(*kernels.Workspace) {
		combine()
		kernels.Activate(act, dst, dst)
	}, nil
}

// broadcast walks a tensor [N, C, H, W] and a second one that has 1 in place of
// some of these dimensions.
type broadcast struct {
	n, c, h, w int
	// of the second tensor, 0 where it has 1
	strideN, strideC, strideH, strideW int
}

func newBroadcast(w graph.Workload, size int) broadcast {
	b := broadcast{n: w.N, c: w.C, h: w.H, w: w.W}
	if w.S > 1 {
		b.strideW = 1
	}
	if w.R > 1 {
		b.strideH = w.S
	}
	if w.K > 1 {
		b.strideC = w.R * w.S
	}
	if plane := w.K * w.R * w.S; size > plane {
		b.strideN = plane
	}
	return b
}

func (b broadcast) add(dst, x, y []float32) {
	for at, row := range b.rows() {
		d, s := dst[at:at+b.w], x[at:at+b.w]
		for i := range d {
			d[i] = s[i] + y[row+i*b.strideW]
		}
	}
}

func (b broadcast) mul(dst, x, y []float32) {
	for at, row := range b.rows() {
		d, s := dst[at:at+b.w], x[at:at+b.w]
		for i := range d {
			d[i] = s[i] * y[row+i*b.strideW]
		}
	}
}

// rows yields where each row of W elements starts in the first tensor and in
// the second.
func (b broadcast) rows() func(yield func(at, row int) bool) {
	return func(yield func(at, row int) bool) {
		at := 0
		for n := range b.n {
			for c := range b.c {
				for h := range b.h {
					if !yield(at, n*b.strideN+c*b.strideC+h*b.strideH) {
						return
					}
					at += b.w
				}
			}
		}
	}
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
