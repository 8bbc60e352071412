package kernels

import "math"

// optimizerKernels are steps of optimisers over n elements, given constants k.
// g is the gradient.
type optimizerKernels struct {
	// momentumStep: h = k0*g + k1*w, v = k2*v + k3*h, w += k6*(k4*h + k5*v).
	momentumStep func(w, grad, v, k *float32, n int)
	// adamStep: h = k0*g, m = k2*m + k3*h, v = k4*v + k5*h*h,
	// w = k1*w + k8*m/(k6*sqrt(v) + k7).
	adamStep func(w, grad, m, v, k *float32, n int)
}

var portableOptimizers = optimizerKernels{momentumStep: momentumStepPortable, adamStep: adamStepPortable}

// optimizers are the steps in use.
var optimizers = portableOptimizers

// setOptimizerKernels selects the steps.
func setOptimizerKernels(in instructions) { optimizers = optimizerImplementation(in.base) }

// SGD is a step of stochastic gradient descent as PyTorch takes it. With
// g' = Scale*g + WeightDecay*w and, but for the first step, Momentum:
//
//	v = Momentum*v + (1-Dampening)*g'
//	w = w - LearningRate*v, or w - LearningRate*(g' + Momentum*v) if Nesterov
type SGD struct {
	LearningRate, Momentum, Dampening, WeightDecay float32
	Nesterov                                       bool
	First                                          bool    // v, which counts as empty, becomes g'
	Scale                                          float32 // of the gradient, as ClipFactor gives it; 0 is 1
}

// AdamW is a step of Adam with decoupled weight decay (Loshchilov and Hutter,
// 2019) as PyTorch takes it:
//
//	w = w * (1 - LearningRate*WeightDecay)
//	m = Beta1*m + (1-Beta1)*g
//	v = Beta2*v + (1-Beta2)*g^2
//	w = w - LearningRate/(1-Beta1^Step) * m / (sqrt(v)/sqrt(1-Beta2^Step) + Epsilon)
type AdamW struct {
	LearningRate, Beta1, Beta2, Epsilon, WeightDecay float64
	Step                                             int     // 1 at the first step
	Scale                                            float32 // of the gradient, as ClipFactor gives it; 0 is 1
}

// optimizerPart is the number of elements that one thread does at a time, and
// of which the squares are added up by themselves.
const optimizerPart = 1 << 16

// optimizerJob is a step over one array.
type optimizerJob struct {
	w, g, m, v []float32
	adam       bool
	k          [9]float32
}

// run shares out the elements.
func (j *optimizerJob) run() {
	if len(j.w) > 0 {
		parallel((len(j.w)+optimizerPart-1)/optimizerPart, j)
	}
	*j = optimizerJob{}
}

func (j *optimizerJob) part(i, _ int) {
	from := i * optimizerPart
	n := min(optimizerPart, len(j.w)-from)
	switch {
	case j.adam:
		optimizers.adamStep(&j.w[from], &j.g[from], &j.m[from], &j.v[from], &j.k[0], n)
	case j.v == nil: // w += k0*g + k1*w
		w := j.w[from : from+n]
		vector.affineAdd(w, j.g[from:from+n], w, 1, n, n, j.k[0], j.k[1], 0)
	default:
		optimizers.momentumStep(&j.w[from], &j.g[from], &j.v[from], &j.k[0], n)
	}
}

// Apply moves the weights w against the gradient g in one pass. v is the
// momentum buffer, nil if Momentum is 0.
func (s SGD) Apply(ws *Workspace, w, g, v []float32) {
	checkLength("SGD", "g", len(g), len(w))
	if s.Scale == 0 {
		s.Scale = 1
	}
	j := &ws.optimizer
	*j = optimizerJob{w: w, g: g}
	if s.Momentum == 0 {
		j.k = [9]float32{-s.LearningRate * s.Scale, -s.LearningRate * s.WeightDecay}
		j.run()
		return
	}
	checkLength("SGD", "v", len(v), len(w))
	j.v = v
	j.k = [9]float32{s.Scale, s.WeightDecay, s.Momentum, 1 - s.Dampening, 0, 1, -s.LearningRate}
	if s.First {
		clear(v[:len(w)])
		j.k[3] = 1
	}
	if s.Nesterov {
		j.k[4], j.k[5] = 1, s.Momentum
	}
	j.run()
}

