package kernels

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// softmax64 is the softmax of each row, and its logarithm.
func softmax64(rows, cols int, src []float32) (softmax, log []float64) {
	for i := range rows {
		x := src[i*cols : (i+1)*cols]
		largest, sum := math.Inf(-1), 0.0
		for _, v := range x {
			largest = math.Max(largest, float64(v))
		}
		for _, v := range x {
			sum += math.Exp(float64(v) - largest)
		}
		for _, v := range x {
			softmax = append(softmax, math.Exp(float64(v)-largest)/sum)
			log = append(log, float64(v)-largest-math.Log(sum))
		}
	}
	return softmax, log
}

func TestSoftmaxRows(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			rows, cols := rapid.IntRange(0, 4).Draw(t, "rows"), rapid.IntRange(0, 100).Draw(t, "cols")
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			src := randomSlice(r, rows*cols)
			for i := range src {
				src[i] *= 20
			}
			if rapid.Bool().Draw(t, "special") {
				poison(r, src)
			}
			softmax, log := softmax64(rows, cols, src)
			check := func(name string, got []float32, want []float64, relative float64) {
				t.Helper()
				for i, w := range want {
					g := float64(got[i])
					if g == w || math.IsNaN(w) && math.IsNaN(g) || math.Abs(g-w) <= relative*math.Abs(w)+1e-6 {
						continue
					}
					t.Fatalf("%s: element %d of [%d, %d] is %v, want %v", name, i, rows, cols, g, w)
				}
			}
			dst := slices.Repeat([]float32{77}, len(src)+1)
			Softmax(rows, cols, dst, src)
			check("Softmax", dst, softmax, 1e-6)
			LogSoftmax(rows, cols, dst, src)
			check("LogSoftmax", dst, log, 1e-6)
			if dst[len(src)] != 77 {
				t.Fatal("wrote beyond the end")
			}
			in := slices.Clone(src)
			LogSoftmax(rows, cols, in, in)
			check("LogSoftmax in place", in, log, 1e-6)
			Softmax(rows, cols, src, src)
			check("Softmax in place", src, softmax, 1e-6)
		})
	})
}

func TestSoftmaxGradient(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for _, cols := range []int{1, 2, 7, 16, 37} {
			const rows = 3
			r := newRand(uint64(cols))
			src, ddst := randomSlice(r, rows*cols), randomSlice(r, rows*cols)
			dst := make([]float32, rows*cols)
			for i, f := range []struct {
				forward  func(rows, cols int, dst, src []float32)
				backward func(rows, cols int, dsrc, ddst, dst []float32)
			}{{Softmax, SoftmaxBackward}, {LogSoftmax, LogSoftmaxBackward}} {
				dsrc := make([]float32, rows*cols)
				f.forward(rows, cols, dst, src)
				f.backward(rows, cols, dsrc, ddst, dst)
				once := slices.Clone(dsrc)
				f.backward(rows, cols, dsrc, ddst, dst)
				for j := range dsrc {
					if math.Abs(float64(dsrc[j]-2*once[j])) > 1e-5 {
						t.Fatalf("function %d does not add its gradient", i)
					}
				}
				requireGradient(t, "softmax", src, once, func() float64 {
					f.forward(rows, cols, dst, src)
					return inner(dst, ddst)
				})
			}
		}
	})
}

func BenchmarkSoftmax(b *testing.B) {
	const rows, cols = 64, 1000
	src := randomSlice(newRand(1), rows*cols)
	dst := Aligned[float32](rows * cols)
	b.SetBytes(rows * cols * 8)
	for b.Loop() {
		Softmax(rows, cols, dst, src)
	}
}
