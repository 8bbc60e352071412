package kernels

import "math"

// The Go twins of the generated kernels of transcendental functions: the same
// algorithms, with products and sums rounded apart. Coefficients are minimax
// fits.

// exp32 is e^x: 2^n e^r with |r| <= ln(2)/2.
func exp32(x float32) float32 {
	// Beyond the bounds the result is 0 or infinite anyhow.
	x = clamp(x, -104, 89)
	n := float32(math.RoundToEven(float64(x * math.Log2E)))
	r := x - float32(n*0.693359375) // ln(2) in two parts, the first of 9 bits
	r -= float32(n * -2.12194440e-4)
	q := polynomial(r, 0.49999994, 0.166665211, 0.041668389, 0.00836871099, 0.00138146104)
	return scale2(float32(q*r)*r+r+1, n)
}

// scale2 is x * 2^n for an integral n between -300 and 300, rounded once.
func scale2(x, n float32) float32 {
	if n != n {
		return n
	}
	i := int32(n)
	half := i >> 1
	return x * power2(half) * power2(i-half)
}

// power2 is 2^n for n from -127, which stands for 0, to 127.
func power2(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// exp2Flushed is 2^x to 2 units in the last place for x up to 127; 0 where x
// is below -126.5.
func exp2Flushed(x float32) float32 {
	if x != x {
		return x
	}
	x = max(x, -127)
	n := float32(math.RoundToEven(float64(x)))
	y := polynomial(x-n, 1, 0.693147004, 0.240222424, 0.0555073395, 0.00967153348, 0.00132646994)
	return y * power2(int32(n))
}

func log32(x float32) float32 {
	switch {
	case x < 0:
		return float32(math.NaN())
	case x == 0:
		return -infinity
	case !(x < infinity):
		return x
	}
	y, e := x, float32(0)
	if x < 0x1p-126 {
		y, e = x*(1<<23), -23
	}
	// y = m 2^e with m between sqrt(1/2) and sqrt(2).
	const root = 0x3f3504f3
	i := int32(math.Float32bits(y)) - root
	e += float32(i >> 23)
	f := math.Float32frombits(uint32(i&0x7fffff+root)) - 1
	z := f * f
	q := polynomial(f, 0.333333135, -0.250000089, 0.200021192, -0.166679963, 0.142195523, -0.124055892, 0.11888162, -0.116756521, 0.067466408)
	r := float32(f*z)*q + float32(e*-2.12194440e-4)
	r -= float32(z * 0.5)
	r += f
	return r + float32(e*0.693359375)
}

// logistic32 is 1/(1+exp(-x)), and 1 minus that.
func logistic32(x float32) (s, rest float32) {
	e := exp32(-abs32(x))
	if x < 0 {
		return e / (1 + e), 1 / (1 + e)
	}
	return 1 / (1 + e), e / (1 + e)
}

func tanh32(x float32) float32 {
	a := abs32(x)
	if a < 0.625 {
		z := a * a
		q := polynomial(z, -0.333332807, 0.133314207, -0.0537377968, 0.0206325464, -0.00569738401)
		return x + float32(float32(z*x)*q)
	}
	return withSign(1-2/(exp32(a+a)+1), x)
}

// tail32 is exp(t^2/2) times the share of the normal distribution above
// t >= 0, with s = 1/(1 + 0.3t).
func tail32(s float32) float32 {
	return s * polynomial(s, 0.119686671, 0.119572148, 0.110232778, 0.0784014016, 0.0961244106, -0.0793657452, 0.191717982, -0.228165612, 0.11241594, -0.020619968)
}

// expSquare32 is exp(-c t^2). The error of the square is made up for.
func expSquare32(t, c float32) float32 {
	h := t * t
	e := exp32(-c * h)
	return e + float32(e*float32(float64(h)-float64(t)*float64(t)))*c
}

func erf32(x float32) float32 {
	a := abs32(x)
	if a > 9 {
		a = 9
	}
	if a < 1 {
		q := polynomial(a*a, 0.128379166, -0.37612626, 0.112835854, -0.0268538129, 0.00518832821, -0.000801019836, 7.85387529e-05)
		return x + float32(q*x)
	}
	above := expSquare32(a, 1) * tail32(1/(1+float32(a*(0.3*math.Sqrt2))))
	return withSign(1-2*above, x)
}

// normal32 is the share of the normal distribution below x, and exp(-x^2/2).
func normal32(x float32) (share, e float32) {
	t := abs32(x)
	if t > 15 {
		t = 15
	}
	e = expSquare32(t, 0.5)
	share = e * tail32(1/(1+float32(t*0.3)))
	if x < 0 {
		return share, e
	}
	return 1 - share, e
}

// geluTanh32 is the logistic function of the argument of GELU's approximation,
// 1 minus that, and the derivative of the argument.
func geluTanh32(x float32) (s, rest, slope float32) {
	const k = 1.5957691216057308 // sqrt(8/pi)
	if x > 12 {
		x = 12
	}
	z := x * x
	s, rest = logistic32(x * (float32(z*(k*0.044715)) + k))
	return s, rest, float32(z*(3*k*0.044715)) + k
}

func polynomial(x float32, c ...float32) float32 {
	y := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		y = float32(y*x) + c[i]
	}
	return y
}

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// withSign is x >= 0 with the sign of y.
func withSign(x, y float32) float32 {
	return math.Float32frombits(math.Float32bits(x) | math.Float32bits(y)&(1<<31))
}

