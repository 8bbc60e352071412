package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// everyKind is a small network with each kind of node, filled.
func everyKind(t testing.TB) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder("every kind")
	x := b.Input("image", 1, 3, 12, 12)
	y := b.Activation(graph.OpRelu, b.BatchNorm("stem.bn", b.Conv("stem", x, 8, 3, 3, 2, 1, 1, false)))
	z := b.Activation(graph.OpRelu6, b.BatchNorm("depthwise.bn", b.Conv("depthwise", y, 8, 3, 3, 1, 1, 8, true)))
	gate := b.Activation(graph.OpRelu, b.Conv("squeeze", b.GlobalAveragePool(z), 4, 1, 1, 1, 0, 1, true))
	gate = b.Activation(graph.OpHardSigmoid, b.Conv("excite", gate, 8, 1, 1, 1, 0, 1, true))
	y = b.Add(b.BatchNorm("project.bn", b.Conv("project", b.Mul(z, gate), 8, 1, 1, 1, 0, 1, false)), y)
	y = b.Activation(graph.OpHardSwish, y)
	y = b.AvgPool(b.MaxPool(y, 3, 2, 1), 2, 1, 0)
	y = b.Activation(graph.OpSigmoid, b.Apply(graph.Identity, "same", graph.Attributes{}, y))
	y = b.Apply(graph.Reshape, "reshaped", graph.Attributes{Shape: []int{0, 4, -1, 2}}, y)
	y = b.Add(y, &graph.Value{Name: "offset", DType: graph.F32, Shape: []int{1, 4, 1, 1}, Data: []float32{1, 2, 3, 4}, Role: graph.RoleConstant})
	y = b.Linear("classifier", b.Flatten(y), 10)
	g, err := b.Build(b.Softmax(y), y)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, v := range g.Parameters() {
		if v.Data != nil {
			continue
		}
		v.Data = make([]float32, v.Elements())
		for i := range v.Data {
			v.Data[i] = random.Float32()
		}
	}
	g.Metadata = map[string]string{"architecture": "1.2.3", "accuracy": "0.9"}
	return g
}

func encode(t testing.TB, g *graph.Graph) []byte {
	t.Helper()
	data, err := Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRoundTrip(t *testing.T) {
	g := everyKind(t)
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := Write(path, g); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g, got); diff != "" {
		t.Errorf("graph read back (-written +read):\n%s", diff)
	}
	if !bytes.Equal(encode(t, g), encode(t, got)) {
		t.Error("the same graph gives other bytes")
	}
}

// Fused nodes are written as several, which fuse again when they are read.
func TestFusedRoundTrip(t *testing.T) {
	fused, err := graph.Fuse(everyKind(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(encode(t, fused))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range got.Nodes {
		if n.Attributes.Epilogue != (graph.Epilogue{}) {
			t.Errorf("node %q has epilogue %s", n.Name, n.Attributes.Epilogue)
		}
	}
	again, err := graph.Fuse(got)
	if err != nil {
		t.Fatal(err)
	}
	want, err := fused.Workloads()
	if err != nil {
		t.Fatal(err)
	}
	workloads, err := again.Workloads()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, workloads); diff != "" {
		t.Errorf("workloads (-written +read):\n%s", diff)
	}
	if again.Params() != fused.Params() {
		t.Errorf("%d parameters, %d written", again.Params(), fused.Params())
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	data := encode(t, everyKind(t))
	for n := range len(data) {
		if _, err := Decode(data[:n]); err == nil {
			t.Fatalf("%d of %d bytes are read as a model", n, len(data))
		}
	}
	path := filepath.Join(t.TempDir(), "cut.onnx")
	if err := os.WriteFile(path, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v is not one line that names the file", err)
	}
}

func TestReadMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.onnx")
	if _, err := Read(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
}

func TestWriteErrors(t *testing.T) {
	g := everyKind(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "absent", "model.onnx")
	if err := Write(path, g); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("folder missing: error %v", err)
	}

	// What cannot be encoded leaves an older file as it is.
	path = filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	g.Nodes[0].Inputs[1].Data = nil
	err := Write(path, g)
	if err == nil || !strings.Contains(err.Error(), `"stem.weight"`) || !strings.Contains(err.Error(), path) {
		t.Errorf("weight without data: error %v", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "old" {
		t.Errorf("the older file is now %q, %v", data, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("folder holds %v, %v", entries, err)
	}
}

// Names that epilogues need must not meet names that the graph has.
func TestEncodeAvoidsNames(t *testing.T) {
	b := graph.NewBuilder("names")
	x := b.Input("y.before.relu", 1, 2, 3, 3)
	b.Apply(graph.Sigmoid, "y.relu", graph.Attributes{}, x)
	conv := b.Conv("y", x, 2, 1, 1, 1, 0, 1, false)
	g, err := b.Build(conv)
	if err != nil {
		t.Fatal(err)
	}
	n := g.Nodes[1]
	n.Inputs[1].Data = make([]float32, 4)
	n.Inputs[1].Name = "clip.min"
	n.Attributes.Epilogue.Activation = graph.OpRelu
	if _, err := Decode(encode(t, g)); err != nil {
		t.Error(err)
	}
	n.Attributes.Epilogue.Activation = graph.OpRelu6
	if _, err := Decode(encode(t, g)); err != nil {
		t.Error(err)
	}
}

// TestLightModels runs the three real topologies of ONNX's own tests, whose
// weights and inputs are all alike.
func TestLightModels(t *testing.T) {
	if testing.Short() {
		t.Skip("it computes three whole networks in plain Go")
	}
	paths, _ := filepath.Glob(filepath.Join(cases, "light", "*.onnx"))
	if len(paths) == 0 {
		t.Skipf("no ONNX models in %s", cases)
	}
	for _, path := range paths {
		g, err := Read(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if n := g.MACs(); strings.Contains(path, "resnet50") {
			if n != 4089184256 { // 4.1 G, as published for ResNet-50 v1.5
				t.Errorf("ResNet-50 has %d MACs", n)
			}
			continue // too much work for plain Go
		}
		x := operator.New(graph.F32, g.Inputs[0].Shape...)
		for i, data := 0, x.Data.([]float32); i < len(data); i++ {
			data[i] = float32(i) / float32(len(data))
		}
		got, err := interpret(g, map[string]*operator.Tensor{g.Inputs[0].Name: x})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		want, err := ReadTensor(strings.TrimSuffix(path, ".onnx") + "_output_0.pb")
		if err != nil {
			t.Fatal(err)
		}
		if s := differs(got[0], want, 1e-3, 1e-7); s != "" {
			t.Errorf("%s: %s", path, s)
		}
	}
}

func ExampleWrite() {
	b := graph.NewBuilder("tiny")
	g, err := b.Build(b.Activation(graph.OpRelu, b.Linear("fc", b.Input("x", 1, 2), 3)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range g.Parameters() {
		v.Data = make([]float32, v.Elements())
	}
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "tiny.onnx")
	if err := Write(path, g); err != nil {
		fmt.Println(err)
		return
	}
	read, err := Read(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range read.Nodes {
		fmt.Println(n.Name, n.Kind, n.Outputs[0].Shape)
	}
	// Output:
	// fc Linear [1 3]
	// fc.relu Relu [1 3]
}
