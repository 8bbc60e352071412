package inference

import (
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/kernels"
)

// bind returns the work of n on values in the given layouts: by a kernel where
// there is one, else by the definition of the operator.
func bind(n *graph.Node, l layouts) (*step, error) {
	if n.Kind == conversion {
		return bindConversion(n, l), nil
	}
	if s := bindView(n); s != nil {
		return s, nil
	}
	if n.Plain() {
		return bindPlain(n, l), nil
	}
	return bindTyped(n, l)
}

// reference computes n by the definition of its operator.
func reference(n *graph.Node) *step {
	return &step{reference: true, kernel: func(m *memory) call {
		in, out := m.tensors(n.Inputs), m.tensors(n.Outputs)
		if n.Plain() {
			return func(*kernels.Workspace) error { return operator.Run(string(n.Kind), n.Attributes.Named, in, out) }
		}
		return func(*kernels.Workspace) error {
			result, err := n.Compute(in)
			if err == nil {
				copy(out[0].Data.([]float32), result[0].Data.([]float32))
			}
			return err
		}
	}}
}

// bindView returns the step of a node that only gives its input's elements
// another shape, nil if n is none.
func bindView(n *graph.Node) *step {
	switch n.Kind {
	case graph.Flatten, graph.Reshape, graph.Identity, "Squeeze", "Unsqueeze":
		if x := n.Inputs[0]; x.Role == graph.RoleNone && len(n.Outputs) == 1 {
			return &step{views: []int{0}}
		}
		return reference(n)
	}
	return nil
}

// bindTyped returns the work of a node with attributes of its own.
func bindTyped(n *graph.Node, l layouts) (*step, error) {
	w, ok := n.Workload()
	if !ok {
		if n.Kind == graph.BatchNormalization {
			return bindBatchNorm(n), nil
		}
		return reference(n), nil
	}
	if err := w.Validate(); err != nil {
		return nil, err
	}
	x, out := n.Inputs[0], n.Outputs[0]
	blocked := l[x] == kernels.Blocked
	switch w.Op {
	case graph.OpConv2D:
		return bindConv2D(n, w, l)
	case graph.OpLinear:
		return bindLinear(n, w)
	case graph.OpAdd, graph.OpMul:
		return bindBinary(n, w, l)
	case graph.OpMaxPool, graph.OpAvgPool:
		shape := kernels.Pool2D{
			N: w.N, C: w.C, H: w.H, W: w.W, R: w.R, S: w.S, StrideH: w.StrideH, StrideW: w.StrideW,
			PadTop: w.PadTop, PadLeft: w.PadLeft, PadBottom: w.PadBottom, PadRight: w.PadRight,
			Blocked: blocked,
		}
		pool := kernels.AvgPool
		if w.Op == graph.OpMaxPool {
			pool = kernels.MaxPool
		}
		return &step{kernel: func(m *memory) call {
			dst, src := m.floats(out), m.floats(x)
			return always(func(ws *kernels.Workspace) { pool(ws, shape, dst, src) })
		}}, nil
	case graph.OpGlobalAvgPool:
		return bindGlobalPool(n, w, blocked), nil
	case graph.OpSoftmax:
		return rowwise(n, func(dst, src []float32) { kernels.Softmax(w.N, w.C, dst, src) }), nil
	}
	act, err := activation(w.Op)
	if err != nil {
		return nil, err
	}
	return rowwise(n, func(dst, src []float32) { kernels.Activate(act, dst, src) }), nil
}

// rowwise is a step whose kernel reads the first input and may write over it.
func rowwise(n *graph.Node, run func(dst, src []float32)) *step {
	return &step{inPlace: []int{0}, kernel: func(m *memory) call {
		dst, src := m.floats(n.Outputs[0]), m.floats(n.Inputs[0])
		return always(func(*kernels.Workspace) { run(dst, src) })
	}}
}

func bindConv2D(n *graph.Node, w graph.Workload, l layouts) (*step, error) {
	act, err := activation(n.Attributes.Epilogue.Activation)
	if err != nil {
		return nil, err
	}
	weight, bias := n.Inputs[1], n.Bias()
	if weight.Role == graph.RoleNone || bias != nil && bias.Role == graph.RoleNone {
		return reference(n), nil
	}
	shape := convolutionShape(w)
	s := &step{}
	if n.Residual() != nil {
		s.inPlace = []int{len(n.Inputs) - 1}
	}
	var packed *kernels.PackedConv2D
	in, out := l[n.Inputs[0]], l[n.Outputs[0]]
	algorithm, _ := kernels.ConvolutionAlgorithm(shape, in, out)
	s.decide = func(other string) { algorithm = other }
	s.pack = func() (err error) {
		packed, err = kernels.PackConv2DBy(algorithm, shape, in, out, weight.Data, data(bias))
		return err
	}
	s.kernel = func(m *memory) call {
		dst, src, residual := m.floats(n.Outputs[0]), m.floats(n.Inputs[0]), m.floats(n.Residual())
		return always(func(ws *kernels.Workspace) { packed.Forward(ws, dst, src, residual, act) })
	}
	return s, nil
}

// convolutionShape is the shape of a convolution's workload.
func convolutionShape(w graph.Workload) kernels.Conv2D {
	return kernels.Conv2D{
		N: w.N, C: w.C, H: w.H, W: w.W, K: w.K, R: w.R, S: w.S, StrideH: w.StrideH, StrideW: w.StrideW,
		PadTop: w.PadTop, PadLeft: w.PadLeft, PadBottom: w.PadBottom, PadRight: w.PadRight,
		DilationH: w.DilationH, DilationW: w.DilationW, Groups: w.Group,
	}
}

