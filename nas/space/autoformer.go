package space

import (
	"fmt"
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/nas"
)

// AutoFormer is the tiny space of Chen et al., "AutoFormer: Searching
// Transformers for Visual Recognition", 2021, table 2: a vision transformer of
// which the embedding's width, the depth, and for each layer the number of
// heads of 64 and the expansion ratio of the feed-forward part are searched.
// Relative positions are left out.
//
// The input is [N, channels, 224, 224] in patches of 16x16, the output the
// logits [N, classes].
type AutoFormer struct {
	channels, classes int
	decisions         []nas.Decision
}

var (
	autoformerWidths = []int{192, 216, 240}
	autoformerDepths = []int{12, 13, 14}
	autoformerHeads  = []int{3, 4}
	autoformerRatios = []float64{3.5, 4}
)

const (
	autoformerResolution = 224
	autoformerPatch      = 16
	autoformerHead       = 64 // width of a head
)

// NewAutoFormer makes the space for images of the given number of channels and
// classes.
func NewAutoFormer(channels, classes int) (*AutoFormer, error) {
	if err := checkImages("autoformer-tiny", channels, classes); err != nil {
		return nil, err
	}
	s := &AutoFormer{channels: channels, classes: classes}
	s.decisions = append(s.decisions,
		nas.Decision{Name: "width", Choices: numerals(autoformerWidths)},
		nas.Decision{Name: "depth", Choices: numerals(autoformerDepths)})
	for layer := range slices.Max(autoformerDepths) {
		s.decisions = append(s.decisions,
			nas.Decision{Name: fmt.Sprintf("layer%d.heads", layer+1), Choices: numerals(autoformerHeads)},
			nas.Decision{Name: fmt.Sprintf("layer%d.ratio", layer+1), Choices: []string{"3.5", "4"}})
	}
	return s, nil
}

// Name is "autoformer-tiny".
func (s *AutoFormer) Name() string { return "autoformer-tiny" }

// Decisions lists the width, the depth, and each layer's heads and ratio.
func (s *AutoFormer) Decisions() []nas.Decision { return s.decisions }

// Canonical sets to 0 the decisions of layers beyond the depth.
func (s *AutoFormer) Canonical(a nas.Architecture) nas.Architecture {
	c := slices.Clone(a)
	clear(c[2+2*autoformerDepths[c[1]]:])
	return c
}

// Largest takes the last choice of every decision.
func (s *AutoFormer) Largest() nas.Architecture { return last(s.decisions) }

// Smallest takes the first choice of every decision.
func (s *AutoFormer) Smallest() nas.Architecture { return make(nas.Architecture, len(s.decisions)) }

// Lower builds the network with input "image" and output "logits". Parameters
// are named by layer, such as "layer2.query.weight".
func (s *AutoFormer) Lower(a nas.Architecture) (*graph.Graph, error) {
	if err := nas.Validate(s, a); err != nil {
		return nil, err
	}
	width := autoformerWidths[a[0]]
	b := graph.NewBuilder(s.Name())
	x := b.Input("image", 1, s.channels, autoformerResolution, autoformerResolution)
	x = b.Conv("patches", x, width, autoformerPatch, autoformerPatch, autoformerPatch, 0, 1, true)
	tokens := x.Shape[2] * x.Shape[3]
	x = transpose(b, "tokens", reshape(b, "grid", x, 1, int64(width), int64(tokens)), 0, 2, 1)
	x = b.Operator("Concat", "sequence", operator.Attributes{"axis": int64(1)}, b.Parameter("class", graph.RoleWeight, 1, 1, width), x)
	x = b.Add(x, b.Parameter("positions", graph.RoleWeight, 1, tokens+1, width))
	for layer := range autoformerDepths[a[1]] {
		choices := a[2+2*layer:]
		name := fmt.Sprintf("layer%d", layer+1)
		attended := selfAttention(b, name, layerNorm(b, name+".norm1", x), autoformerHeads[choices[0]], autoformerHead)
		x = b.Add(x, attended)
		hidden := int(float64(width) * autoformerRatios[choices[1]])
		y := project(b, name+".fc1", layerNorm(b, name+".norm2", x), hidden)
		x = b.Add(x, project(b, name+".fc2", b.Operator("Gelu", name+".gelu", nil, y), width))
	}
	first := b.Constant("first", &operator.Tensor{DType: operator.I64, Shape: []int{}, Data: []int64{0}})
	x = b.Operator("Gather", "pooled", operator.Attributes{"axis": int64(1)}, layerNorm(b, "norm", x), first)
	return classify(b, s.Name(), a, x, s.classes)
}

// selfAttention appends softmax(q k^T / sqrt(d)) v over heads of width d, and
// the projection of the joined heads back to the width of x [N, T, width]:
// Vaswani et al., Attention Is All You Need, 2017, section 3.2.
func selfAttention(b *graph.Builder, name string, x *graph.Value, heads, d int) *graph.Value {
	if len(x.Shape) != 3 {
		return x // the builder holds the mistake that led here
	}
	n, tokens, width := int64(x.Shape[0]), int64(x.Shape[1]), x.Shape[2]
	split := func(what string, permutation ...int64) *graph.Value {
		y := project(b, name+"."+what, x, heads*d)
		y = reshape(b, name+"."+what+".heads", y, n, tokens, int64(heads), int64(d))
		return transpose(b, name+"."+what+".turned", y, permutation...)
	}
	q, k, v := split("query", 0, 2, 1, 3), split("key", 0, 2, 3, 1), split("value", 0, 2, 1, 3)
	scale := b.Constant(name+".scale", &operator.Tensor{DType: operator.F32, Shape: []int{}, Data: []float32{float32(1 / math.Sqrt(float64(d)))}})
	scores := b.Operator("Mul", name+".scaled", nil, b.Operator("MatMul", name+".scores", nil, q, k), scale)
	weights := b.Operator("Softmax", name+".softmax", operator.Attributes{"axis": int64(-1)}, scores)
	joined := transpose(b, name+".joined", b.Operator("MatMul", name+".values", nil, weights, v), 0, 2, 1, 3)
	return project(b, name+".out", reshape(b, name+".context", joined, n, tokens, int64(heads*d)), width)
}

// project is a matrix product with a bias over the last dimension.
func project(b *graph.Builder, name string, x *graph.Value, out int) *graph.Value {
	in := x.Shape[len(x.Shape)-1]
	return b.Apply(graph.Linear, name, graph.Attributes{}, x,
		b.Parameter(name+".weight", graph.RoleWeight, out, in), b.Parameter(name+".bias", graph.RoleBias, out))
}

// layerNorm is over the last dimension.
func layerNorm(b *graph.Builder, name string, x *graph.Value) *graph.Value {
	width := x.Shape[len(x.Shape)-1]
	return b.Operator("LayerNormalization", name, operator.Attributes{"axis": int64(-1), "epsilon": float32(1e-5)}, x,
		b.Parameter(name+".weight", graph.RoleScale, width), b.Parameter(name+".bias", graph.RoleShift, width))
}
