package graph

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// net builds graphs of plain nodes, as a reader of ONNX does.
type net struct {
	*Builder
	count int
}

func newNet() *net { return &net{Builder: NewBuilder("net")} }

// op adds a plain node with one output; attributes are name and value in turn.
func (n *net) op(kind Kind, inputs []*Value, attributes ...any) *Value {
	named := operator.Attributes{}
	for i := 0; i < len(attributes); i += 2 {
		named[attributes[i].(string)] = attributes[i+1]
	}
	n.count++
	return n.Apply(kind, fmt.Sprintf("%s%d", strings.ToLower(string(kind)), n.count), Attributes{Named: named}, inputs...)
}

// in lists inputs.
func in(values ...*Value) []*Value { return values }

// c is a constant scalar.
func (n *net) c(x float32) *Value { return n.tensor([]float32{x}) }

// tensor is a constant.
func (n *net) tensor(data any, shape ...int) *Value {
	n.count++
	v := n.Parameter(fmt.Sprint("c", n.count), RoleConstant)
	d := map[string]DType{"[]float32": F32, "[]int64": I64, "[]int8": I8, "[]uint8": U8, "[]int32": I32, "[]bool": Bool}[fmt.Sprintf("%T", data)]
	v.Fill(&operator.Tensor{DType: d, Shape: slices.Clip(shape), Data: data})
	return v
}

func (n *net) ints(x ...int64) *Value { return n.tensor(x, len(x)) }

// w is a constant of numbers that are drawn later.
func (n *net) w(shape ...int) *Value {
	n.count++
	return n.Parameter(fmt.Sprint("w", n.count), RoleConstant, shape...)
}

func (n *net) add(x, y *Value) *Value    { return n.op("Add", in(x, y)) }
func (n *net) mul(x, y *Value) *Value    { return n.op("Mul", in(x, y)) }
func (n *net) div(x, y *Value) *Value    { return n.op("Div", in(x, y)) }
func (n *net) sub(x, y *Value) *Value    { return n.op("Sub", in(x, y)) }
func (n *net) matmul(x, y *Value) *Value { return n.op("MatMul", in(x, y)) }

func (n *net) transpose(x *Value, perm ...int64) *Value {
	return n.op("Transpose", in(x), "perm", perm)
}

func (n *net) reshape(x *Value, shape ...int64) *Value {
	return n.op("Reshape", in(x, n.ints(shape...)))
}

func (n *net) softmax(x *Value) *Value { return n.op("Softmax", in(x), "axis", int64(-1)) }

func (n *net) mean(x *Value) *Value {
	return n.op("ReduceMean", in(x, n.ints(-1)), "keepdims", int64(1))
}

// dense is a product with a constant and a bias.
func (n *net) dense(x *Value, features int) *Value {
	return n.add(n.matmul(x, n.w(x.Shape[len(x.Shape)-1], features)), n.w(features))
}

// kindsOf are the nodes of a graph as text; plain ones have no epilogue.
func kindsOf(g *Graph) string {
	var s []string
	for _, n := range g.Nodes {
		t := string(n.Kind)
		if !n.Plain() && n.Attributes.Epilogue != (Epilogue{}) {
			t += "/" + n.Attributes.Epilogue.String()
		}
		s = append(s, t)
	}
	return strings.Join(s, " ")
}

