package operator

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var allTypes = []DType{F32, F64, F16, BF16, I8, I16, I32, I64, U8, U16, U32, U64, Bool}

// drawTensor has few elements, small numbers mostly.
func drawTensor(t *rapid.T, d DType, shape []int) *Tensor {
	x, v := New(d, shape...), New(I64, shape...)
	one := rapid.OneOf(rapid.Int64Range(-3, 5), rapid.Int64Range(0, 3), rapid.Int64())
	for i := range v.Data.([]int64) {
		v.Data.([]int64)[i] = one.Draw(t, "element")
	}
	cast(x, v)
	return x
}

func drawAttributes(t *rapid.T) Attributes {
	names := []string{"axis", "axes", "keepdims", "perm", "mode", "to", "dtype", "k", "blocksize", "equation", "value",
		"num_outputs", "batch_dims", "reduction", "noop_with_empty_axes", "allowzero", "start", "end", "direction",
		"fmod", "transA", "transB", "alpha", "beta", "approximate", "upper", "exclusive", "reverse", "largest",
		"sorted", "select_last_index", "batch_axis", "time_axis", "detect_negative", "kernel_shape", "strides", "pads",
		"dilations", "group", "auto_pad", "ceil_mode", "epsilon", "hidden_size", "layout", "num_heads", "num_groups",
		"block_size", "output_shape", "output_padding", "size", "p", "scales", "stash_type"}
	a := Attributes{}
	for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 4).Draw(t, "attributes") {
		small := rapid.Int64Range(-3, 5)
		switch rapid.IntRange(0, 7).Draw(t, "type") {
		case 0, 1, 2:
			a[name] = rapid.OneOf(small, small, rapid.Int64()).Draw(t, "int")
		case 3:
			a[name] = rapid.Float32().Draw(t, "float")
		case 4:
			a[name] = rapid.SampledFrom([]string{"", "constant", "reflect", "edge", "wrap", "DCR", "CRD", "add", "max",
				"LEFT", "tanh", "ij,jk->ik", "ij,ij", "...i->...", "i->ij", "SAME_UPPER", "VALID", "linear"}).Draw(t, "string")
		case 5, 6:
			a[name] = rapid.SliceOfN(small, 0, 4).Draw(t, "ints")
		case 7:
			a[name] = drawTensor(t, rapid.SampledFrom(allTypes).Draw(t, "dtype"), drawShape(t, 0, 1))
		}
	}
	return a
}

// TestNothingPanics gives operators whatever may stand in a model. What Infer
// accepts must run, whether or not it knew the data of all inputs.
func TestNothingPanics(t *testing.T) {
	calls, succeeded := 0, 0
	for _, name := range Names() {
		d := definitions[name]
		rapid.Check(t, func(t *rapid.T) {
			calls++
			most := d.most
			if most < 0 || most > 8 {
				most = d.least + 3
			}
			kind := rapid.SampledFrom(allTypes).Draw(t, "type")
			in := make([]*Tensor, rapid.IntRange(d.least, most).Draw(t, "inputs"))
			args := make([]*Argument, len(in))
			shape := drawShape(t, 0, 4)
			for i := range in {
				switch rapid.IntRange(0, 9).Draw(t, "input") {
				case 0:
					if i >= d.least {
						continue
					}
					fallthrough
				case 1, 2:
					in[i] = drawTensor(t, I64, drawShape(t, 0, 1))
				case 3, 4, 5:
					in[i] = drawTensor(t, kind, shape)
				case 6, 7:
					in[i] = drawTensor(t, kind, drawShape(t, 0, 4))
				case 8:
					in[i] = drawTensor(t, kind, shape[min(1, len(shape)):])
				case 9:
					in[i] = drawTensor(t, rapid.SampledFrom(allTypes).Draw(t, "other"), drawShape(t, 0, 2))
				}
				args[i] = &Argument{Type: Type{in[i].DType, in[i].Shape}}
				if rapid.IntRange(0, 3).Draw(t, "constant") > 0 {
					args[i].Constant = in[i]
				}
			}
			a := drawAttributes(t)
			outputs := max(1, d.outputs)
			outputs = rapid.IntRange(1, min(outputs, 4)).Draw(t, "outputs")
			types, err := Infer(name, a, args, outputs)
			if err != nil {
				return
			}
			out := make([]*Tensor, len(types))
			for i, typ := range types {
				if Elements(typ.Shape) > 1<<16 {
					return
				}
				if i == 0 || rapid.Bool().Draw(t, "wanted") {
					out[i] = New(typ.DType, typ.Shape...)
				}
			}
			if err := Run(name, a, in, out); err == nil {
				succeeded++
			}
		})
	}
	if succeeded < calls/10 {
		t.Errorf("only %d of %d calls succeeded, which tests little", succeeded, calls)
	}
}

