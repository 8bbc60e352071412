//go:build linux || darwin

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// graphNode is a node of the model that ONNX Runtime made of the one it was
// given.
type graphNode struct {
	Name   string `json:"name"`
	Op     string `json:"op"`
	Layout bool   `json:"layout,omitempty"` // as in nodeTime

	outputs []string
}

// graph lets ONNX Runtime write the model as it runs it, and returns its nodes.
func (a *adapter) graph() ([]graphNode, error) {
	path := filepath.Join(a.folder, "optimized.onnx")
	defer os.Remove(path)
	s, err := a.api.newSession(a.model, a.options, a.inputs, written{model: path})
	if err != nil {
		return nil, err
	}
	s.close()
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	nodes, err := readGraph(data)
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime's model: %w", err)
	}
	return nodes, nil
}

// Numbers of fields in onnx.proto.
const (
	modelGraph = 7
	graphNodes = 1
	nodeOutput = 2
	nodeName   = 3
	nodeOp     = 4
)

// readGraph reads the nodes of a model, of which it needs to know little more
// than that they are there.
func readGraph(data []byte) (nodes []graphNode, err error) {
	nodes = []graphNode{}
	err = fields(data, func(number uint64, model []byte) error {
		if number != modelGraph {
			return nil
		}
		return fields(model, func(number uint64, node []byte) error {
			if number != graphNodes {
				return nil
			}
			var n graphNode
			err := fields(node, func(number uint64, text []byte) error {
				switch number {
				case nodeOutput:
					n.outputs = append(n.outputs, string(text))
				case nodeName:
					n.Name = string(text)
				case nodeOp:
					n.Op = string(text)
				}
				return nil
			})
			n.Layout = layoutOps[n.Op]
			nodes = append(nodes, n)
			return err
		})
	})
	return nodes, err
}

// fields calls f with each field of a protobuf message that is bytes.
func fields(message []byte, f func(number uint64, value []byte) error) error {
	damaged := errors.New("it is no protobuf message")
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return damaged
		}
		message = message[n:]
		skip := 0
		switch tag & 7 {
		case 0: // varint
			if _, skip = binary.Uvarint(message); skip <= 0 {
				return damaged
			}
		case 1:
			skip = 8
		case 5:
			skip = 4
		case 2:
			size, n := binary.Uvarint(message)
			if n <= 0 || size > uint64(len(message)-n) {
				return damaged
			}
			if err := f(tag>>3, message[n:n+int(size)]); err != nil {
				return err
			}
			skip = n + int(size)
		default:
			return damaged
		}
		if skip > len(message) {
			return damaged
		}
		message = message[skip:]
	}
	return nil
}
