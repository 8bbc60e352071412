package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// Options say what a model leaves open.
type Options struct {
	// Shapes of inputs by name, for those with dimensions that are symbolic. A
	// symbol has one size in all inputs. Without, a symbolic first dimension,
	// the batch, becomes 1, and others are what the operators that read the
	// input need, if that is certain.
	Shapes map[string][]int
	// Constants are inputs that are no inputs of the graph, but have these
	// values for ever.
	Constants map[string]*operator.Tensor
	// Limit is the number of bytes that all tensors of the model may take
	// together; 0 is 4 GiB.
	Limit int64
}

// NotConstantError says that shapes in a model depend on elements of its
// inputs. With these in [Options.Constants] it can be read.
type NotConstantError struct {
	Node   string // the first node where it matters
	Type   string
	Inputs []string // of the model
	Err    error
}

func (e *NotConstantError) Error() string {
	if len(e.Inputs) == 0 {
		return fmt.Sprintf("node %q (%s): %v", e.Node, e.Type, e.Err)
	}
	return fmt.Sprintf("node %q (%s): %v; it comes from the inputs %s of the model, which must be given as constants",
		e.Node, e.Type, e.Err, strings.Join(e.Inputs, ", "))
}

func (e *NotConstantError) Unwrap() error { return e.Err }

// mergeNotConstant is one error about the inputs of all.
func mergeNotConstant(list []*NotConstantError) error {
	e := *list[0]
	for _, other := range list[1:] {
		for _, name := range other.Inputs {
			if !slices.Contains(e.Inputs, name) {
				e.Inputs = append(e.Inputs, name)
			}
		}
	}
	return &e
}
