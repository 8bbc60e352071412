package inference

import (
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/kernels"
	"pgregory.net/rapid"
)

// TestInt8 compares operators on bytes with their definitions, on every
// implementation of the kernels.
func TestInt8(t *testing.T) {
	best := kernels.Implementation()
	defer kernels.Use(best)
	for _, implementation := range kernels.Implementations() {
		t.Run(implementation, func(t *testing.T) {
			if err := kernels.Use(implementation); err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, testInt8)
		})
	}
}

func testInt8(t *rapid.T) {
	b := &plainGraph{Builder: graph.NewBuilder("int8"), t: t}
	d := rapid.SampledFrom([]graph.DType{graph.U8, graph.I8}).Draw(t, "type")
	n, c, h, w := b.draw("n", 1, 2), b.draw("c", 1, 9), b.draw("h", 3, 8), b.draw("w", 3, 8)
	quantize := func(x *graph.Value, scale float32, zero int) *graph.Value {
		return b.apply("QuantizeLinear", nil, x, b.scalar(scale), b.bytes(d, nil, zero))
	}
	x := quantize(b.Input("x", n, c, h, w), 0.02, 100)
	var y *graph.Value
	var kind graph.Kind
	switch b.draw("case", 0, 7) {
	case 0:
		kind = "QLinearConv"
		k, r, groups := b.draw("k", 1, 9), b.draw("r", 1, 3), 1
		if b.draw("depthwise", 0, 2) == 0 {
			k, groups = c, c
		}
		weights := rapid.SampledFrom([]graph.DType{graph.U8, graph.I8}).Draw(t, "weights")
		list := make([]int, k*(c/groups)*r*r)
		for i := range list {
			list[i] = b.draw("weight", -100, 100)
			if weights == graph.U8 {
				list[i] += 100
			}
		}
		scales := b.constant(k)
		for i := range scales.Data {
			scales.Data[i] = 0.001 * float32(i+1)
		}
		zeros := make([]int, k)
		if b.draw("zeros", 0, 1) == 1 {
			for i := range zeros {
				zeros[i] = b.draw("zero", 0, 100)
			}
		}
		bias := &graph.Value{Name: b.name(), Role: graph.RoleConstant}
		bias.Fill(operator.New(operator.I32, k))
		for i, v := range bias.Typed.([]int32) {
			bias.Typed.([]int32)[i] = v + int32(i*1000)
		}
		pad := int64(r / 2)
		y = b.apply("QLinearConv", operator.Attributes{"pads": []int64{pad, pad, pad, pad}, "group": int64(groups)},
			x, b.scalar(0.02), b.bytes(d, nil, 100), b.bytes(weights, []int{k, c / groups, r, r}, list...), scales, b.bytes(weights, []int{k}, zeros...),
			b.scalar(0.05), b.bytes(d, nil, 50), bias)
	case 1:
		kind = "MaxPool"
		pad := int64(b.draw("pad", 0, 1))
		y = b.apply("MaxPool", operator.Attributes{"kernel_shape": []int64{3, 3}, "pads": []int64{pad, pad, pad, pad}, "strides": []int64{2, int64(b.draw("stride", 1, 2))}}, x)
	case 2:
		kind = qlinearAdd
		z := quantize(b.Input("z", n, c, h, w), 0.0337, 110)
		y = b.apply(qlinearAdd, nil, x, b.scalar(0.02), b.bytes(d, nil, 100), z, b.scalar(0.0337), b.bytes(d, nil, 110), b.scalar(0.0413), b.bytes(d, nil, 90))
	case 3:
		kind = "QLinearMatMul"
		k := b.draw("k", 1, 9)
		list := make([]int, w*k)
		for i := range list {
			list[i] = b.draw("weight", -100, 100)
		}
		y = b.apply("QLinearMatMul", nil, x, b.scalar(0.02), b.bytes(d, nil, 100), b.bytes(graph.I8, []int{w, k}, list...), b.scalar(0.01), b.bytes(graph.I8, nil, 3),
			b.scalar(0.05), b.bytes(d, nil, 50))
	case 5:
		kind = "ConvInteger"
		k, r, groups := b.draw("k", 1, 9), b.draw("r", 1, 3), 1
		if b.draw("depthwise", 0, 2) == 0 {
			k, groups = c, c
		}
		list := make([]int, k*(c/groups)*r*r)
		for i := range list {
			list[i] = b.draw("weight", 0, 255)
		}
		zero := quantize(b.Input("zero", []int{}...), 0.02, 100) // computed
		pad := int64(r / 2)
		y = b.apply("ConvInteger", operator.Attributes{"pads": []int64{pad, pad, pad, pad}, "group": int64(groups)},
			x, b.bytes(graph.U8, []int{k, c / groups, r, r}, list...), zero, b.bytes(graph.U8, nil, 120))
	case 7:
		kind = "MatMulInteger"
		k := b.draw("k", 1, 9)
		list := make([]int, w*k)
		for i := range list {
			list[i] = b.draw("weight", -100, 100)
		}
		y = b.apply("MatMulInteger", nil, x, b.bytes(graph.I8, []int{w, k}, list...), quantize(b.Input("zero", []int{}...), 0.02, 100), b.bytes(graph.I8, nil, 3))
	case 6:
		kind = qgemm
		k := b.draw("k", 1, 9)
		list := make([]int, w*k)
		for i := range list {
			list[i] = b.draw("weight", -100, 100)
		}
		rows := b.apply("Reshape", nil, x, b.ints(n*c*h, w))
		in := []*graph.Value{rows, b.scalar(0.02), b.bytes(d, nil, 100), nil, b.scalar(0.01), b.bytes(graph.I8, nil, 3), nil}
		transB := b.draw("transB", 0, 1)
		in[3] = b.bytes(graph.I8, []int{w, k}, list...)
		if transB == 1 {
			in[3] = b.bytes(graph.I8, []int{k, w}, list...)
		}
		if b.draw("bias", 0, 1) == 1 {
			bias := &graph.Value{Name: b.name(), Role: graph.RoleConstant}
			bias.Fill(operator.New(operator.I32, k))
			for i := range k {
				bias.Typed.([]int32)[i] = int32(i*1000 - 2000)
			}
			in[6] = bias
		}
		if b.draw("bytes", 0, 1) == 1 {
			in = append(in, b.scalar(0.05), b.bytes(d, nil, 50))
		}
		y = b.apply(qgemm, operator.Attributes{"transB": int64(transB), "alpha": float32(0.7)}, in...)
	case 4:
		kind = "DequantizeLinear"
		y = b.apply("DequantizeLinear", nil, x, b.scalar(0.5), b.bytes(d, nil, 100))
	}
	if y.DType == graph.I32 && b.draw("cast", 0, 1) == 1 {
		y = b.apply("Cast", operator.Attributes{"to": int64(1)}, y)
		if b.draw("product", 0, 1) == 1 {
			y = b.apply("Mul", nil, y, b.scalar(0.01))
		}
	}
	g, err := b.Build(y)
	if err != nil {
		t.Fatal(err)
	}
	p := comparePlan(t, g)
	for _, s := range p.program.timed {
		if s.kind == kind && s.reference {
			t.Fatalf("%s is not done by a kernel", kind)
		}
	}
}

// bytes is a constant of bytes.
func (b *plainGraph) bytes(d graph.DType, shape []int, list ...int) *graph.Value {
	if shape == nil {
		shape = []int{}
	}
	t := operator.New(d, shape...)
	for i, x := range list {
		switch data := t.Data.(type) {
		case []uint8:
			data[i] = uint8(x)
		case []int8:
			data[i] = int8(x)
		}
	}
	v := &graph.Value{Name: b.name(), Role: graph.RoleConstant}
	v.Fill(t)
	return v
}
