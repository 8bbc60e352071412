package kernels

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestUse(t *testing.T) {
	names := Implementations()
	if names[len(names)-1] != portable {
		t.Errorf("Implementations() = %v, want portable last", names)
	}
	if want := names[0]; forced == "" && Implementation() != want {
		t.Errorf("Implementation() = %q at start, want %q", Implementation(), want)
	}
	eachImplementation(t, func(t *testing.T) {
		if !strings.HasSuffix(t.Name(), "/"+Implementation()) || gemm.base != selected.base {
			t.Errorf("Implementation() = %q with the matrix kernel for %q", Implementation(), gemm.base)
		}
	})
	before := Implementation()
	if err := Use("mmx"); err == nil || !strings.Contains(err.Error(), `"mmx"`) {
		t.Errorf(`Use("mmx") = %v, want an error that names it`, err)
	}
	if Implementation() != before {
		t.Errorf("a failed Use changed the implementation to %q", Implementation())
	}
}

// newRand returns the generator of a test.
func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// unaligned returns n elements that do not start at a multiple of 8 bytes
// and that are followed, within the capacity, by nothing.
func unaligned(n int) []float32 {
	s := Aligned[float32](n + 1)
	return s[1 : 1+n : 1+n]
}

// randomSlice returns n normally distributed numbers.
func randomSlice(r *rand.Rand, n int) []float32 {
	s := unaligned(n)
	for i := range s {
		s[i] = float32(r.NormFloat64())
	}
	return s
}

// poison replaces some elements with NaN and infinities.
func poison(r *rand.Rand, s []float32) {
	special := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	for range 1 + len(s)/64 {
		if len(s) > 0 {
			s[r.IntN(len(s))] = special[r.IntN(len(special))]
		}
	}
}

// expectation is a value in double precision and the sum of the magnitudes of
// its terms, to which rounding errors are proportional.
type expectation struct{ value, magnitude float64 }

func (e *expectation) add(x float64) {
	e.value += x
	e.magnitude += math.Abs(x)
}

// checkClose reports the first element of got that is not what want says.
func checkClose(t interface {
	Helper()
	Fatalf(string, ...any)
}, what string, got []float32, want []expectation) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		g := float64(got[i])
		switch {
		case math.IsNaN(w.value):
			if math.IsNaN(g) {
				continue
			}
		case math.IsInf(w.value, 0):
			if g == w.value {
				continue
			}
		case math.Abs(g-w.value) <= 1e-5*(w.magnitude+1e-3):
			continue
		}
		t.Fatalf("%s: element %d of %d is %v, want %v (terms add up to %v)", what, i, len(got), g, w.value, w.magnitude)
	}
}

// activated applies act to what was expected before it.
func activated(act Activation, e expectation) expectation {
	x := e.value
	limit := func(x, high float64) float64 {
		if math.IsNaN(x) {
			return x
		}
		return min(max(x, 0), high)
	}
	switch act {
	case ReLU:
		x = limit(x, math.Inf(1))
	case ReLU6:
		x = limit(x, 6)
	case HardSwish:
		x *= limit(x+3, 6) / 6
	case HardSigmoid:
		x = limit(x+3, 6) / 6
	case Sigmoid:
		x = 1 / (1 + math.Exp(-x))
	}
	return expectation{x, e.magnitude*(1+e.magnitude) + 1}
}
