package operator

import (
	"fmt"
	"math"
	"slices"
)

func init() {
	define("BatchNormalization", definition{least: 5, most: 5, outputs: 3, exact: true,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0]
			err := firstError(c.wantFloat(0), c.wantFloat(1, 2), c.wantFloat(3, 4), c.wantRank(0, 1, 100))
			if err != nil {
				return nil, err
			}
			if _, err := c.Attributes.Float("epsilon", 0); err != nil {
				return nil, err
			}
			if _, err := c.Attributes.Float("momentum", 0); err != nil {
				return nil, err
			}
			training, err := c.Attributes.Int("training_mode", 0)
			if err != nil {
				return nil, err
			}
			if training == 0 && c.Outputs > 1 {
				return nil, fmt.Errorf("%d outputs are listed; without training_mode there is only one", c.Outputs)
			}
			channels := batchNormChannels(x.Shape)
			for i := 1; i < 5; i++ {
				if err := c.wantShape(i, channels); err != nil {
					return nil, err
				}
			}
			running := Type{c.In[3].DType, []int{channels}}
			return c.types(Type{x.DType, x.Shape}, running, running)
		},
		run: runBatchNormalization,
	})
	define("InstanceNormalization", definition{least: 3, most: 3, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0]
			if err := firstError(c.wantFloat(0, 1, 2), c.wantRank(0, 3, 100)); err != nil {
				return nil, err
			}
			if _, err := c.Attributes.Float("epsilon", 0); err != nil {
				return nil, err
			}
			if err := firstError(c.wantShape(1, x.Shape[1]), c.wantShape(2, x.Shape[1])); err != nil {
				return nil, err
			}
			return c.types(Type{x.DType, x.Shape})
		},
		run: func(c *Call, out []*Tensor) error { return c.normalizeGroups(out[0], c.In[0].Shape[1]) },
	})
	define("GroupNormalization", definition{least: 3, most: 3, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0]
			if err := firstError(c.wantFloat(0, 1, 2), c.wantRank(0, 3, 100)); err != nil {
				return nil, err
			}
			if _, err := c.Attributes.Float("epsilon", 0); err != nil {
				return nil, err
			}
			groups, err := c.Attributes.Int("num_groups", 0)
			if err != nil {
				return nil, err
			}
			if groups < 1 || x.Shape[1]%groups != 0 {
				return nil, fmt.Errorf(`attribute "num_groups" is %d, which does not divide %d channels`, groups, x.Shape[1])
			}
			// Before version 21 scale and bias had a value for each group.
			for i := 1; i < 3; i++ {
				if err := c.wantShape(i, groups); err != nil {
					if err := c.wantShape(i, x.Shape[1]); err != nil {
						return nil, err
					}
				}
			}
			return c.types(Type{x.DType, x.Shape})
		},
		run: func(c *Call, out []*Tensor) error {
			groups, _ := c.Attributes.Int("num_groups", 0)
			return c.normalizeGroups(out[0], groups)
		},
	})
	define("LRN", definition{least: 1, most: 1, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			if err := firstError(c.wantFloat(0), c.wantRank(0, 2, 100)); err != nil {
				return nil, err
			}
			for _, name := range []string{"alpha", "beta", "bias"} {
				if _, err := c.Attributes.Float(name, 0); err != nil {
					return nil, err
				}
			}
			if size, err := c.Attributes.Int("size", 0); err != nil || size < 1 || size > MaxDim {
				return nil, firstError(err, fmt.Errorf(`attribute "size" is %d, want 1 or more`, size))
			}
			return c.types(Type{c.In[0].DType, c.In[0].Shape})
		},
		run: runLRN,
	})
	define("LpNormalization", definition{least: 1, most: 1, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			if err := c.wantFloat(0); err != nil {
				return nil, err
			}
			if p, err := c.Attributes.Int("p", 2); err != nil || p != 1 && p != 2 {
				return nil, firstError(err, fmt.Errorf(`attribute "p" is %d, want 1 or 2`, p))
			}
			if _, err := c.axisAttribute(-1); err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, c.In[0].Shape})
		},
		run: runLpNormalization,
	})
	define("MeanVarianceNormalization", definition{least: 1, most: 1, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			if err := c.wantFloat(0); err != nil {
				return nil, err
			}
			if _, err := c.varianceAxes(); err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, c.In[0].Shape})
		},
		run: runMeanVarianceNormalization,
	})
}

