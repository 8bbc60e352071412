// Operators writes docs/operators.md: what of ONNX there is. Run it in the root
// of the repository after operators or kernels have been added:
//
//	go run ./internal/operators > docs/operators.md
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/inference"
)

func main() {
	if _, err := os.Stdout.WriteString(page()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const introduction = `# Operators of ONNX

What can be read, and how it is computed. Made by ` + "`go run ./internal/operators`" + `; a test
compares this page with the code.

A model may be of any opset from 1 to %d: each node is brought to the newest
version of its operator when it is read. *since* is the opset that has the
operator first. *kernels* says whether there are kernels made for some uses of the
operator, most on float32; all other uses, and operators without, are computed by
their definition in plain Go, which is slower but complete. Types are those that
ONNX has for the operator, of float16, bfloat16, float32, float64, signed and
unsigned integers of 8 to 64 bits, and bool; float16 and bfloat16 are computed in
float32, and integers of 4 bits in 8.

Beside these there are functions of the model, which are inlined, ` + "`If`" + `, ` + "`Loop`" + ` and
` + "`Scan`" + ` where constants say which branch is taken and how often, sequences of
tensors (` + "`SequenceConstruct`, `SplitToSequence`, `ConcatFromSequence`" + ` and others) that are
neither inputs nor outputs of the model, ` + "`Constant`" + `, and, of old opsets, ` + "`Upsample`" + ` and
` + "`Scatter`" + `. Loops are unrolled when a model is read. There are no strings, sparse
tensors or elements of 2 bits or of 8 in floating point. Where the shape of an output
depends on the elements of an input, that input must be constant.

| operator | since | kernels |
| --- | --- | --- |
`

func page() string {
	var b strings.Builder
	fmt.Fprintf(&b, introduction, onnx.NewestOpset)
	for _, name := range operator.Names() {
		kernels := ""
		if inference.HasKernel(name) {
			kernels = "yes"
		}
		since := "-" // not of ONNX's own operators
		if !strings.Contains(name, ".") {
			since = fmt.Sprint(onnx.Since(name))
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, since, kernels)
	}
	return b.String()
}
