package kernels

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestAddBytes compares sums with the definition, in double precision: they are
// at most one off where the sum is just between two bytes.
func TestAddBytes(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.IntRange(0, 200).Draw(t, "n")
			a := rapid.SliceOfN(rapid.Uint8(), n, n).Draw(t, "a")
			b := rapid.SliceOfN(rapid.Uint8(), n, n).Draw(t, "b")
			draw := func(name string) *Quantization {
				q := &Quantization{Channels: 1, Scale: []float32{rapid.Float32Range(0.01, 1).Draw(t, name)}, Signed: rapid.Bool().Draw(t, name+" signed")}
				low, high := byteRange(q.Signed)
				q.Zero = []int32{int32(rapid.IntRange(low, high).Draw(t, name+" zero"))}
				return q
			}
			qa, qb, qc := draw("a's scale"), draw("b's scale"), draw("scale")
			value := func(q *Quantization, x uint8) float64 {
				v := int(x)
				if q.Signed {
					v = int(int8(x))
				}
				return float64(v-int(q.Zero[0])) * float64(q.Scale[0])
			}
			dst := make([]uint8, n)
			var ws Workspace
			AddBytes(&ws, dst, a, b, qc, qa, qb)
			low, high := byteRange(qc.Signed)
			for i := range dst {
				sum := (value(qa, a[i])+value(qb, b[i]))/float64(qc.Scale[0]) + float64(qc.Zero[0])
				got := int(dst[i])
				if qc.Signed {
					got = int(int8(dst[i]))
				}
				if want := min(max(sum, float64(low)), float64(high)); math.Abs(float64(got)-want) > 0.501 {
					t.Fatalf("%d + %d is %d, want %g", a[i], b[i], got, want)
				}
			}
		})
	})
}

func TestMaxBytes(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.IntRange(0, 300).Draw(t, "n")
			a := rapid.SliceOfN(rapid.Uint8(), n, n).Draw(t, "a")
			b := rapid.SliceOfN(rapid.Uint8(), n, n).Draw(t, "b")
			signed := rapid.Bool().Draw(t, "signed")
			dst := make([]uint8, n)
			var ws Workspace
			MaxBytes(&ws, dst, a, b, signed)
			for i := range dst {
				want := max(a[i], b[i])
				if signed {
					want = uint8(max(int8(a[i]), int8(b[i])))
				}
				if dst[i] != want {
					t.Fatalf("larger of %d and %d is %d", a[i], b[i], dst[i])
				}
			}
		})
	})
}
