package transfer

import (
	"errors"
	"fmt"
	"math"
)

// items are what costs something: networks of a space, or workloads.
type items struct {
	groups [][]group // by item
	sums   [][]group // by item, nil where no device costs a sum
	// terms and pruned are those of the additive model of the space, nil where
	// known devices are taken as they were measured.
	terms, pruned [][]term
	// times of known devices in any unit, NaN where an item was not measured.
	times [][]float64
	// families of the known devices: two of a family tell more of each other
	// than of a device of another.
	families []string
}

func itemsOf(s Space, architectures []Architecture) *items {
	x := &items{}
	prunes := false
	for _, a := range architectures {
		p := s.prune(a)
		prunes = prunes || &p[0] != &a[0]
		x.groups = append(x.groups, s.groups(a))
		x.sums = append(x.sums, s.sums(a))
		x.terms = append(x.terms, s.terms(a))
		x.pruned = append(x.pruned, s.terms(p))
	}
	if !prunes {
		x.pruned = nil
	}
	return x
}

func (x *items) surfaces() ([][]surfaces, error) {
	if len(x.times) == 0 {
		return nil, errors.New("there is no known device")
	}
	if x.terms != nil {
		return smooth(x.terms, x.pruned, x.times)
	}
	out := make([][]surfaces, len(scales))
	for s, l := range scales {
		for d, column := range x.times {
			for i, v := range column {
				if math.IsNaN(v) {
					return nil, fmt.Errorf("known device %d: item %d was not measured", d, i)
				}
			}
			w := winsorised(column, l)
			mean, deviation := moments(w)
			for i := range w {
				w[i] = (w[i] - mean) / deviation
			}
			out[s] = append(out[s], surfaces{whole: w})
		}
	}
	return out, nil
}
