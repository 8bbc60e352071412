package graph

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// DType is the element type of a tensor.
type DType = operator.DType

// Element types that networks are made of; package operator has them all.
const (
	F32  = operator.F32
	F16  = operator.F16
	BF16 = operator.BF16
	I8   = operator.I8
	U8   = operator.U8
	I32  = operator.I32
	I64  = operator.I64
	Bool = operator.Bool
)

// Op is the operator of a workload.
type Op string

// Operators.
const (
	OpConv2D        Op = "conv2d"
	OpLinear        Op = "linear"
	OpAdd           Op = "add"
	OpMul           Op = "mul"
	OpRelu          Op = "relu"
	OpRelu6         Op = "relu6"
	OpHardSwish     Op = "hswish"   // x * relu6(x+3) / 6
	OpHardSigmoid   Op = "hsigmoid" // relu6(x+3) / 6
	OpSigmoid       Op = "sigmoid"
	OpSiLU          Op = "silu"     // x * sigmoid(x)
	OpGELU          Op = "gelu"     // x * (1 + erf(x/sqrt(2))) / 2
	OpGELUTanh      Op = "gelutanh" // x * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
	OpTanh          Op = "tanh"
	OpMaxPool       Op = "maxpool"
	OpAvgPool       Op = "avgpool" // padding is not counted
	OpGlobalAvgPool Op = "globalavgpool"
	OpSoftmax       Op = "softmax"
)

// IsActivation reports whether op works on each element alone, and so may end
// an epilogue.
func (op Op) IsActivation() bool {
	switch op {
	case OpRelu, OpRelu6, OpHardSwish, OpHardSigmoid, OpSigmoid, OpSiLU, OpGELU, OpGELUTanh, OpTanh:
		return true
	}
	return false
}

// Workload is one operator with its shapes, element type and fused epilogue.
// It is comparable. Fields that an operator does not use are zero, so that
// equal work is equal as a map key and has one name:
//
//	conv2d           input [N, C, H, W], weight [K, C/Group, R, S], bias [K]
//	linear           input [N, C], weight [K, C], bias [K]
//	add, mul         input [N, C, H, W] and [N, K, R, S], broadcast to the first
//	maxpool, avgpool input [N, C, H, W], window R x S
//	softmax          N rows of C
//	others           input [N, C, H, W]
type Workload struct {
	Op                                   Op
	DType                                DType
	N, C, H, W                           int
	K, R, S                              int
	StrideH, StrideW                     int
	PadTop, PadLeft, PadBottom, PadRight int
	DilationH, DilationW                 int
	Group                                int
	// Epilogue is what is done to the result before it is written: "none", an
	// activation ("relu"), "add" (a second tensor of the output's shape), or
	// both ("add.relu"). It is empty for operators that take none.
	Epilogue string
}

// maxDim bounds each number of a workload and each dimension of a tensor, and
// maxElements the size of a tensor, so that arithmetic on them cannot overflow,
// on 32-bit machines either.
const (
	maxDim      = operator.MaxDim
	maxElements = operator.MaxElements
)

// fields says which groups of fields an operator uses.
type fields uint8

const (
	hasPlane    fields = 1 << iota // H, W
	hasOutput                      // K
	hasWindow                      // R, S
	hasStride                      // strides and padding
	hasGroup                       // dilation and group
	hasEpilogue                    // Epilogue
)

func (op Op) fields() (fields, bool) {
	switch op {
	case OpConv2D:
		return hasPlane | hasOutput | hasWindow | hasStride | hasGroup | hasEpilogue, true
	case OpLinear:
		return hasOutput | hasEpilogue, true
	case OpAdd, OpMul:
		return hasPlane | hasOutput | hasWindow | hasEpilogue, true
	case OpMaxPool, OpAvgPool:
		return hasPlane | hasWindow | hasStride, true
	case OpGlobalAvgPool:
		return hasPlane, true
	case OpSoftmax:
		return 0, true
	}
	return hasPlane, op.IsActivation()
}

// OutH is the height of the output, 0 for operators without a plane.
func (w Workload) OutH() int {
	switch w.Op {
	case OpConv2D, OpMaxPool, OpAvgPool:
		return outSize(w.H, w.PadTop+w.PadBottom, w.R, w.StrideH, w.DilationH)
	case OpGlobalAvgPool:
		return 1
	}
	return w.H
}

