package graph

import (
	"math"
	"math/rand/v2"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// FromWorkload is a graph whose only node does w, for measuring it alone.
// Weights are drawn from the seed, scaled so that the output has about the
// input's size. The inputs are x, for operators of two also y, and for an
// epilogue that adds, residual; those of attention q, k, v and mask.
func FromWorkload(w Workload, seed uint64) (*Graph, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	kind, ok := kindOf(w.Op)
	if !ok || w.DType != F32 || w.Detail != "" {
		return fromPlainWorkload(w, seed)
	}
	f, _ := w.Op.fields()
	b := NewBuilder(w.String())
	shape := []int{w.N, w.C}
	if f&hasPlane != 0 {
		shape = append(shape, w.H, w.W)
	}
	inputs := []*Value{b.Input("x", shape...)}
	a := Attributes{
		Kernel:   [2]int{w.R, w.S},
		Stride:   [2]int{w.StrideH, w.StrideW},
		Pad:      [4]int{w.PadTop, w.PadLeft, w.PadBottom, w.PadRight},
		Dilation: [2]int{w.DilationH, w.DilationW},
		Group:    w.Group,
		Axis:     1,
	}
	if f&hasEpilogue != 0 {
		a.Epilogue, _ = parseEpilogue(w.Epilogue) // Validate has parsed it
	}
	switch w.Op {
	case OpConv2D:
		inputs = append(inputs,
			b.Parameter("weight", RoleWeight, w.K, w.C/w.Group, w.R, w.S), b.Parameter("bias", RoleBias, w.K))
		a.Kernel = [2]int{}
	case OpLinear:
		inputs = append(inputs, b.Parameter("weight", RoleWeight, w.K, w.C), b.Parameter("bias", RoleBias, w.K))
	case OpAdd, OpMul:
		inputs = append(inputs, b.Input("y", w.N, w.K, w.R, w.S))
		a.Kernel = [2]int{}
	}
	if a.Epilogue.Add {
		shape := []int{w.N, w.K}
		if f&hasPlane != 0 {
			shape = append(shape, w.OutH(), w.OutW())
		}
		inputs = append(inputs, b.Input("residual", shape...))
	}
	g, err := b.Build(b.Apply(kind, string(w.Op), a, inputs...))
	if err != nil {
		return nil, err
	}
	fillParameters(g, seed)
	return g, nil
}

// fillParameters draws the parameters that have no data yet.
func fillParameters(g *Graph, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	for _, v := range g.Parameters() {
		if v.Filled() {
			continue
		}
		fanIn := max(v.Elements(), 1)
		if len(v.Shape) > 0 {
			fanIn = max(fanIn/max(v.Shape[0], 1), 1)
		}
		scale := math.Sqrt(3 / float64(fanIn)) // uniform of variance 1/fanIn
		data := make([]float32, v.Elements())
		for i := range data {
			data[i] = float32(scale * (2*random.Float64() - 1))
		}
		switch v.DType {
		case F32:
			v.Data = data
		case F16, BF16:
			bits := make([]uint16, len(data))
			for i, x := range data {
				bits[i] = operator.ToHalf(v.DType, x)
			}
			v.Typed = bits
		case I8:
			bytes := make([]int8, len(data))
			for i, x := range data {
				bytes[i] = int8(127 * x / float32(scale))
			}
			v.Typed = bytes
		case U8:
			bytes := make([]uint8, len(data))
			for i, x := range data {
				bytes[i] = uint8(128 + 127*x/float32(scale))
			}
			v.Typed = bytes
		default:
			v.Typed = operator.Make(v.DType, v.Elements()) // zeros are valid as indices, too
		}
	}
}

// kindOf is the node kind that does op.
func kindOf(op Op) (Kind, bool) {
	for _, k := range []Kind{Conv, Linear, Add, Mul, MaxPool, AveragePool, GlobalAveragePool, Softmax} {
		if o, _ := k.op(); o == op {
			return k, true
		}
	}
	if n := activationNode(op); n != nil && !n.Plain() {
		return n.Kind, true
	}
	return "", false
}