// passCases are graphs before and after all passes.
var passCases = []struct {
	name          string
	build         func(n *net) *Value
	before, after string
}{
	{"constants", func(n *net) *Value {
		x := n.Input("x", 2, 6)
		rows := n.op("Gather", in(n.op("Shape", in(x)), n.tensor([]int64{0})))
		return n.mul(n.matmul(x, n.transpose(n.w(4, 6), 1, 0)), n.op("Cast", in(rows), "to", int64(1)))
	}, "Shape Gather Transpose MatMul Cast Mul", "Linear"},
	{"identities", func(n *net) *Value {
		x := n.Input("x", 2, 6)
		x = n.op("Cast", in(n.op("Dropout", in(n.add(x, n.c(0))))), "to", int64(1))
		return n.op("Exp", in(n.reshape(n.mul(n.c(1), n.div(x, n.c(1))), 2, 6)))
	}, "Add Dropout Cast Div Mul Reshape Exp", "Exp"},
	{"layer norm", func(n *net) *Value {
		x := n.Input("x", 2, 3, 8)
		d := n.sub(x, n.mean(x))
		root := n.op("Sqrt", in(n.add(n.mean(n.mul(d, d)), n.c(1e-5))))
		return n.add(n.mul(n.div(d, root), n.w(8)), n.w(8))
	}, "ReduceMean Sub Mul ReduceMean Add Sqrt Div Mul Add", "LayerNormalization"},
	{"layer norm by power, root and reciprocal", func(n *net) *Value {
		x := n.Input("x", 3, 8)
		m := n.mean(x)
		root := n.op("Sqrt", in(n.add(n.c(1e-5), n.mean(n.op("Pow", in(n.sub(x, m), n.c(2)))))))
		return n.add(n.w(1, 8), n.mul(n.w(8), n.mul(n.op("Reciprocal", in(root)), n.sub(x, m))))
	}, "ReduceMean Sub Pow ReduceMean Add Sqrt Reciprocal Sub Mul Mul Add", "LayerNormalization"},
	{"layer norm without factors", func(n *net) *Value {
		x := n.Input("x", 3, 8)
		d := n.sub(x, n.mean(x))
		return n.div(d, n.op("Pow", in(n.add(n.mean(n.mul(d, d)), n.c(1e-5)), n.c(0.5))))
	}, "ReduceMean Sub Mul ReduceMean Add Pow Div", "LayerNormalization"},
	{"norm of something else", func(n *net) *Value {
		x := n.Input("x", 3, 8)
		d := n.sub(x, n.mean(x))
		return n.div(n.op("Abs", in(d)), n.op("Sqrt", in(n.add(n.mean(n.mul(d, d)), n.c(1e-5)))))
	}, "ReduceMean Sub Abs Mul ReduceMean Add Sqrt Div", "ReduceMean Sub Abs Mul ReduceMean Add Sqrt Div"},
	{"rms norm", func(n *net) *Value {
		x := n.Input("x", 3, 8)
		root := n.op("Sqrt", in(n.add(n.mean(n.op("Pow", in(x, n.c(2)))), n.c(1e-6))))
		return n.mul(n.w(8), n.mul(x, n.div(n.c(1), root)))
	}, "Pow ReduceMean Add Sqrt Div Mul Mul", "RMSNormalization"},
	{"GELU as written by exporters", func(n *net) *Value {
		x := n.Input("x", 3, 8)
		e := n.add(n.op("Erf", in(n.div(x, n.c(math.Sqrt2)))), n.c(1))
		return n.mul(n.mul(x, e), n.c(0.5))
	}, "Div Erf Add Mul Mul", "Gelu"},
	{"GELU, halved first", func(n *net) *Value {
		x := n.dense(n.Input("x", 3, 8), 4)
		e := n.add(n.c(1), n.op("Erf", in(n.mul(x, n.c(math.Sqrt2/2)))))
		return n.mul(n.mul(x, n.c(0.5)), e)
	}, "MatMul Add Mul Erf Add Mul Mul", "Linear/gelu"},
	{"GELU, the gate halved", func(n *net) *Value {
		x := n.Input("x", 3, 8)
		return n.mul(n.mul(n.c(0.5), n.add(n.c(1), n.op("Erf", in(n.div(x, n.c(math.Sqrt2)))))), x)
	}, "Div Erf Add Mul Mul", "Gelu"},
	{"GELU of tanh", func(n *net) *Value {
		x := n.Input("x", 3, 8)
		u := n.mul(n.add(x, n.mul(n.op("Pow", in(x, n.c(3))), n.c(0.044715))), n.c(float32(math.Sqrt(2/math.Pi))))
		return n.mul(n.mul(n.c(0.5), x), n.add(n.c(1), n.op("Tanh", in(u))))
	}, "Pow Mul Add Mul Mul Tanh Add Mul", "Gelu"},
	{"GELU of tanh by products", func(n *net) *Value {
		x := n.Input("x", 3, 8)
		u := n.mul(n.mul(x, n.c(0.7978845608)), n.add(n.c(1), n.mul(n.mul(n.c(0.044715), x), x)))
		return n.mul(x, n.mul(n.c(0.5), n.add(n.c(1), n.op("Tanh", in(u)))))
	}, "Mul Mul Mul Add Mul Tanh Add Mul Mul", "Gelu"},
	{"no GELU", func(n *net) *Value {
		x := n.Input("x", 3, 8)
		e := n.add(n.op("Erf", in(n.div(x, n.c(1.5)))), n.c(1))
		return n.mul(n.mul(x, e), n.c(0.5))
	}, "Div Erf Add Mul Mul", "Mul Erf Add Mul Mul"},
	{"SiLU", func(n *net) *Value {
		x := n.op("Conv", in(n.Input("x", 1, 3, 4, 4), n.w(2, 3, 1, 1), n.w(2)))
		return n.mul(n.op("Sigmoid", in(x)), x)
	}, "Conv Sigmoid Mul", "Conv/silu"},
	{"hard swish by clip and division", func(n *net) *Value {
		x := n.Input("x", 1, 3, 4, 4)
		return n.div(n.mul(x, n.op("Clip", in(n.add(x, n.c(3)), n.c(0), n.c(6)))), n.c(6))
	}, "Add Clip Mul Div", "HardSwish"},
	{"convolution, batch norm, residual", func(n *net) *Value {
		x := n.Input("x", 1, 2, 4, 4)
		y := n.op("Conv", in(x, n.w(2, 2, 3, 3)), "pads", []int64{1, 1, 1, 1}, "kernel_shape", []int64{3, 3})
		y = n.op("BatchNormalization", in(y, n.w(2), n.w(2), n.w(2), n.tensor([]float32{0.5, 2}, 2)), "epsilon", float32(1e-3))
		return n.op("Relu", in(n.add(y, x)))
	}, "Conv BatchNormalization Add Relu", "Conv/add.relu"},
	{"dense with residual and activation", func(n *net) *Value {
		x := n.Input("x", 2, 3, 8)
		return n.op("Tanh", in(n.add(x, n.dense(x, 8))))
	}, "MatMul Add Add Tanh", "Linear/add.tanh"},
	{"Gemm with factors", func(n *net) *Value {
		return n.op("Gemm", in(n.Input("x", 2, 3), n.w(4, 3), n.w(1, 4)), "alpha", float32(2), "beta", float32(0.5), "transB", int64(1))
	}, "Gemm", "Linear"},
	{"a sum of constants per feature", func(n *net) *Value {
		return n.sub(n.div(n.dense(n.Input("x", 2, 3), 4), n.tensor([]float32{1, 2, 4, 8}, 4)), n.c(2))
	}, "MatMul Add Div Sub", "Linear"},
	{"transposes that cancel", func(n *net) *Value {
		x := n.transpose(n.Input("x", 2, 3, 4, 5), 0, 2, 3, 1)
		return n.transpose(n.op("Relu", in(n.add(x, n.w(1, 1, 1, 3)))), 0, 3, 1, 2)
	}, "Transpose Add Relu Transpose", "Add/relu"},
	{"transposes in a row", func(n *net) *Value {
		return n.transpose(n.transpose(n.Input("x", 2, 3, 4), 1, 0, 2), 2, 0, 1)
	}, "Transpose Transpose", "Transpose"},
	{"transposes of ones", func(n *net) *Value {
		return n.op("Exp", in(n.transpose(n.Input("x", 1, 3, 4), 1, 0, 2)))
	}, "Transpose Exp", "Reshape Exp"},
	{"squeeze and excite", func(n *net) *Value {
		x := n.Input("x", 2, 4, 3, 3)
		y := n.op("Relu", in(n.op("Conv", in(n.op("GlobalAveragePool", in(x)), n.w(2, 4, 1, 1), n.w(2)))))
		return n.mul(x, n.op("Sigmoid", in(n.op("Conv", in(y, n.w(4, 2, 1, 1), n.w(4))))))
	}, "GlobalAveragePool Conv Relu Conv Sigmoid Mul", "GlobalAveragePool Reshape Linear/relu Linear/sigmoid Reshape Mul"},
	{"attention of an encoder", func(n *net) *Value {
		x := n.Input("x", 2, 5, 12)
		heads := func(perm ...int64) *Value { return n.transpose(n.reshape(n.dense(x, 12), 2, 5, 3, 4), perm...) }
		q, k, v := heads(0, 2, 1, 3), heads(0, 2, 3, 1), heads(0, 2, 1, 3)
		y := n.matmul(n.softmax(n.mul(n.matmul(q, k), n.c(0.4))), v)
		return n.add(x, n.dense(n.reshape(n.transpose(y, 0, 2, 1, 3), 2, 5, 12), 12))
	}, "MatMul Add Reshape Transpose MatMul Add Reshape Transpose MatMul Add Reshape Transpose MatMul Mul Softmax MatMul Transpose Reshape MatMul Add Add",
		"Linear Linear Linear Attention Linear/add"},
	{"attention with a mask, keys transposed apart", func(n *net) *Value {
		x := n.Input("x", 2, 5, 12)
		mask := n.Input("mask", 2, 1, 1, 5)
		heads := func() *Value { return n.transpose(n.reshape(n.dense(x, 12), 2, 5, 3, 4), 0, 2, 1, 3) }
		q, k, v := heads(), heads(), heads()
		s := n.add(n.div(n.matmul(q, n.transpose(k, 0, 1, 3, 2)), n.c(2)), mask)
		return n.reshape(n.transpose(n.matmul(n.softmax(s), v), 0, 2, 1, 3), 10, 12)
	}, "MatMul Add Reshape Transpose MatMul Add Reshape Transpose MatMul Add Reshape Transpose Transpose MatMul Div Add Softmax MatMul Transpose Reshape",
		"Linear Linear Linear Attention Reshape"},
	{"causal attention by a constant, both operands scaled", func(n *net) *Value {
		q, k, v := n.Input("q", 1, 2, 4, 8), n.Input("k", 1, 2, 4, 8), n.Input("v", 1, 2, 4, 8)
		mask := make([]float32, 16)
		for i := range mask {
			if i%4 > i/4 {
				mask[i] = float32(math.Inf(-1))
			}
		}
		s := n.add(n.matmul(n.mul(q, n.c(0.5)), n.mul(n.transpose(k, 0, 1, 3, 2), n.c(0.5))), n.tensor(mask, 1, 1, 4, 4))
		return n.matmul(n.guarded(n.softmax(s)), v)
	}, "Mul Transpose Mul MatMul Add Softmax IsNaN Where MatMul", "Attention"},
	{"causal attention by a selection", func(n *net) *Value {
		q, k, v := n.Input("q", 2, 4, 8), n.Input("k", 2, 4, 8), n.Input("v", 2, 4, 6)
		seen := make([]bool, 16)
		for i := range seen {
			seen[i] = i%4 <= i/4
		}
		s := n.op("Where", in(n.tensor(seen, 4, 4), n.matmul(q, n.transpose(k, 0, 2, 1)), n.c(-3e38)))
		return n.matmul(n.softmax(s), v)
	}, "Transpose MatMul Where Softmax MatMul", "Reshape Reshape Reshape Attention Reshape"},
	{"a mask that only looks causal", func(n *net) *Value {
		q, k, v := n.Input("q", 1, 2, 3, 4), n.Input("k", 1, 2, 3, 4), n.Input("v", 1, 2, 3, 4)
		hidden := float32(math.Inf(-1))
		mask := n.tensor([]float32{0, hidden, hidden, 0, 2, hidden, 0, 0, 0}, 3, 3)
		return n.matmul(n.softmax(n.add(n.matmul(q, n.transpose(k, 0, 1, 3, 2)), mask)), v)
	}, "Transpose MatMul Add Softmax MatMul", "Attention"},
	{"layer norm with two scales", func(n *net) *Value {
		x := n.Input("x", 3, 8)
		d := n.sub(x, n.mean(x))
		z := n.div(d, n.op("Sqrt", in(n.add(n.mean(n.mul(d, d)), n.c(1e-5)))))
		return n.mul(n.mul(z, n.w(8)), n.w(8))
	}, "ReduceMean Sub Mul ReduceMean Add Sqrt Div Mul Mul", "LayerNormalization Mul"},
	{"a result that is constant", func(n *net) *Value {
		n.Input("x", 1)
		return n.op("Exp", in(n.op("Neg", in(n.w(3)))))
	}, "Neg Exp", "Exp"},
	{"attention of shared heads", func(n *net) *Value {
		x := n.Input("x", 1, 5, 12)
		split := func(heads int) *Value {
			y := n.matmul(x, n.w(12, heads*3))
			return n.transpose(n.reshape(y, 1, 5, int64(heads), 3), 0, 2, 1, 3)
		}
		repeat := func(v *Value) *Value {
			v = n.op("Expand", in(n.op("Unsqueeze", in(v, n.ints(2))), n.ints(1, 2, 2, 5, 3)))
			return n.reshape(v, 1, 4, 5, 3)
		}
		q, k, v := split(4), repeat(split(2)), repeat(split(2))
		y := n.matmul(n.softmax(n.div(n.matmul(q, n.transpose(k, 0, 1, 3, 2)), n.c(2))), v)
		return n.reshape(n.transpose(y, 0, 2, 1, 3), 1, 5, 12)
	}, "MatMul Reshape Transpose MatMul Reshape Transpose Unsqueeze Expand Reshape MatMul Reshape Transpose Unsqueeze Expand Reshape Transpose MatMul Div Softmax MatMul Transpose Reshape",
		"Linear Linear Linear Attention"},
	{"attention of torch.nn.MultiheadAttention", func(n *net) *Value {
		x := n.Input("x", 1, 5, 12)
		y := n.transpose(x, 1, 0, 2)
		q := n.transpose(n.reshape(n.dense(y, 12), 5, 3, 4), 1, 0, 2)
		k := n.transpose(n.reshape(n.dense(y, 12), 5, 3, 4), 1, 0, 2)
		v := n.transpose(n.reshape(n.dense(y, 12), 5, 3, 4), 1, 0, 2)
		a := n.matmul(n.softmax(n.matmul(n.div(q, n.c(2)), n.transpose(k, 0, 2, 1))), v)
		z := n.dense(n.reshape(n.transpose(a, 1, 0, 2), 5, 12), 12)
		return n.add(x, n.transpose(n.reshape(z, 5, 1, 12), 1, 0, 2))
	}, "Transpose MatMul Add Reshape Transpose MatMul Add Reshape Transpose MatMul Add Reshape Transpose Div Transpose MatMul Softmax MatMul Transpose Reshape MatMul Add Reshape Transpose Add",
		"Reshape Linear Linear Linear Reshape Reshape Reshape Attention Reshape Reshape Linear/add Reshape"},
	{"attention by a computed selection", func(n *net) *Value {
		q, k, v := n.Input("q", 1, 2, 4, 8), n.Input("k", 1, 2, 5, 8), n.Input("v", 1, 2, 5, 8)
		s := n.op("Where", in(n.op("Greater", in(n.Input("keep", 1, 1, 1, 5), n.c(-0.5))), n.matmul(q, n.transpose(k, 0, 1, 3, 2)), n.c(-1e9)))
		return n.matmul(n.softmax(s), v)
	}, "Greater Transpose MatMul Where Softmax MatMul", "Greater Where Attention"},
	{"attention with a number added for each query", func(n *net) *Value {
		q, k, v := n.Input("q", 1, 2, 4, 8), n.Input("k", 1, 2, 5, 8), n.Input("v", 1, 2, 5, 8)
		return n.matmul(n.softmax(n.add(n.matmul(q, n.transpose(k, 0, 1, 3, 2)), n.w(4, 1))), v)
	}, "Transpose MatMul Add Softmax MatMul", "Transpose MatMul Add Softmax MatMul"},
	{"attention whose scores are read elsewhere", func(n *net) *Value {
		q, k, v := n.Input("q", 1, 2, 4, 8), n.Input("k", 1, 2, 5, 8), n.Input("v", 1, 2, 5, 8)
		p := n.softmax(n.matmul(q, n.transpose(k, 0, 1, 3, 2)))
		return n.op("Concat", in(p, n.matmul(p, v)), "axis", int64(3))
	}, "Transpose MatMul Softmax MatMul Concat", "Transpose MatMul Softmax MatMul Concat"},
}

