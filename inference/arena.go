package inference

import (
	"cmp"
	"slices"
	"unsafe"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// alignment of buffers in the arena, in bytes: a cache line.
const alignment = 64

// buffer is memory that is in use from one step to another, both included.
type buffer struct {
	size        int // bytes
	first, last int // steps
	offset      int // in the arena, bytes
}

func (b *buffer) overlaps(c *buffer) bool { return b.first <= c.last && c.first <= b.last }

// place gives each buffer an offset such that buffers in use at the same step
// do not overlap, and returns the size of the arena in bytes.
//
// Buffers are placed one after the other, each into the smallest gap that fits
// between those already placed which are in use at the same time, else behind
// them. Which order is best depends on the network, so several are tried: by
// size, as "Greedy by Size" of Pisarchyk and Lee, "Efficient Memory Management
// for Deep Neural Net Inference" (2020), section 5.2; by the size of all that
// is in use at the same time, as their "Greedy by Breadth"; by the time in use;
// and by first use. It ends early at the lower bound: what is in use at the
// same step at most.
func place(buffers []*buffer) int {
	bound := mostInUse(buffers)
	breadth := breadths(buffers)
	area := func(b *buffer) int { return b.size * (b.last - b.first + 1) }
	orders := []func(a, b *buffer) int{
		func(a, b *buffer) int { return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.first, b.first)) },
		func(a, b *buffer) int {
			return cmp.Or(cmp.Compare(breadth[b], breadth[a]), cmp.Compare(b.size, a.size), cmp.Compare(a.first, b.first))
		},
		func(a, b *buffer) int {
			return cmp.Or(cmp.Compare(b.last-b.first, a.last-a.first), cmp.Compare(b.size, a.size), cmp.Compare(a.first, b.first))
		},
		func(a, b *buffer) int { return cmp.Or(cmp.Compare(area(b), area(a)), cmp.Compare(a.first, b.first)) },
		func(a, b *buffer) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.size, a.size)) },
	}
	best, offsets := -1, make([]int, len(buffers))
	for _, order := range orders {
		sorted := slices.Clone(buffers)
		slices.SortStableFunc(sorted, order)
		if total := placeInOrder(sorted); best < 0 || total < best {
			best = total
			for i, b := range buffers {
				offsets[i] = b.offset
			}
		}
		if best == bound {
			break
		}
	}
	for i, b := range buffers {
		b.offset = offsets[i]
	}
	return best
}

// placeInOrder places buffers one after the other.
func placeInOrder(order []*buffer) int {
	placed := make([]*buffer, 0, len(order)) // by offset
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

// use returns the bytes in use at each step, and the first step.
func use(buffers []*buffer) (bytes []int, first int) {
	if len(buffers) == 0 {
		return nil, 0
	}
	first, last := buffers[0].first, buffers[0].last
	for _, b := range buffers {
		first, last = min(first, b.first), max(last, b.last)
	}
	bytes = make([]int, last-first+1)
	for _, b := range buffers {
		for step := b.first; step <= b.last; step++ {
			bytes[step-first] += roundUp(b.size)
		}
	}
	return bytes, first
}

// mostInUse is the number of bytes in use at the same step at most.
func mostInUse(buffers []*buffer) int {
	most := 0
	bytes, _ := use(buffers)
	for _, n := range bytes {
		most = max(most, n)
	}
	return most
}

// breadths returns for each buffer the bytes in use at the fullest step of its
// time.
func breadths(buffers []*buffer) map[*buffer]int {
	bytes, first := use(buffers)
	m := make(map[*buffer]int, len(buffers))
	for _, b := range buffers {
		m[b] = slices.Max(bytes[b.first-first : b.last-first+1])
	}
	return m
}

func roundUp(n int) int { return (n + alignment - 1) / alignment * alignment }

// unsignedBytes is the same memory as unsigned bytes.
func unsignedBytes(x []int8) []uint8 {
	return unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// floatBits are the same bits as numbers of single precision, to be moved.
func floatBits(x []int32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// view is memory as elements of a type: a slice as in operator.Tensor.
func view(d operator.DType, memory []byte) any {
	n := len(memory) / int(d.Size())
	p := unsafe.Pointer(unsafe.SliceData(memory))
	switch d {
	case operator.F32:
		return unsafe.Slice((*float32)(p), n)
	case operator.F64:
		return unsafe.Slice((*float64)(p), n)
	case operator.F16, operator.BF16, operator.U16:
		return unsafe.Slice((*uint16)(p), n)
	case operator.I8:
		return unsafe.Slice((*int8)(p), n)
	case operator.I16:
		return unsafe.Slice((*int16)(p), n)
	case operator.I32:
		return unsafe.Slice((*int32)(p), n)
	case operator.I64:
		return unsafe.Slice((*int64)(p), n)
	case operator.U8:
		return unsafe.Slice((*uint8)(p), n)
	case operator.U32:
		return unsafe.Slice((*uint32)(p), n)
	case operator.U64:
		return unsafe.Slice((*uint64)(p), n)
	case operator.Bool:
		return unsafe.Slice((*bool)(p), n)
	}
	panic("inference: no view of elements of type " + string(d))
}
