package lut

import (
	"hash/maphash"
	"math/bits"

	"github.com/hwprofd/hwprofd/graph"
)

// index finds rows by a hash: a table of open addressing, which for 100,000
// rows is built in a few milliseconds, where a map of workloads takes a
// hundred.
type index struct {
	seed  maphash.Seed
	slots []slot // a power of two, at most half of them used
}

type slot struct {
	hash uint32 // its upper half, so that most rows need no comparison
	row  int32  // plus one; 0 is free
}

func newIndex(rows int) index {
	return index{seed: maphash.MakeSeed(), slots: make([]slot, 2<<bits.Len(uint(rows)))}
}

// hash is that of a workload in a cache state. The workload is taken rather than
// its name, which would have to be written first.
func (x *index) hash(w graph.Workload, cache string) uint64 {
	hash := maphash.Comparable(x.seed, w)
	if cache != CacheWarm {
		hash = ^hash
	}
	return hash
}

// add stores a row unless one that is the same is there, whose number it
// returns; else -1.
func (x *index) add(hash uint64, row int, same func(row int) bool) int {
	at, found := x.probe(hash, same)
	if found >= 0 {
		return found
	}
	x.slots[at] = slot{uint32(hash >> 32), int32(row) + 1}
	return -1
}

// find returns the row that is the same, or -1.
func (x *index) find(hash uint64, same func(row int) bool) int {
	_, found := x.probe(hash, same)
	return found
}

func (x *index) probe(hash uint64, same func(row int) bool) (free, found int) {
	mask := uint64(len(x.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		s := x.slots[at]
		if s.row == 0 {
			return int(at), -1
		}
		if s.hash == uint32(hash>>32) && same(int(s.row)-1) {
			return int(at), int(s.row) - 1
		}
	}
}
