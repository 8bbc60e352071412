package onnx

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/hwprofd/hwprofd/graph"
)

// readGemm reads alpha A B' + beta C with constant B.
func (n *node) readGemm() error {
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	var flags [2]int
	for i, name := range []string{"transA", "transB"} {
		if flags[i], err = n.int(name, 0); err != nil {
			return err
		}
	}
	var factors [2]float32
	for i, name := range []string{"alpha", "beta"} {
		if factors[i], err = n.float(name, 1); err != nil {
			return err
		}
	}
	if flags[0] != 0 {
		return unsupportedf("its first input is transposed")
	}
	weight, err := n.matrix(1, flags[1] == 0, factors[0])
	if err != nil {
		return err
	}
	if !n.has(2) || factors[1] == 0 {
		return n.last(graph.Linear, graph.Attributes{}, x, weight)
	}
	if c := n.inputs[2].constant; c != nil && n.opset >= 7 && isVector(c.shape, weight.Shape[0]) {
		bias, err := n.bias(weight.Shape[0], factors[1])
		if err != nil {
			return err
		}
		return n.last(graph.Linear, graph.Attributes{}, x, weight, bias)
	}
	if factors[1] != 1 {
		return unsupportedf("its beta is %v for a third input that is no bias", factors[1])
	}
	y, err := n.inner("product", graph.Linear, graph.Attributes{}, x, weight)
	if err != nil {
		return err
	}
	return n.combine(graph.Add, operand{value: y}, n.inputs[2])
}

// isVector reports whether a shape broadcasts to rows of n alike.
func isVector(shape []int, n int) bool {
	for _, d := range shape[:max(len(shape)-1, 0)] {
		if d != 1 {
			return false
		}
	}
	return len(shape) == 0 || len(shape) <= 2 && (shape[len(shape)-1] == n || shape[len(shape)-1] == 1)
}

// matrix is constant input i as a weight [out, in], scaled.
func (n *node) matrix(i int, transposed bool, alpha float32) (*graph.Value, error) {
	o, err := n.floats(i)
	if err != nil {
		return nil, err
	}
	shape := o.constant.shape
	if len(shape) != 2 {
		return nil, unsupportedf("input %d has shape %v; only a matrix is supported", i, shape)
	}
	rows, columns := shape[0], shape[1]
	if transposed {
		shape = []int{columns, rows}
	}
	variant := fmt.Sprint(transposed, math.Float32bits(alpha))
	return n.parameter(o, graph.RoleWeight, variant, shape, func() ([]float32, error) {
		data := o.constant.floats()
		if transposed {
			data = transpose(data, rows, columns)
		}
		if alpha != 1 {
			for i := range data {
				data[i] *= alpha
			}
		}
		return data, nil
	})
}

// bias is constant input 2 as [out], scaled.
func (n *node) bias(out int, beta float32) (*graph.Value, error) {
	o, err := n.floats(2)
	if err != nil {
		return nil, err
	}
	variant := strconv.Itoa(int(math.Float32bits(beta)))
	return n.parameter(o, graph.RoleBias, variant, []int{out}, func() ([]float32, error) {
		data := o.constant.floats()
		if len(data) == 1 && out > 1 {
			if err := n.generate(out); err != nil {
				return nil, err
			}
			data = slices.Repeat(data, out)
		}
		for i := range data {
			data[i] *= beta
		}
		return data, nil
	})
}

// readMatMul reads a product with a constant matrix.
func (n *node) readMatMul() error {
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	weight, err := n.matrix(1, true, 1)
	if err != nil {
		return err
	}
	rank := len(x.Shape)
	switch {
	case rank == 2:
		return n.last(graph.Linear, graph.Attributes{}, x, weight)
	case rank < 2:
		return unsupportedf("input 0 has shape %v", x.Shape)
	}
	rows, err := n.inner("rows", graph.Flatten, graph.Attributes{Axis: rank - 1}, x)
	if err != nil {
		return err
	}
	y, err := n.inner("product", graph.Linear, graph.Attributes{}, rows, weight)
	if err != nil {
		return err
	}
	shape := append(slices.Clone(x.Shape[:rank-1]), weight.Shape[0])
	return n.last(graph.Reshape, graph.Attributes{Shape: shape}, y)
}
