package operator

import (
	"fmt"
	"math"
)

func init() {
	define("NegativeLogLikelihoodLoss", definition{least: 2, most: 3, outputs: 1, infer: inferLoss, run: runNegativeLogLikelihoodLoss})
	define("SoftmaxCrossEntropyLoss", definition{least: 2, most: 3, outputs: 2, infer: inferLoss, run: runSoftmaxCrossEntropyLoss})
}

// classLoss is a loss of classes [N C ...] against the right ones [N ...].
type classLoss struct {
	classes, inner int
	reduction      string
	ignored        int // a target that does not count, if ignores
	ignores        bool
}

func (c *Call) classLoss() (l classLoss, err error) {
	x, target := c.In[0].Shape, c.In[1].Shape
	if err := firstError(c.wantFloat(0, 2), c.wantType(1, I32, I64), c.wantRank(0, 2, len(x))); err != nil {
		return l, err
	}
	if err := c.wantShape(1, append([]int{x[0]}, x[2:]...)...); err != nil {
		return l, fmt.Errorf("%w, as input 0 is of shape %v", err, x)
	}
	l.classes, l.inner = x[1], Elements(target[1:])
	if l.reduction, err = c.Attributes.String("reduction", "mean"); err != nil {
		return l, err
	}
	switch l.reduction {
	case "none", "sum", "mean":
	default:
		return l, fmt.Errorf(`attribute "reduction" is %q, want "none", "sum" or "mean"`, l.reduction)
	}
	_, l.ignores = c.Attributes["ignore_index"]
	l.ignored, err = c.Attributes.Int("ignore_index", 0)
	return l, firstError(err, c.wantShape(2, l.classes))
}

func inferLoss(c *Call) ([]Type, error) {
	l, err := c.classLoss()
	if err != nil {
		return nil, err
	}
	shape := []int{}
	if l.reduction == "none" {
		shape = c.In[1].Shape
	}
	return c.types(Type{c.In[0].DType, shape}, Type{c.In[0].DType, c.In[0].Shape})
}

func runNegativeLogLikelihoodLoss(c *Call, out []*Tensor) error {
	l, err := c.classLoss()
	if err != nil {
		return err
	}
	return l.run(c, float64s(c.In[0]), out[0])
}

func runSoftmaxCrossEntropyLoss(c *Call, out []*Tensor) error {
	l, err := c.classLoss()
	if err != nil {
		return err
	}
	x := float64s(c.In[0])
	logs := make([]float64, len(x))
	for i := 0; i < len(x); i += l.classes * l.inner {
		for j := i; j < i+l.inner; j++ {
			most, sum := math.Inf(-1), 0.
			for k := range l.classes {
				most = max(most, x[j+k*l.inner])
			}
			for k := range l.classes {
				sum += math.Exp(x[j+k*l.inner] - most)
			}
			for k := range l.classes {
				logs[j+k*l.inner] = x[j+k*l.inner] - most - math.Log(sum)
			}
		}
	}
	if len(out) > 1 {
		setFloat64s(out[1], logs)
	}
	return l.run(c, logs, out[0])
}

// run computes the loss from logarithms of probabilities.
func (l classLoss) run(c *Call, logs []float64, out *Tensor) error {
	if out == nil {
		return nil
	}
	targets, _ := c.In[1].Ints()
	weights := float64s(c.input(2))
	losses := make([]float64, len(targets))
	sum, count := 0., 0.
	for i, t := range targets {
		if l.ignores && t == int64(l.ignored) {
			continue
		}
		if t < 0 || t >= int64(l.classes) {
			return fmt.Errorf("input 1: class %d is outside 0..%d", t, l.classes-1)
		}
		weight := 1.
		if weights != nil {
			weight = weights[t]
		}
		losses[i] = -weight * logs[(i/l.inner*l.classes+int(t))*l.inner+i%l.inner]
		sum, count = sum+losses[i], count+weight
	}
	switch l.reduction {
	case "sum":
		losses = []float64{sum}
	case "mean":
		losses = []float64{sum / count}
	}
	setFloat64s(out, losses)
	return nil
}
