package space_test

import (
	"strings"
	"testing"

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

func BenchmarkLower(b *testing.B) {
	s := mobile28(b)
	for b.Loop() {
		if _, err := s.Lower(s.Largest()); err != nil {
			b.Fatal(err)
		}
	}
}