// TestHugeSizesAreErrors describes outputs that no machine has room for.
func TestHugeSizesAreErrors(t *testing.T) {
	huge := func(shape ...int) *Argument { return &Argument{Type: Type{F32, shape}} }
	known := func(x *Tensor) *Argument { return &Argument{Type: Type{x.DType, x.Shape}, Constant: x} }
	scalar := func(v int) *Argument { x := vector(v); x.Shape = nil; return known(x) }
	const big = 1 << 62
	for name, args := range map[string][]*Argument{
		"Expand":          {huge(1), known(vector(1<<24, 1<<24))},
		"Tile":            {huge(4, 4), known(vector(big, big))},
		"ConstantOfShape": {known(vector(big, big))},
		"Range":           {scalar(0), scalar(big), scalar(1)},
		"OneHot":          {huge(4), scalar(big), known(vector(0, 1))},
		"Pad":             {huge(4), known(vector(big, big))},
		"Add":             {huge(1<<24, 1), huge(1, 1<<24)},
		"MatMul":          {huge(1<<24, 1), huge(1, 1<<24)},
		"Gather":          {huge(2, 1<<24), {Type: Type{I64, []int{1 << 24}}}},
		"Concat":          {huge(1<<24, 2), huge(1<<24, 2)},
		"Abs":             {huge(1<<24, 1<<24)},
	} {
		types, err := Infer(name, Attributes{"axis": int64(0)}, args, 1)
		if err == nil {
			t.Errorf("%s gives %v", name, types)
		}
	}
}

func TestUnknownSizesAreNotConstant(t *testing.T) {
	x := &Argument{Type: Type{F32, []int{2, 3}}}
	list := &Argument{Type: Type{I64, []int{2}}}
	one := &Argument{Type: Type{I64, []int{1}}}
	for name, args := range map[string][]*Argument{
		"Reshape": {x, list}, "Expand": {x, list}, "Tile": {x, list}, "Slice": {x, list, list}, "ReduceSum": {x, list},
		"Squeeze": {x, one}, "Unsqueeze": {x, one}, "TopK": {x, one}, "ConstantOfShape": {list}, "Pad": {x, one},
		"NonZero": {x}, "Unique": {x}, "Split": {x, list}, "Compress": {x, {Type: Type{Bool, []int{2}}}},
	} {
		outputs := 1
		if name == "Split" || name == "TopK" {
			outputs = 2
		}
		_, err := Infer(name, nil, args, outputs)
		var unknown *NotConstantError
		if !errors.As(err, &unknown) || unknown.Input >= len(args) {
			t.Errorf("%s: error %v, want one that an input is not constant", name, err)
		}
	}
}

func TestWrongDataIsAnError(t *testing.T) {
	x, index := New(F32, 3), vector(3)
	zero, one := New(I32, 1), New(I32, 1)
	for name, in := range map[string][]*Tensor{
		"Gather": {x, index}, "GatherElements": {x, index}, "ScatterElements": {x, index, New(F32, 1)},
		"Div": {one, zero}, "Mod": {one, zero}, "CumSum": {x, vector(1)}, "Range": {zero, one, zero},
		"TopK": {x, vector(4)}, "GatherND": {x, {I64, []int{1, 1}, []int64{-4}}}, "Slice": {x, vector(0), vector(1), vector(0), vector(0)},
		"Add": {x, New(F16, 3)}, "MatMul": {New(BF16, 3), New(F16, 3)}, "Max": {x, x, New(F64, 3)},
		"ArgMax": {New(F32, 0)}, "Reshape": {x, vector(2)}, "Squeeze": {x, vector(0)}, "Unsqueeze": {x, vector(0, 0)},
	} {
		if out, err := Evaluate(name, nil, in, 1); err == nil {
			t.Errorf("%s gives %v", name, out[0])
		}
	}
	if err := Run("Abs", nil, []*Tensor{x}, []*Tensor{New(F32, 2)}); err == nil {
		t.Error("Abs writes to an output of another shape")
	}
	short := &Tensor{F32, []int{3}, make([]float32, 2)}
	if err := Run("Abs", nil, []*Tensor{short}, []*Tensor{New(F32, 3)}); err == nil {
		t.Error("Abs reads an input with less data than its shape has")
	}
}

// Constants are shared between nodes, so that no operator may write to its
// inputs.
func TestRunKeepsInputs(t *testing.T) {
	for _, c := range readONNXCases(t, "testdata/math.json.gz") {
		a := Attributes{}
		for name, v := range c.Attributes {
			a[name] = v.value(t)
		}
		in, before := tensorsOf(t, c.Inputs), tensorsOf(t, c.Inputs)
		if _, err := Evaluate(c.Operator, a, in, len(c.Outputs)); err != nil {
			continue
		}
		for i := range in {
			if in[i] != nil && (!slices.Equal(in[i].Shape, before[i].Shape) || near(in[i], before[i], 0, 0) != nil) {
				t.Errorf("%s changed input %d", c.Name, i)
			}
		}
	}
}
