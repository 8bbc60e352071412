// Package compat checks our ONNX files and our inference against ONNX's own
// checker and ONNX Runtime; see README.md.
package compat

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/graph/zoo"
	"github.com/hwprofd/hwprofd/inference"
)

var (
	peers  = flag.String("peers", filepath.Join("..", "..", "..", "shared", "peers", "build"), "folder with node_modules/onnxruntime-node")
	full   = flag.Bool("full", false, "check the networks of the zoo as published, not small ones")
	models = flag.String("models", "", "folder with the *.onnx files to check, instead of the test's own")
)

// tolerance is that of an element, absolute for outputs up to 1 and relative to
// the output's largest element above.
const tolerance = 1e-4

func TestModels(t *testing.T) {
	if *models == "" {
		t.Skip("no -models given")
	}
	paths, err := filepath.Glob(filepath.Join(*models, "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no *.onnx files in %s", *models)
	}
	t.Run("checker", func(t *testing.T) { checkModels(t, paths) })
	t.Run("outputs", func(t *testing.T) { compare(t, paths, read(t, paths)) })
}

// TestWritten checks what we write: a network with every kind of node, as it
// is and fused.
func TestWritten(t *testing.T) {
	skipWithModels(t)
	dir := t.TempDir()
	g := everyKind(t)
	fused, err := graph.Fuse(g)
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{filepath.Join(dir, "every_kind.onnx"), filepath.Join(dir, "every_kind_fused.onnx")}
	graphs := []*graph.Graph{g, fused}
	for i, g := range graphs {
		if err := onnx.Write(paths[i], g); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("checker", func(t *testing.T) { checkModels(t, paths) })
	t.Run("outputs", func(t *testing.T) { compare(t, paths, graphs) })
}

// TestForeign checks how we read what others write, and write it again.
func TestForeign(t *testing.T) {
	skipWithModels(t)
	dir := t.TempDir()
	if out, err := exec.Command(python(t), "models.py", dir).CombinedOutput(); err != nil {
		t.Fatalf("models.py: %v\n%s", err, out)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	graphs := read(t, paths)
	var rewritten []string
	for i, path := range paths {
		g, err := graph.Fuse(graphs[i])
		if err != nil {
			t.Fatal(err)
		}
		to := strings.TrimSuffix(path, ".onnx") + "_rewritten.onnx"
		if err := onnx.Write(to, g); err != nil {
			t.Fatal(err)
		}
		rewritten = append(rewritten, to)
	}
	t.Run("checker", func(t *testing.T) { checkModels(t, rewritten) })
	t.Run("outputs", func(t *testing.T) { compare(t, slices.Concat(paths, rewritten), slices.Concat(graphs, graphs)) })
}

// TestZoo checks networks of the zoo, as they are and optimized, and what is
// read back of both.
func TestZoo(t *testing.T) {
	skipWithModels(t)
	dir := t.TempDir()
	var paths []string
	var graphs []*graph.Graph
	add := func(name string, g *graph.Graph, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fused, err := graph.Fuse(g)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for suffix, g := range map[string]*graph.Graph{"": g, "_optimized": fused} {
			path := filepath.Join(dir, name+suffix+".onnx")
			if err := onnx.Write(path, g); err != nil {
				t.Fatal(err)
			}
			back, err := onnx.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			paths, graphs = append(paths, path), append(graphs, back)
		}
	}
	for _, name := range zoo.Names() {
		o := zoo.Options{Width: 0.25, Depth: 2, Classes: 10, Batch: 2}
		switch name {
		case "bert", "gpt_block":
			o.Size = 6
		case "tdnn":
			o.Size = 50
		default:
			o.Size = 64
		}
		if *full {
			o = zoo.Options{}
		}
		g, err := zoo.Build(name, o)
		add(name, g, err)
		if *full {
			continue
		}
		half, err := zoo.Half(g)
		add(name+"_f16", half, err)
		int8, err := zoo.Quantize(g, 1)
		add(name+"_qdq", int8, err)
	}
	compare(t, paths, graphs)
}

// TestBackendCases compares those of ONNX's backend tests that we read.
func TestBackendCases(t *testing.T) {
	skipWithModels(t)
	root := filepath.Join("..", "..", "..", "shared", "data", "onnx")
	var paths []string
	var graphs []*graph.Graph
	for _, pattern := range []string{filepath.Join(root, "node", "*", "model.onnx"), filepath.Join(root, "light", "*.onnx")} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if g, err := onnx.Read(path); err == nil {
				paths, graphs = append(paths, path), append(graphs, g)
			}
		}
	}
	if len(paths) == 0 {
		t.Skipf("no ONNX test models in %s", root)
	}
	compare(t, paths, graphs)
}

