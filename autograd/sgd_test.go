package autograd

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestCosine(t *testing.T) {
	for _, c := range []struct {
		step, total, warmup int
		want                float64
	}{
		{0, 100, 10, 0.05}, {4, 100, 10, 0.25}, {9, 100, 10, 0.5},
		{10, 100, 10, 0.5}, {55, 100, 10, 0.25}, {100, 100, 10, 0}, {120, 100, 10, 0},
		{0, 100, 0, 0.5}, {50, 100, 0, 0.25},
	} {
		if got := Cosine(c.step, c.total, c.warmup, 0.5); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("Cosine(%d, %d, %d) = %v, want %v", c.step, c.total, c.warmup, got, c.want)
		}
	}
}

func TestHeNormal(t *testing.T) {
	for _, c := range []struct {
		shape     []int
		groups    int
		deviation float64
	}{
		{[]int{64, 32, 3, 3}, 1, math.Sqrt(2.0 / (64 * 9))},
		{[]int{2000, 1, 3, 3}, 2000, math.Sqrt(2.0 / 9)},
		{[]int{100, 300}, 1, math.Sqrt(2.0 / 100)},
	} {
		w := NewParameter("w", c.shape...)
		HeNormal(w, c.groups, rand.New(rand.NewPCG(1, 2)))
		var sum, squares float64
		for _, v := range w.Data {
			sum += float64(v)
			squares += float64(v) * float64(v)
		}
		n := float64(w.Len())
		if got := math.Sqrt(squares / n); math.Abs(got/c.deviation-1) > 0.03 || math.Abs(sum/n) > 0.03*c.deviation {
			t.Errorf("%v: mean %v, deviation %v, want %v", c.shape, sum/n, got, c.deviation)
		}
		again := NewParameter("w", c.shape...)
		HeNormal(again, c.groups, rand.New(rand.NewPCG(1, 2)))
		compare(t, "the same seed", again.Data, w.Data, 0)
	}
}

// Training that goes on from a checkpoint takes the same steps.
func TestSGDResumes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := randomParameter(rng, 50)
	quadratic := func(p *Tensor, sgd *SGD) {
		ZeroGrad([]*Tensor{p})
		tape := NewTape(1)
		tape.Backward(tape.Sum(tape.Mul(p, p)), 0.1)
		sgd.Step([]*Tensor{p})
	}
	sgd := &SGD{LearningRate: 0.3, Momentum: 0.9, WeightDecay: 0.01}
	for range 3 {
		quadratic(p, sgd)
	}
	saved := Checkpoint{Tensors: []*Tensor{p, sgd.Velocity(p)}}
	data, err := saved.encode()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		quadratic(p, sgd)
	}

	c, err := decodeCheckpoint(data)
	if err != nil {
		t.Fatal(err)
	}
	q := NewParameter("p", 50)
	sgd = &SGD{LearningRate: 0.3, Momentum: 0.9, WeightDecay: 0.01}
	if err := c.Restore([]*Tensor{q, sgd.Velocity(q)}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		quadratic(q, sgd)
	}
	compare(t, "resumed", q.Data, p.Data, 0)
}