func expPortable(dst, src []float32) {
	for i, x := range src[:len(dst)] {
		dst[i] = exp32(x)
	}
}

func logPortable(dst, src []float32) {
	for i, x := range src[:len(dst)] {
		dst[i] = log32(x)
	}
}

func tanhPortable(dst, src []float32) {
	for i, x := range src[:len(dst)] {
		dst[i] = tanh32(x)
	}
}

func erfPortable(dst, src []float32) {
	for i, x := range src[:len(dst)] {
		dst[i] = erf32(x)
	}
}

func sigmoidPortable(dst, src []float32) {
	for i, x := range src[:len(dst)] {
		dst[i], _ = logistic32(x)
	}
}

func siluPortable(dst, src []float32) {
	for i, x := range src[:len(dst)] {
		s, _ := logistic32(x)
		dst[i] = s * clamp(x, -104, infinity)
	}
}

func geluPortable(dst, src []float32) {
	for i, x := range src[:len(dst)] {
		share, _ := normal32(x)
		dst[i] = share * clamp(x, -15, infinity)
	}
}

func geluTanhPortable(dst, src []float32) {
	for i, x := range src[:len(dst)] {
		x = clamp(x, -12, infinity)
		s, _, _ := geluTanh32(x)
		dst[i] = s * x
	}
}

func sigmoidBackwardPortable(dsrc, ddst, src []float32) {
	for i, x := range src[:len(dsrc)] {
		s, rest := logistic32(x)
		dsrc[i] += ddst[i] * (s * rest)
	}
}

func tanhBackwardPortable(dsrc, ddst, src []float32) {
	for i, x := range src[:len(dsrc)] {
		e := exp32(-2 * abs32(x))
		d := e + 1
		dsrc[i] += ddst[i] * (4 * e / (d * d))
	}
}

func siluBackwardPortable(dsrc, ddst, src []float32) {
	for i, x := range src[:len(dsrc)] {
		x = clamp(x, -104, 104)
		s, rest := logistic32(x)
		dsrc[i] += ddst[i] * (s * (x*rest + 1))
	}
}

func geluBackwardPortable(dsrc, ddst, src []float32) {
	for i, x := range src[:len(dsrc)] {
		x = clamp(x, -15, 15)
		share, e := normal32(x)
		dsrc[i] += ddst[i] * (x*0.3989422804014327*e + share)
	}
}

func geluTanhBackwardPortable(dsrc, ddst, src []float32) {
	for i, x := range src[:len(dsrc)] {
		x = clamp(x, -12, 12)
		s, rest, slope := geluTanh32(x)
		dsrc[i] += ddst[i] * (s * (x*rest*slope + 1))
	}
}

// largestPortable is the largest element, -Inf of none. What it is if one is
// a NaN is left open.
func largestPortable(src []float32) float32 {
	y := -infinity
	for _, x := range src {
		if x > y {
			y = x
		}
	}
	return y
}

// softmaxExpPortable sets dst to exp(src-largest) and returns the sum.
func softmaxExpPortable(dst, src []float32, largest float32) float32 {
	var sum float32
	for i, x := range src[:len(dst)] {
		dst[i] = exp32(x - largest)
		sum += dst[i]
	}
	return sum
}

// sumExpPortable is the sum of exp(src-largest).
func sumExpPortable(src []float32, largest float32) float32 {
	var sum float32
	for _, x := range src {
		sum += exp32(x - largest)
	}
	return sum
}

func softmaxBackwardPortable(dsrc, ddst, dst []float32, dot float32) {
	for i, y := range dst[:len(dsrc)] {
		dsrc[i] += y * (ddst[i] - dot)
	}
}

func logSoftmaxBackwardPortable(dsrc, ddst, dst []float32, sum float32) {
	for i, y := range dst[:len(dsrc)] {
		dsrc[i] += ddst[i] - exp32(y)*sum
	}
}

// scoreExpPortable sets dst to 2^(src*scale+shift), 0 where that is below
// 2^-126.5 (with AVX-512 a subnormal number), and returns the sum.
// src*scale+shift must be at most 127.
func scoreExpPortable(dst, src []float32, scale, shift float32) float32 {
	var sum float32
	for i, x := range src[:len(dst)] {
		dst[i] = exp2Flushed(x*scale + shift)
		sum += dst[i]
	}
	return sum
}

// scoreGradientPortable sets dst to weights*(dst-delta)*scale.
func scoreGradientPortable(dst, weights []float32, delta, scale float32) {
	for i, w := range weights[:len(dst)] {
		dst[i] = (dst[i] - delta) * (w * scale)
	}
}
