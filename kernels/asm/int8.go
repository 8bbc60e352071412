package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// int8Tiles writes the int8 tile kernels: see type int8Tile and int8TilePortable in
// package kernels.
func int8Tiles() {
	low := repeated("int8Even", 0x00ff00ff)                // the even bytes of every 4, as words
	first := repeated("int8First", 0x0c080400, 0xffffffff) // the lowest byte of each of 4 elements
	for _, set := range []struct {
		vectors
		dot bool
	}{
		{vectors{name: "AVX512VNNI", width: 16, rows: 14, register: zmm, sum: 28, masked: true}, true},
		{vectors{name: "AVX512", width: 16, rows: 14, register: zmm, sum: 28, masked: true}, false},
		{vectors{name: "AVXVNNI", width: 8, rows: 6, register: ymm, sum: 12}, true},
		{vectors{name: "AVX2", width: 8, rows: 6, register: ymm, sum: 12}, false},
	} {
		for rows := 1; rows <= set.rows; rows++ {
			for columns := 1; columns <= 2; columns++ {
				k := int8Kernel{
					tileKernel: tileKernel{vectors: set.vectors, rows: rows, columns: columns},
					dot:        set.dot, even: low, first: first,
				}
				k.generate()
			}
		}
		// Depthwise convolution needs few variants, with all rows in one group.
		for _, rows := range []int{1, int8DepthwiseRows} {
			set := set
			set.rows = 2 * int8DepthwiseRows
			k := int8Kernel{
				tileKernel: tileKernel{vectors: set.vectors, rows: rows, columns: 1},
				dot:        set.dot, depthwise: true, even: low, first: first,
			}
			k.generate()
		}
	}
	interleave()
}

// int8DepthwiseRows is the number of pixels of a tile of depthwise convolution.
const int8DepthwiseRows = 7

// repeated declares a read-only constant of 64 bytes that repeats every 16:
// dwords, the last of which fills up.
func repeated(name string, dwords ...uint32) operand.Mem {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	for i := range 16 {
		DATA(4*i, operand.U32(dwords[min(i%4, len(dwords)-1)]))
	}
	return m
}

// vpdpbusd adds to the int32 in d the products of the unsigned bytes in a and
// the signed bytes in b. The assembler has it with an EVEX prefix (AVX-512
// VNNI) only; with a VEX prefix (AVX-VNNI) it is
// VEX.256.66.0F38.W0 50 /r.
func vpdpbusd(evex bool, b, a, d reg.VecPhysical) {
	if evex {
		VPDPBUSD(b, a, d)
		return
	}
	n := func(r reg.VecPhysical) byte { return byte(r.PhysicalIndex()) }
	for _, x := range []byte{
		0xc4,
		(^n(d)>>3&1)<<7 | 1<<6 | (^n(b)>>3&1)<<5 | 0b00010,
		(^n(a)&15)<<3 | 1<<2 | 0b01,
		0x50,
		0b11<<6 | n(d)&7<<3 | n(b)&7,
	} {
		Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []operand.Op{operand.U8(x)}})
	}
}

// int8Kernel generates the kernel of int8 tiles of some rows and vectors of
// columns. Registers are those of tileKernel, but that R15 is the product's A: the
// four that hold no sums have two vectors of B, an element of A and a product.
type int8Kernel struct {
	tileKernel
	dot         bool // has VPDPBUSD
	depthwise   bool // every column has bytes of A of its own
	even, first operand.Mem
}

func (k *int8Kernel) mem(name string) operand.Mem { return field("int8Tile", name, reg.RDI) }

// spare is one of the four registers without sums.
func (k *int8Kernel) spare(i int) reg.VecPhysical { return k.register(k.sum + i) }

// load reads a vector.
func (k *int8Kernel) load(m operand.Mem, r reg.VecPhysical) {
	if k.masked {
		VMOVDQU32(m, r)
	} else {
		VMOVDQU(m, r)
	}
}

// column is the vector of a column block of elements of 4 bytes at base.
func (k *int8Kernel) column(base reg.Register, c int) operand.Mem {
	return operand.Mem{Base: base, Disp: c * k.width * 4}
}

// loadA reads the four bytes of row r that meet each column.
func (k *int8Kernel) loadA(r int, a reg.VecPhysical) {
	if k.depthwise {
		k.load(k.aAt(r, 0), a)
	} else {
		VPBROADCASTD(k.aAt(r, 0), a)
	}
}

