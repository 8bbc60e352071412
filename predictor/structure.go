package predictor

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hwprofd/hwprofd/graph"
)

// A space is lowered only as a whole, but what a network costs is a sum over
// its workloads, and each of them depends on few decisions: its own block's,
// the widths around it, the resolution. Which of them belong together is found
// out from outside. Two decisions interact if the change of one makes another
// difference to the network's workloads after a change of the other. A sum over
// all sets of decisions that all interact with each other is then the whole
// cost (the cut-HDMR or anchored ANOVA expansion: Kuo, Sloan, Wasilkowski and
// Woźniakowski, "On decompositions of multivariate functions", Mathematics of
// Computation 79, 2010).

const (
	// probes are the random architectures around which interactions are looked
	// for, and alternatives the changes of each decision that are tried there.
	probes       = 12
	alternatives = 2
	// maxLowered bounds the architectures that are lowered to fill tables.
	maxLowered = 1 << 17
)

// prober lowers architectures to their workloads, each once.
type prober struct {
	choices []int
	lower   func([]int) (*graph.Graph, error)
	rng     *rand.Rand

	mu      sync.Mutex
	split   func(*graph.Graph) ([]placed, error)
	numbers map[placed]int32
	known   map[string][]int32 // sorted numbers of workloads, by architecture
}

func architectureKey(a []int) string {
	key := make([]byte, 0, 2*len(a))
	for _, v := range a {
		key = append(key, byte(v), byte(v>>8))
	}
	return string(key)
}

// workloads are the sorted numbers of those of an architecture.
func (p *prober) workloads(a []int) ([]int32, error) {
	key := architectureKey(a)
	p.mu.Lock()
	known, ok := p.known[key]
	p.mu.Unlock()
	if ok {
		return known, nil
	}
	g, err := p.lower(slices.Clone(a))
	if err != nil {
		return nil, fmt.Errorf("predictor: compile: architecture %v: %w", a, err)
	}
	list, err := p.split(g)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	numbers := make([]int32, len(list))
	for i, w := range list {
		number, ok := p.numbers[w]
		if !ok {
			number = int32(len(p.numbers))
			p.numbers[w] = number
		}
		numbers[i] = number
	}
	slices.Sort(numbers)
	p.known[key] = numbers
	return numbers, nil
}

// lowerAll makes workloads of all architectures known, in parallel.
func (p *prober) lowerAll(architectures [][]int) error {
	var next atomic.Int64
	var workers sync.WaitGroup
	var failed atomic.Pointer[error]
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(architectures) {
					return
				}
				if _, err := p.workloads(architectures[i]); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	workers.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (p *prober) random() []int {
	a := make([]int, len(p.choices))
	for i, n := range p.choices {
		a[i] = p.rng.IntN(n)
	}
	return a
}

// changed is a with decision i made otherwise.
func changed(a []int, i, choice int) []int {
	b := slices.Clone(a)
	b[i] = choice
	return b
}

// interactions looks for pairs of decisions that interact around base and
// marks them.
func (p *prober) interactions(base []int, marked [][]bool) error {
	type change struct {
		choice  int
		removed []int32
	}
	others := make([][]change, len(p.choices))
	var needed [][]int
	for i, n := range p.choices {
		for _, step := range p.rng.Perm(n - 1)[:min(alternatives, n-1)] {
			choice := (base[i] + 1 + step) % n
			others[i] = append(others[i], change{choice: choice})
			needed = append(needed, changed(base, i, choice))
		}
	}
	if err := p.lowerAll(append(needed, base)); err != nil {
		return err
	}
	whole, err := p.workloads(base)
	if err != nil {
		return err
	}
	for i := range others {
		for k := range others[i] {
			c := &others[i][k]
			without, err := p.workloads(changed(base, i, c.choice))
			if err != nil {
				return err
			}
			c.removed = difference(whole, without)
		}
	}
	type pair struct{ i, j, one, other int }
	var pairs []pair
	needed = nil
	for i := range others {
		for j := range i {
			if marked[i][j] {
				continue
			}
			for _, a := range others[i] {
				for _, b := range others[j] {
					// Where no workload is touched by both, none can depend on both.
					if intersect(a.removed, b.removed) {
						pairs = append(pairs, pair{i, j, a.choice, b.choice})
						needed = append(needed, changed(changed(base, i, a.choice), j, b.choice))
					}
				}
			}
		}
	}
	if err := p.lowerAll(needed); err != nil {
		return err
	}
	for k, x := range pairs {
		both, err := p.workloads(needed[k])
		if err != nil {
			return err
		}
		one, err := p.workloads(changed(base, x.i, x.one))
		if err != nil {
			return err
		}
		other, err := p.workloads(changed(base, x.j, x.other))
		if err != nil {
			return err
		}
		if !slices.Equal(joined(whole, both), joined(one, other)) {
			marked[x.i][x.j], marked[x.j][x.i] = true, true
		}
	}
	return nil
}

// difference is the distinct numbers of which a has more than b, ascending.
func difference(a, b []int32) (more []int32) {
	for len(a) > 0 {
		switch {
		case len(b) == 0 || a[0] < b[0]:
			if len(more) == 0 || more[len(more)-1] != a[0] {
				more = append(more, a[0])
			}
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	return more
}

func intersect(a, b []int32) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			return true
		}
	}
	return false
}

func joined(a, b []int32) []int32 {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return all
}

// cliques are the maximal sets of decisions that all interact with each other
// (Bron and Kerbosch, "Finding all cliques of an undirected graph", CACM 16(9),
// 1973), each ascending.
func cliques(marked [][]bool) (found [][]int) {
	var extend func(chosen, left, done []int)
	extend = func(chosen, left, done []int) {
		if len(left) == 0 && len(done) == 0 {
			clique := slices.Clone(chosen)
			slices.Sort(clique)
			found = append(found, clique)
			return
		}
		// Those that interact with the pivot are found together with it.
		pivot, most := -1, -1
		for _, v := range slices.Concat(left, done) {
			if n := len(adjacent(marked, v, left)); n > most {
				pivot, most = v, n
			}
		}
		for _, v := range slices.Clone(left) {
			if marked[pivot][v] {
				continue
			}
			extend(append(slices.Clone(chosen), v), adjacent(marked, v, left), adjacent(marked, v, done))
			left = slices.DeleteFunc(slices.Clone(left), func(u int) bool { return u == v })
			done = append(slices.Clone(done), v)
		}
	}
	all := make([]int, len(marked))
	for i := range all {
		all[i] = i
	}
	extend(nil, all, nil)
	slices.SortFunc(found, slices.Compare)
	return found
}

func adjacent(marked [][]bool, v int, among []int) (list []int) {
	for _, u := range among {
		if marked[v][u] {
			list = append(list, u)
		}
	}
	return list
}
