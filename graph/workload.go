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

// Op is the operator of a workload: one of those below, or the name of any
// other operator of ONNX in lower case.
type Op string

// Operators with fields of their own.
const (
	OpConv2D        Op = "conv2d"
	OpLinear        Op = "linear"
	OpMatMul        Op = "matmul" // of two tensors that are both computed
	OpAttention     Op = "attention"
	OpAdd           Op = "add"
	OpSub           Op = "sub"
	OpMul           Op = "mul"
	OpDiv           Op = "div"
	OpPow           Op = "pow"
	OpMin           Op = "min"
	OpMax           Op = "max"
	OpRelu          Op = "relu"
	OpRelu6         Op = "relu6"
	OpHardSwish     Op = "hswish"   // x * relu6(x+3) / 6
	OpHardSigmoid   Op = "hsigmoid" // relu6(x+3) / 6
	OpSigmoid       Op = "sigmoid"
	OpSiLU          Op = "silu"     // x * sigmoid(x)
	OpGELU          Op = "gelu"     // x * (1 + erf(x/sqrt(2))) / 2
	OpGELUTanh      Op = "gelutanh" // x * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
	OpTanh          Op = "tanh"
	OpErf           Op = "erf"
	OpExp           Op = "exp"
	OpLog           Op = "log"
	OpSqrt          Op = "sqrt"
	OpReciprocal    Op = "reciprocal"
	OpNeg           Op = "neg"
	OpAbs           Op = "abs"
	OpClip          Op = "clip"
	OpQuantize      Op = "quantize"   // floating point to bytes
	OpDequantize    Op = "dequantize" // bytes to floating point
	OpMaxPool       Op = "maxpool"
	OpAvgPool       Op = "avgpool" // padding is not counted
	OpGlobalAvgPool Op = "globalavgpool"
	OpSoftmax       Op = "softmax"
	OpLogSoftmax    Op = "logsoftmax"
	OpLayerNorm     Op = "layernorm"
	OpRMSNorm       Op = "rmsnorm"
	OpGroupNorm     Op = "groupnorm"
	OpInstanceNorm  Op = "instancenorm"
	OpReduceSum     Op = "reducesum"
	OpReduceMean    Op = "reducemean"
	OpReduceMax     Op = "reducemax"
	OpReduceMin     Op = "reducemin"
	OpArgMax        Op = "argmax"
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
//	conv2d              input [N, C, H, W], weight [K, C/Group, R, S], bias [K]
//	linear              input [N, C], weight [K, C], bias [K]
//	matmul              N times [H, C] by [C, K]
//	attention           N times C heads of H queries and K of W keys; keys have R elements, values S
//	add, sub, mul ...   input [N, C, H, W] and [N, K, R, S], broadcast to the first
//	maxpool, avgpool    input [N, C, H, W], window R x S
//	softmax, logsoftmax N rows of C
//	layernorm, rmsnorm  N rows of C, each with its factors
//	groupnorm           input [N, C, H, W] in Group groups of channels
//	reducemean ...      input [N, C, H, W] to [N, 1, H, 1]
//	relu, exp ...       input [N, C, H, W]
//	others              see Detail
//
// Inputs of other shapes are written as the smallest of these that is the same
// work: dimensions that are treated alike are joined.
type Workload struct {
	Op                                   Op
	DType                                DType // of the first input
	N, C, H, W                           int
	K, R, S                              int
	StrideH, StrideW                     int
	PadTop, PadLeft, PadBottom, PadRight int
	DilationH, DilationW                 int
	Group                                int
	// Epilogue is what is done to the result before it is written: "none", an
	// activation ("relu"), "add" (a second tensor of the output's shape), or
	// both ("add.relu"). Of attention it is what hides keys: "none", "causal",
	// "mask", or both ("causal.mask"). It is empty for operators that take none.
	Epilogue string
	// Detail is the work of any operator that does not fit these fields, as its
	// name has it: inputs, outputs and attributes. The fields above are zero then.
	Detail string
}

// maxDim bounds each number of a workload and each dimension of a tensor, and
// maxElements the size of a tensor, so that arithmetic on them cannot overflow,
// on 32-bit machines either.
const (
	maxDim      = operator.MaxDim
	maxElements = operator.MaxElements
)

// fields says which groups of fields an operator uses.
type fields uint16

const (
	hasHeight   fields = 1 << iota // H
	hasWidth                       // W
	hasOutput                      // K
	hasWindow                      // R, S
	hasStride                      // strides and padding
	hasDilation                    // dilation
	hasGroup                       // group
	hasEpilogue                    // Epilogue
	hasDetail                      // Detail, and nothing else

	hasPlane  = hasHeight | hasWidth
	hasSecond = hasOutput | hasWindow // the second operand of a binary operator
)

func (op Op) fields() (fields, bool) {
	switch op {
	case OpConv2D:
		return hasPlane | hasOutput | hasWindow | hasStride | hasDilation | hasGroup | hasEpilogue, true
	case OpLinear:
		return hasOutput | hasEpilogue, true
	case OpMatMul:
		return hasHeight | hasOutput, true
	case OpAttention:
		return hasPlane | hasOutput | hasWindow | hasEpilogue, true
	case OpAdd, OpMul:
		return hasPlane | hasSecond | hasEpilogue, true
	case OpMaxPool, OpAvgPool:
		return hasPlane | hasWindow | hasStride, true
	case OpGroupNorm:
		return hasPlane | hasGroup, true
	case OpSoftmax, OpLogSoftmax, OpLayerNorm, OpRMSNorm:
		return 0, true
	case OpGlobalAvgPool, OpInstanceNorm, OpReduceSum, OpReduceMean, OpReduceMax, OpReduceMin, OpArgMax,
		OpClip, OpQuantize, OpDequantize:
		return hasPlane, true
	}
	if op.isBinary() {
		return hasPlane | hasSecond, true
	}
	return hasPlane, op.isUnary() || op.IsActivation()
}

// isUnary reports whether op is a function of ONNX of each element alone, with
// nothing else to say about it, that no epilogue does.
func (op Op) isUnary() bool {
	switch op {
	case OpErf, OpExp, OpLog, OpSqrt, OpReciprocal, OpNeg, OpAbs:
		return true
	}
	return false
}

func (op Op) isBinary() bool {
	switch op {
	case OpAdd, OpSub, OpMul, OpDiv, OpPow, OpMin, OpMax:
		return true
	}
	return false
}

func (op Op) isReduction() bool {
	switch op {
	case OpReduceSum, OpReduceMean, OpReduceMax, OpReduceMin, OpArgMax:
		return true
	}
	return false
}

// fields are those that w uses.
func (w Workload) fields() (fields, bool) {
	if w.Detail != "" {
		return hasDetail, true
	}
	return w.Op.fields()
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

// OutW is the width of the output, 1 or 0 for operators without a plane.
func (w Workload) OutW() int {
	switch w.Op {
	case OpConv2D, OpMaxPool, OpAvgPool:
		return outSize(w.W, w.PadLeft+w.PadRight, w.S, w.StrideW, w.DilationW)
	case OpGlobalAvgPool, OpMatMul, OpAttention:
		return 1
	}
	if w.Op.isReduction() {
		return min(w.W, 1)
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
	switch w.Op {
	case OpConv2D, OpLinear, OpMatMul:
		return w.K
	}
	if w.Op.isReduction() {
		return min(w.C, 1)
	}
	return w.C
}

// extent multiplies dimensions, of which those that are not used count as 1.
func extent(dims ...int) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= int64(max(d, 1))
	}
	return n
}

func (w Workload) inputElements() int64 {
	if w.Op == OpAttention {
		return extent(w.N, w.C, w.H, w.R) + extent(w.N, w.K, w.W)*int64(w.R+w.S)
	}
	return extent(w.N, w.C, w.H, w.W)
}

func (w Workload) outputElements() int64 {
	if w.Op == OpAttention {
		return extent(w.N, w.C, w.H, w.S)
	}
	return extent(w.N, w.outC(), w.OutH(), w.OutW())
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

// biasElements is the size of what goes with the weight: one element a channel
// or, of normalizations, a factor and a term.
func (w Workload) biasElements() int64 {
	switch w.Op {
	case OpConv2D, OpLinear:
		return int64(w.K)
	case OpRMSNorm:
		return int64(w.C)
	case OpLayerNorm, OpGroupNorm, OpInstanceNorm:
		return 2 * int64(w.C)
	}
	return 0
}

// MACs is the number of multiply-accumulates of convolutions and products of
// matrices; 0 for the other operators, as is usual in the field.
func (w Workload) MACs() int64 {
	switch {
	case w.Detail != "":
		return w.detail().macs(w.Op)
	case w.Op == OpConv2D, w.Op == OpLinear:
		return w.outputElements() / int64(max(w.K, 1)) * w.weightElements()
	case w.Op == OpMatMul:
		return extent(w.N, w.H, w.C, w.K)
	case w.Op == OpAttention:
		return extent(w.N, w.C, w.H, w.W) * int64(w.R+w.S)
	}
	return 0
}

// Params is the number of learned parameters.
func (w Workload) Params() int64 {
	if w.Detail != "" {
		return w.detail().params()
	}
	return w.weightElements() + w.biasElements()
}

// BytesRead is what must be read at least: inputs, weights and bias, and the
// residual that the epilogue adds.
func (w Workload) BytesRead() int64 {
	if w.Detail != "" {
		return w.detail().bytes(w.Op, false)
	}
	n := w.inputElements()
	if w.Op.isBinary() {
		n += extent(w.N, w.K, w.R, w.S)
	}
	if w.Op == OpMatMul {
		n += extent(w.N, w.C, w.K)
	}
	if w.Op == OpAttention && strings.HasSuffix(w.Epilogue, "mask") {
		n += extent(w.H, w.W)
	}
	if w.addsResidual() {
		n += w.outputElements()
	}
	bias := w.biasElements()
	if w.DType == U8 || w.DType == I8 {
		bias *= I32.Size()
	} else {
		bias *= w.DType.Size()
	}
	return (n+w.weightElements())*w.DType.Size() + bias
}

// BytesWritten is the size of the output.
func (w Workload) BytesWritten() int64 {
	if w.Detail != "" {
		return w.detail().bytes(w.Op, true)
	}
	size := w.DType.Size()
	switch w.Op {
	case OpQuantize:
		size = U8.Size()
	case OpDequantize:
		size = F32.Size()
	case OpArgMax:
		size = I64.Size()
	}
	return w.outputElements() * size
}

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
	f, ok := w.fields()
	if !ok {
		return fmt.Errorf("unknown operator %q", w.Op)
	}
	if w.DType.Size() == 0 {
		return fmt.Errorf("unknown element type %q", w.DType)
	}
	for i, value := range [len(dimensions)]int{
		w.N, w.C, w.H, w.W, w.K, w.R, w.S, w.StrideH, w.StrideW,
		w.PadTop, w.PadLeft, w.PadBottom, w.PadRight, w.DilationH, w.DilationW, w.Group,
	} {
		d := &dimensions[i]
		used := f&d.of != 0 || d.of == 0 && f&hasDetail == 0
		switch {
		case !used && value != 0:
			return fmt.Errorf("%s is %d, but %s has none", d.name, value, w.Op)
		case used && (value < d.least || value > maxDim):
			return fmt.Errorf("%s is %d, outside %d..%d", d.name, value, d.least, maxDim)
		}
	}
	if err := w.validateEpilogue(f); err != nil {
		return err
	}
	if f&hasDetail != 0 {
		return w.validateDetail()
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
	case OpAttention:
		if w.C%w.K != 0 {
			return fmt.Errorf("%d heads of keys do not divide %d heads", w.K, w.C)
		}
		if !fits(w.N, w.C, w.H, w.W) || !fits(w.N, w.C, w.H, w.R) || !fits(w.N, w.C, w.H, w.S) || !fits(w.N, w.K, w.W, w.R) || !fits(w.N, w.K, w.W, w.S) {
			return errTooLarge
		}
		return nil
	case OpReduceSum, OpReduceMean, OpReduceMax, OpReduceMin, OpArgMax:
		if w.H == 1 && w.W > 1 || w.C == 1 && w.H*w.W > 1 {
			return errors.New("dimensions of 1 do not lie between others")
		}
		if w.Op == OpArgMax && w.W != 1 {
			return fmt.Errorf("w is %d, but %s is over one dimension", w.W, w.Op)
		}
	case OpMatMul:
		if !fits(w.N, w.C, w.K) {
			return errTooLarge
		}
	case OpGroupNorm:
		if w.C%w.Group != 0 {
			return fmt.Errorf("group %d does not divide c %d", w.Group, w.C)
		}
	case OpAdd, OpSub, OpMul, OpDiv, OpPow, OpMin, OpMax:
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
	inH, inW, outH, outW := max(w.H, 1), max(w.W, 1), 1, 1
	if f&hasHeight != 0 {
		outH = w.OutH()
	}
	if f&hasWidth != 0 {
		outW = w.OutW()
	}
	if outH < 1 || outW < 1 {
		return fmt.Errorf("window %dx%d is larger than the padded input", w.R, w.S)
	}
	if !fits(w.N, w.C, inH, inW) || !fits(w.N, w.outC(), outH, outW) {
		return errTooLarge
	}
	return nil
}

// dimensions are the fields that are numbers, in the order of validate: the
// group that each is of, which is 0 for those that all have but Detail.
var dimensions = [...]struct {
	name  string
	of    fields
	least int
}{
	{"n", 0, 1}, {"c", 0, 1}, {"h", hasHeight, 1}, {"w", hasWidth, 1}, {"k", hasOutput, 1}, {"r", hasWindow, 1}, {"s", hasWindow, 1},
	{"stride height", hasStride, 1}, {"stride width", hasStride, 1},
	{"top padding", hasStride, 0}, {"left padding", hasStride, 0}, {"bottom padding", hasStride, 0}, {"right padding", hasStride, 0},
	{"dilation height", hasDilation, 1}, {"dilation width", hasDilation, 1}, {"group", hasGroup, 1},
}

func (w Workload) validateEpilogue(f fields) error {
	if f&hasEpilogue == 0 {
		if w.Epilogue != "" {
			return fmt.Errorf("epilogue %q, but %s has none", w.Epilogue, w.Op)
		}
		return nil
	}
	if w.Op == OpAttention {
		if !slices.Contains([]string{"none", "causal", "mask", "causal.mask"}, w.Epilogue) {
			return fmt.Errorf("unknown epilogue %q", w.Epilogue)
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
	switch s {
	case "none":
		return Epilogue{}, nil
	case "add":
		return Epilogue{Add: true}, nil
	}
	rest, add := strings.CutPrefix(s, "add.")
	if e := (Epilogue{Add: add, Activation: Op(rest)}); e.Activation.IsActivation() {
		return e, nil
	}
	return Epilogue{}, fmt.Errorf("unknown epilogue %q", s)
}