// int8Ahead is how many bytes of B are fetched ahead.
const int8Ahead = 1024

// step adds the products of four columns of A and four rows of B.
func (k *int8Kernel) step() {
	a, product := k.spare(2), k.spare(3)
	if !k.depthwise {
		for i := 0; i < k.columns*k.width*4; i += 64 {
			PREFETCHT0(operand.Mem{Base: reg.RBX, Disp: int8Ahead + i})
		}
	}
	if k.dot {
		for c := range k.columns {
			k.load(k.column(reg.RBX, c), k.spare(c))
		}
		for r := range k.rows {
			if !k.masked {
				a = k.spare(2 + r%2)
			}
			k.loadA(r, a)
			for c := range k.columns {
				vpdpbusd(k.masked, k.spare(c), a, k.acc(r, c))
			}
		}
		return
	}
	// Products of bytes in words (VPMADDUBSW) would saturate: the even and
	// then the odd bytes are extended to words, whose products in pairs fit.
	for odd := range 2 {
		for c := range k.columns {
			b := k.spare(c)
			k.load(k.column(reg.RBX, c), b)
			if odd == 0 {
				VPSLLW(operand.Imm(8), b, b)
			}
			VPSRAW(operand.Imm(8), b, b)
		}
		for r := range k.rows {
			k.loadA(r, a)
			switch {
			case odd == 1:
				VPSRLW(operand.Imm(8), a, a)
			case k.masked:
				VPANDD(k.even, a, a)
			default:
				VPAND(k.even, a, a)
			}
			for c := range k.columns {
				VPMADDWD(k.spare(c), a, product)
				VPADDD(product, k.acc(r, c), k.acc(r, c))
			}
		}
	}
}

// each calls f with every sum and the element of C or the residual that lies
// there, of size bytes, given a pointer to its first row.
func (k *int8Kernel) each(base reg.Register, size int, f func(acc reg.VecPhysical, at operand.Mem, last bool)) {
	for r := range k.rows {
		if r%k.half() == 0 {
			MOVQ(base, reg.RAX)
			if r > 0 {
				ADDQ(k.mem("cGroup"), reg.RAX)
			}
		}
		for c := range k.columns {
			f(k.acc(r, c), rowAt(reg.RAX, reg.R8, reg.R9, reg.R10, r%k.half(), c*k.width*size), c == k.columns-1)
		}
	}
}

// all calls f with every sum.
func (k *int8Kernel) all(f func(acc reg.VecPhysical)) {
	for i := range k.rows * k.columns {
		f(k.register(i))
	}
}

func (k *int8Kernel) multiples(name string) {
	MOVQ(k.mem(name), reg.R8)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 2}, reg.R9)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 4}, reg.R10)
}

