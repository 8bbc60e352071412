package kernels

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// quantizeReference follows the definition in ONNX, in float32.
func quantizeReference(x, scale float32, zero int32, isSigned bool) uint8 {
	low, high := byteRange(isSigned)
	y := math.RoundToEven(float64(x/scale)) + float64(zero)
	if math.IsNaN(y) {
		return uint8(low)
	}
	return uint8(int(min(max(y, float64(low)), float64(high))))
}

func drawQuantization(t *rapid.T) (q *Quantization, n int) {
	q = &Quantization{
		Signed:   rapid.Bool().Draw(t, "signed"),
		Channels: rapid.SampledFrom([]int{1, 1, 2, 7, 16, 37}).Draw(t, "channels"),
		Inner:    rapid.SampledFrom([]int{1, 1, 3, 16, 41}).Draw(t, "inner"),
	}
	n = q.Channels * q.Inner * rapid.IntRange(0, 5).Draw(t, "outer")
	if q.Channels == 1 {
		n = rapid.IntRange(0, 100).Draw(t, "n")
	}
	low, high := byteRange(q.Signed)
	zero := rapid.OneOf(rapid.SampledFrom([]int{low, 0, high}), rapid.IntRange(low, high))
	hasZero := rapid.Bool().Draw(t, "has zero")
	for range q.Channels {
		q.Scale = append(q.Scale, rapid.SampledFrom([]float32{0.5, 0.1, 0.013, 3}).Draw(t, "scale"))
		if hasZero {
			q.Zero = append(q.Zero, int32(zero.Draw(t, "zero")))
		}
	}
	return q, n
}

func (q *Quantization) at(i int) (scale float32, zero int32) {
	c := 0
	if q.Channels > 1 {
		c = i / q.Inner % q.Channels
	}
	if q.Zero != nil {
		zero = q.Zero[c]
	}
	return q.Scale[c], zero
}

func TestQuantize(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			q, n := drawQuantization(t)
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			x := randomSlice(r, n)
			for i := range x {
				switch r.IntN(8) {
				case 0:
					x[i] = float32(r.IntN(40)-20) * 0.25 // ties
				case 1:
					x[i] *= 1e30
				default:
					x[i] *= 20
				}
			}
			poison(r, x)
			got := slices.Repeat([]uint8{canary}, n+1)
			Quantize(&ws, got[:n], x, q)
			for i, g := range got[:n] {
				scale, zero := q.at(i)
				if want := quantizeReference(x[i], scale, zero, q.Signed); g != want {
					t.Fatalf("%v / %v + %d: byte %d is %d, want %d", x[i], scale, zero, i, g, want)
				}
			}
			back := slices.Repeat([]float32{canary}, n+1)
			bytes := randomBytes(r, n)
			Dequantize(&ws, back[:n], bytes, q)
			for i, g := range back[:n] {
				scale, zero := q.at(i)
				if want := scale * float32(value(bytes[i], q.Signed)-zero); g != want {
					t.Fatalf("%v * (%d - %d): number %d is %v, want %v", scale, bytes[i], zero, i, g, want)
				}
			}
			if got[n] != canary || back[n] != canary {
				t.Fatal("written beyond the output")
			}
		})
	})
}

func TestMinMax(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		r := newRand(3)
		for n := range 200 {
			x := randomSlice(r, n)
			var low, high float32
			if n > 0 {
				low, high = slices.Min(x), slices.Max(x)
			}
			if l, h := MinMax(&ws, x); l != low || h != high {
				t.Fatalf("%d elements: %v, %v, want %v, %v", n, l, h, low, high)
			}
			if n == 0 {
				continue
			}
			x[r.IntN(n)] = float32(math.NaN())
			if l, h := MinMax(&ws, x); l == l || h == h {
				t.Fatalf("%d elements with a NaN: %v, %v", n, l, h)
			}
		}
		x := randomSlice(r, 3*quantizePart+5)
		x[quantizePart+7], x[3*quantizePart+4] = infinity, -9
		if l, h := MinMax(&ws, x); l != -9 || h != infinity {
			t.Errorf("MinMax = %v, %v, want -9, +Inf", l, h)
		}
	})
}

