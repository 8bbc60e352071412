package kernels

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// convCase is a convolution with one of its algorithms.
type convCase struct {
	shape          Conv2D
	in, out        Layout
	algorithm      algorithm
	bias, residual bool
	inPlace        bool // the result goes over the residual
	act            Activation
	poisoned       bool
	seed           uint64
}

// inLayout returns planar images in the given layout, and the memory behind
// them, which is to stay as it is.
func inLayout(ws *Workspace, l Layout, n, c, hw int, planar []float32) (image, canary []float32) {
	const behind = 16
	size := l.Size(n, c, hw)
	s := unaligned(size + behind)
	for i := range s {
		s[i] = 1e30
	}
	if l == Blocked {
		ToBlocked(ws, n, c, hw, s[:size], planar)
	} else {
		copy(s, planar)
	}
	return s[:size:size], s[size:]
}

func (c convCase) check(t interface {
	Helper()
	Fatalf(string, ...any)
}, ws *Workspace) {
	t.Helper()
	s := c.shape
	r := newRand(c.seed)
	inHW, outHW := s.H*s.W, s.OutH()*s.OutW()
	src, weight := randomSlice(r, s.inputSize()), randomSlice(r, s.weightSize())
	winograd := c.algorithm == winograd4 || c.algorithm == winograd2
	if c.poisoned && c.act != Sigmoid && !winograd { // there, a NaN spreads
		poison(r, src)
	}
	var bias, residual []float32
	want := make([]expectation, s.outputSize())
	if c.bias {
		bias = randomSlice(r, s.K)
		for i := range want {
			want[i].add(float64(bias[i/outHW%s.K]))
		}
	}
	dst, canary := inLayout(ws, c.out, s.N, s.K, outHW, randomSlice(r, s.outputSize()))
	if c.residual {
		planar := randomSlice(r, s.outputSize())
		for i, x := range planar {
			want[i].add(float64(x))
		}
		residual, _ = inLayout(ws, c.out, s.N, s.K, outHW, planar)
		if c.inPlace {
			copy(dst, residual)
			residual = dst
		}
	}
	eachTerm(s, func(input, w, output int) {
		want[output].add(float64(src[input]) * float64(weight[w]))
	})
	for i := range want {
		want[i] = activated(c.act, want[i])
		if winograd { // has larger errors than rounding
			want[i].magnitude = 100 + 10*float64(s.C) + 10*want[i].magnitude
		}
	}
	p, err := packConv2D(s, c.in, c.out, c.algorithm, weight, bias)
	if err != nil {
		t.Fatalf("%v", err)
	}
	image, _ := inLayout(ws, c.in, s.N, s.C, inHW, src)
	image, free := atPageEnd(image) // nothing beyond may be read
	defer free()
	p.Forward(ws, dst, image, residual, c.act)
	for _, x := range canary {
		if x != 1e30 {
			t.Fatalf("%+v: written behind the output", c)
		}
	}
	got := dst
	if c.out == Blocked {
		got = make([]float32, s.outputSize())
		FromBlocked(ws, s.N, s.K, outHW, got, dst)
	}
	checkClose(t, fmt.Sprintf("%+v", c), got, want)
}

// drawChannels draws a shape whose channels fill blocks more or less.
func drawChannels(t *rapid.T) Conv2D {
	s := drawConv2D(t)
	if rapid.Bool().Draw(t, "wide") {
		cg, kg := rapid.IntRange(1, 40).Draw(t, "wideC"), rapid.IntRange(1, 70).Draw(t, "wideK")
		if s.Groups > 1 && cg%2 == 0 {
			cg, kg = ChannelBlock()*(1+cg%2), ChannelBlock()*(1+kg%3)
		}
		s.C, s.K = s.Groups*cg, s.Groups*kg
	}
	return s
}

