package kernels

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// canary follows every output.
const canary = 0xa5

// int8Case is a random input and output of an int8 product.
type int8Case struct {
	input    Int8Input
	output   Int8Output
	columns  int
	pitch    int
	sum      []int32 // expected, without the bias
	residual []uint8
}

// drawInt8Case draws an output of rows rows of n columns, where bytes have
// rows of pitch.
func drawInt8Case(t *rapid.T, inputs, rows, n, pitch int) *int8Case {
	r := newRand(rapid.Uint64().Draw(t, "seed"))
	x := &int8Case{columns: n, pitch: n, sum: make([]int32, rows*n)}
	zero := func(name string, signed bool) int {
		low, high := byteRange(signed)
		return rapid.OneOf(rapid.SampledFrom([]int{low, high, 0}), rapid.IntRange(low, high)).Draw(t, name)
	}
	x.input = Int8Input{Data: randomBytes(r, inputs), Signed: rapid.Bool().Draw(t, "signed")}
	x.input.Zero = zero("zero", x.input.Signed)
	o := &x.output
	if rapid.Bool().Draw(t, "bias") {
		o.Bias = make([]int32, n)
		for i := range o.Bias {
			o.Bias[i] = int32(r.Uint32()) >> (8 + r.IntN(24))
		}
	}
	o.Scale = make([]float32, max(n, 1))
	if rapid.IntRange(0, 3).Draw(t, "one scale") == 0 {
		o.Scale = o.Scale[:1]
	}
	for i := range o.Scale {
		o.Scale[i] = float32(math.Exp2(-18 + 10*r.Float64()))
		if r.IntN(8) == 0 {
			o.Scale[i] = 0.5 // many ties
		}
	}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		o.Sums = make([]int32, rows*n)
	case 1:
		o.Floats = make([]float32, rows*n)
		o.Activation = Activation(rapid.IntRange(int(NoActivation), int(Sigmoid)).Draw(t, "act"))
		if rapid.Bool().Draw(t, "float bias") {
			o.FloatBias = randomSlice(r, n)
		}
	default:
		x.pitch = pitch
		o.Bytes = slices.Repeat([]uint8{canary}, rows*pitch+1)[: rows*pitch : rows*pitch+1]
		o.Activation = rapid.SampledFrom([]Activation{NoActivation, ReLU, ReLU6}).Draw(t, "act")
		o.Signed = rapid.Bool().Draw(t, "out signed")
		o.Zero, o.Unit = zero("out zero", o.Signed), r.Float32()
		if rapid.Bool().Draw(t, "residual") {
			x.residual = randomBytes(r, rows*pitch)
			o.Residual, o.ResidualScale = x.residual, float32(r.NormFloat64())
			o.ResidualSigned = rapid.Bool().Draw(t, "residual signed")
			o.ResidualZero = zero("residual zero", o.ResidualSigned)
			if rapid.Bool().Draw(t, "over residual") {
				copy(o.Bytes, x.residual)
				o.Residual = o.Bytes
			}
		}
		if rapid.IntRange(0, 3).Draw(t, "table") == 0 {
			o.Table = Int8Table(HardSwish, o.Signed, 0.05, o.Zero, 0.04, o.Zero)
		}
	}
	return x
}

// value returns byte q as a number.
func value(q uint8, signed bool) int32 {
	if signed {
		return int32(int8(q))
	}
	return int32(q)
}

