package kernels

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// exact is op of a and b in double precision.
func (op Operation) exact(a, b float64) float64 {
	switch op {
	case OpCopy:
		return a
	case OpAbs:
		return math.Abs(a)
	case OpSqrt:
		return math.Sqrt(a)
	case OpAdd:
		return a + b
	case OpSub:
		return a - b
	case OpMul:
		return a * b
	case OpDiv:
		return a / b
	case OpMax:
		return max(a, b)
	}
	return min(a, b)
}

// drawShape draws dimensions of up to about most elements.
func drawShape(t *rapid.T, most int) []int {
	shape := make([]int, rapid.IntRange(0, maxRank).Draw(t, "rank"))
	for i := range shape {
		top := most
		if rapid.Bool().Draw(t, "small") {
			top = min(3, most)
		}
		shape[i] = rapid.IntRange(0, max(top, 1)).Draw(t, "size")
		if shape[i] > 0 {
			most /= shape[i]
		}
	}
	return shape
}

// drawOperand draws a shape that broadcasts to shape.
func drawOperand(t *rapid.T, shape []int) []int {
	s := slices.Clone(shape[rapid.IntRange(0, len(shape)).Draw(t, "missing"):])
	for i := range s {
		if rapid.Bool().Draw(t, "one") {
			s[i] = 1
		}
	}
	return s
}

// broadcastIndex is the element of an operand that belongs to element i.
func broadcastIndex(i int, shape, operand []int) int {
	index, step := 0, 1
	for d := len(shape) - 1; d >= 0; d-- {
		at := i % shape[d]
		i /= shape[d]
		if k := d - len(shape) + len(operand); k >= 0 {
			if operand[k] > 1 {
				index += at * step
			}
			step *= operand[k]
		}
	}
	return index
}

func TestBroadcast(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			shape := drawShape(t, 300)
			aShape, bShape := drawOperand(t, shape), drawOperand(t, shape)
			for i := range shape { // one of them has each dimension
				k, l := i-len(shape)+len(aShape), i-len(shape)+len(bShape)
				if (k < 0 || aShape[k] == 1) && (l < 0 || bShape[l] == 1) {
					if k >= 0 {
						aShape[k] = shape[i]
					} else {
						shape[i] = 1
						if l >= 0 {
							bShape[l] = 1
						}
					}
				}
			}
			op := Operation(rapid.IntRange(0, int(operations)-1).Draw(t, "op"))
			if op <= OpSqrt {
				aShape = drawOperand(t, shape)
			}
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			a, b := randomSlice(r, volume(aShape)), randomSlice(r, volume(bShape))
			poison(r, a)
			poison(r, b)
			dst, check := guarded(make([]float32, volume(shape)))
			Broadcast(&ws, op, dst, shape, a, aShape, b, bShape)
			check(t, "Broadcast")
			for i, got := range dst {
				x, y := float64(a[broadcastIndex(i, shape, aShape)]), 0.0
				if op > OpSqrt {
					y = float64(b[broadcastIndex(i, shape, bShape)])
				}
				if want := float32(op.exact(x, y)); got != want && !(got != got && want != want) {
					t.Fatalf("op %d: element %d of %v from %v and %v is %v, want %v", op, i, shape, aShape, bShape, got, want)
				}
			}
		})
	})
}

func TestUnary(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		r := newRand(1)
		src := randomSlice(r, 77)
		poison(r, src)
		dst := make([]float32, len(src))
		for _, f := range []struct {
			name string
			run  func()
			want func(x float64) float64
		}{
			{"Neg", func() { Neg(dst, src) }, func(x float64) float64 { return -x }},
			{"Reciprocal", func() { Reciprocal(dst, src) }, func(x float64) float64 { return 1 / x }},
			{"Abs", func() { Abs(dst, src) }, math.Abs},
			{"Sqrt", func() { Sqrt(dst, src) }, math.Sqrt},
			{"Clip", func() { Clip(dst, src, -1, 0.5) }, func(x float64) float64 {
				if x != x {
					return x
				}
				return min(max(x, -1), 0.5)
			}},
			{"square", func() { Pow(dst, src, 2) }, func(x float64) float64 { return x * x }},
			{"cube", func() { Pow(dst, src, 3) }, func(x float64) float64 { return x * x * x }},
			{"cube in place", func() { copy(dst, src); Pow(dst, dst, 3) }, func(x float64) float64 { return x * x * x }},
			{"power", func() { Pow(dst, src, 2.5) }, func(x float64) float64 { return math.Pow(x, 2.5) }},
		} {
			f.run()
			for i, x := range src {
				want := f.want(float64(x))
				if got := float64(dst[i]); math.Abs(got-want) > 1e-6*math.Abs(want) && !(got != got && want != want) {
					t.Fatalf("%s(%v) = %v, want %v", f.name, x, got, want)
				}
			}
		}
	})
}

