package kernels

import "fmt"

// Choice says which kernel does a piece of work, and why.
type Choice struct {
	Kernel         string // what runs, such as "GEMM, tiles of 12x32"
	Implementation string // instruction set of its inner loop
	Why            string // the reason that the rule goes by
}

// Work is a piece of work by its shape: [Convolution], [Pool2D], [Product],
// [Int8Product], [Int8Convolution], [Elementwise] and [Rows].
type Work interface{ choose() Choice }

// Choose says what this package runs for w with the implementation in use. The
// rules are those that the functions themselves go by.
func Choose(w Work) Choice { return w.choose() }

// Convolution is a convolution of images in one layout to images in another.
type Convolution struct {
	Shape   Conv2D
	In, Out Layout
}

// Product is the multiplication of matrices [M, K] and [K, N].
type Product struct {
	M, N, K int
	Packed  bool // the right operand was packed before, as by [PackLinear]
}

// Int8Product is [Product] of bytes, packed before.
type Int8Product Product

// Int8Convolution is a convolution of bytes.
type Int8Convolution Conv2D

// Elementwise is a function of each element alone, by the name that it has in
// a graph, such as "add", "relu" or "sigmoid".
type Elementwise string

// Rows is a function of rows or planes by its name: "softmax", "layernorm",
// "globalavgpool".
type Rows string

// Family is a family of work with a typical member.
type Family struct {
	Name string
	Work Work
}

// Families lists the families of work that the package does.
func Families() []Family {
	convolution := func(c, h, k, r, stride, groups int) Convolution {
		return Convolution{In: Blocked, Out: Blocked, Shape: Conv2D{
			N: 1, C: c, H: h, W: h, K: k, R: r, S: r, StrideH: stride, StrideW: stride,
			PadTop: r / 2, PadLeft: r / 2, PadBottom: r / 2, PadRight: r / 2, DilationH: 1, DilationW: 1, Groups: groups,
		}}
	}
	image, planar := convolution(3, 224, 64, 7, 2, 1), convolution(64, 56, 64, 3, 1, 1)
	image.In, planar.In, planar.Out = Planar, Planar, Planar
	return []Family{
		{"matrix product", Product{M: 512, N: 512, K: 512}},
		{"matrix product, right side packed", Product{M: 512, N: 512, K: 512, Packed: true}},
		{"matrix product, one row", Product{M: 1, N: 1000, K: 1280, Packed: true}},
		{"convolution 1x1", convolution(256, 28, 256, 1, 1, 1)},
		{"convolution 1x1, stride 2", convolution(256, 28, 256, 1, 2, 1)},
		{"convolution 3x3", convolution(64, 56, 64, 3, 1, 1)},
		{"convolution 3x3, stride 2", convolution(64, 56, 64, 3, 2, 1)},
		{"convolution 3x3, images in planes", planar},
		{"convolution of an image in planes", image},
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
		{"layer normalisation", Rows("layernorm")},
		{"int8 matrix product", Int8Product{M: 512, N: 512, K: 512}},
		{"int8 convolution", Int8Convolution(convolution(64, 56, 64, 3, 1, 1).Shape)},
	}
}

func (p Product) choose() Choice {
	q := product{m: p.M, n: p.N, k: p.K, a: dense(nil, p.K, p.K), b: dense(nil, p.N, p.N)}
	if p.Packed {
		q.packedB = []float32{}
	}
	plan := gemm.planFor(&q)
	c := Choice{
		Kernel:         fmt.Sprintf("GEMM, tiles of %dx%d, blocks of %dx%d", gemm.rows, gemm.nr(), plan.depth, plan.width),
		Implementation: gemm.base, Why: "the right operand is packed at each call",
	}
	switch {
	case p.Packed:
		c.Why = "the right operand was packed before"
	case plan.direct:
		c.Why = "few rows: the right operand is read where it lies"
	}
	return c
}

func (c Convolution) choose() Choice {
	a, why := c.Shape.selectAlgorithm(c.In, c.Out)
	choice := Choice{Kernel: a.String(), Implementation: selected.base, Why: why}
	in, out := a.layouts()
	if in != c.In {
		choice.Kernel += fmt.Sprintf(", %s to %s before", c.In, in)
	}
	if out != c.Out {
		choice.Kernel += fmt.Sprintf(", %s to %s after", out, c.Out)
	}
	return choice
}

func (p Int8Product) choose() Choice {
	c := Choice{
		Kernel:         fmt.Sprintf("int8 GEMM, tiles of %dx%d", int8Tiles.rows, 2*int8Tiles.width),
		Implementation: selected.name, Why: "dot products of four bytes",
	}
	if !selected.dot8 {
		c.Implementation, c.Why = selected.base, "no instruction for dot products of bytes: products of 16 bits"
	}
	return c
}

func (s Int8Convolution) choose() Choice {
	c := Int8Product{}.choose()
	c.Kernel += ", on the patches of the image"
	return c
}

func (p Pool2D) choose() Choice {
	c := onePass()
	c.Kernel = "vectors, rows of the window and then columns"
	return c
}

// onePass is the choice of functions of vectors.
func onePass() Choice {
	return Choice{Kernel: "vectors", Implementation: selected.base, Why: "one pass over memory"}
}

func (e Elementwise) choose() Choice { return onePass() }

func (r Rows) choose() Choice { return onePass() }
