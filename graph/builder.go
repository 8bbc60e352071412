package graph

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// Builder makes a graph node by node and infers each shape on the way. The
// first mistake is kept and returned by Build; until then its methods may go
// on with the values they returned. Parameters have no Data.
type Builder struct {
	graph Graph
	names map[string]bool // of values; a node has the name of its output
	err   error
}

// NewBuilder starts a graph.
func NewBuilder(name string) *Builder {
	return &Builder{graph: Graph{Name: name}, names: make(map[string]bool)}
}

// Input adds an input of the graph, of type F32.
func (b *Builder) Input(name string, shape ...int) *Value { return b.TypedInput(name, F32, shape...) }

// TypedInput adds an input of any type.
func (b *Builder) TypedInput(name string, d DType, shape ...int) *Value {
	v := &Value{Name: name, DType: d, Shape: shape}
	b.define(v)
	b.graph.Inputs = append(b.graph.Inputs, v)
	return v
}

// Conv adds a convolution whose output has the node's name. Its parameters are
// name.weight [out, C/group, kernelH, kernelW] and, if asked for, name.bias
// [out]. The padding is the same on all sides.
func (b *Builder) Conv(name string, x *Value, out, kernelH, kernelW, stride, pad, group int, bias bool) *Value {
	inputs := []*Value{x, b.Parameter(name+".weight", RoleWeight, out, b.dim(x, 1)/max(group, 1), kernelH, kernelW)}
	if bias {
		inputs = append(inputs, b.Parameter(name+".bias", RoleBias, out))
	}
	return b.Apply(Conv, name, Attributes{
		Stride: [2]int{stride, stride}, Pad: [4]int{pad, pad, pad, pad}, Dilation: [2]int{1, 1}, Group: group,
	}, inputs...)
}

// BatchNorm adds a batch norm over the second dimension, with the parameters
// name.scale, .shift, .mean and .variance [C] and an epsilon of 1e-5.
func (b *Builder) BatchNorm(name string, x *Value) *Value {
	c := b.dim(x, 1)
	return b.Apply(BatchNormalization, name, Attributes{Epsilon: 1e-5}, x,
		b.Parameter(name+".scale", RoleScale, c), b.Parameter(name+".shift", RoleShift, c),
		b.Parameter(name+".mean", RoleMean, c), b.Parameter(name+".variance", RoleVariance, c))
}

// Linear adds x W^T + b with x [N, in] and the parameters name.weight
// [out, in] and name.bias [out].
func (b *Builder) Linear(name string, x *Value, out int) *Value {
	return b.Apply(Linear, name, Attributes{}, x,
		b.Parameter(name+".weight", RoleWeight, out, b.dim(x, 1)), b.Parameter(name+".bias", RoleBias, out))
}

// Activation adds an elementwise operator, named after its input: x.relu.
func (b *Builder) Activation(op Op, x *Value) *Value {
	n := activationNode(op)
	if n == nil {
		b.fail(fmt.Errorf("%q is no activation", op))
		n = &Node{Kind: Identity}
	}
	return b.Apply(n.Kind, b.free(x, string(op)), n.Attributes, x)
}

// Add adds x and y; y may have dimensions of 1 where x has more.
func (b *Builder) Add(x, y *Value) *Value {
	return b.Apply(Add, b.free(x, "add"), Attributes{}, x, y)
}

// Mul multiplies x by y; y may have dimensions of 1 where x has more.
func (b *Builder) Mul(x, y *Value) *Value {
	return b.Apply(Mul, b.free(x, "mul"), Attributes{}, x, y)
}

// MaxPool takes the maximum of each square window.
func (b *Builder) MaxPool(x *Value, kernel, stride, pad int) *Value {
	return b.Apply(MaxPool, b.free(x, "maxpool"), window(kernel, stride, pad), x)
}

// AvgPool takes the mean of each square window, of which padding is no part.
func (b *Builder) AvgPool(x *Value, kernel, stride, pad int) *Value {
	return b.Apply(AveragePool, b.free(x, "avgpool"), window(kernel, stride, pad), x)
}

func window(kernel, stride, pad int) Attributes {
	return Attributes{Kernel: [2]int{kernel, kernel}, Stride: [2]int{stride, stride}, Pad: [4]int{pad, pad, pad, pad}}
}

// GlobalAveragePool takes the mean of each channel: [N, C, H, W] to [N, C, 1, 1].
func (b *Builder) GlobalAveragePool(x *Value) *Value {
	return b.Apply(GlobalAveragePool, b.free(x, "mean"), Attributes{}, x)
}

// Flatten keeps the first dimension and joins the others.
func (b *Builder) Flatten(x *Value) *Value {
	return b.Apply(Flatten, b.free(x, "flat"), Attributes{Axis: 1}, x)
}

// Softmax is taken over the second dimension.
func (b *Builder) Softmax(x *Value) *Value {
	return b.Apply(Softmax, b.free(x, "softmax"), Attributes{Axis: 1}, x)
}

// Apply adds a node of any kind; its output has the node's name.
func (b *Builder) Apply(kind Kind, name string, a Attributes, inputs ...*Value) *Value {
	out := &Value{Name: name, DType: F32}
	n := &Node{Name: name, Kind: kind, Inputs: inputs, Outputs: []*Value{out}, Attributes: a}
	if b.err == nil {
		if err := n.InferShape(); err != nil {
			b.fail(err)
		}
	}
	b.define(out)
	b.graph.Nodes = append(b.graph.Nodes, n)
	return out
}

// Build ends the graph with its outputs and checks it.
func (b *Builder) Build(outputs ...*Value) (*Graph, error) {
	b.graph.Outputs = outputs
	if b.err != nil {
		return nil, fmt.Errorf("graph %q: %w", b.graph.Name, b.err)
	}
	g := b.graph
	if err := g.Validate(); err != nil {
		return nil, err
	}
	return &g, nil
}

// Operator adds a plain operator of ONNX with one output. Inputs that are left
// out are nil.
func (b *Builder) Operator(kind Kind, name string, a operator.Attributes, inputs ...*Value) *Value {
	if a == nil {
		a = operator.Attributes{}
	}
	return b.Apply(kind, name, Attributes{Named: a}, inputs...)
}

// Constant adds a value with data.
func (b *Builder) Constant(name string, t *operator.Tensor) *Value {
	v := &Value{Name: name, Role: RoleConstant}
	v.Fill(t)
	b.define(v)
	return v
}

// Parameter adds a value of type F32 that is given, without data.
func (b *Builder) Parameter(name string, role Role, shape ...int) *Value {
	v := &Value{Name: name, DType: F32, Shape: shape, Role: role}
	b.define(v)
	return v
}

func (b *Builder) define(v *Value) {
	if b.names[v.Name] {
		b.fail(fmt.Errorf("value %q is defined twice", v.Name))
	}
	b.names[v.Name] = true
}

func (b *Builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *Builder) dim(x *Value, i int) int {
	if x == nil || i >= len(x.Shape) {
		b.fail(errors.New("an input is missing or has too few dimensions"))
		return 1
	}
	return x.Shape[i]
}

// free is the first name of x.suffix, x.suffix.2, x.suffix.3 ... not taken.
func (b *Builder) free(x *Value, suffix string) string {
	if x == nil {
		b.fail(errors.New("an input is missing"))
		return suffix
	}
	return freeName(x.Name+"."+suffix, func(s string) bool { return b.names[s] })
}

func freeName(name string, taken func(string) bool) string {
	if !taken(name) {
		return name
	}
	for i := 2; ; i++ {
		if s := name + "." + strconv.Itoa(i); !taken(s) {
			return s
		}
	}
}
