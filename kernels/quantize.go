package kernels

import (
	"fmt"
	"math"
	"unsafe"
)

// quantizer is a row of numbers and the bytes that stand for them. The
// assembly works on whole vectors; scale and zero have a vector of elements
// for each if step is not 0, or one for all. Distances are in bytes.
type quantizer struct {
	n         int // elements, a multiple of those of a vector
	floats    *float32
	bytes     *uint8
	scale     *float32
	zero      *int32
	step      int // from the scales of one vector to those of the next
	low, high float32
	flip      int32 // 128 for signed bytes, to which the zero points are relative; otherwise 0
}

// extent is a row of numbers, in whole vectors, and what was found in it.
type extent struct {
	n         int
	floats    *float32
	low, high [16]float32 // of every lane; not less than a vector
	nan       int         // not 0: there is a NaN
}

// quantizeKernels are the implementations of quantisation.
type quantizeKernels struct {
	width      int // elements of a vector
	quantize   func(q *quantizer)
	dequantize func(q *quantizer)
	extent     func(e *extent)
}

var quantization *quantizeKernels

// portableQuantize is the implementation of machines without assembly.
var portableQuantize = &quantizeKernels{
	width:      1,
	quantize:   func(q *quantizer) { quantizePortable(q, 1) },
	dequantize: func(q *quantizer) { dequantizePortable(q, 1) },
	extent:     func(e *extent) { extentPortable(e, unsafe.Slice(e.floats, e.n)) },
}

// quantizePortable is the Go twin of the kernels that quantise with vectors of
// width elements.
func quantizePortable(q *quantizer, width int) {
	scale, zero := q.channels(width)
	bytes := unsafe.Slice(q.bytes, q.n)
	for i, x := range unsafe.Slice(q.floats, q.n) {
		s := i/width*q.step/4 + i%width
		bytes[i] = quantizeOne(x, scale[s], zero[s], q.low, q.high)
	}
}

// dequantizePortable is the Go twin of the kernels that dequantise with
// vectors of width elements.
func dequantizePortable(q *quantizer, width int) {
	scale, zero := q.channels(width)
	floats := unsafe.Slice(q.floats, q.n)
	for i, x := range unsafe.Slice(q.bytes, q.n) {
		s := i/width*q.step/4 + i%width
		floats[i] = dequantizeOne(x, scale[s], zero[s], q.flip)
	}
}

// channels returns the scales and zero points.
func (q *quantizer) channels(width int) (scale []float32, zero []int32) {
	n := (q.n/width-1)*q.step/4 + width
	return unsafe.Slice(q.scale, n), unsafe.Slice(q.zero, n)
}

// Quantization says how bytes stand for numbers, as in ONNX's QuantizeLinear:
// byte q stands for Scale*(q-Zero). An axis of Channels, of which every element
// has a scale and a zero point of its own, has Inner elements beside each
// other of each. Zero may be nil for 0 throughout.
type Quantization struct {
	Scale    []float32 // [Channels]
	Zero     []int32   // [Channels] or nil
	Signed   bool      // bytes and zero points are int8
	Channels int       // 1 for a scale for all
	Inner    int       // elements of a channel that lie side by side; if Channels is 1, any number
}

func (x *Quantization) check(n int) {
	if x.Channels < 1 || x.Channels > 1 && (x.Inner < 1 || n%(x.Channels*x.Inner) != 0) {
		panic(fmt.Sprintf("kernels: quantisation: %d elements do not consist of %d channels of %d", n, x.Channels, x.Inner))
	}
	checkLength("quantisation", "Scale", len(x.Scale), x.Channels)
	if x.Zero != nil {
		checkLength("quantisation", "Zero", len(x.Zero), x.Channels)
		for _, z := range x.Zero[:x.Channels] {
			checkByte("zero point", int(z), x.Signed)
		}
	}
}

// quantizeScratch is the scratch memory of quantisation.
type quantizeScratch struct {
	sum     byteSumJob
	max     byteMax
	job     quantizeJob
	extents extentJob
}

// quantizePart is how many elements a part has at least.
const quantizePart = 1 << 15

// quantizeJob is quantisation of rows, or parts of the only one.
type quantizeJob struct {
	q      Quantization
	floats []float32
	bytes  []uint8
	back   bool // dequantise
	row    int  // elements of a part
	step   int  // elements of scale and zero from one element of a part to the next
	repeat int  // elements of scale and zero for a channel
	scale  []float32
	zero   []int32
	work   []quantizer // of each worker
}

// Quantize sets dst[i] to the byte that stands for the number nearest to
// src[i], the even one of two, for every i < len(dst). A NaN becomes the least
// byte. Numbers are divided by the scale, and rounded, in float32.
func Quantize(ws *Workspace, dst []uint8, src []float32, q *Quantization) {
	checkLength("Quantize", "src", len(src), len(dst))
	ws.quantize.job.run(dst, src[:len(dst)], q, false)
}

// Dequantize sets dst[i] to the number that src[i] stands for, for every
// i < len(dst).
func Dequantize(ws *Workspace, dst []float32, src []uint8, q *Quantization) {
	checkLength("Dequantize", "src", len(src), len(dst))
	ws.quantize.job.run(src[:len(dst)], dst, q, true)
}

