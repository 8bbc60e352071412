package energy_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
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

// powercap builds a tree as Linux shows it: two packages, a core domain within
// the first.
func powercap(t *testing.T) string {
	root := t.TempDir()
	for dir, label := range map[string]string{
		"intel-rapl:0": "package-0", "intel-rapl:1": "package-1", "intel-rapl:0:0": "core",
	} {
		path := filepath.Join(root, dir)
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(path, "name"), label)
		write(t, filepath.Join(path, "max_energy_range_uj"), "10000000")
		write(t, filepath.Join(path, "energy_uj"), "9000000")
	}
	return root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRAPL(t *testing.T) {
	root := powercap(t)
	r, err := energy.OpenRAPL(root)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		what        string
		zero, one   string
		wantJoules  float64
		coreCounter string
	}{
		{"nothing used", "9000000", "9000000", 0, "9000000"},
		{"both count", "9250000", "9500000", 0.75, "9500000"},
		{"the first wraps", "250000", "9500000", 1.75, "0"},
	}
	for _, s := range steps {
		write(t, filepath.Join(root, "intel-rapl:0/energy_uj"), s.zero)
		write(t, filepath.Join(root, "intel-rapl:1/energy_uj"), s.one)
		write(t, filepath.Join(root, "intel-rapl:0:0/energy_uj"), s.coreCounter)
		got, err := r.Joules()
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got-s.wantJoules) > 1e-9 {
			t.Errorf("%s: %g J, want %g", s.what, got, s.wantJoules)
		}
	}
}

func TestRAPLFailures(t *testing.T) {
	if _, err := energy.OpenRAPL(t.TempDir()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("no domain: error %v, want errors.ErrUnsupported", err)
	}

	root := powercap(t)
	r, err := energy.OpenRAPL(root)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "intel-rapl:1/energy_uj")
	write(t, path, "broken")
	if _, err := r.Joules(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("counter that is no number: error %v, want one that names %s", err, path)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Joules(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("sensor that vanished: error %v, want os.ErrNotExist", err)
	}
}
