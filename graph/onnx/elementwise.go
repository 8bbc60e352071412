package onnx

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
)

func (n *node) readAdd() error { return n.binary(graph.Add, nil) }

func (n *node) readMul() error { return n.binary(graph.Mul, nil) }

// readSub reads x - c with constant c as an addition.
func (n *node) readSub() error {
	return n.binary(graph.Add, func(x float32) float32 { return -x })
}

// readDiv reads x / c with constant c as a multiplication.
func (n *node) readDiv() error {
	return n.binary(graph.Mul, func(x float32) float32 { return 1 / x })
}

// readSum reads a sum of one or more as additions.
func (n *node) readSum() error {
	if len(n.inputs) == 1 {
		return n.readIdentity()
	}
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	for i := 1; i < len(n.inputs)-1; i++ {
		y, err := n.activation(i)
		if err != nil {
			return err
		}
		if !slices.Equal(x.Shape, y.Shape) {
			return unsupportedf("it adds %v and %v", x.Shape, y.Shape)
		}
		if x, err = n.inner("sum", graph.Add, graph.Attributes{}, x, y); err != nil {
			return err
		}
	}
	return n.combine(graph.Add, operand{value: x}, n.inputs[len(n.inputs)-1])
}

// binary reads a node of two inputs, the second inverted where inverse is not
// nil, which then must be constant.
func (n *node) binary(kind graph.Kind, inverse func(float32) float32) error {
	if !n.has(0) || !n.has(1) {
		_, err := n.activation(1)
		return err
	}
	x, y := n.inputs[0], n.inputs[1]
	if inverse == nil {
		return n.combine(kind, x, y)
	}
	c, err := n.floats(1)
	if err != nil {
		return err
	}
	inverted := *c.constant
	inverted.floats = func() []float32 {
		data := c.constant.floats()
		for i := range data {
			data[i] = inverse(data[i])
		}
		return data
	}
	return n.combine(kind, x, operand{name: c.name, constant: &inverted, variant: "inverse " + string(kind)})
}

// combine is the last node of an addition or multiplication with ONNX's
// broadcasting (docs/Broadcasting.md), in which one operand must have the
// result's shape. Ranks are made equal.
func (n *node) combine(kind graph.Kind, x, y operand) error {
	if x.value == nil {
		x, y = y, x
	}
	if x.value == nil {
		return unsupportedf("both inputs are constant")
	}
	a := x.value
	if y.value == nil {
		if y.constant.floats == nil {
			return unsupportedf("it combines with a constant that is not of type FLOAT")
		}
		shape, ok := alignRank(y.constant.shape, len(a.Shape))
		if !ok || !broadcasts(shape, a.Shape) {
			return unsupportedf("%v does not broadcast to %v", y.constant.shape, a.Shape)
		}
		c, err := n.parameter(y, graph.RoleConstant, y.variant, shape, func() ([]float32, error) { return y.constant.floats(), nil })
		if err != nil {
			return err
		}
		return n.last(kind, graph.Attributes{}, a, c)
	}
	b := y.value
	if len(a.Shape) < len(b.Shape) || len(a.Shape) == len(b.Shape) && !broadcasts(b.Shape, a.Shape) {
		a, b = b, a
	}
	shape, ok := alignRank(b.Shape, len(a.Shape))
	if !ok || !broadcasts(shape, a.Shape) {
		return unsupportedf("%v and %v broadcast to a shape that neither has", a.Shape, b.Shape)
	}
	if len(shape) != len(b.Shape) {
		var err error
		if b, err = n.inner("aligned", graph.Reshape, graph.Attributes{Shape: shape}, b); err != nil {
			return err
		}
	}
	return n.last(kind, graph.Attributes{}, a, b)
}

// alignRank adds or drops leading dimensions of 1.
func alignRank(shape []int, rank int) ([]int, bool) {
	for len(shape) > rank && shape[0] == 1 {
		shape = shape[1:]
	}
	if len(shape) > rank {
		return nil, false
	}
	return append(slices.Repeat([]int{1}, rank-len(shape)), shape...), true
}

// broadcasts reports whether each dimension of y is x's or 1.
func broadcasts(y, x []int) bool {
	for i := range y {
		if y[i] != x[i] && y[i] != 1 {
			return false
		}
	}
	return true
}

// unbounded is where a bound of Clip is as good as none: exporters write the
// largest float32.
const unbounded = 1e38

func (n *node) readClip() error {
	low, high := float32(math.Inf(-1)), float32(math.Inf(1))
	var err error
	if n.opset < 11 {
		if low, err = n.float("min", low); err == nil {
			high, err = n.float("max", high)
		}
	} else {
		if low, err = n.scalar(1, low); err == nil {
			high, err = n.scalar(2, high)
		}
	}
	if err != nil {
		return err
	}
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	hasLow, hasHigh := low > -unbounded, high < unbounded
	switch {
	case !(low < high):
		return unsupportedf("its bounds are %v and %v", low, high)
	case !hasLow && !hasHigh:
		return n.last(graph.Identity, graph.Attributes{}, x)
	case hasLow && !hasHigh: // relu(x - low) + low
		return n.affine(graph.Relu, x, 1, -low, 1, low)
	case !hasLow: // high - relu(high - x)
		return n.affine(graph.Relu, x, -1, high, -1, high)
	}
	// relu6((x - low) * 6 / (high - low)) * (high - low) / 6 + low
	scale := 6 / (float64(high) - float64(low))
	return n.affine(graph.Relu6, x, scale, float32(-float64(low)*scale), 1/scale, low)
}

// readHardSigmoid reads clip(alpha x + beta, 0, 1); with alpha 1/6 and beta
// 1/2 it is the graph's own, relu6(x + 3) / 6.
func (n *node) readHardSigmoid() error {
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	alpha, err := n.float("alpha", 0.2)
	if err != nil {
		return err
	}
	beta, err := n.float("beta", 0.5)
	if err != nil {
		return err
	}
	scale, shift := 6*float64(alpha), float32(6*float64(beta)-3)
	if math.Abs(scale-1) < 1e-6 {
		scale = 1
	}
	return n.affine(graph.HardSigmoid, x, scale, shift, 1, 0)
}

// affine writes outScale * kind(inScale * x + inShift) + outShift, leaving out
// what changes nothing.
func (n *node) affine(kind graph.Kind, x *graph.Value, inScale float64, inShift float32, outScale float64, outShift float32) error {
	type step struct {
		name     string
		kind     graph.Kind
		constant float32
	}
	steps := []step{
		{"scaled", graph.Mul, float32(inScale)}, {"shifted", graph.Add, inShift},
		{"bounded", kind, 0},
		{"unscaled", graph.Mul, float32(outScale)}, {"unshifted", graph.Add, outShift},
	}
	steps = slices.DeleteFunc(steps, func(s step) bool {
		return s.kind == graph.Mul && s.constant == 1 || s.kind == graph.Add && s.constant == 0
	})
	for i, s := range steps {
		inputs := []*graph.Value{x}
		if s.kind != kind {
			inputs = append(inputs, n.fill(s.name+".by", len(x.Shape), s.constant))
		}
		if i == len(steps)-1 {
			return n.last(s.kind, graph.Attributes{}, inputs...)
		}
		var err error
		if x, err = n.inner(s.name, s.kind, graph.Attributes{}, inputs...); err != nil {
			return err
		}
	}
	return nil
}
