package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// x86 writes programs for AVX-512 or AVX2. Vector registers up to free hold
// values; above them are those that live through the loop. K1 or the mask
// register selects the elements of the last vector, K2 and on hold masks of
// comparisons (AVX-512).
type x86 struct {
	vectors
	prog     *program
	base     []reg.Register // of the slices
	index    reg.Register   // byte offset of the current vector
	free     []int
	in       map[value]int   // registers of values
	others   []map[value]int // of all vectors that are worked on side by side
	scalars  []reg.VecPhysical
	pinned   map[uint32]reg.VecPhysical // constants that stay in registers
	results  []reg.VecPhysical
	mask     reg.VecPhysical // of the tail (AVX2)
	tail     bool
	offset   int // bytes from the current vector
	maskRegs []reg.Register
}

var constants = map[uint32]operand.Mem{}

// vectorConstant is eight copies of a number.
func vectorConstant(bits uint32) operand.Mem {
	m, ok := constants[bits]
	if !ok {
		m = GLOBL(fmt.Sprintf("vector%08x", bits), attr.RODATA|attr.NOPTR)
		for i := range 8 {
			DATA(4*i, operand.U32(bits))
		}
		constants[bits] = m
	}
	return m
}

func (x *x86) take() int {
	if len(x.free) == 0 {
		panic(x.prog.name + x.name + ": no register left")
	}
	r := x.free[0]
	x.free = x.free[1:]
	return r
}

func (x *x86) give(r int) { x.free = append([]int{r}, x.free...) }

// source is v as the operand that may be in memory, and whether it is there.
func (x *x86) source(v value) (operand.Op, bool) {
	if x.isMemory(v) {
		return vectorConstant(x.prog.code[v].n), true
	}
	return x.inRegister(v), false
}

// isMemory tells whether v is a constant that is not in a register.
func (x *x86) isMemory(v value) bool {
	_, ok := x.pinned[x.prog.code[v].n]
	return x.prog.isConst(v) && !ok
}

// pin loads constants of the program to the registers from one on downwards,
// as far as there are enough others for values, and returns the first register
// below.
func (x *x86) pin(from int) int {
	values := 9
	if n := x.prog.unroll; n > 1 && x.prog.result == 0 {
		values = min(8*n, 29)
		if x.prog.live > 0 {
			values = x.prog.live * n
		}
	}
	x.pinned = map[uint32]reg.VecPhysical{}
	for _, c := range x.prog.code {
		if c.op != opConst || x.pinned[c.n] != nil || from < values {
			continue
		}
		VBROADCASTSS(vectorConstant(c.n), x.register(from))
		x.pinned[c.n] = x.register(from)
		from--
	}
	return from
}

func (x *x86) inRegister(v value) reg.VecPhysical {
	switch c := x.prog.code[v]; c.op {
	case opScalar:
		return x.scalars[c.n]
	case opConst:
		return x.pinned[c.n]
	}
	return x.register(x.in[v])
}

// binary is an instruction of three operands, with its form that broadcasts.
type binary struct{ full, broadcast func(...operand.Op) }

var (
	x86Binary = map[op]binary{
		opAdd: {VADDPS, VADDPS_BCST}, opSub: {VSUBPS, VSUBPS_BCST}, opMul: {VMULPS, VMULPS_BCST}, opDiv: {VDIVPS, VDIVPS_BCST},
		opMax: {VMAXPS, VMAXPS_BCST}, opMin: {VMINPS, VMINPS_BCST},
		opIntAdd: {VPADDD, VPADDD_BCST}, opIntSub: {VPSUBD, VPSUBD_BCST},
	}
	logic512 = map[op]binary{opAnd: {VPANDD, VPANDD_BCST}, opOr: {VPORD, VPORD_BCST}, opXor: {VPXORD, VPXORD_BCST}}
	logic256 = map[op]binary{opAnd: {full: three(VPAND)}, opOr: {full: three(VPOR)}, opXor: {full: three(VPXOR)}}
	fma231   = map[op]binary{opFMA: {VFMADD231PS, VFMADD231PS_BCST}, opFNMA: {VFNMADD231PS, VFNMADD231PS_BCST}}
	fma213   = map[op]binary{opFMA: {VFMADD213PS, VFMADD213PS_BCST}, opFNMA: {VFNMADD213PS, VFNMADD213PS_BCST}}
	fma132   = map[op]binary{opFMA: {VFMADD132PS, VFMADD132PS_BCST}, opFNMA: {VFNMADD132PS, VFNMADD132PS_BCST}}
)

func three(f func(a, b, c operand.Op)) func(...operand.Op) {
	return func(o ...operand.Op) { f(o[0], o[1], o[2]) }
}