// check compares the output with what follows from x.sum.
func (x *int8Case) check(t *rapid.T) {
	o := &x.output
	scale := func(j int) float32 { return o.Scale[j%len(o.Scale)] }
	sum := func(i int) int32 {
		if o.Bias != nil {
			return x.sum[i] + o.Bias[i%x.columns]
		}
		return x.sum[i]
	}
	switch {
	case o.Sums != nil:
		for i, got := range o.Sums {
			if want := sum(i); got != want {
				t.Fatalf("sum %d is %d, want %d", i, got, want)
			}
		}
	case o.Floats != nil:
		want := make([]float32, len(o.Floats))
		for i := range want {
			want[i] = float32(sum(i)) * scale(i%x.columns)
			if o.FloatBias != nil {
				want[i] = float32(want[i]) + o.FloatBias[i%x.columns]
			}
		}
		Activate(o.Activation, want, want)
		for i, got := range o.Floats {
			if got != want[i] {
				t.Fatalf("float %d is %v, want %v", i, got, want[i])
			}
		}
	default:
		low, high := byteRange(o.Signed)
		for i, got := range o.Bytes {
			row, j := i/x.pitch, i%x.pitch
			if j >= x.columns {
				continue
			}
			y := float32(float32(sum(row*x.columns+j)) * scale(j))
			if x.residual != nil {
				y += float32(float32(value(x.residual[i], o.ResidualSigned)-int32(o.ResidualZero)) * o.ResidualScale)
			}
			switch o.Activation {
			case ReLU:
				y = max(y, 0)
			case ReLU6:
				y = min(max(y, 0), 6/o.Unit)
			}
			want := uint8(min(max(int(math.RoundToEven(float64(y)))+o.Zero, low), high))
			if o.Table != nil {
				want = o.Table[want]
			}
			if got != want {
				t.Fatalf("byte %d of row %d is %d, want %d", j, row, got, want)
			}
		}
		if rest := o.Bytes[:cap(o.Bytes)][len(o.Bytes):]; len(rest) == 1 && rest[0] != canary {
			t.Fatal("written beyond the output")
		}
	}
}

// drawWeights draws signed weights and, perhaps, zero points of columns.
func drawWeights(t *rapid.T, count, columns int) (weight, zero []int8) {
	r := newRand(rapid.Uint64().Draw(t, "weight seed"))
	weight = signed(randomBytes(r, count))
	if rapid.Bool().Draw(t, "weight zeros") {
		zero = signed(randomBytes(r, columns))
	}
	return weight, zero
}

func TestInt8Gemm(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			m, n := rapid.IntRange(0, 40).Draw(t, "m"), rapid.IntRange(0, 70).Draw(t, "n")
			k := rapid.IntRange(0, 40).Draw(t, "k")
			b, zero := drawWeights(t, k*n, n)
			x := drawInt8Case(t, m*k, m, n, n)
			for i := range x.sum {
				for p := range k {
					w := int32(b[p*n+i%n])
					if zero != nil {
						w -= int32(zero[i%n])
					}
					x.sum[i] += (value(x.input.Data[i/n*k+p], x.input.Signed) - int32(x.input.Zero)) * w
				}
			}
			PackInt8Gemm(k, n, b, zero).Forward(&ws, m, x.input, &x.output)
			x.check(t)
		})
	})
}

func TestInt8Conv2D(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			checkInt8Conv2D(t, &ws, drawConv2D(t))
		})
	})
}

func TestInt8Depthwise(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			s := drawConv2D(t)
			s.C = rapid.IntRange(1, 40).Draw(t, "channels")
			s.K, s.Groups = s.C, s.C
			checkInt8Conv2D(t, &ws, s)
		})
	})
}

// checkInt8Conv2D compares a convolution with the sum of its terms.
func checkInt8Conv2D(t *rapid.T, ws *Workspace, s Conv2D) {
	weight, zero := drawWeights(t, s.weightSize(), s.K)
	pixel := Int8Channels(s.C)
	x := drawInt8Case(t, s.N*s.H*s.W*pixel, s.N*s.OutH()*s.OutW(), s.K, Int8Channels(s.K))
	nhwc := func(i, channels, hw int) (pixel, channel int) {
		return i/(channels*hw)*hw + i%hw, i / hw % channels
	}
	eachTerm(s, func(input, w, output int) {
		p, k := nhwc(output, s.K, s.OutH()*s.OutW())
		y := int32(weight[w])
		if zero != nil {
			y -= int32(zero[k])
		}
		q, c := nhwc(input, s.C, s.H*s.W)
		x.sum[p*s.K+k] += (value(x.input.Data[q*pixel+c], x.input.Signed) - int32(x.input.Zero)) * y
	})
	p, err := PackInt8Conv2D(s, weight, zero)
	if err != nil {
		t.Fatal(err)
	}
	p.Forward(ws, x.input, &x.output)
	x.check(t)
}

