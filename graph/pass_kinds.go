package graph

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph/operator"
)

var plainKinds = []Kind{
	Conv, BatchNormalization, Relu, "Clip", HardSwish, HardSigmoid, Sigmoid, Add, Mul, "Sub", "Div", "Sum", GlobalAveragePool, AveragePool, MaxPool,
	"MatMul", "Gemm", Flatten, Reshape, "Squeeze", "Unsqueeze", Softmax,
}

// assignKind makes a plain operator of ONNX one of the kinds that have
// attributes of their own, where it does no more than that.
func assignKind(r *rewriter, n *Node) (bool, error) {
	if !n.Plain() || len(n.Inputs) == 0 || !n.onlyFirstOutput() {
		return false, nil
	}
	for i, v := range n.Inputs {
		if v == nil || v.DType != F32 || !fits(v.Shape...) {
			// Shapes, bounds and the like have no part in the kind.
			if i == 0 || v != nil && v.Role == RoleNone || v == nil && n.Kind != "Clip" {
				return false, nil
			}
		}
	}
	if out := n.Outputs[0]; out == nil || out.DType != F32 || !fits(out.Shape...) {
		return false, nil
	}
	m := &Node{Name: n.Name, Kind: n.Kind, Inputs: n.Inputs, Outputs: n.Outputs}
	if !r.typedForm(n, m) || m.check() != nil {
		return false, nil
	}
	r.replace(n, m)
	return true, nil
}

// check reports a node whose output is not what its inputs give.
func (n *Node) check() error {
	var one [1]operator.Type
	types, err := n.outputTypes(one[:])
	if err != nil {
		return err
	}
	for i, v := range n.Outputs {
		if v != nil && (v.DType != types[i].DType || !slices.Equal(v.Shape, types[i].Shape)) {
			return n.errorf("output %d is %s %v, want %s %v", i, v.DType, v.Shape, types[i].DType, types[i].Shape)
		}
	}
	return nil
}

// typedForm completes m, the typed form of n.
func (r *rewriter) typedForm(n, m *Node) bool {
	x := n.Inputs[0]
	if op, ok := n.activation(); ok {
		m.Kind, ok = activationKind[op]
		m.Inputs = n.Inputs[:1]
		return ok
	}
	named := n.Attributes.Named
	a := &m.Attributes
	switch n.Kind {
	case Conv:
		var w Workload
		if len(x.Shape) != 4 || !given(n.Inputs[1:]...) || !n.fillConv(&w, n.Inputs[1]) {
			return false
		}
		a.setWindows(w)
		a.Kernel = [2]int{}
		a.Dilation, a.Group = [2]int{w.DilationH, w.DilationW}, w.Group
		m.Inputs = slices.Clone(n.Inputs)
		m.Inputs[1] = r.as(n.Inputs[1], RoleWeight)
		if len(m.Inputs) > 2 {
			m.Inputs[2] = r.as(n.Inputs[2], RoleBias)
		}
		return true
	case BatchNormalization:
		training, err := named.Int("training_mode", 0)
		if err != nil || training != 0 || len(n.Inputs) != 5 || !given(n.Inputs[1:]...) {
			return false
		}
		a.Epsilon, err = named.Float("epsilon", 1e-5)
		m.Inputs = []*Value{x}
		for i, role := range []Role{RoleScale, RoleShift, RoleMean, RoleVariance} {
			m.Inputs = append(m.Inputs, r.as(n.Inputs[i+1], role))
		}
		return err == nil
	case GlobalAveragePool:
		return len(x.Shape) == 4
	case MaxPool, AveragePool:
		w := Workload{Op: OpMaxPool}
		if n.Kind == AveragePool {
			w.Op = OpAvgPool
		}
		kernel, err := named.Ints("kernel_shape")
		if err != nil || len(x.Shape) != 4 || !n.fillWindows(&w, kernel) {
			return false
		}
		padding := w.PadTop + w.PadLeft + w.PadBottom + w.PadRight
		if counted, err := named.Int("count_include_pad", 0); err != nil || n.Kind == AveragePool && counted != 0 && padding > 0 {
			return false
		}
		a.setWindows(w)
		return true
	case Flatten:
		axis, err := named.Int("axis", 1)
		a.Axis = axis
		return err == nil
	case Reshape, "Squeeze", "Unsqueeze":
		m.Kind, m.Inputs, a.Shape = Reshape, n.Inputs[:1], n.Outputs[0].Shape
		return len(a.Shape) > 0
	case Softmax:
		axis, err := named.Int("axis", -1)
		a.Axis = axis
		return err == nil
	case Add, Mul, "Sub", "Div", "Sum":
		return r.typedBinary(n, m)
	case "MatMul":
		if len(x.Shape) < 2 || len(n.Inputs[1].Shape) != 2 || !given(n.Inputs[1]) {
			return false
		}
		m.Kind, a.Transposed = Linear, true
		m.Inputs = []*Value{x, r.as(n.Inputs[1], RoleWeight)}
		return true
	case "Gemm":
		return r.typedGemm(n, m)
	}
	return false
}