// OutW is the width of the output, 0 for operators without a plane.
func (w Workload) OutW() int {
	switch w.Op {
	case OpConv2D, OpMaxPool, OpAvgPool:
		return outSize(w.W, w.PadLeft+w.PadRight, w.S, w.StrideW, w.DilationW)
	case OpGlobalAvgPool:
		return 1
	}
	return w.W
}

// outSize is the number of windows that fit; 0 where none does.
func outSize(in, pad, kernel, stride, dilation int) int {
	span := int64(kernel-1)*int64(max(dilation, 1)) + 1
	room := int64(in) + int64(pad) - span
	if room < 0 || stride < 1 {
		return 0
	}
	return int(room/int64(stride)) + 1
}

// outC is the number of channels (features) of the output.
func (w Workload) outC() int {
	if w.Op == OpConv2D || w.Op == OpLinear {
		return w.K
	}
	return w.C
}

func (w Workload) inputElements() int64 {
	n := int64(w.N) * int64(w.C)
	if f, _ := w.Op.fields(); f&hasPlane != 0 {
		n *= int64(w.H) * int64(w.W)
	}
	return n
}

func (w Workload) outputElements() int64 {
	n := int64(w.N) * int64(w.outC())
	if f, _ := w.Op.fields(); f&hasPlane != 0 {
		n *= int64(w.OutH()) * int64(w.OutW())
	}
	return n
}

// weightElements is the size of the weight tensor without bias.
func (w Workload) weightElements() int64 {
	switch w.Op {
	case OpConv2D:
		return int64(w.K) * int64(w.C/max(w.Group, 1)) * int64(w.R) * int64(w.S)
	case OpLinear:
		return int64(w.K) * int64(w.C)
	}
	return 0
}

// MACs is the number of multiply-accumulates of conv2d and linear; 0 for the
// other operators, as is usual in the field.
func (w Workload) MACs() int64 {
	if w.Op != OpConv2D && w.Op != OpLinear {
		return 0
	}
	return w.outputElements() / int64(max(w.K, 1)) * w.weightElements()
}

// Params is the number of weights and biases.
func (w Workload) Params() int64 {
	if n := w.weightElements(); n > 0 {
		return n + int64(w.K)
	}
	return 0
}

// BytesRead is what must be read at least: inputs, weights and bias, and the
// residual that the epilogue adds.
func (w Workload) BytesRead() int64 {
	n := w.inputElements() + w.Params()
	switch w.Op {
	case OpAdd, OpMul:
		n += int64(w.N) * int64(w.K) * int64(w.R) * int64(w.S)
	}
	if w.addsResidual() {
		n += w.outputElements()
	}
	return n * w.DType.Size()
}

// BytesWritten is the size of the output.
func (w Workload) BytesWritten() int64 { return w.outputElements() * w.DType.Size() }

// Bytes is BytesRead plus BytesWritten.
func (w Workload) Bytes() int64 { return w.BytesRead() + w.BytesWritten() }

func (w Workload) addsResidual() bool {
	return w.Epilogue == "add" || strings.HasPrefix(w.Epilogue, "add.")
}

// Family groups workloads whose cost behaves alike: "depthwise" (one filter a
// channel), "pointwise" (1x1, one group), else the operator's name.
func (w Workload) Family() string {
	if w.Op == OpConv2D {
		switch {
		case w.Group > 1 && w.Group == w.C && w.C == w.K:
			return "depthwise"
		case w.Group == 1 && w.R == 1 && w.S == 1:
			return "pointwise"
		}
	}
	return string(w.Op)
}

// Validate reports the first thing that makes w no workload: an unknown
// operator, a dimension out of range, a field the operator does not use, an
// output without elements.
func (w Workload) Validate() error {
	if err := w.validate(); err != nil {
		return fmt.Errorf("workload %s: %w", w, err)
	}
	return nil
}

