package kernels

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// index splits the number of an element into its indices.
func index(i int, shape []int) []int {
	at := make([]int, len(shape))
	for d := len(shape) - 1; d >= 0; d-- {
		at[d] = i % shape[d]
		i /= shape[d]
	}
	return at
}

// number is the inverse of index.
func number(at, shape []int) int {
	n := 0
	for d := range shape {
		n = n*shape[d] + at[d]
	}
	return n
}

func TestTranspose(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		check := func(t rapid.TB, shape, permutation []int) {
			src := randomSlice(newRand(1), volume(shape))
			dst, checkDst := guarded(make([]float32, len(src)))
			Transpose(&ws, dst, src, shape, permutation)
			checkDst(t, "Transpose")
			permuted := make([]int, len(shape))
			for i, d := range permutation {
				permuted[i] = shape[d]
			}
			for i, got := range dst {
				to, from := index(i, permuted), make([]int, len(shape))
				for e, d := range permutation {
					from[d] = to[e]
				}
				if want := src[number(from, shape)]; got != want {
					t.Fatalf("%v by %v: element %v is %v, want %v", shape, permutation, to, got, want)
				}
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			shape := drawShape(t, 3000)
			permutation := make([]int, len(shape))
			for i := range permutation {
				permutation[i] = i
			}
			check(t, shape, rapid.Permutation(permutation).Draw(t, "permutation"))
		})
		check(t, []int{150, 2, 140}, []int{2, 1, 0})
		check(t, []int{3, 37, 200}, []int{0, 2, 1})
	})
}

func TestSliceConcatGather(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			shape := drawShape(t, 1000)
			src := randomSlice(newRand(rapid.Uint64().Draw(t, "seed")), volume(shape))
			part, start, step := slices.Clone(shape), make([]int, len(shape)), make([]int, len(shape))
			for d, size := range shape {
				step[d] = rapid.SampledFrom([]int{1, 1, 2, 3, -1, -2}).Draw(t, "step")
				if size == 0 {
					continue
				}
				start[d] = rapid.IntRange(0, size-1).Draw(t, "start")
				if step[d] > 0 {
					part[d] = rapid.IntRange(0, (size-1-start[d])/step[d]+1).Draw(t, "size")
				} else {
					part[d] = rapid.IntRange(0, start[d]/-step[d]+1).Draw(t, "size")
				}
			}
			dst, check := guarded(make([]float32, volume(part)))
			Slice(&ws, dst, part, src, shape, start, step)
			check(t, "Slice")
			for i, got := range dst {
				at := index(i, part)
				for d := range at {
					at[d] = start[d] + at[d]*step[d]
				}
				if want := src[number(at, shape)]; got != want {
					t.Fatalf("element %v is %v, want %v", at, got, want)
				}
			}

			if len(shape) == 0 {
				return
			}
			// Gather single rows, and put them together again.
			axis := rapid.IntRange(0, len(shape)-1).Draw(t, "axis")
			outer, inner := volume(shape[:axis]), volume(shape[axis+1:])
			var rows [][]float32
			var sizes []int
			for i := 0; i < shape[axis]; {
				n := min(rapid.IntRange(1, 4).Draw(t, "rows"), shape[axis]-i)
				var indices []int
				for k := range n {
					indices = append(indices, i+k-shape[axis]*rapid.IntRange(0, 1).Draw(t, "negative"))
				}
				row, check := guarded(make([]float32, outer*n*inner))
				Gather(&ws, row, src, outer, shape[axis], inner, indices)
				check(t, "Gather")
				rows, sizes = append(rows, row), append(sizes, n)
				i += n
			}
			again, check := guarded(make([]float32, len(src)))
			Concat(&ws, again, shape, axis, rows, sizes)
			check(t, "Concat")
			requireClose(t, "Concat", again, src, 0)
		})
		dsrc := []float32{1, 2, 3, 4}
		GatherBackward(dsrc, []float32{1, 2, 4, 8, 16, 32}, 1, 2, 2, []int{1, 1, -2})
		requireClose(t, "GatherBackward", dsrc, []float32{17, 34, 8, 14}, 0)
	})
}