func commutes(o op) bool {
	return o == opAdd || o == opMul || o == opIntAdd || o == opAnd || o == opOr || o == opXor
}

// do writes f with src, which may be in memory, first.
func (x *x86) do(f binary, v value, rest ...operand.Op) {
	src, memory := x.source(v)
	ops := append([]operand.Op{src}, rest...)
	if memory && x.masked {
		f.broadcast(ops...)
	} else {
		f.full(ops...)
	}
}

// loaded is v in a register; release gives it back if it was loaded for this.
func (x *x86) loaded(v value) (r reg.VecPhysical, release func()) {
	if !x.isMemory(v) {
		return x.inRegister(v), func() {}
	}
	t := x.take()
	VBROADCASTSS(vectorConstant(x.prog.code[v].n), x.register(t))
	return x.register(t), func() { x.give(t) }
}

func (x *x86) at(slice uint32) operand.Mem {
	return operand.Mem{Base: x.base[slice], Index: x.index, Scale: 1, Disp: x.offset}
}

// body writes the program for the current vector and adds to result k.
func (x *x86) body(k int) {
	x.in = map[value]int{}
	for i := range x.prog.code {
		x.instruction(i)
	}
	x.reduce(k)
}

// bodies writes the program for count vectors side by side, an instruction of
// each after the other, so that those of one pass the time in which the
// processor waits for the results of another's.
func (x *x86) bodies(count int) {
	x.others = make([]map[value]int, count)
	for k := range x.others {
		x.others[k] = map[value]int{}
	}
	for i := range x.prog.code {
		for k := range count {
			x.in, x.offset = x.others[k], 4*x.width*k
			x.instruction(i)
		}
	}
	x.others, x.offset = nil, 0
}

// instruction writes instruction i for the current vector.
func (x *x86) instruction(i int) {
	p, c, v := x.prog, x.prog.code[i], value(i)
	// A register of an operand that dies may take the result.
	retire := func() {
		seen := map[value]bool{}
		for _, u := range []value{c.a, c.b, c.c} {
			if p.dies(u, i) && !seen[u] {
				seen[u] = true
				if r, ok := x.in[u]; ok {
					x.give(r)
					delete(x.in, u)
				}
			}
		}
	}
	result := func() reg.VecPhysical {
		retire()
		x.in[v] = x.take()
		return x.register(x.in[v])
	}
	switch c.op {
	case opConst, opScalar:
	case opLoad:
		d := result()
		switch {
		case !x.tail:
			VMOVUPS(x.at(c.n), d)
		case x.masked:
			VMOVUPS_Z(x.at(c.n), reg.K1, d)
		default:
			VMASKMOVPS(x.at(c.n), x.mask, d)
		}
	case opStore:
		s := x.inRegister(c.a)
		switch {
		case !x.tail:
			VMOVUPS(s, x.at(c.n))
		case x.masked:
			VMOVUPS(s, reg.K1, x.at(c.n))
		default:
			VMASKMOVPS(s, x.mask, x.at(c.n))
		}
		retire()
	case opAdd, opSub, opMul, opDiv, opMax, opMin, opIntAdd, opIntSub, opAnd, opOr, opXor:
		f, ok := x86Binary[c.op]
		if !ok && x.masked {
			f = logic512[c.op]
		} else if !ok {
			f = logic256[c.op]
		}
		a, b := c.a, c.b
		if commutes(c.op) && x.isMemory(a) {
			a, b = b, a
		}
		ra, release := x.loaded(a)
		src, memory := x.source(b)
		release()
		d := result()
		if memory && x.masked {
			f.broadcast(src, ra, d)
		} else {
			f.full(src, ra, d)
		}
	case opFMA, opFNMA:
		x.fma(i, retire)
	case opShiftLeft, opShiftArithmetic:
		s := x.inRegister(c.a)
		d := result()
		if c.op == opShiftLeft {
			VPSLLD(operand.U8(c.n), s, d)
		} else {
			VPSRAD(operand.U8(c.n), s, d)
		}
	case opFraction:
		s := x.inRegister(c.a)
		VREDUCEPS(operand.U8(9), s, result())
	case opToFloat:
		s := x.inRegister(c.a)
		VCVTDQ2PS(s, result())
	case opScale:
		if x.masked {
			a, b := x.inRegister(c.a), x.inRegister(c.b)
			VSCALEFPS(b, a, result())
			break
		}
		// In two steps, since the factor may be no number: the first is exact.
		half, rest := x.register(x.take()), x.register(x.take())
		bias := vectorConstant(127)
		VCVTPS2DQ(x.inRegister(c.b), rest)
		VPSRAD(operand.U8(1), rest, half)
		VPSUBD(half, rest, rest)
		VPADDD(bias, half, half)
		VPADDD(bias, rest, rest)
		VPSLLD(operand.U8(23), half, half)
		VPSLLD(operand.U8(23), rest, rest)
		VMULPS(x.inRegister(c.a), half, half)
		a := result()
		VMULPS(rest, half, a)
		x.giveRegister(half)
		x.giveRegister(rest)
	case opLess:
		a, release := x.loaded(c.a)
		if x.masked {
			release()
			k := x.takeMask(v)
			if src, memory := x.source(c.b); memory {
				VCMPPS_BCST(operand.U8(17), src, a, k)
			} else {
				VCMPPS(operand.U8(17), src, a, k)
			}
			retire()
			break
		}
		src, _ := x.source(c.b)
		release()
		VCMPPS(operand.U8(17), src, a, result())
	case opPick:
		r, release := x.loaded(c.c)
		src, memory := x.source(c.b)
		release()
		if x.masked {
			k := x.maskRegs[x.in[c.a]]
			delete(x.in, c.a) // masks are picked by once or stay
			d := result()
			if memory {
				VBLENDMPS_BCST(src, r, k, d)
			} else {
				VBLENDMPS(src, r, k, d)
			}
			if p.lastUses[c.a] != i {
				x.in[c.a] = x.maskIndex(k)
			}
			break
		}
		m := x.inRegister(c.a)
		VBLENDVPS(m, src, r, result())
	}
}