func skipWithModels(t *testing.T) {
	if *models != "" {
		t.Skip("-models given")
	}
}

func read(t *testing.T, paths []string) []*graph.Graph {
	t.Helper()
	graphs := make([]*graph.Graph, len(paths))
	for i, path := range paths {
		var err error
		if graphs[i], err = onnx.Read(path); err != nil {
			t.Fatal(err)
		}
	}
	return graphs
}

// python is an interpreter that has the package onnx.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import onnx").Run() == nil {
			return name
		}
	}
	t.Skip("no python3 with the package onnx (Debian: python3-onnx)")
	return ""
}

// checkModels runs onnx.checker, with shape inference, over the files.
func checkModels(t *testing.T, paths []string) {
	t.Helper()
	out, err := exec.Command(python(t), append([]string{"check.py"}, paths...)...).Output()
	if err != nil {
		t.Fatalf("check.py: %v", err)
	}
	report(t, paths, out)
}

// report matches a program's lines with the files they are about.
func report(t *testing.T, paths []string, out []byte) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(paths) {
		t.Fatalf("%d lines for %d models:\n%s", len(lines), len(paths), out)
	}
	for i, line := range lines {
		switch { // some cases of ONNX's it does not run itself
		case strings.Contains(line, "Could not find an implementation"), strings.Contains(line, "running Dropout node"):
			t.Logf("%s: %s", paths[i], line)
		case line != "ok":
			t.Errorf("%s: %s", paths[i], line)
		}
	}
	return lines
}

type job struct {
	Model   string   `json:"model"`
	Inputs  []tensor `json:"inputs"`
	Outputs []tensor `json:"outputs"`
}

type tensor struct {
	Name string `json:"name"`
	Dims []int  `json:"dims"`
	Type string `json:"type"`
	File string `json:"file"`
}

// typeNames are ONNX Runtime's names of the types that inputs have.
var typeNames = map[operator.DType]string{
	operator.F32: "float32", operator.F16: "float16", operator.I64: "int64", operator.U8: "uint8", operator.I8: "int8", operator.I32: "int32",
	operator.F64: "float64", operator.Bool: "bool", operator.I16: "int16", operator.U16: "uint16", operator.U32: "uint32", operator.U64: "uint64",
}

