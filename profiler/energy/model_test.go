package energy_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/hwprofd/hwprofd/profiler/energy"
)

func ExampleModel() {
	// A 3x3 convolution of 64 channels at 14x14: 7.2 million
	// multiply-accumulates, 248 kB moved, 150 us.
	fmt.Printf("%.3f mJ\n", energy.Model(7_225_344, 248_064, 150_000))
	// Output: 0.337 mJ
}

func TestModelAddsItsParts(t *testing.T) {
	whole := energy.Model(1000, 2000, 3000)
	parts := energy.Model(1000, 0, 0) + energy.Model(0, 2000, 0) + energy.Model(0, 0, 3000)
	if math.Abs(whole-parts) > 1e-12 {
		t.Errorf("Model(1000, 2000, 3000) = %g, its parts sum to %g", whole, parts)
	}
	// One second of nothing but the constant power, in mJ.
	if got := energy.Model(0, 0, 1e9); got != energy.StaticWatt*1e3 {
		t.Errorf("one second idle: %g mJ, want %g", got, energy.StaticWatt*1e3)
	}
}