func (k *int8Kernel) generate() {
	if k.depthwise {
		name := fmt.Sprintf("int8Depthwise%d%s", k.rows, k.name)
		text(name, "func(t *int8Tile)",
			fmt.Sprintf("%s is int8DepthwisePortable(t, %d, 0) with t.rows = %d.", name, k.width, k.rows))
	} else {
		name := fmt.Sprintf("int8Tile%dx%d%s", k.rows, k.columns, k.name)
		text(name, "func(t *int8Tile)",
			fmt.Sprintf("%s is int8TilePortable(t, %d, %d, 0) with t.rows = %d and t.vectors = %d.",
				name, k.width, k.half(), k.rows, k.columns))
	}
	Load(Param("t"), reg.RDI)
	MOVQ(k.mem("count"), reg.R14)
	MOVQ(k.mem("residual"), reg.R12)
	MOVQ(k.mem("a"), reg.R15)
	MOVQ(k.mem("c"), reg.RDX)
	if k.masked {
		MOVQ(k.mem("mask"), reg.RAX)
		KMOVW(reg.EAX, reg.K1)
	}

	Label("product")
	k.multiples("aRow")
	MOVQ(k.mem("b"), reg.RBX)
	MOVQ(k.mem("start"), reg.RAX)
	for c := range k.columns {
		k.load(k.column(reg.RAX, c), k.acc(0, c))
	}
	for r := 1; r < k.rows; r++ {
		for c := range k.columns {
			if k.masked {
				VMOVDQA32(k.acc(0, c), k.acc(r, c))
			} else {
				VMOVDQA(k.acc(0, c), k.acc(r, c))
			}
		}
	}
	MOVQ(k.mem("segments"), reg.R13)
	MOVQ(k.mem("offsets"), reg.RAX)

	Label("segment")
	MOVQ(reg.R15, reg.RSI)
	ADDQ(operand.Mem{Base: reg.RAX}, reg.RSI)
	ADDQ(operand.Imm(8), reg.RAX)
	if k.rows > k.half() {
		MOVQ(k.mem("aGroup"), reg.R11)
		ADDQ(reg.RSI, reg.R11)
	}
	MOVQ(k.mem("steps"), reg.RCX)
	Label("step")
	k.step()
	ADDQ(operand.Imm(uint64(k.columns*k.width*4)), reg.RBX)
	ADDQ(operand.Imm(4), reg.RSI)
	if k.rows > k.half() {
		ADDQ(operand.Imm(4), reg.R11)
	}
	DECQ(reg.RCX)
	JNE(operand.LabelRef("step"))
	DECQ(reg.R13)
	JNE(operand.LabelRef("segment"))

	k.epilogue()

	// The next product.
	MOVQ(k.mem("aStep"), reg.RAX)
	ADDQ(reg.RAX, reg.R15)
	MOVQ(k.mem("cStep"), reg.RAX)
	ADDQ(reg.RAX, reg.RDX)
	TESTQ(reg.R12, reg.R12)
	JEQ(operand.LabelRef("bare"))
	ADDQ(reg.RAX, reg.R12)
	Label("bare")
	DECQ(reg.R14)
	JNE(operand.LabelRef("product"))
	VZEROUPPER()
	RET()
}

// epilogue subtracts what the zero points of B add, and turns the sums into
// what is stored.
func (k *int8Kernel) epilogue() {
	x, y, z, w := k.spare(0), k.spare(1), k.spare(2), k.spare(3)
	k.multiples("cRow")
	MOVQ(k.mem("columnZero"), reg.RCX)
	TESTQ(reg.RCX, reg.RCX)
	JEQ(operand.LabelRef("symmetric"))
	MOVQ(k.mem("rowSums"), reg.RAX)
	ADDQ(k.mem("rowSum"), reg.RAX)
	for c := range k.columns {
		k.load(k.column(reg.RCX, c), x)
		for r := range k.rows {
			VPBROADCASTD(operand.Mem{Base: reg.RAX, Disp: r * k.width * 4}, y)
			VPMULLD(x, y, y)
			VPSUBD(y, k.acc(r, c), k.acc(r, c))
		}
	}
	ADDQ(operand.U32(uint32(k.rows*k.width*4)), k.mem("rowSum"))
	Label("symmetric")

	store := func(acc reg.VecPhysical, at operand.Mem, last bool) {
		if k.masked && last {
			VMOVUPS(acc, reg.K1, at)
		} else {
			VMOVUPS(acc, at)
		}
	}
	CMPQ(k.mem("kind"), operand.Imm(0))
	JNE(operand.LabelRef("scaled"))
	k.each(reg.RDX, 4, store)
	JMP(operand.LabelRef("stored"))

	Label("scaled")
	MOVQ(k.mem("scale"), reg.RCX)
	for c := range k.columns {
		k.load(k.column(reg.RCX, c), x)
		for r := range k.rows {
			VCVTDQ2PS(k.acc(r, c), k.acc(r, c))
			VMULPS(x, k.acc(r, c), k.acc(r, c))
		}
	}
	CMPQ(k.mem("kind"), operand.Imm(1))
	JNE(operand.LabelRef("bytes"))

	// MAXPS and MINPS return their last operand in Intel's order, Go's first,
	// if either is a NaN: a float stays one, a byte becomes the least.
	MOVQ(k.mem("bias"), reg.RCX)
	TESTQ(reg.RCX, reg.RCX)
	JEQ(operand.LabelRef("biased"))
	for c := range k.columns {
		k.load(k.column(reg.RCX, c), x)
		for r := range k.rows {
			VADDPS(x, k.acc(r, c), k.acc(r, c))
		}
	}
	Label("biased")
	VBROADCASTSS(k.mem("low"), x)
	VBROADCASTSS(k.mem("high"), y)
	k.all(func(acc reg.VecPhysical) {
		VMAXPS(acc, x, acc)
		VMINPS(acc, y, acc)
	})
	k.each(reg.RDX, 4, store)
	JMP(operand.LabelRef("stored"))

	Label("bytes")
	TESTQ(reg.R12, reg.R12)
	JEQ(operand.LabelRef("added"))
	VPBROADCASTD(k.mem("residualZero"), y)
	VBROADCASTSS(k.mem("residualScale"), z)
	VPBROADCASTD(k.mem("residualFlip"), x)
	k.each(reg.R12, 1, func(acc reg.VecPhysical, at operand.Mem, last bool) {
		if k.masked && last {
			VPMOVZXBD_Z(at, reg.K1, w)
		} else {
			VPMOVZXBD(at, w)
		}
		if k.masked {
			VPXORD(x, w, w)
		} else {
			VPXOR(x, w, w)
		}
		VPSUBD(y, w, w)
		VCVTDQ2PS(w, w)
		VMULPS(z, w, w)
		VADDPS(w, acc, acc)
	})
	Label("added")

	VBROADCASTSS(k.mem("low"), x)
	VBROADCASTSS(k.mem("high"), y)
	VPBROADCASTD(k.mem("zero"), z)
	k.all(func(acc reg.VecPhysical) {
		VMAXPS(x, acc, acc)
		VMINPS(y, acc, acc)
		VCVTPS2DQ(acc, acc)
		VPADDD(z, acc, acc)
	})
	if !k.masked {
		VMOVDQU(k.first, x)
	}
	k.each(reg.RDX, 1, func(acc reg.VecPhysical, at operand.Mem, last bool) {
		switch {
		case k.masked && last:
			VPMOVDB(acc, reg.K1, at)
		case k.masked:
			VPMOVDB(acc, at)
		default:
			VPSHUFB(x, acc, acc)
			VEXTRACTI128(operand.Imm(1), acc, y.(reg.Vec).AsX())
			VPUNPCKLDQ(y.(reg.Vec).AsX(), acc.(reg.Vec).AsX(), y.(reg.Vec).AsX())
			VMOVQ(y.(reg.Vec).AsX(), at)
		}
	})
	Label("stored")
}

