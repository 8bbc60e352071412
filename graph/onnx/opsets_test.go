package onnx

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// opsetCase is a model of some opset with inputs, and what ONNX Runtime
// computes from them; testdata/opsets.py writes them.
type opsetCase struct {
	Name    string
	Model   []byte
	Inputs  map[string][]byte // TensorProto
	Outputs [][]byte
}

func opsetCases(t testing.TB) []opsetCase {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "opsets.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var list []opsetCase
	if err := json.NewDecoder(z).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

func parseTensor(t testing.TB, data []byte) *operator.Tensor {
	t.Helper()
	p := &onnxpb.TensorProto{}
	if err := proto.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	x, err := newTensor(p, p.RawData)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestOpsets compares models of many opsets with ONNX Runtime: as they are
// read, and once more as they are written and read again.
func TestOpsets(t *testing.T) {
	for _, c := range opsetCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			inputs := make(map[string]*operator.Tensor)
			for name, data := range c.Inputs {
				inputs[name] = parseTensor(t, data)
			}
			data := c.Model
			for _, step := range []string{"read", "written and read again"} {
				g, err := Decode(data)
				if err != nil {
					t.Fatalf("%s: %v", step, err)
				}
				got, err := interpret(g, inputs)
				if err != nil {
					t.Fatalf("%s: %v", step, err)
				}
				for i := range got {
					if s := differs(got[i], parseTensor(t, c.Outputs[i]), 1e-4, 1e-5); s != "" {
						t.Errorf("%s: output %d: %s", step, i, s)
					}
				}
				if data, err = Encode(g); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
