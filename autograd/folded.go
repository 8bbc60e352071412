package autograd

import (
	"fmt"
	"math"

	"github.com/hwprofd/hwprofd/kernels"
)

// Conv2DBatchNorm returns BatchNorm of Conv2D without bias, the unit of which
// mobile networks are made. Where nothing is recorded it is faster than the
// two: statistics that are given are folded into the weights, so that one pass
// over the images does it all (Jacob et al., "Quantization and Training of
// Neural Networks", 2018, section 3.2).
func (t *Tape) Conv2DBatchNorm(x, w, scale, shift *Tensor, o Conv2DOptions, norm BatchNormOptions) (*Tensor, Statistics) {
	if !t.noGrad {
		return t.BatchNorm(t.Conv2D(x, w, nil, o), scale, shift, norm)
	}
	if norm.Statistics == nil {
		y := t.Conv2D(x, w, nil, o)
		return t.batchNorm(y, y, scale, shift, norm)
	}
	s := o.shape(x, w)
	if scale.Len() != s.K || shift.Len() != s.K {
		panic(fmt.Sprintf("autograd: BatchNorm of %d channels with scale %v and shift %v", s.K, scale.Shape, shift.Shape))
	}
	stats := norm.Statistics.check(s.K)
	folded := t.arena.get(w.Len() + s.K)
	weight, bias := folded.data[:w.Len()], folded.data[w.Len():w.Len()+s.K]
	copy(weight, w.Data)
	row := w.Len() / s.K
	for k := range s.K {
		a := float32(float64(scale.Data[k]) / math.Sqrt(float64(stats.Variance[k])+float64(norm.Epsilon)))
		kernels.Scale(a, weight[k*row:(k+1)*row])
		bias[k] = shift.Data[k] - a*stats.Mean[k]
	}
	y := t.empty(s.N, s.K, s.OutH(), s.OutW())
	in, out := s.C*s.H*s.W, s.K*s.OutH()*s.OutW()
	pack := func(images int) *kernels.PackedConv2D {
		part := s
		part.N = images
		p, err := kernels.PackConv2D(part, weight, bias)
		if err != nil {
			panic("autograd: Conv2DBatchNorm: " + err.Error())
		}
		return p
	}
	var whole, rest *kernels.PackedConv2D
	if s.N >= partImages {
		whole = pack(partImages)
	}
	if left := s.N % partImages; left > 0 {
		rest = pack(left)
	}
	t.parallel(s.N, func(wk *worker, _, first, last int) {
		p := whole
		if last-first < partImages {
			p = rest
		}
		p.Forward(&wk.ws, y.Data[first*out:last*out], x.Data[first*in:last*in], nil, norm.Activation)
	})
	t.arena.put(folded)
	return y, stats
}
