package onnx

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
)

// broadcast writes an addition or multiplication with ONNX's broadcasting
// (docs/Broadcasting.md) in which one operand has the result's shape. Ranks are
// made equal.
func (l *lowering) broadcast(kind graph.Kind, n *graph.Node) bool {
	x, y := n.Inputs[0], n.Inputs[1]
	out := n.Outputs[0].Shape
	if x.Role != graph.RoleNone || !slices.Equal(x.Shape, out) {
		x, y = y, x
	}
	if x.Role != graph.RoleNone || !slices.Equal(x.Shape, out) {
		return false
	}
	shape, ok := alignRank(y.Shape, len(x.Shape))
	if !ok {
		return false
	}
	switch {
	case y.Role != graph.RoleNone && !constant(y):
		return false
	case y.Role != graph.RoleNone:
		y = l.parameter(y, graph.RoleConstant, shape)
	case len(shape) != len(y.Shape):
		if len(y.Shape) == 0 {
			return false // a Reshape is of a shape
		}
		y = l.inner(n, "aligned", graph.Reshape, graph.Attributes{Shape: shape}, y)
	}
	return l.last(n, kind, graph.Attributes{}, x, y)
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

// unbounded is where a bound of Clip is as good as none: exporters write the
// largest float32.
const unbounded = math.MaxFloat32

func (l *lowering) clip(n *graph.Node) bool {
	bounds := [2]float32{-unbounded, unbounded}
	for i := range bounds {
		v := input(n, 1+i)
		if v == nil {
			continue
		}
		if !constant(v) || len(v.Data) != 1 {
			return false
		}
		bounds[i] = v.Data[0]
	}
	none := bounds[0] <= -unbounded
	switch bounds {
	case [2]float32{0, 6}:
		return l.last(n, graph.Relu6, graph.Attributes{}, n.Inputs[0])
	case [2]float32{0, unbounded}, [2]float32{0, float32(math.Inf(1))}:
		return l.last(n, graph.Relu, graph.Attributes{}, n.Inputs[0])
	case [2]float32{bounds[0], unbounded}, [2]float32{bounds[0], float32(math.Inf(1))}:
		return none && l.last(n, graph.Identity, graph.Attributes{}, n.Inputs[0])
	}
	return false
}

// hardSigmoid is the graph's own where it is relu6(x + 3) / 6.
func (l *lowering) hardSigmoid(n *graph.Node) bool {
	alpha, err := n.Attributes.Named.Float("alpha", 0.2)
	beta, err2 := n.Attributes.Named.Float("beta", 0.5)
	if err != nil || err2 != nil || math.Abs(6*float64(alpha)-1) > 1e-6 || beta != 0.5 {
		return false
	}
	return l.unary(graph.HardSigmoid, n)
}
