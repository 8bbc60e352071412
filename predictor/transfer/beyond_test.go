package transfer

import (
	"math"
	"math/rand/v2"
	"testing"
)

// madeUpNetworks are networks of rows of two families, which take a constant and
// a share of each family beyond the sum, of rows of the given level.
func madeUpNetworks(rng *rand.Rand, level, constant float64, shares []float64) (parts [][]int, networks, rows []float64, family []int) {
	for i := range 40 {
		rows = append(rows, math.Log(level*(1+rng.Float64())))
		family = append(family, i%2)
	}
	for n := range 20 {
		var part []int
		ns := constant
		for range 5 + n {
			i := rng.IntN(len(rows)/2)*2 + rng.IntN(2)*min(1, n%3) // of every third network all are of one family
			part = append(part, i)
			ns += math.Exp(rows[i]) * (1 + shares[family[i]])
		}
		parts, networks = append(parts, part), append(networks, math.Log(ns))
	}
	return parts, networks, rows, family
}

func TestFitBeyond(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	shares := []float64{0.15, -0.05}
	parts, networks, rows, family := madeUpNetworks(rng, 1000, 1500, shares)
	b := fitBeyond(parts, networks, rows, family)
	if math.Abs(b.constant-1500) > 300 || math.Abs(b.shares[0]-0.15) > 0.03 || math.Abs(b.shares[1]+0.05) > 0.03 || b.wrong > 0.01 {
		t.Errorf("fitted %+v to networks of a constant of 1500 ns and shares %v", b, shares)
	}
	for n, part := range parts {
		if got := b.network(rows, part, family); math.Abs(got-networks[n]) > 0.02 {
			t.Errorf("network %d is predicted %.1f%% off", n, 100*(got-networks[n]))
		}
	}
	if got, want := (beyond{constant: -1e9, shares: shares}).network(rows, parts[0], family), logOfSum(rows, parts[0])-math.Ln2; math.Abs(got-want) > 1e-9 {
		t.Errorf("a network with less than nothing beyond its rows takes %g, want half of these, %g", math.Exp(got), math.Exp(want))
	}
	none := fitBeyond(nil, nil, rows, family)
	if got := none.network(rows, parts[0], family); math.Abs(got-logOfSum(rows, parts[0])) > 1e-9 {
		t.Errorf("without networks one takes %g, want the sum of its rows", math.Exp(got))
	}
}

// A device whose networks do not add up, and one that is unlike the new one, tell
// less of what networks take beyond their rows.
func TestMixBeyond(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 2))
	like, unlike := make([]float64, 30), make([]float64, 30)
	rows := make([]float64, 30)
	for i := range rows {
		rows[i] = rng.NormFloat64()
		like[i], unlike[i] = rows[i]+2+0.1*rng.NormFloat64(), rows[i]+0.5*rng.NormFloat64()
	}
	of := []beyond{
		{constant: 100, shares: []float64{0.1}, size: 1000, wrong: 0.01},
		{constant: 900, shares: []float64{0.9}, size: 1000, wrong: 0.01},
		{constant: 900, shares: []float64{0.9}, size: 1000, wrong: 0.5},
		{shares: []float64{0}}, // without networks
	}
	weights := beyondWeights([][]float64{like, unlike, like, like}, rows, []float64{1, 1, 1, 1}, of)
	if weights[1] > weights[0]/5 || weights[2] > weights[0]/5 {
		t.Errorf("weights %v, want the first device to count much more than the next two", weights)
	}
	alike := beyondWeights([][]float64{like, like}, rows, []float64{3, 2}, of[:2])
	if math.Abs(alike[0]/alike[1]-math.Exp(likeWeight)) > 1e-9 {
		t.Errorf("weights %v of devices of which one has one thing more in common with the new one", alike)
	}
	mixed := mixBeyond(of, weights, 4000)
	if mixed.shares[0] < 0.1 || mixed.shares[0] > 0.35 || mixed.constant < 200 || mixed.constant > 700 {
		t.Errorf("mixed %+v, want something near twice the constant, 200 ns, and the share, 0.1, of the first", mixed)
	}
}
