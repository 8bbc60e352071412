// Package nas holds the nouns of neural architecture search: a Space of
// architectures that each lower to a graph, the Objectives and Constraints
// they are judged by, and the Front of those no other one beats. Strategies
// (nas/search) see only the vector of choices, costs see only the graph, and
// weight sharing (nas/supernet) sees the space and the vector, so any of them
// works with any other.
package nas

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
)

// Architecture is a point of a search space: for each decision of the space,
// in order, the index of the choice taken.
type Architecture []int

// String writes the indices separated by dots, such as "2.0.1".
// ParseArchitecture reads it back.
func (a Architecture) String() string {
	var b strings.Builder
	for i, choice := range a {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.Itoa(choice))
	}
	return b.String()
}

// ParseArchitecture reads what Architecture.String writes. Whether the
// indices fit a space is for Validate to say.
func ParseArchitecture(s string) (Architecture, error) {
	fields := strings.Split(s, ".")
	a := make(Architecture, len(fields))
	for i, field := range fields {
		choice, err := strconv.Atoi(field)
		if err != nil || choice < 0 || strconv.Itoa(choice) != field {
			return nil, fmt.Errorf("nas: architecture %q: %q at position %d is not a choice; want numbers separated by dots, such as 2.0.1", s, field, i)
		}
		a[i] = choice
	}
	return a, nil
}

// Decision is one dimension of a space, with the choices it offers.
type Decision struct {
	Name    string   // such as "stage2.depth"
	Choices []string // such as "1", "2", "3"; from the cheapest to the most expensive
}

// Space is a set of architectures. Implementations are immutable and safe for
// concurrent use.
type Space interface {
	// Name is the name the space is looked up by, such as "mobile28".
	Name() string

	// Decisions lists the dimensions of the space. The caller must not change it.
	Decisions() []Decision

	// Lower builds the network of an architecture for a batch of one image:
	// an unfused graph whose parameters have shapes but no data. A
	// parameter's name is the same in all architectures that have it, and
	// its shape in the largest architecture covers its shape in all others.
	Lower(Architecture) (*graph.Graph, error)

	// Canonical returns the architecture with all decisions that have no
	// effect set to 0, so that equal networks are equal vectors. The
	// argument must be valid; it is not changed.
	Canonical(Architecture) Architecture

	// Largest and Smallest are the most and the least expensive architectures.
	Largest() Architecture
	Smallest() Architecture
}

// Validate says whether the architecture is a point of the space.
func Validate(space Space, a Architecture) error {
	decisions := space.Decisions()
	if len(a) != len(decisions) {
		return fmt.Errorf("nas: architecture %s has %d choices; space %s has %d decisions", a, len(a), space.Name(), len(decisions))
	}
	for i, choice := range a {
		if choice < 0 || choice >= len(decisions[i].Choices) {
			return fmt.Errorf("nas: architecture %s: choice %d of decision %d (%s) is not in [0, %d) of space %s",
				a, choice, i, decisions[i].Name, len(decisions[i].Choices), space.Name())
		}
	}
	return nil
}

// Size is the number of vectors of choices in the space. Where decisions can
// be inactive, several vectors share one canonical form, and the number of
// distinct networks is smaller.
func Size(space Space) float64 {
	size := 1.0
	for _, d := range space.Decisions() {
		size *= float64(len(d.Choices))
	}
	return size
}

// Random draws every decision uniformly and independently and returns the
// canonical form.
func Random(space Space, rng *rand.Rand) Architecture {
	decisions := space.Decisions()
	a := make(Architecture, len(decisions))
	for i, d := range decisions {
		a[i] = rng.IntN(len(d.Choices))
	}
	return space.Canonical(a)
}

// RandomSized draws how large the architecture tends to be, uniformly, and then
// every decision from a binomial distribution of that tendency, and returns
// the canonical form. Random almost never meets the small and the large ends of
// a space, since its decisions are independent; here all sizes are as likely.
func RandomSized(space Space, rng *rand.Rand) Architecture {
	tendency := rng.Float64()
	a := make(Architecture, len(space.Decisions()))
	for i, d := range space.Decisions() {
		for range len(d.Choices) - 1 {
			if rng.Float64() < tendency {
				a[i]++
			}
		}
	}
	return space.Canonical(a)
}

// Equal says whether two architectures are the same vector. Compare canonical
// forms to learn whether they are the same network.
func (a Architecture) Equal(b Architecture) bool { return slices.Equal(a, b) }
