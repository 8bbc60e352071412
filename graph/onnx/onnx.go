// Package onnx reads and writes networks as ONNX models
// (https://onnx.ai, docs/IR.md and docs/Operators.md of github.com/onnx/onnx).
//
// It reads float32 models of opset 7 and later whose operators a
// [graph.Graph] has, with constant weights inside the file, and writes opset
// 17 with plain operators only, which every runtime can load.
package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"

	"github.com/google/renameio/v2/maybe"

	"github.com/hwprofd/hwprofd/graph"
)

// Read reads the model in a file. Nodes that have no counterpart in a graph
// are reported all at once as an [UnsupportedError].
func Read(path string) (*graph.Graph, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	g, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// Write writes g to a file, in one step: a reader sees the old file or the
// whole new one. All parameters must have data.
func Write(path string, g *graph.Graph) error {
	data, err := Encode(g)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := maybe.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("write model %s: %w", path, err)
	}
	return nil
}

// float32s reads little-endian numbers, of which raw holds a whole count.
func float32s(raw []byte) []float32 {
	data := make([]float32, len(raw)/4)
	for i := range data {
		data[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return data
}

func rawFloat32s(data []float32) []byte {
	raw := make([]byte, 0, 4*len(data))
	for _, x := range data {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return raw
}

func rawInt64s(data []int) []byte {
	raw := make([]byte, 0, 8*len(data))
	for _, x := range data {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(int64(x)))
	}
	return raw
}
