package transfer

import (
	"fmt"
	"slices"
	"strings"
)

// nasBench201 is the cell space of Dong and Yang, "NAS-Bench-201: Extending the
// Scope of Reproducible Neural Architecture Search" (ICLR 2020): a directed
// graph of four nodes with an operation on each of its six edges.
type nasBench201 struct{}

const (
	nb201None = iota
	nb201Skip
	nb201Conv1
	nb201Conv3
	nb201Pool
	nb201Operations
)

var (
	nb201Names = []string{"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}
	nb201Edges = [6][2]int{{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}}
)

func (nasBench201) Name() string        { return "nasbench201" }
func (nasBench201) columns() [][]string { return [][]string{{"arch"}} }

// parse reads |op~0|+|op~0|op~1|+|op~0|op~1|op~2|.
func (nasBench201) parse(fields []string) (Architecture, error) {
	wrong := func() (Architecture, error) {
		return nil, fmt.Errorf("architecture %q is not of the form |op~0|+|op~0|op~1|+|op~0|op~1|op~2| with op one of %s", fields[0], strings.Join(nb201Names, ", "))
	}
	nodes := strings.Split(fields[0], "+")
	if len(nodes) != 3 {
		return wrong()
	}
	a := make(Architecture, 0, len(nb201Edges))
	for i, node := range nodes {
		inner, ok := strings.CutPrefix(node, "|")
		inner, ok2 := strings.CutSuffix(inner, "|")
		edges := strings.Split(inner, "|")
		if !ok || !ok2 || len(edges) != i+1 {
			return wrong()
		}
		for j, edge := range edges {
			name, from, ok := strings.Cut(edge, "~")
			op := slices.Index(nb201Names, name)
			if !ok || op < 0 || from != string(rune('0'+j)) {
				return wrong()
			}
			a = append(a, op)
		}
	}
	return a, nil
}

// prune sets the edges to none that are on no path from the input to the output.
func (s nasBench201) prune(a Architecture) Architecture {
	p, used := s.reached(a)
	for e, op := range used {
		if op == nb201None {
			p[e] = nb201None
		}
	}
	return p
}

// reached sets the edges to none that the input does not reach, and those that do
// not reach the output.
func (nasBench201) reached(a Architecture) (fromInput, toOutput Architecture) {
	fed, used := [4]bool{0: true}, [4]bool{3: true}
	for e, edge := range nb201Edges { // edges are ordered by their end
		if a[e] != nb201None && fed[edge[0]] {
			fed[edge[1]] = true
		}
	}
	for e := len(nb201Edges) - 1; e >= 0; e-- {
		if edge := nb201Edges[e]; a[e] != nb201None && used[edge[1]] {
			used[edge[0]] = true
		}
	}
	fromInput, toOutput = make(Architecture, len(a)), make(Architecture, len(a))
	for e, edge := range nb201Edges {
		if fed[edge[0]] {
			fromInput[e] = a[e]
		}
		if used[edge[1]] {
			toOutput[e] = a[e]
		}
	}
	return fromInput, toOutput
}

func (s nasBench201) groups(a Architecture) []group {
	live := s.prune(a)
	path := func(weight [nb201Operations]float64) float64 {
		reached, longest := [4]bool{0: true}, [4]float64{}
		for e, edge := range nb201Edges {
			if live[e] != nb201None && reached[edge[0]] {
				longest[edge[1]] = max(longest[edge[1]], longest[edge[0]]+weight[live[e]])
				reached[edge[1]] = true
			}
		}
		return longest[3]
	}
	reach := 0.0 // whether anything reaches the output
	if slices.ContainsFunc(live, func(op int) bool { return op != nb201None }) {
		reach = 1
	}
	depth := []float64{
		path([nb201Operations]float64{nb201Conv1: 1, nb201Conv3: 1, nb201Pool: 1}),
		path([nb201Operations]float64{nb201Conv1: 1, nb201Conv3: 1}),
		path([nb201Operations]float64{nb201Conv3: 1}),
		path([nb201Operations]float64{nb201Skip: 1, nb201Conv1: 1, nb201Conv3: 1, nb201Pool: 1}),
	}
	return []group{
		{"operators", nb201Count(a), true},
		{"live operators", nb201Count(live), true},
		{"edges", oneHot(len(a), nb201Operations, a...), false},
		{"live edges", oneHot(len(a), nb201Operations, live...), true},
		{"depth", depth, false},
		{"connected", []float64{reach}, false},
	}
}

// sums are the operators: all, those that reach the output, which are what is left
// when a framework traces a network, and those that the input reaches as well;
// with the additions in front of nodes or without.
func (s nasBench201) sums(a Architecture) []group {
	_, used := s.reached(a)
	live := s.prune(a)
	additions := func(a Architecture) float64 {
		count, nodes := 0.0, map[int]bool{}
		for e, op := range a {
			if op != nb201None {
				count++
				nodes[nb201Edges[e][1]] = true
			}
		}
		return count - float64(len(nodes))
	}
	return []group{
		{"operators", nb201Count(a), false},
		{"used operators", nb201Count(used), false},
		{"live operators", nb201Count(live), false},
		{"operators and additions", append(nb201Count(a), additions(a)), false},
		{"live operators and additions", append(nb201Count(live), additions(live)), false},
	}
}

func nb201Count(a Architecture) []float64 {
	v := make([]float64, nb201Operations-1)
	for _, op := range a {
		if op != nb201None {
			v[op-1]++
		}
	}
	return v
}

// terms are the edges and pairs of edges of the architecture, and again those of
// the pruned one.
func (s nasBench201) terms(a Architecture) []term {
	var out []term
	base := 0
	for _, x := range []Architecture{a, s.prune(a)} {
		for e, op := range x {
			if op != nb201None {
				out = append(out, term{base + e*nb201Operations + op, 1, -1, -1})
			}
		}
		base += len(x) * nb201Operations
		for e := range x {
			for f := range e {
				if x[e] != nb201None && x[f] != nb201None {
					out = append(out, term{base + x[e]*nb201Operations + x[f], 1, -1, -1})
				}
				base += nb201Operations * nb201Operations
			}
		}
	}
	return out
}
