package operator

import (
	"fmt"
	"math"
)

func init() {
	for name, f := range map[string]func(float64) float64{
		"Abs": math.Abs, "Exp": math.Exp, "Log": math.Log, "Sqrt": math.Sqrt, "Tanh": math.Tanh, "Erf": math.Erf,
	} {
		define(name, unaryFloat(f))
	}
}

// unaryFloat is an operator that maps each element alone.
func unaryFloat(f func(float64) float64) definition {
	return definition{least: 1, most: 1, outputs: 1,
		infer: sameAsInput,
		run: func(c *Call, out []*Tensor) error {
			switch x := c.In[0].Data.(type) {
			case []float32:
				mapEach(out[0].Data.([]float32), x, f)
			case []float64:
				mapEach(out[0].Data.([]float64), x, f)
			}
			return nil
		},
	}
}

func mapEach[T float32 | float64](dst, x []T, f func(float64) float64) {
	for i, v := range x {
		dst[i] = T(f(float64(v)))
	}
}

// sameAsInput gives the one output the type of a floating-point input.
func sameAsInput(c *Call) ([]Type, error) {
	x := c.In[0]
	if !x.DType.IsFloat() {
		return nil, fmt.Errorf("input is of type %s, want a floating-point type", x.DType)
	}
	return []Type{{x.DType, x.Shape}}, nil
}
