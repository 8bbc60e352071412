package dataset

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFashionMNISTSample(t *testing.T) {
	train, test, err := FashionMNISTSample()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s        *Images
		n, class int
		first    []uint8
	}{
		{train, 10_000, 1000, []uint8{9, 0, 0, 3, 0, 2, 7, 2}},
		{test, 2_000, 200, []uint8{9, 2, 1, 1, 6, 1, 4, 6}},
	} {
		s := c.s
		if s.N != c.n || s.C != 1 || s.H != 28 || s.W != 28 || len(s.Pixels) != c.n*784 || len(s.Labels) != c.n {
			t.Fatalf("%s: %d images of %d x %d x %d, %d pixels, %d labels", s.Name, s.N, s.C, s.H, s.W, len(s.Pixels), len(s.Labels))
		}
		count := make([]int, len(s.Classes))
		for _, label := range s.Labels {
			count[label]++
		}
		for label, n := range count {
			if n != c.class {
				t.Errorf("%s: %d images of class %s", s.Name, n, s.Classes[label])
			}
		}
		// The published files begin with these labels.
		if !slices.Equal(s.Labels[:8], c.first) {
			t.Errorf("%s begins with labels %v", s.Name, s.Labels[:8])
		}
	}
	// The full training set has mean 0.2860 and deviation 0.3530.
	mean, deviation := train.Moments()
	if mean[0] < 0.280 || mean[0] > 0.292 || deviation[0] < 0.347 || deviation[0] > 0.359 {
		t.Errorf("mean %v, deviation %v", mean, deviation)
	}
}

func TestSplit(t *testing.T) {
	s := &Images{Name: "s", N: 10, C: 1, H: 1, W: 2, Classes: []string{"a"}}
	for i := range uint8(10) {
		s.Pixels = append(s.Pixels, i, 100+i)
		s.Labels = append(s.Labels, i)
	}
	drawn, rest, err := s.Split(4, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []*Images{drawn, rest} {
		for i, label := range part.Labels {
			if part.Pixels[2*i] != label || part.Pixels[2*i+1] != 100+label {
				t.Errorf("label %d has pixels %v", label, part.Pixels[2*i:2*i+2])
			}
		}
		if !slices.IsSorted(part.Labels) || part.N != len(part.Labels) {
			t.Errorf("%d images %v", part.N, part.Labels)
		}
	}
	if all := append(slices.Clone(drawn.Labels), rest.Labels...); drawn.N != 4 {
		t.Errorf("%d drawn", drawn.N)
	} else if slices.Sort(all); !slices.Equal(all, s.Labels) {
		t.Errorf("drawn %v and rest %v", drawn.Labels, rest.Labels)
	}
	again, _, _ := s.Split(4, 3)
	if diff := cmp.Diff(drawn, again); diff != "" {
		t.Errorf("the same seed draws others:\n%s", diff)
	}
	other, _, _ := s.Split(4, 4)
	if slices.Equal(drawn.Labels, other.Labels) {
		t.Error("another seed draws the same")
	}
	if _, _, err := s.Split(11, 1); err == nil {
		t.Error("no error for more images than there are")
	}
}

func TestPerClass(t *testing.T) {
	s := &Images{Name: "s", N: 5, C: 1, H: 1, W: 1, Pixels: []uint8{10, 11, 12, 13, 14}, Labels: []uint8{1, 0, 1, 0, 1}, Classes: []string{"a", "b"}}
	first, err := s.PerClass(1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first.Pixels, []uint8{10, 11}) || !slices.Equal(first.Labels, []uint8{1, 0}) || first.N != 2 {
		t.Errorf("%+v", first)
	}
	if _, err := s.PerClass(3); err == nil {
		t.Error("no error where a class has too few images")
	}
}
