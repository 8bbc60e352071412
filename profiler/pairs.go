package profiler

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// Pairs are the neighbours in networks of which a runtime may do two in one go:
// of each two kinds of operator of which one alone uses the result of the other
// at most most pairs, from small to large, where the second works on each
// element alone, else one of middle size. Each is a network of [lut.UsePair];
// the workloads are those that both are made of, to be measured alone. The first
// may have an addition in it already, as in conv2d, add, relu. Convolutions have
// the normalisation after them in their weights.
func Pairs(networks []*graph.Graph, most int) ([]NamedGraph, []graph.Workload, error) {
	found := map[[2]string]map[string]pair{}
	for _, g := range networks {
		apart, err := graph.Optimize(g, graph.ForOtherRuntime(), graph.Without("epilogues"))
		if err != nil {
			return nil, nil, fmt.Errorf("profiler: pairs: %w", err)
		}
		if err := pairsIn(apart, found); err != nil {
			return nil, nil, fmt.Errorf("profiler: pairs of network %q: %w", g.Name, err)
		}
	}
	var list []NamedGraph
	var workloads []graph.Workload
	seen := map[graph.Workload]bool{}
	for _, kinds := range sortedKinds(found) {
		var of []pair
		for _, p := range found[kinds] {
			of = append(of, p)
		}
		slices.SortFunc(of, func(a, b pair) int {
			return cmp.Or(cmp.Compare(a.bytes, b.bytes), cmp.Compare(a.graph.Name, b.graph.Name))
		})
		n := min(most, len(of))
		if op := of[0].workloads[1].Op; !op.IsActivation() && op != graph.OpAdd && op != graph.OpMul {
			n = 1
		}
		for i := range n {
			at := len(of) / 2
			if n > 1 {
				at = i * (len(of) - 1) / (n - 1)
			}
			list = append(list, NamedGraph{Name: of[at].graph.Name, Use: lut.UsePair, Graph: of[at].graph})
			for _, w := range of[at].workloads {
				if !seen[w] {
					seen[w] = true
					workloads = append(workloads, w)
				}
			}
		}
	}
	return list, workloads, nil
}

// pair is two neighbours.
type pair struct {
	graph     *graph.Graph
	workloads [2]graph.Workload
	bytes     int64 // that the second moves
}

func sortedKinds(found map[[2]string]map[string]pair) [][2]string {
	var list [][2]string
	for kinds := range found {
		list = append(list, kinds)
	}
	slices.SortFunc(list, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return list
}

// pairsIn adds the pairs of a graph whose epilogues are nodes of their own.
func pairsIn(g *graph.Graph, found map[[2]string]map[string]pair) error {
	uses := map[*graph.Value]int{}
	producer := map[*graph.Value]*graph.Node{}
	for _, v := range g.Outputs {
		uses[v]++
	}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			uses[v]++
		}
		if len(n.Outputs) == 1 {
			producer[n.Outputs[0]] = n
		}
	}
	before := func(n *graph.Node) (list []*graph.Node) { // whose result n alone uses
		for _, v := range n.Inputs {
			if p := producer[v]; p != nil && uses[v] == 1 && !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
		return list
	}
	for _, second := range g.Nodes {
		for _, first := range before(second) {
			if err := addPair(found, first, second); err != nil {
				return err
			}
			if first.Kind != graph.Add || first.Plain() {
				continue
			}
			for _, product := range before(first) {
				if !product.Plain() && (product.Kind == graph.Conv || product.Kind == graph.Linear) {
					if err := addPair(found, product, first, second); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// errNoPair says that what stands beside each other is not one workload each.
var errNoPair = errors.New("not two workloads")

// addPair adds nodes of which the last is the second of a pair.
func addPair(found map[[2]string]map[string]pair, nodes ...*graph.Node) error {
	g := partOf(nodes)
	workloads, err := pairWorkloads(g)
	if errors.Is(err, errNoPair) {
		return nil
	}
	if err != nil {
		return err
	}
	first, second := workloads[0], workloads[1]
	if len(nodes) > 2 && first.Epilogue == "none" { // the addition is of another shape
		return nil
	}
	g.Name = PairName(first, second)
	kinds := [2]string{first.Family() + "/" + first.Epilogue, second.Family()}
	if found[kinds] == nil {
		found[kinds] = map[string]pair{}
	}
	found[kinds][g.Name] = pair{graph: g, workloads: [2]graph.Workload{first, second}, bytes: second.Bytes()}
	return nil
}

// PairName is the name of a pair among a table's networks.
func PairName(first, second graph.Workload) string {
	return "pair " + first.String() + " + " + second.String()
}

// PairWorkloads are the workloads that a pair of [Pairs] is made of.
func PairWorkloads(pair NamedGraph) ([]graph.Workload, error) {
	workloads, err := pairWorkloads(pair.Graph)
	if err != nil {
		return nil, fmt.Errorf("profiler: %s: %w", pair.Name, err)
	}
	return workloads, nil
}

// partOf is the graph of some nodes of another one. What they need is its input.
func partOf(nodes []*graph.Node) *graph.Graph {
	g := &graph.Graph{Name: "part", Nodes: nodes}
	made := map[*graph.Value]bool{}
	for _, n := range nodes {
		for _, v := range n.Inputs {
			if v != nil && v.Role == graph.RoleNone && !made[v] {
				made[v] = true
				g.Inputs = append(g.Inputs, v)
			}
		}
		for _, v := range n.Outputs {
			made[v] = true
		}
	}
	for _, v := range nodes[len(nodes)-1].Outputs {
		if v != nil {
			g.Outputs = append(g.Outputs, v)
		}
	}
	return g
}

// pairWorkloads are the two workloads of a pair: that of its last node, and
// before it that of all others.
func pairWorkloads(g *graph.Graph) ([]graph.Workload, error) {
	last := len(g.Nodes) - 1
	if last < 1 {
		return nil, errNoPair
	}
	var both []graph.Workload
	for _, nodes := range [][]*graph.Node{g.Nodes[:last], g.Nodes[last:]} {
		of, err := fusedWorkloads(partOf(nodes))
		if err != nil {
			return nil, err
		}
		if len(of) != 1 {
			return nil, errNoPair
		}
		both = append(both, of...)
	}
	return both, nil
}

// fusedWorkloads are those of a graph once fused, as another runtime is measured:
// a convolution of one pixel stays one.
func fusedWorkloads(g *graph.Graph) ([]graph.Workload, error) {
	fused, err := graph.Optimize(g, graph.ForOtherRuntime())
	if err != nil {
		return nil, err
	}
	return fused.Workloads()
}
