package profiler

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestMedianInterval checks ranks against sums of binomial coefficients by hand.
func TestMedianInterval(t *testing.T) {
	tests := []struct {
		n, low, high int
		bounded      bool
	}{
		{1, 0, 0, false},
		{5, 0, 4, false}, // 2/2^5 = 6.25%
		{6, 0, 5, true},  // 2/2^6 = 3.1%
		{8, 0, 7, true},  // 2*(1+8)/2^8 = 7.0% for rank 1
		{9, 1, 7, true},  // 2*(1+9)/2^9 = 3.9%
		{20, 5, 14, true},
		{100, 39, 60, true},
		{1000, 468, 531, true},
	}
	for _, test := range tests {
		low, high, bounded := medianInterval(test.n)
		if low != test.low || high != test.high || bounded != test.bounded {
			t.Errorf("medianInterval(%d) = %d, %d, %t, want %d, %d, %t",
				test.n, low, high, bounded, test.low, test.high, test.bounded)
		}
	}
}

// TestMedianIntervalIsTightest compares with the exact tail of the binomial
// distribution, summed term by term.
func TestMedianIntervalIsTightest(t *testing.T) {
	for n := 6; n <= 400; n++ {
		low, high, _ := medianInterval(n)
		if low+high != n-1 {
			t.Fatalf("n=%d: ranks %d and %d are not symmetric", n, low, high)
		}
		if p := 2 * binomialTail(n, low); p > 0.05 {
			t.Errorf("n=%d: rank %d misses the median with probability %g", n, low, p)
		}
		if p := 2 * binomialTail(n, low+1); p <= 0.05 {
			t.Errorf("n=%d: rank %d would do: it misses with probability %g", n, low+1, p)
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
		for _, n := range []int{6, 20, 101} {
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
			low, _, _ := medianInterval(n)
			want := 1 - 2*binomialTail(n, low)
			got := float64(covered) / trials
			// Four standard deviations of the simulated share.
			if slack := 4 * math.Sqrt(want*(1-want)/trials); math.Abs(got-want) > slack {
				t.Errorf("%s, n=%d: interval covers the median in %.4f of the trials, want %.4f", name, n, got, want)
			}
		}
	}
}

func TestSummarize(t *testing.T) {
	samples := []float64{9, 1, 8, 2, 7, 3, 6, 4, 5, 10}
	got := summarize(samples)
	want := summary{Median: 5.5, Mean: 5.5, P10: 1, P90: 9, Low: 2, High: 9, Bounded: true}
	if got != want {
		t.Errorf("summarize = %+v, want %+v", got, want)
	}
	if got := got.width(); math.Abs(got-7/5.5) > 1e-12 {
		t.Errorf("width = %g, want %g", got, 7/5.5)
	}
	one := summarize([]float64{3})
	if one.Bounded || one.Low != 3 || one.High != 3 {
		t.Errorf("one sample: %+v, want no stated confidence", one)
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
