package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// layout writes the transposing kernels: see type transposition and
// transposeBlocksPortable in package kernels.
//
// A vector gets four adjacent elements of every fourth row, 128 bits each;
// four such vectors are then transposed within their 128-bit lanes.
func layout() {
	for _, set := range []vectors{
		{name: "AVX512", width: 16, register: zmm},
		{name: "AVX2", width: 8, register: ymm},
	} {
		text("transposeBlocks"+set.name, "func(t *transposition)",
			fmt.Sprintf("transposeBlocks%s is transposeBlocksPortable(t, %d).", set.name, set.width))
		Load(Param("t"), reg.RDI)
		at := func(name string) operand.Mem { return field("transposition", name, reg.RDI) }
		MOVQ(at("dst"), reg.RDX)
		MOVQ(at("src"), reg.RSI)
		MOVQ(at("count"), reg.RCX)
		MOVQ(at("dstStep"), reg.R8)
		MOVQ(at("srcStep"), reg.R9)
		Label("square")
		// Vector 4*q+r gets columns 4q to 4q+3 of rows r, r+4, r+8, ...
		for row := range set.width {
			rows := at("srcRows")
			rows.Disp += 8 * row
			MOVQ(rows, reg.RAX)
			for q := range set.width / 4 {
				from := operand.Mem{Base: reg.RSI, Index: reg.RAX, Scale: 1, Disp: 16 * q}
				to := set.register(4*q + row%4)
				switch lane := row / 4; {
				case lane == 0:
					VMOVUPS(from, xmm(4*q+row%4))
				case set.width == 16:
					VINSERTF32X4(operand.Imm(uint64(lane)), from, to, to)
				default:
					VINSERTF128(operand.Imm(uint64(lane)), from, to, to)
				}
			}
		}
		spare := set.width
		for q := range set.width / 4 {
			var x, y [4]reg.VecPhysical
			for i := range x {
				x[i], y[i] = set.register(4*q+i), set.register(spare+i)
			}
			VUNPCKLPS(x[1], x[0], y[0])
			VUNPCKHPS(x[1], x[0], y[1])
			VUNPCKLPS(x[3], x[2], y[2])
			VUNPCKHPS(x[3], x[2], y[3])
			VUNPCKLPD(y[2], y[0], x[0])
			VUNPCKHPD(y[2], y[0], x[1])
			VUNPCKLPD(y[3], y[1], x[2])
			VUNPCKHPD(y[3], y[1], x[3])
		}
		for row := set.width - 1; row >= 0; row-- {
			rows := at("dstRows")
			rows.Disp += 8 * row
			MOVQ(rows, reg.RAX)
			VMOVUPS(set.register(row), operand.Mem{Base: reg.RDX, Index: reg.RAX, Scale: 1})
		}
		ADDQ(reg.R8, reg.RDX)
		ADDQ(reg.R9, reg.RSI)
		DECQ(reg.RCX)
		JNE(operand.LabelRef("square"))
		VZEROUPPER()
		RET()
	}
}

func xmm(i int) reg.VecPhysical {
	return []reg.VecPhysical{
		reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7,
		reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14, reg.X15,
	}[i]
}
