package inference

import (
	"testing"

	"pgregory.net/rapid"
)

func TestPlace(t *testing.T) {
	tests := []struct {
		name    string
		buffers []*buffer
		want    int // bytes
	}{
		{"none", nil, 0},
		{"a chain needs two", []*buffer{
			{size: 400, first: 0, last: 1}, {size: 400, first: 1, last: 2}, {size: 400, first: 2, last: 3},
		}, 2 * roundUp(400)},
		{"small ones lie side by side where a large one was", []*buffer{
			{size: 1280, first: 0, last: 1}, {size: 640, first: 2, last: 3}, {size: 640, first: 2, last: 3},
		}, 1280},
		{"the smallest gap that fits is taken", []*buffer{
			{size: 1920, first: 0, last: 1}, // offset 0
			{size: 1280, first: 1, last: 9}, // behind it
			{size: 256, first: 2, last: 9},  // into the gap before
		}, 3200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := place(test.buffers); got != test.want {
				t.Errorf("arena of %d bytes, want %d", got, test.want)
			}
		})
	}
}

// TestPlaceKeepsApart draws buffers and checks what a plan relies on: those in
// use at the same time do not overlap, all lie within the arena at cache
// lines, and the arena is no larger than all of them side by side, nor smaller
// than what is in use at one step.
func TestPlaceKeepsApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var buffers []*buffer
		var sum int
		var use [20]int
		for range rapid.IntRange(0, 30).Draw(t, "buffers") {
			first := rapid.IntRange(0, 19).Draw(t, "first")
			b := &buffer{
				size: rapid.IntRange(1, 1200).Draw(t, "size"), first: first,
				last: rapid.IntRange(first, 19).Draw(t, "last"),
			}
			buffers = append(buffers, b)
			sum += roundUp(b.size)
			for step := b.first; step <= b.last; step++ {
				use[step] += roundUp(b.size)
			}
		}
		total := place(buffers)
		if total > sum {
			t.Fatalf("arena of %d, but the buffers sum to %d", total, sum)
		}
		for step, size := range use {
			if total < size {
				t.Fatalf("arena of %d, but step %d uses %d", total, step, size)
			}
		}
		for i, a := range buffers {
			if a.offset%alignment != 0 || a.offset+a.size > total {
				t.Fatalf("buffer %d at %d of %d, arena of %d", i, a.offset, a.size, total)
			}
			for j, b := range buffers[:i] {
				if a.overlaps(b) && a.offset < b.offset+b.size && b.offset < a.offset+a.size {
					t.Fatalf("buffers %d %+v and %d %+v overlap", i, a, j, b)
				}
			}
		}
	})
}
