package autograd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/kernels"
)

// checkGradient compares the gradients of sum(f(in) · r), r random, with
// central differences. Where these depend on the step there is a kink
// nearby; such elements, of which there must be few, are passed over.
func checkGradient(t interface {
	Helper()
	Fatalf(string, ...any)
}, rng *rand.Rand, in []*Tensor, f operator) {
	t.Helper()
	tape := NewTape(2)
	var weights []float32
	value := func() float64 {
		tape.Reset()
		y := f(tape, in)
		for len(weights) < y.Len() {
			weights = append(weights, float32(rng.NormFloat64()))
		}
		var sum float64
		for i, v := range y.Data {
			sum += float64(v) * float64(weights[i])
		}
		return sum
	}
	value()
	y := f(tape, in)
	ZeroGrad(in)
	tape.Backward(tape.Sum(tape.Mul(y, tape.Constant(weights, y.Shape...))), 1)
	tape.SetGrad(false)
	kinks, total := 0, 0
	for k, x := range in {
		if !x.Differentiable() {
			continue
		}
		for i := range x.Data {
			old := x.Data[i]
			slope := func(h float32) float64 {
				x.Data[i] = old + h
				up, to := value(), x.Data[i]
				x.Data[i] = old - h
				down, from := value(), x.Data[i]
				x.Data[i] = old
				return (up - down) / float64(to-from)
			}
			want, fine := slope(2e-2), slope(1e-2)
			tolerance := 4e-3 * (1 + math.Abs(want))
			total++
			if math.Abs(want-fine) > tolerance/2 {
				kinks++
			} else if math.Abs(float64(x.Grad[i])-fine) > tolerance {
				t.Fatalf("input %d, element %d of %v: gradient %v, by differences %v", k, i, x.Shape, x.Grad[i], fine)
			}
		}
	}
	if kinks > total/5 {
		t.Fatalf("%d of %d elements have no clear difference", kinks, total)
	}
}

func randomParameter(rng *rand.Rand, shape ...int) *Tensor {
	p := NewParameter("p", shape...)
	Normal(p, 1, rng)
	return p
}