// interleave writes the kernel that lays four rows of bytes side by side.
func interleave() {
	text("interleaveAVX2", "func(dst *uint8, rows *[4]*uint8, n int, flip uint8)",
		"interleaveAVX2 is interleavePortable(dst, rows, n, flip) for n a multiple of 32.")
	Load(Param("dst"), reg.RDI)
	Load(Param("rows"), reg.RAX)
	Load(Param("n"), reg.RCX)
	m, err := Param("flip").Resolve()
	if err != nil {
		panic(err)
	}
	VPBROADCASTB(m.Addr, reg.Y8)
	from := []reg.Register{reg.R8, reg.R9, reg.R10, reg.R11}
	for i, r := range from {
		MOVQ(operand.Mem{Base: reg.RAX, Disp: 8 * i}, r)
	}
	XORQ(reg.RBX, reg.RBX)
	Label("next")
	for i, r := range from {
		VPXOR(operand.Mem{Base: r, Index: reg.RBX, Scale: 1}, reg.Y8, ymm(i))
	}
	VPUNPCKLBW(ymm(1), ymm(0), ymm(4))
	VPUNPCKHBW(ymm(1), ymm(0), ymm(5))
	VPUNPCKLBW(ymm(3), ymm(2), ymm(6))
	VPUNPCKHBW(ymm(3), ymm(2), ymm(7))
	VPUNPCKLWD(ymm(6), ymm(4), ymm(0))
	VPUNPCKHWD(ymm(6), ymm(4), ymm(1))
	VPUNPCKLWD(ymm(7), ymm(5), ymm(2))
	VPUNPCKHWD(ymm(7), ymm(5), ymm(3))
	for i := range 4 {
		VMOVDQU(ymm(i).(reg.Vec).AsX(), operand.Mem{Base: reg.RDI, Disp: 16 * i})
		VEXTRACTI128(operand.Imm(1), ymm(i), operand.Mem{Base: reg.RDI, Disp: 64 + 16*i})
	}
	ADDQ(operand.U32(128), reg.RDI)
	ADDQ(operand.Imm(32), reg.RBX)
	SUBQ(operand.Imm(32), reg.RCX)
	JNE(operand.LabelRef("next"))
	VZEROUPPER()
	RET()
}
