package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

func TestTensorsOfEveryType(t *testing.T) {
	tensor := func(kind onnxpb.TensorProto_DataType, p *onnxpb.TensorProto, dims ...int64) *onnxpb.TensorProto {
		p.DataType, p.Dims = proto.Int32(int32(kind)), dims
		return p
	}
	for _, c := range []struct {
		name string
		p    *onnxpb.TensorProto
		want operator.Tensor
	}{
		{"float", tensor(onnxpb.TensorProto_FLOAT, &onnxpb.TensorProto{FloatData: []float32{1, -2}}, 2), operator.Tensor{DType: operator.F32, Data: []float32{1, -2}}},
		{"double", tensor(onnxpb.TensorProto_DOUBLE, &onnxpb.TensorProto{DoubleData: []float64{1, -2}}, 2), operator.Tensor{DType: operator.F64, Data: []float64{1, -2}}},
		{"float16", tensor(onnxpb.TensorProto_FLOAT16, &onnxpb.TensorProto{Int32Data: []int32{0xbc00, 1}}, 2), operator.Tensor{DType: operator.F16, Data: []uint16{0xbc00, 1}}},
		{"bfloat16", tensor(onnxpb.TensorProto_BFLOAT16, &onnxpb.TensorProto{RawData: []byte{0x80, 0xbf, 0, 0}}, 2), operator.Tensor{DType: operator.BF16, Data: []uint16{0xbf80, 0}}},
		{"int8", tensor(onnxpb.TensorProto_INT8, &onnxpb.TensorProto{Int32Data: []int32{-1, 2}}, 2), operator.Tensor{DType: operator.I8, Data: []int8{-1, 2}}},
		{"int8 raw", tensor(onnxpb.TensorProto_INT8, &onnxpb.TensorProto{RawData: []byte{255, 2}}, 2), operator.Tensor{DType: operator.I8, Data: []int8{-1, 2}}},
		{"uint8", tensor(onnxpb.TensorProto_UINT8, &onnxpb.TensorProto{RawData: []byte{255, 2}}, 2), operator.Tensor{DType: operator.U8, Data: []uint8{255, 2}}},
		{"int16", tensor(onnxpb.TensorProto_INT16, &onnxpb.TensorProto{RawData: []byte{254, 255, 2, 1}}, 2), operator.Tensor{DType: operator.I16, Data: []int16{-2, 258}}},
		{"uint16", tensor(onnxpb.TensorProto_UINT16, &onnxpb.TensorProto{Int32Data: []int32{65535, 1}}, 2), operator.Tensor{DType: operator.U16, Data: []uint16{65535, 1}}},
		{"int32", tensor(onnxpb.TensorProto_INT32, &onnxpb.TensorProto{Int32Data: []int32{-7, 1}}, 2), operator.Tensor{DType: operator.I32, Data: []int32{-7, 1}}},
		{"uint32", tensor(onnxpb.TensorProto_UINT32, &onnxpb.TensorProto{Uint64Data: []uint64{1<<32 - 1, 1}}, 2), operator.Tensor{DType: operator.U32, Data: []uint32{1<<32 - 1, 1}}},
		{"int64", tensor(onnxpb.TensorProto_INT64, &onnxpb.TensorProto{Int64Data: []int64{-1 << 63, 1}}, 2), operator.Tensor{DType: operator.I64, Data: []int64{-1 << 63, 1}}},
		{"uint64", tensor(onnxpb.TensorProto_UINT64, &onnxpb.TensorProto{Uint64Data: []uint64{1<<64 - 1, 1}}, 2), operator.Tensor{DType: operator.U64, Data: []uint64{1<<64 - 1, 1}}},
		{"bool", tensor(onnxpb.TensorProto_BOOL, &onnxpb.TensorProto{RawData: []byte{2, 0}}, 2), operator.Tensor{DType: operator.Bool, Data: []bool{true, false}}},
		{"bool by number", tensor(onnxpb.TensorProto_BOOL, &onnxpb.TensorProto{Int32Data: []int32{0, 1}}, 2), operator.Tensor{DType: operator.Bool, Data: []bool{false, true}}},
		{"int4", tensor(onnxpb.TensorProto_INT4, &onnxpb.TensorProto{RawData: []byte{0x7f, 0x08}}, 3), operator.Tensor{DType: operator.I8, Data: []int8{-1, 7, -8}}},
		{"uint4", tensor(onnxpb.TensorProto_UINT4, &onnxpb.TensorProto{Int32Data: []int32{0x7f, 0x08}}, 3), operator.Tensor{DType: operator.U8, Data: []uint8{15, 7, 8}}},
		{"nothing", tensor(onnxpb.TensorProto_INT64, &onnxpb.TensorProto{}, 0), operator.Tensor{DType: operator.I64, Data: []int64{}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "t.pb")
			data, err := proto.Marshal(c.p)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := ReadTensor(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Check(); err != nil {
				t.Error(err)
			}
			c.want.Shape = []int{int(c.p.Dims[0])}
			if got.DType != c.want.DType || differs(got, &c.want, 0, 0) != "" {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
	text := tensor(onnxpb.TensorProto_STRING, &onnxpb.TensorProto{StringData: [][]byte{nil}}, 1)
	if _, err := newTensor(text, nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("strings: error %v", err)
	}
}

// large is a model whose weight is worth mapping.
func large(t testing.TB, shift int) (*onnxpb.ModelProto, []float32) {
	w := ramp("w", 1, 1<<18)
	want := w.FloatData
	w.RawData = toRaw(&operator.Tensor{DType: operator.F32, Shape: []int{1 << 18}, Data: want})
	w.FloatData = nil
	m := model(13, []int{1, 1 << 18}, w, op("Mul", "x w -> y"))
	m.Graph.DocString = proto.String(strings.Repeat("x", shift)) // moves the weight in the file
	return m, want
}

func TestMappedWeights(t *testing.T) {
	for shift := range 4 {
		m, want := large(t, shift)
		path := filepath.Join(t.TempDir(), "large.onnx")
		if err := os.WriteFile(path, marshal(t, m), 0o644); err != nil {
			t.Fatal(err)
		}
		g, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		got := g.Nodes[0].Inputs[1].Data
		if !slices.Equal(got, want) {
			t.Errorf("shift %d: the weight is not what was written", shift)
		}
		// Memory is the reader's own: the file stays as it is.
		got[0] = -1
		if again, err := Read(path); err != nil || again.Nodes[0].Inputs[1].Data[0] != 1 {
			t.Errorf("after a change in memory the file is read as %v, %v", again.Nodes[0].Inputs[1].Data[0], err)
		}
	}
}

// Loading must not copy weights: the time to the first result counts.
func TestWeightsAreNotCopied(t *testing.T) {
	m, _ := large(t, 0)
	data := marshal(t, m)
	size := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(data); err != nil {
				b.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if anyAlignment && size > 1<<17 {
		t.Errorf("reading a model with a weight of 1 MiB allocates %d bytes", size)
	}
}

func TestExternalData(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "model")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	raw := toRaw(&operator.Tensor{DType: operator.F32, Shape: []int{4}, Data: []float32{9, 1, 2, 9}})
	for _, path := range []string{filepath.Join(dir, "w.bin"), filepath.Join(dir, "sub", "w.bin"), filepath.Join(root, "secret")} {
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"out": filepath.Join("..", "secret"), "in": "w.bin", "folder": "."} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	read := func(entries ...string) ([]float32, error) {
		w := &onnxpb.TensorProto{Name: proto.String("w"), DataType: proto.Int32(1), Dims: []int64{2}, DataLocation: onnxpb.TensorProto_EXTERNAL.Enum()}
		for i := 0; i < len(entries); i += 2 {
			w.ExternalData = append(w.ExternalData, &onnxpb.StringStringEntryProto{Key: &entries[i], Value: &entries[i+1]})
		}
		m := model(13, []int{1, 2}, w, op("Mul", "x w -> y"))
		path := filepath.Join(dir, "model.onnx")
		if err := os.WriteFile(path, marshal(t, m), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(marshal(t, m)); err == nil || !strings.Contains(err.Error(), "another file") {
			t.Errorf("a model that is no file: error %v", err)
		}
		g, err := Read(path)
		if err != nil {
			return nil, err
		}
		return g.Nodes[0].Inputs[1].Data, nil
	}
	for _, location := range []string{"w.bin", "sub/w.bin", `sub\w.bin`, "./w.bin", "in", "sub/../w.bin"} {
		if got, err := read("location", location, "offset", "4", "length", "8"); err != nil || !slices.Equal(got, []float32{1, 2}) {
			t.Errorf("%s: %v, %v", location, got, err)
		}
		if files, err := ExternalFiles(filepath.Join(dir, "model.onnx")); err != nil || !slices.Equal(files, []string{slashed(location)}) {
			t.Errorf("%s: external files %q, %v", location, files, err)
		}
	}
	for _, c := range []struct{ location, offset, length, err string }{
		{"../secret", "0", "8", "model's folder"},
		{filepath.Join(root, "secret"), "0", "8", "model's folder"},
		{"sub/../../secret", "0", "8", "model's folder"},
		{"out", "0", "8", "model's folder"},
		{"folder/../../secret", "0", "8", "model's folder"},
		{"none", "0", "8", "no such file"},
		{"sub", "0", "8", "no regular file"},
		{"", "0", "8", "no location"},
		{"w.bin", "12", "8", "has 16 bytes"},
		{"w.bin", "-4", "8", "has 16 bytes"},
		{"w.bin", "4", "-8", "a length of -8"},
		{"w.bin", "9223372036854775807", "9223372036854775807", "has 16 bytes"},
		{"w.bin", "four", "8", "invalid syntax"},
		{"w.bin", "0", "12", "3 elements"},
	} {
		if got, err := read("location", c.location, "offset", c.offset, "length", c.length); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v: %v, error %v", c, got, err)
		}
	}
}