func bindLinear(n *graph.Node, w graph.Workload) (*step, error) {
	act, err := activation(n.Attributes.Epilogue.Activation)
	if err != nil {
		return nil, err
	}
	if b := n.Bias(); n.Inputs[1].Role == graph.RoleNone || b != nil && b.Role == graph.RoleNone {
		return reference(n), nil
	}
	s := &step{}
	if n.Residual() != nil {
		s.inPlace = []int{len(n.Inputs) - 1}
	}
	s.linear(n, w.N, w.C, w.K, n.Attributes.Transposed, act)
	return s, nil
}

// linear makes s the multiplication of rows rows by the weight of n, which is
// [in, out] if transposed, else [out, in].
func (s *step) linear(n *graph.Node, rows, in, out int, transposed bool, act kernels.Activation) {
	var packed *kernels.PackedLinear
	s.pack = func() error {
		pack := kernels.PackLinear
		if transposed {
			pack = kernels.PackLinearTransposed
		}
		packed = pack(in, out, n.Inputs[1].Data, data(n.Bias()))
		return nil
	}
	s.kernel = func(m *memory) call {
		dst, src, residual := m.floats(n.Outputs[0]), m.floats(n.Inputs[0]), m.floats(n.Residual())
		return always(func(ws *kernels.Workspace) { packed.ForwardAdd(ws, rows, dst, src, residual, act) })
	}
}

// data is the data of v, nil where there is no v.
func data(v *graph.Value) []float32 {
	if v == nil {
		return nil
	}
	return v.Data
}

// bindGlobalPool takes the mean of planes; the result, one element a channel,
// is planar.
func bindGlobalPool(n *graph.Node, w graph.Workload, blocked bool) *step {
	hw := w.H * w.W
	return &step{kernel: func(m *memory) call {
		dst, src := m.floats(n.Outputs[0]), m.floats(n.Inputs[0])
		if !blocked {
			return always(func(*kernels.Workspace) { kernels.GlobalAvgPool(w.N, w.C, hw, dst, src) })
		}
		block := kernels.ChannelBlock()
		blocks := kernels.BlockedSize(1, w.C, 1) / block
		shape, axes := []int{w.N * blocks, hw, block}, []int{1}
		if w.C%block == 0 {
			return always(func(ws *kernels.Workspace) { kernels.Reduce(ws, kernels.ReduceMean, dst, src, shape, axes) })
		}
		means := make([]float32, w.N*blocks*block)
		return always(func(ws *kernels.Workspace) {
			kernels.Reduce(ws, kernels.ReduceMean, means, src, shape, axes)
			for i := range w.N {
				copy(dst[i*w.C:(i+1)*w.C], means[i*blocks*block:])
			}
		})
	}}
}

func bindBinary(n *graph.Node, w graph.Workload, l layouts) (*step, error) {
	act, err := activation(n.Attributes.Epilogue.Activation)
	if err != nil {
		return nil, err
	}
	op := kernels.OpAdd
	if w.Op == graph.OpMul {
		op = kernels.OpMul
	}
	xValue, yValue := n.Inputs[0], n.Inputs[1]
	shape, yShape := xValue.Shape, yValue.Shape
	if len(shape) > maxRank {
		return reference(n), nil
	}
	block := kernels.ChannelBlock()
	blocks := kernels.BlockedSize(1, w.C, 1) / block
	spread := false // factors of an image start with a block of their own
	if l[xValue] == kernels.Blocked {
		shape = []int{w.N, blocks, w.H * w.W, block}
		yShape = shape
		if l[yValue] == kernels.Planar {
			yShape = []int{w.N, blocks, 1, block}
			spread = w.C%block != 0
		}
	}
	return &step{inPlace: []int{0, 1}, kernel: func(m *memory) call {
		dst, x, y := m.floats(n.Outputs[0]), m.floats(xValue), m.floats(yValue)
		planar := y
		if spread {
			y = make([]float32, w.N*blocks*block)
		}
		return always(func(ws *kernels.Workspace) {
			if spread {
				for i := range w.N {
					copy(y[i*blocks*block:], planar[i*w.C:(i+1)*w.C])
				}
			}
			kernels.Broadcast(ws, op, dst, shape, x, shape, y, yShape)
			if act != kernels.NoActivation {
				kernels.Activate(act, dst, dst)
			}
		})
	}}, nil
}

// maxRank is the number of dimensions that kernels of arrays take.
const maxRank = 8

// activations are the kernels' names of activations.
var activations = map[graph.Op]kernels.Activation{
	"":                  kernels.NoActivation,
	graph.OpRelu:        kernels.ReLU,
	graph.OpRelu6:       kernels.ReLU6,
	graph.OpHardSwish:   kernels.HardSwish,
	graph.OpHardSigmoid: kernels.HardSigmoid,
	graph.OpSigmoid:     kernels.Sigmoid,
	"silu":              kernels.SiLU,
	"gelu":              kernels.GELU,
	"gelutanh":          kernels.GELUTanh,
	"tanh":              kernels.Tanh,
}

// activation is the kernels' name of an activation; an empty one is none.
func activation(op graph.Op) (kernels.Activation, error) {
	act, ok := activations[op]
	if !ok {
		return 0, fmt.Errorf("activation %q is not supported", op)
	}
	return act, nil
}

// isFloat reports whether all values that are there are of single precision.
func isFloat(values ...*graph.Value) bool {
	return !slices.ContainsFunc(values, func(v *graph.Value) bool { return v != nil && v.DType != graph.F32 })
}
