package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
)

// tensor is a constant: FLOAT as floats, which stay in the model's bytes until
// they are used, INT64 and BOOL as ints.
type tensor struct {
	shape  []int
	floats func() []float32 // nil for other types
	ints   []int            // nil for other types
}

func (t *tensor) elements() int { return product(t.shape) }

// limits of one model, so that a few crafted bytes cannot ask for much memory:
// elements of a tensor, and of all tensors that a file describes without
// holding them.
const (
	maxElements  = math.MaxInt32
	maxDim       = 1 << 24
	maxGenerated = 1 << 26
)

func newTensor(p *onnxpb.TensorProto) (*tensor, error) {
	if p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL || len(p.GetExternalData()) > 0 {
		return nil, unsupportedf("tensor %q is kept in another file", p.GetName())
	}
	shape, err := dimensions(p.GetDims())
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", p.GetName(), err)
	}
	t := &tensor{shape: shape}
	raw, n := p.GetRawData(), t.elements()
	var width, held int // bytes of an element in raw, elements outside raw
	dtype := onnxpb.TensorProto_DataType(p.GetDataType())
	switch dtype {
	case onnxpb.TensorProto_FLOAT:
		width, held = 4, len(p.GetFloatData())
	case onnxpb.TensorProto_INT64:
		width, held = 8, len(p.GetInt64Data())
	case onnxpb.TensorProto_BOOL:
		width, held = 1, len(p.GetInt32Data())
	default:
		return nil, unsupportedf("tensor %q is of type %s", p.GetName(), dtype)
	}
	if raw != nil {
		if held = len(raw) / width; len(raw)%width != 0 {
			return nil, fmt.Errorf("tensor %q: %d bytes of data are no whole number of elements", p.GetName(), len(raw))
		}
	}
	if held != n {
		return nil, fmt.Errorf("tensor %q: %d elements of data for shape %v", p.GetName(), held, shape)
	}
	if dtype == onnxpb.TensorProto_FLOAT {
		t.floats = func() []float32 { return slices.Clone(p.GetFloatData()) }
		if raw != nil {
			t.floats = func() []float32 { return float32s(raw) }
		}
		return t, nil
	}
	t.ints = make([]int, n)
	for i := range t.ints {
		switch {
		case raw != nil && width == 1:
			t.ints[i] = int(raw[i])
		case raw != nil:
			t.ints[i] = clampInt(int64(binary.LittleEndian.Uint64(raw[8*i:])))
		case width == 1:
			t.ints[i] = int(p.GetInt32Data()[i])
		default:
			t.ints[i] = clampInt(p.GetInt64Data()[i])
		}
	}
	return t, nil
}

// clampInt keeps x within the dimensions that are possible at all, and what is
// beyond recognisably so, on machines with 32-bit integers too.
func clampInt(x int64) int { return int(max(min(x, math.MaxInt32), math.MinInt32)) }

// dimensions are those of a tensor with data.
func dimensions(dims []int64) ([]int, error) {
	shape := make([]int, len(dims))
	n := int64(1)
	for i, d := range dims {
		if d < 0 || d > maxDim {
			return nil, fmt.Errorf("dimension %d is %d, outside 0..%d", i, d, maxDim)
		}
		if n *= d; n > maxElements {
			return nil, fmt.Errorf("%v is more than %d elements", dims, maxElements)
		}
		shape[i] = int(d)
	}
	return shape, nil
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// transpose turns a matrix [rows, columns].
func transpose(data []float32, rows, columns int) []float32 {
	out := make([]float32, len(data))
	for r := range rows {
		for c := range columns {
			out[c*rows+r] = data[r*columns+c]
		}
	}
	return out
}
