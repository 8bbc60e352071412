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
			{N: 2, C: 16, H: 14, W: 14, K: 32, R: 3, S: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1},
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

// Shapes that Winograd's method and the tiles of weight gradients are for, with
// channels that do not fill blocks, several turns of images, and planes that are
// worked on in pieces.
func TestConv2DTrainingTiles(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		tiled, byWinograd := 0, 0
		for _, s := range []Conv2D{
			{N: 5, C: 33, H: 14, W: 13, K: 36, R: 3, S: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1},
			{N: 1, C: 16, H: 60, W: 50, K: 50, R: 3, S: 3, PadLeft: 1, PadBottom: 2, Groups: 1},
			{N: 2, C: 18, H: 9, W: 12, K: 34, R: 1, S: 5, PadLeft: 2, PadRight: 2, Groups: 2},
			{N: 2, C: 7, H: 11, W: 12, K: 13, R: 5, S: 3, DilationW: 2, PadTop: 2, PadLeft: 2, PadBottom: 2, PadRight: 2, Groups: 1},
		} {
			s.StrideH, s.StrideW, s.DilationH, s.DilationW = 1, 1, 1, max(s.DilationW, 1)
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			if newWeightGradient(&ws, s).suitsTiles() {
				tiled++
			}
			if s.trainingTiles() > 0 {
				byWinograd++
			}
			r := newRand(4)
			src, weight, bias, ddst := randomSlice(r, s.inputSize()), randomSlice(r, s.weightSize()), randomSlice(r, s.K), randomSlice(r, s.outputSize())
			dsrc, dweight, dst := randomSlice(r, len(src)), randomSlice(r, len(weight)), randomSlice(r, len(ddst))
			wantDst, wantDsrc, wantDweight := make([]expectation, len(ddst)), make([]expectation, len(src)), make([]expectation, len(weight))
			for i := range wantDst {
				wantDst[i].add(float64(bias[i/(s.OutH()*s.OutW())%s.K]))
			}
			for i, x := range dsrc {
				wantDsrc[i].add(float64(x))
			}
			for i, x := range dweight {
				wantDweight[i].add(float64(x))
			}
			eachTerm(s, func(input, w, output int) {
				wantDst[output].add(float64(src[input]) * float64(weight[w]))
				wantDsrc[input].add(float64(ddst[output]) * float64(weight[w]))
				wantDweight[w].add(float64(ddst[output]) * float64(src[input]))
			})
			passes := func() {
				Conv2DForward(&ws, s, dst, src, weight, bias)
				Conv2DBackwardInput(&ws, s, dsrc, ddst, weight)
				Conv2DBackwardWeight(&ws, s, dweight, src, ddst)
			}
			passes()
			checkClose(t, "forward", dst, wantDst)
			checkClose(t, "gradient of the input", dsrc, wantDsrc)
			checkClose(t, "gradient of the weights", dweight, wantDweight)
			if n := testing.AllocsPerRun(2, passes); n != 0 {
				t.Errorf("%+v: %v allocations", s, n)
			}
		}
		if tiled == 0 || byWinograd == 0 {
			t.Errorf("%d shapes go by tiles, %d by Winograd's method", tiled, byWinograd)
		}
	})
}
