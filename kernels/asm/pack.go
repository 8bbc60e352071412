package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

// pack writes the kernels that lay operands of matrix multiplication out: see
// type packer in package kernels.
func pack() {
	for _, set := range []vectors{avx512Vectors, avx2Vectors} {
		copyPanels(set)
	}
}

// copyPanels copies rows of panels of two vectors.
func copyPanels(set vectors) {
	const ahead = 4 // rows that are fetched ahead
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
