package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// attention writes the kernels of attention besides the tiles: see
// attention_portable.go in package kernels.
func attention() {
	for _, set := range []vectors{
		{name: "AVX512", width: 16, register: zmm, masked: true},
		{name: "AVX2", width: 8, register: ymm},
	} {
		scoreRows(set)
		transposeRows(set)
		dotRows(set)
	}
	attentionPanels()
}

// clear sets a register to 0.
func (v vectors) clear(r reg.VecPhysical) {
	if v.masked {
		VPXORD(r, r, r)
	} else {
		VXORPS(r, r, r)
	}
}

// scoreBlock is the number of rows of scores worked on together.
const scoreBlock = 8

// scoreRows writes the kernel that turns rows of scores into weights.
// Registers: DI the work, SI a row, R8 rows of a block, BX left of them, R9
// rows left, R10 largest, R11 next, R12 sums, R13 and R15 SI and R11 at the
// block's start, CX elements left, AX offset.
func scoreRows(set vectors) {
	text("scoreRows"+set.name, "func(t *scoreRows)", "scoreRows"+set.name+" is scoreRowsPortable(t).")
	mem := func(name string) operand.Mem { return field("scoreRows", name, reg.RDI) }
	Load(Param("t"), reg.RDI)

	weigh := &program{name: "scoreRows", avx512: set.masked, result: opAdd}
	weigh.reduced = weigh.exp2(weigh.fma(weigh.load(0), weigh.scalar(0), weigh.scalar(1)))
	weigh.store(0, weigh.reduced)
	weigh.finish()
	search := &program{name: "scoreRows", result: opMax}
	search.reduced = search.load(0)
	search.finish()

	top := 15
	if set.masked {
		top = 31
	}
	scale, shift, mask := set.register(top), set.register(top-1), set.register(top-2)
	sum := set.register(top - 3)
	results := []reg.VecPhysical{set.register(top - 4), set.register(top - 5), set.register(top - 6), set.register(top - 7)}
	writer := func(p *program, results []reg.VecPhysical) *x86 {
		x := &x86{vectors: set, prog: p, base: []reg.Register{reg.RSI}, index: reg.RAX, scalars: []reg.VecPhysical{scale, shift}, results: results, mask: mask}
		for i := range x.pin(top-8) + 1 {
			x.free = append(x.free, i)
		}
		return x
	}
	w, s := writer(weigh, []reg.VecPhysical{sum}), writer(search, results)
	s.free = w.free

	VBROADCASTSS(mem("scale"), scale)
	MOVQ(mem("scores"), reg.RSI)
	MOVQ(mem("rows"), reg.R9)
	MOVQ(mem("largest"), reg.R10)
	MOVQ(mem("next"), reg.R11)
	MOVQ(mem("sum"), reg.R12)
	MOVQ(mem("cols"), reg.RCX)
	ANDL(operand.U32(set.width-1), reg.ECX)
	if set.masked {
		MOVL(operand.U32(1), reg.R8L)
		SHLL(reg.CL, reg.R8L)
		DECL(reg.R8L)
		KMOVW(reg.R8L, reg.K1)
	} else {
		LEAQ(tailMasks(), reg.R8)
		NEGQ(reg.RCX)
		VMOVUPS(operand.Mem{Base: reg.R8, Index: reg.RCX, Scale: 4, Disp: 32}, mask)
	}

	// pass writes the loop over a row.
	pass := func(x *x86, name string, unroll int) {
		XORQ(reg.RAX, reg.RAX)
		MOVQ(mem("cols"), reg.RCX)
		for _, u := range []int{unroll, 1} {
			step := u * set.width
			loop, end := name+"many", name+"few"
			if u == 1 {
				loop, end = name+"one", name+"rest"
			}
			SUBQ(operand.U32(step), reg.RCX)
			JLT(operand.LabelRef(end))
			Label(loop)
			for k := range u {
				x.offset = 4 * set.width * k
				x.body(k % len(x.results))
			}
			x.offset = 0
			ADDQ(operand.U32(4*step), reg.RAX)
			SUBQ(operand.U32(step), reg.RCX)
			JGE(operand.LabelRef(loop))
			Label(end)
			ADDQ(operand.U32(step), reg.RCX)
		}
		JEQ(operand.LabelRef(name + "done"))
		x.tail = true
		x.body(0)
		x.tail = false
		Label(name + "done")
	}

	// The largest of some rows first, and then their weights: a row's weights
	// would have to wait for the end of the search.
	Label("rows")
	MOVQ(operand.U32(scoreBlock), reg.R8)
	CMPQ(reg.R9, reg.R8)
	CMOVQLT(reg.R9, reg.R8)
	MOVQ(reg.R8, reg.RBX)
	MOVQ(reg.RSI, reg.R13)
	MOVQ(reg.R11, reg.R15)
	Label("search")
	lowest := vectorConstant(0xff800000)
	VBROADCASTSS(lowest, results[0])
	for _, r := range results[1:] {
		VMOVAPS(results[0], r)
	}
	pass(s, "search", 4)
	VMAXPS(results[3], results[1], results[1])
	VMAXPS(results[2], results[0], results[0])
	VMAXPS(results[1], results[0], results[0])
	s.across(results[0], VMAXPS)
	VMAXSS(operand.Mem{Base: reg.R10}, reg.X0, reg.X0)
	VMOVSS(reg.X0, operand.Mem{Base: reg.R11})
	ADDQ(mem("stride"), reg.RSI)
	ADDQ(operand.Imm(4), reg.R10)
	ADDQ(operand.Imm(4), reg.R11)
	DECQ(reg.RBX)
	JNE(operand.LabelRef("search"))

	MOVQ(reg.R8, reg.RBX)
	MOVQ(reg.R13, reg.RSI)
	MOVQ(reg.R15, reg.R11)
	Label("weigh")
	// shift = -largest*scale, but 0 if all is -Inf.
	largest := set.register(2)
	VBROADCASTSS(operand.Mem{Base: reg.R11}, largest)
	set.clear(shift)
	if set.masked {
		VCMPPS_BCST(operand.U8(4), lowest, largest, reg.K2)
		VFNMADD231PS(scale, largest, reg.K2, shift)
	} else {
		VCMPPS(operand.U8(4), lowest, largest, set.register(3))
		VFNMADD231PS(scale, largest, shift)
		VANDPS(set.register(3), shift, shift)
	}
	set.clear(sum)
	pass(w, "weigh", 2)
	w.across(sum, VADDPS)
	VMOVSS(reg.X0, operand.Mem{Base: reg.R12})
	ADDQ(mem("stride"), reg.RSI)
	ADDQ(operand.Imm(4), reg.R11)
	ADDQ(operand.Imm(4), reg.R12)
	DECQ(reg.RBX)
	JNE(operand.LabelRef("weigh"))
	SUBQ(reg.R8, reg.R9)
	JNE(operand.LabelRef("rows"))
	VZEROUPPER()
	RET()
}

