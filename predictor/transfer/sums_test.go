package transfer

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/hwprofd/hwprofd/predictor/internal/rank"
)

// sumShareOf is how probable it is, by ten measurements, that a device costs a sum.
func sumShareOf(t *testing.T, p *experience, times []float64, measured []int) float64 {
	t.Helper()
	posteriors := p.conditionAll(p.mixtures, p.kernels, measured, at(times, measured))
	share := 0.0
	for _, m := range blend(posteriors, p.plausible(posteriors, measured), temper) {
		if p.isSum(m.mixture) {
			share += m.share
		}
	}
	return share
}

// TestClasses learns once what the classes of their own are checked with.
func TestClasses(t *testing.T) {
	table := madeUp(t, 1000, 0.05)
	it, err := table.protocol(10).items()
	if err != nil {
		t.Fatal(err)
	}
	p, err := learn(it, 10, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("sums", func(t *testing.T) { checkSums(t, p) })
	t.Run("match", func(t *testing.T) { checkMatch(t, p) })
}

// checkSums: devices that cost exact sums are told from ten measurements, though
// no known one is exact, and predicted to the last digit; noisy ones that cost
// products are not taken for sums.
func checkSums(t *testing.T, p *experience) {
	it := p.items
	rng := rand.New(rand.NewPCG(5, 6))
	products := 0.0
	for k := range p.sums {
		exact := uniformCosts(columnsOf(it.sums, k), 0, rng)
		product := make([]float64, len(exact))
		for i, v := range exact {
			product[i] = v * v * math.Exp(0.05*rng.NormFloat64())
		}
		for range 2 {
			measured := rng.Perm(len(exact))[:10]
			products += sumShareOf(t, p, product, measured) / float64(2*len(p.sums))
			if share := sumShareOf(t, p, exact, measured); share < 0.99 {
				t.Errorf("%s: exact sums are sums with probability %.3f", p.sums[k].name, share)
			}
			q, err := p.predict(measured, at(exact, measured))
			if err != nil {
				t.Fatal(err)
			}
			if rho := rank.Spearman(q.mean, exact); rho < 0.97 {
				t.Errorf("%s: rank correlation %.4f", p.sums[k].name, rho)
			}
		}
	}
	if products > 0.3 {
		t.Errorf("noisy products are sums with probability %.3f", products)
	}
}

// TestManySums: intervals of exact sums allow for rounding.
func TestManySums(t *testing.T) {
	table := madeUp(t, 600, 0.05)
	it, err := table.protocol(100).items()
	if err != nil {
		t.Fatal(err)
	}
	p, err := learn(it, 100, 3)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for k := range p.sums {
		truth := uniformCosts(columnsOf(it.sums, k), 0, rng)
		measured := rng.Perm(len(truth))[:100]
		q, err := p.predict(measured, at(truth, measured))
		if err != nil {
			t.Fatal(err)
		}
		if d := score(q, truth, measured); d.Spearman < 0.999 || d.Median > 1e-4 || d.Coverage90 < 0.75 {
			t.Errorf("%s: %+v", p.sums[k].name, d)
		}
	}
}

func TestResolution(t *testing.T) {
	for _, c := range []struct {
		times  []float64
		unit   float64
		digits int
	}{
		{[]float64{1.25, 300, 0.5}, 0.01, 3},
		{[]float64{1e-7, 2.5e-6}, 1e-7, 2},
		{[]float64{1200, 41000}, 1, 2},
	} {
		unit, digits := resolution(c.times)
		if math.Abs(unit-c.unit) > 1e-12*c.unit || digits != c.digits {
			t.Errorf("%v: multiples of %g, %d digits, want %g, %d", c.times, unit, digits, c.unit, c.digits)
		}
	}
	if got := rounded(123456.789, 4); got != 123500 {
		t.Errorf("four digits of 123456.789 are %v", got)
	}
}

// TestReached: what the input reaches and what reaches the output.
func TestReached(t *testing.T) {
	s := nasBench201{}
	// Node 1 is not fed but used, node 2 is fed but not used.
	a := Architecture{nb201None, nb201Conv3, nb201None, nb201Skip, nb201Conv1, nb201None}
	fed, used := s.reached(a)
	if want := (Architecture{nb201None, nb201Conv3, nb201None, nb201Skip, nb201None, nb201None}); fed.String() != want.String() {
		t.Errorf("the input reaches %v, want %v", fed, want)
	}
	if want := (Architecture{nb201None, nb201None, nb201None, nb201Skip, nb201Conv1, nb201None}); used.String() != want.String() {
		t.Errorf("%v reach the output, want %v", used, want)
	}
}
