package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// randomBytes returns n bytes, extremes of either sign among them, followed
// within the capacity by nothing, at an odd address.
func randomBytes(r *rand.Rand, n int) []uint8 {
	s := make([]uint8, n+1)[1 : 1+n : 1+n]
	extremes := r.IntN(4) == 0
	for i := range s {
		if extremes || r.IntN(8) == 0 {
			s[i] = []uint8{0, 1, 127, 128, 129, 255}[r.IntN(6)]
		} else {
			s[i] = uint8(r.Uint32())
		}
	}
	return s
}

// signed views bytes as int8.
func signed(s []uint8) []int8 {
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

// The assembly kernels do to a tile what their Go twin does, bit for bit, and
// touch nothing else.
func TestInt8TileTwin(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		r := newRand(7)
		k := int8Tiles
		width, group := k.width, k.rows/2
		for rows := 1; rows <= k.rows; rows++ {
			for vectors := 1; vectors <= 2; vectors++ {
				for flags := range 36 {
					steps := []int{1, 2, 5}[r.IntN(3)]
					checkInt8Tile(t, r, k, width, group, rows, vectors, steps, flags)
				}
			}
		}
	})
}

// pairSteps returns b, of which four bytes of every column are adjacent, with
// eight.
func pairSteps(b []int8, segments, steps, columns int) []int8 {
	pairs := (steps + 1) / 2
	paired := make([]int8, segments*pairs*8*columns)
	for i, x := range b {
		column, step := i/4%columns, i/4/columns
		segment, step := step/steps, step%steps
		paired[((segment*pairs+step/2)*columns+column)*8+step%2*4+i%4] = x
	}
	return paired
}

func checkInt8Tile(t *testing.T, r *rand.Rand, k *int8Kernel, width, group, rows, vectors, steps, flags int) {
	const count = 2
	full := vectors * width
	columns := full
	if k.masked {
		columns -= r.IntN(width)
	}
	kind := flags % 3
	size := []int{4, 4, 1}[kind]
	segments := 1 + r.IntN(3)
	aRow, aGroup := 80+r.IntN(3), 80*k.rows+r.IntN(30)
	cRow := (columns + r.IntN(3)) * size
	cGroup := cRow*group + r.IntN(2)*size
	offsets := make([]int, segments)
	for i := range offsets {
		offsets[i] = r.IntN(60)
	}
	aStep := 2 * aGroup
	a := randomBytes(r, aStep*count+128)
	b := signed(randomBytes(r, segments*steps*4*full))
	product := (cRow*k.rows + cGroup + full*size) / 4 * 4
	c := randomBytes(r, product*count)
	residual := randomBytes(r, len(c))
	start, zero, sums := make([]int32, full), make([]int32, full), make([]int32, count*rows*width)
	for i := range start {
		start[i], zero[i] = int32(r.Uint32())>>r.IntN(32), int32(int8(r.Uint32()))
	}
	for i := range sums {
		sums[i] = int32(r.Uint32()) >> 16
	}
	scale, bias := randomSlice(r, full), randomSlice(r, full)
	for i := range scale {
		scale[i] = float32(math.Exp2(-15*r.Float64())) * (1 + scale[i]*0.1)
	}
	x := int8Tile{
		rows: rows, vectors: vectors,
		aRow: aRow, aGroup: aGroup, offsets: &offsets[0], segments: segments, steps: steps,
		b: &b[0], start: &start[0], cRow: cRow, cGroup: cGroup, aStep: aStep, cStep: product,
		mask: 1<<(columns-(vectors-1)*width) - 1, kind: kind,
		scale: &scale[0], low: -128, high: 127, zero: int32(r.IntN(2)) * 128,
		residualFlip: int32(r.IntN(2)) * 128, residualZero: int32(r.IntN(256)), residualScale: r.Float32() * 2,
	}
	if kind == int8Bytes && flags&8 != 0 {
		poison(r, scale)
	}
	if kind == int8Floats {
		x.low, x.high = -infinity, infinity
		if flags&4 != 0 {
			x.low, x.high = 0, 6
		}
		if flags&8 != 0 {
			poison(r, scale)
			x.bias = &bias[0]
		}
	}
	run := func(kernel func(*int8Tile), c []uint8) {
		y := x
		y.count, y.a, y.c, y.rowSums = count, &a[0], unsafe.Pointer(&c[0]), &sums[0]
		if (flags+steps)&2 != 0 {
			y.columnZero = &zero[0]
		}
		if flags&4 != 0 && kind == int8Bytes {
			y.residual = &residual[0]
		}
		kernel(&y)
	}
	got, want := slices.Clone(c), slices.Clone(c)
	run(func(t *int8Tile) {
		if k.paired {
			t.b = &pairSteps(b, segments, steps, full)[0]
		}
		k.run[rows][vectors-1](t)
	}, got)
	run(func(t *int8Tile) { int8TilePortable(t, width, group, k.offset) }, want)
	for i := range got {
		if got[i] == want[i] {
			continue
		}
		if kind == int8Floats {
			f := func(c []uint8) float32 { return *(*float32)(unsafe.Pointer(&c[i&^3])) }
			if f(got) == f(want) || math.IsNaN(float64(f(got))) && math.IsNaN(float64(f(want))) {
				continue
			}
		}
		t.Fatalf("rows %d, vectors %d, steps %d, columns %d, flags %d: byte %d is %d, want %d", rows, vectors, steps, columns, flags, i, got[i], want[i])
	}
}

