package kernels

import "math"

// Activation is an elementwise function that a kernel can apply to its output.
type Activation uint8

// The activations of mobile networks and transformers. NaN propagates through
// every one of them, as max(x, 0) does in ONNX Runtime, in every
// implementation. Those with an exponential have errors up to the number of
// units in the last place (ulp) given.
const (
	NoActivation Activation = iota
	ReLU                    // max(x, 0)
	ReLU6                   // min(max(x, 0), 6)
	HardSwish               // x * HardSigmoid(x); NaN at -Inf, as the product defines it
	HardSigmoid             // min(max(x/6 + 1/2, 0), 1)
	Sigmoid                 // 1 / (1 + exp(-x)); 2.4 ulp
	SiLU                    // x * Sigmoid(x), 0 at -Inf; 8 ulp, below -4 110 ulp or 3e-37
	GELU                    // x * (1 + erf(x/sqrt(2))) / 2, 0 at -Inf; 50 ulp, below -4 3e-10
	GELUTanh                // x * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2, 0 at -Inf; 20 ulp, below -4 200 ulp
	Tanh                    // 1.3 ulp
)

var (
	infinity   = float32(math.Inf(1))
	belowThree = math.Nextafter32(3, 0)
	belowSix   = math.Nextafter32(6, 0)
)

// bounds returns the interval to which an activation that is a plain clamp
// restricts its input, and whether act is one.
func (act Activation) bounds() (lo, hi float32, ok bool) {
	switch act {
	case NoActivation:
		return -infinity, infinity, true
	case ReLU:
		return 0, infinity, true
	case ReLU6:
		return 0, 6, true
	}
	return 0, 0, false
}

// Activate sets dst[i] = act(src[i]) for every i < len(dst). dst and src may
// be the same slice.
func Activate(act Activation, dst, src []float32) {
	checkLength("Activate", "src", len(src), len(dst))
	switch act {
	case NoActivation:
		copy(dst, src)
	case ReLU:
		vector.clamp(dst, src, 0, infinity)
	case ReLU6:
		vector.clamp(dst, src, 0, 6)
	case HardSwish:
		vector.hardSwish(dst, src)
	case HardSigmoid:
		vector.hardSigmoid(dst, src)
	case Sigmoid:
		transcendental.sigmoid(dst, src)
	case SiLU:
		transcendental.silu(dst, src)
	case GELU:
		transcendental.gelu(dst, src)
	case GELUTanh:
		transcendental.geluTanh(dst, src)
	case Tanh:
		transcendental.tanh(dst, src)
	default:
		panic("kernels: Activate: unknown activation")
	}
}

// ActivateBackward adds the gradient of Activate to dsrc:
// dsrc[i] += ddst[i] * act'(src[i]) for every i < len(dsrc). At a kink the
// derivative is the one of the flat side.
func ActivateBackward(act Activation, dsrc, ddst, src []float32) {
	checkLength("ActivateBackward", "ddst", len(ddst), len(dsrc))
	checkLength("ActivateBackward", "src", len(src), len(dsrc))
	switch act {
	case NoActivation:
		vector.axpy(1, ddst[:len(dsrc)], dsrc)
	case ReLU:
		vector.clampBackward(dsrc, ddst, src, 0, infinity, 1)
	case ReLU6:
		vector.clampBackward(dsrc, ddst, src, 0, belowSix, 1)
	case HardSwish:
		vector.hardSwishBackward(dsrc, ddst, src)
	case HardSigmoid:
		vector.clampBackward(dsrc, ddst, src, -3, belowThree, 1.0/6)
	case Sigmoid:
		transcendental.sigmoidBackward(dsrc, ddst, src)
	case SiLU:
		transcendental.siluBackward(dsrc, ddst, src)
	case GELU:
		transcendental.geluBackward(dsrc, ddst, src)
	case GELUTanh:
		transcendental.geluTanhBackward(dsrc, ddst, src)
	case Tanh:
		transcendental.tanhBackward(dsrc, ddst, src)
	default:
		panic("kernels: ActivateBackward: unknown activation")
	}
}

// clampPortable sets dst[i] = min(max(src[i], lo), hi).
func clampPortable(dst, src []float32, lo, hi float32) {
	src = src[:len(dst)]
	for i, x := range src {
		if x < lo {
			x = lo
		}
		if x > hi {
			x = hi
		}
		dst[i] = x
	}
}

// clampBackwardPortable adds scale*ddst[i] to dsrc[i] where lo < src[i] <= hi.
func clampBackwardPortable(dsrc, ddst, src []float32, lo, hi, scale float32) {
	ddst, src = ddst[:len(dsrc)], src[:len(dsrc)]
	for i, x := range src {
		if x > lo && x <= hi {
			dsrc[i] += scale * ddst[i]
		}
	}
}

func hardSigmoidPortable(dst, src []float32) {
	src = src[:len(dst)]
	for i, x := range src {
		dst[i] = hardSigmoid(x)
	}
}

func hardSwishPortable(dst, src []float32) {
	src = src[:len(dst)]
	for i, x := range src {
		dst[i] = x * hardSigmoid(x)
	}
}

func hardSigmoid(x float32) float32 {
	y := x*(1.0/6) + 0.5
	if y < 0 {
		y = 0
	}
	if y > 1 {
		y = 1
	}
	return y
}

// hardSwishBackwardPortable multiplies by the derivative of HardSwish: 0 up
// to -3, 1 from 3, x/3 + 1/2 between.
func hardSwishBackwardPortable(dsrc, ddst, src []float32) {
	ddst, src = ddst[:len(dsrc)], src[:len(dsrc)]
	for i, x := range src {
		g := x*(1.0/3) + 0.5
		if x <= -3 {
			g = 0
		}
		if x >= 3 {
			g = 1
		}
		dsrc[i] += ddst[i] * g
	}
}
