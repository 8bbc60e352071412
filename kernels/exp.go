package kernels

// expKernels are the implementations of one instruction set of the
// transcendental functions, and of what softmax and attention need of them.
// Each Go twin is in exp_portable.go. Sums are of single precision, in an
// order that depends on the length alone.
type expKernels struct {
	exp, log, tanh, erf, sigmoid, silu, gelu, geluTanh func(dst, src []float32)

	// dsrc += ddst * derivative at src
	sigmoidBackward, tanhBackward, siluBackward, geluBackward, geluTanhBackward func(dsrc, ddst, src []float32)

	largest            func(src []float32) float32
	softmaxExp         func(dst, src []float32, largest float32) float32
	sumExp             func(src []float32, largest float32) float32
	softmaxBackward    func(dsrc, ddst, dst []float32, dot float32)
	logSoftmaxBackward func(dsrc, ddst, dst []float32, sum float32)

	scoreExp      func(dst, src []float32, scale, shift float32) float32
	scoreGradient func(dst, weights []float32, delta, scale float32)
}

var portableExp = expKernels{
	exp: expPortable, log: logPortable, tanh: tanhPortable, erf: erfPortable,
	sigmoid: sigmoidPortable, silu: siluPortable, gelu: geluPortable, geluTanh: geluTanhPortable,
	sigmoidBackward: sigmoidBackwardPortable, tanhBackward: tanhBackwardPortable, siluBackward: siluBackwardPortable,
	geluBackward: geluBackwardPortable, geluTanhBackward: geluTanhBackwardPortable,
	largest: largestPortable, softmaxExp: softmaxExpPortable, sumExp: sumExpPortable,
	softmaxBackward: softmaxBackwardPortable, logSoftmaxBackward: logSoftmaxBackwardPortable,
	scoreExp: scoreExpPortable, scoreGradient: scoreGradientPortable,
}

// transcendental is the implementation in use.
var transcendental = portableExp

// setExpKernels makes the transcendental functions use the instructions in.
func setExpKernels(in instructions) { transcendental = expImplementation(in.base) }

// Exp sets dst[i] = exp(src[i]) for every i < len(dst), within 1.1 units in
// the last place, subnormal results included: Inf from 88.73 on, 0 below
// -103.98. dst and src may be the same slice.
func Exp(dst, src []float32) {
	checkLength("Exp", "src", len(src), len(dst))
	transcendental.exp(dst, src)
}

// Log sets dst[i] to the natural logarithm of src[i] for every i < len(dst),
// within 0.9 units in the last place, of subnormal numbers too: -Inf of 0, NaN
// below 0. dst and src may be the same slice.
func Log(dst, src []float32) {
	checkLength("Log", "src", len(src), len(dst))
	transcendental.log(dst, src)
}

// Erf sets dst[i] to the error function of src[i] for every i < len(dst),
// within 1.3 units in the last place. dst and src may be the same slice.
func Erf(dst, src []float32) {
	checkLength("Erf", "src", len(src), len(dst))
	transcendental.erf(dst, src)
}
