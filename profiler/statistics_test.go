package profiler

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestMedianInterval checks ranks against sums of binomial coefficients by hand.
func TestMedianInterval(t *testing.T) {
	tests := []struct {
		n       int
		low     float64
		bounded bool
	}{
		{1, 0, false},
		{5, 0, false}, // 2/2^5 = 6.25%
		{6, 0, true},  // 2/2^6 = 3.1%
		{8, 0, true},  // 2*(1+8)/2^8 = 7.0% for rank 1
		{9, 1, true},  // 2*(1+9)/2^9 = 3.9%
		{20, 5, true},
		{100, 39, true},
		{1000, 468, true},
	}
	for _, test := range tests {
		low, high, bounded := medianInterval(test.n)
		if math.Floor(low) != test.low || low+high != float64(test.n-1) || bounded != test.bounded {
			t.Errorf("medianInterval(%d) = %g, %g, %t, want %g to the next rank, its mirror image, %t", test.n, low, high, bounded, test.low, test.bounded)
		}
	}
}

// TestMedianIntervalIsTightest compares with the exact tail of the binomial
// distribution, summed term by term.
func TestMedianIntervalIsTightest(t *testing.T) {
	for n := 6; n <= 400; n++ {
		low, high, _ := medianInterval(n)
		if low+high != float64(n-1) {
			t.Fatalf("n=%d: ranks %g and %g are not symmetric", n, low, high)
		}
		rank := int(low)
		if p := 2 * binomialTail(n, rank); p > 0.05 {
			t.Errorf("n=%d: rank %d misses the median with probability %g", n, rank, p)
		}
		if p := 2 * binomialTail(n, rank+1); p <= 0.05 {
			t.Errorf("n=%d: rank %d would do: it misses with probability %g", n, rank+1, p)
		}
	}
}

// binomialTail returns P(B <= k) for B binomial with n trials and p = 1/2.
func binomialTail(n, k int) float64 {
	term := math.Exp2(-float64(n))
	sum := term
	for i := 1; i <= k; i++ {
		term *= float64(n-i+1) / float64(i)
		sum += term
	}
	return sum
}

// TestMedianIntervalCoverage draws from distributions with known medians.
func TestMedianIntervalCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	populations := map[string]struct {
		draw   func() float64
		median float64
	}{
		"uniform":     {rng.Float64, 0.5},
		"exponential": {rng.ExpFloat64, math.Ln2},
		"log-normal":  {func() float64 { return math.Exp(rng.NormFloat64()) }, 1},
		// A quiet machine on which one run in ten is interrupted.
		"interrupted": {func() float64 {
			if rng.Float64() < 0.1 {
				return 100 + rng.ExpFloat64()
			}
			return rng.NormFloat64()
		}, 0.1397102918}, // the quantile 0.5/0.9 of the normal distribution
	}
	const trials = 4000
	for name, p := range populations {
		for _, n := range []int{20, 101} {
			covered := 0
			samples := make([]float64, n)
			for range trials {
				for i := range samples {
					samples[i] = p.draw()
				}
				if s := summarize(samples); s.Low <= p.median && p.median <= s.High {
					covered++
				}
			}
			if got := float64(covered) / trials; got < 0.93 || got > 0.975 {
				t.Errorf("%s, n=%d: interval covers the median in %.4f of the trials, want 0.95", name, n, got)
			}
		}
	}
}

func TestSummarize(t *testing.T) {
	samples := []float64{9, 1, 8, 2, 7, 3, 6, 4, 5, 10}
	got := summarize(samples)
	if got.Median != 5.5 || got.Mean != 5.5 || got.P10 != 1 || got.P90 != 9 || !got.Bounded {
		t.Errorf("summarize = %+v", got)
	}
	// Between ranks 1 and 2 of 10, that cover 97.9% and 89.1%.
	if got.Low < 2 || got.Low > 3 || got.High != 11-got.Low {
		t.Errorf("interval %g to %g, want one a little narrower than 2 to 9", got.Low, got.High)
	}
	if want := (got.High - got.Low) / 5.5; got.width() != want {
		t.Errorf("width = %g, want %g", got.width(), want)
	}
	one := summarize([]float64{3})
	if one.Bounded || one.Low != 3 || one.High != 3 {
		t.Errorf("one sample: %+v, want no stated confidence", one)
	}
}

// autoregressive returns a series whose values are correlated with the one
// before by phi, with mean 0 and variance 1.
func autoregressive(rng *rand.Rand, n int, phi float64) []float64 {
	x := make([]float64, n)
	x[0] = rng.NormFloat64()
	for i := 1; i < n; i++ {
		x[i] = phi*x[i-1] + math.Sqrt(1-phi*phi)*rng.NormFloat64()
	}
	return x
}

