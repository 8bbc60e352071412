package onnx

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// openInput is an input of the model while its dimensions are found.
type openInput struct {
	name    string
	dtype   graph.DType
	kind    int32 // the type in the model
	shape   []int // -1 where not known yet
	symbols []string
	given   bool // shape was given in the options
}

// inputs makes the inputs of the main graph.
func (d *decoder) inputs(p *onnxpb.GraphProto, s *scope) error {
	var list []*openInput
	names := make(map[string]bool)
	for _, in := range p.Input {
		name := in.GetName()
		if s.initializers[name].proto != nil {
			continue // before IR version 4 these are listed too
		}
		if name == "" {
			return fmt.Errorf("an input has no name")
		}
		if names[name] {
			return fmt.Errorf("input %q is defined twice", name)
		}
		names[name], d.taken[name] = true, true
		x, problem, err := newOpenInput(in)
		switch {
		case err != nil:
			return err
		case problem != "" && !s.used[name]:
			return fmt.Errorf("%s", problem)
		case problem != "":
			if err := s.define(name, symbol{problem: problem}); err != nil {
				return err
			}
		default:
			list = append(list, x)
		}
	}
	for _, given := range [][]string{slices.Sorted(maps.Keys(d.options.Shapes)), slices.Sorted(maps.Keys(d.options.Constants))} {
		for _, name := range given {
			if !names[name] {
				return fmt.Errorf("the model has no input %q; it has %s", name, strings.Join(slices.Sorted(maps.Keys(names)), ", "))
			}
		}
	}
	if err := d.fixShapes(list, p, s); err != nil {
		return err
	}
	for _, x := range list {
		v := &graph.Value{Name: x.name, DType: x.dtype, Shape: x.shape}
		d.noteFourBits(v, x.kind)
		if err := d.charge(x.dtype, x.shape); err != nil {
			return fmt.Errorf("input %q: %w", x.name, err)
		}
		if t := d.options.Constants[x.name]; t != nil {
			v.Role = graph.RoleConstant
			v.Fill(t)
		} else {
			d.decoded.Inputs = append(d.decoded.Inputs, v)
		}
		if err := s.define(x.name, symbol{value: v}); err != nil {
			return err
		}
	}
	return nil
}

// newOpenInput reads the declaration of an input, or says why its type is not
// supported.
func newOpenInput(in *onnxpb.ValueInfoProto) (x *openInput, problem string, err error) {
	name := in.GetName()
	t := in.GetType().GetTensorType()
	if t == nil {
		if in.GetType().GetValue() != nil {
			return nil, fmt.Sprintf("input %q is no tensor", name), nil
		}
		return nil, "", fmt.Errorf("input %q is no tensor", name)
	}
	kind := onnxpb.TensorProto_DataType(t.GetElemType())
	dtype, ok := dtypes[kind]
	if !ok {
		return nil, fmt.Sprintf("input %q is of type %s", name, kind), nil
	}
	x = &openInput{name: name, dtype: dtype, kind: t.GetElemType()}
	if t.Shape == nil {
		return x, "", nil
	}
	x.shape = []int{}
	for i, dim := range t.Shape.Dim {
		size, fixed := dim.GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue)
		switch {
		case !fixed || size.DimValue < 0:
			x.shape = append(x.shape, -1)
		case size.DimValue > operator.MaxDim:
			return nil, "", fmt.Errorf("input %q: dimension %d is %d, above %d", name, i, size.DimValue, operator.MaxDim)
		default:
			x.shape = append(x.shape, int(size.DimValue))
		}
		x.symbols = append(x.symbols, dim.GetDimParam())
	}
	return x, "", nil
}

// fixShapes finds all dimensions that the model leaves open.
func (d *decoder) fixShapes(list []*openInput, p *onnxpb.GraphProto, s *scope) error {
	sizes := make(map[string]int) // of symbols
	for _, x := range list {
		shape, ok := d.options.Shapes[x.name]
		if t := d.options.Constants[x.name]; t != nil {
			if err := t.Check(); err != nil {
				return fmt.Errorf("constant for input %q: %w", x.name, err)
			}
			if t.DType != x.dtype {
				return fmt.Errorf("constant for input %q is of type %s, want %s", x.name, t.DType, x.dtype)
			}
			shape, ok = t.Shape, true
		}
		if !ok {
			continue
		}
		if err := x.give(shape, sizes); err != nil {
			return err
		}
	}
	for _, x := range list {
		if x.shape == nil {
			return fmt.Errorf("input %q has no shape in the model; give it, for example with --shape %s=1x3x224x224", x.name, x.name)
		}
		x.take(sizes)
	}
	// What operators need is certain, a batch of 1 is a choice.
	for _, x := range list {
		for i, size := range x.shape {
			if size < 0 {
				if n := d.needed(x.name, i, len(x.shape), p, s); n > 0 {
					x.shape[i] = n
					if symbol := x.symbols[i]; symbol != "" && sizes[symbol] == 0 {
						sizes[symbol] = n
					}
				}
			}
		}
	}
	for _, x := range list {
		x.take(sizes)
		if len(x.shape) > 0 && x.shape[0] < 0 {
			x.shape[0] = 1
			if symbol := x.symbols[0]; symbol != "" {
				sizes[symbol] = 1
			}
		}
	}
	for _, x := range list {
		x.take(sizes)
		for i, size := range x.shape {
			if size < 0 {
				return fmt.Errorf("input %q: dimension %d (%q) is not fixed in the model; give the shape, for example with --shape %s=%s",
					x.name, i, x.symbols[i], x.name, x.example())
			}
		}
		if err := operator.CheckShape(x.shape); err != nil {
			return fmt.Errorf("input %q: %w", x.name, err)
		}
	}
	return nil
}

