package graph

import (
	"fmt"
	"math"
	"slices"
)

// foldBatchNorm makes a batch norm part of the Conv or Linear before it, or,
// where there is none that it alone uses, a per-channel affine map.
//
// With s = scale / sqrt(variance + epsilon), s (W x + b - mean) + shift is
// (s W) x + (s (b - mean) + shift): S. Ioffe, C. Szegedy, Batch Normalization,
// 2015, section 3.1.
func foldBatchNorm(r *rewriter, n *Node) (bool, error) {
	if n.Plain() {
		return false, nil
	}
	scale, shift, err := affine(n)
	if err != nil {
		return false, n.errorf("%w", err)
	}
	x := n.Inputs[0]
	if p := r.foldable(x); p != nil && p.channelAxis() == 1 {
		filled := p.Inputs[1].Data != nil && (p.Bias() == nil || p.Bias().Data != nil)
		if filled == (scale != nil) {
			r.foldInto(n, p, scale, shift)
			return true, nil
		}
	}
	c := x.Shape[1]
	if len(x.Shape) == 4 {
		r.replace(n, &Node{
			Name: n.Name, Kind: Conv, Outputs: n.Outputs,
			Inputs: []*Value{x,
				r.parameter(n.Name+".weight", RoleWeight, float32s(scale), c, 1, 1, 1),
				r.parameter(n.Name+".bias", RoleBias, float32s(shift), c)},
			Attributes: Attributes{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Group: c},
		})
		return true, nil
	}
	perChannel := slices.Repeat([]int{1}, len(x.Shape))
	perChannel[1] = c
	scaled := r.value(n.Name+".scaled", F32, x.Shape...)
	r.replace(n,
		&Node{
			Name: r.free(n.Name + ".mul"), Kind: Mul, Outputs: []*Value{scaled},
			Inputs: []*Value{x, r.parameter(n.Name+".weight", RoleConstant, float32s(scale), perChannel...)},
		},
		&Node{
			Name: n.Name, Kind: Add, Outputs: n.Outputs,
			Inputs: []*Value{scaled, r.parameter(n.Name+".bias", RoleConstant, float32s(shift), perChannel...)},
		})
	return true, nil
}

// affine is the map y = scale x + shift that a batch norm is, in float64; nil
// where its parameters have no data.
func affine(n *Node) (scale, shift []float64, err error) {
	if len(n.Inputs) != 5 {
		return nil, nil, fmt.Errorf("%d inputs, want 5", len(n.Inputs))
	}
	for _, v := range n.Inputs[1:] {
		if (v.Data == nil) != (n.Inputs[1].Data == nil) {
			return nil, nil, fmt.Errorf("one of %q and %q has data, the other has none", n.Inputs[1].Name, v.Name)
		}
	}
	gamma, beta, mean, variance := n.Inputs[1].Data, n.Inputs[2].Data, n.Inputs[3].Data, n.Inputs[4].Data
	if gamma == nil {
		return nil, nil, nil
	}
	scale, shift = make([]float64, len(gamma)), make([]float64, len(gamma))
	for i := range gamma {
		v := float64(variance[i]) + float64(n.Attributes.Epsilon)
		if !(v > 0) {
			return nil, nil, fmt.Errorf("variance of channel %d plus epsilon is %g, not positive", i, v)
		}
		scale[i] = float64(gamma[i]) / math.Sqrt(v)
		shift[i] = float64(beta[i]) - float64(mean[i])*scale[i]
	}
	return scale, shift, nil
}

// foldInto replaces n, the map y = scale x + shift of each channel of the
// result of p, a Conv or Linear that it alone uses, by p with another weight
// and bias; only shapes where scale is nil.
func (r *rewriter) foldInto(n, p *Node, scale, shift []float64) {
	weight, bias := p.Inputs[1], p.Bias()
	out := n.Outputs[0].Shape[p.channelAxis()]
	folded := r.copyOf(p)
	folded.Outputs = n.Outputs
	if scale == nil {
		if bias == nil {
			folded.Inputs = r.list(p.Inputs, r.parameter(p.Name+".bias", RoleBias, nil, out))
		}
		r.replace(n, folded)
		return
	}
	w := make([]float32, len(weight.Data))
	each := len(w) / out // elements of one channel, which lie together or, if transposed, apart
	if p.Attributes.Transposed {
		for i, x := range weight.Data {
			w[i] = float32(scale[i%out] * float64(x))
		}
	} else {
		for k, by := range scale {
			to := w[k*each : (k+1)*each]
			for i, x := range weight.Data[k*each : (k+1)*each] {
				to[i] = float32(by * float64(x))
			}
		}
	}
	b := make([]float32, out)
	for k := range b {
		y := shift[k]
		if bias != nil {
			y += scale[k] * float64(bias.Data[k])
		}
		b[k] = float32(y)
	}
	newWeight, newBias := r.replacement(weight, w), (*Value)(nil)
	if bias != nil {
		newBias = r.replacement(bias, b)
	} else {
		newBias = r.parameter(p.Name+".bias", RoleBias, b, out)
	}
	folded.Inputs = []*Value{p.Inputs[0], newWeight, newBias}
	r.replace(n, folded)
}

// replacement is a parameter like v with other data; it keeps the name where v
// has one use, which must end.
func (r *rewriter) replacement(v *Value, data []float32) *Value {
	copied := *v
	copied.Data = data
	if r.uses(v) > 1 {
		copied.Name = r.free(v.Name)
	}
	return &copied
}

// foldable is the Conv or Linear that computes v for one user alone.
func (r *rewriter) foldable(v *Value) *Node {
	p := r.sole(v)
	if p == nil || !p.typed(Conv, Linear) || p.Attributes.Epilogue != (Epilogue{}) {
		return nil
	}
	return p
}

// channelAxis is the dimension of the output of a Conv or Linear that has the
// filters.
func (n *Node) channelAxis() int {
	if n.Kind == Linear {
		return len(n.Outputs[0].Shape) - 1
	}
	return 1
}

func float32s(x []float64) []float32 {
	if x == nil {
		return nil
	}
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}
