package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// planeTile writes the tile kernels for images in planes, whose pixels are one
// or two elements apart, with results in blocks of channels. Segments are as
// short as a row of the convolution's kernel, so that what is done once for
// each counts. Few rows are left to the kernels of tile.
func planeTile() {
	three, sixth := constant("planeTile3", 3), constant("planeTile6th", 1.0/6)
	for _, set := range []struct {
		vectors
		least, registers int
	}{{avx512Vectors, 10, 32}, {avx2Vectors, 4, 16}} {
		for pixel := 1; pixel <= 2; pixel++ {
			for columns := 1; columns <= 2; columns++ {
				for rows := set.least; rows <= set.rows; rows++ {
					k := planeTileKernel{blockTileKernel{tileKernel{vectors: set.vectors, rows: rows, columns: columns, three: three, sixth: sixth}}, pixel}
					k.sum = set.registers - 3
					k.generate()
				}
			}
		}
	}
}

// planeTileKernel generates the kernel of tiles of some rows and vectors of
// columns. Registers are those of a blockTileKernel, but:
//
//	R12 k                R14 C, to be fetched  R13 columns of the segment left
type planeTileKernel struct {
	blockTileKernel
	pixel int // elements from one pixel to the next
}

// step adds the product of a column of A and a row of B.
func (k *planeTileKernel) step() {
	for c := range k.columns {
		VMOVUPS(operand.Mem{Base: reg.RBX, Disp: k.bytes() * c}, k.bReg(c))
	}
	for r := range k.rows {
		at := operand.Mem{Base: reg.RSI, Disp: 4 * k.pixel * (r % k.half())}
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

func (k *planeTileKernel) generate() {
	name := fmt.Sprintf("planeTile%dx%dx%d%s", k.pixel, k.rows, k.columns, k.name)
	text(name, "func(t *tile)",
		fmt.Sprintf("%s is tilePortable(t, %d, %d) with t.rows = %d, t.vectors = %d, rows of A", name, k.width, k.half(), k.rows, k.columns),
		fmt.Sprintf("%d bytes apart, all columns there, alpha 1, no bias of rows, and rows of B and C side by side.", 4*k.pixel))
	Load(Param("t"), reg.RDI)
	for _, x := range []struct {
		name string
		to   reg.GPPhysical
	}{{"a", reg.R8}, {"aGroup", reg.R9}, {"c", reg.RDX}, {"cVector", reg.R15}, {"k", reg.R12}, {"count", reg.R13}} {
		MOVQ(k.mem(x.name), x.to)
	}
	MOVQ(reg.R13, k.mem("countNow"))

	align()
	Label("product")
	k.begin()
	MOVQ(k.mem("offsets"), reg.RAX)
	MOVQ(k.mem("segments"), reg.RCX)
	MOVQ(k.mem("b"), reg.RBX)
	MOVQ(reg.RDX, reg.R14)
	align()

	Label("segment")
	MOVQ(operand.Mem{Base: reg.RAX}, reg.RSI)
	ADDQ(reg.R8, reg.RSI)
	if k.rows > k.half() {
		LEAQ(operand.Mem{Base: reg.RSI, Index: reg.R9, Scale: 1}, reg.R11)
	}
	// A line of C for each segment, and more than there are for long sums: what
	// lies behind is the next tile's.
	PREFETCHT0(operand.Mem{Base: reg.R14})
	if k.columns > 1 {
		PREFETCHT0(operand.Mem{Base: reg.R14, Index: reg.R15, Scale: 1})
	}
	ADDQ(operand.Imm(uint64(k.bytes())), reg.R14)
	ADDQ(operand.Imm(8), reg.RAX)
	MOVQ(reg.R12, reg.R13)
	align()
	Label("column")
	k.step()
	ADDQ(operand.U32(uint32(k.bytes()*k.columns)), reg.RBX)
	ADDQ(operand.Imm(4), reg.RSI)
	if k.rows > k.half() {
		ADDQ(operand.Imm(4), reg.R11)
	}
	DECQ(reg.R13)
	JNE(operand.LabelRef("column"))
	DECQ(reg.RCX)
	JNE(operand.LabelRef("segment"))

	k.activate()
	k.each(nil, func(acc reg.VecPhysical, at operand.Mem) { VMOVUPS(acc, at) })
	ADDQ(k.mem("aStep"), reg.R8)
	ADDQ(k.mem("cStep"), reg.RDX)
	DECQ(k.mem("countNow"))
	JNE(operand.LabelRef("product"))
	VZEROUPPER()
	RET()
}
