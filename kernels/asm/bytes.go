package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// byteKernels writes elementwise kernels on bytes: see types byteSum and
// byteMax in package kernels.
func byteKernels() {
	first := repeated("bytesFirst", 0x0c080400, 0xffffffff) // the lowest byte of each of 4 elements
	for _, set := range []vectors{
		{name: "AVX512", width: 16, register: zmm, masked: true},
		{name: "AVX2", width: 8, register: ymm},
	} {
		k := quantizeKernel{set, first}
		k.addBytes()
		k.maxBytes()
	}
}

// addBytes keeps constants in 4 and above.
//
//	CX  elements left   DI  the result   SI, DX  the operands
func (k *quantizeKernel) addBytes() {
	text("addBytes"+k.name, "func(s *byteSum)", fmt.Sprintf("addBytes%s is addBytesPortable(s) for a multiple of %d elements.", k.name, k.width))
	Load(Param("s"), reg.RAX)
	mem := func(name string) operand.Mem { return field("byteSum", name, reg.RAX) }
	v := k.register
	names := []string{"flip0", "zero0", "scale0", "flip1", "zero1", "scale1", "low", "high", "zero"}
	constant := make(map[string]reg.VecPhysical)
	for i, name := range names {
		constant[name] = v(4 + i)
		VBROADCASTSS(mem(name), constant[name])
	}
	MOVQ(mem("n"), reg.RCX)
	MOVQ(mem("dst"), reg.RDI)
	MOVQ(mem("a"), reg.RSI)
	MOVQ(mem("b"), reg.RDX)
	if !k.masked {
		VMOVDQU(k.first, v(13))
	}
	Label("next")
	for i, base := range []reg.Register{reg.RSI, reg.RDX} {
		x, suffix := v(i), fmt.Sprint(i)
		VPMOVZXBD(operand.Mem{Base: base}, x)
		if k.masked {
			VPXORD(constant["flip"+suffix], x, x)
		} else {
			VPXOR(constant["flip"+suffix], x, x)
		}
		VPSUBD(constant["zero"+suffix], x, x)
		VCVTDQ2PS(x, x)
		VMULPS(constant["scale"+suffix], x, x)
	}
	x, y := v(0), v(1)
	VADDPS(y, x, x)
	VMAXPS(constant["low"], x, x)
	VMINPS(constant["high"], x, x)
	VCVTPS2DQ(x, x)
	VPADDD(constant["zero"], x, x)
	to := operand.Mem{Base: reg.RDI}
	if k.masked {
		VPMOVDB(x, to)
	} else {
		VPSHUFB(v(13), x, x)
		VEXTRACTI128(operand.Imm(1), x, y.(reg.Vec).AsX())
		VPUNPCKLDQ(y.(reg.Vec).AsX(), x.(reg.Vec).AsX(), x.(reg.Vec).AsX())
		VMOVQ(x.(reg.Vec).AsX(), to)
	}
	for _, r := range []reg.Register{reg.RDI, reg.RSI, reg.RDX} {
		ADDQ(operand.Imm(uint64(k.width)), r)
	}
	SUBQ(operand.Imm(uint64(k.width)), reg.RCX)
	JNE(operand.LabelRef("next"))
	VZEROUPPER()
	RET()
}

// maxBytes works on whole vectors of bytes.
func (k *quantizeKernel) maxBytes() {
	text("maxBytes"+k.name, "func(s *byteMax)", fmt.Sprintf("maxBytes%s is maxBytesPortable(s) for a multiple of %d elements.", k.name, 4*k.width))
	Load(Param("s"), reg.RAX)
	mem := func(name string) operand.Mem { return field("byteMax", name, reg.RAX) }
	v := k.register
	MOVQ(mem("n"), reg.RCX)
	MOVQ(mem("dst"), reg.RDI)
	MOVQ(mem("a"), reg.RSI)
	MOVQ(mem("b"), reg.RDX)
	flip := v(2)
	VPBROADCASTD(mem("flip"), flip)
	Label("next")
	if k.masked {
		VPXORD(operand.Mem{Base: reg.RSI}, flip, v(0))
		VPXORD(operand.Mem{Base: reg.RDX}, flip, v(1))
		VPMAXUB(v(0), v(1), v(0))
		VPXORD(flip, v(0), v(0))
		VMOVDQU32(v(0), operand.Mem{Base: reg.RDI})
	} else {
		VPXOR(operand.Mem{Base: reg.RSI}, flip, v(0))
		VPXOR(operand.Mem{Base: reg.RDX}, flip, v(1))
		VPMAXUB(v(0), v(1), v(0))
		VPXOR(flip, v(0), v(0))
		VMOVDQU(v(0), operand.Mem{Base: reg.RDI})
	}
	for _, r := range []reg.Register{reg.RDI, reg.RSI, reg.RDX} {
		ADDQ(operand.Imm(uint64(4*k.width)), r)
	}
	SUBQ(operand.Imm(uint64(4*k.width)), reg.RCX)
	JNE(operand.LabelRef("next"))
	VZEROUPPER()
	RET()
}
