package main

import (
	"fmt"

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

// transposes writes the functions that transpose a band: block columns of
// rows that lie srcRow bytes apart become block rows, dstRow bytes apart.
func transposes() {
	for _, set := range vectorSets {
		r := &row{vectors: set}
		n := set.width
		text("transpose"+set.name, "func(dst, src *float32, rows, dstRow, srcRow int)", fmt.Sprintf("transpose%s is transposePortable(%d, dst, src, rows, dstRow, srcRow); rows is a multiple of %d.", set.name, n, n))
		Load(Param("dst"), reg.RDI)
		Load(Param("src"), reg.RSI)
		Load(Param("rows"), rows)
		Load(Param("dstRow"), reg.R9)
		Load(Param("srcRow"), reg.R12)
		SUBQ(operand.Imm(uint64(n)), rows)
		JLT(operand.LabelRef("done"))
		Label("block")
		for i := range n {
			VMOVUPS(operand.Mem{Base: reg.RSI}, r.v(i))
			ADDQ(reg.R12, reg.RSI)
		}
		first := n // registers of the first step's results
		for i := 0; i < n; i += 2 {
			VUNPCKLPS(r.v(i+1), r.v(i), r.v(first+i))
			VUNPCKHPS(r.v(i+1), r.v(i), r.v(first+i+1))
		}
		// Register 4g+c: column c of each quarter of rows 4g to 4g+3.
		for g := 0; g < n; g += 4 {
			VUNPCKLPD(r.v(first+g+2), r.v(first+g), r.v(g))
			VUNPCKHPD(r.v(first+g+2), r.v(first+g), r.v(g+1))
			VUNPCKLPD(r.v(first+g+3), r.v(first+g+1), r.v(g+2))
			VUNPCKHPD(r.v(first+g+3), r.v(first+g+1), r.v(g+3))
		}
		MOVQ(reg.RDI, reg.RAX)
		if n == 8 {
			for c := range 4 {
				VPERM2F128(operand.Imm(0x20), r.v(4+c), r.v(c), r.v(8+c))
				VPERM2F128(operand.Imm(0x31), r.v(4+c), r.v(c), r.v(12+c))
			}
		} else {
			for c := range 4 {
				VSHUFF32X4(operand.Imm(0x88), r.v(4+c), r.v(c), r.v(16+c))
				VSHUFF32X4(operand.Imm(0xdd), r.v(4+c), r.v(c), r.v(20+c))
				VSHUFF32X4(operand.Imm(0x88), r.v(12+c), r.v(8+c), r.v(24+c))
				VSHUFF32X4(operand.Imm(0xdd), r.v(12+c), r.v(8+c), r.v(28+c))
			}
			for c := range 4 {
				VSHUFF32X4(operand.Imm(0x88), r.v(24+c), r.v(16+c), r.v(c))
				VSHUFF32X4(operand.Imm(0x88), r.v(28+c), r.v(20+c), r.v(4+c))
				VSHUFF32X4(operand.Imm(0xdd), r.v(24+c), r.v(16+c), r.v(8+c))
				VSHUFF32X4(operand.Imm(0xdd), r.v(28+c), r.v(20+c), r.v(12+c))
			}
			first = 0
		}
		for i := range n {
			VMOVUPS(r.v(first+i), operand.Mem{Base: reg.RAX})
			if i < n-1 {
				ADDQ(reg.R9, reg.RAX)
			}
		}
		ADDQ(operand.Imm(uint64(4*n)), reg.RDI)
		SUBQ(operand.Imm(uint64(n)), rows)
		JGE(operand.LabelRef("block"))
		Label("done")
		VZEROUPPER()
		RET()
	}
}
