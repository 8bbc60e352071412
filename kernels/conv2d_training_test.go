package kernels

import (
	"slices"
	"testing"
)

// Whatever the number of threads, the passes of training give the same bits.
func TestConv2DTrainingRepeats(t *testing.T) {
	defer Threads(Threads(1))
	eachImplementation(t, func(t *testing.T) {
		for _, s := range []Conv2D{
			{N: 5, C: 7, H: 9, W: 11, K: 18, R: 1, S: 1, Groups: 1},
			{N: 3, C: 6, H: 8, W: 7, K: 10, R: 3, S: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 2},
		} {
			s.StrideH, s.StrideW, s.DilationH, s.DilationW = 1, 1, 1, 1
			r := newRand(1)
			src, weight, bias, ddst := randomSlice(r, s.inputSize()), randomSlice(r, s.weightSize()), randomSlice(r, s.K), randomSlice(r, s.outputSize())
			var first []float32
			for turn := range 12 {
				Threads(1 + turn%3)
				var ws Workspace
				dst, dsrc, dweight := make([]float32, len(ddst)), make([]float32, len(src)), make([]float32, len(weight))
				Conv2DForward(&ws, s, dst, src, weight, bias)
				Conv2DBackwardInput(&ws, s, dsrc, ddst, weight)
				Conv2DBackwardWeight(&ws, s, dweight, src, ddst)
				all := slices.Concat(dst, dsrc, dweight)
				if first == nil {
					first = all
				} else if !slices.Equal(first, all) {
					t.Fatalf("%+v: run %d, on %d threads, gives other bits than the first", s, turn, 1+turn%3)
				}
			}
		}
	})
}