// TestIntervalCoversUnderAutocorrelation: with as many samples as the
// correlation takes for some twenty independent ones, the interval covers about
// as stated; one that takes samples for independent would cover 60% at 0.8.
func TestIntervalCoversUnderAutocorrelation(t *testing.T) {
	for _, c := range []struct {
		phi float64
		n   int
	}{{0, 50}, {0.3, 60}, {0.6, 150}, {0.8, 300}, {0.9, 800}} {
		rng := rand.New(rand.NewPCG(3, uint64(c.n)))
		covered := 0
		const trials = 3000
		for range trials {
			if s := summarize(autoregressive(rng, c.n, c.phi)); s.Low <= 0 && 0 <= s.High {
				covered++
			}
		}
		got := float64(covered) / trials
		t.Logf("correlation %g, %d samples: covers %.3f", c.phi, c.n, got)
		if got < 0.925 || got > 0.975 {
			t.Errorf("correlation %g, %d samples: the interval covers the median in %.3f of the trials", c.phi, c.n, got)
		}
	}
}

func TestEffectiveSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	// The indicator of an autoregressive normal series has the correlation
	// 2/pi asin(phi^k) at lag k.
	for _, phi := range []float64{0, 0.5, 0.9} {
		time := 1.0
		for k := 1; k < 200; k++ {
			time += 4 / math.Pi * math.Asin(math.Pow(phi, float64(k)))
		}
		const n, series = 4000, 50
		got := 0.0
		for range series {
			got += n / effectiveSize(autoregressive(rng, n, phi)) / series
		}
		if math.Abs(got/time-1) > 0.15 {
			t.Errorf("correlation %g: %.2f samples tell as much as one, want %.2f", phi, got, time)
		}
	}
	if got := effectiveSize([]float64{1, 1, 1, 1, 1, 1, 1}); got != 7 {
		t.Errorf("a constant series has %g independent samples", got)
	}
}

// TestBimodal counts false alarms over populations of one mode, and misses.
func TestBimodal(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	normal := func() float64 { return rng.NormFloat64() }
	for _, p := range []struct {
		name string
		draw func() float64
		two  bool
	}{
		{"normal", func() float64 { return 100 + 3*normal() }, false},
		{"uniform", func() float64 { return 100 + 10*rng.Float64() }, false},
		{"log-normal", func() float64 { return 100 * math.Exp(0.1*normal()) }, false},
		{"exponential tail", func() float64 { return 100 + 5*rng.ExpFloat64() }, false},
		{"heavy tails", func() float64 { return 100 + normal()/math.Sqrt((math.Pow(normal(), 2)+math.Pow(normal(), 2))/2) }, false},
		{"narrow pair", func() float64 { return 100 + float64(rng.IntN(2)) + 0.1*normal() }, false}, // 1%: not worth a flag
		{"interrupted", func() float64 {
			if rng.Float64() < 0.05 {
				return 200 + normal()
			}
			return 100 + normal()
		}, false},
		{"two clocks", func() float64 { return 100 + 20*float64(rng.IntN(2)) + 2*normal() }, true},
		{"one in four", func() float64 {
			if rng.IntN(4) == 0 {
				return 150 + 2*normal()
			}
			return 100 + 2*normal()
		}, true},
	} {
		for _, n := range []int{20, 50, 200} {
			const trials = 2000
			flagged := 0
			for range trials {
				x := make([]float64, n)
				for i := range x {
					x[i] = p.draw()
				}
				slices.Sort(x)
				if bimodal(x) {
					flagged++
				}
			}
			share := float64(flagged) / trials
			t.Logf("%s, %d samples: %.2f%% flagged", p.name, n, 100*share)
			if !p.two && share > 0.02 || p.two && n >= 50 && share < 0.95 {
				t.Errorf("%s, %d samples: %.2f%% are called bimodal", p.name, n, 100*share)
			}
		}
	}
}

func TestLastChange(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6))
	alarms, off := 0, 0
	const trials = 1000
	for range trials {
		x := make([]float64, 40)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		if lastChange(x) > 0 {
			alarms++
		}
		for i := range x[:15] {
			x[i] += 4
		}
		if at := lastChange(x); at < 13 || at > 17 {
			off++
		}
	}
	if alarms > trials*2/100 {
		t.Errorf("%d false alarms in %d steady series, want about 1%%", alarms, trials)
	}
	if off > trials*3/100 {
		t.Errorf("%d of %d changes of level were not found where they are", off, trials)
	}
	if at := lastChange(make([]float64, 30)); at != 0 {
		t.Errorf("a constant series changes at %d", at)
	}
}

func TestMedianKeepsOrder(t *testing.T) {
	samples := []float64{3, 1, 2, 10}
	if got := median(samples); got != 2.5 {
		t.Errorf("median = %g, want 2.5", got)
	}
	if samples[0] != 3 || samples[3] != 10 {
		t.Errorf("median reordered its input: %v", samples)
	}
}
