package space_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/space"
)

func mobile28(t testing.TB) nas.Space {
	t.Helper()
	s, err := space.ByName("mobile28", 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// draw returns any valid vector, canonical or not.
func draw(t *rapid.T, s nas.Space) nas.Architecture {
	a := make(nas.Architecture, len(s.Decisions()))
	for i, d := range s.Decisions() {
		a[i] = rapid.IntRange(0, len(d.Choices)-1).Draw(t, d.Name)
	}
	return a
}

// signature tells two networks apart by their input and parameters.
func signature(g *graph.Graph) string {
	var b strings.Builder
	fmt.Fprintln(&b, g.Inputs[0].Shape)
	for _, p := range g.Parameters() {
		fmt.Fprintln(&b, p.Name, p.Shape)
	}
	return b.String()
}

func lower(t rapid.TB, s nas.Space, a nas.Architecture) *graph.Graph {
	t.Helper()
	g, err := s.Lower(a)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestMobile28Lowers(t *testing.T) {
	s := mobile28(t)
	largest := map[string][]int{}
	for _, p := range lower(t, s, s.Largest()).Parameters() {
		largest[p.Name] = p.Shape
	}
	rapid.Check(t, func(t *rapid.T) {
		a := draw(t, s)
		g := lower(t, s, a)
		if got := g.Outputs[0].Shape; !slices.Equal(got, []int{1, 10}) {
			t.Fatalf("logits are %v", got)
		}
		for _, p := range g.Parameters() {
			for i, n := range p.Shape {
				if largest[p.Name] == nil || n > largest[p.Name][i] {
					t.Fatalf("%s %v is no part of %v in the largest architecture", p.Name, p.Shape, largest[p.Name])
				}
			}
		}
		fused, err := graph.Fuse(g)
		if err != nil {
			t.Fatal(err)
		}
		if fused.MACs() != g.MACs() {
			t.Fatalf("fusing changes the MACs from %d to %d", g.MACs(), fused.MACs())
		}
	})
}

func TestMobile28CanonicalIsTheNetwork(t *testing.T) {
	s := mobile28(t)
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, s), draw(t, s)
		// Let b be close to a, or they never agree.
		for i := range b {
			if rapid.IntRange(0, 9).Draw(t, "keep") > 0 {
				b[i] = a[i]
			}
		}
		ca, cb := s.Canonical(a), s.Canonical(b)
		if !s.Canonical(ca).Equal(ca) {
			t.Fatalf("%v is not its own canonical form", ca)
		}
		ga, gb := signature(lower(t, s, a)), signature(lower(t, s, b))
		if diff := cmp.Diff(ga, signature(lower(t, s, ca))); diff != "" {
			t.Fatalf("the canonical form is another network:\n%s", diff)
		}
		if (ga == gb) != ca.Equal(cb) {
			t.Fatalf("%v and %v: same network %v, same canonical form %v", a, b, ga == gb, ca.Equal(cb))
		}
	})
}

func TestMobile28Extremes(t *testing.T) {
	s := mobile28(t)
	largest, smallest := lower(t, s, s.Largest()).MACs(), lower(t, s, s.Smallest()).MACs()
	t.Logf("MACs from %d to %d, parameters from %d to %d", smallest, largest,
		lower(t, s, s.Smallest()).Params(), lower(t, s, s.Largest()).Params())
	if largest < 10*smallest {
		t.Errorf("MACs range from %d to %d only", smallest, largest)
	}
	rng := rand.New(rand.NewPCG(1, 0))
	for range 200 {
		a := nas.Random(s, rng)
		if macs := lower(t, s, a).MACs(); macs < smallest || macs > largest {
			t.Errorf("%v has %d MACs, not within %d to %d", a, macs, smallest, largest)
		}
	}
}

// TestMobile28Size counts the distinct networks: per stage, a width times a
// kernel and an expansion for each block there is.
func TestMobile28Size(t *testing.T) {
	size := 1.0
	var depth []string
	var width, block int
	stage := func() {
		options := 0.0
		for _, d := range depth {
			blocks := 1.0
			for range int(d[0] - '0') {
				blocks *= float64(block)
			}
			if d != "0" {
				blocks *= float64(width)
			}
			options += blocks
		}
		if depth != nil {
			size *= options
		}
	}
	for _, d := range mobile28(t).Decisions() {
		switch {
		case d.Name == "resolution":
			size *= float64(len(d.Choices))
		case strings.HasSuffix(d.Name, ".width"):
			stage()
			depth, width = nil, len(d.Choices)
		case strings.HasSuffix(d.Name, "block1.kernel"):
			block = len(d.Choices)
		case strings.HasSuffix(d.Name, "block1.expansion"):
			block *= len(d.Choices)
		case strings.HasSuffix(d.Name, ".depth"):
			depth = d.Choices
		}
	}
	stage()
	t.Logf("%.3g networks in %.3g vectors", size, nas.Size(mobile28(t)))
	if size < 1e8 || size > nas.Size(mobile28(t)) {
		t.Errorf("%.3g distinct networks, %.3g vectors", size, nas.Size(mobile28(t)))
	}
}

func TestMobile28ForColour(t *testing.T) {
	s, err := space.NewMobile28(3, 100)
	if err != nil {
		t.Fatal(err)
	}
	g := lower(t, s, s.Smallest())
	if in, out := g.Inputs[0].Shape, g.Outputs[0].Shape; in[1] != 3 || out[1] != 100 {
		t.Errorf("from %v to %v", in, out)
	}
}

func TestRejects(t *testing.T) {
	if _, err := space.ByName("mobile29", 1, 10); err == nil || !strings.Contains(err.Error(), `"mobile29"; there is: mobile28`) {
		t.Errorf("unknown space: %v", err)
	}
	if _, err := space.ByName("mobile28", 0, 10); err == nil {
		t.Error("no channels pass")
	}
	if _, err := space.ByName("mobile28", 1, 1); err == nil {
		t.Error("one class passes")
	}
	s := mobile28(t)
	if _, err := s.Lower(s.Largest()[1:]); err == nil {
		t.Error("a short vector lowers")
	}
}

func BenchmarkLower(b *testing.B) {
	s := mobile28(b)
	for b.Loop() {
		if _, err := s.Lower(s.Largest()); err != nil {
			b.Fatal(err)
		}
	}
}
