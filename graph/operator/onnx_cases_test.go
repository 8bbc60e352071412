package operator

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// The files testdata/*.json.gz hold cases of ONNX's backend node tests, as
// testdata/onnx_cases.py writes them.

type onnxCase struct {
	Name, Operator  string
	Attributes      map[string]onnxAttribute
	Inputs, Outputs []*onnxTensor
}

type onnxAttribute struct {
	Int     *int64
	Float   *float32
	String  *string
	Ints    *[]int64
	Floats  *[]float32
	Strings *[]string
	Tensor  *onnxTensor
}

type onnxTensor struct {
	Type  DType
	Shape []int
	Data  []byte
}

func (t *onnxTensor) tensor(tb testing.TB) *Tensor {
	if t == nil {
		return nil
	}
	x := New(t.Type, t.Shape...)
	if err := binary.Read(bytes.NewReader(t.Data), binary.LittleEndian, x.Data); err != nil && len(t.Data) > 0 {
		tb.Fatal(err)
	}
	return x
}

func tensorsOf(tb testing.TB, list []*onnxTensor) []*Tensor {
	x := make([]*Tensor, len(list))
	for i, t := range list {
		x[i] = t.tensor(tb)
	}
	return x
}

func (a onnxAttribute) value(tb testing.TB) any {
	switch {
	case a.Int != nil:
		return *a.Int
	case a.Float != nil:
		return *a.Float
	case a.String != nil:
		return *a.String
	case a.Ints != nil:
		return *a.Ints
	case a.Floats != nil:
		return *a.Floats
	case a.Strings != nil:
		return *a.Strings
	case a.Tensor != nil:
		return a.Tensor.tensor(tb)
	}
	tb.Fatal("attribute without value")
	return nil
}

// unsupportedCases are what these operators do not do, on purpose.
var unsupportedCases = map[string]bool{
	"test_training_dropout":              true,
	"test_training_dropout_mask":         true,
	"test_training_dropout_default":      true,
	"test_training_dropout_default_mask": true,
}

func TestONNXCases(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.json.gz")
	if len(files) == 0 {
		t.Skip("no cases in testdata")
	}
	for _, file := range files {
		for _, c := range readONNXCases(t, file) {
			t.Run(c.Name, func(t *testing.T) { runONNXCase(t, c) })
		}
	}
}

func readONNXCases(t *testing.T, file string) []onnxCase {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var cases []onnxCase
	if err := json.NewDecoder(z).Decode(&cases); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return cases
}

func runONNXCase(t *testing.T, c onnxCase) {
	a := Attributes{}
	for name, v := range c.Attributes {
		a[name] = v.value(t)
	}
	want := tensorsOf(t, c.Outputs)
	got, err := Evaluate(c.Operator, a, tensorsOf(t, c.Inputs), len(want))
	var unsupported *UnsupportedError
	if unsupportedCases[c.Name] {
		if !errors.As(err, &unsupported) {
			t.Errorf("error %v, want one that says it is not supported", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		if w == nil {
			continue
		}
		if err := near(got[i], w, 1e-3, 1e-7); err != nil {
			t.Errorf("output %d: %v", i, err)
		}
	}
}

// near reports how got differs from want in type, shape or by more than the
// tolerances; integers and booleans must be equal.
func near(got, want *Tensor, relative, absolute float64) error {
	if got == nil {
		return errors.New("no output")
	}
	if got.DType != want.DType || fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) {
		return fmt.Errorf("%s %v, want %s %v", got.DType, got.Shape, want.DType, want.Shape)
	}
	if !want.DType.IsFloat() {
		if fmt.Sprint(got.Data) != fmt.Sprint(want.Data) {
			return fmt.Errorf("%v, want %v", got.Data, want.Data)
		}
		return nil
	}
	g, w := float64s(got), float64s(want)
	for i := range w {
		same := g[i] == w[i] || math.IsNaN(g[i]) && math.IsNaN(w[i])
		if !same && !(math.Abs(g[i]-w[i]) <= absolute+relative*math.Abs(w[i])) {
			return fmt.Errorf("element %d is %g, want %g", i, g[i], w[i])
		}
	}
	return nil
}