// Extremes of both operands, in products long enough to overflow what
// saturates or holds 16 bits.
func TestInt8Extremes(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		const m, n, k = 19, 37, 301
		for _, x := range []uint8{0, 127, 128, 255} {
			for _, y := range []int8{-128, -127, 127} {
				for _, isSigned := range []bool{false, true} {
					p := PackInt8Gemm(k, n, slices.Repeat([]int8{y}, k*n), nil)
					got := make([]int32, m*n)
					p.Forward(&ws, m, Int8Input{Data: bytes.Repeat([]uint8{x}, m*k), Signed: isSigned}, &Int8Output{Sums: got})
					want := k * value(x, isSigned) * int32(y)
					for i, g := range got {
						if g != want {
							t.Fatalf("%d times %d, signed %v: sum %d is %d, want %d", x, y, isSigned, i, g, want)
						}
					}
				}
			}
		}
	})
}

// Whatever the number of threads, results are the same and nothing is
// allocated.
func TestInt8Threads(t *testing.T) {
	defer Threads(Threads(1))
	r := newRand(5)
	for _, s := range []Conv2D{
		{N: 1, C: 64, H: 14, W: 14, K: 96, R: 1, S: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
		{N: 2, C: 30, H: 21, W: 20, K: 130, R: 3, S: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, DilationH: 1, DilationW: 1, Groups: 1},
		{N: 1, C: 12, H: 14, W: 14, K: 12, R: 3, S: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, DilationH: 1, DilationW: 1, Groups: 12},
	} {
		p, err := PackInt8Conv2D(s, signed(randomBytes(r, s.weightSize())), signed(randomBytes(r, s.K)))
		if err != nil {
			t.Fatal(err)
		}
		src := Int8Input{Data: randomBytes(r, s.N*s.H*s.W*Int8Channels(s.C)), Zero: 3, Signed: true}
		bias, scale := make([]int32, s.K), []float32{0.01}
		run := func(ws *Workspace, dst []uint8) {
			p.Forward(ws, src, &Int8Output{Bytes: dst, Bias: bias, Scale: scale, Zero: 7, Activation: ReLU, Residual: dst})
		}
		var want []uint8
		for _, n := range []int{1, 2, 3} {
			Threads(n)
			var ws Workspace
			for range 4 {
				got := make([]uint8, s.N*s.OutH()*s.OutW()*Int8Channels(s.K))
				run(&ws, got)
				if want == nil {
					want = got
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("%+v: %d threads give another result", s, n)
				}
			}
			dst := slices.Clone(want)
			if allocs := testing.AllocsPerRun(10, func() { run(&ws, dst) }); allocs != 0 {
				t.Errorf("%+v: %v allocations with %d threads", s, allocs, n)
			}
		}
	}
}

func TestInt8Panics(t *testing.T) {
	var ws Workspace
	p := PackInt8Gemm(4, 8, make([]int8, 32), nil)
	for _, c := range []struct {
		name string
		m    int
		in   Int8Input
		out  Int8Output
	}{
		{"short input", 3, Int8Input{Data: make([]uint8, 11)}, Int8Output{Sums: make([]int32, 24)}},
		{"short output", 3, Int8Input{Data: make([]uint8, 12)}, Int8Output{Sums: make([]int32, 23)}},
		{"no output", 3, Int8Input{Data: make([]uint8, 12)}, Int8Output{}},
		{"no scale", 3, Int8Input{Data: make([]uint8, 12)}, Int8Output{Bytes: make([]uint8, 24)}},
		{"zero", 3, Int8Input{Data: make([]uint8, 12), Zero: 128, Signed: true}, Int8Output{Sums: make([]int32, 24)}},
		{"activation", 3, Int8Input{Data: make([]uint8, 12)}, Int8Output{Bytes: make([]uint8, 24), Scale: []float32{1}, Activation: Sigmoid}},
		{"two outputs", 3, Int8Input{Data: make([]uint8, 12)}, Int8Output{Sums: make([]int32, 24), Bytes: make([]uint8, 24), Scale: []float32{1}}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", c.name)
				}
			}()
			p.Forward(&ws, c.m, c.in, &c.out)
		}()
	}
	if _, err := PackInt8Conv2D(Conv2D{}, nil, nil); err == nil {
		t.Error("PackInt8Conv2D of no shape: no error")
	}
}

