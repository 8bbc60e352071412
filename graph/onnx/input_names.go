package onnx

import (
	"fmt"
	"os"
	"slices"

	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// InputNames are the names of a model's inputs in its order, those that have
// an initializer left out. Inputs and outputs that are no tensors of numbers
// are an [operator.UnsupportedError].
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
	for _, v := range slices.Concat(model.GetGraph().GetInput(), model.GetGraph().GetOutput()) {
		kind := onnxpb.TensorProto_DataType(v.GetType().GetTensorType().GetElemType())
		if _, ok := dtypes[kind]; v.GetType() != nil && !ok {
			what := "not a tensor"
			if v.GetType().GetTensorType() != nil {
				what = "of type " + kind.String()
			}
			return nil, fmt.Errorf("%s: %w", path, &operator.UnsupportedError{Reason: fmt.Sprintf("%q is %s", v.GetName(), what)})
		}
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
