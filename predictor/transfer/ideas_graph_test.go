package transfer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// graphGroups describe networks by what lies next to what. In NAS-Bench-201:
// Weisfeiler-Lehman labels of the live cell, as in Ru et al., "Interpretable
// Neural Architecture Search via Bayesian Optimisation with Weisfeiler-Lehman
// Kernels" (ICLR 2021); paths from input to output, as in White et al., "BANANAS"
// (AAAI 2021); and pairs of operators that follow one another or meet. In FBNet,
// whose graph is a chain: pairs of neighbouring blocks, and of their traits by stage.
func graphGroups(s Space, architectures []Architecture) [][]group {
	out := make([][]group, len(architectures))
	add := func(name string, smooth bool, bag func(Architecture) map[string]float64) {
		for i, g := range commonLabels(architectures, bag) {
			out[i] = append(out[i], group{name, g, smooth})
		}
	}
	if s.Name() == "fbnet" {
		add("graph: neighbours", false, neighbours)
		add("graph: traits", false, neighbourTraits)
		return out
	}
	prune := nasBench201{}.prune
	add("graph: labels", true, func(a Architecture) map[string]float64 { return cellLabels(prune(a), 1) })
	add("graph: wider labels", true, func(a Architecture) map[string]float64 { return cellLabels(prune(a), 2) })
	add("graph: paths", true, cellPaths)
	add("graph: pairs", true, cellPairs)
	add("graph: live pairs", true, func(a Architecture) map[string]float64 { return cellPairs(prune(a)) })
	return out
}

// commonLabels count the labels that one network of 200 has.
func commonLabels(architectures []Architecture, bag func(Architecture) map[string]float64) [][]float64 {
	seen := map[string]int{}
	bags := make([]map[string]float64, len(architectures))
	for i, a := range architectures {
		bags[i] = bag(a)
		for label := range bags[i] {
			seen[label]++
		}
	}
	labels := slices.Sorted(maps.Keys(seen))
	labels = slices.DeleteFunc(labels, func(l string) bool { return seen[l] < len(architectures)/200 })
	out := make([][]float64, len(bags))
	for i, b := range bags {
		for _, l := range labels {
			out[i] = append(out[i], b[l])
		}
	}
	return out
}

// cellLabels are the Weisfeiler-Lehman labels of the cell's operators and its
// output after up to some rounds: a label, and those of what comes before.
func cellLabels(a Architecture, rounds int) map[string]float64 {
	label := make([]string, len(a)+1) // of edges, the last one of the output
	for e, op := range a {
		label[e] = nb201Names[op]
	}
	label[len(a)] = "output"
	bag := map[string]float64{}
	for round := range rounds + 1 {
		next := make([]string, len(label))
		for e := range label {
			node := 3
			if e < len(a) {
				if a[e] == nb201None {
					continue
				}
				node = nb201Edges[e][0]
			}
			bag[fmt.Sprint(round, label[e])]++
			var before []string
			for f, edge := range nb201Edges {
				if a[f] != nb201None && edge[1] == node {
					before = append(before, label[f])
				}
			}
			slices.SortFunc(before, cmp.Compare[string])
			next[e] = label[e] + "(" + strings.Join(before, " ") + ")"
		}
		label = next
	}
	return bag
}

// cellPaths are the operators along each path from input to output but skips.
func cellPaths(a Architecture) map[string]float64 {
	bag := map[string]float64{}
	for _, path := range [][]int{{3}, {0, 4}, {1, 5}, {0, 2, 5}} {
		label, whole := "path", true
		for _, e := range path {
			whole = whole && a[e] != nb201None
			if a[e] != nb201Skip {
				label += " " + nb201Names[a[e]]
			}
		}
		if whole {
			bag[label]++
		}
	}
	return bag
}

// cellPairs are operators of which one follows the other, or which end in one
// node, and those at the input and at the output.
func cellPairs(a Architecture) map[string]float64 {
	bag := map[string]float64{}
	for e, op := range a {
		if op == nb201None {
			continue
		}
		from, to := nb201Edges[e][0], nb201Edges[e][1]
		if from == 0 {
			bag[fmt.Sprint("input ", op)]++
		}
		if to == 3 {
			bag[fmt.Sprint(op, " output")]++
		}
		for f, other := range a {
			switch {
			case other == nb201None:
			case nb201Edges[f][0] == to:
				bag[fmt.Sprint(op, " then ", other)]++
			case f > e && nb201Edges[f][1] == to:
				bag[fmt.Sprint(min(op, other), " and ", max(op, other))]++
			}
		}
	}
	return bag
}

func neighbours(a Architecture) map[string]float64 {
	bag := map[string]float64{}
	for i := 1; i < len(a); i++ {
		bag[fmt.Sprint(a[i-1], " then ", a[i])]++
	}
	return bag
}

func neighbourTraits(a Architecture) map[string]float64 {
	bag := map[string]float64{}
	for i := 1; i < len(a); i++ {
		x, y, stage := fbnetBlock[a[i-1]], fbnetBlock[a[i]], fbnetPlace[i].stage
		bag[fmt.Sprint(stage, " kernels ", x.kernel, y.kernel)]++
		bag[fmt.Sprint(stage, " expansions ", x.expansion, y.expansion)]++
		bag[fmt.Sprint(stage, " groups ", x.groups, y.groups)]++
	}
	return bag
}
