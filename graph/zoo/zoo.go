// Package zoo makes well-known networks as graphs, with seeded random weights:
// models for tests and benchmarks that need no download. The nodes are those
// that PyTorch's exporter writes, so that passes over graphs find what they
// would find in a user's model: batch norms that are not folded, attention and
// GELU spelled out.
package zoo

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// Options change a network from its published form; zero values leave it.
type Options struct {
	Batch int // images or sequences at a time, 1 by default
	// Size is the height and width of images, or the length of sequences.
	Size int
	// Width multiplies the numbers of channels or features.
	Width float64
	// Depth is the number of blocks of each stage, or of layers, if the network
	// has more.
	Depth   int
	Classes int
	Seed    uint64 // of the weights
}

// network makes one.
type network struct {
	size int // by default
	make func(m *maker) []*graph.Value
}

var networks = map[string]network{
	"resnet18":        {224, func(m *maker) []*graph.Value { return m.resnet(false, 2, 2, 2, 2) }},
	"resnet50":        {224, func(m *maker) []*graph.Value { return m.resnet(true, 3, 4, 6, 3) }},
	"mobilenetv1":     {224, (*maker).mobilenetV1},
	"mobilenetv2":     {224, (*maker).mobilenetV2},
	"mobilenetv3":     {224, (*maker).mobilenetV3},
	"efficientnet_b0": {224, (*maker).efficientnetB0},
	"vit_tiny":        {224, (*maker).vitTiny},
	"bert":            {128, (*maker).bert},
	"gpt_block":       {8, (*maker).gptBlock},
	"tdnn":            {200, (*maker).tdnn},
	"unet":            {256, (*maker).unet},
}

// Names are the networks, sorted.
func Names() []string { return slices.Sorted(maps.Keys(networks)) }

// Build makes the network of that name. The same options make the same graph,
// weights included.
func Build(name string, o Options) (*graph.Graph, error) {
	g, err := unfilled(name, o)
	if err != nil {
		return nil, err
	}
	for _, v := range g.Parameters() {
		if !v.Filled() {
			fill(v, o.Seed)
		}
	}
	return g, nil
}

// unfilled is the network without the weights that no node needs to be made.
func unfilled(name string, o Options) (*graph.Graph, error) {
	n, ok := networks[name]
	if !ok {
		return nil, fmt.Errorf("zoo: there is no %q; there are %s", name, strings.Join(Names(), ", "))
	}
	for what, v := range map[string]int{"batch": o.Batch, "size": o.Size, "depth": o.Depth, "classes": o.Classes} {
		if v < 0 {
			return nil, fmt.Errorf("zoo: %s: %s is %d, want 1 or more", name, what, v)
		}
	}
	if !(o.Width >= 0 && o.Width <= 64) {
		return nil, fmt.Errorf("zoo: %s: width is %v, want a factor up to 64", name, o.Width)
	}
	if o.Batch == 0 {
		o.Batch = 1
	}
	if o.Size == 0 {
		o.Size = n.size
	}
	if o.Width == 0 {
		o.Width = 1
	}
	if o.Classes == 0 {
		o.Classes = 1000
	}
	m := &maker{Builder: graph.NewBuilder(name), o: o}
	g, err := m.Build(n.make(m)...)
	if err != nil {
		return nil, fmt.Errorf("zoo: %w", err)
	}
	return g, nil
}

// fill draws the elements of a parameter. What is drawn depends on its name and
// the seed alone, and is such that values keep about their size from layer to
// layer.
func fill(v *graph.Value, seed uint64) {
	random := named(v.Name, seed)
	v.Data = make([]float32, v.Elements())
	mean, deviation := 0., 0.02
	switch v.Role {
	case graph.RoleWeight: // He et al. 2015
		deviation = math.Sqrt(2 / float64(max(v.Elements()/max(v.Shape[0], 1), 1)))
	case graph.RoleScale:
		mean, deviation = 0.7, 0.1
	case graph.RoleVariance:
		mean, deviation = 1, 0.05
	case graph.RoleMean, graph.RoleShift:
		deviation = 0.1
	}
	for i := range v.Data {
		v.Data[i] = float32(mean + deviation*random.NormFloat64())
	}
}

func named(name string, seed uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// maker builds one network.
type maker struct {
	*graph.Builder
	o Options
}

// channels is a published number of channels times the width, in eighths as
// MobileNets have it (Sandler et al. 2018).
func (m *maker) channels(c int) int {
	scaled := float64(c) * m.o.Width
	n := max(8, int(scaled+4)/8*8)
	if float64(n) < 0.9*scaled {
		n += 8
	}
	return n
}

// depth is a published number of blocks, or what the options say if less.
func (m *maker) depth(n int) int {
	if m.o.Depth > 0 {
		return min(n, m.o.Depth)
	}
	return n
}

func (m *maker) image() *graph.Value { return m.Input("image", m.o.Batch, 3, m.o.Size, m.o.Size) }

// convBN is a convolution without bias, a batch norm and an activation, which
// may be empty.
func (m *maker) convBN(name string, x *graph.Value, out, kernel, stride, group int, activation graph.Op) *graph.Value {
	x = m.BatchNorm(name+".bn", m.Conv(name, x, out, kernel, kernel, stride, kernel/2, group, false))
	return m.activate(x, activation)
}

// silu is an activation of its own, as it is two nodes.
const silu graph.Op = "silu"

func (m *maker) activate(x *graph.Value, activation graph.Op) *graph.Value {
	switch activation {
	case "":
		return x
	case silu:
		return m.Operator("Mul", x.Name+".silu", nil, x, m.Operator("Sigmoid", x.Name+".sigmoid", nil, x))
	}
	return m.Activation(activation, x)
}

// classify pools images and classifies them.
func (m *maker) classify(x *graph.Value) []*graph.Value {
	return []*graph.Value{m.Linear("classifier", m.Flatten(m.GlobalAveragePool(x)), m.o.Classes)}
}

// scalar is a constant of one element.
func (m *maker) scalar(name string, x float32) *graph.Value {
	return m.Constant(name, &operator.Tensor{DType: operator.F32, Shape: []int{}, Data: []float32{x}})
}

// ints is a constant list of whole numbers.
func (m *maker) ints(name string, x ...int64) *graph.Value {
	return m.Constant(name, &operator.Tensor{DType: operator.I64, Shape: []int{len(x)}, Data: x})
}

// drawn is a constant whose elements are normal, of mean 0.
func (m *maker) drawn(name string, deviation float64, shape ...int) *graph.Value {
	random := named(name, m.o.Seed)
	data := make([]float32, operator.Elements(shape))
	for i := range data {
		data[i] = float32(deviation * random.NormFloat64())
	}
	v := m.Constant(name, &operator.Tensor{DType: operator.F32, Shape: shape, Data: data})
	v.Role = graph.RoleWeight
	return v
}
