package profiler

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// drawInputs are inputs for g: numbers uniform in -1..1, any bytes, and wider
// integers 0, which any operator takes as an index or a size.
func drawInputs(g *graph.Graph, seed uint64) []*operator.Tensor {
	random := rand.New(rand.NewPCG(seed, 1))
	list := make([]*operator.Tensor, len(g.Inputs))
	for i, v := range g.Inputs {
		t := operator.New(v.DType, v.Shape...)
		switch data := t.Data.(type) {
		case []float32:
			for j := range data {
				data[j] = 2*random.Float32() - 1
			}
		case []float64:
			for j := range data {
				data[j] = 2*random.Float64() - 1
			}
		case []uint8:
			for j := range data {
				data[j] = uint8(random.Uint32())
			}
		case []int8:
			for j := range data {
				data[j] = int8(random.Uint32())
			}
		case []uint16:
			for j := range data {
				if v.DType.IsHalf() {
					data[j] = operator.ToHalf(v.DType, 2*random.Float32()-1)
				}
			}
		}
		list[i] = t
	}
	return list
}

// npyTypes are NumPy's names of element types.
var npyTypes = map[graph.DType]string{
	operator.F32: "<f4", operator.F16: "<f2", operator.F64: "<f8",
	operator.I8: "|i1", operator.I16: "<i2", operator.I32: "<i4", operator.I64: "<i8",
	operator.U8: "|u1", operator.U16: "<u2", operator.U32: "<u4", operator.U64: "<u8",
	operator.Bool: "|b1",
}

// npyMagic begins a file of NumPy's format, version 1.0:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
const npyMagic = "\x93NUMPY\x01\x00"

// writeNPY writes t in NumPy's format.
func writeNPY(path string, t *operator.Tensor) error {
	name, ok := npyTypes[t.DType]
	if !ok {
		return fmt.Errorf("elements of type %s have no NumPy format", t.DType)
	}
	var shape strings.Builder
	for _, d := range t.Shape {
		fmt.Fprintf(&shape, "%d,", d)
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", name, &shape)
	const align = 64
	before := len(npyMagic) + 2
	padding := align - (before+len(header)+1)%align
	header += strings.Repeat(" ", padding) + "\n"
	var b bytes.Buffer
	b.WriteString(npyMagic)
	b.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(header))))
	b.WriteString(header)
	if err := binary.Write(&b, binary.LittleEndian, t.Data); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}

var (
	npyDescr   = regexp.MustCompile(`'descr':\s*'([^']*)'`)
	npyFortran = regexp.MustCompile(`'fortran_order':\s*True`)
	npyShape   = regexp.MustCompile(`'shape':\s*\(([^)]*)\)`)
)

// readNPY reads a tensor that must have the type and shape of want.
func readNPY(path string, want *operator.Tensor) (*operator.Tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, len(npyMagic)+2)
	if _, err := io.ReadFull(f, head); err != nil || string(head[:len(npyMagic)]) != npyMagic {
		return nil, fmt.Errorf("%s is not of NumPy's format 1.0", path)
	}
	header := make([]byte, binary.LittleEndian.Uint16(head[len(npyMagic):]))
	if _, err := io.ReadFull(f, header); err != nil {
		return nil, fmt.Errorf("%s: its header is cut short", path)
	}
	descr, shape := npyDescr.FindSubmatch(header), npyShape.FindSubmatch(header)
	switch {
	case descr == nil || shape == nil:
		return nil, fmt.Errorf("%s: its header is %s", path, excerpt(header))
	case npyFortran.Match(header) && len(want.Shape) > 1:
		return nil, fmt.Errorf("%s: its elements are in Fortran's order, want C's", path)
	case string(descr[1]) != npyTypes[want.DType]:
		return nil, fmt.Errorf("%s: its elements are %s, want %s", path, descr[1], npyTypes[want.DType])
	}
	var dims []int
	for _, d := range strings.FieldsFunc(string(shape[1]), func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(d)
		if err != nil {
			return nil, fmt.Errorf("%s: its shape is (%s)", path, shape[1])
		}
		dims = append(dims, n)
	}
	if fmt.Sprint(dims) != fmt.Sprint(append([]int(nil), want.Shape...)) {
		return nil, fmt.Errorf("%s: its shape is %v, want %v", path, dims, want.Shape)
	}
	t := operator.New(want.DType, want.Shape...)
	if err := binary.Read(f, binary.LittleEndian, t.Data); err != nil {
		return nil, fmt.Errorf("%s: its data are cut short", path)
	}
	return t, nil
}

// float is an element as a number.
func float(t *operator.Tensor, i int) float64 {
	switch data := t.Data.(type) {
	case []float32:
		return float64(data[i])
	case []float64:
		return data[i]
	case []uint16:
		if t.DType.IsHalf() {
			return float64(operator.FromHalf(t.DType, data[i]))
		}
		return float64(data[i])
	case []int8:
		return float64(data[i])
	case []uint8:
		return float64(data[i])
	case []int16:
		return float64(data[i])
	case []int32:
		return float64(data[i])
	case []uint32:
		return float64(data[i])
	case []int64:
		return float64(data[i])
	case []uint64:
		return float64(data[i])
	case []bool:
		if data[i] {
			return 1
		}
		return 0
	}
	return math.NaN()
}
