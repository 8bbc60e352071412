package onnx

import (
	"errors"
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
)

func (n *node) readConv() error {
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	weight, err := n.floats(1)
	if err != nil {
		return err
	}
	shape := weight.constant.shape
	if len(x.Shape) != 4 || len(shape) != 4 {
		return unsupportedf("input is %v and weight %v; only two-dimensional convolution is supported", x.Shape, shape)
	}
	a := graph.Attributes{Dilation: [2]int{1, 1}}
	kernel := [2]int(shape[2:])
	if _, err := n.ints("kernel_shape", kernel[:]); err != nil {
		return err
	}
	if kernel != [2]int(shape[2:]) {
		return fmt.Errorf("kernel_shape is %v, but the weight %v", kernel, shape)
	}
	if a.Group, err = n.int("group", 1); err != nil {
		return err
	}
	if _, err := n.ints("dilations", a.Dilation[:]); err != nil {
		return err
	}
	if err := n.window(&a, x.Shape, kernel, a.Dilation); err != nil {
		return err
	}
	inputs := []*graph.Value{x, nil}
	if inputs[1], err = n.given(weight, graph.RoleWeight, shape); err != nil {
		return err
	}
	if n.has(2) {
		o, err := n.floats(2)
		if err != nil {
			return err
		}
		bias, err := n.given(o, graph.RoleBias, o.constant.shape)
		if err != nil {
			return err
		}
		inputs = append(inputs, bias)
	}
	return n.last(graph.Conv, a, inputs...)
}

func (n *node) readMaxPool() error { return n.pool(graph.MaxPool) }

func (n *node) readAveragePool() error { return n.pool(graph.AveragePool) }

func (n *node) pool(kind graph.Kind) error {
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	if len(x.Shape) != 4 {
		return unsupportedf("input has shape %v; only [N C H W] is supported", x.Shape)
	}
	var a graph.Attributes
	if ok, err := n.ints("kernel_shape", a.Kernel[:]); err != nil {
		return err
	} else if !ok {
		return errors.New("attribute \"kernel_shape\" is missing")
	}
	dilation := [2]int{1, 1}
	if _, err := n.ints("dilations", dilation[:]); err != nil {
		return err
	}
	if dilation != [2]int{1, 1} {
		return unsupportedf("its dilations are %v", dilation)
	}
	if err := n.window(&a, x.Shape, a.Kernel, dilation); err != nil {
		return err
	}
	includePad, err := n.int("count_include_pad", 0)
	if err != nil {
		return err
	}
	if includePad != 0 && a.Pad != [4]int{} {
		return unsupportedf("it counts padding in the mean")
	}
	up, err := n.int("ceil_mode", 0)
	if err != nil {
		return err
	}
	if up != 0 {
		roundUp(&a, x.Shape)
	}
	if max(a.Pad[0], a.Pad[2]) >= a.Kernel[0] || max(a.Pad[1], a.Pad[3]) >= a.Kernel[1] {
		return unsupportedf("its padding %v is not smaller than the window %v", a.Pad, a.Kernel)
	}
	return n.last(kind, a, x)
}

// window reads strides and padding, and works out automatic padding.
func (n *node) window(a *graph.Attributes, x []int, kernel, dilation [2]int) error {
	a.Stride = [2]int{1, 1}
	if _, err := n.ints("strides", a.Stride[:]); err != nil {
		return err
	}
	if _, err := n.ints("pads", a.Pad[:]); err != nil {
		return err
	}
	for _, d := range [][]int{kernel[:], dilation[:], a.Stride[:]} {
		if min(d[0], d[1]) < 1 || max(d[0], d[1]) > maxDim {
			return fmt.Errorf("window %v, dilations %v, strides %v: each must be 1 to %d", kernel, dilation, a.Stride, maxDim)
		}
	}
	for _, p := range a.Pad {
		if p < 0 || p > maxDim {
			return unsupportedf("its padding is %v", a.Pad)
		}
	}
	auto, err := n.string("auto_pad", "NOTSET")
	if err != nil {
		return err
	}
	switch auto {
	case "NOTSET", "":
	case "VALID":
		a.Pad = [4]int{}
	case "SAME_UPPER", "SAME_LOWER":
		for i := range 2 {
			out := (int64(x[2+i]) + int64(a.Stride[i]) - 1) / int64(a.Stride[i])
			span := int64(kernel[i]-1)*int64(dilation[i]) + 1
			total := max(0, (out-1)*int64(a.Stride[i])+span-int64(x[2+i]))
			small, large := clampInt(total/2), clampInt(total-total/2)
			if auto == "SAME_UPPER" { // the odd one goes to the end
				a.Pad[i], a.Pad[2+i] = small, large
			} else {
				a.Pad[i], a.Pad[2+i] = large, small
			}
		}
	default:
		return fmt.Errorf("auto_pad is %q", auto)
	}
	return nil
}

// roundUp gives the input so much more padding at the end that windows which
// begin in it or in the padding before are not cut off (ceil_mode).
func roundUp(a *graph.Attributes, x []int) {
	for i := range 2 {
		in, stride, kernel := x[2+i], a.Stride[i], a.Kernel[i]
		begin, end := a.Pad[i], a.Pad[2+i]
		room := in + begin + end - kernel
		if room < 0 {
			continue
		}
		last := (room + stride - 1) / stride * stride // where the last window begins
		if last >= in+begin {
			last -= stride
		}
		a.Pad[2+i] = max(end, last+kernel-in-begin)
	}
}
