package kernels

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// expFunction is a transcendental function in double precision, and its error
// as documented, in units in the last place.
type expFunction struct {
	name string
	run  func(dst, src []float32)
	want func(x float64) float64
	ulp  float64
	// Below from, the error is at most ulpBelow, or absolute.
	from, ulpBelow, absolute float64
}

var expFunctions = []expFunction{
	{"exp", Exp, math.Exp, 1.1, 0, 1.1, 0},
	{"log", Log, math.Log, 0.9, 0, 0, 0},
	{"erf", Erf, math.Erf, 1.3, 0, 1.3, 0},
	{"tanh", activate(Tanh), math.Tanh, 1.3, 0, 1.3, 0},
	{"sigmoid", activate(Sigmoid), logistic, 2.4, 0, 2.4, 0},
	{"silu", activate(SiLU), func(x float64) float64 { return x * logistic(x) }, 8, -4, 110, 3e-37},
	{"gelu", activate(GELU), func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, 50, -4, 0, 3e-10},
	{"geluTanh", activate(GELUTanh), func(x float64) float64 {
		return x * logistic(math.Sqrt(8/math.Pi)*(x+0.044715*x*x*x))
	}, 20, -4, 200, 0},
}

// eachBase runs test with one implementation of each vector instruction set.
func eachBase(t *testing.T, test func(t *testing.T)) {
	seen := map[string]bool{}
	eachImplementation(t, func(t *testing.T) {
		if !seen[selected.base] {
			seen[selected.base] = true
			test(t)
		}
	})
}

func activate(act Activation) func(dst, src []float32) {
	return func(dst, src []float32) { Activate(act, dst, src) }
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// ulps is the distance of x from want in units in the last place of want as a
// float32.
func ulps(x float32, want float64) float64 {
	w := float32(want)
	if math.IsNaN(want) || math.IsInf(float64(w), 0) || math.IsInf(float64(x), 0) || x != x {
		if x == w || x != x && w != w {
			return 0
		}
		if math.Abs(want) > math.MaxFloat32/1.0000002 && math.Abs(float64(x)) > math.MaxFloat32/1.0000002 && (x > 0) == (w > 0) {
			return 1 // infinite or just not
		}
		return math.Inf(1)
	}
	_, e := math.Frexp(want)
	return math.Abs(float64(x)-want) / math.Ldexp(1, max(e-24, -149))
}

// The errors stay within what is stated over all floats, of which the test
// takes every 12011th (in short mode a twentieth of that), and the numbers
// where something special happens.
func TestTranscendentalErrors(t *testing.T) {
	stride := uint64(12011)
	if testing.Short() {
		stride *= 20
	}
	special := []float32{0, float32(math.Copysign(0, -1)), infinity, -infinity, float32(math.NaN()), 1, -1, 0.625, math.SmallestNonzeroFloat32, 0x1p-126, math.MaxFloat32, -math.MaxFloat32, 88.7228, 88.7229, -103.97, -103.98, -87.3, -14.2, -13.2, -12.5, 9, 12, 15}
	eachBase(t, func(t *testing.T) {
		src, dst := make([]float32, 0, 4096), make([]float32, 4096)
		for _, f := range expFunctions {
			var worst, worstBelow float64
			var worstAt float32
			flush := func() {
				f.run(dst[:len(src)], src)
				for i, x := range src {
					e := ulps(dst[i], f.want(float64(x)))
					if float64(x) < f.from {
						if !(math.Abs(float64(dst[i])-f.want(float64(x))) <= f.absolute) {
							worstBelow = max(worstBelow, e)
						}
					} else if e > worst {
						worst, worstAt = e, x
					}
				}
				src = src[:0]
			}
			for _, x := range special {
				if math.IsInf(float64(x), -1) && slices.Contains([]string{"silu", "gelu", "geluTanh"}, f.name) {
					continue
				}
				src = append(src, x)
			}
			for b := uint64(0); b < 1<<32; b += stride {
				if src = append(src, math.Float32frombits(uint32(b))); len(src) == cap(src) {
					flush()
				}
			}
			flush()
			t.Logf("%s: at most %.3f units in the last place, at %v; %.3f below %v", f.name, worst, worstAt, worstBelow, f.from)
			if !(worst <= f.ulp && worstBelow <= f.ulpBelow) {
				t.Errorf("%s: error of %.2f units in the last place at %v, want at most %v", f.name, worst, worstAt, f.ulp)
			}
		}
	})
}

func TestGatedActivationsAtInfinity(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for _, act := range []Activation{SiLU, GELU, GELUTanh} {
			x := []float32{-infinity, infinity}
			g, one := make([]float32, 2), []float32{1, 1}
			ActivateBackward(act, g, one, x)
			Activate(act, x, x)
			if x[0] != 0 || x[1] != infinity || g[0] != 0 || g[1] != 1 {
				t.Errorf("activation %d at infinity: %v, derivative %v", act, x, g)
			}
		}
	})
}

