package graph

import (
	"math/rand/v2"
	"testing"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// plainNames holds workloads of plain operators with costs worked out by hand.
var plainNames = []struct {
	name          string
	macs, params  int64
	read, written int64 // bytes
}{
	{"matmul/f32/n12c64h128/k32", 12 * 64 * 128 * 32, 0, 4 * 12 * (128*64 + 64*32), 4 * 12 * 128 * 32},
	{"matmul/u8/n2c8h3/k5", 2 * 8 * 3 * 5, 0, 2 * (24 + 40), 30},
	{"attention/f32/n2c6h10w12/k3r8s4/none", 2 * 6 * 10 * 12 * (8 + 4), 0, 4 * 2 * (6*10*8 + 3*12*8 + 3*12*4), 4 * 2 * 6 * 10 * 4},
	{"attention/f32/n1c2h5w5/k2r4s4/causal", 2 * 25 * 8, 0, 4 * 3 * 40, 160},
	{"attention/f32/n1c2h5w6/k2r4s4/mask", 2 * 30 * 8, 0, 4 * (40 + 48 + 48 + 30), 160},
	{"sub/f32/n1c3h4w5/k3r1s1", 0, 0, 4 * (60 + 3), 240},
	{"div/f16/n2c3h1w1/k1r1s1", 0, 0, 2 * (6 + 2), 12},
	{"pow/f32/n2c3h4w1/k3r4s1", 0, 0, 4 * 48, 96},
	{"min/i64/n2c3h4w1/k3r4s1", 0, 0, 8 * 48, 192},
	{"max/f32/n2c3h4w1/k3r4s1", 0, 0, 4 * 48, 96},
	{"add/i64/n1c3h1w1/k3r1s1/none", 0, 0, 48, 24},
	{"mul/f16/n1c3h1w1/k3r1s1/none", 0, 0, 12, 6},
	{"silu/f32/n1c2h3w4", 0, 0, 96, 96},
	{"gelu/f32/n1c2h3w4", 0, 0, 96, 96},
	{"gelutanh/f32/n1c2h3w4", 0, 0, 96, 96},
	{"tanh/f32/n1c2h3w4", 0, 0, 96, 96},
	{"relu6/f16/n1c2h3w4", 0, 0, 48, 48},
	{"hsigmoid/f16/n1c2h3w4", 0, 0, 48, 48},
	{"erf/f32/n1c2h3w4", 0, 0, 96, 96},
	{"exp/f32/n1c2h3w4", 0, 0, 96, 96},
	{"log/f32/n1c2h3w4", 0, 0, 96, 96},
	{"sqrt/f32/n1c2h3w4", 0, 0, 96, 96},
	{"reciprocal/f32/n1c2h3w4", 0, 0, 96, 96},
	{"neg/i64/n1c2h3w4", 0, 0, 192, 192},
	{"abs/f32/n1c2h3w4", 0, 0, 96, 96},
	{"clip/f32/n1c2h3w4", 0, 0, 96, 96},
	{"quantize/f32/n1c2h3w4", 0, 0, 96, 24},
	{"dequantize/u8/n1c2h3w4", 0, 0, 24, 96},
	{"softmax/f16/n3c10", 0, 0, 60, 60},
	{"logsoftmax/f32/n3c10", 0, 0, 120, 120},
	{"layernorm/f32/n3c10", 0, 20, 4 * (30 + 20), 120},
	{"rmsnorm/f32/n3c10", 0, 10, 4 * (30 + 10), 120},
	{"groupnorm/f32/n2c6h3w3/group3", 0, 12, 4 * (108 + 12), 432},
	{"instancenorm/f32/n2c6h3w3", 0, 12, 4 * (108 + 12), 432},
	{"reducemean/f32/n2c3h4w5", 0, 0, 4 * 120, 32},
	{"reducesum/f32/n1c6h1w1", 0, 0, 24, 4},
	{"reducemax/f32/n2c3h4w1", 0, 0, 4 * 24, 32},
	{"reducemin/f32/n2c3h4w1", 0, 0, 4 * 24, 32},
	{"argmax/f32/n2c3h4w1", 0, 0, 4 * 24, 64},
	{"conv2d/f16/n1c4h5w5/k6r3s3/stride1.pad1.dil1.group2/none", 25 * 6 * 2 * 9, 6*2*9 + 6, 2 * (100 + 108 + 6), 300},
	{"conv2d/u8/n1c4h5w5/k6r3s3/stride1.pad1.dil1.group1/none", 25 * 6 * 4 * 9, 6*4*9 + 6, 100 + 216 + 4*6, 150},
	{"conv2d/i8/n1c4h5w5/k6r1s1/stride2.pad0.dil1.group1/none", 9 * 6 * 4, 30, 100 + 24 + 4*6, 54},
	{"linear/u8/n3c4/k5/none", 60, 25, 12 + 20 + 4*5, 15},
	{"add/u8/n1c4h5w5/k4r5s5/none", 0, 0, 200, 100},
	{"mul/i8/n1c4h5w5/k4r1s1/none", 0, 0, 104, 100},
	{"globalavgpool/u8/n1c4h6w6", 0, 0, 144, 4},
	{"linear/f16/n3c4/k5/none", 60, 25, 2 * (12 + 25), 30},
	{"maxpool/u8/n1c4h6w6/r3s3/stride2.pad1", 0, 0, 144, 36},
	{"globalavgpool/f16/n1c4h6w6", 0, 0, 288, 8},
	{"convtranspose/f32/1x4x5x5+c4x3x2x2+c3/1x3x10x10/strides=[2:2]", 4 * 25 * 12, 51, 4 * (100 + 51), 1200},
	{"conv/f32/1x2x4x4x4+c3x2x3x3x3/1x3x2x2x2/-", 24 * 54, 162, 4 * (128 + 162), 96},
	{"transpose/f32/2x3x4/3x2x4/perm=[1:0:2]", 0, 0, 96, 96},
	{"concat/f32/1x2x3+1x4x3/1x6x3/axis=1", 0, 0, 72, 72},
	{"gather/f32/c100x8+i64:1x5/1x5x8/-", 0, 800, 4*40 + 40, 160},
	{"gather/f32/4x8+i64:scalar/8/-", 0, 0, 40, 32},
	{"slice/f32/4x8+i64[0]+i64[2]+i64[1]/4x2/-", 0, 0, 32, 32},
	{"pad/f32/1x2x3+i64[0:0:1:0:0:1]/1x2x5/mode=reflect", 0, 0, 24, 40},
	{"resize/f32/1x1x4x4+_+f32[1.0:1.0:2.0:2.0]/1x1x8x8/coordinate_transformation_mode=asymmetric,mode=nearest", 0, 0, 64, 256},
	{"cast/i64/6/f32:6/to=1", 0, 0, 48, 24},
	{"greater/f32/2x3+3/bool:2x3/-", 0, 0, 36, 6},
	{"where/bool/2x3+f32:2x3+f32:scalar/f32:2x3/-", 0, 0, 6 + 24 + 4, 24},
	{"split/f32/4x6+i64[2:4]/4x2+4x4/axis=1", 0, 0, 32, 96},
	{"lstm/f32/5x1x3+c1x16x3+c1x16x4+c1x32/_+1x1x4/hidden_size=4", 5 * 16 * 7, 16*7 + 32, 4 * (15 + 16*7 + 32), 16},
	{"gru/f32/5x1x3+c1x12x3+c1x12x4/5x1x1x4/hidden_size=4", 5 * 12 * 7, 84, 4 * (15 + 84), 80},
	{"rnn/f32/5x1x3+c1x4x3+c1x4x4/5x1x1x4/hidden_size=4", 5 * 4 * 7, 28, 4 * (15 + 28), 80},
	{"einsum/f32/2x3x4+2x4x5/2x3x5/equation=bij%2Cbjk-%3Ebik", 2 * 3 * 4 * 5, 0, 4 * (24 + 40), 120},
	{"softmax/f32/2x3x4/2x3x4/axis=1", 0, 0, 96, 96},
	{"add/f32/3x1+1x4/3x4/-", 0, 0, 28, 48},
	{"convinteger/u8/1x2x4x4+i8:3x2x3x3/i32:1x3x2x2/-", 12 * 18, 0, 32 + 54, 48},
	{"matmulinteger/u8/2x3+i8:3x4+scalar/i32:2x4/-", 24, 0, 6 + 12 + 1, 32},
	{"leakyrelu/f32/2x3/2x3/-", 0, 0, 24, 24},
}

// TestPlainWorkloads checks names, costs and that there is a graph to run for
// each name.
func TestPlainWorkloads(t *testing.T) {
	for _, c := range plainNames {
		t.Run(c.name, func(t *testing.T) {
			w, err := ParseWorkload(c.name)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.String(); got != c.name {
				t.Errorf("prints as %s", got)
			}
			if w.MACs() != c.macs || w.Params() != c.params {
				t.Errorf("%d MACs and %d parameters, want %d and %d", w.MACs(), w.Params(), c.macs, c.params)
			}
			if w.BytesRead() != c.read || w.BytesWritten() != c.written {
				t.Errorf("%d bytes read and %d written, want %d and %d", w.BytesRead(), w.BytesWritten(), c.read, c.written)
			}
			g, err := FromWorkload(w, 1)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := g.Nodes[0].Workload(); got != w {
				t.Fatalf("its graph does %s", got)
			}
			if _, err := compute(g, randomInputs(g, 1)); err != nil {
				t.Fatal(err)
			}
			fused, err := Fuse(g)
			if err != nil {
				t.Fatal(err)
			}
			list, err := fused.Workloads()
			if err != nil {
				t.Fatal(err)
			}
			if len(list) != 1 || list[0].MACs() != w.MACs() {
				t.Errorf("optimized, its graph does %v", list)
			}
		})
	}
}

// randomInputs are tensors for the inputs of a graph: normal numbers, small
// whole numbers, any bytes.
func randomInputs(g *Graph, seed uint64) map[*Value]*operator.Tensor {
	random := rand.New(rand.NewPCG(seed, 3))
	in := make(map[*Value]*operator.Tensor)
	for _, v := range g.Inputs {
		t := operator.New(v.DType, v.Shape...)
		switch data := t.Data.(type) {
		case []float32:
			for i := range data {
				data[i] = float32(random.NormFloat64())
			}
		case []float64:
			for i := range data {
				data[i] = random.NormFloat64()
			}
		case []uint16:
			for i := range data {
				data[i] = operator.ToHalf(v.DType, float32(random.NormFloat64()))
			}
		case []uint8:
			for i := range data {
				data[i] = uint8(random.IntN(256))
			}
		case []int8:
			for i := range data {
				data[i] = int8(random.IntN(256) - 128)
			}
		case []int64:
			for i := range data {
				data[i] = random.Int64N(3)
			}
		case []bool:
			for i := range data {
				data[i] = random.IntN(2) == 0
			}
		}
		in[v] = t
	}
	return in
}

// compute runs a graph by [Node.Compute].
func compute(g *Graph, in map[*Value]*operator.Tensor) ([]*operator.Tensor, error) {
	values := make(map[*Value]*operator.Tensor)
	for v, t := range in {
		values[v] = t
	}
	for _, v := range g.Parameters() {
		values[v] = v.Tensor()
	}
	for _, n := range g.Nodes {
		args := make([]*operator.Tensor, len(n.Inputs))
		for i, v := range n.Inputs {
			if v != nil {
				args[i] = values[v]
			}
		}
		out, err := n.Compute(args)
		if err != nil {
			return nil, err
		}
		for i, v := range n.Outputs {
			if v != nil {
				values[v] = out[i]
			}
		}
	}
	out := make([]*operator.Tensor, len(g.Outputs))
	for i, v := range g.Outputs {
		out[i] = values[v]
		if v.Role != RoleNone {
			out[i] = v.Tensor()
		}
	}
	return out, nil
}

// TestNodeWorkload checks that equal work of plain nodes has one name.
func TestNodeWorkload(t *testing.T) {
	shape := func(dims ...int) *Value { return &Value{Name: "x", DType: F32, Shape: dims} }
	typed := func(d DType, v *Value) *Value { v.DType = d; return v }
	given := func(dims ...int) *Value {
		v := shape(dims...)
		v.Role, v.Data = RoleConstant, make([]float32, v.Elements())
		return v
	}
	ints := func(x ...int64) *Value {
		return &Value{Name: "i", DType: I64, Shape: []int{len(x)}, Typed: x, Role: RoleConstant}
	}
	for _, c := range []struct {
		kind       Kind
		attributes operator.Attributes
		inputs     []*Value
		want       string // empty: no work
	}{
		{"Add", nil, []*Value{shape(2, 196, 192), given(192)}, "add/f32/n1c392h192w1/k1r192s1/none"},
		{"Add", nil, []*Value{given(192), shape(2, 196, 192)}, "add/f32/n1c392h192w1/k1r192s1/none"},
		{"Add", nil, []*Value{shape(1, 8, 5, 5), shape(1, 8, 5, 5)}, "add/f32/n1c8h5w5/k8r5s5/none"},
		{"Mul", nil, []*Value{shape(4, 8, 5, 5), given(8, 1, 1)}, "mul/f32/n1c4h8w25/k1r8s1/none"},
		{"Mul", nil, []*Value{shape(1, 8, 5, 5), given(8, 1, 1)}, "mul/f32/n8c25h1w1/k1r1s1/none"},
		{"Sub", nil, []*Value{shape(2, 3, 4, 5, 6), given(1)}, "sub/f32/n1c720h1w1/k1r1s1"},
		{"Sub", nil, []*Value{shape(3, 1), shape(1, 4)}, "sub/f32/3x1+1x4/3x4/-"},
		{"Relu", nil, []*Value{shape(2, 3)}, "relu/f32/n2c3h1w1"},
		{"Clip", nil, []*Value{shape(2, 3), nil, nil}, "clip/f32/n2c3h1w1"},
		{"Identity", nil, []*Value{shape(2, 3)}, ""},
		{"Reshape", nil, []*Value{shape(2, 3), ints(6)}, ""},
		{"Transpose", operator.Attributes{"perm": []int64{0, 2, 1, 3}}, []*Value{shape(1, 128, 12, 64)}, "transpose/f32/128x12x64/12x128x64/perm=[1:0:2]"},
		{"Transpose", nil, []*Value{shape(4, 5)}, "transpose/f32/4x5/5x4/perm=[1:0]"},
		{"Transpose", operator.Attributes{"perm": []int64{2, 3, 0, 1}}, []*Value{shape(2, 3, 4, 5)}, "transpose/f32/6x20/20x6/perm=[1:0]"},
		{"Transpose", operator.Attributes{"perm": []int64{1, 0, 2}}, []*Value{shape(1, 3, 4)}, ""},
		{"Cast", operator.Attributes{"to": int64(7)}, []*Value{shape(2, 3)}, "cast/f32/6/i64:6/to=7"},
		{"Conv", nil, []*Value{shape(1, 80, 300), given(384, 80, 3)}, "conv2d/f32/n1c80h1w300/k384r1s3/stride1.pad0.dil1.group1/none"},
		{"Conv", operator.Attributes{"auto_pad": "SAME_UPPER", "strides": []int64{2, 2}}, []*Value{shape(1, 3, 8, 8), given(4, 3, 3, 3)},
			"conv2d/f32/n1c3h8w8/k4r3s3/stride2.pad0x0x1x1.dil1.group1/none"},
		{"MatMul", nil, []*Value{shape(2, 5, 8), given(8, 4)}, "linear/f32/n10c8/k4/none"},
		{"MatMul", nil, []*Value{shape(2, 5, 8), shape(8, 4)}, "matmul/f32/n1c8h10/k4"},
		{"MatMul", nil, []*Value{shape(2, 3, 5, 8), shape(2, 3, 8, 4)}, "matmul/f32/n6c8h5/k4"},
		{"Gemm", operator.Attributes{"transB": int64(1)}, []*Value{shape(5, 8), given(4, 8), given(4)}, "linear/f32/n5c8/k4/none"},
		{"Softmax", nil, []*Value{shape(2, 3, 4)}, "softmax/f32/n6c4"},
		{"Softmax", operator.Attributes{"axis": int64(1)}, []*Value{shape(2, 3, 4)}, "softmax/f32/2x3x4/2x3x4/axis=1"},
		{"LayerNormalization", operator.Attributes{"axis": int64(1)}, []*Value{shape(2, 3, 4), given(3, 4)}, "layernorm/f32/n2c12"},
		{"ReduceMean", nil, []*Value{shape(2, 3, 4), ints(-1)}, "reducemean/f32/n6c4h1w1"},
		{"ReduceMean", operator.Attributes{"keepdims": int64(0)}, []*Value{shape(2, 3, 4), ints(0, 1)}, "reducemean/f32/n1c6h4w1"},
		{"ReduceMean", nil, []*Value{shape(2, 3, 4)}, "reducemean/f32/n1c24h1w1"},
		{"ReduceSum", nil, []*Value{shape(2, 3, 4, 5), ints(0, 2)}, "reducesum/f32/2x3x4x5+i64[0:2]/1x3x1x5/-"},
		{"Gather", operator.Attributes{"axis": int64(0)}, []*Value{given(9, 4), typed(I64, shape(1, 5))}, "gather/f32/c9x4+i64:1x5/1x5x4/-"},
		{"MaxPool", operator.Attributes{"kernel_shape": []int64{3}, "strides": []int64{2}}, []*Value{shape(1, 2, 9)},
			"maxpool/f32/n1c2h1w9/r1s3/stride1x2.pad0"},
		{"Attention", operator.Attributes{"q_num_heads": int64(2), "kv_num_heads": int64(2), "is_causal": int64(1)},
			[]*Value{shape(1, 5, 8), shape(1, 5, 8), shape(1, 5, 8)}, "attention/f32/n1c2h5w5/k2r4s4/causal"},
	} {
		if c.attributes == nil {
			c.attributes = operator.Attributes{}
		}
		for i, v := range c.inputs {
			if v != nil {
				v.Name = string(rune('a' + i))
			}
		}
		n := &Node{Name: "n", Kind: c.kind, Inputs: c.inputs, Outputs: []*Value{{Name: "y"}}, Attributes: Attributes{Named: c.attributes}}
		if err := n.InferShape(); err != nil {
			t.Error(err)
			continue
		}
		w, ok := n.Workload()
		if got := w.String(); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s %v is %s, %v, want %s", c.kind, c.attributes, got, ok, c.want)
			continue
		}
		if ok {
			if parsed, err := ParseWorkload(w.String()); err != nil || parsed != w {
				t.Errorf("%s is read as %s, %v", w, parsed, err)
			}
		}
	}
}
