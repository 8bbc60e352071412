package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"unsafe"

	"google.golang.org/protobuf/proto"

	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// dtypes are the element types that are read, by their ONNX names. Those of
// fewer than 8 bits are unpacked.
var dtypes = map[onnxpb.TensorProto_DataType]operator.DType{
	onnxpb.TensorProto_FLOAT:    operator.F32,
	onnxpb.TensorProto_DOUBLE:   operator.F64,
	onnxpb.TensorProto_FLOAT16:  operator.F16,
	onnxpb.TensorProto_BFLOAT16: operator.BF16,
	onnxpb.TensorProto_INT8:     operator.I8,
	onnxpb.TensorProto_INT16:    operator.I16,
	onnxpb.TensorProto_INT32:    operator.I32,
	onnxpb.TensorProto_INT64:    operator.I64,
	onnxpb.TensorProto_UINT8:    operator.U8,
	onnxpb.TensorProto_UINT16:   operator.U16,
	onnxpb.TensorProto_UINT32:   operator.U32,
	onnxpb.TensorProto_UINT64:   operator.U64,
	onnxpb.TensorProto_BOOL:     operator.Bool,
	onnxpb.TensorProto_INT4:     operator.I8,
	onnxpb.TensorProto_UINT4:    operator.U8,
}

// dataType is the ONNX name of a type.
func dataType(d operator.DType) onnxpb.TensorProto_DataType {
	for t, dtype := range dtypes {
		if dtype == d && t != onnxpb.TensorProto_INT4 && t != onnxpb.TensorProto_UINT4 {
			return t
		}
	}
	return onnxpb.TensorProto_UNDEFINED
}

// ReadTensor reads a tensor from a file of its own, as ONNX's test cases keep
// their inputs and outputs in. Its error is errors.ErrUnsupported where only the
// type of the elements is not supported.
func ReadTensor(path string) (*operator.Tensor, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tensor: %w", err)
	}
	p := &onnxpb.TensorProto{}
	if err := proto.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("%s: damaged, or no ONNX tensor: %w", path, err)
	}
	t, err := newTensor(p, p.RawData)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// newTensor is the tensor of p, whose raw data, if any, has been found to be
// raw: the tensor shares that memory where it can.
func newTensor(p *onnxpb.TensorProto, raw []byte) (*operator.Tensor, error) {
	shape, err := dimensions(p.GetDims())
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", p.GetName(), err)
	}
	kind := onnxpb.TensorProto_DataType(p.GetDataType())
	dtype, ok := dtypes[kind]
	if !ok {
		return nil, unsupportedf("tensor %q is of type %s", p.GetName(), kind)
	}
	if p.Segment != nil {
		return nil, unsupportedf("tensor %q is in segments", p.GetName())
	}
	data, err := elements(p, raw, kind, dtype, operator.Elements(shape))
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w for shape %v", p.GetName(), err, shape)
	}
	return &operator.Tensor{DType: dtype, Shape: shape, Data: data}, nil
}

// elements are the n elements of a tensor, from raw bytes where there are any,
// else from the field that belongs to the type.
func elements(p *onnxpb.TensorProto, raw []byte, kind onnxpb.TensorProto_DataType, dtype operator.DType, n int) (any, error) {
	packed := kind == onnxpb.TensorProto_INT4 || kind == onnxpb.TensorProto_UINT4
	if raw != nil {
		size := n * int(dtype.Size())
		if packed {
			size = (n + 1) / 2
		}
		switch {
		case len(raw)%int(dtype.Size()) != 0:
			return nil, fmt.Errorf("%d bytes of data are no whole number of elements", len(raw))
		case len(raw) != size:
			return nil, fmt.Errorf("%d elements of data", len(raw)/int(dtype.Size()))
		case packed:
			return unpack(raw, dtype, n), nil
		}
		return fromRaw(raw, dtype, n), nil
	}
	held := func(have int) error {
		want := n
		if packed {
			want = (n + 1) / 2
		}
		if have != want {
			return fmt.Errorf("%d elements of data", have)
		}
		return nil
	}
	switch dtype {
	// The fields are nil where there are no elements.
	case operator.F32:
		return append([]float32{}, p.FloatData...), held(len(p.FloatData))
	case operator.F64:
		return append([]float64{}, p.DoubleData...), held(len(p.DoubleData))
	case operator.I64:
		return append([]int64{}, p.Int64Data...), held(len(p.Int64Data))
	case operator.U64:
		return append([]uint64{}, p.Uint64Data...), held(len(p.Uint64Data))
	case operator.U32:
		if err := held(len(p.Uint64Data)); err != nil {
			return nil, err
		}
		return converted[uint32](p.Uint64Data), nil
	}
	if err := held(len(p.Int32Data)); err != nil {
		return nil, err
	}
	if packed {
		return unpack(converted[byte](p.Int32Data), dtype, n), nil
	}
	switch dtype {
	case operator.I8:
		return converted[int8](p.Int32Data), nil
	case operator.I16:
		return converted[int16](p.Int32Data), nil
	case operator.I32:
		return converted[int32](p.Int32Data), nil
	case operator.U8:
		return converted[uint8](p.Int32Data), nil
	case operator.Bool:
		y := make([]bool, n)
		for i, v := range p.Int32Data {
			y[i] = v != 0
		}
		return y, nil
	}
	return converted[uint16](p.Int32Data), nil // 16-bit integers, and the bits of half types
}

