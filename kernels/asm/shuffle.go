package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// shuffles writes the functions of shuffleKernels, which move elements, and
// maxBackward.
func shuffles() {
	// Halves of eight pairs are put in order by VPERMPD.
	text("splitAVX2", "func(even, odd, src *float32, rows, n, dstRow, srcRow int)", "splitAVX2 is splitPortable.")
	Load(Param("even"), reg.RDI)
	Load(Param("odd"), reg.RDX)
	Load(Param("src"), reg.RSI)
	pairs(func(at func(base reg.Register, vector int) operand.Mem) {
		VMOVUPS(at(reg.RSI, 0), reg.Y0)
		VMOVUPS(at(reg.RSI, 1), reg.Y1)
		VSHUFPS(operand.Imm(0x88), reg.Y1, reg.Y0, reg.Y2)
		VSHUFPS(operand.Imm(0xdd), reg.Y1, reg.Y0, reg.Y3)
		VPERMPD(operand.Imm(0xd8), reg.Y2, reg.Y2)
		VPERMPD(operand.Imm(0xd8), reg.Y3, reg.Y3)
		VMOVUPS(reg.Y2, at(reg.RDI, 0))
		VMOVUPS(reg.Y3, at(reg.RDX, 0))
	}, reg.RSI, reg.RDI, reg.RDX)

	text("mergeAVX2", "func(dst, even, odd *float32, rows, n, dstRow, srcRow int)", "mergeAVX2 is mergePortable.")
	Load(Param("dst"), reg.RDI)
	Load(Param("even"), reg.RSI)
	Load(Param("odd"), reg.RDX)
	pairs(func(at func(base reg.Register, vector int) operand.Mem) {
		VMOVUPS(at(reg.RSI, 0), reg.Y0)
		VMOVUPS(at(reg.RDX, 0), reg.Y1)
		VUNPCKLPS(reg.Y1, reg.Y0, reg.Y2)
		VUNPCKHPS(reg.Y1, reg.Y0, reg.Y3)
		VPERM2F128(operand.Imm(0x20), reg.Y3, reg.Y2, reg.Y0)
		VPERM2F128(operand.Imm(0x31), reg.Y3, reg.Y2, reg.Y1)
		VMOVUPS(reg.Y0, at(reg.RDI, 0))
		VMOVUPS(reg.Y1, at(reg.RDI, 1))
	}, reg.RDI, reg.RSI, reg.RDX)
}

// pairs emits the loop of a function over rows of n pairs, eight at a time:
// those at whole lie side by side, halves are of their first and second
// elements.
func pairs(body func(at func(base reg.Register, vector int) operand.Mem), whole reg.Register, halves ...reg.Register) {
	Load(Param("rows"), rows)
	Load(Param("n"), length)
	wholeRow, halfRow := "srcRow", "dstRow"
	if whole == reg.RDI {
		wholeRow, halfRow = halfRow, wholeRow
	}
	Load(Param(wholeRow), reg.R10)
	Load(Param(halfRow), reg.R11)
	TESTQ(rows, rows)
	JLE(operand.LabelRef("done"))
	Label("row")
	XORL(reg.EAX, reg.EAX)
	MOVQ(length, reg.RCX)
	SUBQ(operand.Imm(8), reg.RCX)
	JLT(operand.LabelRef("next"))
	Label("eight")
	body(func(base reg.Register, vector int) operand.Mem {
		m := operand.Mem{Base: base, Index: reg.RAX, Scale: 4, Disp: 32 * vector}
		if base == whole {
			m.Scale = 8
		}
		return m
	})
	ADDQ(operand.Imm(8), reg.RAX)
	SUBQ(operand.Imm(8), reg.RCX)
	JGE(operand.LabelRef("eight"))
	Label("next")
	ADDQ(reg.R10, whole)
	for _, h := range halves {
		ADDQ(reg.R11, h)
	}
	DECQ(rows)
	JNE(operand.LabelRef("row"))
	Label("done")
	VZEROUPPER()
	RET()
}

// maxBackward writes the step of the gradient of a largest element.
func (r *row) maxBackward() {
	text("maxBackward"+r.name, "func(dx, dy, x, y *float32, rows, n, dxRow, dyRow, xRow, yRow int)", "maxBackward"+r.name+" is maxBackwardPortable.")
	for i, name := range []string{"dx", "dy", "x", "y"} {
		Load(Param(name), operands[i].(reg.GPPhysical))
		Load(Param(name+"Row"), rowSteps[i].(reg.GPPhysical))
	}
	Load(Param("rows"), rows)
	Load(Param("n"), length)
	r.tails()
	TESTQ(rows, rows)
	JLE(operand.LabelRef("done"))
	Label("row")
	a, b, c, d := r.v(0), r.v(1), r.v(2), r.v(3)
	r.loop(func() {
		r.load(2, a)
		r.load(3, b)
		r.load(1, c)
		r.load(0, d)
		if r.masked { // predicates 8 and 12 are "equal or a NaN" and its contrary
			VCMPPS(operand.U8(8), a, b, spareMask)
			VADDPS(c, d, spareMask, d)
			VCMPPS(operand.U8(12), a, b, spareMask)
			VMOVAPS_Z(c, spareMask, c)
		} else {
			VCMPPS(operand.U8(8), a, b, a)
			VANDPS(c, a, b)
			VANDNPS(c, a, c)
			VADDPS(b, d, d)
		}
		r.store(d, 0)
		r.store(c, 1)
	})
	for i := range operands {
		ADDQ(rowSteps[i], operands[i])
	}
	DECQ(rows)
	JNE(operand.LabelRef("row"))
	Label("done")
	VZEROUPPER()
	RET()
}
