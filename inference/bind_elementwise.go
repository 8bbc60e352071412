package inference

import (
	"math"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// bindOperation combines two or more operands element by element.
func bindOperation(n *graph.Node, op kernels.Operation) *step {
	out := n.Outputs[0]
	if len(n.Inputs) == 1 {
		return rowwise(n, func(dst, src []float32) { copy(dst, src) })
	}
	s := &step{inPlace: []int{0, 1}}
	if len(n.Inputs) > 2 {
		s.inPlace = nil // the first result is written before the third operand is read
	}
	s.kernel = func(m *memory) call {
		dst, shape := m.floats(out), out.Shape
		x, y := n.Inputs[0], n.Inputs[1]
		a, b := m.floats(x), m.floats(y)
		if len(n.Inputs) == 2 {
			return always(func(ws *kernels.Workspace) { kernels.Broadcast(ws, op, dst, shape, a, x.Shape, b, y.Shape) })
		}
		var others [][]float32
		for _, v := range n.Inputs[2:] {
			others = append(others, m.floats(v))
		}
		return always(func(ws *kernels.Workspace) {
			kernels.Broadcast(ws, op, dst, shape, a, x.Shape, b, y.Shape)
			for i, c := range others {
				kernels.Broadcast(ws, op, dst, shape, dst, shape, c, n.Inputs[2+i].Shape)
			}
		})
	}
	return s
}

func bindGelu(n *graph.Node) *step {
	act := kernels.GELU
	if stringOf(n, "approximate", "none") == "tanh" {
		act = kernels.GELUTanh
	}
	return rowwise(n, func(dst, src []float32) { kernels.Activate(act, dst, src) })
}

func bindSwish(n *graph.Node) *step {
	if floatOf(n, "alpha", 1) != 1 {
		return nil
	}
	return rowwise(n, func(dst, src []float32) { kernels.Activate(kernels.SiLU, dst, src) })
}

func bindHardSigmoid(n *graph.Node) *step {
	alpha, beta := floatOf(n, "alpha", 0.2), floatOf(n, "beta", 0.5)
	if math.Abs(float64(alpha)-1./6) < 1e-7 && beta == 0.5 {
		return rowwise(n, func(dst, src []float32) { kernels.Activate(kernels.HardSigmoid, dst, src) })
	}
	return rowwise(n, func(dst, src []float32) {
		for i, x := range src {
			dst[i] = min(max(alpha*x+beta, 0), 1)
		}
	})
}

func bindLeakyRelu(n *graph.Node) *step {
	alpha := floatOf(n, "alpha", 0.01)
	return rowwise(n, func(dst, src []float32) {
		dst = dst[:len(src)]
		for i, x := range src {
			if x < 0 {
				x *= alpha
			}
			dst[i] = x
		}
	})
}

func bindClip(n *graph.Node) *step {
	low, ok := constantFloat(input(n, 1), float32(math.Inf(-1)))
	high, okHigh := constantFloat(input(n, 2), float32(math.Inf(1)))
	if !ok || !okHigh || low > high {
		return nil
	}
	return rowwise(n, func(dst, src []float32) { kernels.Clip(dst, src, low, high) })
}

func bindPow(n *graph.Node) *step {
	exponent, ok := constantFloat(n.Inputs[1], 0)
	if !ok || n.Inputs[0].Elements() != n.Outputs[0].Elements() {
		return nil
	}
	return rowwise(n, func(dst, src []float32) { kernels.Pow(dst, src, exponent) })
}
