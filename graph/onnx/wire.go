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
	// Each field of two bytes can take hundreds in memory.
	maxFields = 1 << 22
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
		left := maxFields
		err = countFields(rest, modelMessage, maxNesting, &left)
	}
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

// message says which fields of a message are themselves messages of which there
// may be many.
type message map[protowire.Number]message

var modelMessage = func() message {
	tensor, attribute, node, graph := message{}, message{}, message{}, message{}
	function := message{7: node, 11: attribute}
	node[5] = attribute
	graph[1], graph[5] = node, tensor
	attribute[5], attribute[6], attribute[10], attribute[11] = tensor, graph, tensor, graph
	return message{7: graph, 25: function}
}()

// countFields takes the fields of a message, and of those in it, from left.
func countFields(data []byte, m message, depth int, left *int) error {
	if depth == 0 {
		return nil // the parser reports it
	}
	_, err := each(data, nil, func(out []byte, number protowire.Number, field, value []byte) ([]byte, error) {
		if *left--; *left < 0 {
			return nil, fmt.Errorf("more than %d fields", maxFields)
		}
		inner, ok := m[number]
		if !ok || value == nil {
			return nil, nil
		}
		return nil, countFields(value, inner, depth-1, left)
	})
	return err
}
