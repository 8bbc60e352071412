package kernels

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
)

// array is a tensor of testdata/pytorch.json.
type array struct {
	Shape []int
	Data  []float32
}

// pytorchCase is an operator that testdata/pytorch.py ran forward and backward
// in double precision.
type pytorchCase struct {
	Operator          string
	Options           map[string]any
	Output, Upstream  array
	Inputs, Gradients map[string]array
}

func (c *pytorchCase) number(name string) int {
	x, _ := c.Options[name].(float64)
	return int(x)
}

var activationNames = map[string]Activation{
	"relu": ReLU, "relu6": ReLU6, "hardswish": HardSwish, "hardsigmoid": HardSigmoid, "sigmoid": Sigmoid,
	"silu": SiLU, "gelu": GELU, "gelutanh": GELUTanh, "tanh": Tanh,
}

// run computes the output and adds the gradients of the inputs to grad.
func (c *pytorchCase) run(t *testing.T, out []float32, grad map[string][]float32) {
	var ws Workspace
	in := func(name string) []float32 { return c.Inputs[name].Data }
	shape, dy := c.Inputs["x"].Shape, c.Upstream.Data
	epsilon, _ := c.Options["epsilon"].(float64)
	eps := float32(epsilon)
	switch c.Operator {
	case "conv2d":
		w, stride, pad, dilation := c.Inputs["w"].Shape, c.number("stride"), c.number("pad"), c.number("dilation")
		s := Conv2D{
			N: shape[0], C: shape[1], H: shape[2], W: shape[3], K: w[0], R: w[2], S: w[3], StrideH: stride, StrideW: stride,
			PadTop: pad, PadLeft: pad, PadBottom: pad, PadRight: pad, DilationH: dilation, DilationW: dilation, Groups: c.number("groups"),
		}
		Conv2DForward(&ws, s, out, in("x"), in("w"), in("b"))
		Conv2DBackwardInput(&ws, s, grad["x"], dy, in("w"))
		Conv2DBackwardWeight(&ws, s, grad["w"], in("x"), dy)
		BiasGradient(s.N, s.K, s.OutH()*s.OutW(), grad["b"], dy)
	case "linear":
		m, k, n := shape[0], shape[1], c.Inputs["w"].Shape[0]
		PackLinear(k, n, in("w"), in("b")).Forward(&ws, m, out, in("x"), NoActivation)
		Gemm(&ws, false, false, m, k, n, 1, dy, n, in("w"), k, 0, grad["x"], k)
		Gemm(&ws, true, false, n, k, m, 1, dy, n, in("x"), k, 0, grad["w"], k)
		BiasGradient(m, n, 1, grad["b"], dy)
	case "batchnorm":
		n, channels, hw := shape[0], shape[1], shape[2]*shape[3]
		mean, variance := make([]float32, channels), make([]float32, channels)
		BatchNormStats(n, channels, hw, mean, variance, in("x"))
		BatchNormForward(n, channels, hw, out, in("x"), mean, variance, in("w"), in("b"), eps)
		BatchNormBackward(n, channels, hw, grad["x"], grad["w"], grad["b"], dy, in("x"), mean, variance, in("w"), eps)
	case "layernorm", "rmsnorm":
		rows, n := shape[0], shape[1]
		mean, inverse := make([]float32, rows), make([]float32, rows)
		if c.Operator == "rmsnorm" {
			RMSNorm(&ws, rows, n, out, in("x"), in("w"), inverse, eps)
			RMSNormBackward(&ws, rows, n, grad["x"], grad["w"], dy, in("x"), in("w"), inverse)
			return
		}
		LayerNorm(&ws, rows, n, out, in("x"), in("w"), in("b"), mean, inverse, eps)
		LayerNormBackward(&ws, rows, n, grad["x"], grad["w"], grad["b"], dy, in("x"), in("w"), mean, inverse)
	case "groupnorm", "instancenorm":
		n, channels, hw, groups := shape[0], shape[1], shape[2]*shape[3], c.number("groups")
		if c.Operator == "instancenorm" {
			groups = channels
		}
		mean, inverse := make([]float32, n*groups), make([]float32, n*groups)
		GroupNorm(&ws, n, channels, hw, groups, out, in("x"), in("w"), in("b"), mean, inverse, eps)
		GroupNormBackward(&ws, n, channels, hw, groups, grad["x"], grad["w"], grad["b"], dy, in("x"), in("w"), mean, inverse)
	case "softmax":
		Softmax(shape[0], shape[1], out, in("x"))
		SoftmaxBackward(shape[0], shape[1], grad["x"], dy, out)
	case "logsoftmax":
		LogSoftmax(shape[0], shape[1], out, in("x"))
		LogSoftmaxBackward(shape[0], shape[1], grad["x"], dy, out)
	case "maxpool", "averagepool":
		k, stride, pad := c.number("kernel"), c.number("stride"), c.number("pad")
		p := Pool2D{
			N: shape[0], C: shape[1], H: shape[2], W: shape[3], R: k, S: k, StrideH: stride, StrideW: stride,
			PadTop: pad, PadLeft: pad, PadBottom: pad, PadRight: pad,
		}
		if c.Operator == "maxpool" {
			MaxPool(&ws, p, out, in("x"))
			MaxPoolBackward(&ws, p, grad["x"], dy, in("x"), out)
			return
		}
		AvgPool(&ws, p, out, in("x"))
		AvgPoolBackward(&ws, p, grad["x"], dy)
	case "activation":
		act, ok := activationNames[c.Options["function"].(string)]
		if !ok {
			t.Fatalf("activation %v is not known", c.Options["function"])
		}
		Activate(act, out, in("x"))
		ActivateBackward(act, grad["x"], dy, in("x"))
	case "attention":
		q, k, causal := c.Inputs["q"].Shape, c.Inputs["k"].Shape, c.Options["causal"].(bool)
		s := Attention{
			Batch: q[0], Heads: q[1], KVHeads: k[1], QueryLen: q[2], KVLen: k[2], KeyDim: q[3], ValueDim: k[3], Causal: causal,
		}
		logs := make([]float32, s.Batch*s.Heads*s.QueryLen)
		AttentionForward(&ws, s, out, in("q"), in("k"), in("v"), nil, logs)
		AttentionBackward(&ws, s, grad["q"], grad["k"], grad["v"], dy, in("q"), in("k"), in("v"), nil, out, logs)
	default:
		t.Fatalf("operator %q is not known", c.Operator)
	}
}

// Outputs and gradients are PyTorch's.
func TestPyTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/pytorch.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []pytorchCase }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) == 0 {
		t.Fatal("testdata/pytorch.json has no cases")
	}
	eachImplementation(t, func(t *testing.T) {
		for i := range file.Cases {
			c := &file.Cases[i]
			t.Run(fmt.Sprintf("%02d %s", i, c.Operator), func(t *testing.T) {
				out := make([]float32, len(c.Output.Data))
				grad := make(map[string][]float32)
				for name, x := range c.Inputs {
					grad[name] = make([]float32, len(x.Data))
				}
				c.run(t, out, grad)
				requireNear(t, "output", out, c.Output.Data)
				for name, want := range c.Gradients {
					requireNear(t, "gradient of "+name, grad[name], want.Data)
				}
			})
		}
	})
}

// requireNear compares with a tolerance for sums of some hundred terms of
// about 1.
func requireNear(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - float64(w)); !(d <= 5e-5*(1+math.Abs(float64(w)))) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], w)
		}
	}
}
