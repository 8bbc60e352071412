package inference

import (
	"cmp"
	"slices"
	"unsafe"
)

// alignment of buffers in the arena, in elements: a cache line.
const alignment = 16

// buffer is memory that is in use from one step to another, both included.
type buffer struct {
	size        int // elements
	first, last int // steps
	offset      int // in the arena, elements
}

func (b *buffer) overlaps(c *buffer) bool { return b.first <= c.last && c.first <= b.last }

// place gives each buffer an offset such that buffers in use at the same step
// do not overlap, and returns the size of the arena in elements.
//
// Large buffers are placed first, each into the smallest gap that fits between
// those already placed which are in use at the same time, else behind them:
// "Greedy by Size" of Pisarchyk and Lee, "Efficient Memory Management for Deep
// Neural Net Inference" (2020), section 5.2.
func place(buffers []*buffer) int {
	order := slices.Clone(buffers)
	slices.SortStableFunc(order, func(a, b *buffer) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.first, b.first))
	})
	var placed []*buffer // by offset
	total := 0
	for _, b := range order {
		size := roundUp(b.size)
		best, bestGap := -1, 0
		end := 0 // of the neighbours so far
		for _, p := range placed {
			if !p.overlaps(b) {
				continue
			}
			if gap := p.offset - end; gap >= size && (best < 0 || gap < bestGap) {
				best, bestGap = end, gap
			}
			end = max(end, p.offset+roundUp(p.size))
		}
		if best < 0 {
			best = end
		}
		b.offset = best
		total = max(total, best+size)
		at, _ := slices.BinarySearchFunc(placed, best, func(p *buffer, offset int) int {
			return cmp.Compare(p.offset, offset)
		})
		placed = slices.Insert(placed, at, b)
	}
	return total
}

func roundUp(n int) int { return (n + alignment - 1) / alignment * alignment }

// alignedSlice returns n elements that start at a cache line.
func alignedSlice(n int) []float32 {
	s := make([]float32, n+alignment)
	skip := 0
	if past := uintptr(unsafe.Pointer(&s[0])) / 4 % alignment; past != 0 {
		skip = alignment - int(past)
	}
	return s[skip : skip+n : skip+n]
}
