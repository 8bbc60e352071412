package predictor

import (
	"cmp"
	"slices"
)

// Boosted trees: rounds of least-squares regression trees, each fitted to what
// the ones before it leave and shrunk by rate (Friedman, "Greedy function
// approximation: a gradient boosting machine", Annals of Statistics 29(5),
// 2001). Splits are exact, so that the outcome depends on the rows alone.
type boosting struct {
	rounds, depth int
	rate          float64
	leaf          int     // least number of rows in a leaf
	ridge         float64 // added to a leaf's weight, where a row weighs 1
}

// usualBoosting is what is tried.
var usualBoosting = boosting{rounds: 100, depth: 3, rate: 0.15, leaf: 3, ridge: 0.5}

// treeNode is a split, or a leaf where left is 0: the root is no one's child.
type treeNode struct {
	feature     int
	threshold   float64 // up to it left, above it right
	left, right int     // positions in trees.nodes
	value       float64 // of a leaf
}

// trees is a sum of regression trees.
type trees struct {
	roots []int
	nodes []treeNode
}

func (t *trees) predict(x []float64) (sum float64) {
	for _, at := range t.roots {
		n := &t.nodes[at]
		for n.left != 0 {
			if x[n.feature] <= n.threshold {
				n = &t.nodes[n.left]
			} else {
				n = &t.nodes[n.right]
			}
		}
		sum += n.value
	}
	return sum
}

// grow fits trees to y at the rows of x, each with its weight.
func (b boosting) grow(x [][]float64, y, weights []float64) *trees {
	t := &trees{nodes: []treeNode{{}}} // position 0 stays free
	if len(x) == 0 {
		return t
	}
	g := &grower{boosting: b, x: x, weights: weights, rest: slices.Clone(y), node: make([]int, len(y))}
	for feature := range x[0] {
		order := make([]int, len(x))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(x[i][feature], x[j][feature]) })
		sorted := make([]float64, len(x))
		for k, i := range order {
			sorted[k] = x[i][feature]
		}
		g.orders, g.sorted = append(g.orders, order), append(g.sorted, sorted)
	}
	for range b.rounds {
		t.roots = append(t.roots, len(t.nodes))
		t.nodes = g.tree(t.nodes)
	}
	return t
}

// grower holds what the trees are fitted to.
type grower struct {
	boosting
	x       [][]float64
	weights []float64
	rest    []float64   // what the trees so far leave
	orders  [][]int     // the rows by each feature
	sorted  [][]float64 // its values in that order
	node    []int       // of each row, in the tree that grows
	rows    []growing   // what splits look at, side by side
}

// growing is a row where a level of a tree is split.
type growing struct {
	at             int // its node's place in the level, negative where it is in a leaf
	weight, target float64
}

// sums are over the rows of a node.
type sums struct {
	rows           int
	weight, target float64
}

func (s *sums) add(weight, y float64) {
	s.rows++
	s.weight += weight
	s.target += weight * y
}

// split is the best way found to cut a node in two.
type split struct {
	gain      float64
	feature   int
	threshold float64
}

// tree appends a tree to nodes, level by level, and takes it off rest.
func (g *grower) tree(nodes []treeNode) []treeNode {
	first := len(nodes)
	nodes = append(nodes, treeNode{})
	for i := range g.node {
		g.node[i] = first
	}
	for level, begin := 0, first; level < g.depth && begin < len(nodes); level++ {
		end := len(nodes)
		for at, s := range g.splits(begin, end) {
			if s.gain <= 0 {
				continue
			}
			nodes[begin+at] = treeNode{feature: s.feature, threshold: s.threshold, left: len(nodes), right: len(nodes) + 1}
			nodes = append(nodes, treeNode{}, treeNode{})
		}
		for i, at := range g.node {
			if n := nodes[at]; at >= begin && n.left != 0 {
				if g.node[i] = n.right; g.x[i][n.feature] <= n.threshold {
					g.node[i] = n.left
				}
			}
		}
		begin = end
	}
	total := make([]sums, len(nodes)-first)
	for i, at := range g.node {
		total[at-first].add(g.weights[i], g.rest[i])
	}
	for at, s := range total {
		if s.rows > 0 {
			nodes[first+at].value = g.rate * s.target / (s.weight + g.ridge)
		}
	}
	for i, at := range g.node {
		g.rest[i] -= nodes[at].value
	}
	return nodes
}

// splits are the best ones of the nodes from begin to end.
func (g *grower) splits(begin, end int) []split {
	best := make([]split, end-begin)
	total := make([]sums, end-begin)
	g.rows = g.rows[:0]
	for i, at := range g.node {
		g.rows = append(g.rows, growing{at - begin, g.weights[i], g.weights[i] * g.rest[i]})
		if at >= begin {
			total[at-begin].add(g.weights[i], g.rest[i])
		}
	}
	score := func(s sums) float64 { return s.target * s.target / (s.weight + g.ridge) }
	whole := make([]float64, end-begin)
	for at, s := range total {
		whole[at] = score(s)
	}
	left := make([]sums, end-begin)
	last := make([]float64, end-begin)
	for feature, order := range g.orders {
		clear(left)
		sorted := g.sorted[feature][:len(order)]
		for k, i := range order {
			r := &g.rows[i]
			at := r.at
			if at < 0 {
				continue
			}
			l, v := &left[at], sorted[k]
			if v > last[at] && l.rows >= g.leaf && total[at].rows-l.rows >= g.leaf {
				right := sums{weight: total[at].weight - l.weight, target: total[at].target - l.target}
				if gain := score(*l) + score(right) - whole[at]; gain > best[at].gain+1e-12 {
					best[at] = split{gain: gain, feature: feature, threshold: (v + last[at]) / 2}
				}
			}
			l.rows++
			l.weight += r.weight
			l.target += r.target
			last[at] = v
		}
	}
	return best
}
