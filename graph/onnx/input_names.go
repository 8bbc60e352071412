package onnx

import (
	"fmt"
	"os"
)

// InputNames are the names of a model's inputs in its order, those that have
// an initializer left out.
func InputNames(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	defer f.Close()
	data, err := contents(f)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	model, _, err := unmarshal(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	initialized := make(map[string]bool)
	for _, t := range model.GetGraph().GetInitializer() {
		initialized[t.GetName()] = true
	}
	var names []string
	for _, in := range model.GetGraph().GetInput() {
		if !initialized[in.GetName()] {
			names = append(names, in.GetName())
		}
	}
	return names, nil
}
