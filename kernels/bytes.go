package kernels

import "unsafe"

// byteSum is the sum of numbers that bytes stand for, as bytes: operand i is
// (x ^ flip - zero) * scale, where flip and zero make signed bytes of it, and
// scale is relative to that of the sum.
type byteSum struct {
	n            int
	dst, a, b    *uint8
	flip0, zero0 int32
	scale0       float32
	flip1, zero1 int32
	scale1       float32
	low, high    float32 // of the sum, without its zero point
	zero         int32
}

// byteSumJob is a call of AddBytes.
type byteSumJob struct {
	byteSum
	dst, a, b []uint8
	work      []byteSum // of each thread
}

// byteMax is the larger ones of bytes, which are compared after exclusive or
// with flip, four bytes of 0 or 128.
type byteMax struct {
	n         int
	dst, a, b *uint8
	flip      uint32
}

// byteKernelSet are the implementations of elementwise kernels on bytes; they
// are given a multiple of width or 4*width elements.
type byteKernelSet struct {
	width int
	add   func(s *byteSum)
	max   func(s *byteMax)
}

// byteKernels is nil on machines without assembly for it.
var byteKernels *byteKernelSet

func addBytesPortable(s *byteSum) {
	dst, a, b := bytesAt(s.dst, s.n), bytesAt(s.a, s.n), bytesAt(s.b, s.n)
	for i, x := range a {
		// In two steps, which processors must not fuse.
		p := float32(float32(int32(x)^s.flip0-s.zero0) * s.scale0)
		q := float32(float32(int32(b[i])^s.flip1-s.zero1) * s.scale1)
		dst[i] = uint8(roundWithin(p+q, s.low, s.high) + s.zero)
	}
}

func maxBytesPortable(s *byteMax) {
	dst, a, b, flip := bytesAt(s.dst, s.n), bytesAt(s.a, s.n), bytesAt(s.b, s.n), uint8(s.flip)
	for i, x := range a {
		dst[i] = max(x^flip, b[i]^flip) ^ flip
	}
}

// bytesAt is n bytes from p on.
func bytesAt(p *uint8, n int) []uint8 { return unsafe.Slice(p, n) }

// bytesPart is the number of bytes of a part.
const bytesPart = 1 << 15

// AddBytes sets dst[i] to the byte that stands for the sum of the numbers that
// a[i] and b[i] stand for, for every i < len(dst), as ONNX Runtime's
// QLinearAdd. All have one scale; dst may be a or b.
func AddBytes(ws *Workspace, dst, a, b []uint8, of, ofA, ofB *Quantization) {
	checkLength("AddBytes", "a", len(a), len(dst))
	checkLength("AddBytes", "b", len(b), len(dst))
	for _, q := range []*Quantization{of, ofA, ofB} {
		q.check(len(dst))
		if q.Channels != 1 {
			panic("kernels: AddBytes: scales of channels")
		}
	}
	low, high := byteRange(of.Signed)
	s := &ws.quantize.sum
	s.byteSum = byteSum{zero: of.zero()}
	s.dst, s.a, s.b = dst, a, b
	for len(s.work) < threadCount() {
		s.work = append(s.work, byteSum{})
	}
	s.low, s.high = float32(low)-float32(s.zero), float32(high)-float32(s.zero)
	s.flip0, s.zero0, s.scale0 = ofA.operand(of)
	s.flip1, s.zero1, s.scale1 = ofB.operand(of)
	parallel((len(dst)+bytesPart-1)/bytesPart, s)
	s.dst, s.a, s.b = nil, nil, nil
}

func (x *Quantization) zero() int32 {
	if x.Zero == nil {
		return 0
	}
	return x.Zero[0]
}

func (x *Quantization) operand(of *Quantization) (flip, zero int32, scale float32) {
	flip = int32(flipOf(x.Signed))
	return flip, x.zero() + flip, x.Scale[0] / of.Scale[0]
}

func (s *byteSumJob) part(i, worker int) {
	part := &s.work[worker]
	*part = s.byteSum
	from := i * bytesPart
	n := min(bytesPart, len(s.dst)-from)
	part.dst, part.a, part.b = &s.dst[from], &s.a[from], &s.b[from]
	if byteKernels != nil {
		if part.n = n / byteKernels.width * byteKernels.width; part.n > 0 {
			byteKernels.add(part)
		}
	}
	if done := part.n; done < n {
		part.n, part.dst, part.a, part.b = n-done, &s.dst[from+done], &s.a[from+done], &s.b[from+done]
		addBytesPortable(part)
	}
	*part = byteSum{}
}

// MaxBytes sets dst[i] to the larger of a[i] and b[i] for every i < len(dst);
// with signed they are int8. dst may be a or b.
func MaxBytes(ws *Workspace, dst, a, b []uint8, signed bool) {
	checkLength("MaxBytes", "a", len(a), len(dst))
	checkLength("MaxBytes", "b", len(b), len(dst))
	s := &ws.quantize.max
	*s = byteMax{flip: uint32(flipOf(signed)) * 0x01010101}
	if byteKernels != nil {
		if s.n = len(dst) / (4 * byteKernels.width) * 4 * byteKernels.width; s.n > 0 {
			s.dst, s.a, s.b = &dst[0], &a[0], &b[0]
			byteKernels.max(s)
		}
	}
	if done := s.n; done < len(dst) {
		s.n, s.dst, s.a, s.b = len(dst)-done, &dst[done], &a[done], &b[done]
		maxBytesPortable(s)
	}
	*s = byteMax{}
}
