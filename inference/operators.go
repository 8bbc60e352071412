package inference

import (
	"github.com/hwprofd/hwprofd/graph"
)

// HasKernel reports whether there are kernels for an operator of ONNX: some use
// of it, on some types, is not computed by the operator's definition.
func HasKernel(name string) bool {
	switch kind := graph.Kind(name); kind {
	case graph.Flatten, graph.Reshape, graph.Identity, "Squeeze", "Unsqueeze", "QLinearConv", "ConvInteger":
		return true
	default:
		return plainKernels[kind] != nil
	}
}
