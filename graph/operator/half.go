package operator

import "math"

// widen returns the values of 16-bit floating-point numbers.
func widen(d DType, x []uint16) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = FromHalf(d, v)
	}
	return y
}

// narrow rounds to the nearest 16-bit floating-point numbers, ties to even.
func narrow(d DType, dst []uint16, x []float32) {
	for i, v := range x {
		dst[i] = ToHalf(d, v)
	}
}

// FromHalf is the value of the bits of a number of type F16 or BF16.
func FromHalf(d DType, bits uint16) float32 {
	if d == BF16 {
		return math.Float32frombits(uint32(bits) << 16)
	}
	sign := uint32(bits>>15) << 31
	exponent, fraction := uint32(bits>>10)&31, uint32(bits)&1023
	switch exponent {
	case 0: // zero or subnormal: fraction / 2^24
		f := math.Float32bits(float32(fraction) / (1 << 24))
		return math.Float32frombits(sign | f)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// ToHalf is the bits of the number of type F16 or BF16 that is nearest to x,
// of two the even one. NaN stays NaN.
func ToHalf(d DType, x float32) uint16 {
	bits := math.Float32bits(x)
	if d == BF16 {
		if x != x {
			return uint16(bits>>16) | 0x40
		}
		return uint16((bits + 0x7fff + bits>>16&1) >> 16)
	}
	sign := uint16(bits>>16) & 0x8000
	magnitude := bits & 0x7fffffff
	switch {
	case magnitude > 0x7f800000:
		return sign | 0x7e00 | uint16(magnitude>>13)&0x1ff
	case magnitude >= 0x47800000: // 65536 and above
		return sign | 0x7c00
	case magnitude < 0x38800000: // below the smallest normal number, 2^-14
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(magnitude))*(1<<24)))
	}
	return sign | uint16((magnitude+0xfff+magnitude>>13&1-112<<23)>>13)
}