func drawConvCase(t *rapid.T) convCase {
	c := convCase{
		shape: drawChannels(t),
		in:    Layout(rapid.IntRange(0, 1).Draw(t, "in")), out: Layout(rapid.IntRange(0, 1).Draw(t, "out")),
		bias: rapid.Bool().Draw(t, "bias"), residual: rapid.Bool().Draw(t, "residual"), inPlace: rapid.Bool().Draw(t, "inPlace"),
		act:      Activation(rapid.IntRange(int(NoActivation), int(Sigmoid)).Draw(t, "act")),
		poisoned: rapid.IntRange(0, 3).Draw(t, "poisoned") == 0,
		seed:     rapid.Uint64().Draw(t, "seed"),
	}
	var all []algorithm
	if rapid.IntRange(0, 4).Draw(t, "winograd") == 0 {
		s := &c.shape
		s.R, s.S, s.StrideH, s.StrideW, s.DilationH, s.DilationW, s.Groups = 3, 3, 1, 1, 1, 1, 1
		s.H, s.W = max(s.H, 3), max(s.W, 3)
	} else if rapid.IntRange(0, 4).Draw(t, "depthwise") == 0 {
		c.shape.K, c.shape.Groups = c.shape.C, c.shape.C
	}
	c.shape.candidates(func(a algorithm) { all = append(all, a) })
	c.algorithm = rapid.SampledFrom(all).Draw(t, "algorithm")
	return c
}

// Every algorithm computes the convolution in every layout.
func TestConv2DAlgorithms(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) { drawConvCase(t).check(t, &ws) })
	})
}

// FuzzConv2D computes convolutions of any shape, in any layout, with every
// algorithm that can.
func FuzzConv2D(f *testing.F) {
	f.Add(uint64(1), uint8(0), []byte{1, 3, 20, 8, 9, 33, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1})
	f.Add(uint64(2), uint8(37), []byte{2, 1, 16, 7, 14, 16, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1})
	f.Add(uint64(3), uint8(77), []byte{1, 2, 5, 5, 30, 7, 2, 5, 1, 3, 4, 0, 2, 7, 2, 2})
	f.Fuzz(func(t *testing.T, seed uint64, flags uint8, b []byte) {
		if len(b) < 16 {
			return
		}
		dim := func(i, most int) int { return 1 + int(b[i])%most }
		s := Conv2D{
			N: dim(0, 3), Groups: dim(1, 4), H: dim(3, 20), W: dim(4, 40), R: dim(6, 5), S: dim(7, 7),
			StrideH: dim(8, 3), StrideW: dim(9, 3), PadTop: dim(10, 6) - 1, PadLeft: dim(11, 6) - 1, PadBottom: dim(12, 6) - 1, PadRight: dim(13, 6) - 1,
			DilationH: dim(14, 3), DilationW: dim(15, 3),
		}
		s.C, s.K = s.Groups*dim(2, 40), s.Groups*dim(5, 40)
		if s.Validate() != nil || s.outputSize()*s.C/s.Groups*s.R*s.S > 1<<21 {
			return
		}
		var ws Workspace
		s.candidates(func(a algorithm) {
			convCase{
				shape: s, in: Layout(flags & 1), out: Layout(flags >> 1 & 1), algorithm: a, bias: flags&4 != 0, residual: flags&8 != 0,
				inPlace: flags&16 != 0, poisoned: flags&32 != 0, act: Activation(flags >> 6), seed: seed,
			}.check(t, &ws)
		})
	})
}

// Reductions and images that are cut into several parts.
func TestConv2DDirectParts(t *testing.T) {
	long := squareConv2D(24, 1, 4, 1, 1)
	long.W, long.S, long.PadLeft = 4000, 3, 2
	many := squareConv2D(70, 1, 40, 1, 1)
	many.N = 31
	inner := Conv2D{N: 2, C: 3, H: 30, W: 50, K: 20, R: 3, S: 5, StrideH: 1, StrideW: 1, PadTop: 2, PadRight: 3, DilationH: 1, DilationW: 2, Groups: 1}
	wide := squareConv2D(3, 9, 20, 7, 2)
	wide.W, wide.PadBottom = 300, 0
	eachImplementation(t, func(t *testing.T) {
		if Implementation() == portable && testing.Short() {
			t.Skip("takes seconds under an emulator: not with -short")
		}
		var ws Workspace
		for i, s := range []Conv2D{squareConv2D(520, 7, 33, 1, 1), squareConv2D(530, 8, 40, 1, 2), squareConv2D(70, 14, 20, 3, 2), squareConv2D(40, 40, 4, 3, 1), squareConv2D(3, 60, 10, 7, 2), squareConv2D(24, 60, 20, 3, 2), inner, wide, long, many} {
			for _, a := range []algorithm{directTiles, directPlanes} {
				in, out := a.layouts()
				convCase{shape: s, in: in, out: out, algorithm: a, bias: i%2 == 0, residual: i%3 == 0, inPlace: true, act: ReLU, seed: uint64(i)}.check(t, &ws)
			}
		}
	})
}

