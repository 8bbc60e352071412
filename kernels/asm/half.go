package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// half writes the conversions between half-precision types and float32: see
// halfKernels in package kernels. They work on sixteen elements at a time with
// AVX2 and F16C, which is as fast as memory.
func half() {
	convert := func(name, signature string, constants func(), body func(dst, src func(bytes int) operand.Mem), dstSize, srcSize int) {
		text(name+"AVX2", signature, name+"AVX2 is "+name+" of n elements, a multiple of 16.")
		Load(Param("dst"), reg.RDI)
		Load(Param("src"), reg.RSI)
		Load(Param("n"), reg.RCX)
		constants()
		at := func(base reg.Register) func(bytes int) operand.Mem {
			return func(bytes int) operand.Mem { return operand.Mem{Base: base, Disp: bytes} }
		}
		SUBQ(operand.Imm(16), reg.RCX)
		JLT(operand.LabelRef("done"))
		Label("sixteen")
		body(at(reg.RDI), at(reg.RSI))
		ADDQ(operand.Imm(uint64(16*dstSize)), reg.RDI)
		ADDQ(operand.Imm(uint64(16*srcSize)), reg.RSI)
		SUBQ(operand.Imm(16), reg.RCX)
		JGE(operand.LabelRef("sixteen"))
		Label("done")
		VZEROUPPER()
		RET()
	}
	const narrow, widen = "func(dst *uint16, src *float32, n int)", "func(dst *float32, src *uint16, n int)"
	none := func() {}

	convert("float16FromFloat32", narrow, none, func(dst, src func(int) operand.Mem) {
		for i := range 2 {
			VMOVUPS(src(32*i), ymm(i))
			VCVTPS2PH(operand.Imm(0), ymm(i), dst(16*i)) // to nearest even
		}
	}, 2, 4)
	convert("float32FromFloat16", widen, none, func(dst, src func(int) operand.Mem) {
		for i := range 2 {
			VCVTPH2PS(src(16*i), ymm(i))
			VMOVUPS(ymm(i), dst(32*i))
		}
	}, 4, 2)
	convert("float32FromBfloat16", widen, none, func(dst, src func(int) operand.Mem) {
		for i := range 2 {
			VPMOVZXWD(src(16*i), ymm(i))
			VPSLLD(operand.Imm(16), ymm(i), ymm(i))
			VMOVDQU(ymm(i), dst(32*i))
		}
	}, 4, 2)
	// VCVTNEPS2BF16 would take subnormal numbers for zeros.
	spread := func(x uint32, to reg.VecPhysical) {
		MOVL(operand.U32(x), reg.EAX)
		MOVD(reg.EAX, reg.X0)
		VPBROADCASTD(reg.X0, to)
	}
	convert("bfloat16FromFloat32", narrow, func() {
		spread(0x7fff, ymm(13))
		spread(1, ymm(14))
		spread(0x400000, ymm(15))
	}, func(dst, src func(int) operand.Mem) {
		for i := range 2 {
			x, rounded, nan := ymm(i), ymm(4+i), ymm(8+i)
			VMOVDQU(src(32*i), x)
			VPSRLD(operand.Imm(16), x, rounded)
			VPAND(ymm(14), rounded, rounded)
			VPADDD(ymm(13), rounded, rounded)
			VPADDD(x, rounded, rounded)
			VCMPPS(operand.U8(3), x, x, nan)
			VPOR(ymm(15), x, x)
			VBLENDVPS(nan, x, rounded, x)
			VPSRLD(operand.Imm(16), x, x)
		}
		VPACKUSDW(ymm(1), ymm(0), ymm(0))
		VPERMQ(operand.Imm(0xd8), ymm(0), ymm(0))
		VMOVDQU(ymm(0), dst(0))
	}, 2, 4)

	text("bfloat16PairsAVX2", "func(even, odd *float32, src *uint16, n int)", "bfloat16PairsAVX2 is bfloat16PairsPortable; n is a multiple of 8.")
	Load(Param("even"), reg.RDI)
	Load(Param("odd"), reg.RDX)
	Load(Param("src"), reg.RSI)
	Load(Param("n"), reg.RCX)
	spread(0xffff0000, ymm(15))
	XORL(reg.EAX, reg.EAX)
	SUBQ(operand.Imm(8), reg.RCX)
	JLT(operand.LabelRef("done"))
	Label("eight")
	at := func(base reg.Register) operand.Mem { return operand.Mem{Base: base, Index: reg.RAX, Scale: 4} }
	VMOVDQU(at(reg.RSI), ymm(0))
	VPSLLD(operand.Imm(16), ymm(0), ymm(1))
	VPAND(ymm(15), ymm(0), ymm(0))
	VMOVDQU(ymm(1), at(reg.RDI))
	VMOVDQU(ymm(0), at(reg.RDX))
	ADDQ(operand.Imm(8), reg.RAX)
	SUBQ(operand.Imm(8), reg.RCX)
	JGE(operand.LabelRef("eight"))
	Label("done")
	VZEROUPPER()
	RET()

	halfTiles()
}
