package predictor

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
)

// A workload of a network takes longer or shorter by what is before and after it:
// what it reads may lie in another layout than it likes, and what it writes is
// in the one that suits the next. So networks tell of workloads in places.

// surroundings are the families of the workloads before and after one; empty at
// the ends of a network.
type surroundings struct{ before, after string }

func surroundingsOf(workloads []graph.Workload) []surroundings {
	list := make([]surroundings, len(workloads))
	for i := range workloads {
		if i > 0 {
			list[i].before = family(workloads[i-1])
			list[i-1].after = family(workloads[i])
		}
	}
	return list
}

// place is one that networks have a workload in.
type place struct {
	before, after int     // positions in Predictor.families, noFamily at the ends
	factor        float64 // of ns
}

const noFamily = -1

// between is what the workload costs between those of two families.
func (c *cost) between(before, after int, overhead *overhead) {
	if at := c.placeBetween(before, after); at >= 0 {
		factor := c.places[at].factor
		c.network += overhead.factors[c.family] * c.ns * (factor - 1)
		c.ns *= factor
	}
}

// placeBetween is the position in places, or -1 for any other.
func (c *cost) placeBetween(before, after int) int {
	for i := range c.places {
		if p := &c.places[i]; p.before == before && p.after == after {
			return i
		}
	}
	return -1
}

// line adds up the workloads of a network in their order.
type line struct {
	p      *Predictor
	sum    networkSum
	groups [maxGroups]float64
	last   cost // the one that was added last, without the one after it
	done   cost // the one before that, where it is
	before int  // the family before it
	some   bool
}

func newLine(p *Predictor) line { return line{p: p, before: noFamily} }

// add adds a workload. What the one before it costs where it is, if there is one,
// is known only now.
func (l *line) add(c *cost) {
	before := noFamily
	if l.some {
		before = l.last.family
		l.settle(c.family)
	}
	l.last, l.before, l.some = *c, before, true
}

// end is after the last workload.
func (l *line) end() { l.settle(noFamily) }

func (l *line) settle(after int) {
	l.done = l.last
	l.done.between(l.before, after, l.p.overhead)
	l.sum.add(&l.done, &l.groups)
}

// close is the sum, with what a network costs once.
func (l *line) close() networkSum {
	s := l.sum
	s.group = largest(l.groups[:min(l.p.groups(), maxGroups)])
	s.ns += l.p.overhead.once(s.weights)
	return s
}

// placesOf are those of a workload by what networks tell, if these have it in
// several.
func (v *within) placesOf(w graph.Workload, familyIndex func(string) int) (places []place) {
	o := v.seen[w]
	if o == nil {
		return nil
	}
	for _, s := range o.distinctPlaces() {
		if factor := o.factor(s, -1); factor != 1 {
			places = append(places, place{familyIndex(s.before), familyIndex(s.after), factor})
		}
	}
	return places
}

// distinctPlaces are those that the workload is in, in the order of the networks.
func (o *occurrences) distinctPlaces() (list []surroundings) {
	for _, s := range o.places {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// placePull is how many networks' worth of no difference goes into that of a place.
const placePull = 1

// factor is by how much longer the workload takes in a place than in all, without
// a network if that is not negative.
func (o *occurrences) factor(s surroundings, without int) float64 {
	var here []float64
	other := false
	for i, ns := range o.free {
		if o.places[i] != s {
			other = true
		} else if o.networks[i] != without {
			here = append(here, math.Log(ns))
		}
	}
	if len(here) == 0 || !other {
		return 1
	}
	n := float64(len(here))
	return math.Exp((middle(here) - o.meanLog(without)) * n / (n + placePull))
}

// placed is a workload in a place of its own, or in any other.
type placed struct {
	workload graph.Workload
	place    int // position in cost.places, or -1
}

// placedWorkloads are those of a graph.
func (p *Predictor) placedWorkloads(g *graph.Graph) ([]placed, error) {
	workloads, err := p.Workloads(g)
	if err != nil {
		return nil, err
	}
	list := make([]placed, len(workloads))
	before := noFamily
	for i, w := range workloads {
		after := noFamily
		if i+1 < len(workloads) {
			after = p.familyIndex(workloads[i+1])
		}
		c, err := p.cost(w)
		if err != nil {
			return nil, err
		}
		list[i] = placed{w, c.placeBetween(before, after)}
		before = c.family
	}
	return list, nil
}

func (p *Predictor) placedCost(w placed) (cost, error) {
	c, err := p.cost(w.workload)
	if err == nil && w.place >= 0 {
		at := c.places[w.place]
		c.between(at.before, at.after, p.overhead)
	}
	return c, err
}
