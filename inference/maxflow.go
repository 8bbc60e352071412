package inference

// network is a flow network. Its vertices are numbered.
type network struct {
	arcs   []arc
	leave  [][]int // arcs of each vertex; that of number i^1 is the reverse of i
	level  []int   // distance from the source
	unseen []int   // of each vertex, how many arcs are behind it
}

type arc struct {
	to   int
	rest int64 // of the capacity
}

// source and sink are the ends of a network.
const (
	source = iota
	sink
)

func newNetwork() *network { return &network{leave: make([][]int, 2)} }

func (n *network) vertex() int {
	n.leave = append(n.leave, nil)
	return len(n.leave) - 1
}

func (n *network) connect(from, to int, capacity int64) {
	if from == to || capacity <= 0 {
		return
	}
	n.leave[from] = append(n.leave[from], len(n.arcs))
	n.leave[to] = append(n.leave[to], len(n.arcs)+1)
	n.arcs = append(n.arcs, arc{to, capacity}, arc{from, 0})
}

// minCut returns for each vertex whether it is on the source's side of a cut of
// least capacity, of which it is the one with the fewest vertices there. The
// method is Dinic's: maximum flow by blocking flows in networks of levels (Soviet
// Math. Doklady 11, 1970).
func (n *network) minCut() []bool {
	for n.levels(); n.level[sink] >= 0; n.levels() {
		n.unseen = make([]int, len(n.leave))
		for n.push(source, 1<<62) > 0 {
		}
	}
	side := make([]bool, len(n.leave))
	for v := range side {
		side[v] = n.level[v] >= 0
	}
	return side
}

// levels finds the distance of each vertex from the source over arcs with rest,
// -1 where there is no way.
func (n *network) levels() {
	n.level = make([]int, len(n.leave))
	for v := range n.level {
		n.level[v] = -1
	}
	n.level[source] = 0
	for queue := []int{source}; len(queue) > 0; queue = queue[1:] {
		for _, i := range n.leave[queue[0]] {
			if a := n.arcs[i]; a.rest > 0 && n.level[a.to] < 0 {
				n.level[a.to] = n.level[queue[0]] + 1
				queue = append(queue, a.to)
			}
		}
	}
}

// push brings flow from v to the sink, at most so much, and returns how much.
func (n *network) push(v int, most int64) int64 {
	if v == sink {
		return most
	}
	for ; n.unseen[v] < len(n.leave[v]); n.unseen[v]++ {
		i := n.leave[v][n.unseen[v]]
		a := &n.arcs[i]
		if a.rest == 0 || n.level[a.to] != n.level[v]+1 {
			continue
		}
		if flow := n.push(a.to, min(most, a.rest)); flow > 0 {
			n.arcs[i].rest -= flow
			n.arcs[i^1].rest += flow
			return flow
		}
	}
	return 0
}
