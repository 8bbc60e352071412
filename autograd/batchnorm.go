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
	t.channels(c, func(_ *worker, from, to int) {
		src, dst := x.Data[from*hw:], y.Data[from*hw:]
		mean, variance := stats.Mean[from:to], stats.Variance[from:to]
		if o.Statistics == nil {
			kernels.BatchNormStats(n, c, hw, mean, variance, src)
		}
		kernels.BatchNormForward(n, c, hw, dst, src, mean, variance, scale.Data[from:to], shift.Data[from:to], o.Epsilon)
		if o.Activation != kernels.NoActivation {
			for i := 0; i < len(dst); i += c * hw {
				some := dst[i : i+(to-from)*hw]
				kernels.Activate(o.Activation, some, some)
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
	m := float64(images * hw)
	t.channels(c, func(wk *worker, from, to int) {
		width := (to - from) * hw
		mean, variance := n.statistics.Mean[from:to], n.statistics.Variance[from:to]
		var sum, product [maxChannels]float64
		for i := from * hw; i < len(x.Data); i += c * hw {
			g, src := n.out.Grad[i:i+width], x.Data[i:i+width]
			if n.activation != kernels.NoActivation {
				z := wk.floats(width) // computed again, which is cheaper than fetching it
				kernels.BatchNormForward(1, to-from, hw, z, src, mean, variance, scale.Data[from:to], shift.Data[from:to], n.alpha)
				wk.activateBackward(n.activation, g, z)
			}
			for k := range to - from {
				plane := g[k*hw : (k+1)*hw]
				sum[k] += float64(kernels.Sum(plane))
				product[k] += float64(kernels.Dot(plane, src[k*hw:]))
			}
		}
		var ofG, ofX, offset, zero, one [maxChannels]float32
		for k := range to - from {
			j, center := from+k, float64(mean[k])
			inverse := 1 / math.Sqrt(float64(variance[k])+float64(n.alpha))
			ofScale := (product[k] - center*sum[k]) * inverse
			if freshScale {
				dscale.data[j] = 0
			}
			if freshShift {
				dshift.data[j] = 0
			}
			dscale.data[j] += float32(ofScale)
			dshift.data[j] += float32(sum[k])
			a := float64(scale.Data[j]) * inverse
			one[k], ofG[k] = 1, float32(a)
			if !n.frozen {
				b := -a * inverse * ofScale / m
				ofX[k], offset[k] = float32(b), float32(-a*sum[k]/m-b*center)
			}
		}
		if !x.differentiable {
			return
		}
		for i := from * hw; i < len(x.Data); i += c * hw {
			g, src := n.out.Grad[i:i+width], x.Data[i:i+width]
			kernels.BatchNormForward(1, to-from, hw, g, g, zero[:to-from], one[:], ofG[:], offset[:], 0)
			if n.frozen {
				continue
			}
			for k := range to - from {
				kernels.Axpy(ofX[k], src[k*hw:(k+1)*hw], g[k*hw:])
			}
		}
	})
	dscale.release(t)
	dshift.release(t)
	if x.differentiable {
		t.pass(n, x)
	}
}
