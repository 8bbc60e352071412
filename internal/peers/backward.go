package main

import (
	"fmt"
	"strings"

	"github.com/hwprofd/hwprofd/kernels"
)

// backwards has, for each operator of the rows that torch_ops.py prints, what
// runs it forward and backward.
var backwards = map[string]func(shape string) (func(), error){
	"conv":      convBackward,
	"linear":    linearBackward,
	"batchnorm": batchNormBackward,
	"layernorm": layerNormBackward,
}

// backward is an operator and the gradients of all its operands.
func backward(r row) (func(), error) {
	if r.dtype != "f32" {
		return nil, errType
	}
	operator, _, _ := strings.Cut(r.shape, "_")
	prepare, ok := backwards[operator]
	if !ok {
		return nil, fmt.Errorf("the operator %q cannot be run backward", operator)
	}
	return prepare(r.shape)
}

func convBackward(shape string) (func(), error) {
	s, err := convShape(shape)
	if err != nil {
		return nil, err
	}
	x, w, y := s.N*s.C*s.H*s.W, s.K*s.C/s.Groups*s.R*s.S, s.N*s.K*s.OutH()*s.OutW()
	src, weight, dst := operand(x), operand(w), operand(y)
	dsrc, dweight, ddst := operand(x), operand(w), operand(y)
	ws := new(kernels.Workspace)
	return func() {
		kernels.Conv2DForward(ws, s, dst, src, weight, nil)
		clear(dsrc)
		kernels.Conv2DBackwardInput(ws, s, dsrc, ddst, weight)
		clear(dweight)
		kernels.Conv2DBackwardWeight(ws, s, dweight, src, ddst)
	}, nil
}

func linearBackward(shape string) (func(), error) {
	var n, c, k int
	if err := scan(shape, "linear_n%dc%dk%d", &n, &c, &k); err != nil {
		return nil, err
	}
	x, w, bias, y := operand(n*c), operand(k*c), operand(k), operand(n*k)
	dx, dw, dbias, dy := operand(n*c), operand(k*c), operand(k), operand(n*k)
	ws := new(kernels.Workspace)
	return func() {
		for i := range n {
			copy(y[i*k:], bias)
		}
		kernels.Gemm(ws, false, true, n, k, c, 1, x, c, w, c, 1, y, k)
		kernels.Gemm(ws, false, false, n, c, k, 1, dy, k, w, c, 0, dx, c)
		kernels.Gemm(ws, true, false, k, c, n, 1, dy, k, x, c, 0, dw, c)
		clear(dbias)
		kernels.BiasGradient(n, k, 1, dbias, dy)
	}, nil
}

func batchNormBackward(shape string) (func(), error) {
	var n, c, h int
	if err := scan(shape, "batchnorm_n%dc%dh%d", &n, &c, &h); err != nil {
		return nil, err
	}
	src, dst, dsrc, ddst := operand(n*c*h*h), operand(n*c*h*h), operand(n*c*h*h), operand(n*c*h*h)
	mean, variance, scale, shift, dscale, dshift := operand(c), operand(c), operand(c), operand(c), operand(c), operand(c)
	return func() {
		kernels.BatchNormStats(n, c, h*h, mean, variance, src)
		kernels.BatchNormForward(n, c, h*h, dst, src, mean, variance, scale, shift, 1e-5)
		clear(dsrc)
		clear(dscale)
		clear(dshift)
		kernels.BatchNormBackward(n, c, h*h, dsrc, dscale, dshift, ddst, src, mean, variance, scale, 1e-5)
	}, nil
}

func layerNormBackward(shape string) (func(), error) {
	var n, c int
	if err := scan(shape, "layernorm_n%dc%d", &n, &c); err != nil {
		return nil, err
	}
	src, dst, dsrc, ddst := operand(n*c), operand(n*c), operand(n*c), operand(n*c)
	scale, shift, dscale, dshift, mean, inverse := operand(c), operand(c), operand(c), operand(c), operand(n), operand(n)
	ws := new(kernels.Workspace)
	return func() {
		kernels.LayerNorm(ws, n, c, dst, src, scale, shift, mean, inverse, 1e-5)
		clear(dsrc)
		clear(dscale)
		clear(dshift)
		kernels.LayerNormBackward(ws, n, c, dsrc, dscale, dshift, ddst, src, scale, mean, inverse)
	}, nil
}
