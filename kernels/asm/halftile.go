package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// halfPanel is the number of columns of a panel of a HalfMatrix.
const halfPanel = 32

// halfTiles writes the tiles of products with a HalfMatrix, see
// halfTileKernels in package kernels, of 1, 2 and 4 rows. Registers: DI the
// sums, SI the rows of A, R9 bytes from row to row of A, DX the panel, CX the
// pairs left.
func halfTiles() {
	for _, t := range []halfTile{
		{vectors: vectorSets[0], name: "halfTileFloat16", float16: true},
		{vectors: vectorSets[0], name: "halfTileBfloat16"},
		{vectors: vectorSets[0], name: "halfTilePairs", pairs: true},
		{vectors: vectorSets[0], name: "halfTileDot", pairs: true, dot: true},
		{vectors: vectorSets[1], name: "halfTileFloat16", float16: true},
		{vectors: vectorSets[1], name: "halfTileBfloat16"},
		{vectors: vectorSets[1], name: "halfTilePairs", pairs: true},
	} {
		for rows := 1; rows <= 4 && (t.masked || rows <= 2); rows *= 2 {
			t.rows = rows
			t.generate()
		}
	}
}

type halfTile struct {
	vectors
	name    string
	float16 bool // B is Float16, else Bfloat16 in pairs
	pairs   bool // A is Bfloat16 in pairs, else float32
	dot     bool // VDPBF16PS
}

func (t *halfTile) generate() {
	perRow := halfPanel / t.width
	// Sums, then the elements of A, two registers a row, then B.
	sum := func(row, v int) reg.VecPhysical { return t.register(row*perRow + v) }
	a := func(row, odd int) reg.VecPhysical { return t.register(t.rows*perRow + 2*row + odd) }
	even, odd := t.register(t.rows*(perRow+2)), t.register(t.rows*(perRow+2)+1)
	mask := t.register(t.rows*(perRow+2) + 2)

	twin := "with float32 rows of A"
	if t.pairs {
		twin = "with rows of A in pairs"
	}
	text(fmt.Sprintf("%s%d%s", t.name, t.rows, t.vectors.name), "func(sums *float32, a, b *uint16, pairs, aRow int)",
		fmt.Sprintf("%s%d%s is halfTilePortable of %d rows, %s.", t.name, t.rows, t.vectors.name, t.rows, twin))
	Load(Param("sums"), reg.RDI)
	Load(Param("a"), reg.RSI)
	Load(Param("b"), reg.RDX)
	Load(Param("pairs"), reg.RCX)
	Load(Param("aRow"), reg.R9)
	LEAQ(operand.Mem{Base: reg.R9, Index: reg.R9, Scale: 2}, reg.R10)
	zero := func(v reg.VecPhysical) {
		if t.masked {
			VPXORD(v, v, v)
		} else {
			VXORPS(v, v, v)
		}
	}
	for i := range t.rows * perRow {
		zero(t.register(i))
	}
	and := func(x, y reg.VecPhysical) {
		if t.masked {
			VPANDD(mask, x, y)
		} else {
			VPAND(mask, x, y)
		}
	}
	if !t.float16 && !t.dot {
		MOVL(operand.U32(0xffff0000), reg.EAX)
		MOVD(reg.EAX, x(15))
		VPBROADCASTD(x(15), mask)
	}
	TESTQ(reg.RCX, reg.RCX)
	JEQ(operand.LabelRef("done"))
	Label("pair")
	for r := range t.rows {
		at := func(disp int) operand.Mem {
			m := operand.Mem{Base: reg.RSI, Disp: disp}
			switch r {
			case 1, 2:
				m.Index, m.Scale = reg.R9, uint8(r)
			case 3:
				m.Index, m.Scale = reg.R10, 1
			}
			return m
		}
		switch {
		case t.dot:
			VPBROADCASTD(at(0), a(r, 0))
		case t.pairs:
			VPBROADCASTD(at(0), a(r, 1))
			VPSLLD(operand.Imm(16), a(r, 1), a(r, 0))
			and(a(r, 1), a(r, 1))
		default:
			VBROADCASTSS(at(0), a(r, 0))
			VBROADCASTSS(at(4), a(r, 1))
		}
	}
	for v := range perRow {
		bytes := 4 * t.width * v
		switch {
		case t.float16:
			VCVTPH2PS(operand.Mem{Base: reg.RDX, Disp: bytes / 2}, even)
			VCVTPH2PS(operand.Mem{Base: reg.RDX, Disp: 2*halfPanel + bytes/2}, odd)
		case t.dot:
			VMOVUPS(operand.Mem{Base: reg.RDX, Disp: bytes}, even)
		default:
			VMOVUPS(operand.Mem{Base: reg.RDX, Disp: bytes}, odd)
			VPSLLD(operand.Imm(16), odd, even)
			and(odd, odd)
		}
		for r := range t.rows {
			if t.dot {
				dotBfloat16(t.rows*(perRow+2), t.rows*perRow+2*r, r*perRow+v)
				continue
			}
			VFMADD231PS(even, a(r, 0), sum(r, v))
			VFMADD231PS(odd, a(r, 1), sum(r, v))
		}
	}
	ADDQ(operand.U32(4*halfPanel), reg.RDX)
	if t.pairs {
		ADDQ(operand.Imm(4), reg.RSI)
	} else {
		ADDQ(operand.Imm(8), reg.RSI)
	}
	DECQ(reg.RCX)
	JNE(operand.LabelRef("pair"))
	Label("done")
	for r := range t.rows {
		for v := range perRow {
			VMOVUPS(sum(r, v), operand.Mem{Base: reg.RDI, Disp: 4 * (r*halfPanel + v*t.width)})
		}
	}
	VZEROUPPER()
	RET()
}

// dotBfloat16 emits VDPBF16PS, which the assembler lacks, on 512-bit registers
// of these numbers: to += the products of the pairs of bfloat16 of x and y
// (EVEX.512.F3.0F38.W0 52 /r; the prefix has the upper bits inverted).
func dotBfloat16(x, y, to int) {
	not := func(n, bit int) int { return ^n >> bit & 1 }
	for _, b := range []int{
		0x62,
		not(to, 3)<<7 | not(x, 4)<<6 | not(x, 3)<<5 | not(to, 4)<<4 | 2, // map 0F38
		^y&15<<3 | 1<<2 | 2, // W0, F3
		2<<5 | not(y, 4)<<3, // 512 bits
		0x52,                // opcode
		3<<6 | to&7<<3 | x&7,
	} {
		Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []operand.Op{operand.U8(b)}})
	}
}