// guarded replaces rows that see nothing.
func (n *net) guarded(x *Value) *Value {
	return n.op("Where", in(n.op("IsNaN", in(x)), n.c(0), x))
}

func TestPasses(t *testing.T) {
	for _, c := range passCases {
		t.Run(c.name, func(t *testing.T) {
			n := newNet()
			g, err := n.Build(c.build(n))
			if err != nil {
				t.Fatal(err)
			}
			fill(g, 2)
			if diff := cmp.Diff(c.before, kindsOf(g)); diff != "" {
				t.Errorf("before (-want +got):\n%s", diff)
			}
			optimized := checkOptimized(t, g)
			if diff := cmp.Diff(c.after, kindsOf(optimized)); diff != "" {
				t.Errorf("after (-want +got):\n%s", diff)
			}
			for _, name := range Passes() {
				checkOptimized(t, g, Without(name))
			}
		})
	}
}

// checkOptimized checks that a graph still is what it was, and that its
// optimized form is valid and computes the same.
func checkOptimized(t interface {
	Helper()
	Fatalf(string, ...any)
}, g *Graph, options ...Option) *Graph {
	t.Helper()
	before := fmt.Sprint(describe(g))
	optimized, err := Optimize(g, options...)
	if err != nil {
		t.Fatalf("optimize: %v", err)
	}
	if after := fmt.Sprint(describe(g)); after != before {
		t.Fatalf("optimizing changed its input:\n%s\n%s", before, after)
	}
	if err := optimized.Validate(); err != nil {
		t.Fatalf("optimized graph: %v", err)
	}
	if !slices.Equal(g.Outputs, optimized.Outputs) {
		t.Fatalf("outputs changed")
	}
	inputs := randomInputs(g, 5)
	want, err := compute(g, inputs)
	if err != nil {
		t.Fatalf("compute: %v", err)
	}
	got, err := compute(optimized, inputs)
	if err != nil {
		t.Fatalf("compute the optimized graph %s: %v", kindsOf(optimized), err)
	}
	for o := range want {
		if problem := difference(got[o], want[o]); problem != "" {
			t.Fatalf("output %d of %s: %s", o, kindsOf(optimized), problem)
		}
	}
	return optimized
}

