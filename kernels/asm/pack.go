package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// pack writes the kernels that lay operands of matrix multiplication out: see
// type packer in package kernels.
func pack() {
	for _, set := range []vectors{avx512Vectors, avx2Vectors} {
		copyPanels(set)
	}
	copyRows()
	transpose4()
}

// copyPanels copies rows of panels of two vectors.
func copyPanels(set vectors) {
	const ahead = 2 // rows that are fetched ahead
	name := "copyPanels" + set.name
	text(name, "func(dst *float32, step int, src *float32, ld, rows, panels int)",
		fmt.Sprintf("%s is copyPanelsPortable(%d).", name, 2*set.width))
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	step, ld := Load(Param("step"), GP64()), Load(Param("ld"), GP64())
	rows, panels := Load(Param("rows"), GP64()), Load(Param("panels"), GP64())
	SHLQ(operand.Imm(2), step)
	SHLQ(operand.Imm(2), ld)
	to, from, left := GP64(), GP64(), GP64()
	Label("row")
	MOVQ(dst, to)
	MOVQ(src, from)
	MOVQ(panels, left)
	Label("panel")
	bytes := 4 * set.width
	for i := range 2 {
		VMOVUPS(operand.Mem{Base: from, Disp: i * bytes}, set.register(i))
		if i*bytes%64 == 0 {
			PREFETCHT0(operand.Mem{Base: from, Index: ld, Scale: ahead, Disp: i * bytes})
		}
	}
	for i := range 2 {
		VMOVUPS(set.register(i), operand.Mem{Base: to, Disp: i * bytes})
	}
	ADDQ(operand.Imm(uint64(2*bytes)), from)
	ADDQ(step, to)
	DECQ(left)
	JNE(operand.LabelRef("panel"))
	ADDQ(ld, src)
	ADDQ(operand.Imm(uint64(2*bytes)), dst)
	DECQ(rows)
	JNE(operand.LabelRef("row"))
	VZEROUPPER()
	RET()
}

// copyRows copies up to 16 elements a row, through masks.
func copyRows() {
	masks := GLOBL("packMasks", attr.RODATA|attr.NOPTR)
	for i := range 32 { // ones, then as many zeros
		DATA(4*i, operand.U32(math.MaxUint32*uint32(1-i/16)))
	}
	text("copyRowsAVX2", "func(dst, src *float32, width, ld int, offsets *int, count, n int)",
		"copyRowsAVX2 is copyRowsPortable.")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	width, ld := Load(Param("width"), GP64()), Load(Param("ld"), GP64())
	offsets, count, n := Load(Param("offsets"), GP64()), Load(Param("count"), GP64()), Load(Param("n"), GP64())
	mask := GP64()
	LEAQ(masks, mask)
	NEGQ(n)
	VMOVUPS(operand.Mem{Base: mask, Index: n, Scale: 4, Disp: 64}, reg.Y0)
	VMOVUPS(operand.Mem{Base: mask, Index: n, Scale: 4, Disp: 96}, reg.Y1)
	SHLQ(operand.Imm(2), width)
	SHLQ(operand.Imm(2), ld)
	from := GP64()
	move := func() {
		for i, m := range []reg.VecPhysical{reg.Y0, reg.Y1} {
			x := []reg.VecPhysical{reg.Y2, reg.Y3}[i]
			VMASKMOVPS(operand.Mem{Base: from, Disp: 32 * i}, m, x)
			VMASKMOVPS(x, m, operand.Mem{Base: dst, Disp: 32 * i})
		}
	}
	TESTQ(offsets, offsets)
	JNE(operand.LabelRef("listed"))
	MOVQ(src, from)
	Label("row")
	move()
	ADDQ(ld, from)
	ADDQ(width, dst)
	DECQ(count)
	JNE(operand.LabelRef("row"))
	VZEROUPPER()
	RET()
	Label("listed")
	MOVQ(operand.Mem{Base: offsets}, from)
	LEAQ(operand.Mem{Base: src, Index: from, Scale: 4}, from)
	move()
	ADDQ(operand.Imm(8), offsets)
	ADDQ(width, dst)
	DECQ(count)
	JNE(operand.LabelRef("listed"))
	VZEROUPPER()
	RET()
}

// transpose4 transposes four rows, eight elements at a time.
func transpose4() {
	text("transpose4AVX2", "func(dst, r0, r1, r2, r3 *float32, width, n int)",
		"transpose4AVX2 is transpose4Portable.")
	dst := Load(Param("dst"), GP64())
	var rows [4]reg.Register
	for i := range rows {
		rows[i] = Load(Param(fmt.Sprintf("r%d", i)), GP64())
	}
	width, n := Load(Param("width"), GP64()), Load(Param("n"), GP64())
	three := GP64()
	SHLQ(operand.Imm(2), width)
	LEAQ(operand.Mem{Base: width, Index: width, Scale: 2}, three)
	// at is row i of four at dst.
	at := func(i int) operand.Mem { return rowAt(dst, width, three, nil, i, 0) }
	advance := func(bytes uint64) {
		for _, r := range rows {
			ADDQ(operand.Imm(bytes), r)
		}
	}
	// block leaves four columns in registers 0 to 3.
	block := func(register func(int) reg.VecPhysical) {
		x := register
		for i, r := range rows {
			VMOVUPS(operand.Mem{Base: r}, x(i))
		}
		VUNPCKLPS(x(1), x(0), x(4))
		VUNPCKHPS(x(1), x(0), x(5))
		VUNPCKLPS(x(3), x(2), x(6))
		VUNPCKHPS(x(3), x(2), x(7))
		VUNPCKLPD(x(6), x(4), x(0))
		VUNPCKHPD(x(6), x(4), x(1))
		VUNPCKLPD(x(7), x(5), x(2))
		VUNPCKHPD(x(7), x(5), x(3))
	}
	SUBQ(operand.Imm(8), n)
	JLT(operand.LabelRef("four"))
	Label("eight")
	block(ymm)
	for i := range 4 {
		VMOVUPS(xmm(i), at(i))
	}
	LEAQ(operand.Mem{Base: dst, Index: width, Scale: 4}, dst)
	for i := range 4 {
		VEXTRACTF128(operand.Imm(1), ymm(i), at(i))
	}
	LEAQ(operand.Mem{Base: dst, Index: width, Scale: 4}, dst)
	advance(32)
	SUBQ(operand.Imm(8), n)
	JGE(operand.LabelRef("eight"))
	Label("four")
	ADDQ(operand.Imm(4), n)
	JLT(operand.LabelRef("rest"))
	block(xmm)
	for i := range 4 {
		VMOVUPS(xmm(i), at(i))
	}
	LEAQ(operand.Mem{Base: dst, Index: width, Scale: 4}, dst)
	advance(16)
	SUBQ(operand.Imm(4), n)
	Label("rest")
	ADDQ(operand.Imm(4), n)
	JEQ(operand.LabelRef("done"))
	Label("one")
	x := GP32()
	for i, r := range rows {
		MOVL(operand.Mem{Base: r}, x)
		MOVL(x, operand.Mem{Base: dst, Disp: 4 * i})
	}
	ADDQ(width, dst)
	advance(4)
	DECQ(n)
	JNE(operand.LabelRef("one"))
	Label("done")
	VZEROUPPER()
	RET()
}
