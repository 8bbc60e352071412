package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
)

// seeds are models of all that the reader knows, and ONNX's own cases where
// they are at hand.
func seeds(t testing.TB) [][]byte {
	list := [][]byte{encode(t, everyKind(t))}
	for _, c := range readCases {
		list = append(list, marshal(t, c.model))
	}
	branches := model(13, []int{2}, &onnxpb.TensorProto{Name: proto.String("c"), DataType: proto.Int32(int32(onnxpb.TensorProto_BOOL)), RawData: []byte{1}},
		op("If", "c -> y", branchOf("then_branch", "t", ramp("w", 2), op("Mul", "x w -> t")), branchOf("else_branch", "x")))
	f := function("f", "x", "y", op("LeakyRelu", "x -> y", reference("alpha", "a", onnxpb.AttributeProto_FLOAT)))
	f.Attribute = []string{"a"}
	calls := withFunctions(model(17, []int{2}, named(op("f", "x -> y", floatAttribute("a", 0.5)), "f")), f)
	shapes := model(13, []int{2, 3, 4}, intTensor("zero", 0), intTensor("rest", -1), op("Shape", "x -> s"),
		op("Gather", "s zero -> n"), op("Concat", "n rest -> target", intAttribute("axis", 0)), op("Reshape", "x target -> y"))
	loop := model(17, []int{2}, intTensor("n", 3), op("SequenceEmpty", "-> s"),
		op("Loop", "n - x s -> z t rows", body("i going v s -> going w t row", op("Add", "v v -> w"), op("Identity", "v -> row"), op("SequenceInsert", "s w -> t"))),
		op("ConcatFromSequence", "t -> y", intAttribute("axis", 0)))
	scan := model(17, []int{3, 2}, floatTensor("zero", []int{2}, 0, 0), op("Scan", "zero x -> z y",
		body("sum row -> next copy", op("Add", "sum row -> next"), op("Identity", "next -> copy")), intAttribute("num_scan_inputs", 1)))
	for _, m := range []*onnxpb.ModelProto{branches, calls, shapes, loop, scan} {
		list = append(list, marshal(t, m))
	}
	paths, _ := filepath.Glob(filepath.Join(cases, "node", "*", "model.onnx"))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, data)
	}
	return list
}

// Whatever the bytes are, reading them is an error or a graph that can be
// written and read again.
func FuzzDecode(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := DecodeWith(data, Options{Limit: 1 << 26})
		if err != nil {
			return
		}
		written, err := Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeWith(written, Options{Limit: 1 << 27})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range again.Outputs {
			if w := g.Outputs[i]; v.Name != w.Name || v.DType != w.DType {
				t.Errorf("output %q of type %s is read back as %q of type %s", w.Name, w.DType, v.Name, v.DType)
			}
		}
		if _, err := graph.Fuse(g); err != nil && !strings.Contains(err.Error(), "variance") {
			t.Error(err)
		}
	})
}

// A file cut short anywhere is an error or a model, and no panic. Foreign files
// may be whole before their end.
func TestEveryTruncation(t *testing.T) {
	for _, data := range seeds(t)[:len(readCases)+6] {
		for n := range data {
			if _, err := Decode(data[:n]); err != nil && errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
		}
	}
}

// Files of empty nodes must not take a hundred times their size in memory.
func TestManyEmptyFields(t *testing.T) {
	for _, path := range [][]protowire.Number{{fieldGraph, 1}, {fieldGraph, 1, 5, 10}, {fieldGraph, fieldInitializer}} {
		data := make([]byte, 0, 1<<24)
		for range maxFields + 1 {
			data = appendMessage(data, path[len(path)-1], nil)
		}
		for i := len(path) - 2; i >= 0; i-- {
			data = appendMessage(nil, path[i], data)
		}
		if _, err := Decode(data); err == nil || !strings.Contains(err.Error(), "more than 4194304 fields") {
			t.Errorf("%v: error %v", path, err)
		}
	}
}
