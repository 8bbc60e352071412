package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The vector functions go through up to four operands side by side, row by
// row. Registers, of which a function loads those that it uses:
//
//	DI, SI, DX, BX   the operands, at the start of a row: the first is written
//	R10 to R13       bytes from one row to the next of each
//	R8, R9           rows left, elements of a row
//	AX, CX           element, elements left
//
// Vector registers 0 to 3 are scratch. In AVX2 register 15, in AVX-512 mask 1
// selects the last elements of a row that do not fill a vector.
var (
	operands  = []reg.Register{reg.RDI, reg.RSI, reg.RDX, reg.RBX}
	rowSteps  = []reg.Register{reg.R10, reg.R11, reg.R12, reg.R13}
	rows      = reg.R8
	length    = reg.R9
	tailMask  = reg.K1
	spareMask = reg.K2
)

// unroll is the number of vectors that loops work on at a time.
const unroll = 4

// vectorSets are the instruction sets that vector functions are written for.
var vectorSets = []vectors{
	{name: "AVX512", width: 16, register: zmm, masked: true},
	{name: "AVX2", width: 8, register: ymm},
}

// row is the state of a vector function as its body sees it: at one vector of
// a row.
type row struct {
	vectors
	lane  int // vector of an unrolled loop
	tail  bool
	label int
}

// v is vector register i.
func (r *row) v(i int) reg.VecPhysical { return r.register(i) }

// x is the lowest quarter of vector register i.
func x(i int) reg.VecPhysical {
	return []reg.VecPhysical{
		reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7,
		reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14, reg.X15,
	}[i]
}

// at is the vector of operand i.
func (r *row) at(i int) operand.Mem {
	return operand.Mem{Base: operands[i], Index: reg.RAX, Scale: 4, Disp: r.lane * r.width * 4}
}

// load loads the vector of operand i, zeros beyond the end of the row.
func (r *row) load(i int, to reg.VecPhysical) {
	switch {
	case r.tail && r.masked:
		VMOVUPS_Z(r.at(i), tailMask, to)
	case r.tail:
		VMASKMOVPS(r.at(i), r.v(15), to)
	default:
		VMOVUPS(r.at(i), to)
	}
}

// store stores the vector of operand i.
func (r *row) store(from reg.VecPhysical, i int) {
	switch {
	case r.tail && r.masked:
		VMOVUPS(from, tailMask, r.at(i))
	case r.tail:
		VMASKMOVPS(from, r.v(15), r.at(i))
	default:
		VMOVUPS(from, r.at(i))
	}
}

// clean sets what lies beyond the end of the row to zero.
func (r *row) clean(v reg.VecPhysical) {
	switch {
	case r.tail && r.masked:
		VMOVAPS_Z(v, tailMask, v)
	case r.tail:
		VANDPS(v, r.v(15), v)
	}
}

// fill sets what lies beyond the end of the row to that of from.
func (r *row) fill(from, v reg.VecPhysical) {
	switch {
	case r.tail && r.masked:
		VBLENDMPS(v, from, tailMask, v)
	case r.tail:
		VBLENDVPS(r.v(15), v, from, v)
	}
}

