package predictor

import (
	"slices"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// Intervals are those of a group of networks: of one origin, such as a search
// space, as the names of the table's networks tell it, or else those that mostly
// consist of one family of workloads. A network has no name when it is predicted:
// its group is that of the workloads that take most of its time.

// origin is what a network's name has before a colon: the space of
// "mobile28:0.1.2". It is empty where there is none.
func origin(name string) string {
	before, _, ok := strings.Cut(name, ":")
	if !ok {
		return ""
	}
	return before
}

// groupByOrigin lists the origins of the networks and tells of which one each
// of their workloads is: where the largest part of the networks has it.
// Workloads that networks without an origin have as often are not in the map.
func (p *Predictor) groupByOrigin(networks []lut.Network) (map[graph.Workload]int, error) {
	p.origins = nil
	for _, n := range networks {
		if name := origin(n.Name); name != "" && !slices.Contains(p.origins, name) {
			p.origins = append(p.origins, name)
		}
	}
	slices.Sort(p.origins)
	count := make([]float64, len(p.origins)+1)
	seen := map[graph.Workload][]float64{}
	for _, n := range networks {
		workloads, err := networkWorkloads(n)
		if err != nil {
			return nil, err
		}
		at := slices.Index(p.origins, origin(n.Name)) + 1 // 0 for none
		count[at]++
		workloads = slices.Clone(p.cut(workloads))
		counted := map[graph.Workload]bool{}
		for _, w := range workloads {
			if counted[w] {
				continue
			}
			counted[w] = true
			if seen[w] == nil {
				seen[w] = make([]float64, len(count))
			}
			seen[w][at]++
		}
	}
	group := map[graph.Workload]int{}
	for w, times := range seen {
		for i := range times {
			times[i] /= max(count[i], 1)
		}
		if at := largest(times); at > 0 {
			group[w] = at - 1
		}
	}
	return group, nil
}

// groups is the number of groups: the origins, then the families.
func (p *Predictor) groups() int { return len(p.origins) + len(p.families) + 1 }
