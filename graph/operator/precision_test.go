package operator

import (
	"slices"
	"testing"
)

// neuralCases are those of operators of neural networks.
func neuralCases(t *testing.T) []onnxCase {
	return slices.Concat(readONNXCases(t, "testdata/nn.json.gz"), readONNXCases(t, "testdata/ort.json.gz"))
}

// singleOnly take numbers of single precision only.
func singleOnly(operator string) bool {
	switch operator {
	case "DynamicQuantizeLinear", "com.microsoft.QLinearAdd", "com.microsoft.QLinearMul", "com.microsoft.QLinearSigmoid",
		"com.microsoft.QLinearLeakyRelu", "com.microsoft.QLinearGlobalAveragePool", "com.microsoft.QLinearAveragePool",
		"com.microsoft.QLinearConcat", "com.microsoft.QGemm", "MelWeightMatrix":
		return true
	}
	return false
}

// as has the floating-point tensors of a list in another type.
func as(d DType, list []*Tensor) []*Tensor {
	list = slices.Clone(list)
	for i, x := range list {
		if x != nil && x.DType.IsFloat() {
			list[i] = New(d, x.Shape...)
			setFloat64s(list[i], float64s(x))
		}
	}
	return list
}

// TestEveryPrecisionGivesTheSame runs cases in double precision, and in half
// ones, which must be the rounded results of single precision.
func TestEveryPrecisionGivesTheSame(t *testing.T) {
	for _, c := range neuralCases(t) {
		a := Attributes{}
		for name, v := range c.Attributes {
			a[name] = v.value(t)
		}
		in, want := tensorsOf(t, c.Inputs), tensorsOf(t, c.Outputs)
		float := func(x *Tensor) bool { return x != nil && x.DType == F32 }
		half := slices.ContainsFunc(in, isHalf)
		if singleOnly(c.Operator) || half || !slices.ContainsFunc(in, float) {
			continue
		}
		got, err := Evaluate(c.Operator, a, as(F64, in), len(want))
		if err != nil {
			t.Errorf("%s in f64: %v", c.Name, err)
			continue
		}
		for i, w := range as(F64, want) {
			// Moments of layers stay in single precision, and what is
			// quantized may be rounded the other way.
			if w == nil || !w.DType.IsFloat() {
				continue
			}
			if g := as(F64, got); near(g[i], w, 1e-3, 1e-6) != nil {
				t.Errorf("%s in f64: output %d: %v", c.Name, i, near(g[i], w, 1e-3, 1e-6))
			}
		}
		for _, d := range []DType{F16, BF16} {
			rounded := as(d, in)
			got, err := Evaluate(c.Operator, a, rounded, len(want))
			single, err2 := Evaluate(c.Operator, a, as(F32, rounded), len(want))
			if err != nil || err2 != nil {
				if (err == nil) != (err2 == nil) {
					t.Errorf("%s: in %s %v, in single precision %v", c.Name, d, err, err2)
				}
				continue
			}
			for i, g := range got {
				w := single[i]
				if g.DType == d && w.DType == F32 {
					w = as(d, single)[i]
				}
				if err := near(g, w, 0, 0); err != nil {
					t.Errorf("%s in %s: output %d: %v", c.Name, d, i, err)
				}
			}
		}
	}
}

// Outputs that have a type of their own keep it when inputs are of a half one.
func TestOutputsKeepTheirOwnType(t *testing.T) {
	half := func(shape ...int) *Tensor { return New(F16, shape...) }
	for _, c := range []struct {
		operator string
		a        Attributes
		in       []*Tensor
		want     []DType
	}{
		{"DequantizeLinear", Attributes{"output_dtype": int64(1)}, []*Tensor{New(I8, 3), half()}, []DType{F32}},
		{"DequantizeLinear", nil, []*Tensor{New(I8, 3), half()}, []DType{F16}},
		{"LayerNormalization", nil, []*Tensor{half(2, 3), half(3)}, []DType{F16, F32, F32}},
		{"RMSNormalization", nil, []*Tensor{half(2, 3), New(F32, 3)}, []DType{F32}},
		{"Resize", nil, []*Tensor{New(F32, 2), nil, nil, {DType: I64, Shape: []int{1}, Data: []int64{3}}}, []DType{F32}},
		{"BatchNormalization", Attributes{"training_mode": int64(1)},
			[]*Tensor{half(2, 3), half(3), half(3), New(F32, 3), New(F32, 3)}, []DType{F16, F32, F32}},
		{"Attention", nil, []*Tensor{New(F32, 1, 1, 2, 3), New(F32, 1, 1, 2, 3), half(1, 1, 2, 3)}, []DType{F32, F32, F16}},
		{"GridSample", nil, []*Tensor{New(F32, 1, 1, 2, 3), half(1, 2, 2, 2)}, []DType{F32}},
	} {
		got, err := Evaluate(c.operator, c.a, c.in, len(c.want))
		if err != nil {
			t.Errorf("%s: %v", c.operator, err)
			continue
		}
		for i, g := range got {
			if g.DType != c.want[i] {
				t.Errorf("%s: output %d is of type %s, want %s", c.operator, i, g.DType, c.want[i])
			}
		}
	}
}
