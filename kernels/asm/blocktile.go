package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// blockTile writes the tile kernels for images in blocks of channels: those of
// tile with the distances of rows known, and with as few instructions as will
// do, since it is their number that bounds the rate. Tiles have up to three
// vectors.
func blockTile() {
	three, sixth := constant("blockTile3", 3), constant("blockTile6th", 1.0/6)
	for _, set := range []struct {
		vectors
		rows      []int // most of a tile, by vectors
		registers int
	}{
		{avx512Vectors, []int{1: 14, 2: 14, 3: 9}, 32},
		{avx2Vectors, []int{1: 6, 2: 6, 3: 4}, 16},
	} {
		for columns, rows := range set.rows {
			for n := 1; n <= rows; n++ {
				k := blockTileKernel{tileKernel{vectors: set.vectors, rows: n, columns: columns, three: three, sixth: sixth}}
				k.sum = set.registers - 1 - max(columns, 2)
				k.generate()
			}
		}
	}
	takeBlocks()
}

// takeBlocks writes the kernel that copies blocks, every so many bytes one.
func takeBlocks() {
	text("takeBlocksAVX512", "func(to, from *float32, count, step int)",
		"takeBlocksAVX512 copies count blocks of 16 elements, step bytes apart, as takePixels does.")
	Load(Param("to"), reg.RDI)
	Load(Param("from"), reg.RSI)
	Load(Param("count"), reg.RCX)
	Load(Param("step"), reg.RDX)
	Label("copy")
	PREFETCHT0(operand.Mem{Base: reg.RSI, Index: reg.RDX, Scale: 8})
	VMOVUPS(operand.Mem{Base: reg.RSI}, reg.Z0)
	VMOVUPS(reg.Z0, operand.Mem{Base: reg.RDI})
	ADDQ(reg.RDX, reg.RSI)
	ADDQ(operand.Imm(64), reg.RDI)
	DECQ(reg.RCX)
	JNE(operand.LabelRef("copy"))
	VZEROUPPER()
	RET()
}

// blockColumns is the number of columns of A that a segment has.
const blockColumns = 8

// blockTileKernel generates the kernel of tiles of some rows and vectors of
// columns. Registers:
//
//	DI  the tile         R8  a                R12 ahead
//	SI  A, group 1       R11 A, group 2       R13 products left
//	BX  B                R9  aGroup           R14 what is wanted next
//	DX  C, group 1       R10 C, group 2       R15 cVector
//	AX  offsets          CX  segments left
type blockTileKernel struct{ tileKernel }

// step adds the product of column i of a segment of A and a row of B. Some
// elements of A are loaded by the multiplications themselves, which are then
// fewer instructions, others but once, which are fewer loads.
func (k *blockTileKernel) step(i int) {
	for c := range k.columns {
		VMOVUPS(operand.Mem{Base: reg.RBX, Disp: k.bytes() * (i*k.columns + c)}, k.bReg(c))
	}
	for r := range k.rows {
		at := operand.Mem{Base: reg.RSI, Disp: k.bytes()*(r%k.half()) + 4*i}
		if r >= k.half() {
			at.Base = reg.R11
		}
		if k.masked && (k.columns == 1 || embedded(r)) {
			for c := range k.columns {
				VFMADD231PS_BCST(at, k.bReg(c), k.acc(r, c))
			}
			continue
		}
		VBROADCASTSS(at, k.aReg(r))
		for c := range k.columns {
			VFMADD231PS(k.bReg(c), k.aReg(r), k.acc(r, c))
		}
	}
}

// embedded tells the rows of which the multiplications load the elements.
func embedded(row int) bool { return row%3 == 1 }

func (k *blockTileKernel) aReg(int) reg.VecPhysical {
	if k.masked {
		return k.register(31)
	}
	return k.register(15)
}

// bytes is the size of a vector.
func (k *blockTileKernel) bytes() int { return 4 * k.width }

// each calls f with every sum and the element of C, or what lies index bytes
// from it, that belongs to it.
func (k *blockTileKernel) each(index reg.Register, f func(acc reg.VecPhysical, at operand.Mem)) {
	for c := range k.columns {
		base := [2]reg.GPPhysical{reg.RDX, reg.R10}
		if c > 0 {
			base = [2]reg.GPPhysical{reg.RSI, reg.R11}
			from := [2]reg.GPPhysical{reg.RDX, reg.R10}
			if c > 1 {
				from = base
			}
			for g := range groups(k.rows, k.half()) {
				LEAQ(operand.Mem{Base: from[g], Index: reg.R15, Scale: 1}, base[g])
			}
		}
		for r := range k.rows {
			m := operand.Mem{Base: base[r/k.half()], Disp: k.bytes() * (r % k.half())}
			if index != nil {
				m.Index, m.Scale = index, 1
			}
			f(k.acc(r, c), m)
		}
	}
}