// axisAttribute is the attribute axis as a dimension of the first input.
func (c *Call) axisAttribute(missing int) (int, error) {
	a, err := c.Attributes.Int("axis", missing)
	if err != nil {
		return 0, err
	}
	return axis(a, len(c.In[0].Shape))
}

// batchNormChannels is the size of the dimension that has means of its own. A
// vector is one channel's.
func batchNormChannels(shape []int) int {
	if len(shape) < 2 {
		return 1
	}
	return shape[1]
}

func runBatchNormalization(c *Call, out []*Tensor) error {
	x, y := float64s(c.In[0]), make([]float64, Elements(c.In[0].Shape))
	scale, bias, mean, variance := float64s(c.In[1]), float64s(c.In[2]), float64s(c.In[3]), float64s(c.In[4])
	epsilon, _ := c.Attributes.Float("epsilon", 1e-5)
	momentum, _ := c.Attributes.Float("momentum", 0.9)
	channels := len(scale)
	size := 1
	if len(c.In[0].Shape) > 2 {
		size = Elements(c.In[0].Shape[2:])
	}
	if training, _ := c.Attributes.Int("training_mode", 0); training != 0 {
		now, spread := channelMoments(x, channels, size)
		if len(out) > 1 {
			setFloat64s(out[1], running(mean, now, float64(momentum)))
		}
		if len(out) > 2 {
			setFloat64s(out[2], running(variance, spread, float64(momentum)))
		}
		mean, variance = now, spread
	}
	factors := make([]float64, channels)
	for ch := range factors {
		factors[ch] = scale[ch] / math.Sqrt(variance[ch]+float64(epsilon))
	}
	for i, v := range x {
		ch := i / size % channels
		y[i] = (v-mean[ch])*factors[ch] + bias[ch]
	}
	setFloat64s(out[0], y)
	return nil
}

func running(old, now []float64, momentum float64) []float64 {
	y := make([]float64, len(old))
	for i := range y {
		y[i] = old[i]*momentum + now[i]*(1-momentum)
	}
	return y
}

// channelMoments are mean and variance over all but the channels.
func channelMoments(x []float64, channels, size int) (mean, variance []float64) {
	mean, variance = make([]float64, channels), make([]float64, channels)
	n := float64(len(x)) / float64(channels)
	for i, v := range x {
		mean[i/size%channels] += v / n
	}
	for i, v := range x {
		d := v - mean[i/size%channels]
		variance[i/size%channels] += d * d / n
	}
	return mean, variance
}

// moments are the mean of x and its variance.
func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(x))
}

// normalizeGroups gives each of the groups of channels of an image mean 0 and
// variance 1, and then scale and bias, inputs 1 and 2, by channel or group.
func (c *Call) normalizeGroups(out *Tensor, groups int) error {
	x, shape := float64s(c.In[0]), c.In[0].Shape
	scale, bias := float64s(c.In[1]), float64s(c.In[2])
	epsilon, _ := c.Attributes.Float("epsilon", 1e-5)
	if len(x) == 0 || out == nil {
		return nil
	}
	y := make([]float64, len(x))
	size, channels := Elements(shape[2:]), shape[1]
	length := len(x) / shape[0] / groups
	for from := 0; from < len(x); from += length {
		part := x[from : from+length]
		mean, variance := moments(part)
		factor := 1 / math.Sqrt(variance+float64(epsilon))
		for i, v := range part {
			ch := (from + i) / size % channels
			s, b := ch*len(scale)/channels, ch*len(bias)/channels
			y[from+i] = (v-mean)*factor*scale[s] + bias[b]
		}
	}
	setFloat64s(out, y)
	return nil
}

