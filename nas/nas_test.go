package nas_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
)

// ladder is a space of depth 1 to 3 with a width for each layer; widths of
// layers that are not there have no effect.
type ladder struct{}

func (ladder) Name() string { return "ladder" }

func (ladder) Decisions() []nas.Decision {
	width := []string{"8", "16"}
	return []nas.Decision{
		{Name: "depth", Choices: []string{"1", "2", "3"}},
		{Name: "width1", Choices: width}, {Name: "width2", Choices: width}, {Name: "width3", Choices: width},
	}
}

func (ladder) Lower(nas.Architecture) (*graph.Graph, error) { return &graph.Graph{}, nil }

func (ladder) Canonical(a nas.Architecture) nas.Architecture {
	c := append(nas.Architecture(nil), a...)
	clear(c[a[0]+2:])
	return c
}

func (ladder) Largest() nas.Architecture  { return nas.Architecture{2, 1, 1, 1} }
func (ladder) Smallest() nas.Architecture { return nas.Architecture{0, 0, 0, 0} }

func TestArchitectureRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := nas.Architecture(rapid.SliceOfN(rapid.IntRange(0, 1000), 1, 40).Draw(t, "architecture"))
		got, err := nas.ParseArchitecture(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equal(want) {
			t.Fatalf("%v became %v", want, got)
		}
	})
}

func TestParseArchitectureRejects(t *testing.T) {
	for _, s := range []string{"", ".", "1.", "1..2", "-1", "+1", "01", "1.x", "1 .2", "99999999999999999999"} {
		if a, err := nas.ParseArchitecture(s); err == nil {
			t.Errorf("%q became %v", s, a)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		architecture nas.Architecture
		want         string // part of the error, "" for none
	}{
		{nas.Architecture{2, 1, 1, 1}, ""},
		{nas.Architecture{2, 1, 1}, "3 choices"},
		{nas.Architecture{3, 0, 0, 0}, "decision 0 (depth)"},
		{nas.Architecture{0, -1, 0, 0}, "decision 1 (width1)"},
	} {
		err := nas.Validate(ladder{}, test.architecture)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: error %v, want %q", test.architecture, err, test.want)
		}
	}
}

func TestRandomIsCanonicalAndCovers(t *testing.T) {
	for name, draw := range map[string]func(nas.Space, *rand.Rand) nas.Architecture{"uniform": nas.Random, "sized": nas.RandomSized} {
		t.Run(name, func(t *testing.T) { testDraw(t, draw) })
	}
}

func testDraw(t *testing.T, draw func(nas.Space, *rand.Rand) nas.Architecture) {
	rng := rand.New(rand.NewPCG(1, 0))
	seen := map[string]bool{}
	for range 1000 {
		a := draw(ladder{}, rng)
		if err := nas.Validate(ladder{}, a); err != nil {
			t.Fatal(err)
		}
		if !a.Equal(ladder{}.Canonical(a)) {
			t.Fatalf("%v is not canonical", a)
		}
		seen[a.String()] = true
	}
	if want := 2 + 4 + 8; len(seen) != want {
		t.Errorf("%d architectures seen, want %d", len(seen), want)
	}
	if got := nas.Size(ladder{}); got != 24 {
		t.Errorf("size %v, want 24", got)
	}
	first := draw(ladder{}, rand.New(rand.NewPCG(7, 0)))
	if diff := cmp.Diff(first, draw(ladder{}, rand.New(rand.NewPCG(7, 0)))); diff != "" {
		t.Errorf("the same seed draws another architecture:\n%s", diff)
	}
}