// compare runs each graph here and its file in ONNX Runtime, on the same random
// inputs.
func compare(t *testing.T, paths []string, graphs []*graph.Graph) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(*peers, "node_modules", "onnxruntime-node")); err != nil {
		t.Skipf("no ONNX Runtime: %v (give its folder with -peers)", err)
	}
	node, err := exec.LookPath("node")
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no ONNX Runtime: node is not installed")
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 1))
	jobs := make([]job, len(paths))
	ours := make([][]*operator.Tensor, len(paths))
	for i, path := range paths {
		if jobs[i], ours[i], err = run(path, graphs[i], dir, random); err != nil {
			t.Fatal(err)
		}
	}
	list, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("onnxruntime.mjs")
	if err != nil {
		t.Fatal(err)
	}
	var messages bytes.Buffer
	cmd := exec.Command(node, script)
	cmd.Dir, cmd.Stdin, cmd.Stderr = *peers, bytes.NewReader(list), &messages
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("onnxruntime.mjs: %v\n%s", err, &messages)
	}
	lines := report(t, paths, out)
	for i, path := range paths {
		if lines[i] != "ok" {
			continue
		}
		for o, output := range jobs[i].Outputs {
			data, err := os.ReadFile(output.File)
			if err != nil {
				continue // reported above
			}
			got := ours[i][o]
			theirs := operator.New(got.DType, got.Shape...)
			if len(data) != binary.Size(theirs.Data) {
				t.Errorf("%s: output %s has %d bytes here, %d in ONNX Runtime", path, output.Name, binary.Size(theirs.Data), len(data))
				continue
			}
			if _, err := binary.Decode(data, binary.LittleEndian, theirs.Data); err != nil {
				t.Fatal(err)
			}
			check(t, path, output.Name, got, theirs, stepOf(graphs[i], graphs[i].Outputs[o]))
		}
	}
}

// check compares an output with ONNX Runtime's. Half precision may differ by
// more. What is quantized, with the given step, may differ by a step in one
// element of a thousand, which a sum that lies between two steps makes.
func check(t *testing.T, path, output string, got, want *operator.Tensor, step float64) {
	t.Helper()
	x, y := numbers(got), numbers(want)
	if step > 0 {
		away, worst := 0, 0.
		for k := range x {
			d := math.Abs(x[k]-y[k]) / step
			if worst = max(worst, d); !(d < 1.5) {
				away++
			}
		}
		if away > len(x)/1000 {
			t.Errorf("%s: %d of %d elements of output %s differ by more than a step, by up to %.1f", path, away, len(x), output, worst)
		}
		t.Logf("%s: output %s differs by up to %.2g steps", path, output, worst)
		return
	}
	worst, largest, allowed := 0., 1., tolerance
	if got.DType.IsHalf() {
		allowed = 1e-2
	}
	for k := range x {
		if x[k] == y[k] || math.IsNaN(x[k]) && math.IsNaN(y[k]) {
			continue
		}
		worst = max(worst, math.Abs(x[k]-y[k]))
		largest = max(largest, math.Abs(y[k]))
	}
	worst /= largest
	if !(worst <= allowed) {
		t.Errorf("%s: output %s differs from ONNX Runtime by %.3g", path, output, worst)
	}
	t.Logf("%s: output %s differs by %.2g", path, output, worst)
}

// numbers are the elements of t.
func numbers(t *operator.Tensor) []float64 {
	var list []float64
	if x, ok := t.Ints(); ok {
		for _, v := range x {
			list = append(list, float64(v))
		}
		return list
	}
	if x, ok := t.Data.([]float64); ok {
		return x
	}
	x, _ := t.Floats()
	for _, v := range x {
		list = append(list, float64(v))
	}
	return list
}

// stepOf is the scale of an output that is quantized, 0 for others.
func stepOf(g *graph.Graph, output *graph.Value) float64 {
	for _, n := range g.Nodes {
		if n.Outputs[0] == output && n.Kind == "DequantizeLinear" && len(n.Inputs[1].Data) == 1 {
			return float64(n.Inputs[1].Data[0])
		}
	}
	if output.DType == operator.U8 || output.DType == operator.I8 {
		return 1
	}
	return 0
}

