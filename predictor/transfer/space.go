package transfer

import (
	"fmt"
	"strconv"
	"strings"
)

// Architecture is a network of a space: its choices, one number each.
type Architecture []int

// String writes the choices with dots between them.
func (a Architecture) String() string {
	parts := make([]string, len(a))
	for i, c := range a {
		parts[i] = strconv.Itoa(c)
	}
	return strings.Join(parts, ".")
}

// Space is a published search space whose networks were measured. [SpaceByName]
// returns one.
type Space interface {
	Name() string
	// columns are the ways in which a table may hold an architecture, the usual
	// one first.
	columns() [][]string
	parse(fields []string) (Architecture, error)
	// groups describe an architecture by what may explain its cost.
	groups(a Architecture) []group
	// sums are the ways of counting what a device may cost the exact sum of.
	sums(a Architecture) []group
	// terms are the terms of the additive model that smooths what was measured
	// on known devices.
	terms(a Architecture) []term
	// prune returns the architecture without what a compiler removes because it
	// does not reach the output, or the architecture itself.
	prune(a Architecture) Architecture
}

// group is a named part of an architecture's description. Every architecture of
// a space has the same groups with equally many values.
type group struct {
	name   string
	values []float64
	smooth bool // also compared by distance, not only linearly
}

// term is a value of a sparse vector. What the terms of one kind, or of one
// stage, contribute can be scaled together on a new device; -1 stands for none.
type term struct {
	index       int
	value       float64
	kind, stage int
}

// SpaceByName returns nasbench201, fbnet or ofa.
func SpaceByName(name string) (Space, error) {
	switch name {
	case "nasbench201":
		return nasBench201{}, nil
	case "fbnet":
		return fbnet{}, nil
	case "ofa":
		return ofa{}, nil
	}
	return nil, fmt.Errorf("transfer: unknown space %q, want nasbench201, fbnet or ofa", name)
}

func oneHot(choices, of int, at ...int) []float64 {
	v := make([]float64, choices*of)
	for i, c := range at {
		if c >= 0 {
			v[i*of+c] = 1
		}
	}
	return v
}