func TestGradientsByDifferences(t *testing.T) {
	target := NewTensor(3, 4)
	copy(target.Data, []float32{0.1, 0.2, 0.3, 0.4, 1, 0, 0, 0, 0.25, 0.5, 0, 0})
	given := &Statistics{Mean: []float32{0.5, 0, -0.5}, Variance: []float32{1, 2, 0.5}}
	for name, c := range map[string]struct {
		shapes [][]int
		f      operator
	}{
		"conv":            {[][]int{{2, 2, 4, 5}, {4, 1, 3, 3}, {4}}, conv(Conv2DOptions{Groups: 2, Stride: [2]int{2, 1}, Pad: [4]int{1, 0, 1, 2}})},
		"depthwise":       {[][]int{{2, 3, 5, 4}, {3, 1, 3, 3}, {3}}, conv(Conv2DOptions{Groups: 3, Pad: [4]int{1, 1, 1, 1}})},
		"pointwise":       {[][]int{{9, 3, 2, 2}, {4, 3, 1, 1}}, conv(Conv2DOptions{})},
		"linear":          {[][]int{{9, 3}, {4, 3}, {4}}, func(t *Tape, in []*Tensor) *Tensor { return t.Linear(in[0], in[1], in[2]) }},
		"linear.nobias":   {[][]int{{2, 3}, {4, 3}}, func(t *Tape, in []*Tensor) *Tensor { return t.Linear(in[0], in[1], nil) }},
		"batchnorm":       {[][]int{{3, 3, 2, 3}, {3}, {3}}, batchNorm(kernels.NoActivation, nil)},
		"batchnorm.hsw":   {[][]int{{3, 3, 2, 3}, {3}, {3}}, batchNorm(kernels.HardSwish, nil)},
		"batchnorm.given": {[][]int{{3, 3, 2, 3}, {3}, {3}}, batchNorm(kernels.Sigmoid, given)},
		"relu":            {[][]int{{3, 7}}, activation(kernels.ReLU)},
		"relu6":           {[][]int{{3, 7}}, activation(kernels.ReLU6)},
		"hswish":          {[][]int{{3, 7}}, activation(kernels.HardSwish)},
		"hsigmoid":        {[][]int{{3, 7}}, activation(kernels.HardSigmoid)},
		"sigmoid":         {[][]int{{3, 7}}, activation(kernels.Sigmoid)},
		"noactivation":    {[][]int{{3, 7}}, activation(kernels.NoActivation)},
		"add":             {[][]int{{2, 3}, {2, 3}}, func(t *Tape, in []*Tensor) *Tensor { return t.Add(in[0], in[1]) }},
		"add.same":        {[][]int{{2, 3}}, func(t *Tape, in []*Tensor) *Tensor { return t.Add(in[0], in[0]) }},
		"mul":             {[][]int{{2, 3}, {2, 3}}, func(t *Tape, in []*Tensor) *Tensor { return t.Mul(in[0], in[1]) }},
		"mul.same":        {[][]int{{2, 3}}, func(t *Tape, in []*Tensor) *Tensor { return t.Mul(in[0], in[0]) }},
		"mul.channels":    {[][]int{{2, 3, 2, 2}, {2, 3, 1, 1}}, func(t *Tape, in []*Tensor) *Tensor { return t.Mul(in[0], in[1]) }},
		"globalavgpool":   {[][]int{{9, 2, 2, 3}}, func(t *Tape, in []*Tensor) *Tensor { return t.GlobalAvgPool(in[0]) }},
		"reshape":         {[][]int{{2, 3, 1, 2}}, func(t *Tape, in []*Tensor) *Tensor { return t.Flatten(in[0]) }},
		"scale":           {[][]int{{2, 3}}, func(t *Tape, in []*Tensor) *Tensor { return t.Scale(in[0], -1.5) }},
		"sum":             {[][]int{{2, 3}}, func(t *Tape, in []*Tensor) *Tensor { return t.Sum(in[0]) }},
		"softmax":         {[][]int{{2, 3}}, func(t *Tape, in []*Tensor) *Tensor { return t.Softmax(in[0]) }},
		"crossentropy":    {[][]int{{3, 4}}, func(t *Tape, in []*Tensor) *Tensor { return t.CrossEntropy(in[0], []int{2, 0, 3}, 0.1) }},
		"soft":            {[][]int{{3, 4}}, func(t *Tape, in []*Tensor) *Tensor { return t.SoftCrossEntropy(in[0], target) }},
		"slice.prefix":    {[][]int{{4, 3}}, func(t *Tape, in []*Tensor) *Tensor { return t.Slice(in[0], []int{0, 0}, []int{2, 3}) }},
		"slice.box":       {[][]int{{4, 3, 2}}, func(t *Tape, in []*Tensor) *Tensor { return t.Slice(in[0], []int{1, 0, 1}, []int{2, 2, 1}) }},
		"slice.nested": {[][]int{{4, 3, 5, 5}}, func(t *Tape, in []*Tensor) *Tensor {
			outer := t.Slice(in[0], []int{0, 0, 0, 0}, []int{3, 3, 5, 5})
			return t.Slice(outer, []int{0, 1, 1, 1}, []int{3, 2, 3, 3})
		}},
		"slice.product": {[][]int{{4, 3}}, func(t *Tape, in []*Tensor) *Tensor {
			y := t.Mul(in[0], in[0])
			return t.Slice(y, []int{1, 0}, []int{2, 3})
		}},
		// Squeeze-and-excitation with a residual: every tensor is used twice.
		"excite": {[][]int{{2, 3, 2, 2}, {2, 3, 1, 1}, {3, 2, 1, 1}}, func(t *Tape, in []*Tensor) *Tensor {
			s := t.Activation(kernels.ReLU, t.Conv2D(t.GlobalAvgPool(in[0]), in[1], nil, Conv2DOptions{}))
			s = t.Activation(kernels.HardSigmoid, t.Conv2D(s, in[2], nil, Conv2DOptions{}))
			return t.Add(t.Mul(in[0], s), in[0])
		}},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			var in []*Tensor
			for _, shape := range c.shapes {
				in = append(in, randomParameter(rng, shape...))
			}
			checkGradient(t, rng, in, c.f)

			// Without the gradient of one of them, the others stay the same.
			for i, x := range in {
				if len(in) == 1 {
					break
				}
				var want [][]float32
				for _, p := range in {
					want = append(want, p.Grad)
					p.Grad = nil
				}
				x.differentiable = false
				checkGradient(t, rand.New(rand.NewPCG(3, 4)), in, c.f)
				if x.Grad != nil {
					t.Errorf("input %d is a constant and got a gradient", i)
				}
				x.differentiable = true
				for k, p := range in {
					p.Grad = want[k]
				}
			}
		})
	}
}

// A slice is the same box that plain indexing reads.
func TestSliceIsTheBox(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dims := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 4).Draw(t, "dims")
		offset, shape := make([]int, len(dims)), make([]int, len(dims))
		for d := range dims {
			offset[d] = rapid.IntRange(0, dims[d]-1).Draw(t, "offset")
			shape[d] = rapid.IntRange(1, dims[d]-offset[d]).Draw(t, "shape")
		}
		p := NewParameter("p", dims...)
		for i := range p.Data {
			p.Data[i] = float32(i)
		}
		var want []float32
		for i := range p.Data {
			inside, rest := true, i
			for d := len(dims) - 1; d >= 0; d-- {
				at := rest % dims[d]
				inside = inside && at >= offset[d] && at < offset[d]+shape[d]
				rest /= dims[d]
			}
			if inside {
				want = append(want, float32(i))
			}
		}
		tape := NewTape(1)
		y := tape.Slice(p, offset, shape)
		if !slices.Equal(y.Data, want) {
			t.Fatalf("box at %v of %v in %v is %v, want %v", offset, shape, dims, y.Data, want)
		}
		tape.Backward(tape.Sum(tape.Mul(y, y)), 0.5)
		box := map[float32]bool{}
		for _, v := range want {
			box[v] = true
		}
		for i, g := range p.Grad {
			if v := float32(i); box[v] && g != v || !box[v] && g != 0 {
				t.Fatalf("box at %v of %v in %v: gradient %v of element %d", offset, shape, dims, g, i)
			}
		}
	})
}
