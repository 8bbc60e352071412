package predictor

import (
	"slices"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
)

// hardware is what the features need to know of the device: the unit in which
// kernels cut up channels and columns, and the sizes at which data no longer
// fits into a cache.
type hardware struct {
	VectorBytes int       `json:"vector_bytes"` // of the widest vector register
	CacheBytes  []float64 `json:"cache_bytes"`  // of one core's data caches, the smallest first
}

// vectorBytes are the widest registers of instruction sets, the widest first.
var vectorBytes = []struct {
	set   string
	bytes int
}{{"avx512f", 64}, {"avx2", 32}, {"avx", 32}, {"neon", 16}, {"sse4.2", 16}}

// hardwareOf falls back on a common server core where the device is not known.
func hardwareOf(info device.Info) hardware {
	h := hardware{VectorBytes: 64}
	for _, v := range vectorBytes {
		if slices.Contains(info.ISA, v.set) {
			h.VectorBytes = v.bytes
			break
		}
	}
	for _, c := range info.Caches {
		if c.Type != "instruction" && c.Bytes > 0 {
			h.CacheBytes = append(h.CacheBytes, float64(c.Bytes))
		}
	}
	if len(h.CacheBytes) == 0 {
		h.CacheBytes = []float64{32 << 10, 1 << 20, 32 << 20}
	}
	slices.Sort(h.CacheBytes)
	h.CacheBytes = slices.Compact(h.CacheBytes)
	return h
}

// lanes is the number of elements of a vector register.
func (h hardware) lanes(d graph.DType) int { return max(1, h.VectorBytes/max(1, int(d.Size()))) }

// roundUp is n rounded up to whole vectors: what is left over costs one too.
func roundUp(n, lanes int) float64 { return float64((n + lanes - 1) / lanes * lanes) }