// difference tells where two tensors differ, within rounding.
func difference(got, want *operator.Tensor) string {
	if got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) {
		return fmt.Sprintf("%s %v, want %s %v", got.DType, got.Shape, want.DType, want.Shape)
	}
	if x, ok := want.Floats(); ok {
		y, _ := got.Floats()
		for i := range x {
			a, b := float64(x[i]), float64(y[i])
			if a != b && !(math.IsNaN(a) && math.IsNaN(b)) && !(math.Abs(a-b) <= 1e-4*(1+math.Abs(a))) {
				return fmt.Sprintf("element %d is %g, was %g", i, b, a)
			}
		}
		return ""
	}
	x, _ := want.Ints()
	y, _ := got.Ints()
	if !slices.Equal(x, y) {
		return fmt.Sprintf("%v, was %v", y, x)
	}
	return ""
}

func TestWithout(t *testing.T) {
	n := newNet()
	x := n.Input("x", 1, 2, 4, 4)
	g, err := n.Build(n.op("Relu", in(n.op("Conv", in(x, n.w(2, 2, 1, 1))))))
	if err != nil {
		t.Fatal(err)
	}
	optimized, err := Optimize(g, Without("epilogues"))
	if err != nil {
		t.Fatal(err)
	}
	if got := kindsOf(optimized); got != "Conv Relu" {
		t.Errorf("without epilogues: %s", got)
	}
	if _, err := Optimize(g, Without("no such pass")); err == nil || !strings.Contains(err.Error(), "no such pass") {
		t.Errorf("unknown pass: error %v", err)
	}
	names := Passes()
	if slices.Sort(names); len(slices.Compact(names)) != len(Passes()) {
		t.Errorf("a pass is listed twice: %v", names)
	}
}