// reduce adds the value that the kernel's result is made of to result k.
func (x *x86) reduce(k int) {
	p := x.prog
	if p.result == 0 {
		return
	}
	v, acc := x.inRegister(p.reduced), x.results[k]
	switch {
	case p.result == opAdd && !x.tail:
		VADDPS(v, acc, acc)
	case p.result == opAdd && x.masked:
		VADDPS(v, acc, reg.K1, acc)
	case p.result == opAdd:
		VANDPS(x.mask, v, v)
		VADDPS(v, acc, acc)
	// A NaN is passed over.
	case !x.tail:
		VMAXPS(acc, v, acc)
	case x.masked:
		VMAXPS(acc, v, reg.K1, acc)
	default:
		VBLENDVPS(x.mask, v, acc, v)
		VMAXPS(acc, v, acc)
	}
	if r, ok := x.in[p.reduced]; ok {
		x.give(r)
	}
}

func (x *x86) giveRegister(r reg.VecPhysical) {
	for i := range 16 {
		if x.register(i) == r {
			x.give(i)
		}
	}
}

func (x *x86) maskIndex(k reg.Register) int {
	for i, m := range x.maskRegs {
		if m == k {
			return i
		}
	}
	panic("no mask")
}

// takeMask gives the mask v a K register.
func (x *x86) takeMask(v value) reg.Register {
	used := map[int]bool{}
	for _, in := range append(x.others, x.in) {
		for u, r := range in {
			if x.prog.code[u].op == opLess {
				used[r] = true
			}
		}
	}
	for i, k := range x.maskRegs {
		if !used[i] {
			x.in[v] = i
			return k
		}
	}
	panic("no mask register left")
}

// fma writes a*b + c or c - a*b in the form that needs the fewest moves.
func (x *x86) fma(i int, retire func()) {
	p, c := x.prog, x.prog.code[i]
	v := value(i)
	keep := func(u value) { // u's register becomes the result's
		r := x.in[u]
		delete(x.in, u)
		retire()
		x.in[v] = r
	}
	alone := func(u value, others ...value) bool {
		if !p.dies(u, i) || p.code[u].op == opScalar {
			return false
		}
		for _, o := range others {
			if o == u {
				return false
			}
		}
		return true
	}
	a, b, s := c.a, c.b, c.c
	if x.isMemory(a) {
		a, b = b, a
	}
	switch {
	case x.isMemory(a): // both are
		panic(p.name + ": product of constants")
	case alone(s, a, b):
		x.do(fma231[c.op], b, x.inRegister(a), x.inRegister(s))
		keep(s)
	case alone(a, b, s) && !x.isMemory(b):
		x.do(fma213[c.op], s, x.inRegister(b), x.inRegister(a))
		keep(a)
	case alone(b, a, s):
		x.do(fma213[c.op], s, x.inRegister(a), x.inRegister(b))
		keep(b)
	case alone(a, b, s) && !x.isMemory(s):
		x.do(fma132[c.op], b, x.inRegister(s), x.inRegister(a))
		keep(a)
	default:
		t := x.take()
		if x.isMemory(s) {
			VBROADCASTSS(vectorConstant(p.code[s].n), x.register(t))
		} else {
			VMOVAPS(x.inRegister(s), x.register(t))
		}
		x.do(fma231[c.op], b, x.inRegister(a), x.register(t))
		retire()
		x.in[v] = t
	}
}

