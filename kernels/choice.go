package kernels

import "fmt"

// Choice says which kernel does a piece of work, and why.
type Choice struct {
	Kernel         string // what runs, such as "GEMM, tiles of 12x32"
	Implementation string // instruction set of its inner loop
	Why            string // the reason that the rule goes by
}

// Work is a piece of work by its shape: [Conv2D], [Pool2D], [Product],
// [Elementwise] and [Rows].
type Work interface{ choose() Choice }

// Choose says what this package runs for w with the implementation in use. The
// rules are those that the functions themselves go by.
func Choose(w Work) Choice { return w.choose() }

// Product is the multiplication of matrices [M, K] and [K, N].
type Product struct {
	M, N, K int
	Packed  bool // the right operand was packed before, as by [PackLinear]
}

// Elementwise is a function of each element alone, by the name that it has in
// a graph: "add", "mul", "relu", "relu6", "hswish", "hsigmoid" or "sigmoid".
type Elementwise string

// Rows is a function of rows by its name, "softmax", or of planes,
// "globalavgpool".
type Rows string

// Family is a family of work with a typical member.
type Family struct {
	Name string
	Work Work
}

// Families lists the families of work that the package does.
func Families() []Family {
	convolution := func(c, h, k, r, stride, groups int) Conv2D {
		return Conv2D{N: 1, C: c, H: h, W: h, K: k, R: r, S: r, StrideH: stride, StrideW: stride,
			PadTop: r / 2, PadLeft: r / 2, PadBottom: r / 2, PadRight: r / 2, DilationH: 1, DilationW: 1, Groups: groups}
	}
	return []Family{
		{"matrix product", Product{M: 512, N: 512, K: 512}},
		{"matrix product, right side packed", Product{M: 512, N: 512, K: 512, Packed: true}},
		{"matrix product, one row", Product{M: 1, N: 1000, K: 1280, Packed: true}},
		{"convolution 1x1", convolution(256, 28, 256, 1, 1, 1)},
		{"convolution 1x1, stride 2", convolution(256, 28, 256, 1, 2, 1)},
		{"convolution 3x3", convolution(64, 56, 64, 3, 1, 1)},
		{"convolution 3x3, stride 2", convolution(64, 56, 64, 3, 2, 1)},
		{"convolution of an image", convolution(3, 224, 64, 7, 2, 1)},
		{"convolution, grouped", convolution(256, 28, 256, 3, 1, 8)},
		{"depthwise convolution", convolution(96, 14, 96, 5, 1, 96)},
		{"depthwise convolution, stride 2", convolution(96, 28, 96, 3, 2, 96)},
		{"pooling", Pool2D{N: 1, C: 64, H: 112, W: 112, R: 3, S: 3, StrideH: 2, StrideW: 2}},
		{"global average pooling", Rows("globalavgpool")},
		{"addition, multiplication", Elementwise("add")},
		{"ReLU, ReLU6", Elementwise("relu")},
		{"hard-swish", Elementwise("hswish")},
		{"sigmoid", Elementwise("sigmoid")},
		{"softmax", Rows("softmax")},
	}
}

func (p Product) choose() Choice {
	c := Choice{
		Kernel:         fmt.Sprintf("GEMM, tiles of %dx%d, blocks of depth %d and %d columns", gemm.rows, gemm.nr(), gemm.kc, gemm.nc),
		Implementation: gemm.base, Why: "the right operand is packed at each call",
	}
	if p.Packed {
		c.Why = "the right operand was packed before"
	}
	return c
}

func (s Conv2D) choose() Choice {
	layout := Blocked
	if s.single() {
		layout = Planar
	}
	name, why := ConvolutionAlgorithm(s, layout, layout)
	return Choice{Kernel: name, Implementation: selected.base, Why: why}
}

// inGo is the choice of what has no assembly.
var inGo = Choice{Kernel: "Go", Implementation: portable, Why: "there is no assembly for it"}

func (p Pool2D) choose() Choice { return inGo }

func (e Elementwise) choose() Choice {
	switch e {
	case "add", "mul", "relu", "relu6", "hswish", "hsigmoid":
		return Choice{Kernel: "vectors", Implementation: selected.base, Why: "one pass over memory"}
	}
	return inGo
}

func (r Rows) choose() Choice {
	if r == "globalavgpool" {
		return Choice{Kernel: "vectors", Implementation: selected.base, Why: "one pass over memory"}
	}
	return inGo
}
