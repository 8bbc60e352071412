package autograd_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hwprofd/hwprofd/autograd"
	"github.com/hwprofd/hwprofd/dataset"
	"github.com/hwprofd/hwprofd/kernels"
)

// A linear layer learns the exclusive or of two bits from their product.
func Example() {
	input := []float32{
		0, 0, 0,
		0, 1, 0,
		1, 0, 0,
		1, 1, 1,
	}
	labels := []int{0, 1, 1, 0}

	w := autograd.NewParameter("weight", 2, 3)
	b := autograd.NewParameter("bias", 2)
	autograd.HeNormal(w, 1, rand.New(rand.NewPCG(1, 0)))
	params := []*autograd.Tensor{w, b}
	sgd := autograd.SGD{Momentum: 0.9}

	const steps = 200
	tape := autograd.NewTape(1)
	for step := range steps {
		tape.Reset()
		autograd.ZeroGrad(params)
		logits := tape.Linear(tape.Constant(input, 4, 3), w, b)
		tape.Backward(tape.CrossEntropy(logits, labels, 0), 1)
		sgd.LearningRate = float32(autograd.Cosine(step, steps, 10, 0.5))
		sgd.Step(params)
	}

	tape.SetGrad(false)
	logits := tape.Linear(tape.Constant(input, 4, 3), w, b)
	for i := range 4 {
		fmt.Println(input[3*i], input[3*i+1], logits.Data[2*i+1] > logits.Data[2*i])
	}
	// Output:
	// 0 0 false
	// 0 1 true
	// 1 0 true
	// 1 1 false
}

// smallNet is a convolutional network with a depthwise block and
// squeeze-and-excitation.
type smallNet struct {
	params []*autograd.Tensor
	rng    *rand.Rand
}

func (m *smallNet) weight(shape ...int) *autograd.Tensor {
	w := autograd.NewParameter(fmt.Sprint("weight", len(m.params)), shape...)
	groups := 1
	if len(shape) == 4 && shape[1] == 1 {
		groups = shape[0]
	}
	autograd.HeNormal(w, groups, m.rng)
	m.params = append(m.params, w)
	return w
}

func (m *smallNet) vector(n int, value float32) *autograd.Tensor {
	v := autograd.NewParameter(fmt.Sprint("vector", len(m.params)), n)
	autograd.Fill(v, value)
	m.params = append(m.params, v)
	return v
}

func newSmallNet(seed uint64) (*smallNet, func(t *autograd.Tape, x *autograd.Tensor) *autograd.Tensor) {
	m := &smallNet{rng: rand.New(rand.NewPCG(seed, 0))}
	stem, stemScale, stemShift := m.weight(16, 1, 3, 3), m.vector(16, 1), m.vector(16, 0)
	depth, depthScale, depthShift := m.weight(16, 1, 3, 3), m.vector(16, 1), m.vector(16, 0)
	squeeze, excite := m.weight(8, 16, 1, 1), m.weight(16, 8, 1, 1)
	point, pointScale, pointShift := m.weight(32, 16, 1, 1), m.vector(32, 1), m.vector(32, 0)
	head, bias := m.weight(10, 32), m.vector(10, 0)
	same := [4]int{1, 1, 1, 1}
	return m, func(t *autograd.Tape, x *autograd.Tensor) *autograd.Tensor {
		relu := autograd.BatchNormOptions{Epsilon: 1e-5, Activation: kernels.ReLU}
		hswish := autograd.BatchNormOptions{Epsilon: 1e-5, Activation: kernels.HardSwish}
		x, _ = t.BatchNorm(t.Conv2D(x, stem, nil, autograd.Conv2DOptions{Stride: [2]int{2, 2}, Pad: same}), stemScale, stemShift, relu)
		x, _ = t.BatchNorm(t.Conv2D(x, depth, nil, autograd.Conv2DOptions{Stride: [2]int{2, 2}, Pad: same, Groups: 16}), depthScale, depthShift, hswish)
		s := t.Activation(kernels.ReLU, t.Conv2D(t.GlobalAvgPool(x), squeeze, nil, autograd.Conv2DOptions{}))
		x = t.Mul(x, t.Activation(kernels.HardSigmoid, t.Conv2D(s, excite, nil, autograd.Conv2DOptions{})))
		x, _ = t.BatchNorm(t.Conv2D(x, point, nil, autograd.Conv2DOptions{}), pointScale, pointShift, relu)
		return t.Linear(t.Flatten(t.GlobalAvgPool(x)), head, bias)
	}
}

func TestNetworkLearns(t *testing.T) {
	train, test, err := dataset.FashionMNISTSample()
	if err != nil {
		t.Fatal(err)
	}
	const size, steps, held = 64, 250, 500
	tr := dataset.Transform{Resolution: 14, Shift: 1, Flip: true}
	tr.Mean, tr.Deviation = train.Moments()
	batches, err := dataset.NewBatches(train.N, size, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, forward := newSmallNet(1)
	sgd := autograd.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-4, Decays: func(p *autograd.Tensor) bool { return len(p.Shape) > 1 }}
	tape := autograd.NewTape(2)
	rng := rand.New(rand.NewPCG(2, 0))
	input, labels := make([]float32, size*14*14), make([]int, size)
	for step := range steps {
		train.Batch(input, labels, batches.At(step), tr, rng)
		tape.Reset()
		autograd.ZeroGrad(m.params)
		loss := tape.CrossEntropy(forward(tape, tape.Constant(input, size, 1, 14, 14)), labels, 0.1)
		tape.Backward(loss, 1)
		autograd.ClipNorm(m.params, 5)
		sgd.LearningRate = float32(autograd.Cosine(step, steps, 20, 0.1))
		sgd.Step(m.params)
	}

	indices := rand.New(rand.NewPCG(3, 0)).Perm(test.N)[:held]
	input, labels = make([]float32, held*14*14), make([]int, held)
	test.Batch(input, labels, indices, tr, nil)
	tape.Reset()
	tape.SetGrad(false)
	logits := forward(tape, tape.Constant(input, held, 1, 14, 14))
	right := 0
	for i, label := range labels {
		best := 0
		for j := range 10 {
			if logits.Data[i*10+j] > logits.Data[i*10+best] {
				best = j
			}
		}
		if best == label {
			right++
		}
	}
	accuracy := float64(right) / held
	t.Logf("accuracy %.3f on %d held-out images", accuracy, held)
	if accuracy < 0.6 {
		t.Errorf("accuracy %.3f after %d steps; chance is 0.1", accuracy, steps)
	}
}