func TestDynamicQuantization(t *testing.T) {
	for _, c := range []struct{ least, greatest, scale, zero float32 }{
		{0, 0, 1, 0}, {2, 51, 0.2, 0}, {-51, -3, 0.2, 255}, {-25.5, 25.5, 0.2, 128}, {-1, 50, 0.2, 5},
	} {
		scale, zero := DynamicQuantization(c.least, c.greatest)
		if math.Abs(float64(scale-c.scale)) > 1e-6 || zero != int32(c.zero) {
			t.Errorf("DynamicQuantization(%v, %v) = %v, %v, want %v, %v", c.least, c.greatest, scale, zero, c.scale, c.zero)
		}
	}
}

func TestQuantizeThreads(t *testing.T) {
	defer Threads(Threads(1))
	r := newRand(5)
	x := randomSlice(r, 5*quantizePart+3)
	q := &Quantization{Scale: []float32{0.02}, Zero: []int32{100}, Channels: 1}
	var want []uint8
	for _, n := range []int{1, 2, 3} {
		Threads(n)
		var ws Workspace
		got, back := make([]uint8, len(x)), make([]float32, len(x))
		run := func() {
			Quantize(&ws, got, x, q)
			Dequantize(&ws, back, got, q)
			MinMax(&ws, x)
		}
		run()
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d threads give another result", n)
		}
		if allocs := testing.AllocsPerRun(5, run); allocs != 0 {
			t.Errorf("%v allocations with %d threads", allocs, n)
		}
	}
}

// FuzzQuantize quantises arbitrary numbers with every implementation.
func FuzzQuantize(f *testing.F) {
	f.Add([]byte{0, 0, 0x80, 0x3f, 1, 2, 3, 4}, float32(0.1), uint8(3), true)
	f.Add([]byte{0, 0, 0x80, 0x7f, 0, 0, 0xc0, 0x7f, 1, 0, 0, 0}, float32(1e-40), uint8(128), false)
	f.Fuzz(func(t *testing.T, data []byte, scale float32, zero uint8, isSigned bool) {
		var x []float32
		for ; len(data) >= 4; data = data[4:] {
			x = append(x, math.Float32frombits(uint32(data[0])|uint32(data[1])<<8|uint32(data[2])<<16|uint32(data[3])<<24))
		}
		x = slices.Repeat(x, 20) // whole vectors and a rest
		q := &Quantization{Scale: []float32{scale}, Zero: []int32{value(zero, isSigned)}, Signed: isSigned, Channels: 1}
		before := Implementation()
		defer func() {
			if err := Use(before); err != nil {
				t.Fatal(err)
			}
		}()
		for _, name := range Implementations() {
			if err := Use(name); err != nil {
				t.Fatal(err)
			}
			var ws Workspace
			got, back := make([]uint8, len(x)), make([]float32, len(x))
			Quantize(&ws, got, x, q)
			Dequantize(&ws, back, got, q)
			for i, g := range got {
				if want := quantizeReference(x[i], scale, q.Zero[0], isSigned); g != want {
					t.Fatalf("%s: %v / %v + %d is %d, want %d", name, x[i], scale, q.Zero[0], g, want)
				}
				if want := scale * float32(value(g, isSigned)-q.Zero[0]); back[i] != want && (back[i] == back[i] || want == want) {
					t.Fatalf("%s: %v * (%d - %d) is %v, want %v", name, scale, g, q.Zero[0], back[i], want)
				}
			}
		}
	})
}

func BenchmarkQuantize(b *testing.B) {
	const n = 1 << 16
	var ws Workspace
	x, y := randomSlice(newRand(1), n), make([]uint8, n)
	q := &Quantization{Scale: []float32{0.02}, Zero: []int32{100}, Channels: 1}
	for _, c := range []struct {
		name string
		size int64
		run  func()
	}{
		{"f32u8", 5 * n, func() { Quantize(&ws, y, x, q) }},
		{"u8f32", 5 * n, func() { Dequantize(&ws, x, y, q) }},
		{"minmax", 4 * n, func() { MinMax(&ws, x) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(c.size)
			for b.Loop() {
				c.run()
			}
		})
	}
}