// TestOptimizeRandom grows random graphs of plain and other nodes, of several
// outputs, and leaves out any passes.
func TestOptimizeRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newNet()
		pool := []*Value{n.Input("x", 2, 3, 4), n.Input("y", 2, 3, 4)}
		for range rapid.IntRange(1, 14).Draw(t, "nodes") {
			x := rapid.SampledFrom(pool).Draw(t, "x")
			y := rapid.SampledFrom(pool).Draw(t, "y")
			last := len(x.Shape) - 1
			switch rapid.IntRange(0, 13).Draw(t, "kind") {
			case 0:
				x = n.dense(x, x.Shape[last])
			case 1, 2:
				if slices.Equal(x.Shape, y.Shape) {
					x = n.op(rapid.SampledFrom([]Kind{"Add", "Mul", "Sub", "Max"}).Draw(t, "op"), in(x, y))
				}
			case 3:
				x = n.op(rapid.SampledFrom([]Kind{"Relu", "Sigmoid", "Tanh", "Erf", "Abs", "Neg", "Identity"}).Draw(t, "op"), in(x))
			case 4:
				perm := []int64{0, 2, 1, 3}[:len(x.Shape)]
				if len(perm) == 3 {
					perm = rapid.SampledFrom([][]int64{{0, 2, 1}, {1, 0, 2}, {2, 0, 1}, {1, 2, 0}, {0, 1, 2}}).Draw(t, "perm")
				}
				x = n.transpose(x, perm...)
			case 5:
				c := n.c(rapid.SampledFrom([]float32{0, 0.5, 1, 3, 1. / 6, 2}).Draw(t, "c"))
				x = n.op(rapid.SampledFrom([]Kind{"Add", "Mul", "Sub"}).Draw(t, "op"), rapid.SampledFrom([][]*Value{in(x, c), in(c, x)}).Draw(t, "order"))
			case 6:
				x = n.div(x, n.c(rapid.SampledFrom([]float32{0.5, 1, 6}).Draw(t, "c")))
			case 7:
				x = n.op("Clip", in(x, n.c(0), rapid.SampledFrom(in(n.c(6), n.c(1))).Draw(t, "high")))
			case 8:
				x = n.mul(x, n.op("Sigmoid", in(x)))
			case 9:
				x = n.mul(n.mul(x, n.c(0.5)), n.add(n.op("Erf", in(n.div(x, n.c(math.Sqrt2)))), n.c(1)))
			case 10:
				d := n.sub(x, n.mean(x))
				x = n.div(d, n.op("Sqrt", in(n.add(n.mean(n.mul(d, d)), n.c(1e-3)))))
			case 11:
				x = n.matmul(n.softmax(n.matmul(x, n.transpose(x, 0, 2, 1))), x)
			case 12:
				x = n.mul(x, n.w(x.Shape[last]))
			case 13:
				x = n.reshape(x, int64(x.Shape[0]), -1, int64(x.Shape[last]))
			}
			pool = append(pool, x)
		}
		outputs := []*Value{pool[len(pool)-1]}
		if extra := rapid.SampledFrom(pool[2:]).Draw(t, "output"); extra != outputs[0] {
			outputs = append(outputs, extra)
		}
		g, err := n.Build(outputs...)
		if err != nil {
			t.Fatal(err)
		}
		fill(g, 7)
		var without []string
		for _, name := range Passes() {
			if rapid.IntRange(0, 3).Draw(t, name) == 0 {
				without = append(without, name)
			}
		}
		checkOptimized(t, g, Without(without...))
	})
}