func (w Workload) validate() error {
	f, ok := w.Op.fields()
	if !ok {
		return fmt.Errorf("unknown operator %q", w.Op)
	}
	if w.DType.Size() == 0 {
		return fmt.Errorf("unknown element type %q", w.DType)
	}
	for _, d := range []struct {
		name  string
		value int
		used  bool
		least int
	}{
		{"n", w.N, true, 1}, {"c", w.C, true, 1},
		{"h", w.H, f&hasPlane != 0, 1}, {"w", w.W, f&hasPlane != 0, 1},
		{"k", w.K, f&hasOutput != 0, 1},
		{"r", w.R, f&hasWindow != 0, 1}, {"s", w.S, f&hasWindow != 0, 1},
		{"stride height", w.StrideH, f&hasStride != 0, 1}, {"stride width", w.StrideW, f&hasStride != 0, 1},
		{"top padding", w.PadTop, f&hasStride != 0, 0}, {"left padding", w.PadLeft, f&hasStride != 0, 0},
		{"bottom padding", w.PadBottom, f&hasStride != 0, 0}, {"right padding", w.PadRight, f&hasStride != 0, 0},
		{"dilation height", w.DilationH, f&hasGroup != 0, 1}, {"dilation width", w.DilationW, f&hasGroup != 0, 1},
		{"group", w.Group, f&hasGroup != 0, 1},
	} {
		switch {
		case !d.used && d.value != 0:
			return fmt.Errorf("%s is %d, but %s has none", d.name, d.value, w.Op)
		case d.used && (d.value < d.least || d.value > maxDim):
			return fmt.Errorf("%s is %d, outside %d..%d", d.name, d.value, d.least, maxDim)
		}
	}
	if err := w.validateEpilogue(f); err != nil {
		return err
	}
	switch w.Op {
	case OpConv2D:
		if w.C%w.Group != 0 || w.K%w.Group != 0 {
			return fmt.Errorf("group %d does not divide c %d and k %d", w.Group, w.C, w.K)
		}
		if !fits(w.K, w.C/w.Group, w.R, w.S) {
			return errTooLarge
		}
	case OpLinear:
		if !fits(w.K, w.C) {
			return errTooLarge
		}
	case OpAdd, OpMul:
		for _, d := range [][2]int{{w.C, w.K}, {w.H, w.R}, {w.W, w.S}} {
			if d[1] != d[0] && d[1] != 1 {
				return fmt.Errorf("second operand %dx%dx%d does not broadcast to %dx%dx%d", w.K, w.R, w.S, w.C, w.H, w.W)
			}
		}
	case OpMaxPool, OpAvgPool:
		if max(w.PadTop, w.PadBottom) >= w.R || max(w.PadLeft, w.PadRight) >= w.S {
			return errors.New("padding is not smaller than the window")
		}
	}
	outH, outW := 1, 1
	inH, inW := 1, 1
	if f&hasPlane != 0 {
		inH, inW, outH, outW = w.H, w.W, w.OutH(), w.OutW()
	}
	if outH < 1 || outW < 1 {
		return fmt.Errorf("window %dx%d is larger than the padded input", w.R, w.S)
	}
	if !fits(w.N, w.C, inH, inW) || !fits(w.N, w.outC(), outH, outW) {
		return errTooLarge
	}
	return nil
}

func (w Workload) validateEpilogue(f fields) error {
	if f&hasEpilogue == 0 {
		if w.Epilogue != "" {
			return fmt.Errorf("epilogue %q, but %s has none", w.Epilogue, w.Op)
		}
		return nil
	}
	e, err := parseEpilogue(w.Epilogue)
	if err != nil {
		return err
	}
	if e.Add && w.Op != OpConv2D && w.Op != OpLinear {
		return fmt.Errorf("epilogue %q, but only conv2d and linear add a residual", w.Epilogue)
	}
	return nil
}

var errTooLarge = fmt.Errorf("a tensor has more than %d elements", maxElements)

// fits reports whether a tensor of these dimensions is within the limits.
func fits(dims ...int) bool {
	n := int64(1)
	for _, d := range dims {
		if d < 1 || d > maxDim {
			return false
		}
		if n *= int64(d); n > maxElements {
			return false
		}
	}
	return true
}

// Epilogue is what a node does to its result before writing it.
type Epilogue struct {
	Add        bool // the node's last input is added
	Activation Op   // then applied; empty for none
}

// String is the epilogue's part of a workload's name: "none", "add", "relu",
// "add.relu".
func (e Epilogue) String() string {
	switch {
	case e.Add && e.Activation != "":
		return "add." + string(e.Activation)
	case e.Add:
		return "add"
	case e.Activation != "":
		return string(e.Activation)
	}
	return "none"
}

func parseEpilogue(s string) (Epilogue, error) {
	parts := strings.Split(s, ".")
	var e Epilogue
	if parts[0] == "add" {
		e.Add = true
		parts = parts[1:]
	}
	if len(parts) == 1 && Op(parts[0]).IsActivation() {
		e.Activation = Op(parts[0])
	}
	if e.String() != s || !slices.Contains([]int{0, 1}, len(parts)) {
		return Epilogue{}, fmt.Errorf("unknown epilogue %q", s)
	}
	return e, nil
}