// FuzzInt8Gemm compares the implementation in use with the portable one.
func FuzzInt8Gemm(f *testing.F) {
	f.Add(uint8(3), uint8(5), uint8(7), []byte("abc"), int8(3))
	f.Fuzz(func(t *testing.T, m, n, k uint8, data []byte, zero int8) {
		if len(data) == 0 {
			return
		}
		fill := func(n int) []uint8 { return bytes.Repeat(data, n/len(data)+1)[:n] }
		a, b := fill(int(m)*int(k)), signed(fill(int(k)*int(n)))
		zeros := slices.Repeat([]int8{zero}, int(n))
		run := func(implementation string) []uint8 {
			if err := Use(implementation); err != nil {
				t.Fatal(err)
			}
			var ws Workspace
			out := make([]uint8, int(m)*int(n))
			PackInt8Gemm(int(k), int(n), b, zeros).Forward(&ws, int(m), Int8Input{Data: a, Zero: int(zero), Signed: true},
				&Int8Output{Bytes: out, Scale: []float32{float32(data[0]) / 1e4}, Signed: true})
			return out
		}
		before := Implementation()
		defer func() {
			if err := Use(before); err != nil {
				t.Fatal(err)
			}
		}()
		want := run(portable)
		for _, name := range Implementations() {
			if diff := cmp.Diff(want, run(name)); diff != "" {
				t.Errorf("%s: (-portable +got)\n%s", name, diff)
			}
		}
	})
}

func BenchmarkInt8Gemm(b *testing.B) {
	for _, c := range [][3]int{{256, 256, 256}, {1024, 1024, 1024}, {1, 1024, 1024}, {49, 512, 4608}} {
		m, n, k := c[0], c[1], c[2]
		b.Run(fmt.Sprintf("u8s8/m%dn%dk%d", m, n, k), func(b *testing.B) {
			var ws Workspace
			r := newRand(1)
			p := PackInt8Gemm(k, n, signed(randomBytes(r, k*n)), nil)
			a, c := Aligned[uint8](m*k), Aligned[uint8](m*n)
			copy(a, randomBytes(r, m*k))
			out := &Int8Output{Bytes: c, Scale: []float32{1e-4}, Activation: ReLU}
			for b.Loop() {
				p.Forward(&ws, m, Int8Input{Data: a, Zero: 3}, out)
			}
			reportGFLOPS(b, 2*m*n*k)
		})
	}
}

// resNet50 has the distinct convolutions of ResNet-50 on an image of 224 by
// 224, and how often each occurs.
var resNet50 = []struct{ times, c, h, k, r, stride int }{
	{1, 3, 224, 64, 7, 2},
	{1, 64, 56, 64, 1, 1}, {3, 64, 56, 64, 3, 1}, {4, 64, 56, 256, 1, 1}, {2, 256, 56, 64, 1, 1},
	{1, 256, 56, 128, 1, 1}, {1, 128, 56, 128, 3, 2}, {4, 128, 28, 512, 1, 1}, {1, 256, 56, 512, 1, 2},
	{3, 512, 28, 128, 1, 1}, {3, 128, 28, 128, 3, 1},
	{1, 512, 28, 256, 1, 1}, {1, 256, 28, 256, 3, 2}, {6, 256, 14, 1024, 1, 1}, {1, 512, 28, 1024, 1, 2},
	{5, 1024, 14, 256, 1, 1}, {5, 256, 14, 256, 3, 1},
	{1, 1024, 14, 512, 1, 1}, {1, 512, 14, 512, 3, 2}, {3, 512, 7, 2048, 1, 1}, {1, 1024, 14, 2048, 1, 2},
	{2, 2048, 7, 512, 1, 1}, {2, 512, 7, 512, 3, 1},
}

// int8Images returns two buffers for the images of ResNet-50.
func int8Images() (x, y []uint8) {
	x, y = Aligned[uint8](56*56*256), Aligned[uint8](56*56*256)
	copy(x, randomBytes(newRand(1), len(x)))
	copy(y, x)
	return x, y
}

