package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestPool(t *testing.T) {
	var ws Workspace
	p := Pool2D{N: 1, C: 2, H: 3, W: 3, R: 2, S: 2, StrideH: 2, StrideW: 2, PadBottom: 1, PadRight: 1}
	src := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7, -8, -9}
	dst := make([]float32, 8)
	MaxPool(&ws, p, dst, src)
	requireClose(t, "max", dst, []float32{5, 6, 8, 9, -1, -3, -7, -9}, 0)
	AvgPool(&ws, p, dst, src)
	requireClose(t, "average", dst, []float32{3, 4.5, 7.5, 9, -3, -4.5, -7.5, -9}, 1e-6)
}

func TestPoolOfPadding(t *testing.T) {
	var ws Workspace
	p := Pool2D{N: 1, C: 1, H: 1, W: 1, R: 1, S: 1, StrideH: 1, StrideW: 1, PadLeft: 1}
	dst := make([]float32, 2)
	MaxPool(&ws, p, dst, []float32{float32(math.NaN())})
	requireClose(t, "max", dst, []float32{-infinity, float32(math.NaN())}, 0)
	AvgPool(&ws, p, dst, []float32{3})
	requireClose(t, "average", dst, []float32{0, 3}, 0)
}

func TestGlobalAvgPool(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		const n, c, hw = 2, 3, 21
		random := rand.New(rand.NewPCG(1, 2))
		src, ddst := normal(random, 0, n*c*hw), normal(random, 0, n*c)
		want := make([]float32, n*c)
		for i, v := range src {
			want[i/hw] += v / hw
		}
		dst := make([]float32, n*c)
		GlobalAvgPool(n, c, hw, dst, src)
		requireClose(t, "forward", dst, want, 1e-5)
		dsrc := make([]float32, len(src))
		GlobalAvgPoolBackward(n, c, hw, dsrc, ddst)
		requireGradient(t, "dsrc", src, dsrc, func() float64 {
			GlobalAvgPool(n, c, hw, dst, src)
			return inner(dst, ddst)
		})
	})
}

func TestSoftmax(t *testing.T) {
	src := []float32{1, 2, 3, 1000, 1000, -infinity}
	dst := make([]float32, 6)
	Softmax(2, 3, dst, src)
	requireClose(t, "softmax", dst, []float32{0.09003057, 0.24472848, 0.66524094, 0.5, 0.5, 0}, 1e-6)
}

func drawPool(t *rapid.T) Pool2D {
	p := Pool2D{
		N: rapid.IntRange(0, 2).Draw(t, "n"), C: rapid.IntRange(1, 20).Draw(t, "c"),
		H: rapid.IntRange(1, 12).Draw(t, "h"), W: rapid.IntRange(1, 40).Draw(t, "w"),
		R: rapid.IntRange(1, 4).Draw(t, "r"), S: rapid.IntRange(1, 4).Draw(t, "s"),
		StrideH: rapid.IntRange(1, 3).Draw(t, "strideH"), StrideW: rapid.IntRange(1, 3).Draw(t, "strideW"),
		DilationH: rapid.IntRange(0, 2).Draw(t, "dilationH"), DilationW: rapid.IntRange(0, 2).Draw(t, "dilationW"),
		Ceil: rapid.Bool().Draw(t, "ceil"), CountPadding: rapid.Bool().Draw(t, "countPadding"), Blocked: rapid.Bool().Draw(t, "blocked"),
	}
	p.PadTop, p.PadBottom = rapid.IntRange(0, 3).Draw(t, "top"), rapid.IntRange(0, 3).Draw(t, "bottom")
	p.PadLeft, p.PadRight = rapid.IntRange(0, 3).Draw(t, "left"), rapid.IntRange(0, 3).Draw(t, "right")
	return p
}

// windows calls visit with the elements of src and the number of those that
// count for every element of the output.
func (p Pool2D) windows(visit func(o int, elements []int, count int)) {
	planes, e := p.planes()
	outH, outW := p.OutH(), p.OutW()
	for o := range planes * outH * outW * e {
		lane, x, y, plane := o%e, o/e%outW, o/e/outW%outH, o/e/outW/outH
		var elements []int
		count := 0
		for r := range p.R {
			for s := range p.S {
				h, w := y*p.StrideH+r*max(p.DilationH, 1)-p.PadTop, x*p.StrideW+s*max(p.DilationW, 1)-p.PadLeft
				if h >= 0 && h < p.H && w >= 0 && w < p.W {
					elements = append(elements, ((plane*p.H+h)*p.W+w)*e+lane)
					count++
				} else if p.CountPadding && h < p.H+p.PadBottom && w < p.W+p.PadRight {
					count++
				}
			}
		}
		visit(o, elements, max(count, 1))
	}
}

