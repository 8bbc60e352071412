package inference

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// plainKernels bind plain operators of ONNX to kernels. They return nil for a
// use of the operator that no kernel does. The nodes are valid: their
// attributes have the right types, and their shapes fit.
var plainKernels map[graph.Kind]func(n *graph.Node) *step

func init() {
	plainKernels = map[graph.Kind]func(n *graph.Node) *step{
		"MatMul": onFloats(bindMatMul),
		"Gemm":   onFloats(bindGemm),

		"Conv":          onFloats(bindPlainConv),
		"ConvTranspose": onFloats(bindConvTranspose),
		"MaxPool":       onFloats(bindPlainPool),
		"AveragePool":   onFloats(bindPlainPool),

		"GlobalAveragePool": onFloats(bindPlainGlobalPool),
		"GlobalMaxPool":     onFloats(bindPlainGlobalPool),

		"LayerNormalization":    onFloats(bindLayerNorm),
		"RMSNormalization":      onFloats(bindRMSNorm),
		"GroupNormalization":    onFloats(bindGroupNorm),
		"InstanceNormalization": onFloats(bindGroupNorm),
		"BatchNormalization":    onFloats(bindBatchNorm),
		"Softmax":               onFloats(bindSoftmax),
		"LogSoftmax":            onFloats(bindSoftmax),

		"Attention": bindAttention,

		"Transpose": onFloats(bindTranspose),
		"Concat":    onFloats(bindConcat),
		"Expand":    bindExpand,
		"Slice":     bindSlice,
		"Split":     bindSplit,
		"Pad":       bindPad,
		"Gather":    bindGather,
		"Resize":    bindResize,
		"ArgMax":    bindArgMax,

		"QLinearMatMul":         bindQLinearMatMul,
		"MatMulInteger":         bindMatMulInteger,
		qgemm:                   bindQGemm,
		"QuantizeLinear":        bindQuantize,
		"DequantizeLinear":      bindDequantize,
		"DynamicQuantizeLinear": bindDynamicQuantize,
		qlinearAdd:              bindQLinearAdd,
		"Cast":                  bindCast,

		"Clip": onFloats(bindClip),
		"Pow":  onFloats(bindPow),
	}
	for kind, act := range map[graph.Kind]kernels.Activation{
		"Relu": kernels.ReLU, "Sigmoid": kernels.Sigmoid, "Tanh": kernels.Tanh, "HardSwish": kernels.HardSwish,
	} {
		plainKernels[kind] = onFloats(func(n *graph.Node) *step {
			return rowwise(n, func(dst, src []float32) { kernels.Activate(act, dst, src) })
		})
	}
	for kind, f := range map[graph.Kind]func(dst, src []float32){
		"Abs": kernels.Abs, "Neg": kernels.Neg, "Reciprocal": kernels.Reciprocal, "Sqrt": kernels.Sqrt,
		"Exp": kernels.Exp, "Log": kernels.Log, "Erf": kernels.Erf,
	} {
		plainKernels[kind] = onFloats(func(n *graph.Node) *step { return rowwise(n, f) })
	}
	for kind, bind := range map[graph.Kind]func(n *graph.Node) *step{
		"Gelu": bindGelu, "Swish": bindSwish, "HardSigmoid": bindHardSigmoid, "LeakyRelu": bindLeakyRelu,
	} {
		plainKernels[kind] = onFloats(bind)
	}
	for kind, op := range map[graph.Kind]kernels.Operation{
		"Add": kernels.OpAdd, "Sub": kernels.OpSub, "Mul": kernels.OpMul, "Div": kernels.OpDiv,
		"Max": kernels.OpMax, "Min": kernels.OpMin, "Sum": kernels.OpAdd,
	} {
		plainKernels[kind] = onFloats(func(n *graph.Node) *step { return bindOperation(n, op) })
	}
	for kind, how := range map[graph.Kind]kernels.Reduction{
		"ReduceSum": kernels.ReduceSum, "ReduceMean": kernels.ReduceMean, "ReduceMax": kernels.ReduceMax,
		"ReduceMin": kernels.ReduceMin, "ReduceProd": kernels.ReduceProduct,
		"ReduceSumSquare": kernels.ReduceSumSquares, "ReduceL2": kernels.ReduceL2,
	} {
		plainKernels[kind] = func(n *graph.Node) *step { return bindReduce(n, how) }
	}
}

// onFloats is bind for nodes all of whose values are of single precision.
func onFloats(bind func(n *graph.Node) *step) func(n *graph.Node) *step {
	return func(n *graph.Node) *step {
		if !isFloat(n.Inputs...) || !isFloat(n.Outputs...) {
			return nil
		}
		return bind(n)
	}
}

// bindPlain returns the work of a plain operator.
func bindPlain(n *graph.Node, l layouts) *step {
	if n.Outputs[0] != nil && l[n.Outputs[0]] == pixels {
		switch n.Kind {
		case "QLinearConv":
			return bindQLinearConv(n)
		case "ConvInteger":
			return bindConvInteger(n, false)
		case "MaxPool":
			return bindBytePool(n)
		}
	}
	if bind := plainKernels[n.Kind]; bind != nil && kernelShapes(n) {
		if s := bind(n); s != nil {
			return s
		}
	}
	return reference(n)
}

// kernelShapes reports whether kernels take values of these shapes: none
// without elements, and none of too many dimensions.
func kernelShapes(n *graph.Node) bool {
	for i, v := range slices.Concat(n.Inputs, n.Outputs) {
		if v != nil && (len(v.Shape) > maxRank || v.Elements() == 0 && (i == 0 || i >= len(n.Inputs))) {
			return false
		}
	}
	return n.Outputs[0] != nil
}

// input is the i-th input of n, nil where it is left out.
func input(n *graph.Node, i int) *graph.Value {
	if i >= len(n.Inputs) {
		return nil
	}
	return n.Inputs[i]
}

// constant reports whether v is given with its data.
func constant(v *graph.Value) bool { return v != nil && v.Role != graph.RoleNone && v.Filled() }

// constantInts are the elements of an integer constant; false where v is left
// out or computed.
func constantInts(v *graph.Value) ([]int, bool) {
	if !constant(v) {
		return nil, false
	}
	wide, ok := v.Tensor().Ints()
	list := make([]int, len(wide))
	for i, x := range wide {
		list[i] = int(max(min(x, math.MaxInt32), math.MinInt32))
	}
	return list, ok
}

// constantFloat is the only element of a constant of single precision, missing
// where v is left out; false where it is computed.
func constantFloat(v *graph.Value, missing float32) (float32, bool) {
	switch {
	case v == nil:
		return missing, true
	case !constant(v) || v.DType != graph.F32 || len(v.Data) != 1:
		return 0, false
	}
	return v.Data[0], true
}

// intOf, floatOf, stringOf and intsOf are attributes of a valid node.
func intOf(n *graph.Node, name string, missing int) int {
	v, _ := n.Attributes.Named.Int(name, missing)
	return v
}

func floatOf(n *graph.Node, name string, missing float32) float32 {
	v, _ := n.Attributes.Named.Float(name, missing)
	return v
}

func stringOf(n *graph.Node, name, missing string) string {
	v, _ := n.Attributes.Named.String(name, missing)
	return v
}

func intsOf(n *graph.Node, name string) []int {
	v, _ := n.Attributes.Named.Ints(name)
	return v
}

// axisOf is the attribute "axis" of a node counted from the front.
func axisOf(n *graph.Node, missing, rank int) int {
	a := intOf(n, "axis", missing)
	if a < 0 {
		a += rank
	}
	return a
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
