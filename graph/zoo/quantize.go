package zoo

import (
	"fmt"
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// Quantize is g in int8, in the form of QuantizeLinear and DequantizeLinear
// around every convolution, matrix product with constant weights, addition and
// pool, and after the outputs: Jacob et al., Quantization and Training of Neural
// Networks, 2018. Activations are uint8 with the range that they have in one run
// on normal random inputs, weights int8 with a scale for each output channel,
// biases int32. Batch norms are folded first.
func Quantize(g *graph.Graph, seed uint64) (*graph.Graph, error) {
	others := slices.DeleteFunc(graph.Passes(), func(name string) bool { return name == "batch-norm" })
	g, err := graph.Optimize(g, graph.Without(others...))
	if err != nil {
		return nil, err
	}
	ranges, err := observe(g, seed)
	if err != nil {
		return nil, fmt.Errorf("zoo: %s: %w", g.Name, err)
	}
	q := quantizer{graph: &graph.Graph{Name: g.Name + "_qdq", Inputs: g.Inputs, Outputs: slices.Clone(g.Outputs), Metadata: g.Metadata}, ranges: ranges, done: make(map[*graph.Value]*graph.Value), scales: make(map[*graph.Value]*graph.Value)}
	for _, n := range g.Nodes {
		copied := *n
		copied.Inputs = slices.Clone(n.Inputs)
		product := n.Kind == graph.Conv && !n.Plain() || n.Kind == graph.Linear && !n.Plain() || n.Plain() && n.Kind == "MatMul"
		if product && n.Inputs[0].Role == graph.RoleNone && n.Inputs[1].Data != nil {
			axis := 0
			if n.Plain() {
				axis = 1
			}
			copied.Inputs[0] = q.activation(n.Inputs[0])
			copied.Inputs[1] = q.weight(n.Inputs[1], axis)
			if n.Bias() != nil {
				copied.Inputs[2] = q.bias(n.Inputs[2], n.Inputs[0], n.Inputs[1])
			}
		}
		switch n.Kind {
		case graph.Add, graph.MaxPool, graph.AveragePool, graph.GlobalAveragePool:
			for i, v := range n.Inputs {
				if v.Role == graph.RoleNone && v.DType == operator.F32 && !n.Plain() {
					copied.Inputs[i] = q.activation(v)
				}
			}
		}
		q.graph.Nodes = append(q.graph.Nodes, &copied)
	}
	for i, v := range g.Outputs {
		if v.DType == operator.F32 {
			q.graph.Outputs[i] = q.activation(v)
		}
	}
	return q.graph, q.graph.Validate()
}

type quantizer struct {
	graph  *graph.Graph
	ranges map[*graph.Value][2]float32
	done   map[*graph.Value]*graph.Value
	scales map[*graph.Value]*graph.Value // of the quantized
}

// activation is v after a round trip through uint8.
func (q *quantizer) activation(v *graph.Value) *graph.Value {
	if q.done[v] != nil {
		return q.done[v]
	}
	low, high := min(q.ranges[v][0], 0), max(q.ranges[v][1], 0)
	scale := max((high-low)/255, 1e-8)
	zero := uint8(math.RoundToEven(float64(-low / scale)))
	scaleOf := q.constant(v.Name+".scale", &operator.Tensor{DType: operator.F32, Shape: []int{}, Data: []float32{scale}})
	q.scales[v] = scaleOf
	zeroOf := q.constant(v.Name+".zero", &operator.Tensor{DType: operator.U8, Shape: []int{}, Data: []uint8{zero}})
	bytes := &graph.Value{Name: v.Name + ".quantized", DType: operator.U8, Shape: v.Shape}
	q.add("QuantizeLinear", bytes, nil, v, scaleOf, zeroOf)
	q.done[v] = &graph.Value{Name: v.Name + ".dequantized", DType: operator.F32, Shape: v.Shape}
	q.add("DequantizeLinear", q.done[v], nil, bytes, scaleOf, zeroOf)
	return q.done[v]
}

// bias is v as int32 with the scales that sums of products of x and weight have.
func (q *quantizer) bias(v, x, weight *graph.Value) *graph.Value {
	if q.done[v] != nil {
		return q.done[v]
	}
	scales, data := slices.Clone(q.scales[weight].Data), make([]int32, len(v.Data))
	for c := range data {
		scales[c] *= q.scales[x].Data[0]
		data[c] = int32(math.RoundToEven(min(max(float64(v.Data[c]/scales[c]), -1<<30), 1<<30)))
	}
	q.done[v] = &graph.Value{Name: v.Name + ".dequantized", DType: operator.F32, Shape: v.Shape}
	q.add("DequantizeLinear", q.done[v], operator.Attributes{"axis": int64(0)},
		q.constant(v.Name+".quantized", &operator.Tensor{DType: operator.I32, Shape: v.Shape, Data: data}),
		q.constant(v.Name+".scale", &operator.Tensor{DType: operator.F32, Shape: []int{len(scales)}, Data: scales}),
		q.constant(v.Name+".zero", operator.New(operator.I32, len(scales))))
	return q.done[v]
}

// weight is v as int8 with a scale for each index of an axis.
func (q *quantizer) weight(v *graph.Value, axis int) *graph.Value {
	if q.done[v] != nil {
		return q.done[v]
	}
	channels, inner := v.Shape[axis], operator.Elements(v.Shape[axis+1:])
	scales, data := make([]float32, channels), make([]int8, len(v.Data))
	for i, x := range v.Data {
		c := i / inner % channels
		scales[c] = max(scales[c], float32(math.Abs(float64(x)))/127)
	}
	for i, x := range v.Data {
		data[i] = int8(math.RoundToEven(float64(x / max(scales[i/inner%channels], 1e-12))))
	}
	for c := range scales {
		scales[c] = max(scales[c], 1e-12)
	}
	q.done[v] = &graph.Value{Name: v.Name + ".dequantized", DType: operator.F32, Shape: v.Shape}
	q.scales[v] = q.constant(v.Name+".scale", &operator.Tensor{DType: operator.F32, Shape: []int{channels}, Data: scales})
	q.add("DequantizeLinear", q.done[v], operator.Attributes{"axis": int64(axis)},
		q.constant(v.Name+".quantized", &operator.Tensor{DType: operator.I8, Shape: v.Shape, Data: data}), q.scales[v],
		q.constant(v.Name+".zero", operator.New(operator.I8, channels)))
	return q.done[v]
}

func (q *quantizer) constant(name string, t *operator.Tensor) *graph.Value {
	v := &graph.Value{Name: name, Role: graph.RoleConstant}
	v.Fill(t)
	return v
}

func (q *quantizer) add(kind graph.Kind, out *graph.Value, a operator.Attributes, inputs ...*graph.Value) {
	if a == nil {
		a = operator.Attributes{}
	}
	q.graph.Nodes = append(q.graph.Nodes, &graph.Node{
		Name: out.Name, Kind: kind, Inputs: inputs, Outputs: []*graph.Value{out}, Attributes: graph.Attributes{Named: a},
	})
}

// observe is the least and greatest element of each value in a run of g.
func observe(g *graph.Graph, seed uint64) (map[*graph.Value][2]float32, error) {
	values := RandomInputs(g, seed)
	for _, v := range g.Parameters() {
		values[v] = v.Tensor()
	}
	ranges := make(map[*graph.Value][2]float32)
	note := func(v *graph.Value) {
		if x, ok := values[v].Data.([]float32); ok && len(x) > 0 {
			ranges[v] = [2]float32{slices.Min(x), slices.Max(x)}
		}
	}
	for _, v := range g.Inputs {
		note(v)
	}
	for _, n := range g.Nodes {
		in := make([]*operator.Tensor, len(n.Inputs))
		for i, v := range n.Inputs {
			in[i] = values[v]
		}
		out, err := n.Compute(in)
		if err != nil {
			return nil, err
		}
		for i, v := range n.Outputs {
			values[v] = out[i]
			note(v)
		}
	}
	return ranges, nil
}

// RandomInputs are inputs for g: normal numbers, and ones where integers or
// truth values are wanted, which are ids of any vocabulary and masks that let
// all through.
func RandomInputs(g *graph.Graph, seed uint64) map[*graph.Value]*operator.Tensor {
	given := make(map[*graph.Value]*operator.Tensor)
	for _, v := range g.Inputs {
		t := operator.New(v.DType, v.Shape...)
		random := named(v.Name, seed)
		switch data := t.Data.(type) {
		case []float32:
			for i := range data {
				data[i] = float32(random.NormFloat64())
			}
		case []uint16:
			for i := range data {
				data[i] = operator.ToHalf(v.DType, float32(random.NormFloat64()))
			}
		case []int64:
			for i := range data {
				data[i] = 1
			}
		case []bool:
			for i := range data {
				data[i] = true
			}
		}
		given[v] = t
	}
	return given
}
