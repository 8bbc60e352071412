package autograd

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hwprofd/hwprofd/kernels"
)

// mobileNet is a small MobileNetV2-like network for images [N, 1, 28, 28].
type mobileNet struct {
	params []*Tensor
	rng    *rand.Rand
	tape   *Tape
	next   int // parameter in the order of their first use

	statistics map[int]*Statistics // by channels; those of the batch where nil
}

func (m *mobileNet) parameter(fill func(p *Tensor), shape ...int) *Tensor {
	if m.next == len(m.params) {
		p := NewParameter(fmt.Sprintf("p%d", m.next), shape...)
		fill(p)
		m.params = append(m.params, p)
	}
	m.next++
	return m.params[m.next-1]
}

func (m *mobileNet) conv(x *Tensor, out, kernel, stride, groups int, act kernels.Activation) *Tensor {
	w := m.parameter(func(p *Tensor) { HeNormal(p, groups, m.rng) }, out, x.Shape[1]/groups, kernel, kernel)
	scale := m.parameter(func(p *Tensor) { Fill(p, 1) }, out)
	shift := m.parameter(func(p *Tensor) {}, out)
	pad := kernel / 2
	z, _ := m.tape.Conv2DBatchNorm(x, w, scale, shift,
		Conv2DOptions{Stride: [2]int{stride, stride}, Pad: [4]int{pad, pad, pad, pad}, Groups: groups},
		BatchNormOptions{Epsilon: 1e-5, Activation: act, Statistics: m.statistics[out]})
	return z
}

func (m *mobileNet) block(x *Tensor, out, expand, kernel, stride int) *Tensor {
	c := x.Shape[1]
	a := m.conv(x, c*expand, 1, 1, 1, kernels.ReLU)
	b := m.conv(a, c*expand, kernel, stride, c*expand, kernels.ReLU)
	m.tape.Free(a)
	y := m.conv(b, out, 1, 1, 1, kernels.NoActivation)
	m.tape.Free(b)
	if stride == 1 && c == out {
		z := m.tape.Add(x, y)
		m.tape.Free(y)
		y = z
	}
	m.tape.Free(x)
	return y
}

func (m *mobileNet) logits(x *Tensor) *Tensor {
	m.next = 0
	x = m.conv(x, 16, 3, 1, 1, kernels.ReLU)
	x = m.block(x, 24, 4, 3, 2)
	x = m.block(x, 24, 4, 3, 1)
	x = m.block(x, 40, 4, 5, 2)
	x = m.block(x, 40, 4, 5, 1)
	x = m.block(x, 64, 4, 3, 1)
	x = m.tape.Flatten(m.tape.GlobalAvgPool(x))
	w := m.parameter(func(p *Tensor) { HeNormal(p, 1, m.rng) }, 10, 64)
	b := m.parameter(func(p *Tensor) {}, 10)
	return m.tape.Linear(x, w, b)
}

func randomBatch(n int, rng *rand.Rand) (input []float32, labels []int) {
	input, labels = make([]float32, n*28*28), make([]int, n)
	for i := range input {
		input[i] = float32(rng.NormFloat64())
	}
	for i := range labels {
		labels[i] = rng.IntN(10)
	}
	return input, labels
}

func (m *mobileNet) step(sgd *SGD, input []float32, labels []int) float32 {
	m.tape.Reset()
	loss := m.tape.CrossEntropy(m.logits(m.tape.Constant(input, len(labels), 1, 28, 28)), labels, 0)
	ZeroGrad(m.params)
	m.tape.Backward(loss, 1)
	sgd.Step(m.params)
	return loss.Data[0]
}

func BenchmarkMobileNet(b *testing.B) {
	for _, threads := range []int{1, 2} {
		m := &mobileNet{rng: rand.New(rand.NewPCG(1, 2)), tape: NewTape(threads)}
		input, labels := randomBatch(64, m.rng)
		sgd := &SGD{LearningRate: 0.05, Momentum: 0.9}
		b.Run(fmt.Sprintf("train/b64h28/threads%d", threads), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.step(sgd, input, labels)
			}
			b.ReportMetric(float64(m.tape.Bytes())/(1<<20), "MiB-tape")
		})
		b.Run(fmt.Sprintf("evaluate/b64h28/threads%d", threads), func(b *testing.B) {
			b.ReportAllocs()
			m.tape = NewTape(threads)
			m.tape.SetGrad(false)
			m.statistics = map[int]*Statistics{}
			for _, c := range []int{16, 24, 40, 64, 96, 160} {
				s := &Statistics{Mean: make([]float32, c), Variance: make([]float32, c)}
				for i := range s.Variance {
					s.Variance[i] = 1
				}
				m.statistics[c] = s
			}
			for b.Loop() {
				m.tape.Reset()
				m.logits(m.tape.Constant(input, 64, 1, 28, 28))
			}
			b.ReportMetric(float64(m.tape.Bytes())/(1<<20), "MiB-tape")
			m.statistics = nil
		})
	}
}
