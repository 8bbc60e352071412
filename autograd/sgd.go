package autograd

import (
	"math"

	"github.com/hwprofd/hwprofd/kernels"
)

// SGD is stochastic gradient descent with momentum (Sutskever et al., "On the
// importance of initialization and momentum in deep learning", 2013), in the
// form that PyTorch uses: v ← momentum·v + g + decay·w, w ← w − rate·v.
type SGD struct {
	LearningRate float32
	Momentum     float32
	Nesterov     bool // step along g + momentum·v instead of v
	WeightDecay  float32
	// Decays says which parameters WeightDecay applies to; all where nil.
	Decays func(p *Tensor) bool

	velocity map[*Tensor]*Tensor
}

// Velocity returns p's momentum buffer, of p's name with ".velocity" behind
// it. It is part of what a checkpoint has to hold to go on with the training.
func (o *SGD) Velocity(p *Tensor) *Tensor {
	if v, ok := o.velocity[p]; ok {
		return v
	}
	if o.velocity == nil {
		o.velocity = map[*Tensor]*Tensor{}
	}
	v := NewTensor(p.Shape...)
	v.Name = p.Name + ".velocity"
	o.velocity[p] = v
	return v
}

// sgdBlock keeps the passes over one stretch of parameters in cache.
const sgdBlock = 2048

// Step moves params against their gradients, which it uses up: their content
// is arbitrary afterwards until ZeroGrad. Parameters that no backward pass has
// reached yet stay as they are.
func (o *SGD) Step(params []*Tensor) {
	for _, p := range params {
		if p.Grad == nil {
			continue
		}
		decay := o.WeightDecay
		if o.Decays != nil && !o.Decays(p) {
			decay = 0
		}
		var velocity []float32
		if o.Momentum != 0 {
			velocity = o.Velocity(p).Data
		}
		for i := 0; i < len(p.Data); i += sgdBlock {
			j := min(i+sgdBlock, len(p.Data))
			w, g := p.Data[i:j], p.Grad[i:j]
			if decay != 0 {
				kernels.Axpy(decay, w, g)
			}
			if velocity != nil {
				v := velocity[i:j]
				kernels.Scale(o.Momentum, v)
				kernels.Add(v, v, g)
				if o.Nesterov {
					kernels.Axpy(o.Momentum, v, g)
				} else {
					g = v
				}
			}
			kernels.Axpy(-o.LearningRate, g, w)
		}
	}
}

// ClipNorm scales the gradients of params down so that their joint Euclidean
// norm is at most limit, and returns the norm they had.
func ClipNorm(params []*Tensor, limit float64) float64 {
	var sum float64
	for _, p := range params {
		for i := 0; i < len(p.Grad); i += sgdBlock {
			g := p.Grad[i:min(i+sgdBlock, len(p.Grad))]
			sum += float64(kernels.Dot(g, g))
		}
	}
	norm := math.Sqrt(sum)
	if norm > limit {
		for _, p := range params {
			kernels.Scale(float32(limit/norm), p.Grad)
		}
	}
	return norm
}

// Cosine returns the learning rate of a step in [0, total): it rises linearly
// from base/warmup to base over the first warmup steps, then falls to 0 along
// half a cosine (Loshchilov and Hutter, "SGDR", 2017, without restarts).
func Cosine(step, total, warmup int, base float64) float64 {
	if step < warmup {
		return base * float64(step+1) / float64(warmup)
	}
	if step >= total {
		return 0
	}
	return base * 0.5 * (1 + math.Cos(math.Pi*float64(step-warmup)/float64(total-warmup)))
}