// So do those of depthwise convolution, and those that interleave.
func TestInt8DepthwiseTwin(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		r := newRand(8)
		k := int8Tiles
		for round := range 60 {
			rows := []int{k.depthwiseRows, 1}[round%2]
			columns := k.width
			if k.masked {
				columns -= r.IntN(k.width)
			}
			count, segments, pixel := 1+r.IntN(3), 1+r.IntN(30), 4*k.width+r.IntN(9)
			a := randomBytes(r, count*rows*pixel+300)
			offsets := make([]int, segments)
			for i := range offsets {
				offsets[i] = r.IntN(200)
			}
			b := signed(randomBytes(r, segments*4*k.width))
			c := randomBytes(r, count*rows*(columns+3)+k.width)
			start, scale := make([]int32, k.width), make([]float32, k.width)
			for i := range start {
				start[i], scale[i] = int32(r.IntN(2000)-1000), 1e-3
			}
			run := func(kernel func(*int8Tile)) []uint8 {
				c := slices.Clone(c)
				kernel(&int8Tile{
					rows: rows, vectors: 1, count: count, a: &a[0], aRow: pixel, aStep: rows * pixel, offsets: &offsets[0],
					segments: segments, steps: 1, b: &b[0], start: &start[0], scale: &scale[0], c: unsafe.Pointer(&c[0]),
					cRow: columns + 3, cStep: rows * (columns + 3), mask: 1<<columns - 1, kind: int8Bytes, low: -128, high: 127, zero: 128,
				})
				return c
			}
			got := run(k.depthwise[round%2])
			if want := run(func(t *int8Tile) { int8DepthwisePortable(t, k.width, k.offset) }); !slices.Equal(got, want) {
				t.Fatalf("%d rows of %d channels, %d segments: %v, want %v", rows, columns, segments, got, want)
			}

			n := (1 + r.IntN(3)) * k.interleaved
			x := randomBytes(r, 4*n)
			lines := [4]*uint8{&x[0], &x[n], &x[2*n], &x[3*n]}
			flat, want := make([]uint8, 4*n), make([]uint8, 4*n)
			k.interleave(&flat[0], &lines, n, 128)
			interleavePortable(&want[0], &lines, n, 128)
			if !slices.Equal(flat, want) {
				t.Fatalf("%d interleaved: %v, want %v", n, flat, want)
			}
		}
	})
}

// BenchmarkInt8Tile is the rate of the largest tile on operands in the
// first-level cache.
func BenchmarkInt8Tile(b *testing.B) {
	k := int8Tiles
	for _, steps := range []int{16, 128} {
		a, w, c := make([]uint8, k.rows*4*(steps+16)), make([]int8, steps*8*k.width), make([]uint8, 2*k.rows*k.width)
		start, scale := make([]int32, 2*k.width), make([]float32, 2*k.width)
		b.Run(map[int]string{16: "k64", 128: "k512"}[steps], func(b *testing.B) {
			t := new(int8Tile)
			for b.Loop() {
				*t = int8Tile{
					rows: k.rows, vectors: 2, count: 1, a: &a[0], aRow: 4 * (steps + 16), aGroup: 2 * (steps + 16) * k.rows,
					offsets: &noOffsets[0], segments: 1, steps: steps, b: &w[0], start: &start[0], scale: &scale[0],
					c: unsafe.Pointer(&c[0]), cRow: 2 * k.width, cGroup: k.rows * k.width, mask: 1<<k.width - 1, kind: int8Bytes, high: 255,
				}
				k.multiply(t)
			}
			reportGFLOPS(b, 2*k.rows*2*k.width*steps*4)
		})
	}
}
