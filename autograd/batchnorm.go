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
	n, c, h, w := x.images("BatchNorm")
	hw := h * w
	if scale.Len() != c || shift.Len() != c {
		panic(fmt.Sprintf("autograd: BatchNorm of %d channels with scale %v and shift %v", c, scale.Shape, shift.Shape))
	}
	var stats Statistics
	if o.Statistics != nil {
		stats = *o.Statistics
		if len(stats.Mean) != c || len(stats.Variance) != c {
			panic(fmt.Sprintf("autograd: BatchNorm of %d channels with statistics of %d and %d", c, len(stats.Mean), len(stats.Variance)))
		}
	} else {
		both := t.arena.get(2 * c).data
		stats = Statistics{both[:c:c], both[c : 2*c : 2*c]}
	}
	y := t.empty(x.Shape...)
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

func batchNormBackward(t *Tape, n *node) {
	x, scale, shift := n.in[0], n.in[1], n.in[2]
	images, c, h, w := x.images("BatchNorm")
	hw := h * w
	mean, variance := n.statistics.Mean, n.statistics.Variance
	dx, freshX := t.gradientOrScratch(x)
	dscale, freshScale := t.gradientOrScratch(scale)
	dshift, freshShift := t.gradientOrScratch(shift)
	t.channels(c, func(wk *worker, j int) {
		if freshScale {
			dscale.data[j] = 0
		}
		if freshShift {
			dshift.data[j] = 0
		}
		dst, g, src := dx.data[j*hw:], n.out.Grad[j*hw:], x.Data[j*hw:]
		for i := 0; i < len(src); i += c * hw {
			if freshX {
				clear(dst[i : i+hw])
			}
			if n.activation == kernels.NoActivation {
				continue
			}
			z := n.out.Data[j*hw+i:][:hw]
			if !slopeFromOutput(n.activation) {
				z = wk.floats(hw)
				kernels.BatchNormForward(1, 1, hw, z, src[i:], mean[j:j+1], variance[j:j+1], scale.Data[j:j+1], shift.Data[j:j+1], n.alpha)
			}
			wk.activateBackward(n.activation, g[i:i+hw], z)
		}
		if n.frozen {
			inverse := float32(1 / math.Sqrt(float64(variance[j])+float64(n.alpha)))
			for i := 0; i < len(src); i += c * hw {
				sum := kernels.Sum(g[i : i+hw])
				dshift.data[j] += sum
				dscale.data[j] += (kernels.Dot(g[i:i+hw], src[i:]) - mean[j]*sum) * inverse
				kernels.Axpy(scale.Data[j]*inverse, g[i:i+hw], dst[i:])
			}
			return
		}
		kernels.BatchNormBackward(images, c, hw, dst, dscale.data[j:j+1], dshift.data[j:j+1], g, src, mean[j:j+1], variance[j:j+1], scale.Data[j:j+1], n.alpha)
	})
	dx.release(t)
	dscale.release(t)
	dshift.release(t)
}
