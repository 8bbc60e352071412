package profiler

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/hwprofd/hwprofd/graph"
)

// WithWeights returns g with random data in the parameters that have none, for
// graphs of which only the time is of interest. g is not changed.
func WithWeights(g *graph.Graph, seed uint64) *graph.Graph {
	random := newDraws(seed)
	filled := make(map[*graph.Value]*graph.Value)
	for _, v := range g.Parameters() {
		if !v.Filled() && v.DType == graph.F32 {
			copied := *v
			copied.Data = randomData(v, random)
			filled[v] = &copied
		}
	}
	out := *g
	out.Nodes = make([]*graph.Node, len(g.Nodes))
	for i, n := range g.Nodes {
		copied := *n
		copied.Inputs = make([]*graph.Value, len(n.Inputs))
		for j, v := range n.Inputs {
			copied.Inputs[j] = v
			if f := filled[v]; f != nil {
				copied.Inputs[j] = f
			}
		}
		out.Nodes[i] = &copied
	}
	return &out
}

// draws are random numbers in [-1, 1), used again and again: to draw each of the
// millions of weights of a network would take longer than to time it.
type draws struct {
	values []float64
	next   int
}

// manyDraws is a prime, so that rows of a matrix do not repeat.
const manyDraws = 65521

func newDraws(seed uint64) *draws {
	random := rand.New(rand.NewPCG(seed, 0))
	d := &draws{values: make([]float64, manyDraws)}
	for i := range d.values {
		d.values[i] = 2*random.Float64() - 1
	}
	return d
}

// fill draws numbers in [-scale, scale).
func (d *draws) fill(data []float32, scale float64) {
	for len(data) > 0 {
		from := d.values[d.next:min(d.next+len(data), manyDraws)]
		for i, v := range from {
			data[i] = float32(scale * v)
		}
		data = data[len(from):]
		d.next = (d.next + len(from)) % manyDraws
	}
}

// randomData is drawn such that values keep about their size from layer to
// layer: some processors are slow with denormal numbers.
func randomData(v *graph.Value, random *draws) []float32 {
	data := make([]float32, v.Elements())
	switch v.Role {
	case graph.RoleScale, graph.RoleVariance:
		for i := range data {
			data[i] = 1
		}
		return data
	}
	scale := 1.0
	if v.Role == graph.RoleWeight {
		scale = math.Sqrt(6 / float64(v.Elements()/v.Shape[0])) // He et al. 2015, uniform
	}
	random.fill(data, scale)
	return data
}

// replicate returns a graph that does the single node of g copies times, one
// after the other, each with its own copy of the weights but all on the same
// inputs.
//
// In a network a layer finds its input in the caches, where the layer before
// has just left it, but not its weights, which all other layers have used the
// caches since. Repeating one layer with one copy of the weights would measure
// weights that never leave the innermost cache.
func replicate(g *graph.Graph, copies int) *graph.Graph {
	original := g.Nodes[0]
	out := &graph.Graph{Name: g.Name, Inputs: g.Inputs}
	for i := range copies {
		suffix := "#" + strconv.Itoa(i)
		n := *original
		n.Name += suffix
		n.Inputs = make([]*graph.Value, len(original.Inputs))
		for j, v := range original.Inputs {
			if v != nil && v.Role != graph.RoleNone {
				v = renamed(v, suffix)
			}
			n.Inputs[j] = v
		}
		n.Outputs = make([]*graph.Value, len(original.Outputs))
		for j, v := range original.Outputs {
			if v != nil {
				n.Outputs[j] = renamed(v, suffix)
			}
		}
		out.Nodes = append(out.Nodes, &n)
	}
	for _, v := range out.Nodes[copies-1].Outputs {
		if v != nil {
			out.Outputs = append(out.Outputs, v)
		}
	}
	return out
}

func renamed(v *graph.Value, suffix string) *graph.Value {
	r := *v
	r.Name += suffix
	return &r
}