func TestPoolMatchesReference(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			p := drawPool(t)
			planes, e := p.planes()
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			src := randomSlice(r, planes*p.H*p.W*e)
			for i := range src {
				src[i] = float32(math.Round(float64(2 * src[i]))) // ties
			}
			if rapid.Bool().Draw(t, "special") {
				poison(r, src)
			}
			out := planes * p.OutH() * p.OutW() * e
			largest, checkLargest := guarded(make([]float32, out))
			mean, checkMean := guarded(make([]float32, out))
			MaxPool(&ws, p, largest, src)
			AvgPool(&ws, p, mean, src)
			checkLargest(t, "MaxPool")
			checkMean(t, "AvgPool")
			ddst := randomSlice(r, out)
			start := randomSlice(r, len(src))
			dlargest, checkLargest := guarded(start)
			dmean, checkMean := guarded(start)
			MaxPoolBackward(&ws, p, dlargest, ddst, src, largest)
			AvgPoolBackward(&ws, p, dmean, ddst)
			checkLargest(t, "MaxPoolBackward")
			checkMean(t, "AvgPoolBackward")

			wantLargest, wantMean := make([]float32, out), make([]expectation, out)
			wantDLargest, wantDMean := make([]expectation, len(src)), make([]expectation, len(src))
			for i, x := range start {
				wantDLargest[i].add(float64(x))
				wantDMean[i].add(float64(x))
			}
			p.windows(func(o int, elements []int, count int) {
				best, winner := -infinity, -1
				for _, i := range elements {
					x := src[i]
					if x > best || x != x && best == best {
						best = x
					}
					wantMean[o].add(float64(x) / float64(count))
					wantDMean[i].add(float64(ddst[o]) / float64(count))
				}
				for _, i := range elements {
					if winner < 0 && (src[i] == best || best != best) {
						winner = i
					}
				}
				wantLargest[o] = best
				if winner >= 0 {
					wantDLargest[winner].add(float64(ddst[o]))
				}
			})
			requireClose(t, "MaxPool", largest, wantLargest, 0)
			checkClose(t, "AvgPool", mean, wantMean)
			checkClose(t, "MaxPoolBackward", dlargest, wantDLargest)
			checkClose(t, "AvgPoolBackward", dmean, wantDMean)
		})
	})
}

func TestPoolRepeats(t *testing.T) {
	var ws Workspace
	r := newRand(3)
	p := Pool2D{N: 3, C: 7, H: 112, W: 112, R: 3, S: 3, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}
	n, out := p.N*p.C*p.H*p.W, p.N*p.C*p.OutH()*p.OutW()
	src, dst, ddst, dsrc := randomSlice(r, n), make([]float32, out), randomSlice(r, out), make([]float32, n)
	sameBits(t, func() []float32 { MaxPool(&ws, p, dst, src); return dst })
	sameBits(t, func() []float32 { clear(dsrc); MaxPoolBackward(&ws, p, dsrc, ddst, src, dst); return dsrc })
	sameBits(t, func() []float32 { AvgPool(&ws, p, dst, src); return dst })
	sameBits(t, func() []float32 { clear(dsrc); AvgPoolBackward(&ws, p, dsrc, ddst); return dsrc })
}

// The shape of PyTorch's rule for a last window that would begin in the padding.
func TestPoolShape(t *testing.T) {
	for _, c := range []struct{ size, window, stride, pad, want int }{
		{112, 3, 2, 0, 56}, {7, 2, 2, 1, 4}, {5, 2, 3, 1, 2}, {6, 2, 3, 1, 3}, {2, 1, 3, 1, 1},
	} {
		p := Pool2D{H: c.size, R: c.window, StrideH: c.stride, PadTop: c.pad, PadBottom: c.pad, Ceil: true}
		if got := p.OutH(); got != c.want {
			t.Errorf("%+v gives %d rows", c, got)
		}
	}
}

func BenchmarkPool(b *testing.B) {
	var ws Workspace
	for _, c := range []struct {
		name string
		p    Pool2D
	}{
		{"n1c64h112w112/r3s3/stride2", Pool2D{N: 1, C: 64, H: 112, W: 112, R: 3, S: 3, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}},
		{"n1c192h28w28/r3s3/stride1", Pool2D{N: 1, C: 192, H: 28, W: 28, R: 3, S: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}},
		{"n64c32h28w28/r2s2/stride2", Pool2D{N: 64, C: 32, H: 28, W: 28, R: 2, S: 2, StrideH: 2, StrideW: 2}},
	} {
		for _, blocked := range []bool{false, true} {
			p, name := c.p, c.name
			if p.Blocked = blocked; blocked {
				name += "/nchwc"
			}
			n, out := p.N*p.C*p.H*p.W, p.N*p.C*p.OutH()*p.OutW()
			r := newRand(1)
			src, dst, ddst, dsrc := Aligned[float32](n), Aligned[float32](out), Aligned[float32](out), Aligned[float32](n)
			copy(src, randomSlice(r, n))
			copy(ddst, randomSlice(r, out))
			for _, f := range []struct {
				name  string
				bytes int
				run   func()
			}{
				{"maxpool", 4 * (n + out), func() { MaxPool(&ws, p, dst, src) }},
				{"avgpool", 4 * (n + out), func() { AvgPool(&ws, p, dst, src) }},
				{"maxpool-backward", 4 * (3*n + 2*out), func() { MaxPoolBackward(&ws, p, dsrc, ddst, src, dst) }},
				{"avgpool-backward", 4 * (2*n + out), func() { AvgPoolBackward(&ws, p, dsrc, ddst) }},
			} {
				b.Run(f.name+"/f32/"+name, func(b *testing.B) {
					for b.Loop() {
						f.run()
					}
					reportGBs(b, f.bytes)
				})
			}
		}
	}
}
