package autograd

import (
	"fmt"
	"math"

	"github.com/hwprofd/hwprofd/kernels"
)

// Statistics are a mean and a biased variance per channel.
type Statistics struct {
	Mean, Variance []float32
}

func (s *Statistics) check(channels int) Statistics {
	if len(s.Mean) != channels || len(s.Variance) != channels {
		panic(fmt.Sprintf("autograd: BatchNorm of %d channels with statistics of %d and %d", channels, len(s.Mean), len(s.Variance)))
	}
	return *s
}

// BatchNormOptions say how BatchNorm normalises.
type BatchNormOptions struct {
	Epsilon float32
	// Statistics to normalise with; those of the batch where nil.
	Statistics *Statistics
	// Activation of the result, computed in the same pass.
	Activation kernels.Activation
}

// BatchNorm normalises every channel of x [N, C, H, W] to mean 0 and variance
// 1, multiplies by scale [C], adds shift [C] and applies the activation
// (Ioffe and Szegedy, "Batch Normalization", 2015, algorithm 1). It returns
// the statistics that it used; those of the batch are valid until Reset.
func (t *Tape) BatchNorm(x, scale, shift *Tensor, o BatchNormOptions) (*Tensor, Statistics) {
	return t.batchNorm(t.empty(x.Shape...), x, scale, shift, o)
}

// batchNorm writes the result to y, which may be x if nothing is recorded.
func (t *Tape) batchNorm(y, x, scale, shift *Tensor, o BatchNormOptions) (*Tensor, Statistics) {
	n, c, h, w := x.images("BatchNorm")
	hw := h * w
	if scale.Len() != c || shift.Len() != c {
		panic(fmt.Sprintf("autograd: BatchNorm of %d channels with scale %v and shift %v", c, scale.Shape, shift.Shape))
	}
	var stats Statistics
	if o.Statistics != nil {
		stats = o.Statistics.check(c)
	} else {
		both := t.arena.get(2 * c).data
		stats = Statistics{both[:c:c], both[c : 2*c : 2*c]}
	}
	// A channel at a time, so that it is still in cache for the second pass.
	t.channels(c, func(_ *worker, j int) {
		src, dst := x.Data[j*hw:], y.Data[j*hw:]
		if o.Statistics == nil {
			kernels.BatchNormStats(n, c, hw, stats.Mean[j:j+1], stats.Variance[j:j+1], src)
		}
		kernels.BatchNormForward(n, c, hw, dst, src, stats.Mean[j:j+1], stats.Variance[j:j+1], scale.Data[j:j+1], shift.Data[j:j+1], o.Epsilon)
		if o.Activation != kernels.NoActivation {
			for i := 0; i < len(dst); i += c * hw {
				kernels.Activate(o.Activation, dst[i:i+hw], dst[i:i+hw])
			}
		}
	})
	t.record(node{
		backward: batchNormBackward, out: y, in: [3]*Tensor{x, scale, shift},
		statistics: stats, frozen: o.Statistics != nil, activation: o.Activation, alpha: o.Epsilon,
	})
	return y, stats
}

// batchNormBackward turns the gradient of the result, in place, into that of
// x: it undoes the activation, which leaves g, and then, with m values a
// channel, dshift = Σg, dscale = Σ g·x̂ and
// dx = scale/σ · (g − dshift/m − x̂·dscale/m), which is linear in g and x.
// Given statistics do not depend on x: there, dx = scale/σ · g.
func batchNormBackward(t *Tape, n *node) {
	x, scale, shift := n.in[0], n.in[1], n.in[2]
	images, c, h, w := x.images("BatchNorm")
	hw := h * w
	dscale, freshScale := t.gradientOrScratch(scale)
	dshift, freshShift := t.gradientOrScratch(shift)
	t.channels(c, func(wk *worker, j int) {
		mean, variance := n.statistics.Mean[j:j+1], n.statistics.Variance[j:j+1]
		g, src := n.out.Grad[j*hw:], x.Data[j*hw:]
		planes, step, size := images, c*hw, hw
		small := hw <= smallPlane
		if small { // calls for every plane would cost more than copies
			size = images * hw
			planes, step = 1, size
		}
		scratch := wk.floats(3 * size)
		if small {
			g, src = scratch[:size], scratch[size:2*size]
			gather(g, n.out.Grad[j*hw:], images, c, hw)
			gather(src, x.Data[j*hw:], images, c, hw)
			scratch = scratch[2*size:]
		}
		var sum, product float64
		for i := range planes {
			plane, x := g[i*step:][:size], src[i*step:]
			if n.activation != kernels.NoActivation {
				z := scratch[:size] // computed again, which is cheaper than fetching it
				kernels.BatchNormForward(1, 1, size, z, x, mean, variance, scale.Data[j:j+1], shift.Data[j:j+1], n.alpha)
				wk.activateBackward(n.activation, plane, z)
			}
			sum += float64(kernels.Sum(plane))
			product += float64(kernels.Dot(plane, x))
		}
		inverse := 1 / math.Sqrt(float64(variance[0])+float64(n.alpha))
		product = (product - float64(mean[0])*sum) * inverse
		if freshScale {
			dscale.data[j] = 0
		}
		if freshShift {
			dshift.data[j] = 0
		}
		dscale.data[j] += float32(product)
		dshift.data[j] += float32(sum)
		if !x.differentiable {
			return
		}
		m := float64(images * hw)
		a := float64(scale.Data[j]) * inverse
		b := -a * inverse * product / m
		offset := -a*sum/m - b*float64(mean[0])
		if n.frozen {
			b, offset = 0, 0
		}
		for i := range planes {
			plane := g[i*step:][:size]
			linear(plane, float32(a), float32(offset))
			if !n.frozen {
				kernels.Axpy(float32(b), src[i*step:][:size], plane)
			}
		}
		if small {
			scatter(n.out.Grad[j*hw:], g, images, c, hw)
		}
	})
	dscale.release(t)
	dshift.release(t)
	if x.differentiable {
		t.pass(n, x)
	}
}

// smallPlane is the number of elements up to which the planes of a channel are
// gathered before they are worked on.
const smallPlane = 256

// gather copies a channel of src [images, c, hw] to dst [images, hw].
func gather(dst, src []float32, images, c, hw int) {
	for i := range images {
		copy(dst[i*hw:(i+1)*hw], src[i*c*hw:])
	}
}

// scatter copies a channel src [images, hw] to its place in dst [images, c, hw].
func scatter(dst, src []float32, images, c, hw int) {
	for i := range images {
		copy(dst[i*c*hw:], src[i*hw:(i+1)*hw])
	}
}

// linear sets x = a·x + b.
func linear(x []float32, a, b float32) {
	kernels.BatchNormForward(1, 1, len(x), x, x, []float32{0}, []float32{1}, []float32{a}, []float32{b}, 0)
}
