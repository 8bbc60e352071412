package predictor

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func curve(n, d int) (x [][]float64, y, own []float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range n {
		row := make([]float64, d)
		for j := range row {
			row[j] = rng.NormFloat64()
		}
		x, y, own = append(x, row), append(y, math.Sin(2*row[0])+0.5*row[1]), append(own, 0.01*rng.Float64())
	}
	return x, y, own
}

func TestLeaveOneOutIsThat(t *testing.T) {
	x, y, own := curve(25, 3)
	for _, h := range []hyper{{noise: 0.1}, {smooth: 1, length: 0.5, noise: 0.01}} {
		var want float64
		for i := range x {
			p, ok := condition(h, slices.Concat(x[:i], x[i+1:]), slices.Concat(y[:i], y[i+1:]), slices.Concat(own[:i], own[i+1:]))
			if !ok {
				t.Fatal("singular")
			}
			want += math.Abs(p.mean(x[i])-y[i]) / float64(len(x))
		}
		if got := h.leaveOneOut(compare(x), y, own); math.Abs(got-want) > 1e-9 {
			t.Errorf("%+v: leave-one-out error %g, want %g", h, got, want)
		}
	}
}

// TestRidge compares the process without its smooth part with the normal
// equations of ridge regression with an intercept that is penalised too.
func TestRidge(t *testing.T) {
	x, y, _ := curve(30, 3)
	const noise = 0.5
	p, ok := condition(hyper{noise: noise}, x, y, make([]float64, len(y)))
	if !ok {
		t.Fatal("singular")
	}
	design := mat.NewDense(30, 4, nil)
	for i, row := range x {
		design.SetRow(i, append([]float64{1}, row...))
	}
	var gram mat.Dense
	gram.Mul(design.T(), design)
	for j := range 4 {
		gram.Set(j, j, gram.At(j, j)+noise*4) // prior variance 1/(d+1)
	}
	var target, b mat.VecDense
	target.MulVec(design.T(), mat.NewVecDense(30, y))
	if err := b.SolveVec(&gram, &target); err != nil {
		t.Fatal(err)
	}
	at := []float64{0.3, -2, 1.5}
	want := b.AtVec(0)
	for j, v := range at {
		want += b.AtVec(j+1) * v
	}
	if got := p.mean(at); math.Abs(got-want) > 1e-9 {
		t.Errorf("mean %g, want %g", got, want)
	}
}

func TestDeviation(t *testing.T) {
	x, y, _ := curve(30, 3)
	h := hyper{smooth: 1, length: 0.6, noise: 1e-8}
	p, ok := condition(h, x, y, make([]float64, len(y)))
	if !ok {
		t.Fatal("singular")
	}
	if d := p.deviation(x[3]); d > 1e-3 {
		t.Errorf("deviation %g at a known row, want 0", d)
	}
	far := []float64{50, 0, 0}
	if d := p.deviation(far); d < 1 {
		t.Errorf("deviation %g far from all rows, want at least that of the smooth part, 1", d)
	}
}

// TestOwnNoise has a row that is known not to be reliable.
func TestOwnNoise(t *testing.T) {
	x, y, _ := curve(30, 2)
	y[7] += 5
	own := make([]float64, len(y))
	error7 := func() float64 {
		p, ok := condition(hyper{smooth: 1, length: 0.6, noise: 1e-2}, x, y, own)
		if !ok {
			t.Fatal("singular")
		}
		return math.Abs(p.mean(x[7]) - (y[7] - 5))
	}
	unaware := error7()
	own[7] = 100
	if aware := error7(); aware > unaware/3 {
		t.Errorf("error %g where the row's noise is known, %g where not", aware, unaware)
	}
}
