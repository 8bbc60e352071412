package kernels

import (
	"math"
	"unsafe"
)

// halfKernels convert between float32 and half-precision types: n elements, a
// multiple of 16.
type halfKernels struct {
	float16FromFloat32  func(dst *uint16, src *float32, n int)
	float32FromFloat16  func(dst *float32, src *uint16, n int)
	bfloat16FromFloat32 func(dst *uint16, src *float32, n int)
	float32FromBfloat16 func(dst *float32, src *uint16, n int)
	// bfloat16Pairs takes n pairs of bfloat16 apart.
	bfloat16Pairs func(even, odd *float32, src *uint16, n int)
}

var halves halfKernels

// portableHalves leave everything to the loops that finish what is left over.
var portableHalves = halfKernels{bfloat16Pairs: bfloat16PairsPortable}

// setHalfKernels selects the conversions.
func setHalfKernels(in instructions) {
	halves = halfImplementation(in.base)
	halfTiles = halfTileImplementation(in)
}

// HalfType is a type of 16 bits that numbers are stored in.
type HalfType int

// The half-precision types.
const (
	Float16  HalfType = iota // IEEE 754 binary16
	Bfloat16                 // the upper half of a float32
)

// FromFloat32 sets dst[i] to src[i] rounded to nearest, ties to even, for
// every i < len(dst). Numbers beyond the largest become infinities, NaN stay
// NaN, quiet and with what fits of their bits; subnormal numbers are exact.
func (h HalfType) FromFloat32(dst []uint16, src []float32) {
	checkLength("FromFloat32", "src", len(src), len(dst))
	vectorised, one := halves.float16FromFloat32, float16FromFloat32
	if h == Bfloat16 {
		vectorised, one = halves.bfloat16FromFloat32, bfloat16FromFloat32
	}
	n := 0
	if vectorised != nil && len(dst) >= 16 {
		n = len(dst) &^ 15
		vectorised(&dst[0], &src[0], n)
	}
	for i := n; i < len(dst); i++ {
		dst[i] = one(src[i])
	}
}

// Float32 sets dst[i] to src[i] for every i < len(dst), which is exact. A
// signalling NaN of Float16 becomes quiet.
func (h HalfType) Float32(dst []float32, src []uint16) {
	checkLength("Float32", "src", len(src), len(dst))
	vectorised, one := halves.float32FromFloat16, float32FromFloat16
	if h == Bfloat16 {
		vectorised, one = halves.float32FromBfloat16, float32FromBfloat16
	}
	n := 0
	if vectorised != nil && len(dst) >= 16 {
		n = len(dst) &^ 15
		vectorised(&dst[0], &src[0], n)
	}
	for i := n; i < len(dst); i++ {
		dst[i] = one(src[i])
	}
}

func bfloat16FromFloat32(x float32) uint16 {
	b := math.Float32bits(x)
	if x != x {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

func float32FromBfloat16(x uint16) float32 { return math.Float32frombits(uint32(x) << 16) }

func float16FromFloat32(x float32) uint16 {
	b := math.Float32bits(x)
	sign := uint16(b >> 16 & 0x8000)
	b &= 1<<31 - 1
	switch {
	case b > 0x7f800000: // NaN
		return sign | 0x7e00 | uint16(b>>13&0x3ff)
	case b >= 0x47800000: // 65536
		return sign | 0x7c00
	case b < 0x38800000: // 2^-14: subnormal
		// Adding a number whose last bit weighs 2^-24 rounds to that bit.
		const shift = 126 << 23 // 0.5
		sum := math.Float32frombits(b) + math.Float32frombits(shift)
		return sign | uint16(math.Float32bits(sum)-shift)
	}
	b += 0xfff + b>>13&1
	return sign | uint16((b-112<<23)>>13)
}

func float32FromFloat16(x uint16) float32 {
	sign, magnitude := uint32(x)&0x8000<<16, uint32(x)&0x7fff
	switch {
	case magnitude > 0x7c00: // NaN
		return math.Float32frombits(sign | 0x7fc00000 | magnitude<<13)
	case magnitude == 0x7c00:
		return math.Float32frombits(sign | 0x7f800000)
	case magnitude < 0x400: // subnormal
		return math.Float32frombits(sign | math.Float32bits(float32(magnitude)*(1.0/(1<<24))))
	}
	return math.Float32frombits(sign | (magnitude<<13 + 112<<23))
}

func bfloat16PairsPortable(even, odd *float32, src *uint16, n int) {
	x, y := elements(even, 0, n), elements(odd, 0, n)
	for i := range n {
		pair := unsafe.Slice(src, 2*n)[2*i:]
		x[i], y[i] = float32FromBfloat16(pair[0]), float32FromBfloat16(pair[1])
	}
}
