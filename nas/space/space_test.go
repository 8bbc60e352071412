package space_test

import (
	"fmt"
	"math"
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

// each runs a test with every space.
func each(t *testing.T, test func(t *testing.T, s nas.Space)) {
	for _, name := range space.Names() {
		t.Run(name, func(t *testing.T) {
			s, err := space.Published(name)
			if err != nil {
				t.Fatal(err)
			}
			if s.Name() != name {
				t.Errorf("it calls itself %s", s.Name())
			}
			test(t, s)
		})
	}
}

// draw returns any valid vector, canonical or not.
func draw(t *rapid.T, s nas.Space) nas.Architecture {
	a := make(nas.Architecture, len(s.Decisions()))
	for i, d := range s.Decisions() {
		a[i] = rapid.IntRange(0, len(d.Choices)-1).Draw(t, d.Name)
	}
	return a
}

// signature tells two networks apart by their input, their parameters and what
// each node takes.
func signature(g *graph.Graph) string {
	var b strings.Builder
	fmt.Fprintln(&b, g.Inputs[0].Shape)
	for _, p := range g.Parameters() {
		fmt.Fprintln(&b, p.Name, p.Shape)
	}
	for _, n := range g.Nodes {
		fmt.Fprint(&b, n.Name, " ", n.Kind)
		for _, in := range n.Inputs {
			fmt.Fprint(&b, " ", in.Name)
		}
		fmt.Fprintln(&b)
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

// TestLowers lowers any architecture: its parameters are parts of the largest's,
// and fusing loses no work.
func TestLowers(t *testing.T) {
	each(t, func(t *testing.T, s nas.Space) {
		g := lower(t, s, s.Largest())
		largest, logits := map[string][]int{}, g.Outputs[0].Shape
		for _, p := range g.Parameters() {
			largest[p.Name] = p.Shape
		}
		rapid.Check(t, func(t *rapid.T) {
			g := lower(t, s, draw(t, s))
			if got := g.Outputs[0].Shape; !slices.Equal(got, logits) {
				t.Fatalf("logits are %v", got)
			}
			for _, p := range g.Parameters() {
				if p.Role == graph.RoleConstant {
					continue
				}
				if len(largest[p.Name]) != len(p.Shape) {
					t.Fatalf("%s %v is no part of %v in the largest architecture", p.Name, p.Shape, largest[p.Name])
				}
				for i, n := range p.Shape {
					if n > largest[p.Name][i] {
						t.Fatalf("%s %v is no part of %v in the largest architecture", p.Name, p.Shape, largest[p.Name])
					}
				}
			}
			fused, err := graph.Fuse(g)
			if err != nil {
				t.Fatal(err)
			}
			// A batch norm that no convolution takes in counts for itself.
			if d := fused.MACs() - g.MACs(); d < 0 || d > g.MACs()/1000 {
				t.Fatalf("fusing changes the MACs from %d to %d", g.MACs(), fused.MACs())
			}
			if _, err := fused.Workloads(); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// TestCanonicalIsTheNetwork compares networks by their nodes, which tell where
// data comes from.
func TestCanonicalIsTheNetwork(t *testing.T) {
	each(t, func(t *testing.T, s nas.Space) {
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
	})
}

func TestExtremes(t *testing.T) {
	each(t, func(t *testing.T, s nas.Space) {
		largest, smallest := lower(t, s, s.Largest()).MACs(), lower(t, s, s.Smallest()).MACs()
		t.Logf("MACs from %d to %d, parameters from %d to %d", smallest, largest,
			lower(t, s, s.Smallest()).Params(), lower(t, s, s.Largest()).Params())
		if float64(largest) < 1.2*float64(smallest) {
			t.Errorf("MACs range from %d to %d only", smallest, largest)
		}
		rng := rand.New(rand.NewPCG(1, 0))
		for range 50 {
			a := nas.Random(s, rng)
			if macs := lower(t, s, a).MACs(); macs < smallest || macs > largest {
				t.Errorf("%v has %d MACs, not within %d to %d", a, macs, smallest, largest)
			}
		}
	})
}

// TestPublished compares with the figures that were published with the spaces:
// millions of multiply-accumulates and of parameters.
func TestPublished(t *testing.T) {
	for _, c := range []struct {
		space        string
		largest      bool
		macs, params float64
	}{
		{"nasbench201", true, 220.12, 1.531546},
		{"nasbench201", false, 7.78, 0.073306},
		{"ofa-mobilenetv3", true, 566, 7.66},
	} {
		s, err := space.Published(c.space)
		if err != nil {
			t.Fatal(err)
		}
		a := s.Smallest()
		if c.largest {
			a = s.Largest()
		}
		g := lower(t, s, a)
		macs, params := float64(g.MACs())/1e6, float64(g.Params())/1e6
		if math.Abs(macs-c.macs) > 0.001*c.macs || math.Abs(params-c.params) > 0.001*c.params {
			t.Errorf("%s %v has %g M MACs and %g M parameters; published are %g and %g", c.space, a, macs, params, c.macs, c.params)
		}
	}
}

func TestRejects(t *testing.T) {
	if _, err := space.ByName("mobile29", 1, 10); err == nil || !strings.Contains(err.Error(), `"mobile29"; there is: autoformer-tiny, fbnet, mobile28`) {
		t.Errorf("unknown space: %v", err)
	}
	if _, err := space.Published("mobile29"); err == nil {
		t.Error("an unknown space is made")
	}
	for _, name := range space.Names() {
		if _, err := space.ByName(name, 0, 10); err == nil {
			t.Errorf("%s: no channels pass", name)
		}
		if _, err := space.ByName(name, 1, 1); err == nil {
			t.Errorf("%s: one class passes", name)
		}
	}
	each(t, func(t *testing.T, s nas.Space) {
		if _, err := s.Lower(s.Largest()[1:]); err == nil {
			t.Error("a short vector lowers")
		}
	})
}
