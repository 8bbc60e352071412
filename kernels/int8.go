package kernels

import (
	"fmt"
	"unsafe"
)

// Products of bytes. An operand or a result in bytes is a slice of uint8; an
// argument or field named Signed tells that they are two's complement, int8.
// A byte q stands for the number scale*(q-zero). Images are [N, H, W, C] with
// the channels of a pixel padded to a multiple of four, see [Int8Channels]: a
// pixel of a convolution without a kernel is then a row of a matrix, and the
// pixels under a row of a kernel lie side by side, whatever the vectors of the
// processor, so that a chain of convolutions needs no conversion in between.

// Int8Channels returns the bytes of a pixel of an int8 image of c channels, c
// rounded up to a multiple of four. The values of the bytes beyond c do not
// matter, and kernels may leave them as they are.
func Int8Channels(c int) int { return (c + 3) &^ 3 }

// Int8Input is the left operand of a product or the image of a convolution.
type Int8Input struct {
	Data   []uint8
	Zero   int  // the byte that stands for 0, and that an image is padded with
	Signed bool // Data and Zero are int8
}

// Int8Output says what becomes of the sums of products of (input-zero) and
// (weight-zero), exact in int32, and where it goes: to one of Sums, Floats and
// Bytes. Column j of a product is the output channel j of a convolution.
//
//	Sums:   sum + Bias[j]
//	Floats: activation((sum + Bias[j]) * Scale[j] + FloatBias[j])
//	Bytes:  round(activation((sum + Bias[j]) * Scale[j] + residual)) + Zero, saturated
//
// in float32, where residual is (Residual - ResidualZero) * ResidualScale and
// round is to nearest, to the even one of two.
type Int8Output struct {
	Sums   []int32
	Floats []float32
	Bytes  []uint8

	Bias      []int32   // or nil
	Scale     []float32 // of each column, or one for all
	FloatBias []float32 // of Floats, or nil

	// Activation of Bytes is NoActivation, ReLU or ReLU6; others go by Table.
	Activation Activation
	Zero       int     // of Bytes
	Signed     bool    // Bytes and Zero are int8
	Unit       float32 // number that a step of Bytes stands for; for ReLU6 only
	// Table, unless nil, replaces every byte by the entry that it indexes.
	Table *[256]uint8

	Residual       []uint8 // laid out as Bytes, and may be the same; or nil
	ResidualZero   int
	ResidualSigned bool
	ResidualScale  float32 // number of a step of Residual over that of Bytes
}

// Int8Table returns the table that applies act to bytes: entry q, a byte that
// stands for scale*(q-zero), is the nearest byte to its activation with
// outScale and outZero. Bytes and zeros are int8 where signed is set.
func Int8Table(act Activation, signed bool, scale float32, zero int, outScale float32, outZero int) *[256]uint8 {
	var x, y [256]float32
	for i := range x {
		q := i
		if signed {
			q = int(int8(i))
		}
		x[i] = scale * float32(q-zero)
	}
	Activate(act, y[:], x[:])
	low, high := byteRange(signed)
	table := new([256]uint8)
	for i := range y {
		table[i] = uint8(roundWithin(y[i]/outScale, float32(low-outZero), float32(high-outZero)) + int32(outZero))
	}
	return table
}

// byteRange returns the least and the greatest byte.
func byteRange(signed bool) (low, high int) {
	if signed {
		return -128, 127
	}
	return 0, 255
}

// checkByte panics unless a zero point is a byte.
func checkByte(what string, zero int, signed bool) {
	if low, high := byteRange(signed); zero < low || zero > high {
		panic(fmt.Sprintf("kernels: int8: %s is %d, want %d to %d", what, zero, low, high))
	}
}

// check panics where out does not suit rows rows of n columns, which are pitch
// bytes apart if they are bytes.
func (out *Int8Output) check(rows, n, pitch int) {
	given := 0
	for _, length := range []int{len(out.Sums), len(out.Floats), len(out.Bytes)} {
		if length > 0 {
			given++
		}
	}
	if given > 1 {
		panic("kernels: int8: more than one of Sums, Floats and Bytes")
	}
	switch {
	case out.Bytes != nil:
		checkLength("int8", "Bytes", len(out.Bytes), rows*pitch)
		checkByte("Zero of Bytes", out.Zero, out.Signed)
		if _, _, ok := out.Activation.bounds(); !ok {
			panic("kernels: int8: this activation of Bytes needs a Table")
		}
		if out.Residual != nil {
			checkLength("int8", "Residual", len(out.Residual), rows*pitch)
			checkByte("ResidualZero", out.ResidualZero, out.ResidualSigned)
		}
	case out.Floats != nil:
		checkLength("int8", "Floats", len(out.Floats), rows*n)
		if out.FloatBias != nil {
			checkLength("int8", "FloatBias", len(out.FloatBias), n)
		}
	default:
		checkLength("int8", "Sums", len(out.Sums), rows*n)
	}
	if out.Bias != nil {
		checkLength("int8", "Bias", len(out.Bias), n)
	}
	if (out.Floats != nil || out.Bytes != nil) && len(out.Scale) != 1 {
		checkLength("int8", "Scale", len(out.Scale), n)
	}
}

// limits returns the interval to which scaled sums are restricted.
func (out *Int8Output) limits() (low, high float32) {
	if out.Bytes == nil {
		if low, high, ok := out.Activation.bounds(); ok {
			return low, high
		}
		return -infinity, infinity
	}
	least, greatest := byteRange(out.Signed)
	low, high = float32(least-out.Zero), float32(greatest-out.Zero)
	switch out.Activation {
	case ReLU:
		low = max(low, 0)
	case ReLU6:
		low = max(low, 0)
		high = min(high, 6/out.Unit)
	}
	return low, high
}

// set writes to t what it needs of out, whose rows are pitch elements apart.
func (out *Int8Output) set(t *int8Tile, pitch int) {
	t.low, t.high = out.limits()
	size := 4
	switch {
	case out.Bytes != nil:
		t.kind, t.c, size = int8Bytes, unsafe.Pointer(unsafe.SliceData(out.Bytes)), 1
		t.zero = int32(out.Zero)
		if out.Residual != nil {
			t.residual = unsafe.SliceData(out.Residual)
			t.residualZero, t.residualFlip = int32(out.ResidualZero), 0
			if out.ResidualSigned {
				t.residualZero, t.residualFlip = t.residualZero+128, 128
			}
			t.residualScale = out.ResidualScale
		}
	case out.Floats != nil:
		t.kind, t.c = int8Floats, unsafe.Pointer(unsafe.SliceData(out.Floats))
	default:
		t.kind, t.c = int8Sums, unsafe.Pointer(unsafe.SliceData(out.Sums))
	}
	t.cRow = pitch * size
}
