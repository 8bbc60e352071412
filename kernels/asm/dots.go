package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dots writes the dot kernels: see type dots and dotsPortable in package
// kernels.
func dots() {
	for rows := 1; rows <= 6; rows++ {
		(&dotKernel{name: "AVX512", rows: rows, width: 16, register: zmm, masked: true}).generate()
	}
	for rows := 1; rows <= 2; rows++ {
		(&dotKernel{name: "AVX2", rows: rows, width: 8, register: ymm}).generate()
	}
}

// dotKernel generates the kernel of some rows. Registers:
//
//	DI  the work        BX, DX, R11, R12  columns of B
//	SI  A               R8, R9, R10       aRow times 1, 3, 5
//	AX  position in B   CX                elements left
//	R13 segments left   R14, R15          offset of the segment in A and in B
//
// The sum of row i and column j is in register 4i+j; after the sums come four
// registers for B and one or two for A.
type dotKernel struct {
	name     string
	rows     int
	width    int
	register func(i int) reg.VecPhysical
	masked   bool
}

func (k *dotKernel) mem(name string) operand.Mem { return field("dots", name, reg.RDI) }

var dotBases = []reg.GPPhysical{reg.RBX, reg.RDX, reg.R11, reg.R12}

// step multiplies a vector of every row and column; load fetches it.
func (k *dotKernel) step(load func(at operand.Mem, dst reg.VecPhysical)) {
	b := 4 * k.rows
	if !k.masked {
		b = 8
	}
	for j, base := range dotBases {
		load(operand.Mem{Base: base, Index: reg.RAX, Scale: 1}, k.register(b+j))
	}
	for i := range k.rows {
		a := k.register(b + 4 + i%2)
		load(rowAt(reg.RSI, reg.R8, reg.R9, reg.R10, i, 0), a)
		for j := range dotBases {
			VFMADD231PS(k.register(b+j), a, k.register(4*i+j))
		}
	}
}

func (k *dotKernel) generate() {
	text(fmt.Sprintf("dots%d%s", k.rows, k.name), "func(t *dots)",
		fmt.Sprintf("dots%d%s is dotsPortable with t.rows = %d.", k.rows, k.name, k.rows))
	Load(Param("t"), reg.RDI)
	MOVQ(k.mem("aRow"), reg.R8)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 2}, reg.R9)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 4}, reg.R10)
	MOVQ(k.mem("segments"), reg.R13)
	XORQ(reg.R14, reg.R14)
	XORQ(reg.R15, reg.R15)
	for i := range 4 * k.rows {
		if k.masked {
			VPXORD(k.register(i), k.register(i), k.register(i))
		} else {
			VXORPS(k.register(i), k.register(i), k.register(i))
		}
	}
	// The masks of the last vector and of the columns.
	if k.masked {
		for _, m := range []struct {
			field string
			low   uint64
			k     reg.Register
		}{{"length", 15, reg.K1}, {"columns", 7, reg.K2}} {
			MOVQ(k.mem(m.field), reg.RCX)
			ANDQ(operand.Imm(m.low), reg.RCX)
			MOVL(operand.U32(1), reg.EAX)
			SHLL(reg.CL, reg.EAX)
			DECL(reg.EAX)
			KMOVW(reg.EAX, m.k)
		}
	} else {
		LEAQ(tailMasks(), reg.RAX)
		MOVQ(k.mem("length"), reg.RCX)
		ANDQ(operand.Imm(7), reg.RCX)
		NEGQ(reg.RCX)
		VMOVUPS(operand.Mem{Base: reg.RAX, Index: reg.RCX, Scale: 4, Disp: 32}, reg.Y15)
		MOVQ(k.mem("columns"), reg.RCX)
		NEGQ(reg.RCX)
		VMOVUPS(operand.Mem{Base: reg.RAX, Index: reg.RCX, Scale: 4, Disp: 32}, reg.X14)
	}

	Label("segment")
	MOVQ(k.mem("a"), reg.RSI)
	ADDQ(reg.R14, reg.RSI)
	MOVQ(k.mem("b"), reg.RAX)
	ADDQ(reg.R15, reg.RAX)
	columns := k.mem("bColumn")
	for _, base := range dotBases {
		MOVQ(columns, base)
		columns.Disp += 8
	}
	MOVQ(k.mem("length"), reg.RCX)
	SUBQ(operand.Imm(uint64(k.width)), reg.RCX)
	JLT(operand.LabelRef("rest"))

	Label("loop")
	k.step(func(at operand.Mem, dst reg.VecPhysical) { VMOVUPS(at, dst) })
	ADDQ(operand.Imm(uint64(4*k.width)), reg.RSI)
	ADDQ(operand.Imm(uint64(4*k.width)), reg.RAX)
	SUBQ(operand.Imm(uint64(k.width)), reg.RCX)
	JGE(operand.LabelRef("loop"))

	Label("rest")
	ADDQ(operand.Imm(uint64(k.width)), reg.RCX)
	JEQ(operand.LabelRef("next"))
	k.step(func(at operand.Mem, dst reg.VecPhysical) {
		if k.masked {
			VMOVUPS_Z(at, reg.K1, dst)
		} else {
			VMASKMOVPS(at, reg.Y15, dst)
		}
	})
	Label("next")
	ADDQ(k.mem("aSegment"), reg.R14)
	ADDQ(k.mem("bSegment"), reg.R15)
	DECQ(reg.R13)
	JNE(operand.LabelRef("segment"))

	MOVQ(k.mem("c"), reg.RSI)
	MOVQ(k.mem("cRow"), reg.R8)
	for i := range k.rows {
		for j := range dotColumns {
			sum := k.register(4*i + j)
			to := []reg.VecPhysical{reg.X0, reg.X1, reg.X2, reg.X3}[j]
			if k.masked {
				VEXTRACTF64X4(operand.Imm(1), sum, reg.Y30)
				VADDPS(reg.Y30, sum.AsY(), reg.Y31)
				VEXTRACTF32X4(operand.Imm(1), reg.Y31, reg.X30)
				VADDPS(reg.X30, reg.X31, to)
			} else {
				VEXTRACTF128(operand.Imm(1), sum, reg.X12)
				VADDPS(reg.X12, sum.AsX(), to)
			}
		}
		VHADDPS(reg.X1, reg.X0, reg.X0)
		VHADDPS(reg.X3, reg.X2, reg.X2)
		VHADDPS(reg.X2, reg.X0, reg.X0)
		at := operand.Mem{Base: reg.RSI}
		if k.masked {
			VADDPS(at, reg.X0, reg.K2, reg.X0)
			VMOVUPS(reg.X0, reg.K2, at)
		} else {
			VMASKMOVPS(at, reg.X14, reg.X1)
			VADDPS(reg.X1, reg.X0, reg.X0)
			VMASKMOVPS(reg.X0, reg.X14, at)
		}
		ADDQ(reg.R8, reg.RSI)
	}
	VZEROUPPER()
	RET()
}

// dotColumns is the constant of that name in package kernels.
const dotColumns = 4