// int8Bench returns a convolution of u8 and s8 between two buffers, ready to
// run, and its number of operations.
func int8Bench(b *testing.B, ws *Workspace, from, to []uint8, c, h, k, r, stride int) (run func(), flop int) {
	pad := r / 2
	s := Conv2D{N: 1, C: c, H: h, W: h, K: k, R: r, S: r, StrideH: stride, StrideW: stride,
		PadTop: pad, PadLeft: pad, PadBottom: pad, PadRight: pad, DilationH: 1, DilationW: 1, Groups: 1}
	random := newRand(1)
	p, err := PackInt8Conv2D(s, signed(randomBytes(random, s.weightSize())), nil)
	if err != nil {
		b.Fatal(err)
	}
	src := Int8Input{Data: from[:h*h*Int8Channels(c)], Zero: 3}
	out := &Int8Output{Bytes: to[:s.OutH()*s.OutW()*k], Bias: make([]int32, k), Scale: make([]float32, k), Activation: ReLU}
	for i := range out.Scale {
		out.Scale[i] = 1e-4
	}
	return func() { p.Forward(ws, src, out) }, 2 * s.outputSize() * c * r * r
}

func BenchmarkInt8Conv2D(b *testing.B) {
	for _, l := range resNet50 {
		b.Run(fmt.Sprintf("u8s8/n1c%dh%dw%dk%dr%ds%dstride%d", l.c, l.h, l.h, l.k, l.r, l.r, l.stride), func(b *testing.B) {
			var ws Workspace
			from, to := int8Images()
			run, flop := int8Bench(b, &ws, from, to, l.c, l.h, l.k, l.r, l.stride)
			for b.Loop() {
				run()
			}
			reportGFLOPS(b, flop)
		})
	}
}

// BenchmarkInt8Depthwise has depthwise convolutions of MobileNetV3-large.
func BenchmarkInt8Depthwise(b *testing.B) {
	for _, l := range []struct{ c, h, r, stride int }{
		{16, 112, 3, 1}, {72, 56, 3, 1}, {64, 112, 3, 2}, {120, 28, 5, 1}, {240, 28, 3, 2}, {672, 14, 5, 1}, {960, 7, 5, 1},
	} {
		b.Run(fmt.Sprintf("u8s8/n1c%dh%dw%dr%ds%dstride%d", l.c, l.h, l.h, l.r, l.r, l.stride), func(b *testing.B) {
			var ws Workspace
			pad := l.r / 2
			s := Conv2D{N: 1, C: l.c, H: l.h, W: l.h, K: l.c, R: l.r, S: l.r, StrideH: l.stride, StrideW: l.stride,
				PadTop: pad, PadLeft: pad, PadBottom: pad, PadRight: pad, DilationH: 1, DilationW: 1, Groups: l.c}
			r := newRand(1)
			p, err := PackInt8Conv2D(s, signed(randomBytes(r, s.weightSize())), nil)
			if err != nil {
				b.Fatal(err)
			}
			src := Int8Input{Data: randomBytes(r, s.H*s.W*Int8Channels(s.C)), Zero: 3}
			out := &Int8Output{Bytes: make([]uint8, s.OutH()*s.OutW()*Int8Channels(s.K)), Scale: []float32{1e-3}, Activation: ReLU}
			for b.Loop() {
				p.Forward(&ws, src, out)
			}
			reportGFLOPS(b, 2*s.outputSize()*l.r*l.r)
		})
	}
}

// BenchmarkInt8ResNet50 runs all convolutions of the network, each occurrence
// with weights of its own, back and forth between two buffers as a memory plan
// has it.
func BenchmarkInt8ResNet50(b *testing.B) {
	var ws Workspace
	var layers []func()
	total := 0
	from, to := int8Images()
	for _, l := range resNet50 {
		for range l.times {
			from, to = to, from
			run, flop := int8Bench(b, &ws, from, to, l.c, l.h, l.k, l.r, l.stride)
			layers = append(layers, run)
			total += flop
		}
	}
	for b.Loop() {
		for _, run := range layers {
			run()
		}
	}
	reportGFLOPS(b, total)
}