// writeX86 writes the kernel of p for an instruction set.
func writeX86(set vectors, p *program) {
	p.prune()
	x := &x86{vectors: set, prog: p}
	last := 15
	if set.masked {
		last = 31
		x.maskRegs = []reg.Register{reg.K2, reg.K3, reg.K4, reg.K5, reg.K6, reg.K7}
	}
	pin := func() reg.VecPhysical { last--; return x.register(last + 1) }
	signature := "func("
	for i, s := range p.slices {
		if i > 0 {
			signature += ", "
		}
		signature += s
	}
	signature += " []float32"
	for i, s := range p.scalars {
		signature += ", " + s
		if i == len(p.scalars)-1 {
			signature += " float32"
		}
	}
	signature += ")"
	if p.result != 0 {
		signature += " float32"
	}
	text(p.name+set.name, signature, p.name+set.name+" is "+p.doc+".")
	for i, s := range p.slices {
		r := []reg.GPPhysical{reg.RDI, reg.RSI, reg.RDX, reg.RBX}[i]
		Load(Param(s).Base(), r)
		x.base = append(x.base, r)
	}
	Load(Param(p.slices[0]).Len(), reg.RCX)
	XORQ(reg.RAX, reg.RAX)
	x.index = reg.RAX
	for _, s := range p.scalars {
		r := pin()
		a, err := Param(s).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSS(a.Addr, r)
		x.scalars = append(x.scalars, r)
	}
	if !set.masked {
		x.mask = pin()
	}
	unroll := max(1, p.unroll)
	if p.result != 0 {
		for range unroll {
			r := pin()
			x.results = append(x.results, r)
			switch {
			case p.result == opMax:
				VBROADCASTSS(vectorConstant(0xff800000), r)
			case set.masked:
				VPXORD(r, r, r)
			default:
				VXORPS(r, r, r)
			}
		}
	}
	for i := range x.pin(last) + 1 {
		x.free = append(x.free, i)
	}
	p.finish()
	w := set.width
	if unroll > 1 {
		SUBQ(operand.U32(unroll*w), reg.RCX)
		JLT(operand.LabelRef("few"))
		Label("many")
		if p.result == 0 {
			x.bodies(unroll)
		} else {
			for k := range unroll {
				x.offset = 4 * w * k
				x.body(k)
			}
			x.offset = 0
		}
		ADDQ(operand.U32(4*w*unroll), reg.RAX)
		SUBQ(operand.U32(unroll*w), reg.RCX)
		JGE(operand.LabelRef("many"))
		Label("few")
		ADDQ(operand.U32(unroll*w), reg.RCX)
	}
	SUBQ(operand.U32(w), reg.RCX)
	JLT(operand.LabelRef("rest"))
	Label("one")
	x.body(0)
	ADDQ(operand.U32(4*w), reg.RAX)
	SUBQ(operand.U32(w), reg.RCX)
	JGE(operand.LabelRef("one"))
	Label("rest")
	ADDQ(operand.U32(w), reg.RCX)
	JLE(operand.LabelRef("done"))
	if set.masked {
		MOVL(operand.U32(1), reg.R8L)
		SHLL(reg.CL, reg.R8L)
		DECL(reg.R8L)
		KMOVW(reg.R8L, reg.K1)
	} else {
		LEAQ(tailMasks(), reg.R8)
		NEGQ(reg.RCX)
		VMOVUPS(operand.Mem{Base: reg.R8, Index: reg.RCX, Scale: 4, Disp: 32}, x.mask)
	}
	x.tail = true
	x.body(0)
	Label("done")
	if p.result != 0 {
		combine := VADDPS
		if p.result == opMax {
			combine = VMAXPS
		}
		for k := unroll - 1; k > 0; k-- {
			combine(x.results[k], x.results[(k-1)/2], x.results[(k-1)/2])
		}
		x.across(x.results[0], combine)
		Store(reg.X0, ReturnIndex(0))
	}
	VZEROUPPER()
	RET()
}

// across leaves the sum or the largest of r's elements in X0; it changes X0
// and X1.
func (x *x86) across(r reg.VecPhysical, combine func(...operand.Op)) {
	if x.masked {
		VEXTRACTF64X4(operand.U8(1), r, reg.Y0)
		combine(r.AsY(), reg.Y0, reg.Y0)
	} else {
		VMOVAPS(r, reg.Y0)
	}
	VEXTRACTF128(operand.U8(1), reg.Y0, reg.X1)
	combine(reg.X1, reg.X0, reg.X0)
	VPERMILPS(operand.U8(0x4e), reg.X0, reg.X1)
	combine(reg.X1, reg.X0, reg.X0)
	VPERMILPS(operand.U8(0xb1), reg.X0, reg.X1)
	combine(reg.X1, reg.X0, reg.X0)
}