// setWindows takes the window, strides and padding of w.
func (a *Attributes) setWindows(w Workload) {
	a.Kernel, a.Stride = [2]int{w.R, w.S}, [2]int{w.StrideH, w.StrideW}
	a.Pad = [4]int{w.PadTop, w.PadLeft, w.PadBottom, w.PadRight}
}

// given reports whether all values are parameters or constants.
func given(values ...*Value) bool {
	return !slices.ContainsFunc(values, func(v *Value) bool { return v == nil || v.Role == RoleNone })
}

// typedBinary makes sums and products of which one operand has the result's
// shape. Of constants, those subtracted or divided by are turned into such.
func (r *rewriter) typedBinary(n, m *Node) bool {
	if len(n.Inputs) != 2 {
		return false
	}
	x, y, out := n.Inputs[0], n.Inputs[1], n.Outputs[0].Shape
	switch n.Kind {
	case "Sum":
		m.Kind = Add
	case "Sub", "Div":
		if !given(y) || y.Data == nil {
			return false
		}
		m.Kind = Add
		invert := func(x float32) float32 { return -x }
		if n.Kind == "Div" {
			if exact := slices.ContainsFunc(y.Data, func(x float32) bool { return x == 0 }); exact {
				return false
			}
			m.Kind = Mul
			invert = func(x float32) float32 { return float32(1 / float64(x)) }
		}
		inverse := make([]float32, len(y.Data))
		for i, v := range y.Data {
			inverse[i] = invert(v)
		}
		y = r.parameter(y.Name+".inverse", RoleConstant, inverse, y.Shape...)
	default:
		if !slices.Equal(x.Shape, out) || given(x) && !given(y) && slices.Equal(y.Shape, out) {
			x, y = y, x
		}
	}
	if !slices.Equal(x.Shape, out) || len(y.Shape) > len(out) {
		return false
	}
	if len(y.Shape) < len(out) {
		if !given(y) {
			return false
		}
		y = r.shaped(y, append(slices.Repeat([]int{1}, len(out)-len(y.Shape)), y.Shape...))
	}
	m.Inputs = []*Value{x, y}
	return len(out) > 0
}

// shaped is a constant with the same elements in another shape.
func (r *rewriter) shaped(v *Value, shape []int) *Value {
	copied := *v
	copied.Shape = shape
	if r.uses(v) > 1 {
		copied.Name = r.free(v.Name)
	}
	return &copied
}

// typedGemm makes a product with a constant matrix, with or without a bias.
func (r *rewriter) typedGemm(n, m *Node) bool {
	named := n.Attributes.Named
	transA, err := named.Int("transA", 0)
	transB, err2 := named.Int("transB", 0)
	alpha, err3 := named.Float("alpha", 1)
	beta, err4 := named.Float("beta", 1)
	weight := n.Inputs[1]
	if err != nil || err2 != nil || err3 != nil || err4 != nil || transA != 0 || !given(n.Inputs[1:]...) {
		return false
	}
	m.Kind, m.Attributes.Transposed = Linear, transB == 0
	weight = r.scaled(weight, alpha, RoleWeight)
	if weight == nil {
		return false
	}
	m.Inputs = []*Value{n.Inputs[0], weight}
	if len(n.Inputs) < 3 || beta == 0 {
		return true
	}
	bias, features := n.Inputs[2], n.Outputs[0].Shape[1]
	if d := bias.Shape; bias.Elements() != features || len(d) > 0 && d[len(d)-1] != features {
		if bias.Elements() != 1 || bias.Data == nil {
			return false
		}
		bias = r.parameter(bias.Name, RoleBias, slices.Repeat(bias.Data, features), features)
	}
	if len(bias.Shape) != 1 {
		bias = r.shaped(bias, []int{features})
	}
	if bias = r.scaled(bias, beta, RoleBias); bias == nil {
		return false
	}
	m.Inputs = append(m.Inputs, bias)
	return true
}

// scaled is a parameter times a factor; nil where it has no data to multiply.
func (r *rewriter) scaled(v *Value, factor float32, role Role) *Value {
	if factor == 1 {
		return r.as(v, role)
	}
	if v.Data == nil {
		return nil
	}
	data := make([]float32, len(v.Data))
	for i, x := range v.Data {
		data[i] = factor * x
	}
	return r.parameter(v.Name+".scaled", role, data, v.Shape...)
}

// int64Tensor is a vector of whole numbers.
func int64Tensor(x ...int64) *operator.Tensor {
	return &operator.Tensor{DType: I64, Shape: []int{len(x)}, Data: x}
}
