package transfer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustSpace(t testing.TB, name string) Space {
	t.Helper()
	s, err := SpaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPruneNASBench201(t *testing.T) {
	s := mustSpace(t, "nasbench201")
	for _, c := range []struct{ whole, pruned string }{
		// Node 1 reaches nothing: its convolution goes.
		{"|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|none~1|skip_connect~2|", "|none~0|+|nor_conv_1x1~0|none~1|+|none~0|none~1|skip_connect~2|"},
		// Node 1 is fed by nothing: what it feeds goes.
		{"|none~0|+|none~0|nor_conv_3x3~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|", "|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|"},
		// No path at all.
		{"|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|none~2|", "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"},
		// All paths.
		{"|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|skip_connect~1|skip_connect~2|", "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"},
	} {
		whole, err := s.parse([]string{c.whole})
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.parse([]string{c.pruned})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, s.prune(whole)); d != "" {
			t.Errorf("%s pruned (-want +got):\n%s", c.whole, d)
		}
	}
}

func TestDepthNASBench201(t *testing.T) {
	s := mustSpace(t, "nasbench201")
	a, err := s.parse([]string{"|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range s.groups(a) {
		if g.name == "depth" {
			// conv3 -> pool -> conv3
			if d := cmp.Diff([]float64{3, 2, 2, 3}, g.values); d != "" {
				t.Errorf("depth (-want +got):\n%s", d)
			}
		}
		if g.name == "operators" {
			if d := cmp.Diff([]float64{1, 1, 2, 1}, g.values); d != "" {
				t.Errorf("operators (-want +got):\n%s", d)
			}
		}
	}
}

// TestWorkOFA: a stage's work does not depend on places past its depth, and
// grows with the resolution.
func TestWorkOFA(t *testing.T) {
	s := mustSpace(t, "ofa")
	parse := func(ks string, r string) Architecture {
		a, err := s.parse([]string{ks, strings.Repeat("6 ", 20), "2 2 2 2 2", r})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := parse(strings.Repeat("3 5 7 7 ", 5), "192")
	if d := cmp.Diff(a, parse(strings.Repeat("3 5 3 5 ", 5), "192")); d != "" {
		t.Errorf("unused places differ (-want +got):\n%s", d)
	}
	b := parse(strings.Repeat("3 5 7 7 ", 5), "224")
	if x, y := s.groups(a)[1].values[0], s.groups(b)[1].values[0]; !(x < y) {
		t.Errorf("work at 192 is %g, at 224 %g", x, y)
	}
}

// TestGroupsAlike: descriptions of a space all have one form, and terms of the
// additive model are within a fixed range.
func TestGroupsAlike(t *testing.T) {
	for name, archs := range map[string][]string{
		"nasbench201": {"|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"},
		"fbnet":       {strings.TrimSpace(strings.Repeat("8 ", 22)), strings.TrimSpace(strings.Repeat("0 7 ", 11))},
	} {
		s := mustSpace(t, name)
		var shape []int
		for _, text := range archs {
			a, err := s.parse([]string{text})
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, g := range s.groups(a) {
				got = append(got, len(g.values))
			}
			if shape == nil {
				shape = got
			} else if d := cmp.Diff(shape, got); d != "" {
				t.Errorf("%s (-first +other):\n%s", name, d)
			}
			for _, term := range s.terms(a) {
				if term.index < 0 || term.kind < -1 || term.stage < -1 {
					t.Errorf("%s: term %+v", name, term)
				}
			}
		}
	}
}
