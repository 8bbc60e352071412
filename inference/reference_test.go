package inference

import (
	"fmt"
	"math"

	"github.com/hwprofd/hwprofd/graph"
)

// interpret computes all values of a graph node by node, in float64, from the
// definition of each operator. It shares no code with the kernels.
func interpret(g *graph.Graph, inputs [][]float32) map[*graph.Value][]float64 {
	values := make(map[*graph.Value][]float64)
	for i, v := range g.Inputs {
		values[v] = widen(inputs[i])
	}
	for _, v := range g.Parameters() {
		values[v] = widen(v.Data)
	}
	for _, n := range g.Nodes {
		values[n.Outputs[0]] = interpretNode(n, values)
	}
	return values
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = float64(x[i])
	}
	return y
}

// at indexes a row-major tensor.
func at(x []float64, shape []int, index ...int) float64 {
	flat := 0
	for i, d := range shape {
		flat = flat*d + index[i]
	}
	return x[flat]
}

func interpretNode(n *graph.Node, values map[*graph.Value][]float64) []float64 {
	x, in := values[n.Inputs[0]], n.Inputs[0].Shape
	shape, a := n.Outputs[0].Shape, &n.Attributes
	out := make([]float64, n.Outputs[0].Elements())
	each := func(f func(index []int) float64) {
		index := make([]int, len(shape))
		for flat := range out {
			rest := flat
			for i := len(shape) - 1; i >= 0; i-- {
				index[i] = rest % shape[i]
				rest /= shape[i]
			}
			out[flat] = f(index)
		}
	}
	// window calls f for each element of the input under a window.
	window := func(index []int, kernelH, kernelW int, dilation [2]int, f func(r, s, y, x int)) {
		for r := range kernelH {
			for s := range kernelW {
				y := index[2]*a.Stride[0] - a.Pad[0] + r*dilation[0]
				x := index[3]*a.Stride[1] - a.Pad[1] + s*dilation[1]
				if y >= 0 && y < in[2] && x >= 0 && x < in[3] {
					f(r, s, y, x)
				}
			}
		}
	}
	switch n.Kind {
	case graph.Conv:
		weight, ws := values[n.Inputs[1]], n.Inputs[1].Shape
		each(func(i []int) float64 {
			sum := 0.0
			if b := n.Bias(); b != nil {
				sum = values[b][i[1]]
			}
			first := i[1] / (ws[0] / a.Group) * ws[1]
			for c := range ws[1] {
				window(i, ws[2], ws[3], a.Dilation, func(r, s, yy, xx int) {
					sum += at(weight, ws, i[1], c, r, s) * at(x, in, i[0], first+c, yy, xx)
				})
			}
			return sum
		})
	case graph.Linear:
		weight, ws := values[n.Inputs[1]], n.Inputs[1].Shape
		each(func(i []int) float64 {
			sum := 0.0
			if b := n.Bias(); b != nil {
				sum = values[b][i[1]]
			}
			for c := range ws[1] {
				sum += at(weight, ws, i[1], c) * at(x, in, i[0], c)
			}
			return sum
		})
	case graph.MaxPool:
		each(func(i []int) float64 {
			largest := math.Inf(-1)
			window(i, a.Kernel[0], a.Kernel[1], [2]int{1, 1}, func(_, _, yy, xx int) {
				largest = max(largest, at(x, in, i[0], i[1], yy, xx))
			})
			return largest
		})
	case graph.AveragePool:
		each(func(i []int) float64 {
			sum, count := 0.0, 0.0
			window(i, a.Kernel[0], a.Kernel[1], [2]int{1, 1}, func(_, _, yy, xx int) {
				sum += at(x, in, i[0], i[1], yy, xx)
				count++
			})
			return sum / count
		})
	case graph.GlobalAveragePool:
		each(func(i []int) float64 {
			sum := 0.0
			for y := range in[2] {
				for z := range in[3] {
					sum += at(x, in, i[0], i[1], y, z)
				}
			}
			return sum / float64(in[2]*in[3])
		})
	case graph.BatchNormalization:
		scale, shift := values[n.Inputs[1]], values[n.Inputs[2]]
		mean, variance := values[n.Inputs[3]], values[n.Inputs[4]]
		each(func(i []int) float64 {
			c := i[1]
			return (at(x, in, i...)-mean[c])/math.Sqrt(variance[c]+float64(a.Epsilon))*scale[c] + shift[c]
		})
	case graph.Add, graph.Mul:
		y, ys := values[n.Inputs[1]], n.Inputs[1].Shape
		each(func(i []int) float64 {
			j := make([]int, len(i))
			for d := range j {
				j[d] = min(i[d], ys[d]-1)
			}
			if n.Kind == graph.Add {
				return at(x, in, i...) + at(y, ys, j...)
			}
			return at(x, in, i...) * at(y, ys, j...)
		})
	case graph.Softmax: // over the last dimension of more than one element
		cols := in[len(in)-1]
		for row := 0; row < len(x); row += cols {
			sum := 0.0
			for c := range cols {
				out[row+c] = math.Exp(x[row+c])
				sum += out[row+c]
			}
			for c := range cols {
				out[row+c] /= sum
			}
		}
	case graph.Flatten, graph.Reshape, graph.Identity:
		copy(out, x)
	default:
		each(func(i []int) float64 { return activate(n.Kind, at(x, in, i...)) })
	}
	return out
}

func activate(k graph.Kind, x float64) float64 {
	relu6 := func(x float64) float64 { return min(max(x, 0), 6) }
	switch k {
	case graph.Relu:
		return max(x, 0)
	case graph.Relu6:
		return relu6(x)
	case graph.HardSwish:
		return x * relu6(x+3) / 6
	case graph.HardSigmoid:
		return relu6(x+3) / 6
	case graph.Sigmoid:
		return 1 / (1 + math.Exp(-x))
	}
	panic(fmt.Sprintf("no reference for %s", k))
}
