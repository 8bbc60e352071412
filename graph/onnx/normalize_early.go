package onnx

import (
	"fmt"
	"strings"

	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
)

// normalizeBroadcast aligns the operands of operators of two before opset 7,
// where the second was broadcast from a dimension on, and only if asked for.
func (n *node) normalizeBroadcast() error {
	if n.opset >= 7 {
		return nil
	}
	on, err := n.attributes.Int("broadcast", 0)
	if err != nil {
		return err
	}
	if !n.has(0) || !n.has(1) {
		return fmt.Errorf("it needs two inputs")
	}
	x, y := n.in[0].Shape, n.in[1].Shape
	axis, err := n.attributes.Int("axis", len(x)-len(y))
	if err != nil {
		return err
	}
	delete(n.attributes, "broadcast")
	delete(n.attributes, "axis")
	if on == 0 {
		return nil
	}
	if axis < 0 {
		axis += len(x)
	}
	behind := len(x) - axis - len(y)
	if axis < 0 || behind < 0 {
		return fmt.Errorf("shape %v does not broadcast to %v from dimension %d on", y, x, axis)
	}
	if behind == 0 {
		return nil
	}
	shape := int64s(y)
	for range behind {
		shape = append(shape, 1)
	}
	n.in[1], err = n.inner("aligned", "Reshape", nil, n.in[1], n.int64s("aligned.shape", shape...))
	return err
}

// normalizeCast reads the name of the type, which it was before opset 6.
func (n *node) normalizeCast() error {
	name, ok := n.attributes["to"].(string)
	if !ok {
		return nil
	}
	v, ok := onnxpb.TensorProto_DataType_value[strings.ToUpper(name)]
	if !ok {
		return fmt.Errorf("attribute \"to\" is %q", name)
	}
	n.attributes["to"] = int64(v)
	return nil
}

func (n *node) normalizeConcat() error {
	if _, ok := n.attributes["axis"]; n.opset < 4 && !ok {
		n.attributes["axis"] = int64(1)
	}
	return nil
}

func (n *node) normalizeGemm() error {
	if n.opset < 7 {
		delete(n.attributes, "broadcast")
	}
	return nil
}

func (n *node) normalizeReshape() error {
	if n.opset < 5 {
		return n.moveInts("shape", 1)
	}
	return nil
}

// normalizePRelu aligns the slopes with the channels, which before opset 7 they
// were for.
func (n *node) normalizePRelu() error {
	if n.opset >= 7 || !n.has(0) || !n.has(1) || len(n.in[1].Shape) != 1 || n.in[1].Shape[0] == 1 {
		return nil
	}
	shape := []int64{int64(n.in[1].Shape[0])}
	for range len(n.in[0].Shape) - 2 {
		shape = append(shape, 1)
	}
	var err error
	n.in[1], err = n.inner("aligned", "Reshape", nil, n.in[1], n.int64s("aligned.shape", shape...))
	return err
}