func runLRN(c *Call, out []*Tensor) error {
	x, shape := float64s(c.In[0]), c.In[0].Shape
	alpha, _ := c.Attributes.Float("alpha", 1e-4)
	beta, _ := c.Attributes.Float("beta", 0.75)
	bias, _ := c.Attributes.Float("bias", 1)
	size, _ := c.Attributes.Int("size", 1)
	channels, plane := shape[1], Elements(shape[2:])
	y := make([]float64, len(x))
	for i, v := range x {
		ch := i / plane % channels
		sum := 0.0
		for k := max(0, ch-(size-1)/2); k <= min(channels-1, ch+size/2); k++ {
			other := x[i+(k-ch)*plane]
			sum += other * other
		}
		y[i] = v / math.Pow(float64(bias)+float64(alpha)/float64(size)*sum, float64(beta))
	}
	setFloat64s(out[0], y)
	return nil
}

func runLpNormalization(c *Call, out []*Tensor) error {
	x, shape := float64s(c.In[0]), c.In[0].Shape
	p, _ := c.Attributes.Int("p", 2)
	a, err := c.axisAttribute(-1)
	if err != nil {
		return err
	}
	y := make([]float64, len(x))
	eachLine(shape, a, func(from, step int) {
		sum := 0.0
		for i := range shape[a] {
			v := math.Abs(x[from+i*step])
			if p == 2 {
				v *= v
			}
			sum += v
		}
		if p == 2 {
			sum = math.Sqrt(sum)
		}
		for i := range shape[a] {
			if sum != 0 {
				y[from+i*step] = x[from+i*step] / sum
			}
		}
	})
	setFloat64s(out[0], y)
	return nil
}

// eachLine calls f for each line of a tensor along dimension a: the index of
// its first element and how far apart they are.
func eachLine(shape []int, a int, f func(from, step int)) {
	step := Elements(shape[a+1:])
	for outer := range Elements(shape[:a]) {
		for inner := range step {
			f(outer*shape[a]*step+inner, step)
		}
	}
}

func (c *Call) varianceAxes() ([]bool, error) {
	rank := len(c.In[0].Shape)
	axes, err := c.Attributes.Ints("axes")
	if err != nil {
		return nil, err
	}
	if axes == nil {
		axes = []int{0, 2, 3}
	}
	reduced := make([]bool, rank)
	for _, a := range axes {
		i, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		reduced[i] = true
	}
	return reduced, nil
}

func runMeanVarianceNormalization(c *Call, out []*Tensor) error {
	x, shape := float64s(c.In[0]), slices.Clone(c.In[0].Shape)
	reduced, err := c.varianceAxes()
	if err != nil {
		return err
	}
	// kept[i] is the step of dimension i among the means, 0 where it is reduced.
	kept, means := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		if !reduced[i] {
			kept[i] = means
			means *= shape[i]
		}
	}
	if len(x) == 0 {
		return nil
	}
	group := make([]int32, len(x))
	for i := range x {
		rest, at := i, 0
		for d := len(shape) - 1; d >= 0; d-- {
			at += rest % shape[d] * kept[d]
			rest /= shape[d]
		}
		group[i] = int32(at)
	}
	n := float64(len(x) / means)
	mean, variance := make([]float64, means), make([]float64, means)
	for i, v := range x {
		mean[group[i]] += v / n
	}
	for i, v := range x {
		d := v - mean[group[i]]
		variance[group[i]] += d * d / n
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v - mean[group[i]]) / (math.Sqrt(variance[group[i]]) + 1e-9)
	}
	setFloat64s(out[0], y)
	return nil
}
