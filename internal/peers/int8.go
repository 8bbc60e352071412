package main

import (
	"fmt"

	"github.com/hwprofd/hwprofd/kernels"
)

// int8Output is an epilogue that makes bytes of n sums, over columns columns.
func int8Output(n, columns int) *kernels.Int8Output {
	return &kernels.Int8Output{
		Bytes: make([]uint8, n), Bias: make([]int32, columns), Scale: operand(columns), Activation: kernels.ReLU, Zero: 3,
	}
}

// byteOperand returns n bytes.
func byteOperand(n int) []uint8 {
	x := make([]uint8, n)
	for i := range x {
		x[i] = uint8(i * 37)
	}
	return x
}

// int8Operand returns n signed bytes.
func int8Operand(n int) []int8 {
	x := make([]int8, n)
	for i := range x {
		x[i] = int8(i * 37)
	}
	return x
}

// int8Gemm is the product of unsigned and signed bytes, of which the latter
// were packed before.
func int8Gemm(m, n, k int) func() {
	packed := kernels.PackInt8Gemm(k, n, int8Operand(k*n), nil)
	a, out := kernels.Int8Input{Data: byteOperand(m * k), Zero: 5}, int8Output(m*n, n)
	ws := new(kernels.Workspace)
	return func() { packed.Forward(ws, m, a, out) }
}

// int8Work is the work of a row that is no single operator.
func int8Work(r row) (func(), error) {
	if r.shape != "convolutions_of_resnet50" {
		return nil, fmt.Errorf("the int8 work %q is not known", r.shape)
	}
	shapes, residual := resnet50()
	runs := make([]func(), len(shapes))
	ws := new(kernels.Workspace)
	for i, s := range shapes {
		packed, err := kernels.PackInt8Conv2D(s, int8Operand(s.K*s.C*s.R*s.S), nil)
		if err != nil {
			return nil, err
		}
		src := kernels.Int8Input{Data: byteOperand(s.N * s.H * s.W * kernels.Int8Channels(s.C)), Zero: 5}
		out := int8Output(s.N*s.OutH()*s.OutW()*kernels.Int8Channels(s.K), s.K)
		if residual[i] {
			out.Residual, out.ResidualScale = byteOperand(len(out.Bytes)), 1
		}
		runs[i] = func() { packed.Forward(ws, src, out) }
	}
	return func() {
		for _, run := range runs {
			run()
		}
	}, nil
}

// resnet50 returns the convolutions of ResNet-50 in their order, and to which
// of them the output of an earlier one is added.
func resnet50() (shapes []kernels.Conv2D, residual []bool) {
	convolution := func(c, h, k, r, stride int, add bool) {
		shapes = append(shapes, kernels.Conv2D{
			N: 1, C: c, H: h, W: h, K: k, R: r, S: r, StrideH: stride, StrideW: stride, DilationH: 1, DilationW: 1, Groups: 1,
			PadTop: r / 2, PadLeft: r / 2, PadBottom: r / 2, PadRight: r / 2,
		})
		residual = append(residual, add)
	}
	convolution(3, 224, 64, 7, 2, false)
	c, h := 64, 56
	for stage, blocks := range []int{3, 4, 6, 3} {
		width := 64 << stage
		for block := range blocks {
			stride := 1
			if stage > 0 && block == 0 {
				stride = 2
			}
			if block == 0 {
				convolution(c, h, 4*width, 1, stride, false)
			}
			convolution(c, h, width, 1, 1, false)
			convolution(width, h, width, 3, stride, false)
			h /= stride
			convolution(width, h, 4*width, 1, 1, true)
			c = 4 * width
		}
	}
	return shapes, residual
}
