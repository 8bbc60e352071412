package graph

import (
	"fmt"
	"math"
	"slices"
)

// foldBatchNorm emits n; a batch norm becomes part of the Conv or Linear before
// it, or, where there is none that it alone uses, a per-channel affine map.
//
// With s = scale / sqrt(variance + epsilon), s (W x + b - mean) + shift is
// (s W) x + (s (b - mean) + shift): S. Ioffe, C. Szegedy, Batch Normalization,
// 2015, section 3.1.
func (f *fusion) foldBatchNorm(n *Node) error {
	if n.Kind != BatchNormalization {
		f.emit(n)
		return nil
	}
	scale, shift, err := affine(n)
	if err != nil {
		return fmt.Errorf("node %q (%s): %w", n.Name, n.Kind, err)
	}
	x, out := n.Inputs[0], n.Outputs[0]
	if p := f.foldable(x); p != nil {
		filled := p.Inputs[1].Data != nil && (p.Bias() == nil || p.Bias().Data != nil)
		if filled == (scale != nil) {
			f.foldInto(f.absorb(x, out), scale, shift)
			return nil
		}
	}
	c := x.Shape[1]
	if len(x.Shape) == 4 {
		f.emit(&Node{
			Name: n.Name, Kind: Conv, Outputs: n.Outputs,
			Inputs: []*Value{x,
				f.parameter(n.Name+".weight", RoleWeight, scale, c, 1, 1, 1),
				f.parameter(n.Name+".bias", RoleBias, shift, c)},
			Attributes: Attributes{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Group: c},
		})
		return nil
	}
	perChannel := slices.Repeat([]int{1}, len(x.Shape))
	perChannel[1] = c
	scaled := &Value{Name: f.free(n.Name + ".scaled"), DType: F32, Shape: x.Shape}
	f.uses[scaled] = 1
	f.emit(&Node{
		Name: f.free(n.Name + ".mul"), Kind: Mul, Outputs: []*Value{scaled},
		Inputs: []*Value{x, f.parameter(n.Name+".weight", RoleConstant, scale, perChannel...)},
	})
	f.emit(&Node{
		Name: n.Name, Kind: Add, Outputs: n.Outputs,
		Inputs: []*Value{scaled, f.parameter(n.Name+".bias", RoleConstant, shift, perChannel...)},
	})
	return nil
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

// foldInto changes the weight and bias of n, a private copy, to new values;
// only shapes where scale is nil.
func (f *fusion) foldInto(n *Node, scale, shift []float64) {
	weight, bias := n.Inputs[1], n.Bias()
	out := weight.Shape[0]
	biasName := n.Name + ".bias"
	if bias != nil {
		biasName = bias.Name
	}
	if scale == nil {
		if bias == nil {
			n.Inputs = append(slices.Clone(n.Inputs), f.parameter(biasName, RoleBias, nil, out))
		}
		return
	}
	w := make([]float32, len(weight.Data))
	b := make([]float64, out)
	each := len(w) / out
	for k := range b {
		for i := k * each; i < (k+1)*each; i++ {
			w[i] = float32(scale[k] * float64(weight.Data[i]))
		}
		b[k] = shift[k]
		if bias != nil {
			b[k] += scale[k] * float64(bias.Data[k])
		}
	}
	n.Inputs = []*Value{n.Inputs[0], f.replacement(weight), nil}
	n.Inputs[1].Data = w
	if bias != nil {
		n.Inputs[2] = f.replacement(bias)
		n.Inputs[2].Data = float32s(b)
	} else {
		n.Inputs[2] = f.parameter(biasName, RoleBias, b, out)
	}
}

// replacement is a copy of a parameter for one of its users; it keeps the name
// where there are no others.
func (f *fusion) replacement(v *Value) *Value {
	copied := *v
	if f.uses[v] > 1 {
		f.uses[v]--
		copied.Name = f.free(v.Name)
	}
	f.uses[&copied] = 1
	return &copied
}

func (f *fusion) parameter(name string, role Role, data []float64, shape ...int) *Value {
	v := &Value{Name: f.free(name), DType: F32, Shape: shape, Role: role}
	if data != nil {
		v.Data = float32s(data)
	}
	f.uses[v] = 1
	return v
}

// free is a name that no value has, and takes it.
func (f *fusion) free(name string) string {
	name = freeName(name, func(s string) bool { return f.names[s] })
	f.names[name] = true
	return name
}

func float32s(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}
