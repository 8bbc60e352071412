package energy_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/hwprofd/hwprofd/profiler/energy"
)

func ExampleCoefficients() {
	// A 3x3 convolution of 64 channels at 14x14: 7.2 million
	// multiply-accumulates, 248 kB moved, 150 us.
	work := energy.Activity{MACs: 7_225_344, Bytes: 248_064, LatencyNS: 150_000}
	fmt.Printf("%.3f mJ\n", energy.Literature.Millijoules(work))
	// Output: 0.337 mJ
}

func TestModelAddsItsParts(t *testing.T) {
	of := func(macs, bytes int64, ns float64) float64 {
		return energy.Literature.Millijoules(energy.Activity{MACs: macs, Bytes: bytes, LatencyNS: ns})
	}
	if whole, parts := of(1000, 2000, 3000), of(1000, 0, 0)+of(0, 2000, 0)+of(0, 0, 3000); math.Abs(whole-parts) > 1e-12 {
		t.Errorf("the whole is %g mJ, its parts sum to %g", whole, parts)
	}
	// One second of nothing but the constant power, in mJ.
	if got := of(0, 0, 1e9); math.Abs(got/(energy.Literature.StaticWatt*1e3)-1) > 1e-12 {
		t.Errorf("one second idle: %g mJ, want %g", got, energy.Literature.StaticWatt*1e3)
	}
}

// activities are of operators from a few microseconds to some milliseconds.
func activities(n int) []energy.Activity {
	rng := rand.New(rand.NewPCG(1, 2))
	work := make([]energy.Activity, n)
	for i := range work {
		size := math.Exp(3 + 6*rng.Float64())
		work[i] = energy.Activity{
			MACs: int64(size * 4e4 * rng.Float64()), Bytes: int64(size * 2e3 * (0.2 + rng.Float64())), LatencyNS: size * 1e3 * (0.5 + rng.Float64()),
		}
	}
	return work
}

func TestFitFindsTheCoefficients(t *testing.T) {
	for _, truth := range []energy.Coefficients{
		{PicojoulePerMAC: 12, PicojoulePerByte: 30, StaticWatt: 3.5},
		{PicojoulePerMAC: 12, StaticWatt: 3.5}, // bytes cost nothing that shows
		{StaticWatt: 7},
	} {
		work := activities(200)
		rng := rand.New(rand.NewPCG(3, 4))
		exact, noisy := make([]float64, len(work)), make([]float64, len(work))
		for i, a := range work {
			exact[i] = truth.Millijoules(a)
			noisy[i] = exact[i] * (1 + 0.02*rng.NormFloat64())
		}
		got, err := energy.Fit(work, exact)
		if err != nil || !near(got, truth, 1e-6) {
			t.Errorf("of exact energies by %+v: %+v, %v", truth, got, err)
		}
		got, err = energy.Fit(work, noisy)
		if err != nil || !near(got, truth, 0.15) || min(got.PicojoulePerMAC, got.PicojoulePerByte, got.StaticWatt) < 0 {
			t.Errorf("of energies with 2%% of noise by %+v: %+v, %v", truth, got, err)
		}
	}
}

// near tells whether the energy that each coefficient stands for differs by no
// more than a part of the whole.
func near(a, b energy.Coefficients, part float64) bool {
	typical := energy.Activity{MACs: 20e6, Bytes: 1.4e6, LatencyNS: 1e6}
	whole := b.Millijoules(typical)
	for _, d := range []energy.Coefficients{
		{PicojoulePerMAC: a.PicojoulePerMAC - b.PicojoulePerMAC}, {PicojoulePerByte: a.PicojoulePerByte - b.PicojoulePerByte}, {StaticWatt: a.StaticWatt - b.StaticWatt},
	} {
		if !(math.Abs(d.Millijoules(typical)) <= part*whole) {
			return false
		}
	}
	return true
}

// TestFitNeedsEnergies has operators that cannot be told apart, of which one
// coefficient is all that follows, and none at all.
func TestFitNeedsEnergies(t *testing.T) {
	same := energy.Activity{MACs: 1000, Bytes: 1000, LatencyNS: 1000}
	got, err := energy.Fit([]energy.Activity{same, same, same}, []float64{1, 1, 1})
	if err != nil || math.Abs(got.Millijoules(same)-1) > 1e-9 {
		t.Errorf("of one operator: %+v, %v", got, err)
	}
	if got, err := energy.Fit(nil, nil); err == nil {
		t.Errorf("of nothing: %+v", got)
	}
}