// transposeRows writes the kernel that transposes as many rows as a vector
// has elements, four columns at a time: lane l of register i takes four
// columns of row 4l+i, and the lanes are transposed each by itself.
func transposeRows(set vectors) {
	text("transposeRows"+set.name, "func(t *transposeRows)", "transposeRows"+set.name+" is transposeRowsPortable(t), of "+map[int]string{16: "16", 8: "8"}[set.width]+" rows.")
	mem := func(name string) operand.Mem { return field("transposeRows", name, reg.RDI) }
	Load(Param("t"), reg.RDI)
	MOVQ(mem("src"), reg.RSI)
	MOVQ(mem("dst"), reg.RDX)
	MOVQ(mem("stride"), reg.R8)
	MOVQ(mem("width"), reg.R9)
	MOVQ(mem("fours"), reg.RCX)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 2}, reg.R10)
	LEAQ(operand.Mem{Base: reg.R9, Index: reg.R9, Scale: 2}, reg.RBX)
	lanes := []reg.GPPhysical{reg.RSI, reg.R11, reg.R12, reg.R13}[:set.width/4]
	for l, r := range lanes[1:] {
		LEAQ(operand.Mem{Base: lanes[l], Index: reg.R8, Scale: 4}, r)
	}
	if set.masked {
		for i, k := range []reg.Register{reg.K1, reg.K2, reg.K3} {
			MOVL(operand.U32(0xf0<<(4*i)), reg.EAX)
			KMOVW(reg.EAX, k)
		}
	}
	row := func(lane, i int) operand.Mem {
		m := operand.Mem{Base: lanes[lane]}
		switch i {
		case 1, 2:
			m.Index, m.Scale = reg.R8, uint8(i)
		case 3:
			m.Index, m.Scale = reg.R10, 1
		}
		return m
	}
	Label("four")
	r := set.register
	for i := range 4 {
		VMOVUPS(row(0, i), r(i).AsX())
		if !set.masked {
			VINSERTF128(operand.U8(1), row(1, i), r(i), r(i))
			continue
		}
		for l, k := range []reg.Register{reg.K1, reg.K2, reg.K3} {
			VBROADCASTF32X4(row(l+1, i), k, r(i))
		}
	}
	VUNPCKLPS(r(1), r(0), r(4))
	VUNPCKHPS(r(1), r(0), r(5))
	VUNPCKLPS(r(3), r(2), r(6))
	VUNPCKHPS(r(3), r(2), r(7))
	VUNPCKLPD(r(6), r(4), r(0))
	VUNPCKHPD(r(6), r(4), r(1))
	VUNPCKLPD(r(7), r(5), r(2))
	VUNPCKHPD(r(7), r(5), r(3))
	VMOVUPS(r(0), operand.Mem{Base: reg.RDX})
	VMOVUPS(r(1), operand.Mem{Base: reg.RDX, Index: reg.R9, Scale: 1})
	VMOVUPS(r(2), operand.Mem{Base: reg.RDX, Index: reg.R9, Scale: 2})
	VMOVUPS(r(3), operand.Mem{Base: reg.RDX, Index: reg.RBX, Scale: 1})
	LEAQ(operand.Mem{Base: reg.RDX, Index: reg.R9, Scale: 4}, reg.RDX)
	for _, l := range lanes {
		ADDQ(operand.Imm(16), l)
	}
	DECQ(reg.RCX)
	JNE(operand.LabelRef("four"))
	VZEROUPPER()
	RET()
}

