package inference

import (
	"github.com/hwprofd/hwprofd/graph"
)

// joinCasts has products of bytes give numbers of single precision where all
// that is done with their sums is to cast them: the cast is then free.
func joinCasts(g *graph.Graph, steps []*step) {
	uses, maker := usesOf(g)
	for i, n := range g.Nodes {
		if n.Kind != "Cast" || !n.Plain() || steps[i].reference || uses[n.Inputs[0]] != 1 {
			continue
		}
		v := n.Inputs[0]
		if k, ok := maker[v]; ok && g.Nodes[k].Kind == conversion {
			v = g.Nodes[k].Inputs[0]
		}
		k, ok := maker[v]
		if !ok || uses[v] != 1 || steps[k].reference {
			continue
		}
		switch product := g.Nodes[k]; product.Kind {
		case "MatMulInteger":
			steps[k] = bindIntegerProduct(product, true)
		case "ConvInteger":
			steps[k] = bindConvInteger(product, true)
		default:
			continue
		}
		steps[i] = &step{views: []int{0}}
	}
}
