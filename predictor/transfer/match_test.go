package transfer

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/hwprofd/hwprofd/predictor/internal/rank"
)

// checkMatch: ten measurements tell that a device is a known one in another box,
// which is not seen through its own family in rehearsals.
func checkMatch(t *testing.T, p *experience) {
	it := p.items
	rng := rand.New(rand.NewPCG(9, 1))
	times := make([]float64, len(it.times[1]))
	for i, v := range it.times[1] {
		times[i] = 2.5 * v * math.Exp(0.02*rng.NormFloat64())
	}
	measured := rng.Perm(len(times))[:10]
	posteriors := p.conditionAll(p.mixtures, p.kernels, measured, at(times, measured))
	first, share := len(p.kernels[0])-len(p.sums)-len(it.times), make([]float64, len(it.times))
	for _, m := range blend(posteriors, p.plausible(posteriors, measured), temper) {
		for d := range share {
			if m.weights[first+d] != 0 {
				share[d] += m.share
			}
		}
	}
	for d, s := range share {
		if d == 1 && s < 0.5 || d != 1 && s > 0.05 {
			t.Errorf("the new device is device%d with probability %.3f", d, s)
		}
	}
	q, err := p.predict(measured, at(times, measured))
	if err != nil {
		t.Fatal(err)
	}
	if rho := rank.Spearman(q.mean, times); rho < 0.98 {
		t.Errorf("rank correlation %.4f", rho)
	}
	for f, family := range p.families {
		seen := p.conditionAll(p.mixtures, p.kernelsFor(p.without(f)), measured, at(times, measured))
		for i, m := range p.mixtures {
			for _, d := range family {
				if m.weights[first+d] != 0 && seen[i] != nil {
					t.Fatalf("mixture %d matches device%d, which is hidden", i, d)
				}
			}
		}
	}
}
