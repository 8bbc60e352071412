package onnx

import (
	"errors"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// emit adds a plain node to the graph, or, where it works on constants alone,
// computes it now. out are the names of its outputs.
func (d *decoder) emit(name, op string, a operator.Attributes, in []*graph.Value, out []string) ([]*graph.Value, error) {
	if a == nil {
		a = operator.Attributes{}
	}
	args := make([]*operator.Argument, len(in))
	for i, v := range in {
		if v != nil {
			args[i] = &operator.Argument{Type: operator.Type{DType: v.DType, Shape: v.Shape}, Constant: v.Tensor()}
		}
	}
	types, err := operator.Infer(op, a, args, len(out))
	var c *operator.NotConstantError
	if errors.As(err, &c) && c.Input < len(in) {
		return nil, &NotConstantError{Inputs: d.origins(in[c.Input]), Err: err}
	}
	if err != nil {
		return nil, err
	}
	values := make([]*graph.Value, len(out))
	for i, t := range types {
		if out[i] == "" {
			continue
		}
		if err := d.charge(t.DType, t.Shape); err != nil {
			return nil, err
		}
		values[i] = &graph.Value{Name: out[i], DType: t.DType, Shape: t.Shape}
	}
	if d.folds(op, a, in, types) {
		return values, d.fold(op, a, in, types, values)
	}
	n := &graph.Node{
		Name: unique(d.nodes, name), Kind: graph.Kind(op), Inputs: in, Outputs: values,
		Attributes: graph.Attributes{Named: a},
	}
	d.decoded.Nodes = append(d.decoded.Nodes, n)
	for _, v := range values {
		if v != nil {
			d.producers[v] = n
		}
	}
	return values, nil
}

// origins are the inputs of the model that v is computed from.
func (d *decoder) origins(v *graph.Value) []string {
	var list []string
	seen := make(map[*graph.Value]bool)
	stack := []*graph.Value{v}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if v == nil || seen[v] || v.Role != graph.RoleNone {
			continue
		}
		seen[v] = true
		if n := d.producers[v]; n != nil {
			stack = append(stack, n.Inputs...)
		} else {
			list = append(list, v.Name)
		}
	}
	return list
}

// folds reports whether a node is to be computed now: where all it reads is
// constant and it is not too much work, and takes that out of the budget.
func (d *decoder) folds(op string, a operator.Attributes, in []*graph.Value, types []operator.Type) bool {
	switch op {
	case "Shape", "Size":
		return true
	case "DequantizeLinear", "com.microsoft.DequantizeLinear":
		return false // what is kept in few bits is computed with in few bits
	}
	if len(in) == 0 {
		return false // those that read nothing are random
	}
	read, made := 0, 0
	for _, v := range in {
		if v == nil {
			continue
		}
		if !v.Filled() {
			return false
		}
		read += v.Elements()
	}
	for _, t := range types {
		made += operator.Elements(t.Shape)
	}
	work := int64(read) + int64(made)
	switch op {
	case "MatMul", "Gemm", "MatMulInteger", "QLinearMatMul":
		if k := in[0].Shape; len(k) > 0 {
			work = int64(made) * int64(max(k[len(k)-1], k[0]))
		}
	default:
		// Others that are more than a pass over memory are rare on constants.
		if !onePass[op] {
			work = int64(made) * int64(max(read, 1))
		}
	}
	if made > read && made-read > d.generated || work > d.folding {
		return false
	}
	d.generated -= max(made-read, 0)
	d.folding -= work
	return true
}

// fold computes a node.
func (d *decoder) fold(op string, a operator.Attributes, in []*graph.Value, types []operator.Type, values []*graph.Value) error {
	switch op {
	case "Shape":
		start, err := a.Int("start", 0)
		if err != nil {
			return err
		}
		shape := in[0].Shape
		if start < 0 {
			start += len(shape)
		}
		start = min(max(start, 0), len(shape))
		return give(values[0], int64s(shape[start:min(start+operator.Elements(types[0].Shape), len(shape))]))
	case "Size":
		return give(values[0], []int64{int64(in[0].Elements())})
	}
	tensors := make([]*operator.Tensor, len(in))
	for i, v := range in {
		if v != nil {
			tensors[i] = v.Tensor()
		}
	}
	out := make([]*operator.Tensor, len(values))
	for i, v := range values {
		if v != nil {
			out[i] = operator.New(types[i].DType, types[i].Shape...)
		}
	}
	if err := operator.Run(op, a, tensors, out); err != nil {
		return err
	}
	for i, v := range values {
		if v != nil {
			v.Fill(out[i])
			v.Role = graph.RoleConstant
		}
	}
	return nil
}

// give makes v a constant of its type and shape.
func give(v *graph.Value, data []int64) error {
	v.Fill(&operator.Tensor{DType: operator.I64, Shape: v.Shape, Data: data})
	v.Role = graph.RoleConstant
	return v.Tensor().Check()
}

// onePass are operators that do a few operations for each element that they
// read or write.
var onePass = func() map[string]bool {
	m := make(map[string]bool)
	for _, op := range []string{
		"Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitwiseAnd", "BitwiseNot", "BitwiseOr",
		"BitwiseXor", "BitShift", "Cast", "CastLike", "Ceil", "Celu", "Clip", "Concat", "ConstantOfShape", "Cos", "Cosh",
		"DepthToSpace", "Div", "Elu", "Equal", "Erf", "Exp", "Expand", "EyeLike", "Flatten", "Floor", "Gather",
		"GatherElements", "GatherND", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "IsInf",
		"IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "LogSoftmax", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg",
		"NonZero", "Not", "OneHot", "Or", "PRelu", "Pad", "Pow", "QuantizeLinear", "Range", "Reciprocal", "ReduceL1",
		"ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
		"ReduceSumSquare", "Relu", "Reshape", "Round", "ScatterElements", "ScatterND", "Selu", "Shape", "Sigmoid", "Sign",
		"Sin", "Sinh", "Size", "Slice", "Softmax", "Softplus", "Softsign", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub",
		"Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Tile", "TopK", "Transpose", "Trilu", "Unsqueeze", "Where", "Xor",
		"CumSum", "LayerNormalization", "BatchNormalization",
	} {
		m[op] = true
	}
	return m
}()
