package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// FromWorkload is a graph whose only node does w, for measuring it alone.
// Weights are drawn from the seed, scaled so that the output has about the
// input's size. The inputs are x, for add and mul also y, and for an epilogue
// that adds, residual.
func FromWorkload(w Workload, seed uint64) (*Graph, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	kind, ok := kindOf(w.Op)
	if !ok {
		return nil, fmt.Errorf("workload %s: no node does %s", w, w.Op)
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
			b.parameter("weight", RoleWeight, w.K, w.C/w.Group, w.R, w.S), b.parameter("bias", RoleBias, w.K))
		a.Kernel = [2]int{}
	case OpLinear:
		inputs = append(inputs, b.parameter("weight", RoleWeight, w.K, w.C), b.parameter("bias", RoleBias, w.K))
	case OpAdd, OpMul:
		inputs = append(inputs, b.Input("y", w.N, w.K, w.R, w.S))
		a.Kernel = [2]int{}
	}
	if a.Epilogue.Add {
		inputs = append(inputs, b.Input("residual", w.N, w.K, w.OutH(), w.OutW()))
	}
	g, err := b.Build(b.Apply(kind, string(w.Op), a, inputs...))
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for _, v := range g.Parameters() {
		fanIn := v.Elements() / v.Shape[0]
		scale := math.Sqrt(3 / float64(fanIn)) // uniform of variance 1/fanIn
		v.Data = make([]float32, v.Elements())
		for i := range v.Data {
			v.Data[i] = float32(scale * (2*random.Float64() - 1))
		}
	}
	return g, nil
}

// kindOf is the node kind that does op.
func kindOf(op Op) (Kind, bool) {
	for _, k := range []Kind{Conv, Linear, Add, Mul, MaxPool, AveragePool, GlobalAveragePool, Softmax} {
		if o, _ := k.op(); o == op {
			return k, true
		}
	}
	k, ok := activationKind[op]
	return k, ok
}
