package onnx

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// interpret computes the outputs of a graph node by node.
func interpret(g *graph.Graph, inputs map[string]*operator.Tensor) ([]*operator.Tensor, error) {
	values := make(map[*graph.Value]*operator.Tensor)
	for _, v := range g.Inputs {
		t := inputs[v.Name]
		if t == nil {
			return nil, fmt.Errorf("no input %q", v.Name)
		}
		if t.DType != v.DType || !slices.Equal(t.Shape, v.Shape) {
			return nil, fmt.Errorf("input %q is %s %v, want %s %v", v.Name, t.DType, t.Shape, v.DType, v.Shape)
		}
		values[v] = t
	}
	value := func(v *graph.Value) *operator.Tensor {
		if v == nil {
			return nil
		}
		if v.Role != graph.RoleNone {
			return v.Tensor()
		}
		return values[v]
	}
	for _, n := range g.Nodes {
		in := make([]*operator.Tensor, len(n.Inputs))
		for i, v := range n.Inputs {
			in[i] = value(v)
		}
		out, err := n.Compute(in)
		if err != nil {
			return nil, err
		}
		for i, v := range n.Outputs {
			if v != nil {
				values[v] = out[i]
			}
		}
	}
	out := make([]*operator.Tensor, len(g.Outputs))
	for i, v := range g.Outputs {
		out[i] = value(v)
	}
	return out, nil
}

// differs says where two tensors are not equal, within tolerances for
// floating-point numbers.
func differs(got, want *operator.Tensor, relative, absolute float64) string {
	if got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) {
		return fmt.Sprintf("%s %v, want %s %v", got.DType, got.Shape, want.DType, want.Shape)
	}
	if got.DType.IsFloat() {
		a, b := floats64(got), floats64(want)
		for i := range a {
			if a[i] != b[i] && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) && !(math.Abs(a[i]-b[i]) <= absolute+relative*math.Abs(b[i])) {
				return fmt.Sprintf("element %d is %v, want %v", i, a[i], b[i])
			}
		}
		return ""
	}
	a, _ := got.Ints()
	b, _ := want.Ints()
	for i := range a {
		if a[i] != b[i] {
			return fmt.Sprintf("element %d is %v, want %v", i, a[i], b[i])
		}
	}
	return ""
}

func floats64(t *operator.Tensor) []float64 {
	if x, ok := t.Data.([]float64); ok {
		return x
	}
	x, _ := t.Floats()
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

const cases = "../../../shared/data/onnx"

// inputNames are the inputs of a model file that are no initializers.
func inputNames(t testing.TB, path string) (inputs, outputs []string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	for _, v := range m.Graph.Input {
		if !slices.ContainsFunc(m.Graph.Initializer, func(t *onnxpb.TensorProto) bool { return t.GetName() == v.GetName() }) {
			inputs = append(inputs, v.GetName())
		}
	}
	for _, v := range m.Graph.Output {
		outputs = append(outputs, v.GetName())
	}
	return inputs, outputs
}

// runCase reads the model in a folder, runs it on the inputs beside it, and
// says in what it differs from the outputs there.
func runCase(t testing.TB, dir string) (difference string, err error) {
	model := filepath.Join(dir, "model.onnx")
	names, outputs := inputNames(t, model)
	sets, _ := filepath.Glob(filepath.Join(dir, "test_data_set_*"))
	for _, set := range sets {
		inputs := make(map[string]*operator.Tensor)
		o := Options{Shapes: map[string][]int{}, Constants: map[string]*operator.Tensor{}}
		for i, name := range names {
			if inputs[name], err = ReadTensor(filepath.Join(set, fmt.Sprintf("input_%d.pb", i))); err != nil {
				return "", err
			}
			o.Shapes[name] = inputs[name].Shape
		}
		g, err := ReadWith(model, o)
		for c := (*NotConstantError)(nil); errors.As(err, &c) && len(o.Constants) < len(names); {
			for _, name := range c.Inputs {
				o.Constants[name] = inputs[name]
			}
			g, err = ReadWith(model, o)
		}
		if err != nil {
			return "", err
		}
		got, err := interpret(g, inputs)
		if err != nil {
			return "", err
		}
		for i := range outputs {
			want, err := ReadTensor(filepath.Join(set, fmt.Sprintf("output_%d.pb", i)))
			if err != nil {
				return "", err
			}
			if s := differs(got[i], want, 1e-3, 1e-7); s != "" {
				return fmt.Sprintf("output %d: %s", i, s), nil
			}
		}
	}
	return "", nil
}

// TestCases runs ONNX's own cases of single operators, where they are at hand.
func TestCases(t *testing.T) {
	root := cases
	if s := os.Getenv("HWPROFD_ONNX_CASES"); s != "" {
		root = s
	}
	dirs, _ := filepath.Glob(filepath.Join(root, "node", "*"))
	if len(dirs) == 0 {
		t.Skipf("no ONNX cases in %s", root)
	}
	ok := 0
	unsupported := make(map[string]string)
	for _, dir := range dirs {
		difference, err := runCase(t, dir)
		var u *UnsupportedError
		switch {
		case errors.As(err, &u):
			unsupported[filepath.Base(dir)] = u.Error()
		case err != nil:
			t.Errorf("%s: %v", filepath.Base(dir), err)
		case difference != "":
			t.Errorf("%s: %s", filepath.Base(dir), difference)
		default:
			ok++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unsupported)) {
		t.Logf("unsupported %s: %s", name, strings.SplitN(unsupported[name], "supported: ", 2)[1])
	}
	t.Logf("%d of %d cases are computed", ok, len(dirs))
	if ok*100 < len(dirs)*95 {
		t.Errorf("%d of %d cases are computed, want 95%%", ok, len(dirs))
	}
}
