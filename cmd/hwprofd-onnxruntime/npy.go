//go:build linux || darwin

package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// tensor is one with its elements as bytes, little endian.
type tensor struct {
	name  string
	kind  int // ONNXTensorElementDataType
	shape []int64
	data  []byte
}

// elementTypes are those with a name in NumPy's format.
var elementTypes = []struct {
	kind  int
	descr string
	size  int64
}{
	{1, "<f4", 4}, {2, "|u1", 1}, {3, "|i1", 1}, {4, "<u2", 2}, {5, "<i2", 2}, {6, "<i4", 4}, {7, "<i8", 8},
	{9, "|b1", 1}, {10, "<f2", 2}, {11, "<f8", 8}, {12, "<u4", 4}, {13, "<u8", 8},
}

// bytes is the size that a tensor of the type and shape has.
func (t *tensor) bytes() (int64, error) {
	for _, e := range elementTypes {
		if e.kind != t.kind {
			continue
		}
		n := e.size
		for _, d := range t.shape {
			if d < 0 || d > 0 && n > math.MaxInt64/d {
				return 0, fmt.Errorf("shape %v is not possible", t.shape)
			}
			n *= d
		}
		return n, nil
	}
	return 0, fmt.Errorf("elements of ONNX's type %d have no NumPy format", t.kind)
}

const magic = "\x93NUMPY\x01\x00"

var (
	descrPart = regexp.MustCompile(`'descr':\s*'([^']*)'`)
	shapePart = regexp.MustCompile(`'fortran_order':\s*False,\s*'shape':\s*\(([^)]*)\)`)
)

// readNPY reads a file of NumPy's format 1.0, little endian and in C's order.
func readNPY(path string) (t tensor, err error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return t, err
	}
	start := len(magic) + 2
	if len(file) < start || string(file[:len(magic)]) != magic {
		return t, fmt.Errorf("%s is not of NumPy's format 1.0", path)
	}
	end := start + int(binary.LittleEndian.Uint16(file[len(magic):]))
	if len(file) < end {
		return t, fmt.Errorf("%s is cut short", path)
	}
	descr, shape := descrPart.FindSubmatch(file[start:end]), shapePart.FindSubmatch(file[start:end])
	if descr == nil || shape == nil {
		return t, fmt.Errorf("%s: its header is not understood", path)
	}
	for _, e := range elementTypes {
		if e.descr == string(descr[1]) {
			t.kind = e.kind
		}
	}
	for _, d := range strings.FieldsFunc(string(shape[1]), func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.ParseInt(d, 10, 64)
		if err != nil {
			return t, fmt.Errorf("%s: its shape is (%s)", path, shape[1])
		}
		t.shape = append(t.shape, n)
	}
	// A copy begins at an address that suits any element.
	t.data = append(make([]byte, 0, len(file)-end+1), file[end:]...)
	size, err := t.bytes()
	if err == nil && size != int64(len(t.data)) {
		err = fmt.Errorf("it has %d bytes of data, want %d", len(t.data), size)
	}
	if err != nil {
		return t, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func writeNPY(path string, t tensor) error {
	descr := ""
	for _, e := range elementTypes {
		if e.kind == t.kind {
			descr = e.descr
		}
	}
	var shape strings.Builder
	for _, d := range t.shape {
		fmt.Fprintf(&shape, "%d,", d)
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, &shape)
	const align = 64
	header += strings.Repeat(" ", align-(len(magic)+2+len(header)+1)%align) + "\n"
	file := binary.LittleEndian.AppendUint16([]byte(magic), uint16(len(header)))
	file = append(append(file, header...), t.data...)
	return os.WriteFile(path, file, 0o600)
}
