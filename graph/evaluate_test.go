package graph

import (
	"math"
	"math/rand/v2"
)

// fill gives all parameters random data; variances are positive.
func fill(g *Graph, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	for _, v := range g.Parameters() {
		if v.Filled() {
			continue
		}
		v.Data = make([]float32, v.Elements())
		for i := range v.Data {
			v.Data[i] = float32(random.NormFloat64() / 2)
			if v.Role == RoleVariance {
				v.Data[i] = float32(0.5 + random.Float64())
			}
		}
	}
}

// evaluate runs a graph by the definition of each node, in float64.
func evaluate(g *Graph, inputs map[string][]float64) [][]float64 {
	values := make(map[*Value][]float64)
	for _, v := range g.Inputs {
		values[v] = inputs[v.Name]
	}
	for _, v := range g.Parameters() {
		values[v] = float64s(v.Data)
	}
	for _, n := range g.Nodes {
		var in [][]float64
		for _, v := range n.Inputs {
			in = append(in, values[v])
		}
		y := computeNode(n, in)
		if n.Attributes.Epilogue.Add {
			for i, r := range in[len(in)-1] {
				y[i] += r
			}
		}
		if a := n.Attributes.Epilogue.Activation; a != "" {
			y = activate(a, y)
		}
		values[n.Outputs[0]] = y
	}
	var out [][]float64
	for _, v := range g.Outputs {
		out = append(out, values[v])
	}
	return out
}

func computeNode(n *Node, in [][]float64) []float64 {
	a, shape := n.Attributes, n.Outputs[0].Shape
	x, xs := in[0], n.Inputs[0].Shape
	y := make([]float64, product(shape))
	if op, ok := n.Kind.activation(); ok {
		return activate(op, x)
	}
	switch n.Kind {
	case Flatten, Reshape, Identity:
		return x
	case BatchNormalization:
		inner := product(xs[2:])
		for i := range y {
			c := i / inner % xs[1]
			y[i] = (x[i]-in[3][c])/math.Sqrt(in[4][c]+float64(a.Epsilon))*in[1][c] + in[2][c]
		}
	case Add, Mul:
		ys := n.Inputs[1].Shape
		for i := range y {
			rest, j, step := i, 0, 1
			for d := len(xs) - 1; d >= 0; d-- {
				if ys[d] > 1 {
					j += rest % xs[d] * step
				}
				rest /= xs[d]
				step *= ys[d]
			}
			y[i] = x[i] + in[1][j]
			if n.Kind == Mul {
				y[i] = x[i] * in[1][j]
			}
		}
	case Linear:
		out, width := shape[1], xs[1]
		for i := range y {
			row, k := i/out, i%out
			if n.Bias() != nil {
				y[i] = in[2][k]
			}
			for j := range width {
				y[i] += x[row*width+j] * in[1][k*width+j]
			}
		}
	case GlobalAveragePool:
		inner := xs[2] * xs[3]
		for i := range x {
			y[i/inner] += x[i] / float64(inner)
		}
	case Softmax:
		axis, _ := n.axis(len(xs))
		width := xs[axis]
		for row := range len(x) / width {
			sum := 0.
			for i := range width {
				y[row*width+i] = math.Exp(x[row*width+i])
				sum += y[row*width+i]
			}
			for i := range width {
				y[row*width+i] /= sum
			}
		}
	case Conv, MaxPool, AveragePool:
		computeWindows(n, in, y)
	default:
		panic(n.Kind)
	}
	return y
}

func computeWindows(n *Node, in [][]float64, y []float64) {
	a, xs, ys := n.Attributes, n.Inputs[0].Shape, n.Outputs[0].Shape
	kernel, dilation := a.Kernel, [2]int{1, 1}
	if n.Kind == Conv {
		kernel, dilation = [2]int(n.Inputs[1].Shape[2:]), a.Dilation
	}
	for i := range y {
		ow, oh, k, b := i%ys[3], i/ys[3]%ys[2], i/ys[3]/ys[2]%ys[1], i/ys[3]/ys[2]/ys[1]
		channels, first := 1, k
		if n.Kind == Conv {
			channels = n.Inputs[1].Shape[1]
			first = k / (ys[1] / a.Group) * channels
			if n.Bias() != nil {
				y[i] = in[2][k]
			}
		} else if n.Kind == MaxPool {
			y[i] = math.Inf(-1)
		}
		count := 0.
		for c := range channels {
			for r := range kernel[0] {
				for s := range kernel[1] {
					h, w := oh*a.Stride[0]-a.Pad[0]+r*dilation[0], ow*a.Stride[1]-a.Pad[1]+s*dilation[1]
					if h < 0 || h >= xs[2] || w < 0 || w >= xs[3] {
						continue
					}
					v := in[0][((b*xs[1]+first+c)*xs[2]+h)*xs[3]+w]
					count++
					switch n.Kind {
					case Conv:
						y[i] += v * in[1][((k*channels+c)*kernel[0]+r)*kernel[1]+s]
					case MaxPool:
						y[i] = max(y[i], v)
					case AveragePool:
						y[i] += v
					}
				}
			}
		}
		if n.Kind == AveragePool {
			y[i] /= count
		}
	}
}

func activate(op Op, x []float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		gate := min(max(v+3, 0), 6) / 6
		switch op {
		case OpRelu:
			y[i] = max(v, 0)
		case OpRelu6:
			y[i] = min(max(v, 0), 6)
		case OpHardSwish:
			y[i] = v * gate
		case OpHardSigmoid:
			y[i] = gate
		case OpSigmoid:
			y[i] = 1 / (1 + math.Exp(-v))
		}
	}
	return y
}

func float64s(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}
