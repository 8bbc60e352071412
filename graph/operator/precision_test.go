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
		"com.microsoft.QLinearConcat", "MelWeightMatrix":
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