// dotRows writes the kernel of dot products of a vector with rows, four rows
// at a time, which streams another block of rows into the cache besides.
func dotRows(set vectors) {
	text("dotRows"+set.name, "func(t *dotRows)", "dotRows"+set.name+" is dotRowsPortable(t).")
	mem := func(name string) operand.Mem { return field("dotRows", name, reg.RDI) }
	Load(Param("t"), reg.RDI)
	MOVQ(mem("b"), reg.RSI)
	MOVQ(mem("bRow"), reg.R8)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 2}, reg.R9)
	MOVQ(mem("prefetch"), reg.R10)
	MOVQ(mem("prefetchRow"), reg.R11)
	LEAQ(operand.Mem{Base: reg.R11, Index: reg.R11, Scale: 2}, reg.R12)
	MOVQ(mem("dst"), reg.RDX)
	MOVQ(mem("rows"), reg.R13)
	MOVQ(mem("n"), reg.RCX)
	mask := ymm(15)
	ANDL(operand.U32(set.width-1), reg.ECX)
	if set.masked {
		MOVL(operand.U32(1), reg.EAX)
		SHLL(reg.CL, reg.EAX)
		DECL(reg.EAX)
		KMOVW(reg.EAX, reg.K1)
	} else {
		LEAQ(tailMasks(), reg.RAX)
		NEGQ(reg.RCX)
		VMOVUPS(operand.Mem{Base: reg.RAX, Index: reg.RCX, Scale: 4, Disp: 32}, mask)
	}
	q, x := set.register(4), set.register(5)
	block := func(name string, rows int) {
		at := func(base, one, three reg.Register, i int) operand.Mem {
			m := operand.Mem{Base: base}
			switch i {
			case 1, 2:
				m.Index, m.Scale = one, uint8(i)
			case 3:
				m.Index, m.Scale = three, 1
			}
			return m
		}
		Label(name)
		for i := range rows {
			set.clear(set.register(i))
		}
		MOVQ(mem("a"), reg.RBX)
		MOVQ(mem("n"), reg.RCX)
		MOVQ(reg.RSI, reg.RAX)
		MOVQ(reg.R10, reg.R15)
		SUBQ(operand.U32(set.width), reg.RCX)
		JLT(operand.LabelRef(name + "rest"))
		Label(name + "vector")
		VMOVUPS(operand.Mem{Base: reg.RBX}, q)
		for i := range rows {
			VFMADD231PS(at(reg.RAX, reg.R8, reg.R9, i), q, set.register(i))
		}
		for i := range rows {
			PREFETCHT0(at(reg.R15, reg.R11, reg.R12, i))
		}
		for _, r := range []reg.Register{reg.RBX, reg.RAX, reg.R15} {
			ADDQ(operand.U32(4*set.width), r)
		}
		SUBQ(operand.U32(set.width), reg.RCX)
		JGE(operand.LabelRef(name + "vector"))
		Label(name + "rest")
		ADDQ(operand.U32(set.width), reg.RCX)
		JEQ(operand.LabelRef(name + "sum"))
		if set.masked {
			VMOVUPS_Z(operand.Mem{Base: reg.RBX}, reg.K1, q)
		} else {
			VMASKMOVPS(operand.Mem{Base: reg.RBX}, mask, q)
		}
		for i := range rows {
			if set.masked {
				VMOVUPS_Z(at(reg.RAX, reg.R8, reg.R9, i), reg.K1, x)
			} else {
				VMASKMOVPS(at(reg.RAX, reg.R8, reg.R9, i), mask, x)
			}
			VFMADD231PS(x, q, set.register(i))
		}
		Label(name + "sum")
		if set.masked {
			for i := range rows {
				VEXTRACTF64X4(operand.U8(1), zmm(i), reg.Y6)
				VADDPS(reg.Y6, ymm(i), ymm(i))
			}
		}
		if rows == 4 {
			VHADDPS(reg.Y1, reg.Y0, reg.Y0)
			VHADDPS(reg.Y3, reg.Y2, reg.Y2)
			VHADDPS(reg.Y2, reg.Y0, reg.Y0)
		} else {
			VHADDPS(reg.Y0, reg.Y0, reg.Y0)
			VHADDPS(reg.Y0, reg.Y0, reg.Y0)
		}
		VEXTRACTF128(operand.U8(1), reg.Y0, reg.X1)
		VADDPS(reg.X1, reg.X0, reg.X0)
		if rows == 4 {
			VMOVUPS(reg.X0, operand.Mem{Base: reg.RDX})
		} else {
			VMOVSS(reg.X0, operand.Mem{Base: reg.RDX})
		}
	}
	SUBQ(operand.Imm(4), reg.R13)
	JLT(operand.LabelRef("few"))
	block("four", 4)
	LEAQ(operand.Mem{Base: reg.RSI, Index: reg.R8, Scale: 4}, reg.RSI)
	LEAQ(operand.Mem{Base: reg.R10, Index: reg.R11, Scale: 4}, reg.R10)
	ADDQ(operand.Imm(16), reg.RDX)
	SUBQ(operand.Imm(4), reg.R13)
	JGE(operand.LabelRef("four"))
	Label("few")
	ADDQ(operand.Imm(4), reg.R13)
	JEQ(operand.LabelRef("done"))
	block("one", 1)
	ADDQ(reg.R8, reg.RSI)
	ADDQ(reg.R11, reg.R10)
	ADDQ(operand.Imm(4), reg.RDX)
	DECQ(reg.R13)
	JNE(operand.LabelRef("one"))
	Label("done")
	VZEROUPPER()
	RET()
}
