package onnx

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
)

func (n *node) readConstant() error {
	if len(n.proto.Attribute) != 1 {
		return fmt.Errorf("%d attributes, want one, the value", len(n.proto.Attribute))
	}
	a := n.proto.Attribute[0]
	p := a.GetT()
	switch a.GetName() {
	case "value":
		if p == nil {
			return fmt.Errorf("its value is no tensor")
		}
	case "value_float":
		p = &onnxpb.TensorProto{DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), FloatData: []float32{a.GetF()}}
	default:
		return unsupportedf("attribute %q", a.GetName())
	}
	t, err := newTensor(p)
	if err != nil {
		return err
	}
	return n.become(operand{constant: t})
}

// readConstantOfShape makes a constant whose elements are only written out
// where it is used.
func (n *node) readConstantOfShape() error {
	o, err := n.constant(0)
	if err != nil {
		return err
	}
	if o.constant.ints == nil {
		return errors.New("its shape is not of type INT64")
	}
	dims := make([]int64, len(o.constant.ints))
	for i, d := range o.constant.ints {
		dims[i] = int64(d)
	}
	shape, err := dimensions(dims)
	if err != nil {
		return err
	}
	var value float32
	a, err := n.attribute("value", onnxpb.AttributeProto_TENSOR)
	if err != nil {
		return err
	}
	if a != nil {
		t, err := newTensor(a.GetT())
		if err != nil {
			return err
		}
		if t.floats == nil {
			return unsupportedf("its value is not of type FLOAT")
		}
		if t.elements() != 1 {
			return fmt.Errorf("its value has shape %v, want one element", t.shape)
		}
		value = t.floats()[0]
	}
	if err := n.generate(product(shape)); err != nil {
		return err
	}
	return n.become(operand{constant: &tensor{shape: shape, floats: func() []float32 {
		return slices.Repeat([]float32{value}, product(shape))
	}}})
}
