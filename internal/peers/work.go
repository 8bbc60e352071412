package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hwprofd/hwprofd/kernels"
)

// kinds has, for each kind of row, what does the row's work: a function of
// which each call is one run.
var kinds = map[string]func(row) (func(), error){
	"gemm":      gemm,
	"conv":      conv,
	"attention": attention,
	"backward":  backward,
	"int8":      int8Work,
	"net":       net,
}

// errType says that there are no kernels for the row's element type.
var errType = errors.New("there are no kernels for this element type")

// prepare allocates the operands of a row's work and returns what does it.
func prepare(r row) (func(), error) {
	kind, ok := kinds[r.kind]
	if !ok {
		return nil, fmt.Errorf("rows of the kind %q cannot be run", r.kind)
	}
	return kind(r)
}

// scan reads the numbers of a shape, which has to match a format as
// fmt.Sscanf takes it, and to be of positive numbers alone.
func scan(shape, format string, numbers ...*int) error {
	args := make([]any, len(numbers))
	for i, n := range numbers {
		args[i] = n
	}
	_, err := fmt.Sscanf(shape, format, args...)
	if err == nil {
		values := make([]any, len(numbers))
		for i, n := range numbers {
			if values[i] = *n; *n < 1 || *n > 1<<24 {
				return fmt.Errorf("shape %q: %d is out of range", shape, *n)
			}
		}
		if fmt.Sprintf(format, values...) == shape {
			return nil
		}
	}
	return fmt.Errorf("shape %q, want the form %s", shape, strings.ReplaceAll(format, "%d", "1"))
}

// operand returns n elements with the values that the peers' programs use.
func operand(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i%13) * .01
	}
	return x
}

// packsAtEachCall tells the peers whose interface takes matrices as they lie.
func packsAtEachCall(peer string) bool { return peer == "openblas" || peer == "blis" }

// gemm is the product of [m, k] and [k, n].
func gemm(r row) (func(), error) {
	var m, n, k int
	if err := scan(strings.TrimPrefix(r.shape, "gemm_"), "m%dn%dk%d", &m, &n, &k); err != nil {
		return nil, err
	}
	switch r.dtype {
	case "u8s8":
		return int8Gemm(m, n, k), nil
	case "f32":
	default:
		return nil, errType
	}
	a, b, c := operand(m*k), operand(k*n), operand(m*n)
	ws := new(kernels.Workspace)
	if packsAtEachCall(r.peer) {
		return func() { kernels.Gemm(ws, false, false, m, n, k, 1, a, k, b, n, 0, c, n) }, nil
	}
	packed := kernels.PackLinear(k, n, transpose(k, n, b), nil)
	return func() { packed.Forward(ws, m, c, a, kernels.NoActivation) }, nil
}

// transpose returns the transpose of x [rows, columns].
func transpose(rows, columns int, x []float32) []float32 {
	y := make([]float32, len(x))
	for i := range rows {
		for j := range columns {
			y[j*rows+i] = x[i*columns+j]
		}
	}
	return y
}

// convShape reads a shape such as conv_n1c64h56k64r3s1g1: square images and
// windows, padded by half a window.
func convShape(shape string) (kernels.Conv2D, error) {
	var s kernels.Conv2D
	if err := scan(shape, "conv_n%dc%dh%dk%dr%ds%dg%d", &s.N, &s.C, &s.H, &s.K, &s.R, &s.StrideH, &s.Groups); err != nil {
		return s, err
	}
	s.W, s.S, s.StrideW, s.DilationH, s.DilationW = s.H, s.R, s.StrideH, 1, 1
	s.PadTop = s.R / 2
	s.PadLeft, s.PadBottom, s.PadRight = s.PadTop, s.PadTop, s.PadTop
	return s, s.Validate()
}

// fewChannels is the number of channels up to which an image comes in planes,
// as the first convolution of a network finds it; oneDNN's is in the layout of
// its choice too.
const fewChannels = 4

// conv is a convolution with bias whose weights were packed before, between
// images in the layout that a network keeps them in.
func conv(r row) (func(), error) {
	s, err := convShape(r.shape)
	if err != nil {
		return nil, err
	}
	if r.dtype != "f32" {
		return nil, errType
	}
	in, out := kernels.Blocked, kernels.Blocked
	if s.C <= fewChannels {
		in = kernels.Planar
	}
	packed, err := kernels.PackConv2DLayouts(s, in, out, operand(s.K*s.C/s.Groups*s.R*s.S), operand(s.K))
	if err != nil {
		return nil, err
	}
	src, dst := operand(in.Size(s.N, s.C, s.H*s.W)), operand(out.Size(s.N, s.K, s.OutH()*s.OutW()))
	ws := new(kernels.Workspace)
	return func() { packed.Forward(ws, dst, src, nil, kernels.NoActivation) }, nil
}
