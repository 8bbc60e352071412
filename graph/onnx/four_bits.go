package onnx

import (
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// Tensors here have no elements of 4 bits: they are kept in 8. Where an operator
// makes such elements, the reader sees to it that they stay in their range.

func isFourBits(kind int32) bool {
	return kind == int32(onnxpb.TensorProto_INT4) || kind == int32(onnxpb.TensorProto_UINT4)
}

// noteFourBits remembers of v that the model has it in 4 bits, if it is so.
func (d *decoder) noteFourBits(v *graph.Value, kind int32) {
	if v != nil && isFourBits(kind) {
		d.fourBits[v] = true
	}
}

func (n *node) normalizeCastLike() error {
	if n.has(1) && n.fourBits[n.in[1]] {
		return unsupportedf("casting to 4 bits")
	}
	return nil
}

// normalizeQuantizeLinear cuts what is quantized to 4 bits off at their range.
func (n *node) normalizeQuantizeLinear() error {
	kind, _ := n.attributes["output_dtype"].(int64)
	four := isFourBits(int32(min(kind, 99)))
	if four {
		n.attributes["output_dtype"] = int64(dataType(dtypes[onnxpb.TensorProto_DataType(kind)]))
	}
	signed := kind == int64(onnxpb.TensorProto_INT4)
	if n.has(2) && n.fourBits[n.in[2]] {
		four, signed = true, n.in[2].DType == operator.I8
	}
	if !four {
		return nil
	}
	y, err := n.inner("wide", n.op, n.attributes, n.in...)
	if err != nil {
		return err
	}
	least := &operator.Tensor{DType: operator.U8, Shape: []int{}, Data: []uint8{0}}
	most := &operator.Tensor{DType: operator.U8, Shape: []int{}, Data: []uint8{15}}
	if signed {
		least = &operator.Tensor{DType: operator.I8, Shape: []int{}, Data: []int8{-8}}
		most = &operator.Tensor{DType: operator.I8, Shape: []int{}, Data: []int8{7}}
	}
	n.op, n.attributes = "Clip", operator.Attributes{}
	n.in = []*graph.Value{y, n.constant("least", least), n.constant("most", most)}
	return nil
}