// Derivatives agree with differences of the functions in double precision.
func TestActivateBackwardSmooth(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for _, f := range []struct {
			act  Activation
			name string
		}{{Tanh, "tanh"}, {Sigmoid, "sigmoid"}, {SiLU, "silu"}, {GELU, "gelu"}, {GELUTanh, "geluTanh"}} {
			want := expFunctions[slices.IndexFunc(expFunctions, func(e expFunction) bool { return e.name == f.name })].want
			var src []float32
			for x := float32(-20); x <= 20; x += 0.0371 {
				src = append(src, x)
			}
			dsrc, ddst := make([]float32, len(src)), make([]float32, len(src))
			for i := range ddst {
				dsrc[i], ddst[i] = 3, 2
			}
			ActivateBackward(f.act, dsrc, ddst, src)
			for i, x := range src {
				const h = 1e-4
				d := (want(float64(x)+h) - want(float64(x)-h)) / (2 * h)
				if e := math.Abs(float64(dsrc[i]) - 3 - 2*d); e > 2e-6 {
					t.Fatalf("%s: derivative at %v is %v, want %v", f.name, x, (dsrc[i]-3)/2, d)
				}
			}
		}
	})
}

// The kernels agree with their twins on every length and alignment, NaN and
// infinities included, and touch nothing else.
func TestExpKernelTwins(t *testing.T) {
	eachBase(t, func(t *testing.T) {
		k, p := transcendental, portableExp
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.IntRange(0, 70).Draw(t, "n")
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			scale := rapid.SampledFrom([]float32{1, 30}).Draw(t, "scale")
			input := func() []float32 {
				x := randomSlice(r, n)
				for i := range x {
					x[i] *= scale
				}
				return x
			}
			x, y := input(), input()
			if rapid.Bool().Draw(t, "special") {
				poison(r, x)
			}
			check := func(name string, got, want []float32) {
				t.Helper()
				for i := range want {
					g, w := float64(got[i]), float64(want[i])
					if !(g == w || math.IsNaN(g) && math.IsNaN(w) || math.Abs(g-w) <= 2e-5*math.Abs(w)+2e-6*float64(scale*scale)) {
						t.Fatalf("%s: element %d of %d is %v, want %v (of %v)", name, i, len(want), g, w, x)
					}
				}
			}
			guard := func(name string, f func(dst []float32)) []float32 {
				t.Helper()
				all := slices.Repeat([]float32{77}, n+34)
				f(all[17 : 17+n])
				for i, v := range all {
					if (i < 17 || i >= 17+n) && v != 77 {
						t.Fatalf("%s: wrote at %d of %d", name, i-17, n)
					}
				}
				return all[17 : 17+n]
			}
			for i, f := range []func(dst, src []float32){k.exp, k.log, k.tanh, k.erf, k.sigmoid, k.silu, k.gelu, k.geluTanh} {
				twin := []func(dst, src []float32){p.exp, p.log, p.tanh, p.erf, p.sigmoid, p.silu, p.gelu, p.geluTanh}[i]
				name := fmt.Sprint("map ", i)
				got := guard(name, func(d []float32) { f(d, x) })
				want := guard(name, func(d []float32) { twin(d, x) })
				check(name, got, want)
			}
			for i, f := range []func(dsrc, ddst, src []float32){k.sigmoidBackward, k.tanhBackward, k.siluBackward, k.geluBackward, k.geluTanhBackward} {
				twin := []func(dsrc, ddst, src []float32){p.sigmoidBackward, p.tanhBackward, p.siluBackward, p.geluBackward, p.geluTanhBackward}[i]
				name := fmt.Sprint("gradient ", i)
				got := guard(name, func(d []float32) { f(d, y, x) })
				want := guard(name, func(d []float32) { twin(d, y, x) })
				check(name, got, want)
			}
			if g, w := k.largest(y), p.largest(y); g != w {
				t.Fatalf("largest of %v is %v, want %v", y, g, w)
			}
			one := func(name string, g, w float32) {
				t.Helper()
				check(name, []float32{g}, []float32{w})
			}
			var sum, wantSum float32
			got := guard("softmaxExp", func(d []float32) { sum = k.softmaxExp(d, x, 2) })
			want := guard("softmaxExp", func(d []float32) { wantSum = p.softmaxExp(d, x, 2) })
			check("softmaxExp", got, want)
			one("sum of softmaxExp", sum, wantSum)
			one("sumExp", k.sumExp(x, 2), wantSum)
			for i, v := range x { // exponents are at most 127
				if v > 1000 {
					x[i] = float32(math.NaN())
				}
			}
			got = guard("scoreExp", func(d []float32) { sum = k.scoreExp(d, x, 0.4, -3) })
			want = guard("scoreExp", func(d []float32) { wantSum = p.scoreExp(d, x, 0.4, -3) })
			check("scoreExp", got, want)
			one("sum of scoreExp", sum, wantSum)
			got = guard("scoreGradient", func(d []float32) { k.scoreGradient(d, x, 0.4, -3) })
			want = guard("scoreGradient", func(d []float32) { p.scoreGradient(d, x, 0.4, -3) })
			check("scoreGradient", got, want)
			got = guard("softmaxBackward", func(d []float32) { k.softmaxBackward(d, y, x, 2) })
			want = guard("softmaxBackward", func(d []float32) { p.softmaxBackward(d, y, x, 2) })
			check("softmaxBackward", got, want)
			got = guard("logSoftmaxBackward", func(d []float32) { k.logSoftmaxBackward(d, y, x, 2) })
			want = guard("logSoftmaxBackward", func(d []float32) { p.logSoftmaxBackward(d, y, x, 2) })
			check("logSoftmaxBackward", got, want)
		})
	})
}

func BenchmarkTranscendental(b *testing.B) {
	const n = 4096
	src := randomSlice(newRand(1), n)
	dst := Aligned[float32](n)
	for _, f := range expFunctions {
		b.Run(f.name, func(b *testing.B) {
			for b.Loop() {
				f.run(dst, src)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
}
