package predictor

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// A predictor file is in the safetensors format: eight bytes with the length of
// a JSON header, little endian, the header, and the tensors' bytes, of which
// the header says which lie where. Here they are all of F64 or I32; what is no
// number is JSON in the header's metadata.

// tensors are named arrays: []float64 or []int32, with their shapes.
type tensors struct {
	floats map[string]floats
	ints   map[string][]int32
}

type floats struct {
	shape  []int
	values []float64
}

func newTensors() *tensors { return &tensors{map[string]floats{}, map[string][]int32{}} }

func (t *tensors) vector(name string, values []float64) {
	t.floats[name] = floats{[]int{len(values)}, values}
}

func (t *tensors) matrix(name string, rows [][]float64, columns int) {
	t.floats[name] = floats{[]int{len(rows), columns}, slices.Concat(rows...)}
}

// entry is what the header says of a tensor.
type entry struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// encode writes the file; metadata is what the header has beside the tensors.
func (t *tensors) encode(metadata map[string]string) ([]byte, error) {
	header := map[string]any{"__metadata__": metadata}
	var data []byte
	for _, name := range slices.Sorted(maps.Keys(t.floats)) {
		begin := len(data)
		for _, v := range t.floats[name].values {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
		header[name] = entry{"F64", t.floats[name].shape, [2]int{begin, len(data)}}
	}
	// The larger type comes first, so that all are aligned.
	for _, name := range slices.Sorted(maps.Keys(t.ints)) {
		begin := len(data)
		for _, v := range t.ints[name] {
			data = binary.LittleEndian.AppendUint32(data, uint32(v))
		}
		header[name] = entry{"I32", []int{len(t.ints[name])}, [2]int{begin, len(data)}}
	}
	text, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(file, text...), data...), nil
}

// decodeTensors reads what encode writes.
func decodeTensors(file []byte) (*tensors, map[string]string, error) {
	if len(file) < 8 {
		return nil, nil, errors.New("it is too short for a safetensors file")
	}
	length := binary.LittleEndian.Uint64(file)
	if length > uint64(len(file)-8) {
		return nil, nil, fmt.Errorf("its header should have %d bytes, but %d follow: it is cut off, or no safetensors file", length, len(file)-8)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(file[8:8+length], &raw); err != nil {
		return nil, nil, fmt.Errorf("its header is not JSON: %w", err)
	}
	data := file[8+length:]
	t, metadata := newTensors(), map[string]string{}
	for name, text := range raw {
		if name == "__metadata__" {
			if err := json.Unmarshal(text, &metadata); err != nil {
				return nil, nil, fmt.Errorf("metadata: %w", err)
			}
			continue
		}
		var e entry
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		size := map[string]int{"F64": 8, "I32": 4}[e.DType]
		if size == 0 {
			return nil, nil, fmt.Errorf("tensor %q is of type %q, want F64 or I32", name, e.DType)
		}
		begin, end := e.Offsets[0], e.Offsets[1]
		if begin < 0 || end < begin || end > len(data) {
			return nil, nil, fmt.Errorf("tensor %q lies at %d to %d of %d bytes", name, begin, end, len(data))
		}
		elements := 1
		for _, d := range e.Shape {
			if d < 0 || d > 0 && elements > len(data)/d {
				return nil, nil, fmt.Errorf("tensor %q has shape %v", name, e.Shape)
			}
			elements *= d
		}
		if elements*size != end-begin {
			return nil, nil, fmt.Errorf("tensor %q of shape %v has %d bytes", name, e.Shape, end-begin)
		}
		if size == 4 {
			values := make([]int32, elements)
			for i := range values {
				values[i] = int32(binary.LittleEndian.Uint32(data[begin+4*i:]))
			}
			t.ints[name] = values
			continue
		}
		values := make([]float64, elements)
		for i := range values {
			if values[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[begin+8*i:])); math.IsNaN(values[i]) || math.IsInf(values[i], 0) {
				return nil, nil, fmt.Errorf("tensor %q: element %d is %g", name, i, values[i])
			}
		}
		t.floats[name] = floats{e.Shape, values}
	}
	return t, metadata, nil
}

// reader takes tensors out and keeps the first error.
type reader struct {
	tensors *tensors
	err     error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// vector is a tensor of n elements, of any number where n is negative.
func (r *reader) vector(name string, n int) []float64 {
	t, ok := r.tensors.floats[name]
	if !ok || len(t.shape) != 1 || n >= 0 && len(t.values) != n {
		r.fail("tensor %q is missing or not of %d elements", name, n)
		return make([]float64, max(n, 0))
	}
	return t.values
}

func (r *reader) ints(name string, n int) []int {
	values, ok := r.tensors.ints[name]
	if !ok || n >= 0 && len(values) != n {
		r.fail("tensor %q is missing or not of %d elements", name, n)
		return make([]int, max(n, 0))
	}
	out := make([]int, len(values))
	for i, v := range values {
		out[i] = int(v)
	}
	return out
}

// matrix is a tensor of rows with so many columns.
func (r *reader) matrix(name string, columns int) [][]float64 {
	t, ok := r.tensors.floats[name]
	if !ok || len(t.shape) != 2 || t.shape[1] != columns {
		r.fail("tensor %q is missing or not of %d columns", name, columns)
		return nil
	}
	rows := make([][]float64, t.shape[0])
	for i := range rows {
		rows[i] = t.values[i*columns : (i+1)*columns]
	}
	return rows
}
