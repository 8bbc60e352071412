package autograd

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/hwprofd/hwprofd/kernels"
)

// stored is a tensor of testdata/pytorch.json, which testdata/generate.py writes.
type stored struct {
	Shape []int
	Data  []float32
}

func (s stored) parameter(name string) *Tensor {
	p := NewParameter(name, s.Shape...)
	copy(p.Data, s.Data)
	return p
}

type pytorch struct {
	Cases []struct {
		Name                     string
		Inputs, Gradients        []stored
		Output, Upstream, Target stored
	}
	Optimisers []struct {
		Nesterov   bool
		Clip       float64
		Start, End []stored
		Gradients  [][]stored
		Norms      []float64
	}
}

func readPyTorch(t *testing.T) (p pytorch) {
	data, err := os.ReadFile("testdata/pytorch.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func compare(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tolerance*(1+math.Abs(float64(want[i])))) {
			t.Fatalf("%s[%d] = %v, want %v", what, i, got[i], want[i])
		}
	}
}

type operator func(t *Tape, in []*Tensor) *Tensor

func conv(o Conv2DOptions) operator {
	return func(t *Tape, in []*Tensor) *Tensor {
		return t.Conv2D(in[0], in[1], append(in, nil)[2], o)
	}
}

func batchNorm(act kernels.Activation, given *Statistics) operator {
	return func(t *Tape, in []*Tensor) *Tensor {
		y, _ := t.BatchNorm(in[0], in[1], in[2], BatchNormOptions{Epsilon: 1e-3, Activation: act, Statistics: given})
		return y
	}
}

func activation(act kernels.Activation) operator {
	return func(t *Tape, in []*Tensor) *Tensor { return t.Activation(act, in[0]) }
}

var someLabels = []int{0, 2, 4, 6, 8}

// operators are the operators of testdata/generate.py, by the names there.
var operators = map[string]operator{
	"conv3x3":                 conv(Conv2DOptions{Pad: [4]int{1, 1, 1, 1}}),
	"conv3x3.stride2":         conv(Conv2DOptions{Pad: [4]int{1, 1, 1, 1}, Stride: [2]int{2, 2}}),
	"conv5x3.dilation2x1.pad": conv(Conv2DOptions{Pad: [4]int{3, 0, 1, 2}, Dilation: [2]int{2, 1}}),
	"conv1x1":                 conv(Conv2DOptions{}),
	"conv1x1.plane1":          conv(Conv2DOptions{}),
	"conv3x3.group2":          conv(Conv2DOptions{Pad: [4]int{1, 1, 1, 1}, Groups: 2}),
	"depthwise3x3":            conv(Conv2DOptions{Pad: [4]int{1, 1, 1, 1}, Groups: 5}),
	"depthwise5x5.stride2":    conv(Conv2DOptions{Pad: [4]int{2, 2, 2, 2}, Stride: [2]int{2, 2}, Groups: 3}),
	"depthwise7x7":            conv(Conv2DOptions{Pad: [4]int{3, 3, 3, 3}, Groups: 3}),
	"linear":                  func(t *Tape, in []*Tensor) *Tensor { return t.Linear(in[0], in[1], in[2]) },
	"batchnorm.none":          batchNorm(kernels.NoActivation, nil),
	"batchnorm.relu":          batchNorm(kernels.ReLU, nil),
	"batchnorm.relu6":         batchNorm(kernels.ReLU6, nil),
	"batchnorm.hswish":        batchNorm(kernels.HardSwish, nil),
	"batchnorm.given.hswish":  batchNorm(kernels.HardSwish, &Statistics{Mean: []float32{0.5, -0.25, 1}, Variance: []float32{2, 0.5, 1}}),
	"activation.relu":         activation(kernels.ReLU),
	"activation.relu6":        activation(kernels.ReLU6),
	"activation.hswish":       activation(kernels.HardSwish),
	"activation.hsigmoid":     activation(kernels.HardSigmoid),
	"activation.sigmoid":      activation(kernels.Sigmoid),
	"add":                     func(t *Tape, in []*Tensor) *Tensor { return t.Add(in[0], in[1]) },
	"mul":                     func(t *Tape, in []*Tensor) *Tensor { return t.Mul(in[0], in[1]) },
	"mul.channels":            func(t *Tape, in []*Tensor) *Tensor { return t.Mul(in[0], in[1]) },
	"globalavgpool":           func(t *Tape, in []*Tensor) *Tensor { return t.GlobalAvgPool(in[0]) },
	"softmax":                 func(t *Tape, in []*Tensor) *Tensor { return t.Softmax(in[0]) },
	"crossentropy":            func(t *Tape, in []*Tensor) *Tensor { return t.CrossEntropy(in[0], someLabels, 0) },
	"crossentropy.smoothing":  func(t *Tape, in []*Tensor) *Tensor { return t.CrossEntropy(in[0], someLabels, 0.1) },
	"slice.centre": func(t *Tape, in []*Tensor) *Tensor {
		w := t.Slice(in[1], []int{0, 0, 2, 2}, []int{3, 1, 3, 3})
		return t.Conv2D(in[0], w, nil, Conv2DOptions{Pad: [4]int{1, 1, 1, 1}, Groups: 3})
	},
}