func (r *row) zero(v reg.VecPhysical) {
	if r.masked {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// keepNaN sets y to x where x is a NaN; mask is a scratch register.
func (r *row) keepNaN(x, y, mask reg.VecPhysical) {
	if r.masked {
		VCMPPS(operand.U8(3), x, x, spareMask)
		VMOVAPS(x, spareMask, y)
		return
	}
	VCMPPS(operand.U8(3), x, x, mask)
	VBLENDVPS(mask, x, y, y)
}

// loop emits the loop over the elements of a row: body works on one vector.
func (r *row) loop(body func()) {
	r.blocks(func(lanes int) {
		for r.lane = range lanes {
			body()
		}
		r.lane = 0
	})
}

// blocks emits the loop over the elements of a row: body works on that many
// vectors, from element AX on. It may change all but AX, CX and R9.
func (r *row) blocks(body func(lanes int)) {
	r.label++
	id := r.label
	name := func(s string) string { return fmt.Sprint(s, id) }
	XORL(reg.EAX, reg.EAX)
	MOVQ(length, reg.RCX)
	SUBQ(operand.U32(unroll*r.width), reg.RCX)
	JLT(operand.LabelRef(name("few")))
	Label(name("many"))
	body(unroll)
	ADDQ(operand.U32(unroll*r.width), reg.RAX)
	SUBQ(operand.U32(unroll*r.width), reg.RCX)
	JGE(operand.LabelRef(name("many")))
	Label(name("few"))
	ADDQ(operand.U32((unroll-1)*r.width), reg.RCX)
	JLT(operand.LabelRef(name("rest")))
	Label(name("one"))
	body(1)
	ADDQ(operand.U32(r.width), reg.RAX)
	SUBQ(operand.U32(r.width), reg.RCX)
	JGE(operand.LabelRef(name("one")))
	Label(name("rest"))
	ADDQ(operand.U32(r.width), reg.RCX)
	JEQ(operand.LabelRef(name("end")))
	r.tail = true
	body(1)
	r.tail = false
	Label(name("end"))
}

// tails prepares the mask of the last elements of a row. It changes AX and CX.
func (r *row) tails() {
	MOVQ(length, reg.RCX)
	ANDQ(operand.U32(r.width-1), reg.RCX)
	if r.masked {
		MOVL(operand.U32(1), reg.EAX)
		SHLL(reg.CL, reg.EAX)
		DECL(reg.EAX)
		KMOVW(reg.EAX, tailMask)
		return
	}
	NEGQ(reg.RCX)
	LEAQ(tailMasks(), reg.RAX)
	VMOVUPS(operand.Mem{Base: reg.RAX, Index: reg.RCX, Scale: 4, Disp: 32}, r.v(15))
}

var floats = map[float32]operand.Mem{}

// float broadcasts a constant.
func float(f float32, to reg.VecPhysical) {
	m, ok := floats[f]
	if !ok {
		m = GLOBL(fmt.Sprintf("vector%08x", math.Float32bits(f)), attr.RODATA|attr.NOPTR)
		DATA(0, operand.U32(math.Float32bits(f)))
		floats[f] = m
	}
	VBROADCASTSS(m, to)
}

// argument broadcasts a float32 argument.
func argument(name string, to reg.VecPhysical) {
	a, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(a.Addr, to)
}

// base loads the pointer of a slice or pointer argument.
func base(signature, name string, to reg.Register) {
	p := Param(name)
	if strings.Contains(signature, "[]float32") {
		p = p.Base()
	}
	Load(p, to.(reg.GPPhysical))
}

// each emits a function over len(n) elements of slices.
func (r *row) each(name, signature, doc, n string, slices []string, setup, body func()) {
	text(name+r.name, signature, fmt.Sprintf("%s%s is %sPortable: %s.", name, r.name, name, doc))
	for i, s := range slices {
		if s != "" {
			base(signature, s, operands[i])
		}
	}
	Load(Param(n).Len(), length)
	r.tails()
	setup()
	r.loop(body)
	VZEROUPPER()
	RET()
}

// segments loads the operands and the shape of a function over segments.
func (r *row) segments(signature string, slices ...string) {
	for i, s := range slices {
		if s != "" {
			base(signature, s, operands[i])
		}
	}
	Load(Param("segments"), rows)
	Load(Param("length"), length)
	Load(Param("stride"), reg.R10)
	SHLQ(operand.Imm(2), reg.R10)
	r.tails()
}

// overSegments emits the loop over segments.
func (r *row) overSegments(slices int, body func()) {
	TESTQ(rows, rows)
	JLE(operand.LabelRef("done"))
	Label("segment")
	r.loop(body)
	for i := range slices {
		ADDQ(reg.R10, operands[i])
	}
	DECQ(rows)
	JNE(operand.LabelRef("segment"))
	Label("done")
}

// combination combines register from with register to, in to.
type combination func(of func(i int) reg.VecPhysical, from, to int)

func addTo(of func(i int) reg.VecPhysical, from, to int) { VADDPS(of(from), of(to), of(to)) }

// total leaves the combination of the elements of registers first to first+3
// in the lowest element of the first. It changes registers 12 and 13.
func (r *row) total(first int, combine combination) {
	combine(r.register, first+1, first)
	combine(r.register, first+3, first+2)
	combine(r.register, first+2, first)
	if r.masked {
		VEXTRACTF64X4(operand.Imm(1), r.v(first), ymm(12))
		combine(ymm, 12, first)
	}
	VEXTRACTF128(operand.Imm(1), ymm(first), x(12))
	combine(x, 12, first)
	VPERMILPS(operand.Imm(0x4e), x(first), x(12))
	combine(x, 12, first)
	VPERMILPS(operand.Imm(0xb1), x(first), x(12))
	combine(x, 12, first)
}

// vector writes the vector functions: see type vectorKernels in package
// kernels.
func vector() {
	for _, set := range vectorSets {
		r := &row{vectors: set}
		r.activations()
		r.linear()
		r.reductions()
		r.operations()
		r.rowFunctions()
		r.rowReductions()
		r.columnFunctions()
		r.maxBackward()
		r.pools()
	}
	shuffles()
	transposes()
}

// clamp limits v to low and high. VMAXPS and VMINPS return their last operand
// in Intel's order, Go's first, if either is a NaN.
func clampTo(v, low, high reg.VecPhysical) {
	VMAXPS(v, low, v)
	VMINPS(v, high, v)
}

func (r *row) activations() {
	a, b, c := r.v(0), r.v(1), r.v(2)
	k := func(i int) reg.VecPhysical { return r.v(10 + i) }

	unary, backward := []string{"dst", "src"}, []string{"dsrc", "ddst", "src"}
	r.each("clamp", "func(dst, src []float32, lo, hi float32)", "dst = min(max(src, lo), hi)", "dst", unary, func() {
		argument("lo", k(0))
		argument("hi", k(1))
	}, func() {
		r.load(1, a)
		clampTo(a, k(0), k(1))
		r.store(a, 0)
	})
	r.each("clampBackward", "func(dsrc, ddst, src []float32, lo, hi, scale float32)", "dsrc += ddst*scale where lo < src <= hi", "dsrc", backward, func() {
		argument("lo", k(0))
		argument("hi", k(1))
		argument("scale", k(2))
	}, func() {
		r.load(2, b)
		r.load(1, a)
		VMULPS(k(2), a, a)
		if r.masked {
			VCMPPS(operand.U8(0x1e), k(0), b, spareMask)
			VCMPPS(operand.U8(0x12), k(1), b, spareMask, spareMask)
			VMOVAPS_Z(a, spareMask, a)
		} else {
			VCMPPS(operand.U8(0x1e), k(0), b, c)
			VCMPPS(operand.U8(0x12), k(1), b, b)
			VANDPS(c, b, b)
			VANDPS(b, a, a)
		}
		r.load(0, c)
		VADDPS(a, c, c)
		r.store(c, 0)
	})

	gate := func() { // min(max(a/6 + 1/2, 0), 1)
		VFMADD213PS(k(1), k(0), a)
		clampTo(a, k(2), k(3))
	}
	constants := func() {
		float(1.0/6, k(0))
		float(0.5, k(1))
		float(0, k(2))
		float(1, k(3))
	}
	r.each("hardSigmoid", "func(dst, src []float32)", "dst = min(max(src/6 + 1/2, 0), 1)", "dst", unary, constants, func() {
		r.load(1, a)
		gate()
		r.store(a, 0)
	})
	r.each("hardSwish", "func(dst, src []float32)", "dst = src * min(max(src/6 + 1/2, 0), 1)", "dst", unary, constants, func() {
		r.load(1, a)
		VMOVAPS(a, b)
		gate()
		VMULPS(b, a, a)
		r.store(a, 0)
	})
	// The slope is 1 from 3 on, 0 up to -3, src/3 + 1/2 between.
	r.each("hardSwishBackward", "func(dsrc, ddst, src []float32)", "dsrc += ddst * slope of hardSwish at src", "dsrc", backward, func() {
		float(1.0/3, k(0))
		float(0.5, k(1))
		float(3, k(2))
		float(1, k(3))
		float(-3, k(4))
	}, func() {
		r.load(2, b)
		VMOVAPS(k(1), c)
		VFMADD231PS(k(0), b, c)
		if r.masked {
			VCMPPS(operand.U8(0x1d), k(2), b, spareMask)
			VMOVAPS(k(3), spareMask, c)
			VCMPPS(operand.U8(0x16), k(4), b, spareMask)
			VMOVAPS_Z(c, spareMask, c)
		} else {
			VCMPPS(operand.U8(0x1d), k(2), b, a)
			VBLENDVPS(a, k(3), c, c)
			VCMPPS(operand.U8(0x16), k(4), b, a)
			VANDPS(a, c, c)
		}
		r.load(1, a)
		r.load(0, b)
		VFMADD231PS(c, a, b)
		r.store(b, 0)
	})
}

func (r *row) linear() {
	a, b, c := r.v(0), r.v(1), r.v(2)
	k := func(i int) reg.VecPhysical { return r.v(10 + i) }

	r.each("mulAdd", "func(dst, a, b []float32)", "dst += a * b", "dst", []string{"dst", "a", "b"}, func() {}, func() {
		r.load(1, a)
		r.load(2, b)
		r.load(0, c)
		VFMADD231PS(b, a, c)
		r.store(c, 0)
	})
	r.each("axpy", "func(alpha float32, x, y []float32)", "y += alpha * x, len(x) elements", "x", []string{"y", "x"}, func() {
		argument("alpha", k(0))
	}, func() {
		r.load(1, a)
		r.load(0, c)
		VFMADD231PS(a, k(0), c)
		r.store(c, 0)
	})

	const affine = "func(dst, src []float32, segments, stride, length int, a, b float32)"
	text("affine"+r.name, affine, "affine"+r.name+" is affinePortable: dst = a*src + b.")
	r.segments(affine, "dst", "src")
	argument("a", k(0))
	argument("b", k(1))
	r.overSegments(2, func() {
		r.load(1, a)
		VFMADD213PS(k(1), k(0), a)
		r.store(a, 0)
	})
	VZEROUPPER()
	RET()

	const affineAdd = "func(dst, x, y []float32, segments, stride, length int, a, b, c float32)"
	text("affineAdd"+r.name, affineAdd, "affineAdd"+r.name+" is affineAddPortable: dst += a*x + (b*y + c).")
	r.segments(affineAdd, "dst", "x", "y")
	argument("a", k(0))
	argument("b", k(1))
	argument("c", k(2))
	r.overSegments(3, func() {
		r.load(1, a)
		r.load(2, b)
		r.load(0, c)
		VFMADD213PS(k(2), k(1), b)
		VFMADD231PS(a, k(0), b)
		VADDPS(b, c, c)
		r.store(c, 0)
	})
	VZEROUPPER()
	RET()
}

// reductions writes the reductions of segments to one number. Sums are in
// registers 4 to 7 and 8 to 11, a register for each vector of the unrolled
// loop.
func (r *row) reductions() {
	a, b := r.v(0), r.v(1)
	sum := func() reg.VecPhysical { return r.v(4 + r.lane) }
	product := func() reg.VecPhysical { return r.v(8 + r.lane) }
	result := func(i int, to string) {
		r.total(i, addTo)
		Store(x(i), Return(to))
	}
	zero := func(n int) {
		for i := range n {
			r.zero(r.v(4 + i))
		}
	}

	const dot = "func(a, b []float32) (sum float32)"
	text("dot"+r.name, dot, "dot"+r.name+" is dotPortable: the sum of a*b over len(a) elements.")
	base(dot, "a", reg.RDI)
	base(dot, "b", reg.RSI)
	Load(Param("a").Len(), length)
	r.tails()
	zero(4)
	r.loop(func() {
		r.load(0, a)
		r.load(1, b)
		VFMADD231PS(b, a, sum())
	})
	result(4, "sum")
	VZEROUPPER()
	RET()

	const sumSegments = "func(x []float32, segments, stride, length int) (sum float32)"
	text("sumSegments"+r.name, sumSegments, "sumSegments"+r.name+" is sumSegmentsPortable: the sum of x.")
	r.segments(sumSegments, "x")
	zero(4)
	r.overSegments(1, func() {
		r.load(0, a)
		VADDPS(a, sum(), sum())
	})
	result(4, "sum")
	VZEROUPPER()
	RET()

	const sumSquares = "func(x []float32, segments, stride, length int, center float32) (sum float32)"
	text("sumSquares"+r.name, sumSquares, "sumSquares"+r.name+" is sumSquaresPortable: the sum of (x-center)^2.")
	r.segments(sumSquares, "x")
	argument("center", r.v(13))
	zero(4)
	r.overSegments(1, func() {
		r.load(0, a)
		VSUBPS(r.v(13), a, a)
		r.clean(a)
		VFMADD231PS(a, a, sum())
	})
	result(4, "sum")
	VZEROUPPER()
	RET()

	const sumProducts = "func(x, y []float32, segments, stride, length int, center float32) (sum, product float32)"
	text("sumProducts"+r.name, sumProducts, "sumProducts"+r.name+" is sumProductsPortable: the sum of x, and that of x*(y-center).")
	r.segments(sumProducts, "x", "y")
	argument("center", r.v(13))
	zero(8)
	r.overSegments(2, func() {
		r.load(0, a)
		r.load(1, b)
		VSUBPS(r.v(13), b, b)
		VADDPS(a, sum(), sum())
		if r.tail { // 0 * (0-center) is a NaN for an infinite center
			r.clean(b)
		}
		VFMADD231PS(b, a, product())
	})
	result(4, "sum")
	result(8, "product")
	VZEROUPPER()
	RET()
}