func (j *quantizeJob) run(bytes []uint8, floats []float32, q *Quantization, back bool) {
	q.check(len(bytes))
	if len(bytes) == 0 {
		return
	}
	j.q, j.bytes, j.floats, j.back = *q, bytes, floats, back
	// A row has one scale for all or one for each element.
	j.row = len(bytes)
	switch {
	case q.Channels == 1:
		j.row = quantizePart
	case q.Inner > 1:
		j.row = q.Inner
	default:
		j.row = max(quantizePart/q.Channels, 1) * q.Channels
	}
	// A vector of the same for each channel, or one after the other.
	j.repeat, j.step = quantization.width, 0
	if q.Channels > 1 && q.Inner == 1 {
		j.repeat, j.step = 1, 1
	}
	j.scale = grow(j.scale, q.Channels*j.repeat)
	j.zero = growInts(j.zero, q.Channels*j.repeat)
	for i := range j.scale {
		c := i / j.repeat
		j.scale[i], j.zero[i] = q.Scale[c], 0
		if q.Zero != nil {
			j.zero[i] = q.Zero[c]
		}
	}
	for len(j.work) < threadCount() {
		j.work = append(j.work, quantizer{})
	}
	parallel((len(bytes)+j.row-1)/j.row, j)
	j.q, j.bytes, j.floats = Quantization{}, nil, nil
	for i := range j.work {
		j.work[i] = quantizer{}
	}
}

func (j *quantizeJob) part(i, worker int) {
	first, last := i*j.row, min((i+1)*j.row, len(j.bytes))
	if j.step == 0 {
		j.each(worker, first, last, i%j.q.Channels*j.repeat)
		return
	}
	for ; first < last; first += j.q.Channels {
		j.each(worker, first, first+j.q.Channels, 0)
	}
}

// each does elements first to last, with the scales from element scale on.
func (j *quantizeJob) each(worker, first, last, scale int) {
	width := quantization.width
	low, high := byteRange(j.q.Signed)
	q := &j.work[worker]
	*q = quantizer{
		n: (last - first) / width * width, floats: &j.floats[first], bytes: &j.bytes[first],
		scale: &j.scale[scale], zero: &j.zero[scale], step: 4 * width * j.step, low: float32(low), high: float32(high),
	}
	if j.q.Signed {
		q.flip = 128
	}
	if q.n > 0 {
		if j.back {
			quantization.dequantize(q)
		} else {
			quantization.quantize(q)
		}
	}
	for i := first + q.n; i < last; i++ {
		s := scale + (i-first)*j.step
		if j.back {
			j.floats[i] = dequantizeOne(j.bytes[i], j.scale[s], j.zero[s], q.flip)
		} else {
			j.bytes[i] = quantizeOne(j.floats[i], j.scale[s], j.zero[s], q.low, q.high)
		}
	}
}

// quantizeOne returns the byte nearest to x.
func quantizeOne(x, scale float32, zero int32, low, high float32) uint8 {
	return uint8(roundWithin(x/scale, low-float32(zero), high-float32(zero)) + zero)
}

// dequantizeOne returns what q stands for.
func dequantizeOne(q uint8, scale float32, zero, flip int32) float32 {
	return float32(int32(q)^flip-flip-zero) * scale
}

// extentJob finds the least and the greatest of numbers, in parts.
type extentJob struct {
	floats []float32
	parts  []extent
}

// MinMax returns the least and the greatest element of x, NaN both if there is
// one, and 0 both if x is empty.
func MinMax(ws *Workspace, x []float32) (least, greatest float32) {
	if len(x) == 0 {
		return 0, 0
	}
	j := &ws.quantize.extents
	parts := (len(x) + quantizePart - 1) / quantizePart
	for len(j.parts) < parts {
		j.parts = append(j.parts, extent{})
	}
	j.floats = x
	parallel(parts, j)
	j.floats = nil
	least, greatest = infinity, -infinity
	for i := range j.parts[:parts] {
		p := &j.parts[i]
		p.floats = nil
		if p.nan != 0 {
			return float32(math.NaN()), float32(math.NaN())
		}
		for lane := range p.low {
			least, greatest = min(least, p.low[lane]), max(greatest, p.high[lane])
		}
	}
	return least + 0, greatest + 0 // of zeros, the positive one
}

func (j *extentJob) part(i, _ int) {
	x := j.floats[i*quantizePart : min((i+1)*quantizePart, len(j.floats))]
	e := &j.parts[i]
	*e = extent{n: len(x) / quantization.width * quantization.width, floats: &x[0]}
	for lane := range e.low {
		e.low[lane], e.high[lane] = infinity, -infinity
	}
	if e.n > 0 {
		quantization.extent(e)
	}
	extentPortable(e, x[e.n:])
}

// extentPortable is the Go twin of the kernels that find the extent, which
// keep it lane by lane.
func extentPortable(e *extent, x []float32) {
	for _, v := range x {
		if v != v {
			e.nan = 1
		}
		e.low[0], e.high[0] = min(e.low[0], v), max(e.high[0], v)
	}
}

// DynamicQuantization returns the scale and zero point of unsigned bytes for
// numbers between least and greatest, as in ONNX's DynamicQuantizeLinear: the
// range is widened to hold 0, and 0 is a byte. Of numbers that are all 0 the
// scale is 1.
func DynamicQuantization(least, greatest float32) (scale float32, zero int32) {
	least, greatest = min(least, 0), max(greatest, 0)
	scale = (greatest - least) / 255
	if scale == 0 {
		return 1, 0
	}
	return scale, roundWithin(-least/scale, 0, 255)
}
