package graph

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// pass rewrites a graph in one way. It runs over the nodes in order.
type pass struct {
	name string
	// kinds are what visit looks at; all nodes where it is nil. Unless needs is
	// nil, it changes nothing in graphs that have none of these.
	kinds, needs []Kind
	// visit emits what n becomes, or returns false to leave it as it is. Where
	// it is nil the pass removes what nothing needs.
	visit func(r *rewriter, n *Node) (bool, error)
}

// passes run in this order. Some run twice, as one makes work for another.
var passes = []pass{
	{"constants", nil, nil, foldConstants},
	{"identities", identityKinds, nil, removeIdentity},
	{"quantization", quantizationKinds, nil, joinQuantized},
	{"constants", []Kind{"DequantizeLinear"}, nil, foldConstant},
	{"kinds", plainKinds, nil, assignKind},
	{"batch-norm", []Kind{BatchNormalization}, nil, foldBatchNorm},
	{"layer-norm", layerNormKinds, []Kind{"LayerNormalization", "Sqrt", "Pow"}, joinLayerNorm},
	{"rms-norm", []Kind{Mul, "Div"}, []Kind{"RMSNormalization", "Sqrt", "Pow"}, joinRMSNorm},
	{"gelu", []Kind{Mul, "Div"}, []Kind{"Erf", "Tanh"}, joinGELU},
	{"silu", []Kind{Mul}, []Kind{Sigmoid}, joinSiLU},
	{"hard-swish", []Kind{Mul, "Div"}, []Kind{HardSigmoid, Relu6, "Clip"}, joinHardSwish},
	{"affine", []Kind{Add, Mul}, nil, foldAffine},
	{"transposes", transposeKinds, nil, cancelTranspose},
	{"attention", attentionKinds, []Kind{Softmax, "Attention"}, joinAttention},
	{"transposes", transposeKinds, nil, cancelTranspose},
	{"identities", identityKinds, nil, removeIdentity},
	{"attention", []Kind{Reshape}, []Kind{Softmax, "Attention"}, joinAttention},
	{"transposes", transposeKinds, nil, cancelTranspose},
	{"identities", identityKinds, nil, removeIdentity},
	{"epilogues", epilogueKinds, nil, fuseEpilogue},
	{"squeeze-excite", []Kind{Conv}, nil, reduceConv},
	{"identities", identityKinds, nil, removeIdentity},
	{"dead-nodes", nil, nil, nil},
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

// ForOtherRuntime leaves out the passes that say what this project's own kernels
// do: to others a convolution of one pixel is a convolution, not a linear layer.
func ForOtherRuntime() Option { return Without("squeeze-excite") }

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
	r, err := newRewriter(g)
	if err != nil {
		return nil, fmt.Errorf("optimize graph %q: %w", g.Name, err)
	}
	defer r.done()
	r.begin(g, visitors())
	for i := range passes {
		if without[passes[i].name] {
			continue
		}
		if passes[i].visit == nil {
			removeDead(r)
		} else if err := r.run(i, passes[i].visit); err != nil {
			return nil, fmt.Errorf("optimize graph %q: pass %s: %w", g.Name, passes[i].name, err)
		}
	}
	return &Graph{Name: g.Name, Inputs: g.Inputs, Outputs: g.Outputs, Nodes: r.result(), Metadata: g.Metadata}, nil
}

// visitors are the passes that look at nodes of each kind.
var visitors = sync.OnceValue(func() visiting {
	v := visiting{kinds: make(map[Kind]interest)}
	for i, p := range passes {
		if p.kinds == nil {
			v.all.visited |= 1 << i
		}
		if p.needs == nil {
			v.all.needed |= 1 << i
		}
	}
	of := func(kind Kind) interest {
		if in, ok := v.kinds[kind]; ok {
			return in
		}
		return v.all
	}
	for i, p := range passes {
		for _, kind := range p.kinds {
			in := of(kind)
			in.visited |= 1 << i
			v.kinds[kind] = in
		}
		for _, kind := range p.needs {
			in := of(kind)
			in.needed |= 1 << i
			v.kinds[kind] = in
		}
	}
	return v
})
