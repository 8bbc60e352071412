package operator

import (
	"fmt"
	"math"
	"slices"
)

func init() {
	for name, f := range map[string]func(float64) float64{
		"Sqrt": math.Sqrt, "Exp": math.Exp, "Log": math.Log, "Erf": math.Erf,
		"Sin": math.Sin, "Cos": math.Cos, "Tan": math.Tan,
		"Asin": math.Asin, "Acos": math.Acos, "Atan": math.Atan,
		"Sinh": math.Sinh, "Cosh": math.Cosh, "Tanh": math.Tanh,
		"Asinh": math.Asinh, "Acosh": math.Acosh, "Atanh": math.Atanh,
		"Ceil": math.Ceil, "Floor": math.Floor, "Round": math.RoundToEven,
		"Reciprocal": func(x float64) float64 { return 1 / x },
		"Sigmoid":    sigmoid,
		"HardSwish":  func(x float64) float64 { return x * between01(x/6+0.5) },
		"Mish":       func(x float64) float64 { return x * math.Tanh(softplus(x)) },
		"Softplus":   softplus,
		"Softsign":   softsign,
	} {
		define(name, unaryFloat(func(Attributes) (func(float64) float64, error) { return f, nil }))
	}
	for name, f := range map[string]func(Attributes) (func(float64) float64, error){
		"HardSigmoid": hardSigmoid, "LeakyRelu": leakyRelu, "Elu": elu, "Selu": selu, "Celu": celu,
		"ThresholdedRelu": thresholdedRelu, "Gelu": gelu, "Swish": swish,
	} {
		define(name, unaryFloat(f))
	}
	define("SwiGLU", definition{least: 2, most: 2, outputs: 1, infer: inferSwiGLU, run: runSwiGLU})
	for _, name := range []string{"Abs", "Neg", "Sign", "Relu"} {
		define(name, unaryNumber(name))
	}
	define("Shrink", definition{least: 1, most: 1, outputs: 1, infer: inferShrink, run: runShrink})
	define("IsNaN", isFloatThat(func(Attributes) (func(float64) bool, error) { return math.IsNaN, nil }))
	define("IsInf", isFloatThat(isInf))
}

// unaryFloat is an operator that maps each floating-point number alone.
func unaryFloat(function func(Attributes) (func(float64) float64, error)) definition {
	return definition{least: 1, most: 1, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			if _, err := function(c.Attributes); err != nil {
				return nil, err
			}
			return sameAsInput(c)
		},
		run: func(c *Call, out []*Tensor) error {
			f, err := function(c.Attributes)
			if err != nil {
				return err
			}
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

// unaryNumber is an operator that maps each number alone, of any type.
func unaryNumber(f string) definition {
	return definition{least: 1, most: 1, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			return []Type{{c.In[0].DType, c.In[0].Shape}}, c.wantNumbers(0)
		},
		run: func(c *Call, out []*Tensor) error {
			numericOf(c.In[0].DType).unary(f, out[0].Data, c.In[0].Data)
			return nil
		},
	}
}

func (numbers[T]) unary(f string, to, x any) {
	y := to.([]T)
	switch f {
	case "Abs":
		for i, v := range x.([]T) {
			if v <= 0 { // so that -0 becomes 0
				v = 0 - v
			}
			y[i] = v
		}
	case "Neg":
		for i, v := range x.([]T) {
			y[i] = -v
		}
	case "Sign":
		for i, v := range x.([]T) {
			switch {
			case v > 0:
				v = 1
			case v < 0:
				v = 0
				v--
			}
			y[i] = v
		}
	case "Relu":
		for i, v := range x.([]T) {
			if v < 0 {
				v = 0
			}
			y[i] = v
		}
	}
}

func isFloatThat(function func(Attributes) (func(float64) bool, error)) definition {
	return definition{least: 1, most: 1, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			if _, err := function(c.Attributes); err != nil {
				return nil, err
			}
			return []Type{{Bool, c.In[0].Shape}}, c.wantFloat(0)
		},
		run: func(c *Call, out []*Tensor) error {
			f, err := function(c.Attributes)
			if err != nil {
				return err
			}
			y := out[0].Data.([]bool)
			switch x := c.In[0].Data.(type) {
			case []float32:
				for i, v := range x {
					y[i] = f(float64(v))
				}
			case []float64:
				for i, v := range x {
					y[i] = f(v)
				}
			}
			return nil
		},
	}
}

