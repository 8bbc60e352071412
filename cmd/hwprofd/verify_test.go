package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// tensorFile is a TensorProto of floats.
func tensorFile(shape []int, data ...float32) []byte {
	var b []byte
	for _, d := range shape {
		b = protowire.AppendTag(b, 1, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(d))
	}
	b = protowire.AppendTag(b, 2, protowire.VarintType)
	b = protowire.AppendVarint(b, 1) // FLOAT
	var raw []byte
	for _, x := range data {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	b = protowire.AppendTag(b, 9, protowire.BytesType)
	return protowire.AppendBytes(b, raw)
}

// writeCase writes a case whose model is relu, which gives output for -1, 2.
func writeCase(t *testing.T, dir string, output ...float32) {
	t.Helper()
	b := graph.NewBuilder("relu")
	x := b.Input("x", 1, len(output))
	g, err := b.Build(b.Activation(graph.OpRelu, x))
	if err != nil {
		t.Fatal(err)
	}
	set := filepath.Join(dir, "test_data_set_0")
	for _, err := range []error{
		os.MkdirAll(set, 0o755),
		onnx.Write(filepath.Join(dir, "model.onnx"), g),
		os.WriteFile(filepath.Join(set, "input_0.pb"), tensorFile([]int{1, 2}, -1, 2), 0o644),
		os.WriteFile(filepath.Join(set, "output_0.pb"), tensorFile([]int{1, len(output)}, output...), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func verifyLines(t *testing.T, dirs ...string) ([]string, error) {
	t.Helper()
	var cases []conformanceCase
	for _, dir := range dirs {
		found, err := findCases(dir)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, found...)
	}
	var out bytes.Buffer
	err := verifyCases(context.Background(), &out, cases, tolerance{1e-3, 1e-7})
	return strings.Split(strings.TrimSpace(out.String()), "\n"), err
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	writeCase(t, filepath.Join(dir, "right"), 0, 2)
	writeCase(t, filepath.Join(dir, "wrong"), 0, 3)
	writeCase(t, filepath.Join(dir, "damaged"), 0, 2)
	model := filepath.Join(dir, "damaged", "model.onnx")
	content, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(model, content[:len(content)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	lines, err := verifyLines(t, dir)
	if err == nil || err.Error() != "2 cases failed" {
		t.Errorf("error %v, want two cases failed", err)
	}
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "FAIL damaged: ") || lines[1] != "ok right" ||
		lines[2] != `FAIL wrong: output "x.relu": 1 of 2 elements differ, the most element 1: 2, want 3` || lines[3] != "1 ok, 2 FAIL, 0 unsupported" {
		t.Errorf("lines\n%s", strings.Join(lines, "\n"))
	}
}

// A model on strings is not supported, which is no failure.
func TestVerifyUnsupportedType(t *testing.T) {
	dir := t.TempDir()
	writeCase(t, filepath.Join(dir, "strings"), 0, 2)
	text := func(number protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), b)
	}
	// A second graph is merged with the first: it adds an input of type STRING (8).
	tensor := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 8)
	input := text(7, text(11, append(text(1, []byte("words")), text(2, text(1, tensor))...)))
	model := filepath.Join(dir, "strings", "model.onnx")
	content, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(model, append(content, input...), 0o644); err != nil {
		t.Fatal(err)
	}
	lines, err := verifyLines(t, dir)
	if err != nil || len(lines) != 2 || !strings.HasPrefix(lines[0], "unsupported strings: ") || !strings.HasSuffix(lines[0], `"words" is of type STRING`) {
		t.Errorf("error %v, lines\n%s", err, strings.Join(lines, "\n"))
	}
}

func TestTolerance(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	tensor := func(x ...float32) *operator.Tensor {
		return &operator.Tensor{DType: operator.F32, Shape: []int{len(x)}, Data: x}
	}
	for i, c := range []struct {
		got, want *operator.Tensor
		equal     bool
	}{
		{tensor(1.0009), tensor(1), true},
		{tensor(1.0011), tensor(1), false},
		{tensor(0), tensor(1e-8), true},
		{tensor(0), tensor(1e-6), false},
		{tensor(nan), tensor(nan), true},
		{tensor(nan), tensor(1), false},
		{tensor(1), tensor(nan), false},
		{tensor(inf), tensor(inf), true},
		{tensor(-inf), tensor(inf), false},
		{tensor(1), tensor(inf), false},
		{tensor(1, 2), tensor(1), false},
		{operator.New(operator.F64, 1), tensor(0), false},
		{&operator.Tensor{DType: operator.I8, Shape: []int{1}, Data: []int8{3}}, &operator.Tensor{DType: operator.I8, Shape: []int{1}, Data: []int8{3}}, true},
		{&operator.Tensor{DType: operator.I8, Shape: []int{1}, Data: []int8{3}}, &operator.Tensor{DType: operator.I8, Shape: []int{1}, Data: []int8{4}}, false},
	} {
		if err := (tolerance{1e-3, 1e-7}).compare(c.got, c.want); (err == nil) != c.equal {
			t.Errorf("case %d: %v", i, err)
		}
	}
}

// TestConformance runs the cases of ONNX's own suite that lie beside the
// repository.
func TestConformance(t *testing.T) {
	for _, c := range []struct {
		folder string
		share  float64 // that has to be ok; the rest may only be unsupported
	}{{"node", 0.95}, {"light", 1}} {
		dir := filepath.Join("..", "..", "..", "shared", "data", "onnx", c.folder)
		if _, err := os.Stat(dir); err != nil {
			t.Skipf("no conformance cases: %v", err)
		}
		if testing.Short() && c.folder == "light" {
			continue
		}
		lines, err := verifyLines(t, dir)
		if err != nil {
			t.Error(err)
		}
		var ok, failed, unsupported int
		if _, err := fmt.Sscanf(lines[len(lines)-1], "%d ok, %d FAIL, %d unsupported", &ok, &failed, &unsupported); err != nil {
			t.Fatal(err)
		}
		if failed > 0 || float64(ok) < c.share*float64(ok+failed+unsupported) {
			for _, l := range lines {
				if !strings.HasPrefix(l, "ok ") {
					t.Error(l)
				}
			}
		}
	}
}