// sameBits runs a function that returns its result several times on each
// number of threads, and requires the same bits every time and no allocation.
func sameBits(t *testing.T, run func() []float32) {
	t.Helper()
	defer Threads(Threads(1))
	want := slices.Clone(run())
	for n := 1; n <= 3; n++ {
		Threads(n)
		for range 5 {
			for i, x := range run() {
				if math.Float32bits(x) != math.Float32bits(want[i]) {
					t.Fatalf("%d threads: element %d is %v, before %v", n, i, x, want[i])
				}
			}
		}
	}
	// The scratch memory of a worker within a part grows when it first gets
	// one, which on a busy machine may be late.
	allocations := 1.
	for attempt := 0; attempt < 10 && allocations != 0; attempt++ {
		allocations = testing.AllocsPerRun(3, func() { run() })
	}
	if allocations != 0 {
		t.Fatalf("%v allocations", allocations)
	}
}

func TestBroadcastRepeats(t *testing.T) {
	var ws Workspace
	r := newRand(2)
	shape, bShape := []int{3, 5, 121, 97}, []int{5, 1, 97}
	a, b, dst := randomSlice(r, volume(shape)), randomSlice(r, volume(bShape)), make([]float32, volume(shape))
	sameBits(t, func() []float32 {
		Broadcast(&ws, OpSub, dst, shape, a, shape, b, bShape)
		return dst
	})
	for i, got := range dst {
		if want := a[i] - b[broadcastIndex(i, shape, bShape)]; got != want {
			t.Fatalf("element %d is %v, want %v", i, got, want)
		}
	}
	sameBits(t, func() []float32 {
		Broadcast(&ws, OpMul, dst, []int{len(dst)}, a, []int{len(dst)}, b, []int{1})
		return dst
	})
}

// reportGBs reports the memory that a benchmark's iteration reads and writes as
// a rate.
func reportGBs(b *testing.B, bytes int) {
	b.ReportMetric(float64(bytes)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GB/s")
}

// memorySizes are the bytes of an operand in benchmarks of what memory bounds.
var memorySizes = []struct {
	name  string
	bytes int
}{{"256k", 256 << 10}, {"4M", 4 << 20}, {"64M", 64 << 20}}

func BenchmarkBroadcast(b *testing.B) {
	var ws Workspace
	for _, size := range memorySizes {
		n := size.bytes / 4
		x, y, z := Aligned[float32](n), Aligned[float32](n), Aligned[float32](n)
		for i := range x {
			x[i], y[i], z[i] = 1, 2, 3
		}
		whole := []int{4, 64, n / 256}
		run := func(name string, streams int, f func()) {
			b.Run(name+"/"+size.name, func(b *testing.B) {
				for b.Loop() {
					f()
				}
				reportGBs(b, streams*size.bytes)
			})
		}
		run("copy", 2, func() { Broadcast(&ws, OpCopy, z, whole, x, whole, nil, nil) })
		run("goCopy", 2, func() { copy(z, x) })
		run("abs", 2, func() { Abs(z, x) })
		run("relu", 2, func() { Activate(ReLU, z, x) })
		run("add", 3, func() { Broadcast(&ws, OpAdd, z, whole, x, whole, y, whole) })
		run("max", 3, func() { Broadcast(&ws, OpMax, z, whole, x, whole, y, whole) })
		run("mul-channel", 2, func() { Broadcast(&ws, OpMul, z, whole, x, whole, y, []int{64, 1}) })
		blocked := []int{4, 4, n / 256, 16}
		run("add-channel-nchwc", 2, func() { Broadcast(&ws, OpAdd, z, blocked, x, blocked, y, []int{4, 1, 16}) })
		rows := []int{n / 256, 256}
		run("add-row", 2, func() { Broadcast(&ws, OpAdd, z, rows, x, rows, y, []int{256}) })
		run("add-column", 2, func() { Broadcast(&ws, OpAdd, z, rows, x, rows, y, []int{n / 256, 1}) })
	}
}
