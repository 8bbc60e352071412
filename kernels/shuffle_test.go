package kernels

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestShufflesMatchPortable(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			rows, n := rapid.IntRange(0, 3).Draw(t, "rows"), 8*rapid.IntRange(0, 9).Draw(t, "eights")
			gap := rapid.IntRange(0, 9).Draw(t, "gap")
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			half, whole := rows*(n+gap), rows*(2*n+gap)
			src := randomSlice(r, whole)
			want := [2][]float32{make([]float32, half), make([]float32, half)}
			even, check := guarded(want[0])
			odd, check2 := guarded(want[1])
			portableVector.split(first(want[0]), first(want[1]), first(src), rows, n, 4*(n+gap), 4*(2*n+gap))
			vector.split(first(even), first(odd), first(src), rows, n, 4*(n+gap), 4*(2*n+gap))
			check(t, "split")
			check2(t, "split")
			requireClose(t, "split", even, want[0], 0)
			requireClose(t, "split", odd, want[1], 0)
			back, check3 := guarded(src)
			for i := range back {
				if i%(2*n+gap) < 2*n {
					back[i] = 0
				}
			}
			vector.merge(first(back), first(even), first(odd), rows, n, 4*(2*n+gap), 4*(n+gap))
			check3(t, "merge")
			requireClose(t, "merge", back, src, 0)
		})
		rapid.Check(t, func(t *rapid.T) {
			s := drawRowShape(t)
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			var operands, wants [4][]float32
			var checks [4]func(rapid.TB, string)
			for i := range operands {
				wants[i] = randomSlice(r, s.size())
				if i == 3 {
					for j := range wants[3] {
						if r.IntN(2) == 0 {
							wants[3][j] = wants[2][j]
						}
					}
				}
				poison(r, wants[i])
				operands[i], checks[i] = guarded(wants[i])
			}
			row := 4 * (s.n + s.gap)
			wants[0] = slices.Clone(wants[0])
			wants[1] = slices.Clone(wants[1])
			portableVector.maxBackward(first(wants[0]), first(wants[1]), first(wants[2]), first(wants[3]), s.rows, s.n, row, row, row, row)
			vector.maxBackward(first(operands[0]), first(operands[1]), first(operands[2]), first(operands[3]), s.rows, s.n, row, row, row, row)
			for i := range operands {
				checks[i](t, "maxBackward")
				requireClose(t, "maxBackward", operands[i], wants[i], 0)
			}
		})
		rapid.Check(t, func(t *rapid.T) {
			block := vector.block
			rows := block * rapid.IntRange(0, 4).Draw(t, "blocks")
			dstGap, srcGap := rapid.IntRange(0, 9).Draw(t, "dstGap"), rapid.IntRange(0, 9).Draw(t, "srcGap")
			src := randomSlice(newRand(rapid.Uint64().Draw(t, "seed")), rows*(block+srcGap)+block)
			want := make([]float32, block*(rows+dstGap))
			got, check := guarded(want)
			transposePortable(block, first(want), first(src), rows, 4*(rows+dstGap), 4*(block+srcGap))
			vector.transpose(first(got), first(src), rows, 4*(rows+dstGap), 4*(block+srcGap))
			check(t, "transpose")
			requireClose(t, "transpose", got, want, 0)
		})
		rapid.Check(t, func(t *rapid.T) {
			width := ChannelBlock()
			if vector.poolMax == nil {
				return
			}
			size := func(name string) int { return rapid.IntRange(1, 4).Draw(t, name) }
			pixels, rows, columns := rapid.IntRange(0, 9).Draw(t, "pixels"), size("rows"), size("columns")
			pixelStep, columnStep := 4*width*size("stride"), 4*width*size("dilation")
			rowStep := 4 * width * 60
			src := randomSlice(newRand(rapid.Uint64().Draw(t, "seed")), width*60*5)
			poison(newRand(1), src)
			got, check := guarded(make([]float32, pixels*width))
			want := make([]float32, pixels*width)
			poolPortable(OpMax, -infinity, width, first(want), first(src), pixels, rows, columns, pixelStep, rowStep, columnStep)
			vector.poolMax(first(got), first(src), pixels, rows, columns, pixelStep, rowStep, columnStep)
			check(t, "poolMax")
			requireClose(t, "poolMax", got, want, 0)
			poolPortable(OpAdd, 0, width, first(want), first(src), pixels, rows, columns, pixelStep, rowStep, columnStep)
			vector.poolSum(first(got), first(src), pixels, rows, columns, pixelStep, rowStep, columnStep)
			check(t, "poolSum")
			requireClose(t, "poolSum", got, want, 1e-6)
		})
	})
}
