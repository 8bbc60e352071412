package profiler

import (
	"context"
	"errors"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
)

// knownPart is the part of a network's workloads that nodes have to say they are
// of, for the other nodes to be of what is beside them.
const knownPart = 0.5

// leastPart is the part of a multiplying workload's time that one has which the
// runtime does within it, or does not do at all, such as the second of two equal
// ones: hardly any, but not none, as times are looked at by their logarithms.
const leastPart = 0.01

// accountCost is what its account costs a runtime for each node, in ns, which is
// in the times that it tells: without an account the nodes take ns together. A
// node that does hardly anything takes as long as that.
func accountCost(nodes []NodeTime, ns float64) float64 {
	if len(nodes) == 0 {
		return 0
	}
	sum, least := 0.0, nodes[0].NS
	for _, n := range nodes {
		sum += n.NS
		least = min(least, n.NS)
	}
	return max(min((sum-ns)/float64(len(nodes)), least), 0)
}

// without is the time of a node less what the account of it costs.
func (n NodeTime) without(cost float64) float64 { return max(n.NS-cost, n.NS/20) }

// shares are the parts that workloads have in the time of a network, whose runs
// take ns, by the runtime's own account; nil where it gives none, or where its
// nodes do not say what they compute.
func (s *programSession) shares(ctx context.Context, workloads []graph.Workload, runs int, ns float64) ([]float64, error) {
	nodes, err := s.Nodes(ctx, runs)
	if errors.Is(err, ErrNoNodeTimes) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fused, err := graph.Optimize(s.network, graph.ForOtherRuntime())
	if err != nil {
		return nil, itemError{err}
	}
	m := makersOf(s.network, fused)
	if len(m.workloads) != len(workloads) {
		return nil, nil
	}
	// What a run costs whatever it does is divided among the nodes as well: small
	// networks of a kind have about as many as large ones.
	return m.divide(nodes, accountCost(nodes, ns)), nil
}

// makers tells which workload of a network makes each of its tensors, or goes on
// with it, if the tensor is inside of one.
type makers struct {
	workloads []graph.Workload
	of        map[string]int // by the names of tensors and of the nodes that make them
	heirs     []int          // the workload that uses what each makes, else one that it uses; -1 for none
}

// makersOf looks at a network and at the same once fused, whose nodes keep the
// names of those tensors that are still there.
func makersOf(g, fused *graph.Graph) *makers {
	m := &makers{of: map[string]int{}}
	for _, n := range fused.Nodes {
		if w, ok := n.Workload(); ok {
			for _, v := range n.Outputs {
				if v != nil {
					m.of[v.Name] = len(m.workloads)
				}
			}
			m.workloads = append(m.workloads, w)
		} else if k := m.first(n.Inputs); k >= 0 { // such as another shape of the same
			for _, v := range n.Outputs {
				if v != nil {
					m.of[v.Name] = k
				}
			}
		}
	}
	m.goOn(fused)
	m.goOn(g)
	for _, n := range g.Nodes {
		if k := m.first(n.Outputs); k >= 0 {
			if _, ok := m.of[n.Name]; !ok {
				m.of[n.Name] = k
			}
		}
	}
	m.heirs = slices.Repeat([]int{-1}, len(m.workloads))
	at := 0
	users := usersOf(fused)
	for _, n := range fused.Nodes {
		if _, ok := n.Workload(); !ok {
			continue
		}
		for _, v := range n.Outputs {
			if v == nil {
				continue
			}
			for _, user := range users[v.Name] {
				if k := m.first(user.Outputs); k >= 0 && k != at && m.heirs[at] < 0 {
					m.heirs[at] = k
				}
			}
		}
		if k := m.first(n.Inputs); m.heirs[at] < 0 && k != at {
			m.heirs[at] = k
		}
		at++
	}
	return m
}

// first is the workload that makes one of the values, -1 if none does.
func (m *makers) first(values []*graph.Value) int {
	for _, v := range values {
		if v != nil {
			if k, ok := m.of[v.Name]; ok {
				return k
			}
		}
	}
	return -1
}

// goOn lets what no workload makes belong to the one that goes on with it.
func (m *makers) goOn(g *graph.Graph) {
	users := usersOf(g)
	for _, n := range slices.Backward(g.Nodes) {
		for _, v := range n.Outputs {
			if v == nil {
				continue
			}
			if _, ok := m.of[v.Name]; ok {
				continue
			}
			for _, user := range users[v.Name] {
				if k := m.first(user.Outputs); k >= 0 {
					m.of[v.Name] = k
					break
				}
			}
		}
	}
}

// usersOf are the nodes that use each value, by its name.
func usersOf(g *graph.Graph) map[string][]*graph.Node {
	users := map[string][]*graph.Node{}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			if v != nil {
				users[v.Name] = append(users[v.Name], n)
			}
		}
	}
	return users
}

// maker is the workload that a runtime's node is of, -1 if it does not say.
func (m *makers) maker(n NodeTime) int {
	for _, name := range n.Makes {
		if k, ok := m.of[name]; ok {
			return k
		}
	}
	if k, ok := m.of[n.Name]; ok {
		return k
	}
	return -1
}

// divide returns the parts of the workloads in the time of nodes, whose account
// costs each as much. A node that does not say what it computes belongs to the next
// one that does. One that changes a layout belongs to that of the two beside it
// which multiplies less: it is there because of the one that the runtime cannot do
// in the layout of its products, such as a transposition, and so is always of the
// same. A workload that no node is of is done within the one that uses its result: it has
// the leastPart of the time of what multiplies, and else both take of it by the
// bytes that they move. They are nil where too few workloads have a node.
func (m *makers) divide(nodes []NodeTime, cost float64) []float64 {
	times := make([]float64, len(m.workloads))
	there := make([]bool, len(m.workloads))
	var sum, pending float64
	last, found := -1, 0
	type change struct {
		after int // the workload whose result is brought into another layout
		ns    float64
	}
	var changes []change
	for _, n := range nodes {
		ns := n.without(cost)
		sum += ns
		k := m.maker(n)
		if n.Layout {
			if k < 0 {
				k = last
			}
			changes = append(changes, change{k, ns})
			continue
		}
		if k < 0 {
			pending += ns
			continue
		}
		for _, c := range changes {
			if c.after < 0 || m.workloads[k].MACs() < m.workloads[c.after].MACs() {
				c.after = k
			}
			times[c.after] += c.ns
		}
		times[k] += ns + pending
		if !there[k] {
			there[k] = true
			found++
		}
		changes, pending, last = changes[:0], 0, k
	}
	if last < 0 || float64(found) < knownPart*float64(len(times)) {
		return nil
	}
	times[last] += pending
	for _, c := range changes {
		times[max(c.after, 0)] += c.ns
	}
	within := map[int][]int{}
	for k := range times {
		heir := k
		for range times { // which ends where two are each other's
			if heir < 0 || there[heir] {
				break
			}
			heir = m.heirs[heir]
		}
		if heir < 0 || !there[heir] {
			return nil
		}
		within[heir] = append(within[heir], k)
	}
	shares := make([]float64, len(times))
	for heir, all := range within {
		part := make([]float64, len(all))
		var parts float64
		for i, k := range all {
			part[i] = max(float64(m.workloads[k].Bytes()), 1)
			if m.workloads[heir].MACs() > 0 {
				part[i] = leastPart
				if k == heir {
					part[i] = 1
				}
			}
			parts += part[i]
		}
		for i, k := range all {
			shares[k] = times[heir] / sum * part[i] / parts
		}
	}
	return shares
}