// groups is the number of groups of half rows that rows are in.
func groups(rows, half int) int { return (rows + half - 1) / half }

func (k *blockTileKernel) generate() {
	name := fmt.Sprintf("blockTile%dx%d%s", k.rows, k.columns, k.name)
	text(name, "func(t *tile)",
		fmt.Sprintf("%s is tilePortable(t, %d, %d) with t.rows = %d, t.vectors = %d, t.k = %d, all", name, k.width, k.half(), k.rows, k.columns, blockColumns),
		"columns there, no bias of rows, and rows of A, B and C side by side.")
	Load(Param("t"), reg.RDI)
	for _, x := range []struct {
		name string
		to   reg.GPPhysical
	}{{"a", reg.R8}, {"aGroup", reg.R9}, {"c", reg.RDX}, {"cVector", reg.R15}, {"ahead", reg.R12}, {"count", reg.R13}, {"next", reg.R14}} {
		MOVQ(k.mem(x.name), x.to)
	}

	align()
	Label("product")
	k.begin()
	MOVQ(k.mem("offsets"), reg.RAX)
	MOVQ(k.mem("segments"), reg.RCX)
	MOVQ(k.mem("b"), reg.RBX)
	align()

	Label("segment")
	MOVQ(operand.Mem{Base: reg.RAX}, reg.RSI)
	ADDQ(reg.R8, reg.RSI)
	if k.rows > k.half() {
		LEAQ(operand.Mem{Base: reg.RSI, Index: reg.R9, Scale: 1}, reg.R11)
	}
	for i := range blockColumns {
		k.step(i)
	}
	// The two halves of a block of 16 channels ask for different lines.
	lines := []int{32, 32 + 128}
	if k.width == blockColumns {
		lines = []int{0, 64, 128}
	}
	for _, at := range lines {
		PREFETCHT1(operand.Mem{Base: reg.RSI, Index: reg.R12, Scale: 1, Disp: at})
	}
	for i := range k.width / 4 {
		PREFETCHT1(operand.Mem{Base: reg.R14, Disp: 64 * i})
	}
	ADDQ(k.mem("nextLine"), reg.R14)
	ADDQ(operand.Imm(8), reg.RAX)
	ADDQ(operand.U32(uint32(k.bytes()*blockColumns*k.columns)), reg.RBX)
	DECQ(reg.RCX)
	JNE(operand.LabelRef("segment"))

	k.activate()
	k.each(nil, func(acc reg.VecPhysical, at operand.Mem) { VMOVUPS(acc, at) })
	ADDQ(k.mem("aStep"), reg.R8)
	ADDQ(k.mem("cStep"), reg.RDX)
	DECQ(reg.R13)
	JNE(operand.LabelRef("product"))
	VZEROUPPER()
	RET()
}

// begin sets the sums to what the products are added to.
func (k *blockTileKernel) begin() {
	if k.rows > k.half() {
		MOVQ(k.mem("cGroup"), reg.R10)
		ADDQ(reg.RDX, reg.R10)
	}
	CMPQ(k.mem("biasKind"), operand.Imm(0))
	JEQ(operand.LabelRef("zero"))
	MOVQ(k.mem("bias"), reg.RSI)
	for c := range k.columns {
		VMOVUPS(operand.Mem{Base: reg.RSI, Disp: k.bytes() * c}, k.acc(0, c))
		for r := 1; r < k.rows; r++ {
			VMOVAPS(k.acc(0, c), k.acc(r, c))
		}
	}
	JMP(operand.LabelRef("begun"))
	Label("zero")
	for i := range k.rows * k.columns {
		k.clear(k.register(i))
	}
	Label("begun")

	add := func(acc reg.VecPhysical, at operand.Mem) { VADDPS(at, acc, acc) }
	CMPQ(k.mem("accumulate"), operand.Imm(0))
	JEQ(operand.LabelRef("accumulated"))
	k.each(nil, add)
	Label("accumulated")
	CMPQ(k.mem("residual"), operand.Imm(0))
	JEQ(operand.LabelRef("added"))
	MOVQ(k.mem("residual"), reg.RAX)
	SUBQ(k.mem("c"), reg.RAX)
	k.each(reg.RAX, add)
	Label("added")
}
