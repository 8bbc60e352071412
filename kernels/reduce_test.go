package kernels

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// reduceExact is Reduce in double precision.
func reduceExact(how Reduction, src []float32, shape, axes []int) []expectation {
	var isAxis [maxRank]bool
	count, n := 1, 1
	for _, a := range axes {
		isAxis[a] = true
		count *= shape[a]
	}
	var kept, to []int
	for d, s := range shape {
		if !isAxis[d] {
			kept = append(kept, s)
			n *= s
		}
	}
	want := make([]expectation, n)
	for i := range want {
		want[i].value = float64(how.start())
	}
	for i, x := range src {
		to = to[:0]
		for d, step := 0, len(src); d < len(shape); d++ {
			step /= shape[d]
			if !isAxis[d] {
				to = append(to, i/step%shape[d])
			}
		}
		w, x := &want[number(to, kept)], float64(x)
		switch how {
		case ReduceMax:
			w.value = max(w.value, x)
		case ReduceMin:
			w.value = min(w.value, x)
		case ReduceProduct:
			w.value *= x
			w.magnitude = math.Abs(w.value) * 10
		case ReduceSumSquares, ReduceL2:
			w.add(x * x)
		default:
			w.add(x)
		}
	}
	for i := range want {
		switch how {
		case ReduceMean:
			want[i].value /= float64(count)
			want[i].magnitude /= float64(count)
		case ReduceL2:
			want[i].value = math.Sqrt(want[i].value)
			want[i].magnitude = want[i].value
		}
	}
	return want
}

func TestReduce(t *testing.T) {
	type large struct {
		how         Reduction
		shape, axes []int
		src         []float32
		want        []expectation
	}
	var larges []large
	for _, c := range []large{
		{how: ReduceSum, shape: []int{2, reduceRow + 5}, axes: []int{1}},
		{how: ReduceSum, shape: []int{reduceRow, 3}, axes: []int{0}},
		{how: ReduceMax, shape: []int{2*reduceColumn + 1, reduceWide + 3}, axes: []int{0}},
		{how: ReduceL2, shape: []int{reduceColumn + 1, 131}, axes: []int{0}},
		{how: ReduceMean, shape: []int{40, 3, 100}, axes: []int{0, 2}},
	} {
		c.src = randomSlice(newRand(1), volume(c.shape))
		c.want = reduceExact(c.how, c.src, c.shape, c.axes)
		larges = append(larges, c)
	}
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		check := func(t rapid.TB, how Reduction, shape, axes []int, seed uint64, special bool) {
			r := newRand(seed)
			src := randomSlice(r, volume(shape))
			if special && how != ReduceProduct {
				poison(r, src)
			}
			want := reduceExact(how, src, shape, axes)
			dst, checkDst := guarded(make([]float32, len(want)))
			Reduce(&ws, how, dst, src, shape, axes)
			checkDst(t, "Reduce")
			checkClose(t, fmt.Sprintf("reduction %d of %v along %v", how, shape, axes), dst, want)
		}
		rapid.Check(t, func(t *rapid.T) {
			shape := drawShape(t, 500)
			var axes []int
			for d := range shape {
				if rapid.Bool().Draw(t, "axis") {
					axes = append(axes, d)
				}
			}
			how := Reduction(rapid.IntRange(0, int(ReduceL2)).Draw(t, "reduction"))
			check(t, how, shape, axes, rapid.Uint64().Draw(t, "seed"), rapid.Bool().Draw(t, "special"))
		})
		for _, c := range larges {
			dst := make([]float32, len(c.want))
			Reduce(&ws, c.how, dst, c.src, c.shape, c.axes)
			checkClose(t, fmt.Sprintf("reduction %d of %v along %v", c.how, c.shape, c.axes), dst, c.want)
		}
	})
}

func TestArgMax(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			outer, n, inner := rapid.IntRange(0, 3).Draw(t, "outer"), rapid.IntRange(1, 700).Draw(t, "n"), rapid.SampledFrom([]int{1, 1, 3}).Draw(t, "inner")
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			src := randomSlice(r, outer*n*inner)
			for i := range src {
				src[i] = float32(math.Round(float64(src[i])))
			}
			if rapid.Bool().Draw(t, "special") {
				poison(r, src)
			}
			dst := make([]int32, outer*inner)
			ArgMax(&ws, dst, src, outer, n, inner)
			for i, got := range dst {
				at := func(k int) float32 { return src[(i/inner*n+k)*inner+i%inner] }
				want := 0
				for k := range n {
					if x, best := at(k), at(want); best == best && (x > best || x != x) {
						want = k
					}
				}
				if int(got) != want {
					t.Fatalf("%d, %v, want %d, %v", got, at(int(got)), want, at(want))
				}
			}
		})
	})
}

func TestReduceRepeats(t *testing.T) {
	var ws Workspace
	shape := []int{7, 300, 211}
	src := randomSlice(newRand(1), volume(shape))
	dst := make([]float32, 7*300)
	for _, axes := range [][]int{{2}, {1}, {0}, {0, 1, 2}, {0, 2}} {
		sameBits(t, func() []float32 {
			n := volume(shape)
			for _, a := range axes {
				n /= shape[a]
			}
			if n > len(dst) {
				dst = make([]float32, n)
			}
			Reduce(&ws, ReduceSum, dst, src, shape, axes)
			return dst[:n]
		})
	}
}

func BenchmarkReduce(b *testing.B) {
	var ws Workspace
	for _, size := range memorySizes {
		n := size.bytes / 4
		src, dst := Aligned[float32](n), Aligned[float32](n)
		for i := range src {
			src[i] = 1
		}
		indices := make([]int32, 64)
		run := func(name string, f func()) {
			b.Run(name+"/"+size.name, func(b *testing.B) {
				for b.Loop() {
					f()
				}
				reportGBs(b, size.bytes)
			})
		}
		run("sum-all", func() { Reduce(&ws, ReduceSum, dst, src, []int{n}, []int{0}) })
		run("sum-rows", func() { Reduce(&ws, ReduceSum, dst, src, []int{n / 256, 256}, []int{1}) })
		run("sum-columns", func() { Reduce(&ws, ReduceSum, dst, src, []int{n / 256, 256}, []int{0}) })
		run("sum-channels", func() { Reduce(&ws, ReduceSum, dst, src, []int{4, 64, n / 256}, []int{0, 2}) })
		run("max-rows", func() { Reduce(&ws, ReduceMax, dst, src, []int{n / 256, 256}, []int{1}) })
		run("l2-all", func() { Reduce(&ws, ReduceL2, dst, src, []int{n}, []int{0}) })
		run("argmax", func() { ArgMax(&ws, indices, src, 64, n/64, 1) })
	}
}
