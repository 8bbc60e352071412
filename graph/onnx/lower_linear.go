package onnx

import (
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
)

// gemm writes alpha A B' + beta C with constant B.
func (l *lowering) gemm(n *graph.Node) bool {
	named := n.Attributes.Named
	transA, err := named.Int("transA", 0)
	transB, err2 := named.Int("transB", 0)
	alpha, err3 := named.Float("alpha", 1)
	beta, err4 := named.Float("beta", 1)
	if err != nil || err2 != nil || err3 != nil || err4 != nil || transA != 0 || !constant(n.Inputs[1]) {
		return false
	}
	x, w, c := n.Inputs[0], n.Inputs[1], input(n, 2)
	if beta == 0 {
		c = nil
	}
	out := n.Outputs[0].Shape[1]
	vector := c != nil && constant(c) && isVector(c.Shape, out)
	if c != nil && !vector && (beta != 1 || c.Role != graph.RoleNone && !constant(c)) {
		return false
	}
	weight := l.scaled(w, graph.RoleWeight, w.Shape, alpha)
	a := graph.Attributes{Transposed: transB == 0}
	switch {
	case c == nil:
		return l.last(n, graph.Linear, a, x, weight)
	case vector:
		return l.last(n, graph.Linear, a, x, weight, l.bias(c, out, beta))
	}
	shape, ok := alignRank(c.Shape, 2)
	if !ok {
		return false
	}
	product := l.inner(n, "product", graph.Linear, a, x, weight)
	switch {
	case c.Role != graph.RoleNone:
		c = l.parameter(c, graph.RoleConstant, shape)
	case len(c.Shape) != 2:
		c = l.inner(n, "aligned", graph.Reshape, graph.Attributes{Shape: shape}, c)
	}
	return l.last(n, graph.Add, graph.Attributes{}, product, c)
}

// isVector reports whether a shape broadcasts to rows of n alike.
func isVector(shape []int, n int) bool {
	for _, d := range shape[:max(len(shape)-1, 0)] {
		if d != 1 {
			return false
		}
	}
	return len(shape) == 0 || len(shape) <= 2 && (shape[len(shape)-1] == n || shape[len(shape)-1] == 1)
}

// scaled is a parameter times a factor.
func (l *lowering) scaled(v *graph.Value, role graph.Role, shape []int, factor float32) *graph.Value {
	if factor == 1 {
		return l.parameter(v, role, shape)
	}
	return l.variant(v, role, shape, fmt.Sprint("times ", factor), func() []float32 {
		data := slices.Clone(v.Data)
		for i := range data {
			data[i] *= factor
		}
		return data
	})
}

// bias is a constant as [out], scaled.
func (l *lowering) bias(v *graph.Value, out int, factor float32) *graph.Value {
	if len(v.Data) == out {
		return l.scaled(v, graph.RoleBias, []int{out}, factor)
	}
	return l.variant(v, graph.RoleBias, []int{out}, fmt.Sprint("filled with ", factor), func() []float32 {
		return slices.Repeat([]float32{factor * v.Data[0]}, out)
	})
}

// matMul writes a product with a constant matrix.
func (l *lowering) matMul(n *graph.Node) bool {
	x, w := n.Inputs[0], n.Inputs[1]
	if len(x.Shape) < 2 || !constant(w) || len(w.Shape) != 2 {
		return false
	}
	return l.last(n, graph.Linear, graph.Attributes{Transposed: true}, x, l.parameter(w, graph.RoleWeight, w.Shape))
}
