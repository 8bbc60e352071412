package autograd

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hwprofd/hwprofd/kernels"
	"pgregory.net/rapid"
)

func TestResultsDoNotDependOnThreads(t *testing.T) {
	var want []float32
	for _, threads := range []int{1, 2, 3, 1} {
		m := &mobileNet{rng: rand.New(rand.NewPCG(5, 6)), tape: NewTape(threads)}
		input, labels := randomBatch(19, m.rng)
		sgd := &SGD{LearningRate: 0.05, Momentum: 0.9, WeightDecay: 1e-4}
		var got []float32
		for range 3 {
			got = append(got, m.step(sgd, input, labels))
		}
		for _, p := range m.params {
			got = append(got, p.Data...)
		}
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d threads give other results than 1", threads)
		}
	}
}

func TestStepKeepsItsMemory(t *testing.T) {
	m := &mobileNet{rng: rand.New(rand.NewPCG(5, 6)), tape: NewTape(1)}
	input, labels := randomBatch(16, m.rng)
	sgd := &SGD{LearningRate: 0.05, Momentum: 0.9}
	m.step(sgd, input, labels)
	held := m.tape.Bytes()
	// A closure for each operator and pass is all that is left.
	if n := testing.AllocsPerRun(3, func() { m.step(sgd, input, labels) }); n > 300 {
		t.Errorf("a step makes %v allocations", n)
	}
	if m.tape.Bytes() != held {
		t.Errorf("the tape grew from %d to %d bytes", held, m.tape.Bytes())
	}
}

func TestEvaluationFreesMemory(t *testing.T) {
	m := &mobileNet{rng: rand.New(rand.NewPCG(5, 6)), tape: NewTape(2)}
	input, _ := randomBatch(16, m.rng)
	want := slices.Clone(m.logits(m.tape.Constant(input, 16, 1, 28, 28)).Data)
	recorded := m.tape.Bytes()

	m.tape = NewTape(2)
	m.tape.SetGrad(false)
	y := m.logits(m.tape.Constant(input, 16, 1, 28, 28))
	if !slices.Equal(y.Data, want) {
		t.Error("logits differ without gradients")
	}
	if y.Differentiable() || len(m.tape.nodes) > 0 {
		t.Error("the pass was recorded")
	}
	if m.tape.Bytes() > recorded*2/3 {
		t.Errorf("holds %d bytes, with gradients %d", m.tape.Bytes(), recorded)
	}
}

func TestFreeKeepsWhatIsNeeded(t *testing.T) {
	tape := NewTape(1)
	p := randomParameter(rand.New(rand.NewPCG(1, 2)), 2, 100)
	y := tape.Activation(kernels.Sigmoid, p)
	tape.Free(y)
	tape.Free(p)
	if z := tape.Scale(y, 2); &z.Data[0] == &y.Data[0] || &z.Data[0] == &p.Data[0] {
		t.Error("memory that the backward pass needs was given away")
	}
	tape.SetGrad(false)
	y = tape.Scale(p, 2)
	flat := tape.Reshape(y, 200)
	tape.Free(y) // flat owns the memory now
	if z := tape.Scale(p, 3); &z.Data[0] == &flat.Data[0] {
		t.Error("a reshaped tensor's memory was given away with the original")
	}
	tape.Free(flat)
	if z := tape.Scale(p, 3); &z.Data[0] != &flat.Data[0] {
		t.Error("memory was not reused")
	}
}

func TestBackwardAccumulates(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := randomParameter(rng, 3, 4)
	tape := NewTape(1)
	first := tape.Sum(tape.Mul(p, p))
	second := tape.Sum(tape.Scale(p, 3))
	tape.Backward(first, 0.5)
	tape.Backward(second, 2)
	for i, g := range p.Grad {
		if want := p.Data[i] + 6; g-want > 1e-5 || want-g > 1e-5 {
			t.Fatalf("gradient %v, want %v", g, want)
		}
	}
	together := slices.Clone(p.Grad)
	ZeroGrad([]*Tensor{p})
	tape.Reset()
	tape.Backward(tape.Add(tape.Scale(tape.Sum(tape.Mul(p, p)), 0.5), tape.Scale(tape.Sum(tape.Scale(p, 3)), 2)), 1)
	compare(t, "gradient of the sum", p.Grad, together, 1e-6)
}

func TestDetachStopsGradients(t *testing.T) {
	p := randomParameter(rand.New(rand.NewPCG(1, 2)), 3)
	tape := NewTape(1)
	y := tape.Scale(p, 2)
	tape.Backward(tape.Sum(tape.Mul(y, tape.Detach(y))), 1)
	for i, g := range p.Grad {
		if want := 4 * p.Data[i]; g != want {
			t.Errorf("gradient %v, want %v", g, want)
		}
	}
}

func TestBatchStatistics(t *testing.T) {
	x := NewTensor(2, 2, 1, 2)
	copy(x.Data, []float32{1, 3, 10, 10, 5, 7, 10, 10})
	tape := NewTape(2)
	one, zero := NewTensor(2), NewTensor(2)
	Fill(one, 1)
	_, s := tape.BatchNorm(x, one, zero, BatchNormOptions{Epsilon: 1e-5})
	if !slices.Equal(s.Mean, []float32{4, 10}) || !slices.Equal(s.Variance, []float32{5, 0}) {
		t.Errorf("statistics %v", s)
	}
}

func TestShapesThatDoNotFitPanic(t *testing.T) {
	tape := NewTape(1)
	x := NewTensor(2, 3, 4, 4)
	for name, f := range map[string]func(){
		"conv channels": func() { tape.Conv2D(x, NewTensor(5, 4, 3, 3), nil, Conv2DOptions{}) },
		"conv bias":     func() { tape.Conv2D(x, NewTensor(5, 3, 3, 3), NewTensor(4), Conv2DOptions{}) },
		"conv kernel":   func() { tape.Conv2D(x, NewTensor(5, 3, 7, 7), nil, Conv2DOptions{}) },
		"linear":        func() { tape.Linear(NewTensor(2, 3), NewTensor(4, 5), nil) },
		"batchnorm":     func() { tape.BatchNorm(x, NewTensor(4), NewTensor(3), BatchNormOptions{}) },
		"add":           func() { tape.Add(x, NewTensor(2, 3)) },
		"mul":           func() { tape.Mul(x, NewTensor(2, 1, 1, 1)) },
		"reshape":       func() { tape.Reshape(x, 7) },
		"slice":         func() { tape.Slice(x, []int{0, 0, 0, 0}, []int{2, 4, 1, 1}) },
		"label":         func() { tape.CrossEntropy(NewTensor(1, 3), []int{3}, 0) },
		"backward":      func() { tape.Backward(x, 1) },
		"constant":      func() { tape.Backward(NewTensor(1), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, ok := recover().(string); !ok || len(text) < 10 || text[:10] != "autograd: " {
					t.Errorf("panic with %v", text)
				}
			}()
			f()
		})
	}
}

func TestSizeClasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1<<30).Draw(t, "n")
		class, size := sizeClass(n)
		if size < n || n > smallestBlock && size > n+n/4+1 {
			t.Fatalf("block of %d for %d", size, n)
		}
		if next, larger := sizeClass(size + 1); next != class+1 || larger <= size {
			t.Fatalf("class %d of %d is followed by %d of %d", class, size, next, larger)
		}
	})
}