// Apply moves the weights w against the gradient g in one pass, where m and v
// are the running means of the gradient and its square, 0 before the first
// step.
func (a AdamW) Apply(ws *Workspace, w, g, m, v []float32) {
	checkLength("AdamW", "g", len(g), len(w))
	checkLength("AdamW", "m", len(m), len(w))
	checkLength("AdamW", "v", len(v), len(w))
	if a.Scale == 0 {
		a.Scale = 1
	}
	correction1 := 1 - math.Pow(a.Beta1, float64(a.Step))
	correction2 := 1 - math.Pow(a.Beta2, float64(a.Step))
	j := &ws.optimizer
	*j = optimizerJob{w: w, g: g, m: m, v: v, adam: true, k: [9]float32{
		a.Scale, float32(1 - a.LearningRate*a.WeightDecay),
		float32(a.Beta1), float32(1 - a.Beta1), float32(a.Beta2), float32(1 - a.Beta2),
		float32(1 / math.Sqrt(correction2)), float32(a.Epsilon), float32(-a.LearningRate / correction1),
	}}
	j.run()
}

// Average moves average towards w, an exponential moving average of weights:
// average = average + (1-decay)*(w - average).
func Average(ws *Workspace, average, w []float32, decay float32) {
	checkLength("Average", "w", len(w), len(average))
	j := &ws.optimizer
	*j = optimizerJob{w: average, g: w}
	j.k = [9]float32{1 - decay, decay - 1}
	j.run()
}

// normJob sums the squares of an array.
type normJob struct {
	x    []float32
	sums []float64 // of each part
}

func (j *normJob) part(i, _ int) {
	x := j.x[i*optimizerPart : min((i+1)*optimizerPart, len(j.x))]
	var sum float64
	for at := 0; at < len(x); at += reductionBlock {
		block := x[at:min(at+reductionBlock, len(x))]
		sum += float64(vector.dot(block, block))
	}
	j.sums[i] = sum
}

// Norm returns the joint Euclidean norm of arrays, such as gradients.
func Norm(ws *Workspace, arrays [][]float32) float64 {
	var sum float64
	for _, x := range arrays {
		j := &ws.norm
		parts := (len(x) + optimizerPart - 1) / optimizerPart
		if cap(j.sums) < parts {
			j.sums = make([]float64, parts)
		}
		j.x, j.sums = x, j.sums[:parts]
		parallel(parts, j)
		for _, s := range j.sums {
			sum += s
		}
		j.x = nil
	}
	return math.Sqrt(sum)
}

// ClipFactor returns the factor that limits gradients of the given norm, as
// PyTorch's clip_grad_norm_ does: limit/(norm+1e-6), but at most 1. A norm
// that is a NaN gives NaN.
func ClipFactor(norm, limit float64) float32 {
	factor := limit / (norm + 1e-6)
	if factor > 1 {
		return 1
	}
	return float32(factor)
}

func momentumStepPortable(w, grad, v, k *float32, n int) {
	x, g, u, c := elements(w, 0, n), elements(grad, 0, n), elements(v, 0, n), elements(k, 0, 7)
	for i := range x {
		h := c[0]*g[i] + c[1]*x[i]
		u[i] = c[2]*u[i] + c[3]*h
		x[i] += c[6] * (c[4]*h + c[5]*u[i])
	}
}

func adamStepPortable(w, grad, m, v, k *float32, n int) {
	x, g, t, u, c := elements(w, 0, n), elements(grad, 0, n), elements(m, 0, n), elements(v, 0, n), elements(k, 0, 9)
	for i := range x {
		h := c[0] * g[i]
		t[i] = c[2]*t[i] + c[3]*h
		u[i] = c[4]*u[i] + c[5]*(h*h)
		x[i] = c[1]*x[i] + c[8]*(t[i]/(c[6]*sqrt(u[i])+c[7]))
	}
}
