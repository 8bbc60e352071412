package predictor

import (
	"math/rand/v2"
	"testing"
)

func TestDecideFusion(t *testing.T) {
	measured := func(ns float64) Measured { return Measured{NS: ns, CI95: 0.01 * ns} }
	for _, test := range []struct {
		name                           string
		first, second, together, empty Measured
		want                           Verdict
	}{
		{"a convolution and its relu", measured(10000), measured(3000), measured(10300), measured(500), VerdictFused},
		{"two convolutions", measured(10000), measured(8000), measured(17500), measured(500), VerdictApart},
		{"without calls to save", measured(10000), measured(8000), measured(18000), measured(0), VerdictApart},
		{"a warm cache saves a little", measured(10000), measured(8000), measured(17000), measured(500), VerdictApart},
		{"too noisy", Measured{10000, 2000}, measured(3000), Measured{10800, 2000}, measured(500), VerdictUnclear},
		{"a second that is lost in the noise", Measured{100000, 3000}, measured(700), measured(100000), measured(500), VerdictUnclear},
		{"an order that does not matter", measured(3000), measured(10000), measured(10300), measured(500), VerdictFused},
	} {
		got, err := DecideFusion(test.first, test.second, test.together, test.empty)
		if err != nil {
			t.Fatal(err)
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	for _, bad := range []Measured{{}, {NS: -1}, {NS: 1, CI95: -1}} {
		if _, err := DecideFusion(bad, measured(1), measured(1), measured(0)); err == nil {
			t.Errorf("latency %+v: no error", bad)
		}
	}
}

// TestFusionIsRarelyWrong draws pairs with known truth and noise, and wants few
// wrong verdicts; those that it cannot tell it has to say so.
func TestFusionIsRarelyWrong(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const rounds = 5000
	wrong, decided := 0, 0
	for i := range rounds {
		noise := 0.002 + 0.03*rng.Float64()
		measure := func(ns float64) Measured {
			return Measured{ns * (1 + noise*rng.NormFloat64()), 1.96 * noise * ns}
		}
		call, first, second := 500.0, 2000+20000*rng.Float64(), 500+5000*rng.Float64()
		fused := i%2 == 0
		together := call + first + second
		if fused {
			together -= 0.9 * min(first, second)
		}
		verdict, err := DecideFusion(measure(call+first), measure(call+second), measure(together), measure(call))
		if err != nil {
			t.Fatal(err)
		}
		if verdict == VerdictUnclear {
			continue
		}
		decided++
		if (verdict == VerdictFused) != fused {
			wrong++
		}
	}
	t.Logf("%d of %d decided, %d wrong", decided, rounds, wrong)
	if wrong*50 > decided || decided < rounds/2 {
		t.Errorf("%d of %d decided, %d wrong", decided, rounds, wrong)
	}
}
