package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// quantize writes the kernels of quantisation: see types quantizer and extent
// in package kernels.
func quantize() {
	first := repeated("quantizeFirst", 0x0c080400, 0xffffffff) // the lowest byte of each of 4 elements
	for _, set := range []vectors{
		{name: "AVX512", width: 16, register: zmm, masked: true},
		{name: "AVX2", width: 8, register: ymm},
	} {
		k := quantizeKernel{set, first}
		k.quantize()
		k.dequantize()
		k.extent()
	}
}

// quantizeKernel generates the kernels. Registers:
//
//	DI  the quantizer   CX  elements left   AX  scales    R8  step
//	SI  numbers         DX  bytes           BX  zero points
type quantizeKernel struct {
	vectors
	first operand.Mem
}

func (k *quantizeKernel) mem(name string) operand.Mem { return field("quantizer", name, reg.RDI) }

func (k *quantizeKernel) begin(name string) {
	text(name+k.name, "func(q *quantizer)", fmt.Sprintf("%s%s is %sPortable(q, %d).", name, k.name, name, k.width))
	Load(Param("q"), reg.RDI)
	for _, f := range []struct {
		name string
		r    reg.Register
	}{{"n", reg.RCX}, {"floats", reg.RSI}, {"bytes", reg.RDX}, {"scale", reg.RAX}, {"zero", reg.RBX}, {"step", reg.R8}} {
		MOVQ(k.mem(f.name), f.r)
	}
}

// end moves on to the next vector.
func (k *quantizeKernel) end() {
	ADDQ(operand.Imm(uint64(4*k.width)), reg.RSI)
	ADDQ(operand.Imm(uint64(k.width)), reg.RDX)
	ADDQ(reg.R8, reg.RAX)
	ADDQ(reg.R8, reg.RBX)
	SUBQ(operand.Imm(uint64(k.width)), reg.RCX)
	JNE(operand.LabelRef("next"))
	VZEROUPPER()
	RET()
}

// load reads a vector of integers.
func (k *quantizeKernel) load(m operand.Mem, r reg.VecPhysical) {
	if k.masked {
		VMOVDQU32(m, r)
	} else {
		VMOVDQU(m, r)
	}
}

func (k *quantizeKernel) quantize() {
	k.begin("quantize")
	v := k.register
	x, zero, z, low, high, least, greatest := v(0), v(1), v(2), v(3), v(4), v(5), v(6)
	VBROADCASTSS(k.mem("low"), least)
	VBROADCASTSS(k.mem("high"), greatest)
	if !k.masked {
		VMOVDQU(k.first, v(7))
	}
	Label("next")
	VMOVUPS(operand.Mem{Base: reg.RSI}, x)
	VDIVPS(operand.Mem{Base: reg.RAX}, x, x)
	k.load(operand.Mem{Base: reg.RBX}, zero)
	VCVTDQ2PS(zero, z)
	VSUBPS(z, least, low)
	VSUBPS(z, greatest, high)
	VMAXPS(low, x, x) // low if x is a NaN
	VMINPS(high, x, x)
	VCVTPS2DQ(x, x)
	VPADDD(zero, x, x)
	to := operand.Mem{Base: reg.RDX}
	if k.masked {
		VPMOVDB(x, to)
	} else {
		VPSHUFB(v(7), x, x)
		VEXTRACTI128(operand.Imm(1), x, zero.(reg.Vec).AsX())
		VPUNPCKLDQ(zero.(reg.Vec).AsX(), x.(reg.Vec).AsX(), x.(reg.Vec).AsX())
		VMOVQ(x.(reg.Vec).AsX(), to)
	}
	k.end()
}

func (k *quantizeKernel) dequantize() {
	k.begin("dequantize")
	x, flip := k.register(0), k.register(1)
	VPBROADCASTD(k.mem("flip"), flip)
	Label("next")
	VPMOVZXBD(operand.Mem{Base: reg.RDX}, x)
	if k.masked {
		VPXORD(flip, x, x)
	} else {
		VPXOR(flip, x, x)
	}
	VPSUBD(flip, x, x)
	VPSUBD(operand.Mem{Base: reg.RBX}, x, x)
	VCVTDQ2PS(x, x)
	VMULPS(operand.Mem{Base: reg.RAX}, x, x)
	VMOVUPS(x, operand.Mem{Base: reg.RSI})
	k.end()
}

// extent keeps two vectors each of the least and the greatest, in 0 to 3, and
// what was unordered in 4 (AVX2) or K1.
func (k *quantizeKernel) extent() {
	text("extent"+k.name, "func(e *extent)", "extent"+k.name+" is extentPortable(e, unsafe.Slice(e.floats, e.n)), lane by lane.")
	Load(Param("e"), reg.RDI)
	mem := func(name string) operand.Mem { return field("extent", name, reg.RDI) }
	v := k.register
	MOVQ(mem("n"), reg.RCX)
	MOVQ(mem("floats"), reg.RSI)
	VMOVUPS(mem("low"), v(0))
	VMOVUPS(mem("low"), v(1))
	VMOVUPS(mem("high"), v(2))
	VMOVUPS(mem("high"), v(3))
	size := 4 * k.width
	unordered := func(x, y reg.VecPhysical) {
		if k.masked {
			VCMPPS(operand.Imm(3), x, y, reg.K2)
			KORW(reg.K1, reg.K2, reg.K1)
		} else {
			VCMPPS(operand.Imm(3), x, y, v(7))
			VORPS(v(7), v(4), v(4))
		}
	}
	if k.masked {
		KXORW(reg.K1, reg.K1, reg.K1)
	} else {
		VXORPS(v(4), v(4), v(4))
	}
	SUBQ(operand.Imm(uint64(2*k.width)), reg.RCX)
	JLT(operand.LabelRef("rest"))
	Label("two")
	for i := range 2 {
		VMOVUPS(operand.Mem{Base: reg.RSI, Disp: i * size}, v(5+i))
		VMINPS(v(5+i), v(i), v(i))
		VMAXPS(v(5+i), v(2+i), v(2+i))
	}
	unordered(v(5), v(6))
	ADDQ(operand.Imm(uint64(2*size)), reg.RSI)
	SUBQ(operand.Imm(uint64(2*k.width)), reg.RCX)
	JGE(operand.LabelRef("two"))
	Label("rest")
	ADDQ(operand.Imm(uint64(2*k.width)), reg.RCX)
	JEQ(operand.LabelRef("done"))
	VMOVUPS(operand.Mem{Base: reg.RSI}, v(5))
	VMINPS(v(5), v(0), v(0))
	VMAXPS(v(5), v(2), v(2))
	unordered(v(5), v(5))
	Label("done")
	VMINPS(v(0), v(1), v(0))
	VMAXPS(v(2), v(3), v(2))
	VMOVUPS(v(0), mem("low"))
	VMOVUPS(v(2), mem("high"))
	if k.masked {
		KMOVW(reg.K1, reg.EAX)
	} else {
		VMOVMSKPS(v(4), reg.EAX)
	}
	MOVQ(reg.RAX, mem("nan"))
	VZEROUPPER()
	RET()
}
