package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
)

// Numbers of the fields on the way to the data of weights.
const (
	fieldGraph       = 7 // of ModelProto
	fieldInitializer = 5 // of GraphProto
	fieldRawData     = 9 // of TensorProto
	// Data of so many bytes is left where it is.
	liftedSize = 1 << 10
	// Models nest a few levels deep; crafted ones could exhaust the stack.
	maxNesting = 100
)

// unmarshal parses a model. The raw data of its large initializers, which is
// nearly all of it, is not copied: lifted[i] is that of initializer i, part of
// data; nil where it is in the initializer as usual.
func unmarshal(data []byte) (model *onnxpb.ModelProto, lifted [][]byte, err error) {
	rest, err := each(data, nil, func(out []byte, number protowire.Number, field, value []byte) ([]byte, error) {
		if number != fieldGraph || value == nil {
			return append(out, field...), nil
		}
		graph, err := each(value, nil, func(out []byte, number protowire.Number, field, value []byte) ([]byte, error) {
			if number != fieldInitializer || value == nil {
				return append(out, field...), nil
			}
			var raw []byte
			tensor, err := each(value, nil, func(out []byte, number protowire.Number, field, value []byte) ([]byte, error) {
				if number != fieldRawData || len(value) < liftedSize {
					if number == fieldRawData {
						raw = nil // the last one counts
					}
					return append(out, field...), nil
				}
				raw = value
				return out, nil
			})
			lifted = append(lifted, raw)
			return appendMessage(out, fieldInitializer, tensor), err
		})
		return appendMessage(out, fieldGraph, graph), err
	})
	if err == nil {
		model = &onnxpb.ModelProto{}
		err = proto.UnmarshalOptions{RecursionLimit: maxNesting}.Unmarshal(rest, model)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("damaged, or no ONNX model: %w", err)
	}
	return model, lifted, nil
}

func appendMessage(out []byte, number protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(out, number, protowire.BytesType), message)
}

// each calls visit for all fields of a message, with the bytes of the field
// and, if it is of the wire type bytes, its value, and collects what visit
// makes of them in out.
func each(message, out []byte, visit func(out []byte, number protowire.Number, field, value []byte) ([]byte, error)) ([]byte, error) {
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return nil, protowire.ParseError(tag)
		}
		n := protowire.ConsumeFieldValue(number, kind, message[tag:])
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		var value []byte
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(message[tag:])
		}
		var err error
		if out, err = visit(out, number, message[:tag+n], value); err != nil {
			return nil, err
		}
		message = message[tag+n:]
	}
	return out, nil
}