func TestOperatorsAgreeWithPyTorch(t *testing.T) {
	for _, c := range readPyTorch(t).Cases {
		t.Run(c.Name, func(t *testing.T) {
			f, ok := operators[c.Name]
			if c.Name == "softcrossentropy" {
				target := c.Target.parameter("target")
				f, ok = func(t *Tape, in []*Tensor) *Tensor { return t.SoftCrossEntropy(in[0], target) }, true
			}
			if !ok {
				t.Fatal("no such operator")
			}
			var in []*Tensor
			for _, x := range c.Inputs {
				in = append(in, x.parameter("x"))
			}
			for threads := range 3 {
				tape := NewTape(threads + 1)
				ZeroGrad(in)
				y := f(tape, in)
				if !slices.Equal(y.Shape, c.Output.Shape) {
					t.Fatalf("shape %v, want %v", y.Shape, c.Output.Shape)
				}
				compare(t, "output", y.Data, c.Output.Data, 1e-5)
				upstream := tape.Constant(c.Upstream.Data, c.Upstream.Shape...)
				tape.Backward(tape.Sum(tape.Mul(y, upstream)), 1)
				for i, g := range c.Gradients {
					compare(t, "gradient of input "+string(rune('0'+i)), in[i].Grad, g.Data, 2e-5)
				}

				tape.SetGrad(false)
				compare(t, "output without gradients", f(tape, in).Data, c.Output.Data, 1e-5)
			}
		})
	}
}

func TestSGDAgreesWithPyTorch(t *testing.T) {
	for _, c := range readPyTorch(t).Optimisers {
		params := []*Tensor{c.Start[0].parameter("w"), c.Start[1].parameter("b")}
		sgd := SGD{
			LearningRate: 0.3, Momentum: 0.9, Nesterov: c.Nesterov, WeightDecay: 0.1,
			Decays: func(p *Tensor) bool { return len(p.Shape) > 1 },
		}
		for step, gradients := range c.Gradients {
			for i, g := range gradients {
				params[i].Grad = slices.Clone(g.Data)
			}
			if norm := ClipNorm(params, c.Clip); math.Abs(norm-c.Norms[step]) > 1e-5 {
				t.Errorf("nesterov %v, clip %v, step %d: norm %v, want %v", c.Nesterov, c.Clip, step, norm, c.Norms[step])
			}
			sgd.Step(params)
		}
		for i, end := range c.End {
			compare(t, params[i].Name, params[i].Data, end.Data, 1e-5)
		}
	}
}