func converted[To, From int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](x []From) []To {
	y := make([]To, len(x))
	for i, v := range x {
		y[i] = To(v)
	}
	return y
}

// unpack splits bytes into elements of 4 bits, the lower first.
func unpack(raw []byte, dtype operator.DType, n int) any {
	if dtype == operator.U8 {
		y := make([]uint8, n)
		for i := range y {
			y[i] = raw[i/2] >> (4 * (i % 2)) & 15
		}
		return y
	}
	y := make([]int8, n)
	for i := range y {
		y[i] = int8(raw[i/2]<<(4*(1-i%2))) >> 4
	}
	return y
}

// fromRaw reads little-endian elements. They are not copied where the machine
// has the same order, and does not mind where numbers begin.
func fromRaw(raw []byte, dtype operator.DType, n int) any {
	if n == 0 {
		return operator.Make(dtype, 0)
	}
	if dtype == operator.Bool { // other bytes than 0 and 1 are no bool of Go
		y := make([]bool, n)
		for i, b := range raw {
			y[i] = b != 0
		}
		return y
	}
	if p := unsafe.Pointer(&raw[0]); littleEndian && (anyAlignment || uintptr(p)%uintptr(dtype.Size()) == 0) {
		switch dtype {
		case operator.F32:
			return unsafe.Slice((*float32)(p), n)
		case operator.F64:
			return unsafe.Slice((*float64)(p), n)
		case operator.F16, operator.BF16, operator.U16:
			return unsafe.Slice((*uint16)(p), n)
		case operator.I8:
			return unsafe.Slice((*int8)(p), n)
		case operator.I16:
			return unsafe.Slice((*int16)(p), n)
		case operator.I32:
			return unsafe.Slice((*int32)(p), n)
		case operator.I64:
			return unsafe.Slice((*int64)(p), n)
		case operator.U8:
			return raw[:n:n]
		case operator.U32:
			return unsafe.Slice((*uint32)(p), n)
		case operator.U64:
			return unsafe.Slice((*uint64)(p), n)
		}
	}
	y := operator.Make(dtype, n)
	if _, err := binary.Decode(raw, binary.LittleEndian, y); err != nil {
		panic(fmt.Sprintf("%d bytes are %d elements of type %s: %v", len(raw), n, dtype, err))
	}
	return y
}

// toRaw is the little-endian bytes of a tensor's elements, which may share
// their memory.
func toRaw(t *operator.Tensor) []byte {
	n := operator.Elements(t.Shape)
	if littleEndian && n > 0 && t.DType != operator.Bool {
		return unsafe.Slice((*byte)(reflect.ValueOf(t.Data).UnsafePointer()), n*int(t.DType.Size()))
	}
	raw, err := binary.Append(make([]byte, 0, n*int(t.DType.Size())), binary.LittleEndian, t.Data)
	if err != nil {
		panic(fmt.Sprintf("elements of type %s: %v", t.DType, err))
	}
	return raw
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// clampInt keeps x within the dimensions that are possible at all, and what is
// beyond recognisably so, on machines with 32-bit integers too.
func clampInt(x int64) int { return int(max(min(x, math.MaxInt32), math.MinInt32)) }

// dimensions are those of a tensor with data.
func dimensions(dims []int64) ([]int, error) {
	shape := make([]int, len(dims))
	for i, d := range dims {
		if d < 0 || d > operator.MaxDim {
			return nil, fmt.Errorf("dimension %d is %d, outside 0..%d", i, d, operator.MaxDim)
		}
		shape[i] = int(d)
	}
	return shape, operator.CheckShape(shape)
}

// constantTensor reads a tensor of the model, from the folder's other files
// too. raw is its data where it has been lifted out of p.
func (d *decoder) constantTensor(p *onnxpb.TensorProto, raw []byte) (*operator.Tensor, error) {
	if raw == nil {
		raw = p.RawData
	}
	if p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		var err error
		if raw, err = d.external.bytes(p); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", p.GetName(), err)
		}
	} else if len(p.ExternalData) > 0 {
		return nil, fmt.Errorf("tensor %q says where its data is, but not that it is in another file", p.GetName())
	}
	if p.StringData != nil {
		return nil, unsupportedf("tensor %q is of type %s", p.GetName(), onnxpb.TensorProto_STRING)
	}
	return newTensor(p, raw)
}

var errNoFolder = errors.New("its data is kept in another file, which a model that is no file has not")