// TestQuantization checks that operators between dequantizing and quantizing
// work on bytes, and differ by no more than a step from numbers.
func TestQuantization(t *testing.T) {
	const step = 0.05
	type chain struct{ *net }
	q := func(n chain, x *Value, zero uint8) *Value {
		return n.op("QuantizeLinear", in(x, n.c(step), n.tensor([]uint8{zero})))
	}
	dq := func(n chain, x *Value, zero uint8) *Value {
		return n.op("DequantizeLinear", in(x, n.c(step), n.tensor([]uint8{zero})))
	}
	weight := func(n chain, shape ...int) *Value {
		data := make([]int8, product(shape))
		scales := make([]float32, shape[0])
		for i := range data {
			data[i] = int8(i*37%255 - 127)
			scales[i*shape[0]/len(data)] = 0.002 * float32(1+i%3)
		}
		return n.op("DequantizeLinear", in(n.tensor(data, shape...), n.tensor(scales, shape[0]), n.tensor(make([]int8, shape[0]), shape[0])), "axis", int64(0))
	}
	for _, c := range []struct {
		name        string
		build       func(n chain, x *Value) *Value // x dequantized, its zero 128
		after       string
		different   int // steps
		inputShape  []int
		leavesFloat bool
	}{
		{name: "convolution and relu", inputShape: []int{1, 3, 5, 5}, different: 1, after: "QLinearConv",
			build: func(n chain, x *Value) *Value {
				y := n.op("Conv", in(x, weight(n, 4, 3, 3, 3), n.w(4)), "pads", []int64{1, 1, 1, 1})
				return q(n, n.op("Relu", in(y)), 0)
			}},
		{name: "a relu that quantizing does not do", inputShape: []int{1, 3, 5, 5}, different: 1, after: "DequantizeLinear Conv/relu QuantizeLinear",
			build: func(n chain, x *Value) *Value {
				return q(n, n.op("Relu", in(n.op("Conv", in(x, weight(n, 4, 3, 1, 1))))), 128)
			}},
		{name: "a relu of signed bytes", inputShape: []int{1, 3, 5, 5}, different: 1, after: "QLinearConv",
			build: func(n chain, x *Value) *Value {
				y := n.op("Relu", in(n.op("Conv", in(x, weight(n, 4, 3, 1, 1)))))
				return n.op("QuantizeLinear", in(y, n.c(step), n.tensor([]int8{-128})))
			}},
		{name: "a maximum in other steps", inputShape: []int{1, 3, 4, 4}, after: "DequantizeLinear MaxPool QuantizeLinear",
			build: func(n chain, x *Value) *Value {
				y := n.op("MaxPool", in(x), "kernel_shape", []int64{2, 2})
				return n.op("QuantizeLinear", in(y, n.c(2*step), n.tensor([]uint8{128})))
			}},
		{name: "residual block", inputShape: []int{1, 4, 5, 5}, different: 1, after: "QLinearConv QLinearConv com.microsoft.QLinearAdd MaxPool com.microsoft.QLinearGlobalAveragePool",
			build: func(n chain, x *Value) *Value {
				y := q(n, n.op("Relu", in(n.op("Conv", in(x, weight(n, 4, 4, 3, 3), n.w(4)), "pads", []int64{1, 1, 1, 1}))), 0)
				y = q(n, n.op("Conv", in(dq(n, y, 0), weight(n, 4, 4, 1, 1), n.w(4))), 128)
				y = q(n, n.op("Relu", in(n.add(dq(n, y, 128), x))), 0)
				y = q(n, n.op("MaxPool", in(dq(n, y, 0)), "kernel_shape", []int64{2, 2}), 0)
				return q(n, n.op("GlobalAveragePool", in(dq(n, y, 0))), 0)
			}},
		{name: "product", inputShape: []int{2, 3, 4}, different: 1, after: "QLinearMatMul Transpose",
			build: func(n chain, x *Value) *Value {
				w := n.op("DequantizeLinear", in(n.tensor([]int8{1, -2, 3, 100, 5, 6, -77, 8}, 4, 2), n.c(0.01)))
				y := q(n, n.matmul(x, w), 128)
				return q(n, n.transpose(dq(n, y, 128), 1, 0, 2), 128)
			}},
		{name: "Gemm", inputShape: []int{3, 4}, different: 1, after: "com.microsoft.QGemm com.microsoft.QGemm",
			build: func(n chain, x *Value) *Value {
				y := q(n, n.op("Relu", in(n.op("Gemm", in(x, weight(n, 5, 4), n.w(5)), "transB", int64(1)))), 0)
				w := n.op("DequantizeLinear", in(n.tensor([]int8{1, -2, 3, 100, 5, 6, -77, 8, 3, 4}, 5, 2), n.tensor([]float32{0.01, 0.02}, 2)), "axis", int64(1))
				return q(n, n.op("Gemm", in(dq(n, y, 0), w)), 128)
			}},
		{name: "Gemm with scales along the other side", inputShape: []int{3, 4}, after: "DequantizeLinear Linear QuantizeLinear", different: 1,
			build: func(n chain, x *Value) *Value { return q(n, n.op("Gemm", in(x, weight(n, 4, 5), n.w(5))), 128) }},
		{name: "result as numbers", inputShape: []int{1, 3, 5, 5}, after: "DequantizeLinear Conv", leavesFloat: true,
			build: func(n chain, x *Value) *Value { return n.op("Conv", in(x, weight(n, 4, 3, 1, 1), n.w(4))) }},
		{name: "quantizing what was", inputShape: []int{2, 3}, after: "Max",
			build: func(n chain, x *Value) *Value {
				y := q(n, x, 128)
				return n.op("Max", in(y, n.tensor([]uint8{7})))
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := chain{newNet()}
			x := n.Input("x", c.inputShape...)
			x.DType = U8
			g, err := n.Build(c.build(n, dq(n, x, 128)))
			if err != nil {
				t.Fatal(err)
			}
			fill(g, 2)
			optimized, err := Fuse(g)
			if err != nil {
				t.Fatal(err)
			}
			if err := optimized.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := kindsOf(optimized); got != c.after {
				t.Errorf("after: %s, want %s", got, c.after)
			}
			inputs := randomInputs(g, 4)
			want, err := compute(g, inputs)
			if err != nil {
				t.Fatal(err)
			}
			got, err := compute(optimized, inputs)
			if err != nil {
				t.Fatal(err)
			}
			if c.leavesFloat {
				if problem := difference(got[0], want[0]); problem != "" {
					t.Error(problem)
				}
				return
			}
			a, _ := want[0].Ints()
			b, _ := got[0].Ints()
			least, most := a[0], a[0]
			for i := range a {
				least, most = min(least, a[i]), max(most, a[i])
				if d := a[i] - b[i]; d > int64(c.different) || -d > int64(c.different) {
					t.Fatalf("byte %d is %d, was %d", i, b[i], a[i])
				}
			}
			if least == most {
				t.Errorf("all bytes are %d: nothing is tested", least)
			}
		})
	}
}
