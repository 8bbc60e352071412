package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// planeKernels generates the kernels of depthwise convolution on flat planes:
// see type depthwiseKernels in package kernels.
type planeKernels struct {
	vectors
	laneMasks            operand.Mem // masks of the first k of 8 lanes begin at 32-4*k
	even, odd, low, high operand.Mem // permutations of the lanes of two registers
}

// depthwisePlanes writes the kernels of all instruction sets.
func depthwisePlanes() {
	masks := GLOBL("laneMasks", attr.RODATA|attr.NOPTR)
	for i := range 8 {
		DATA(8*i, operand.I64(i/4-1))
	}
	k := planeKernels{
		laneMasks: masks,
		even:      laneBytes("evenLanes", func(i int) int { return 2 * i }),
		odd:       laneBytes("oddLanes", func(i int) int { return 2*i + 1 }),
		low:       laneBytes("mergeLow", func(i int) int { return i/2 + i%2*16 }),
		high:      laneBytes("mergeHigh", func(i int) int { return 8 + i/2 + i%2*16 }),
	}
	for _, set := range []vectors{
		{name: "AVX512", width: 16, register: zmm, masked: true},
		{name: "AVX2", width: 8, register: ymm},
	} {
		k.vectors = set
		k.convolve()
		k.correlate()
		k.split()
		k.merge()
	}
	// Masks make AVX-512 slower here.
	planeRows("copyPlane", false)
	planeRows("addPlane", true)
}

// laneBytes declares 16 read-only bytes.
func laneBytes(name string, f func(i int) int) operand.Mem {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	for i := range 16 {
		DATA(i, operand.U8(f(i)))
	}
	return m
}

// vector is element i, times the width, of the vectors at base and index.
func (k *planeKernels) vector(base, index reg.Register, i int) operand.Mem {
	m := operand.Mem{Base: base, Disp: 4 * k.width * i}
	if index != nil {
		m.Index, m.Scale = index, 1
	}
	return m
}