// give takes the shape that the options say.
func (x *openInput) give(shape []int, sizes map[string]int) error {
	if err := operator.CheckShape(shape); err != nil {
		return fmt.Errorf("input %q: %w", x.name, err)
	}
	if x.shape == nil {
		x.shape, x.symbols = slices.Repeat([]int{-1}, len(shape)), make([]string, len(shape))
	}
	if len(shape) != len(x.shape) {
		return fmt.Errorf("input %q has %d dimensions, but the shape given is %v", x.name, len(x.shape), shape)
	}
	for i, size := range shape {
		if x.shape[i] >= 0 && x.shape[i] != size {
			return fmt.Errorf("input %q: dimension %d is %d in the model, but the shape given is %v", x.name, i, x.shape[i], shape)
		}
		symbol := x.symbols[i]
		if before, ok := sizes[symbol]; ok && symbol != "" && before != size {
			return fmt.Errorf("input %q: dimension %d (%q) is given as %d, but as %d elsewhere", x.name, i, symbol, size, before)
		}
		sizes[symbol] = size
	}
	x.shape, x.given = append([]int{}, shape...), true
	delete(sizes, "")
	return nil
}

// take fills in the symbols whose size is known.
func (x *openInput) take(sizes map[string]int) {
	for i, symbol := range x.symbols {
		if size, ok := sizes[symbol]; ok && x.shape[i] < 0 && symbol != "" {
			x.shape[i] = size
		}
	}
}

// example is a shape to show how one is given.
func (x *openInput) example() string {
	dims := make([]string, len(x.shape))
	for i, size := range x.shape {
		switch {
		case size >= 0:
		case i == 0:
			size = 1
		case len(x.shape) == 4 && i == 1:
			size = 3
		case len(x.shape) == 4:
			size = 224
		default:
			size = 128
		}
		dims[i] = strconv.Itoa(size)
	}
	return strings.Join(dims, "x")
}

// needed is the size of a dimension that nodes which read the value need, 0
// where none needs a certain one. It follows the value through operators that
// keep its shape.
func (d *decoder) needed(name string, i, rank int, p *onnxpb.GraphProto, s *scope) int {
	names := map[string]bool{name: true}
	for _, n := range p.Node {
		if domain(n.GetDomain()) != "" || len(n.Input) == 0 || len(n.Output) == 0 {
			continue
		}
		if !names[n.Input[0]] {
			continue
		}
		weight := func(input int) []int64 {
			if input < len(n.Input) {
				if t := s.initializers[n.Input[input]].proto; t != nil {
					return t.GetDims()
				}
			}
			return nil
		}
		size := int64(0)
		switch n.GetOpType() {
		case "Cast", "Identity", "Relu", "Dropout", "Clip", "Neg", "Sqrt", "Sigmoid", "Tanh":
			names[n.Output[0]] = true
		case "Conv":
			group := int64(1)
			for _, a := range n.Attribute {
				if a.GetName() == "group" {
					group = a.GetI()
				}
			}
			if w := weight(1); i == 1 && len(w) == rank && group > 0 && group <= operator.MaxDim && w[1] <= operator.MaxDim {
				size = w[1] * group
			}
		case "BatchNormalization":
			if w := weight(1); i == 1 && len(w) == 1 {
				size = w[0]
			}
		case "MatMul":
			if w := weight(1); i == rank-1 && len(w) >= 2 {
				size = w[len(w)-2]
			}
		case "Gemm":
			flags := make(map[string]int64)
			for _, a := range n.Attribute {
				flags[a.GetName()] = a.GetI()
			}
			if w := weight(1); len(w) == 2 && rank == 2 && i == 1-int(min(max(flags["transA"], 0), 1)) {
				size = w[min(max(flags["transB"], 0), 1)]
			}
		case "Add", "Sub", "Mul", "Div":
			w := weight(1)
			if k := len(w) - rank + i; k >= 0 && w[k] > 1 {
				size = w[k]
			} else {
				names[n.Output[0]] = true
			}
		}
		if size > 0 && size <= operator.MaxDim {
			return int(size)
		}
	}
	return 0
}