// Results do not depend on the number of threads, nor change from run to run.
func TestConv2DDeterministic(t *testing.T) {
	defer Threads(Threads(1))
	eachImplementation(t, func(t *testing.T) {
		for _, s := range []Conv2D{
			{N: 2, C: 40, H: 12, W: 12, K: 72, R: 3, S: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, DilationH: 1, DilationW: 1, Groups: 1},
			{N: 1, C: 96, H: 14, W: 14, K: 80, R: 1, S: 1, StrideH: 2, StrideW: 2, DilationH: 1, DilationW: 1, Groups: 1},
		} {
			r := newRand(1)
			src, weight := randomSlice(r, Blocked.Size(s.N, s.C, s.H*s.W)), randomSlice(r, s.weightSize())
			var first []float32
			for _, n := range []int{1, 2, 3} {
				Threads(n)
				var ws Workspace
				p, err := PackConv2DLayouts(s, Blocked, Blocked, weight, nil)
				if err != nil {
					t.Fatal(err)
				}
				for range 4 {
					dst := make([]float32, Blocked.Size(s.N, s.K, s.OutH()*s.OutW()))
					p.Forward(&ws, dst, src, nil, ReLU)
					if first == nil {
						first = dst
					}
					if !slices.Equal(first, dst) {
						t.Fatalf("%+v: other bits with %d threads", s, n)
					}
				}
			}
		}
	})
}

func TestConv2DLayoutsAllocateNothing(t *testing.T) {
	defer Threads(Threads(2))
	eachImplementation(t, func(t *testing.T) {
		s := Conv2D{N: 2, C: 16, H: 9, W: 9, K: 40, R: 3, S: 3, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1}
		r := newRand(1)
		for _, a := range []algorithm{directTiles, directPlanes, unfoldedGemm} {
			for layouts := range 4 {
				in, out := Layout(layouts&1), Layout(layouts>>1)
				src, dst := randomSlice(r, in.Size(s.N, s.C, s.H*s.W)), randomSlice(r, out.Size(s.N, s.K, s.OutH()*s.OutW()))
				p, err := packConv2D(s, in, out, a, randomSlice(r, s.weightSize()), nil)
				if err != nil {
					t.Fatal(err)
				}
				var ws Workspace
				if n := testing.AllocsPerRun(5, func() { p.Forward(&ws, dst, src, dst, ReLU) }); n != 0 {
					t.Errorf("%v from %v to %v allocates %v times a call", a, in, out, n)
				}
			}
		}
	})
}

// Copying pixels with the kernel or without gives the same, and touches
// nothing else.
func TestTakePixels(t *testing.T) {
	if tiles.take == nil {
		t.Skip("this implementation copies pixels in Go: there is no kernel to compare")
	}
	r := newRand(3)
	for range 300 {
		unit := tiles.width
		from := randomSlice(r, unit*(1+r.IntN(20)))
		column, step := r.IntN(30)-12, 1+r.IntN(4)
		n := unit * r.IntN(12)
		got := randomSlice(r, n+unit)
		want := slices.Clone(got)
		takePixels(tiles.take, got[:n], from, unit, column, step)
		for i := range n {
			x := column + i/unit*step
			want[i] = 0
			if x >= 0 && x < len(from)/unit {
				want[i] = from[x*unit+i%unit]
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d elements from column %d of %d pixels, every %d: got %v, want %v", n, column, len(from)/unit, step, got, want)
		}
		takePixels(nil, got[:n], from, unit, column, step)
		if !slices.Equal(got, want) {
			t.Fatalf("without the kernel: got %v, want %v", got, want)
		}
	}
}