// scalar is the address of a parameter.
func scalar(name string) operand.Mem {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// convolve keeps up to 8 vectors of sums and adds a position of the kernel at
// a time. Registers: DI dst, SI src, CX elements left, R8 offsets, R9 their
// number, R10 weights, BX position, DX where it reads.
func (k *planeKernels) convolve() {
	name := "convolve" + k.name
	text(name, "func(dst, src []float32, n int, offsets []int, weights []float32, bias, lo, hi float32)",
		name+" is convolvePortable; dst may be written, and src read, up to two vectors beyond n.")
	Load(Param("dst").Base(), reg.RDI)
	Load(Param("src").Base(), reg.RSI)
	Load(Param("n"), reg.RCX)
	Load(Param("offsets").Base(), reg.R8)
	Load(Param("offsets").Len(), reg.R9)
	Load(Param("weights").Base(), reg.R10)
	w, bias, low, high := k.register(8), k.register(13), k.register(14), k.register(15)
	VBROADCASTSS(scalar("bias"), bias)
	VBROADCASTSS(scalar("lo"), low)
	VBROADCASTSS(scalar("hi"), high)
	counts := []int{8, 4, 2, 0}
	for i, count := range counts[:3] {
		label, next := fmt.Sprintf("vectors%d", count), fmt.Sprintf("vectors%d", counts[i+1])
		Label(label)
		CMPQ(reg.RCX, operand.I32((count-2)*k.width))
		JLE(operand.LabelRef(next))
		for v := range count {
			VMOVAPS(bias, k.register(v))
		}
		XORL(reg.EBX, reg.EBX)
		JMP(operand.LabelRef(label + "check"))
		Label(label + "tap")
		MOVQ(operand.Mem{Base: reg.R8, Index: reg.RBX, Scale: 8}, reg.RDX)
		LEAQ(operand.Mem{Base: reg.RSI, Index: reg.RDX, Scale: 4}, reg.RDX)
		VBROADCASTSS(operand.Mem{Base: reg.R10, Index: reg.RBX, Scale: 4}, w)
		INCQ(reg.RBX)
		for v := range count {
			VFMADD231PS(k.vector(reg.RDX, nil, v), w, k.register(v))
		}
		Label(label + "check")
		CMPQ(reg.RBX, reg.R9)
		JLT(operand.LabelRef(label + "tap"))
		for v := range count {
			// The sum comes first, so that a NaN stays one.
			VMAXPS(k.register(v), low, k.register(v))
			VMINPS(k.register(v), high, k.register(v))
			VMOVUPS(k.register(v), k.vector(reg.RDI, nil, v))
		}
		ADDQ(operand.I32(4*k.width*count), reg.RDI)
		ADDQ(operand.I32(4*k.width*count), reg.RSI)
		SUBQ(operand.I32(k.width*count), reg.RCX)
		JMP(operand.LabelRef(label))
	}
	Label("vectors0")
	VZEROUPPER()
	RET()
}

// correlate keeps the nine sums in registers; nine registers point at src, SI
// at grad, DI counts the elements, and CX is the distance in bytes.
func (k *planeKernels) correlate() {
	name := "correlate" + k.name
	text(name, "func(sums *[9]float32, grad, src []float32, n int, offsets *[9]int)",
		name+" is correlatePortable; it reads up to a vector beyond n.")
	Load(Param("grad").Base(), reg.RSI)
	Load(Param("src").Base(), reg.RCX)
	Load(Param("offsets"), reg.RDI)
	src := []reg.GPPhysical{reg.RAX, reg.RBX, reg.RDX, reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13}
	for i, r := range src {
		MOVQ(operand.Mem{Base: reg.RDI, Disp: 8 * i}, r)
		LEAQ(operand.Mem{Base: reg.RCX, Index: r, Scale: 4}, r)
	}
	Load(Param("n"), reg.RDI)
	SHLQ(operand.Imm(2), reg.RDI)
	XORL(reg.ECX, reg.ECX)
	sum, grad := k.register, k.register(9)
	VXORPS(reg.Y0, reg.Y0, reg.Y0)
	for i := range src[1:] {
		VMOVAPS(sum(0), sum(i+1))
	}
	Label("loop")
	VMOVUPS(k.vector(reg.RSI, reg.RCX, 0), grad)
	for i, r := range src {
		VFMADD231PS(k.vector(r, reg.RCX, 0), grad, sum(i))
	}
	ADDQ(operand.I32(4*k.width), reg.RCX)
	CMPQ(reg.RCX, reg.RDI)
	JLT(operand.LabelRef("loop"))
	if k.masked {
		for i := range src {
			VEXTRACTF64X4(operand.Imm(1), sum(i), reg.Y9)
			VADDPS(reg.Y9, ymm(i), ymm(i))
		}
	}
	// The lanes of four and four and one sums are added.
	Load(Param("sums"), reg.RDI)
	for _, pair := range [][3]int{{0, 1, 0}, {2, 3, 2}, {4, 5, 4}, {6, 7, 6}, {8, 8, 8}, {0, 2, 0}, {4, 6, 4}, {8, 8, 8}} {
		VHADDPS(ymm(pair[1]), ymm(pair[0]), ymm(pair[2]))
	}
	VEXTRACTF128(operand.Imm(1), reg.Y0, reg.X1)
	VEXTRACTF128(operand.Imm(1), reg.Y4, reg.X5)
	VEXTRACTF128(operand.Imm(1), reg.Y8, reg.X9)
	VADDPS(reg.X1, reg.X0, reg.X0)
	VADDPS(reg.X5, reg.X4, reg.X4)
	VADDSS(reg.X9, reg.X8, reg.X8)
	at := func(disp int) operand.Mem { return operand.Mem{Base: reg.RDI, Disp: disp} }
	VADDPS(at(0), reg.X0, reg.X0)
	VADDPS(at(16), reg.X4, reg.X4)
	VADDSS(at(32), reg.X8, reg.X8)
	VMOVUPS(reg.X0, at(0))
	VMOVUPS(reg.X4, at(16))
	VMOVSS(reg.X8, at(32))
	VZEROUPPER()
	RET()
}

// planeRows copies rows, or adds them to those of dst. Registers: DI dst, SI src,
// CX rows left, R8 and R9 the steps of dst and src, R12 and R11 the length of
// a row and what of it is left for the last vector, AX the distance, all in
// bytes.
//
// A row ends with a vector that overlaps the one before, within the row:
// masked stores are slow, and a row must not wait for what the last one wrote.
func planeRows(name string, add bool) {
	text(name+"AVX2", "func(dst, src []float32, rows, dstStep, srcStep, width int)",
		name+"AVX2 is "+name+"Portable.")
	Load(Param("dst").Base(), reg.RDI)
	Load(Param("src").Base(), reg.RSI)
	Load(Param("rows"), reg.RCX)
	Load(Param("dstStep"), reg.R8)
	Load(Param("srcStep"), reg.R9)
	Load(Param("width"), reg.R12)
	SHLQ(operand.Imm(2), reg.R8)
	SHLQ(operand.Imm(2), reg.R9)
	TESTQ(reg.RCX, reg.RCX)
	JLE(operand.LabelRef("done"))
	at := func(base reg.Register, disp int) operand.Mem {
		return operand.Mem{Base: base, Index: reg.RAX, Scale: 1, Disp: disp}
	}
	SHLQ(operand.Imm(2), reg.R12)
	LEAQ(operand.Mem{Base: reg.R12, Disp: -32}, reg.R11)
	CMPQ(reg.R12, operand.Imm(16))
	JLT(operand.LabelRef("narrow"))
	CMPQ(reg.R12, operand.Imm(32))
	JGE(operand.LabelRef("wide"))
	last := func(base reg.Register, size int) operand.Mem {
		return operand.Mem{Base: base, Index: reg.R12, Scale: 1, Disp: -size}
	}

	Label("quad")
	VMOVUPS(operand.Mem{Base: reg.RSI}, reg.X0)
	VMOVUPS(last(reg.RSI, 16), reg.X1)
	if add {
		VADDPS(operand.Mem{Base: reg.RDI}, reg.X0, reg.X0)
		VADDPS(last(reg.RDI, 16), reg.X1, reg.X1)
	}
	VMOVUPS(reg.X0, operand.Mem{Base: reg.RDI})
	VMOVUPS(reg.X1, last(reg.RDI, 16))
	nextPlaneRow("quad")
	RET()

	Label("wide")
	VMOVUPS(last(reg.RSI, 32), reg.Y1)
	if add {
		VADDPS(last(reg.RDI, 32), reg.Y1, reg.Y1)
	}
	XORL(reg.EAX, reg.EAX)
	Label("vectors")
	VMOVUPS(at(reg.RSI, 0), reg.Y0)
	if add {
		VADDPS(at(reg.RDI, 0), reg.Y0, reg.Y0)
	}
	VMOVUPS(reg.Y0, at(reg.RDI, 0))
	ADDQ(operand.Imm(32), reg.RAX)
	CMPQ(reg.RAX, reg.R11)
	JLE(operand.LabelRef("vectors"))
	VMOVUPS(reg.Y1, last(reg.RDI, 32))
	nextPlaneRow("wide")
	VZEROUPPER()
	RET()

	Label("narrow")
	XORL(reg.EAX, reg.EAX)
	Label("single")
	VMOVSS(at(reg.RSI, 0), reg.X0)
	if add {
		VADDSS(at(reg.RDI, 0), reg.X0, reg.X0)
	}
	VMOVSS(reg.X0, at(reg.RDI, 0))
	ADDQ(operand.Imm(4), reg.RAX)
	CMPQ(reg.RAX, reg.R12)
	JLT(operand.LabelRef("single"))
	nextPlaneRow("narrow")
	Label("done")
	RET()
}

// nextPlaneRow goes on to the next row, at label.
func nextPlaneRow(label string) {
	ADDQ(reg.R8, reg.RDI)
	ADDQ(reg.R9, reg.RSI)
	DECQ(reg.RCX)
	JNE(operand.LabelRef(label))
}

// masks parts the width in R12: R11 bytes in whole pairs of vectors, and R12
// elements beyond them, of which K1 and K2 or registers 14 and 15 are the
// masks.
func (k *planeKernels) masks() {
	MOVQ(reg.R12, reg.R11)
	ANDQ(operand.I32(2*k.width-1), reg.R12)
	SUBQ(reg.R12, reg.R11)
	SHLQ(operand.Imm(2), reg.R11)
	if k.masked {
		MOVL(operand.I32(-1), reg.EAX)
		BZHIL(reg.R12L, reg.EAX, reg.EAX)
		KMOVW(reg.EAX, reg.K1)
		SHRL(operand.Imm(16), reg.EAX)
		KMOVW(reg.EAX, reg.K2)
		return
	}
	MOVQ(operand.I32(8), reg.RAX)
	CMPQ(reg.R12, reg.RAX)
	CMOVQLT(reg.R12, reg.RAX)
	for i := range 2 {
		LEAQ(k.laneMasks.Offset(32), reg.RBX)
		MOVQ(reg.RAX, reg.RDX)
		SHLQ(operand.Imm(2), reg.RDX)
		SUBQ(reg.RDX, reg.RBX)
		VMOVUPS(operand.Mem{Base: reg.RBX}, ymm(14+i))
		if i == 0 {
			NEGQ(reg.RAX)
			ADDQ(reg.R12, reg.RAX)
		}
	}
}

// pairs loops over the rows of split and merge: whole makes a pair of vectors
// at AX bytes in the row and BX in its halves, rest what is left. Registers: DI
// and SI the row of dst and src, R13 that of the odd half, CX rows left, R8
// and R9 the steps of dst and src.
func (k *planeKernels) pairs(whole, rest func(), odd reg.Register) {
	Load(Param("rows"), reg.RCX)
	Load(Param("dstStep"), reg.R8)
	Load(Param("srcStep"), reg.R9)
	Load(Param("width"), reg.R12)
	SHLQ(operand.Imm(2), reg.R8)
	SHLQ(operand.Imm(2), reg.R9)
	k.masks()
	TESTQ(reg.RCX, reg.RCX)
	JLE(operand.LabelRef("done"))
	Label("row")
	XORL(reg.EAX, reg.EAX)
	XORL(reg.EBX, reg.EBX)
	Label("vectors")
	CMPQ(reg.RAX, reg.R11)
	JGE(operand.LabelRef("tail"))
	whole()
	ADDQ(operand.I32(8*k.width), reg.RAX)
	ADDQ(operand.I32(4*k.width), reg.RBX)
	JMP(operand.LabelRef("vectors"))
	Label("tail")
	TESTQ(reg.R12, reg.R12)
	JEQ(operand.LabelRef("next"))
	rest()
	Label("next")
	ADDQ(odd, reg.R13)
	nextPlaneRow("row")
	Label("done")
	VZEROUPPER()
	RET()
}

// split parts the even and the odd elements of rows.
func (k *planeKernels) split() {
	name := "splitPlane" + k.name
	text(name, "func(even, odd, src []float32, rows, dstStep, srcStep, width int)",
		name+" is splitPlanePortable; a row of the results may be followed by up to a vector of zeros.")
	Load(Param("even").Base(), reg.RDI)
	Load(Param("odd").Base(), reg.R13)
	Load(Param("src").Base(), reg.RSI)
	first, second, spare, other := k.register(0), k.register(1), k.register(2), k.register(3)
	if k.masked {
		VPMOVZXBD(k.even, reg.Z14)
		VPMOVZXBD(k.odd, reg.Z15)
	}
	parted := func() {
		even, odd := first, spare
		if k.masked {
			VMOVAPS(first, spare)
			VPERMT2PS(second, reg.Z14, first)
			VPERMT2PS(second, reg.Z15, spare)
		} else {
			even, odd = spare, other
			VSHUFPS(operand.Imm(0x88), second, first, spare)
			VSHUFPS(operand.Imm(0xdd), second, first, other)
			VPERMPD(operand.Imm(0xd8), spare, spare)
			VPERMPD(operand.Imm(0xd8), other, other)
		}
		VMOVUPS(even, k.vector(reg.RDI, reg.RBX, 0))
		VMOVUPS(odd, k.vector(reg.R13, reg.RBX, 0))
	}
	k.pairs(func() {
		VMOVUPS(k.vector(reg.RSI, reg.RAX, 0), first)
		VMOVUPS(k.vector(reg.RSI, reg.RAX, 1), second)
		parted()
	}, func() {
		if k.masked {
			VMOVUPS_Z(k.vector(reg.RSI, reg.RAX, 0), reg.K1, first)
			VMOVUPS_Z(k.vector(reg.RSI, reg.RAX, 1), reg.K2, second)
		} else {
			VMASKMOVPS(k.vector(reg.RSI, reg.RAX, 0), reg.Y14, first)
			VMASKMOVPS(k.vector(reg.RSI, reg.RAX, 1), reg.Y15, second)
		}
		parted()
	}, reg.R8)
}

// merge adds interleaved rows to those of dst.
func (k *planeKernels) merge() {
	name := "mergePlane" + k.name
	text(name, "func(dst, even, odd []float32, rows, dstStep, srcStep, width int)",
		name+" is mergePlanePortable; up to a vector beyond a row of even and odd is read.")
	Load(Param("dst").Base(), reg.RDI)
	Load(Param("even").Base(), reg.RSI)
	Load(Param("odd").Base(), reg.R13)
	first, second := k.register(0), k.register(1)
	if k.masked {
		VPMOVZXBD(k.low, reg.Z14)
		VPMOVZXBD(k.high, reg.Z15)
	} else {
		Load(Param("dst").Len(), reg.R10) // where the last vector of dst begins
		LEAQ(operand.Mem{Base: reg.RDI, Index: reg.R10, Scale: 4, Disp: -32}, reg.R10)
	}
	merged := func() {
		even, odd := k.vector(reg.RSI, reg.RBX, 0), k.vector(reg.R13, reg.RBX, 0)
		if k.masked {
			VMOVUPS(even, reg.Z0)
			VMOVUPS(odd, reg.Z2)
			VMOVAPS(reg.Z0, reg.Z1)
			VPERMT2PS(reg.Z2, reg.Z14, reg.Z0)
			VPERMT2PS(reg.Z2, reg.Z15, reg.Z1)
			return
		}
		VMOVUPS(even, reg.Y2)
		VMOVUPS(odd, reg.Y3)
		VUNPCKLPS(reg.Y3, reg.Y2, reg.Y4)
		VUNPCKHPS(reg.Y3, reg.Y2, reg.Y5)
		VPERM2F128(operand.Imm(0x20), reg.Y5, reg.Y4, reg.Y0)
		VPERM2F128(operand.Imm(0x31), reg.Y5, reg.Y4, reg.Y1)
	}
	k.pairs(func() {
		merged()
		for i, x := range []reg.VecPhysical{first, second} {
			VADDPS(k.vector(reg.RDI, reg.RAX, i), x, x)
			VMOVUPS(x, k.vector(reg.RDI, reg.RAX, i))
		}
	}, func() {
		merged()
		if k.masked {
			for i, mask := range []reg.Register{reg.K1, reg.K2} {
				VMOVUPS_Z(k.vector(reg.RDI, reg.RAX, i), mask, zmm(2+i))
			}
			for i, mask := range []reg.Register{reg.K1, reg.K2} {
				VADDPS(zmm(2+i), zmm(i), zmm(i))
				VMOVUPS(zmm(i), mask, k.vector(reg.RDI, reg.RAX, i))
			}
			return
		}
		// Where dst goes on, the lanes beyond the row are written back as
		// they were.
		for i := range 2 {
			x, mask := ymm(i), ymm(14+i)
			last, done := fmt.Sprintf("last%d", i), fmt.Sprintf("added%d", i)
			if i == 1 {
				CMPQ(reg.R12, operand.Imm(8))
				JLE(operand.LabelRef(done))
			}
			LEAQ(k.vector(reg.RDI, reg.RAX, i), reg.RDX)
			VANDPS(x, mask, x)
			CMPQ(reg.RDX, reg.R10)
			JHI(operand.LabelRef(last))
			VADDPS(operand.Mem{Base: reg.RDX}, x, x)
			VMOVUPS(x, operand.Mem{Base: reg.RDX})
			JMP(operand.LabelRef(done))
			Label(last)
			VMASKMOVPS(operand.Mem{Base: reg.RDX}, mask, reg.Y7)
			VADDPS(reg.Y7, x, x)
			VMASKMOVPS(x, mask, operand.Mem{Base: reg.RDX})
			Label(done)
		}
	}, reg.R9)
}
