package graph

import (
	"fmt"
	"slices"
	"strings"
)

// pass rewrites a graph in one way. It runs over the nodes in order.
type pass struct {
	name string
	// kinds are what visit looks at; all nodes where it is nil.
	kinds []Kind
	// visit emits what n becomes, or returns false to leave it as it is. Where
	// it is nil the pass removes what nothing needs.
	visit func(r *rewriter, n *Node) (bool, error)
}

// passes run in this order. Some run twice, as one makes work for another.
var passes = []pass{
	{"constants", nil, foldConstants},
	{"identities", identityKinds, removeIdentity},
	{"quantization", quantizationKinds, joinQuantized},
	{"constants", []Kind{"DequantizeLinear"}, foldConstant},
	{"kinds", plainKinds, assignKind},
	{"batch-norm", []Kind{BatchNormalization}, foldBatchNorm},
	{"layer-norm", layerNormKinds, joinLayerNorm},
	{"rms-norm", []Kind{Mul, "Div"}, joinRMSNorm},
	{"gelu", []Kind{Mul, "Div"}, joinGELU},
	{"silu", []Kind{Mul}, joinSiLU},
	{"hard-swish", []Kind{Mul, "Div"}, joinHardSwish},
	{"affine", []Kind{Add, Mul}, foldAffine},
	{"transposes", transposeKinds, cancelTranspose},
	{"attention", attentionKinds, joinAttention},
	{"transposes", transposeKinds, cancelTranspose},
	{"identities", identityKinds, removeIdentity},
	{"attention", []Kind{Reshape}, joinAttention},
	{"transposes", transposeKinds, cancelTranspose},
	{"identities", identityKinds, removeIdentity},
	{"epilogues", epilogueKinds, fuseEpilogue},
	{"squeeze-excite", []Kind{Conv}, reduceConv},
	{"identities", identityKinds, removeIdentity},
	{"dead-nodes", nil, nil},
}

// Passes are the names of the passes of [Optimize], in the order in which they
// first run.
func Passes() []string {
	names := []string{}
	for _, p := range passes {
		if !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

// Option changes what [Optimize] does.
type Option func(without map[string]bool) error

// Without leaves out the passes of these names.
func Without(names ...string) Option {
	return func(without map[string]bool) error {
		for _, name := range names {
			if !slices.Contains(Passes(), name) {
				return fmt.Errorf("there is no pass %q, only %s", name, strings.Join(Passes(), ", "))
			}
			without[name] = true
		}
		return nil
	}
}

// Fuse is [Optimize] with all passes.
func Fuse(g *Graph) (*Graph, error) { return Optimize(g) }

// Optimize returns a new graph that computes the same in fewer steps, each of
// which one kernel does in one go over memory. Values that are inputs or
// outputs of the graph stay. It works on graphs whose parameters have no Data
// as well, for cost alone. g is not changed; what stays is shared with it.
func Optimize(g *Graph, options ...Option) (*Graph, error) {
	without := make(map[string]bool)
	for _, option := range options {
		if err := option(without); err != nil {
			return nil, fmt.Errorf("optimize graph %q: %w", g.Name, err)
		}
	}
	if err := g.validate(); err != nil {
		return nil, fmt.Errorf("optimize graph %q: %w", g.Name, err)
	}
	r := newRewriter(g)
	for i := range passes {
		if without[passes[i].name] {
			continue
		}
		if passes[i].visit == nil {
			removeDead(r)
		} else if err := r.run(&passes[i]); err != nil {
			return nil, fmt.Errorf("optimize graph %q: pass %s: %w", g.Name, passes[i].name, err)
		}
	}
	return &Graph{Name: g.Name, Inputs: g.Inputs, Outputs: g.Outputs, Nodes: r.nodes, Metadata: g.Metadata}, nil
}
