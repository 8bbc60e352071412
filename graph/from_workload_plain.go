package graph

import (
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// fromPlainWorkload is FromWorkload for what plain operators of ONNX do.
func fromPlainWorkload(w Workload, seed uint64) (*Graph, error) {
	p := plainBuilder{Builder: NewBuilder(w.String()), w: w}
	n := &Node{Name: string(w.Op), Attributes: Attributes{Named: operator.Attributes{}}}
	if w.Detail != "" {
		p.detail(n)
	} else if !p.fields(n) {
		return nil, fmt.Errorf("workload %s: no node does it", w)
	}
	if !operator.Defined(string(n.Kind)) {
		return nil, fmt.Errorf("workload %s: operator %s is not defined", w, n.Kind)
	}
	if len(p.graph.Inputs) == 0 {
		return nil, fmt.Errorf("workload %s: it reads constants only", w)
	}
	for _, v := range n.Outputs {
		if v != nil {
			p.define(v)
		}
	}
	if p.err == nil {
		p.err = n.InferShape()
	}
	p.graph.Nodes = append(p.graph.Nodes, n)
	var outputs []*Value
	for _, v := range n.Outputs {
		if v != nil {
			outputs = append(outputs, v)
		}
	}
	g, err := p.Build(outputs...)
	if err != nil {
		return nil, err
	}
	fillParameters(g, seed)
	return g, nil
}

// plainBuilder makes the values of a plain node.
type plainBuilder struct {
	*Builder
	w Workload
}

// input is a new one of the workload's type.
func (p *plainBuilder) input(name string, shape ...int) *Value {
	return p.inputOf(p.w.DType, name, shape...)
}

func (p *plainBuilder) inputOf(d DType, name string, shape ...int) *Value {
	v := p.Input(name, shape...)
	v.DType = d
	return v
}

// given is a parameter of the workload's type, to be drawn.
func (p *plainBuilder) given(name string, role Role, shape ...int) *Value {
	return p.givenOf(p.w.DType, name, role, shape...)
}

func (p *plainBuilder) givenOf(d DType, name string, role Role, shape ...int) *Value {
	v := p.Parameter(name, role, shape...)
	v.DType = d
	return v
}

// constant is a parameter with these elements.
func (p *plainBuilder) constant(name string, t *operator.Tensor) *Value {
	v := p.Parameter(name, RoleConstant)
	v.Fill(t)
	return v
}

// number is a scalar of the workload's type.
func (p *plainBuilder) number(name string, x float32) *Value {
	t := operator.New(p.w.DType)
	switch data := t.Data.(type) {
	case []float32:
		data[0] = x
	case []float64:
		data[0] = float64(x)
	case []uint16:
		data[0] = operator.ToHalf(p.w.DType, x)
	}
	return p.constant(name, t)
}

// scale is the number that a step of quantized values stands for.
func (p *plainBuilder) scale(name string, x float32, shape ...int) *Value {
	t := operator.New(F32, shape...)
	for i := range t.Data.([]float32) {
		t.Data.([]float32)[i] = x
	}
	return p.constant(name, t)
}

// zero is the byte that stands for 0, that of the middle.
func (p *plainBuilder) zero(name string, d DType) *Value {
	t := operator.New(d)
	if bytes, ok := t.Data.([]uint8); ok {
		bytes[0] = 128
	}
	return p.constant(name, t)
}

// fields makes n of a workload that has fields.
func (p *plainBuilder) fields(n *Node) bool {
	w, a := p.w, n.Attributes.Named
	d := w.DType
	bytes := d == U8 || d == I8
	out := d
	plane := []int{w.N, w.C, w.H, w.W}
	const step = 0.05
	switch op := w.Op; {
	case w.Op == OpConv2D:
		a["strides"] = int64s([]int{w.StrideH, w.StrideW})
		a["pads"] = int64s([]int{w.PadTop, w.PadLeft, w.PadBottom, w.PadRight})
		a["dilations"], a["group"] = int64s([]int{w.DilationH, w.DilationW}), int64(w.Group)
		weight := []int{w.K, w.C / w.Group, w.R, w.S}
		if w.Epilogue != "none" {
			return false
		}
		n.Kind = Conv
		if !bytes {
			n.Inputs = []*Value{p.input("x", plane...), p.given("weight", RoleWeight, weight...), p.given("bias", RoleBias, w.K)}
			break
		}
		n.Kind = "QLinearConv"
		n.Inputs = []*Value{
			p.input("x", plane...), p.scale("x_scale", step), p.zero("x_zero", d),
			p.givenOf(I8, "weight", RoleWeight, weight...), p.scale("weight_scale", 0.01, w.K), p.constant("weight_zero", operator.New(I8, w.K)),
			p.scale("y_scale", step), p.zero("y_zero", d), p.givenOf(I32, "bias", RoleBias, w.K),
		}
	case w.Op == OpLinear:
		if w.Epilogue != "none" {
			return false
		}
		if bytes {
			n.Kind = "QLinearMatMul"
			n.Inputs = []*Value{
				p.input("x", w.N, w.C), p.scale("x_scale", step), p.zero("x_zero", d),
				p.givenOf(I8, "weight", RoleWeight, w.C, w.K), p.scale("weight_scale", 0.01), p.zero("weight_zero", I8),
				p.scale("y_scale", step), p.zero("y_zero", d),
			}
			break
		}
		n.Kind = "Gemm"
		n.Inputs = []*Value{p.input("x", w.N, w.C), p.given("weight", RoleWeight, w.C, w.K), p.given("bias", RoleBias, w.K)}
	case w.Op == OpMatMul:
		n.Kind = "MatMul"
		x, y := p.input("x", w.N, w.H, w.C), p.input("y", w.N, w.C, w.K)
		n.Inputs = []*Value{x, y}
		if bytes {
			n.Kind = "QLinearMatMul"
			n.Inputs = []*Value{x, p.scale("x_scale", step), p.zero("x_zero", d), y, p.scale("y_scale", step), p.zero("y_zero", d),
				p.scale("z_scale", step), p.zero("z_zero", d)}
		}
	case w.Op == OpAttention:
		n.Kind = "Attention"
		a["q_num_heads"], a["kv_num_heads"] = int64(w.C), int64(w.K)
		n.Inputs = []*Value{p.input("q", w.N, w.H, w.C*w.R), p.input("k", w.N, w.W, w.K*w.R), p.input("v", w.N, w.W, w.K*w.S)}
		switch w.Epilogue {
		case "causal":
			a["is_causal"] = int64(1)
		case "causal.mask":
			a["is_causal"] = int64(1)
			fallthrough
		case "mask":
			n.Inputs = append(n.Inputs, p.input("mask", w.H, w.W))
		}
	case bytes && (op == OpAdd || op == OpMul):
		n.Kind = "com.microsoft.QLinearAdd"
		if op == OpMul {
			n.Kind = "com.microsoft.QLinearMul"
		}
		n.Inputs = []*Value{
			p.input("x", plane...), p.scale("x_scale", step), p.zero("x_zero", d),
			p.input("y", w.N, w.K, w.R, w.S), p.scale("y_scale", step), p.zero("y_zero", d),
			p.scale("z_scale", step), p.zero("z_zero", d),
		}
		if w.Epilogue != "none" {
			return false
		}
	case op.isBinary():
		n.Kind = Kind(operatorNames()[op])
		n.Inputs = []*Value{p.input("x", plane...), p.input("y", w.N, w.K, w.R, w.S)}
		if w.Epilogue != "" && w.Epilogue != "none" {
			return false
		}
	case op.isReduction():
		n.Kind = Kind(operatorNames()[op])
		n.Inputs = []*Value{p.input("x", plane...)}
		if op == OpArgMax {
			a["axis"], out = int64(1), I64
			break
		}
		n.Inputs = append(n.Inputs, p.constant("axes", &operator.Tensor{DType: I64, Shape: []int{2}, Data: []int64{1, 3}}))
	case op == OpClip:
		n.Kind = "Clip"
		n.Inputs = []*Value{p.input("x", plane...), p.number("low", -1), p.number("high", 1)}
	case op == OpQuantize:
		n.Kind, out = "QuantizeLinear", U8
		n.Inputs = []*Value{p.input("x", plane...), p.scale("scale", step), p.zero("zero", U8)}
	case op == OpDequantize:
		n.Kind, out = "DequantizeLinear", F32
		n.Inputs = []*Value{p.input("x", plane...), p.scale("scale", step), p.zero("zero", d)}
	case op == OpMaxPool || op == OpAvgPool:
		n.Kind = MaxPool
		if op == OpAvgPool {
			n.Kind = AveragePool
		}
		a["kernel_shape"], a["strides"] = int64s([]int{w.R, w.S}), int64s([]int{w.StrideH, w.StrideW})
		a["pads"] = int64s([]int{w.PadTop, w.PadLeft, w.PadBottom, w.PadRight})
		n.Inputs = []*Value{p.input("x", plane...)}
	case op == OpGlobalAvgPool && bytes:
		n.Kind = "com.microsoft.QLinearGlobalAveragePool"
		n.Inputs = []*Value{p.input("x", plane...), p.scale("x_scale", step), p.zero("x_zero", d), p.scale("y_scale", step), p.zero("y_zero", d)}
	case op == OpGlobalAvgPool:
		n.Kind = GlobalAveragePool
		n.Inputs = []*Value{p.input("x", plane...)}
	case op == OpSoftmax || op == OpLogSoftmax:
		n.Kind = Softmax
		if op == OpLogSoftmax {
			n.Kind = "LogSoftmax"
		}
		n.Inputs = []*Value{p.input("x", w.N, w.C)}
	case op == OpLayerNorm:
		n.Kind = "LayerNormalization"
		n.Inputs = []*Value{p.input("x", w.N, w.C), p.given("scale", RoleScale, w.C), p.given("shift", RoleShift, w.C)}
	case op == OpRMSNorm:
		n.Kind = "RMSNormalization"
		n.Inputs = []*Value{p.input("x", w.N, w.C), p.given("scale", RoleScale, w.C)}
	case op == OpGroupNorm || op == OpInstanceNorm:
		n.Kind = "InstanceNormalization"
		if op == OpGroupNorm {
			n.Kind, a["num_groups"] = "GroupNormalization", int64(w.Group)
		}
		n.Inputs = []*Value{p.input("x", plane...), p.given("scale", RoleScale, w.C), p.given("shift", RoleShift, w.C)}
	case op.isUnary():
		n.Kind = Kind(operatorNames()[op])
		n.Inputs = []*Value{p.input("x", plane...)}
	case op.IsActivation():
		m := activationNode(op)
		if m.Kind == Relu6 {
			n.Kind = "Clip"
			n.Inputs = []*Value{p.input("x", plane...), p.number("low", 0), p.number("high", 6)}
			break
		}
		n.Kind, n.Attributes.Named = m.Kind, m.NamedAttributes()
		n.Inputs = []*Value{p.input("x", plane...)}
	default:
		return false
	}
	n.Outputs = []*Value{{Name: string(w.Op), DType: out}}
	return true
}

// detail makes n of a workload that is described in full. What may be indices
// is zeros, and an input only where there is no other.
func (p *plainBuilder) detail(n *Node) {
	d := p.w.detail()
	n.Kind, n.Attributes.Named = Kind(operatorNames()[p.w.Op]), d.attributes
	isInput := func(t tensorDetail) bool {
		return !t.missing && t.values == nil && !t.constant && (t.dtype == p.w.DType || t.dtype.IsFloat())
	}
	indices := slices.ContainsFunc(d.inputs, isInput)
	for i, t := range d.inputs {
		var v *Value
		name := "x"
		if i > 0 {
			name = fmt.Sprint("x", i)
		}
		switch {
		case t.missing:
		case t.values != nil:
			v = p.constant(name, t.values)
		case t.constant:
			v = p.givenOf(t.dtype, name, RoleWeight, t.shape...)
		case indices && !isInput(t):
			v = p.givenOf(t.dtype, name, RoleConstant, t.shape...)
		default:
			v = p.inputOf(t.dtype, name, t.shape...)
		}
		n.Inputs = append(n.Inputs, v)
	}
	for i, t := range d.outputs {
		var v *Value
		if !t.missing {
			v = &Value{Name: fmt.Sprint("y", i), DType: t.dtype}
		}
		n.Outputs = append(n.Outputs, v)
	}
}
