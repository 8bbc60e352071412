// Package onnx reads and writes networks as ONNX models
// (https://onnx.ai, docs/IR.md and docs/Operators.md of github.com/onnx/onnx).
//
// It reads models of opset 7 and later. Each node becomes one of the newest
// version of its operator; what depends on constants alone is computed, so that
// all shapes are known. It writes any graph, in the oldest opset from 17 on that
// has all its operators.
package onnx

import (
	"fmt"
	"os"
	"slices"

	"github.com/google/renameio/v2/maybe"

	"github.com/hwprofd/hwprofd/graph"
)

// Read reads the model in a file, with the defaults of [Options].
func Read(path string) (*graph.Graph, error) { return ReadWith(path, Options{}) }

// ReadWith reads the model in a file. Nodes that a graph cannot hold are
// reported all at once as an [UnsupportedError].
//
// The graph's parameters are, where possible, the file's own pages in memory:
// a large model file must not be cut short while the graph is in use, or the
// system ends the process. It may be replaced, as Write does.
func ReadWith(path string, o Options) (*graph.Graph, error) {
	g, _, err := readFile(path, o)
	return g, err
}

// ExternalFiles reads the model in a file and returns the names of the files in
// its folder that hold tensors of it, with slashes between folders.
func ExternalFiles(path string) ([]string, error) {
	_, e, err := readFile(path, Options{})
	if err != nil {
		return nil, err
	}
	var names []string
	for location := range e.files {
		names = append(names, slashed(location))
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func readFile(path string, o Options) (*graph.Graph, *external, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read model: %w", err)
	}
	defer f.Close()
	data, err := contents(f)
	if err != nil {
		return nil, nil, fmt.Errorf("read model: %w", err)
	}
	e, err := openFolder(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read model: %w", err)
	}
	defer e.close()
	g, err := decode(data, o, e)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, e, nil
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
