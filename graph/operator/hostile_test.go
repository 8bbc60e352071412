package operator

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestDamagedCasesNeverPanic changes ONNX's cases at random: attributes,
// shapes, types and elements. Whatever Infer accepts, Run computes or reports.
func TestDamagedCasesNeverPanic(t *testing.T) {
	cases := neuralCases(t)
	// Each operator gets about as many tries.
	tries := 1500
	if testing.Short() {
		tries = 200
	}
	number := map[string]int{}
	for _, c := range cases {
		number[c.Operator]++
	}
	ran := map[string]int{}
	for i, c := range cases {
		inputs, attributes := tensorsOf(t, c.Inputs), Attributes{}
		for name, v := range c.Attributes {
			attributes[name] = v.value(t)
		}
		size := 0
		for _, x := range inputs {
			if x != nil {
				size += Elements(x.Shape)
			}
		}
		if size > 2000 {
			continue // enough cases are small
		}
		for round := range 1 + tries/number[c.Operator] {
			d := damage{rand.New(rand.NewPCG(uint64(i), uint64(round)))}
			a, in := d.attributes(attributes), d.inputs(inputs)
			outputs := len(c.Outputs)
			if d.IntN(10) == 0 {
				outputs = d.IntN(5)
			}
			if d.evaluate(t, c.Operator, a, in, outputs) {
				ran[c.Operator]++
			}
		}
	}
	for _, c := range cases {
		if ran[c.Operator] == 0 && Defined(c.Operator) {
			t.Errorf("%s: no damaged case was accepted", c.Operator)
			ran[c.Operator] = 1
		}
	}
}

type damage struct{ *rand.Rand }

// evaluate reports whether the operator ran. It does not where outputs would
// be large.
func (d damage) evaluate(t *testing.T, name string, a Attributes, in []*Tensor, outputs int) bool {
	text := ""
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s %s: %v", name, text, r)
		}
	}()
	args := make([]*Argument, len(in))
	for i, x := range in {
		if x != nil {
			args[i] = &Argument{Type: Type{x.DType, x.Shape}}
			if d.IntN(20) > 0 {
				args[i].Constant = x
			}
			text += fmt.Sprint(" ", x.DType, x.Shape)
		}
	}
	text += fmt.Sprint(" ", a)
	types, err := Infer(name, a, args, outputs)
	if err != nil {
		return false
	}
	out := make([]*Tensor, outputs)
	for i, o := range types {
		if Elements(o.Shape) > 1e5 {
			return false
		}
		if d.IntN(10) > 0 {
			out[i] = New(o.DType, o.Shape...)
		}
	}
	Run(name, a, in, out)
	return true
}

func (d damage) number() int64 {
	switch d.IntN(8) {
	case 0:
		return []int64{-1 << 63, 1<<63 - 1, -1 << 31, 1 << 31, MaxDim, 1 << 20, -100, 1000}[d.IntN(8)]
	case 1:
		return -1 - d.Int64N(3)
	}
	return d.Int64N(5)
}

func (d damage) float() float64 {
	switch d.IntN(12) {
	case 0:
		return math.NaN()
	case 1:
		return math.Inf(1 - 2*d.IntN(2))
	case 2:
		return math.Ldexp(d.NormFloat64(), d.IntN(200)-100)
	}
	return d.NormFloat64() * 3
}

// words are values of any attribute that is text.
var words = []string{"", "VALID", "SAME_UPPER", "SAME_LOWER", "NOTSET", "nearest", "linear", "cubic", "align_corners",
	"tf_crop_and_resize", "asymmetric", "half_pixel_symmetric", "reverse", "bidirectional", "reflection", "border", "max", "x"}

func (d damage) attributes(a Attributes) Attributes {
	a = maps.Clone(a)
	for _, name := range slices.Sorted(maps.Keys(a)) {
		switch d.IntN(6) {
		case 0:
			delete(a, name)
		case 1:
			a[name] = d.value(a[name])
		}
	}
	for _, name := range []string{"kernel_shape", "pads", "strides", "dilations", "group", "auto_pad", "axis", "axes",
		"ceil_mode", "block_size", "is_causal", "layout", "p", "storage_order", "antialias", "exclude_outside", "size", "training_mode"} {
		if d.IntN(40) == 0 {
			example := any(int64(0))
			switch name {
			case "auto_pad":
				example = ""
			case "kernel_shape", "strides", "dilations", "pads", "axes":
				example = make([]int64, d.IntN(7))
			}
			a[name] = d.value(example)
		}
	}
	return a
}

func (d damage) value(old any) any {
	switch v := old.(type) {
	case int64:
		return d.number()
	case float32:
		return float32(d.float())
	case string:
		return words[d.IntN(len(words))]
	case []int64:
		v = slices.Clone(v)
		for i := range v {
			if d.IntN(2) == 0 {
				v[i] = d.number()
			}
		}
		return v[:len(v)-min(len(v), d.IntN(10)/9)]
	}
	return int64(1)
}

func (d damage) inputs(list []*Tensor) []*Tensor {
	list = slices.Clone(list)
	if d.IntN(3) == 0 {
		// The same size of one dimension everywhere often fits.
		size, to := -1, d.IntN(4)
		for i, x := range list {
			if x == nil || len(x.Shape) == 0 {
				continue
			}
			if size < 0 {
				size = x.Shape[d.IntN(len(x.Shape))]
			}
			shape := slices.Clone(x.Shape)
			for j, s := range shape {
				if s == size {
					shape[j] = to
				}
			}
			list[i] = d.random(x.DType, shape)
		}
	}
	for i, x := range list {
		if x == nil {
			continue
		}
		switch d.IntN(12) {
		case 0:
			list[i] = nil
		case 1:
			shape := slices.Clone(x.Shape)
			if len(shape) > 0 {
				shape[d.IntN(len(shape))] = d.IntN(5)
			}
			list[i] = d.random(x.DType, shape)
		case 2:
			list[i] = d.random(x.DType, x.Shape)
		case 3:
			shape := make([]int, d.IntN(6))
			for j := range shape {
				shape[j] = d.IntN(4)
			}
			list[i] = d.random(x.DType, shape)
		case 4:
			all := []DType{F32, F64, F16, BF16, I8, I16, I32, I64, U8, U16, U32, U64, Bool}
			list[i] = d.random(all[d.IntN(len(all))], x.Shape)
		}
	}
	return list[:len(list)-min(len(list), d.IntN(15)/14)]
}

func (d damage) random(kind DType, shape []int) *Tensor {
	x := New(kind, shape...)
	v := make([]float64, Elements(shape))
	for i := range v {
		v[i] = d.float()
		if !kind.IsFloat() {
			v[i] = float64(d.number())
		}
	}
	setFloat64s(x, v)
	return x
}