func TestPad(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			shape := drawShape(t, 100)
			mode := PadMode(rapid.IntRange(0, 2).Draw(t, "mode"))
			before, after, padded := make([]int, len(shape)), make([]int, len(shape)), make([]int, len(shape))
			for d := range shape {
				top := 3
				switch mode {
				case PadReflect:
					shape[d] = max(shape[d], 1)
					top = min(shape[d]-1, 3)
				case PadEdge:
					shape[d] = max(shape[d], 1)
				}
				if rapid.Bool().Draw(t, "pad") {
					before[d], after[d] = rapid.IntRange(0, top).Draw(t, "before"), rapid.IntRange(0, top).Draw(t, "after")
				}
				padded[d] = before[d] + shape[d] + after[d]
			}
			src := randomSlice(newRand(1), volume(shape))
			dst, check := guarded(make([]float32, volume(padded)))
			Pad(&ws, mode, dst, src, shape, before, after, 7)
			check(t, "Pad")
			for i, got := range dst {
				at := index(i, padded)
				inside := true
				for d := range at {
					at[d] -= before[d]
					if at[d] < 0 || at[d] >= shape[d] {
						inside = false
						switch mode {
						case PadEdge:
							at[d] = min(max(at[d], 0), shape[d]-1)
						case PadReflect:
							if at[d] < 0 {
								at[d] = -at[d]
							} else {
								at[d] = 2*(shape[d]-1) - at[d]
							}
						}
					}
				}
				want := float32(7)
				if inside || mode != PadConstant {
					want = src[number(at, shape)]
				}
				if got != want {
					t.Fatalf("mode %d: element %v of %v is %v, want %v", mode, index(i, padded), padded, got, want)
				}
			}
		})
	})
}

func TestMoveRepeats(t *testing.T) {
	var ws Workspace
	shape := []int{5, 300, 211}
	n := volume(shape)
	src, dst := randomSlice(newRand(1), n), make([]float32, n)
	sameBits(t, func() []float32 { Transpose(&ws, dst, src, shape, []int{2, 0, 1}); return dst })
	sameBits(t, func() []float32 { Transpose(&ws, dst, src, shape, []int{1, 0, 2}); return dst })
	indices := []int{4, 1, 0, 3, 2}
	sameBits(t, func() []float32 { Gather(&ws, dst, src, 1, 5, 300*211, indices); return dst })
}

func BenchmarkMove(b *testing.B) {
	var ws Workspace
	for _, size := range memorySizes {
		n := size.bytes / 4
		src, dst := Aligned[float32](n), Aligned[float32](n)
		for i := range src {
			src[i], dst[i] = 1, 2
		}
		for _, c := range []struct {
			name               string
			shape, permutation []int
		}{
			{"matrix", []int{256, n / 256}, []int{1, 0}},
			{"nchw-nhwc", []int{1, 64, n / 64}, []int{0, 2, 1}},
			{"heads", []int{n / 4096, 64, 64}, []int{1, 0, 2}},
			{"nhwc3-nchw", []int{n / 4, 4}, []int{1, 0}},
		} {
			b.Run(fmt.Sprintf("transpose-%s/%s", c.name, size.name), func(b *testing.B) {
				for b.Loop() {
					Transpose(&ws, dst, src, c.shape, c.permutation)
				}
				reportGBs(b, 2*size.bytes)
			})
		}
		b.Run("concat/"+size.name, func(b *testing.B) {
			srcs, sizes := [][]float32{src[:n/2], src[n/2:]}, []int{32, 32}
			for b.Loop() {
				Concat(&ws, dst, []int{8, 64, n / 512}, 1, srcs, sizes)
			}
			reportGBs(b, 2*size.bytes)
		})
	}
}