// run runs g here on random inputs, which it leaves in dir.
func run(path string, g *graph.Graph, dir string, random *rand.Rand) (job, []*operator.Tensor, error) {
	plan, err := inference.Compile(g)
	if err != nil {
		return job{}, nil, err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return job{}, nil, err
	}
	j := job{Model: absolute}
	file := func() (string, error) {
		f, err := os.CreateTemp(dir, "*.f32")
		if err != nil {
			return "", err
		}
		return f.Name(), f.Close()
	}
	given := zoo.RandomInputs(g, random.Uint64())
	for i, v := range g.Inputs {
		t := given[v]
		reflect.Copy(reflect.ValueOf(plan.Inputs()[i].Data), reflect.ValueOf(t.Data))
		raw, err := binary.Append(nil, binary.LittleEndian, t.Data)
		if err != nil {
			return job{}, nil, err
		}
		name, err := file()
		if err == nil {
			err = os.WriteFile(name, raw, 0o600)
		}
		if err != nil {
			return job{}, nil, err
		}
		j.Inputs = append(j.Inputs, tensor{v.Name, append([]int{}, v.Shape...), typeNames[v.DType], name})
	}
	if err := plan.Run(); err != nil {
		return job{}, nil, err
	}
	for _, v := range g.Outputs {
		name, err := file()
		if err != nil {
			return job{}, nil, err
		}
		j.Outputs = append(j.Outputs, tensor{Name: v.Name, File: name})
	}
	return j, plan.Outputs(), nil
}

// everyKind is a network with each kind of node and each epilogue.
func everyKind(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder("every kind")
	x := b.Input("image", 1, 3, 20, 20)
	y := b.Activation(graph.OpHardSwish, b.BatchNorm("stem.bn", b.Conv("stem", x, 16, 3, 3, 2, 1, 1, false)))
	for i, op := range []graph.Op{graph.OpRelu, graph.OpRelu6, graph.OpHardSwish, graph.OpHardSigmoid, graph.OpSigmoid} {
		name := "block." + string(op)
		z := b.Activation(op, b.BatchNorm(name+".expand.bn", b.Conv(name+".expand", y, 32, 1, 1, 1, 0, 1, false)))
		kernel := 3 + 2*(i%3)
		z = b.Activation(op, b.BatchNorm(name+".depthwise.bn", b.Conv(name+".depthwise", z, 32, kernel, kernel, 1, kernel/2, 32, i%2 == 0)))
		gate := b.Activation(graph.OpRelu, b.Conv(name+".squeeze", b.GlobalAveragePool(z), 8, 1, 1, 1, 0, 1, true))
		gate = b.Activation(graph.OpHardSigmoid, b.Conv(name+".excite", gate, 32, 1, 1, 1, 0, 1, true))
		z = b.Add(b.BatchNorm(name+".project.bn", b.Conv(name+".project", b.Mul(z, gate), 16, 1, 1, 1, 0, 1, false)), y)
		if i%2 == 1 {
			z = b.Activation(op, z)
		}
		y = z
	}
	// So many channels that kernels sum them in several passes.
	y = b.Add(b.Conv("narrow", b.Conv("wide", y, 1200, 1, 1, 1, 0, 1, true), 16, 1, 1, 1, 0, 1, true), y)
	y = b.BatchNorm("alone.bn", b.MaxPool(y, 3, 2, 1))
	y = b.AvgPool(b.Conv("grouped", y, 8, 3, 3, 1, 1, 4, true), 3, 2, 1)
	y = b.Activation(graph.OpSigmoid, b.Apply(graph.Identity, "same", graph.Attributes{}, y))
	y = b.Apply(graph.Reshape, "reshaped", graph.Attributes{Shape: []int{0, 4, -1, 2}}, y)
	features := b.Flatten(b.Activation(graph.OpRelu, y))
	y = b.BatchNorm("hidden.bn", b.Linear("hidden", features, 12))
	y = b.Linear("classifier", b.Activation(graph.OpRelu6, y), 10)
	g, err := b.Build(b.Softmax(y), features)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(2, 2))
	for _, v := range g.Parameters() {
		v.Data = make([]float32, v.Elements())
		for i := range v.Data {
			v.Data[i] = float32(random.NormFloat64() / 4)
			if v.Role == graph.RoleVariance {
				v.Data[i] = float32(0.5 + random.Float64())
			}
		}
	}
	return g
}