func isInf(a Attributes) (func(float64) bool, error) {
	negative, err := a.Int("detect_negative", 1)
	positive, err2 := a.Int("detect_positive", 1)
	return func(x float64) bool {
		return negative != 0 && math.IsInf(x, -1) || positive != 0 && math.IsInf(x, 1)
	}, firstError(err, err2)
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func softsign(x float64) float64 {
	if math.IsInf(x, 0) {
		return math.Copysign(1, x)
	}
	return x / (1 + math.Abs(x))
}

func between01(x float64) float64 {
	switch {
	case x < 0:
		return 0
	case x > 1:
		return 1
	}
	return x
}

func hardSigmoid(a Attributes) (func(float64) float64, error) {
	alpha, err := a.Float("alpha", 0.2)
	beta, err2 := a.Float("beta", 0.5)
	p, q := float64(alpha), float64(beta)
	return func(x float64) float64 { return between01(p*x + q) }, firstError(err, err2)
}

func leakyRelu(a Attributes) (func(float64) float64, error) {
	alpha, err := a.Float("alpha", 0.01)
	slope := float64(alpha)
	return func(x float64) float64 {
		if x < 0 {
			return slope * x
		}
		return x
	}, err
}

func elu(a Attributes) (func(float64) float64, error) {
	alpha, err := a.Float("alpha", 1)
	return exponential(float64(alpha), 1, 1), err
}

func selu(a Attributes) (func(float64) float64, error) {
	alpha, err := a.Float("alpha", 1.67326319217681884765625)
	gamma, err2 := a.Float("gamma", 1.05070102214813232421875)
	return exponential(float64(alpha), 1, float64(gamma)), firstError(err, err2)
}

func celu(a Attributes) (func(float64) float64, error) {
	alpha, err := a.Float("alpha", 1)
	if err == nil && alpha == 0 {
		err = fmt.Errorf("attribute \"alpha\" is 0, by which Celu divides")
	}
	return exponential(float64(alpha), float64(alpha), 1), err
}

// exponential is gamma x, and gamma alpha (exp(x/width) - 1) below 0.
func exponential(alpha, width, gamma float64) func(float64) float64 {
	return func(x float64) float64 {
		if x < 0 {
			return gamma * alpha * math.Expm1(x/width)
		}
		return gamma * x
	}
}

func thresholdedRelu(a Attributes) (func(float64) float64, error) {
	alpha, err := a.Float("alpha", 1)
	return func(x float64) float64 {
		if x <= float64(alpha) {
			return 0
		}
		return x
	}, err
}

func gelu(a Attributes) (func(float64) float64, error) {
	approximate, err := a.String("approximate", "none")
	switch {
	case err != nil:
		return nil, err
	case approximate == "none":
		return func(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }, nil
	case approximate == "tanh":
		scale := math.Sqrt(2 / math.Pi)
		return func(x float64) float64 { return 0.5 * x * (1 + math.Tanh(scale*(x+0.044715*x*x*x))) }, nil
	}
	return nil, fmt.Errorf("attribute \"approximate\" is %q, want \"none\" or \"tanh\"", approximate)
}

func swish(a Attributes) (func(float64) float64, error) {
	alpha, err := a.Float("alpha", 1)
	return func(x float64) float64 { return x * sigmoid(float64(alpha)*x) }, err
}

// shrink is the function that moves numbers towards zero by a bias, and makes
// those between -lambd and lambd zero.
func shrink(a Attributes) (func(float64) float64, error) {
	bias, err := a.Float("bias", 0)
	limit, err2 := a.Float("lambd", 0.5)
	return func(x float64) float64 {
		switch {
		case x < -float64(limit):
			return x + float64(bias)
		case x > float64(limit):
			return x - float64(bias)
		}
		return 0
	}, firstError(err, err2)
}

func inferShrink(c *Call) ([]Type, error) {
	_, err := shrink(c.Attributes)
	return []Type{{c.In[0].DType, c.In[0].Shape}}, firstError(err, c.wantNumbers(0))
}

func runShrink(c *Call, out []*Tensor) error {
	f, err := shrink(c.Attributes)
	if err != nil {
		return err
	}
	y := slices.Clone(float64s(c.In[0]))
	for i, x := range y {
		y[i] = f(x)
	}
	setFloat64s(out[0], y)
	return nil
}

func inferSwiGLU(c *Call) ([]Type, error) {
	_, err := swish(c.Attributes)
	err = firstError(err, c.wantFloat(0, 1), c.wantShape(1, c.In[0].Shape...))
	return []Type{{c.In[0].DType, c.In[0].Shape}}, err
}

func runSwiGLU(c *Call, out []*Tensor) error {
	f, err := swish(c.Attributes)
	if err != nil {
		return err
	}
	switch gate := c.In[0].Data.(type) {
	case []float32:
		swiGLU(out[0].Data.([]float32), gate, c.In[1].Data.([]float32), f)
	case []float64:
		swiGLU(out[0].Data.([]float64), gate, c.In[1].Data.([]float64), f)
	}
	return nil
}

func swiGLU[T float32 | float64](y, gate, x []T, f func(float64) float64) {
	for i, v := range gate {
		y[i] = T(f(float64(v)) * float64(x[i]))
	}
}
