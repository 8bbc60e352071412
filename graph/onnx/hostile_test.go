package onnx

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// pick is one of the list.
func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// damage changes a model in one way that keeps it parsable: numbers become
// absurd ones, names point elsewhere, operators become others.
func damage(r *rand.Rand, m *onnxpb.ModelProto) {
	g := m.Graph
	absurd := func() int64 {
		return pick[int64](r, 0, -1, 1, 2, 3, 7, 1<<20, 1<<24, 1<<31, math.MaxInt64, math.MinInt64, -2, 5)
	}
	var names []string
	for _, n := range g.Node {
		names = append(names, n.Output...)
	}
	for _, v := range g.Input {
		names = append(names, v.GetName())
	}
	for _, t := range g.Initializer {
		names = append(names, t.GetName())
	}
	names = append(names, "")
	n := pick(r, g.Node...)
	switch r.IntN(9) {
	case 0:
		for _, v := range g.Input {
			if dims := v.GetType().GetTensorType().GetShape().GetDim(); len(dims) > 0 {
				pick(r, dims...).Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: absurd()}
			}
		}
	case 1:
		if len(n.Attribute) > 0 {
			a := pick(r, n.Attribute...)
			a.I = proto.Int64(absurd())
			a.F = proto.Float32(pick[float32](r, 0, float32(math.NaN()), -1, 1e38, float32(math.Inf(1))))
			for i := range a.Ints {
				if r.IntN(2) == 0 {
					a.Ints[i] = absurd()
				}
			}
		}
	case 2:
		if len(n.Attribute) > 0 {
			i := r.IntN(len(n.Attribute))
			n.Attribute = append(n.Attribute[:i], n.Attribute[i+1:]...)
		}
	case 3:
		if len(n.Input) > 0 {
			n.Input[r.IntN(len(n.Input))] = pick(r, names...)
		}
	case 4:
		n.OpType = proto.String(pick(r, operator.Names()...))
	case 5:
		m.OpsetImport[0].Version = proto.Int64(1 + r.Int64N(newestOpset))
	case 6:
		if len(g.Initializer) > 0 {
			t := pick(r, g.Initializer...)
			for i := range t.RawData {
				if r.IntN(4) == 0 {
					t.RawData[i] = byte(r.UintN(256))
				}
			}
		}
	case 7:
		n.Input = append(n.Input, pick(r, names...))
	case 8:
		for _, v := range g.Input {
			if t := v.GetType().GetTensorType(); t != nil {
				t.ElemType = proto.Int32(r.Int32N(17))
			}
		}
	}
}

// Whatever numbers and names a model has, reading it is an error or a graph
// that can be written, and takes neither long nor much memory.
func TestHostileModels(t *testing.T) {
	models := seeds(t)
	for _, c := range opsetCases(t) {
		models = append(models, c.Model)
	}
	r := rand.New(rand.NewPCG(7, 8))
	for range 6000 {
		m := &onnxpb.ModelProto{}
		if err := proto.Unmarshal(models[r.IntN(len(models))], m); err != nil {
			t.Fatal(err)
		}
		for range 1 + r.IntN(3) {
			damage(r, m)
		}
		data := marshal(t, m)
		start := time.Now()
		g, err := DecodeWith(data, Options{Limit: 1 << 26})
		if d := time.Since(start); d > 5*time.Second {
			t.Logf("%v for %v", d, m)
		}
		if err != nil {
			continue
		}
		if _, err := Encode(g); err != nil {
			t.Errorf("%v: %v", err, m)
		}
	}
}
