package autograd

import (
	"math/bits"

	"github.com/hwprofd/hwprofd/kernels"
)

// arena keeps the memory of a tape between passes. Blocks come in size
// classes (four to a power of two, so at most a quarter is wasted) and are
// handed out last in, first out, while still in cache.
type arena struct {
	blocks []*block
	free   [4 * 64][]*block
}

type block struct {
	data  []float32
	class int
	used  bool
}

const smallestBlock = 64 // floats

// sizeClass returns the class whose blocks hold n floats, and their size.
func sizeClass(n int) (class, size int) {
	n = max(n, smallestBlock)
	e := bits.Len(uint(n-1)) - 3 // n-1 has e+3 bits: keep the top three
	top := (n-1)>>e + 1          // in 5..8
	return 4*e + top - 5, top << e
}

// get returns a block with room for n floats. Its content is arbitrary.
func (a *arena) get(n int) *block {
	class, size := sizeClass(n)
	for c := class; c < min(class+4, len(a.free)); c++ {
		if l := len(a.free[c]); l > 0 {
			b := a.free[c][l-1]
			a.free[c] = a.free[c][:l-1]
			b.used = true
			return b
		}
	}
	b := &block{data: kernels.Aligned[float32](size), class: class, used: true}
	a.blocks = append(a.blocks, b)
	return b
}

func (a *arena) put(b *block) {
	if b == nil || !b.used {
		return
	}
	b.used = false
	a.free[b.class] = append(a.free[b.class], b)
}

func (a *arena) reset() {
	for _, b := range a.blocks {
		a.put(b)
	}
}

// bytes returns the memory held.
func (a *arena) bytes() int64 {
	var n int64
	for _, b := range a.blocks {
		n += 4 * int64(len(b.data))
	}
	return n
}
