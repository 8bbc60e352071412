package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vectors is a vector instruction set as the tile kernels see it.
type vectors struct {
	name     string
	width    int // elements of a vector
	rows     int // most rows of a tile
	register func(i int) reg.VecPhysical
	sum      int  // registers for sums, from 0 on
	masked   bool // has mask registers
}

var (
	avx512Vectors = vectors{name: "AVX512", width: 16, rows: 14, register: zmm, sum: 28, masked: true}
	avx2Vectors   = vectors{name: "AVX2", width: 8, rows: 6, register: ymm, sum: 12}
)

func zmm(i int) reg.VecPhysical {
	return []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
	}[i]
}

func ymm(i int) reg.VecPhysical {
	return []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}[i]
}

// tile writes the tile kernels: see type tile and tilePortable in package
// kernels.
func tile() {
	three, sixth := constant("tile3", 3), constant("tile6th", 1.0/6)
	for _, set := range []vectors{avx512Vectors, avx2Vectors} {
		for rows := 1; rows <= set.rows; rows++ {
			for columns := 1; columns <= 2; columns++ {
				k := tileKernel{vectors: set, rows: rows, columns: columns, three: three, sixth: sixth}
				k.generate()
			}
		}
	}
}

// tileKernel generates the kernel of tiles of some rows and vectors of
// columns. Registers:
//
//	DI  the tile         R12 segments left    R14 what is wanted next
//	SI  A, group 1       R11 A, group 2       R8, R9, R10 aRow times 1, 3, 5
//	BX  B                R15 bRow             CX  steps left
//	DX  offsets          R13 C, to be fetched AX  cGroup, scratch
//
// After the sums, DX is C and R12 the residual or 0.
//
// Sums of row i are in registers i*columns and on; the last four (AVX2) or
// three registers hold a row of B and an element of A.
type tileKernel struct {
	vectors
	rows, columns int
	three, sixth  operand.Mem
}

func (k *tileKernel) acc(row, column int) reg.VecPhysical {
	return k.register(row*k.columns + column)
}
func (k *tileKernel) bReg(column int) reg.VecPhysical { return k.register(k.sum + column) }
func (k *tileKernel) aReg(row int) reg.VecPhysical {
	if k.masked {
		return k.register(k.sum + 2)
	}
	return k.register(k.sum + 2 + row%2)
}

// rowAt is the operand at row of a group whose first row is at base, with
// one, three and five times the distance of rows in registers.
func rowAt(base, one, three, five reg.Register, row, disp int) operand.Mem {
	m := operand.Mem{Base: base, Disp: disp}
	switch row {
	case 1, 2, 4:
		m.Index, m.Scale = one, uint8(row)
	case 3, 6:
		m.Index, m.Scale = three, uint8(row/3)
	case 5:
		m.Index, m.Scale = five, 1
	}
	return m
}

// half is the number of rows of a group.
func (k *tileKernel) half() int { return k.vectors.rows / 2 }

// aAt is element disp/4 of a row of A.
func (k *tileKernel) aAt(row, disp int) operand.Mem {
	base := reg.Register(reg.RSI)
	if row >= k.half() {
		base = reg.R11
	}
	return rowAt(base, reg.R8, reg.R9, reg.R10, row%k.half(), disp)
}

// step adds the product of a column of A and a row of B, of which it reads
// the last vector through the mask if asked to: that takes one of the two
// units that multiply. It asks for the row of B that is wanted eight steps
// later.
func (k *tileKernel) step(disp int, masked bool) {
	for c := range k.columns {
		m := operand.Mem{Base: reg.RBX, Disp: c * k.width * 4}
		if masked && c == k.columns-1 {
			VMOVUPS_Z(m, reg.K1, k.bReg(c))
		} else {
			VMOVUPS(m, k.bReg(c))
		}
		if c*k.width%16 == 0 {
			PREFETCHT0(operand.Mem{Base: reg.RBX, Index: reg.R15, Scale: 8, Disp: c * k.width * 4})
		}
	}
	ADDQ(reg.R15, reg.RBX)
	for r := range k.rows {
		if k.masked && k.columns == 1 {
			VFMADD231PS_BCST(k.aAt(r, disp), k.bReg(0), k.acc(r, 0))
			continue
		}
		VBROADCASTSS(k.aAt(r, disp), k.aReg(r))
		for c := range k.columns {
			VFMADD231PS(k.bReg(c), k.aReg(r), k.acc(r, c))
		}
	}
}

// align makes the next instruction begin at a multiple of 32 bytes. Jumps that
// cross such an address, or end there, are slow on the Skylake family; they
// cost as much as a step or two of the kernel at the end of each segment.
func align() {
	Instruction(&ir.Instruction{Opcode: "PCALIGN", Operands: []operand.Op{operand.Imm(32)}})
}

// fetchC asks for a row of each group of C, and moves on to the next, until
// there is none: a few lines at a time, so as not to hold up the loads of A
// and B.
func (k *tileKernel) fetchC() {
	CMPQ(reg.R13, k.mem("cLast"))
	JHI(operand.LabelRef("fetched"))
	for i := 0; i < k.columns*k.width*4; i += 64 {
		PREFETCHT0(operand.Mem{Base: reg.R13, Disp: i})
		if k.rows > k.half() {
			PREFETCHT0(operand.Mem{Base: reg.R13, Index: reg.RAX, Scale: 1, Disp: i})
		}
	}
	ADDQ(k.mem("cRow"), reg.R13)
	Label("fetched")
}

// each calls f with every sum and the element of C or the residual that lies
// there, given a pointer to its first row. It leaves cRow times 1, 3 and 5 in
// R8, R9 and R10, and changes AX.
func (k *tileKernel) each(base reg.Register, f func(acc reg.VecPhysical, at operand.Mem, last bool)) {
	for c := range k.columns {
		for r := range k.rows {
			if r%k.half() == 0 {
				MOVQ(base, reg.RAX)
				if r > 0 {
					ADDQ(k.mem("cGroup"), reg.RAX)
				}
				if c > 0 {
					ADDQ(k.mem("cVector"), reg.RAX)
				}
			}
			f(k.acc(r, c), rowAt(reg.RAX, reg.R8, reg.R9, reg.R10, r%k.half(), 0), c == k.columns-1)
		}
	}
}

// mem is a field of the tile as an operand.
func (k *tileKernel) mem(name string) operand.Mem { return field("tile", name, reg.RDI) }

func (k *tileKernel) multiples(name string) {
	MOVQ(k.mem(name), reg.R8)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 2}, reg.R9)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 4}, reg.R10)
}

func (k *tileKernel) generate() {
	text(fmt.Sprintf("tile%dx%d%s", k.rows, k.columns, k.name), "func(t *tile)",
		fmt.Sprintf("tile%dx%d%s is tilePortable(t, %d, %d) with t.rows = %d and t.vectors = %d.",
			k.rows, k.columns, k.name, k.width, k.half(), k.rows, k.columns))
	Load(Param("t"), reg.RDI)
	for _, name := range []string{"a", "b", "c", "bias", "residual", "count", "next"} {
		MOVQ(k.mem(name), reg.RAX)
		MOVQ(reg.RAX, k.mem(name+"Now"))
	}
	MOVQ(k.mem("bRow"), reg.R15)
	if k.masked {
		MOVQ(k.mem("mask"), reg.RAX)
		KMOVW(reg.EAX, reg.K1)
	}

	Label("product")
	MOVQ(k.mem("cNow"), reg.RDX)
	if fetch := min(k.rows, k.half()) - 1; fetch > 0 {
		IMUL3Q(operand.U32(uint32(fetch)), k.mem("cRow"), reg.RAX)
		ADDQ(reg.RDX, reg.RAX)
		MOVQ(reg.RAX, k.mem("cLast"))
	} else {
		MOVQ(reg.RDX, k.mem("cLast"))
	}
	MOVQ(reg.RDX, reg.R13)
	k.multiples("aRow")
	MOVQ(k.mem("bNow"), reg.RBX)
	MOVQ(k.mem("nextNow"), reg.R14)
	for i := range k.rows * k.columns {
		if k.masked {
			VPXORD(k.register(i), k.register(i), k.register(i))
		} else {
			VXORPS(k.register(i), k.register(i), k.register(i))
		}
	}
	MOVQ(k.mem("segments"), reg.R12)
	MOVQ(k.mem("offsets"), reg.RDX)
	if k.rows > k.half() {
		MOVQ(k.mem("cGroup"), reg.RAX)
	}

	align()
	Label("segment")
	MOVQ(operand.Mem{Base: reg.RDX}, reg.RSI)
	ADDQ(k.mem("aNow"), reg.RSI)
	ADDQ(operand.Imm(8), reg.RDX)
	if k.rows > k.half() {
		MOVQ(k.mem("aGroup"), reg.R11)
		ADDQ(reg.RSI, reg.R11)
	}
	MOVQ(k.mem("k"), reg.RCX)
	align()
	if k.masked {
		CMPQ(k.mem("bEdge"), operand.Imm(0))
		JNE(operand.LabelRef("edge"))
	}
	SUBQ(operand.Imm(4), reg.RCX)
	JLT(operand.LabelRef("rest"))

	Label("four")
	for i := range 4 {
		k.step(4*i, false)
	}
	k.fetchC()
	PREFETCHT1(operand.Mem{Base: reg.R14, Index: reg.RCX, Scale: 4})
	PREFETCHT1(operand.Mem{Base: reg.R14, Index: reg.RCX, Scale: 4, Disp: 64})
	ADDQ(k.mem("nextLine"), reg.R14)
	align()
	ADDQ(operand.Imm(16), reg.RSI)
	if k.rows > k.half() {
		ADDQ(operand.Imm(16), reg.R11)
	}
	SUBQ(operand.Imm(4), reg.RCX)
	JGE(operand.LabelRef("four"))

	align()
	Label("rest")
	ADDQ(operand.Imm(4), reg.RCX)
	JEQ(operand.LabelRef("next"))
	one := func(label string, masked bool) {
		Label(label)
		k.step(0, masked)
		align()
		ADDQ(operand.Imm(4), reg.RSI)
		if k.rows > k.half() {
			ADDQ(operand.Imm(4), reg.R11)
		}
		DECQ(reg.RCX)
		JNE(operand.LabelRef(label))
	}
	one("one", false)
	align()
	Label("next")
	DECQ(reg.R12)
	JNE(operand.LabelRef("segment"))
	if k.masked {
		JMP(operand.LabelRef("summed"))
		one("edge", true)
		DECQ(reg.R12)
		JNE(operand.LabelRef("segment"))
		Label("summed")
	}

	MOVQ(k.mem("cNow"), reg.RDX)
	MOVQ(k.mem("residualNow"), reg.R12)
	k.epilogue()

	// The next product.
	for _, name := range []string{"a", "b", "c", "bias", "next"} {
		MOVQ(k.mem(name+"Step"), reg.RAX)
		ADDQ(reg.RAX, k.mem(name+"Now"))
	}
	TESTQ(reg.R12, reg.R12)
	JEQ(operand.LabelRef("bare"))
	MOVQ(k.mem("cStep"), reg.RAX)
	ADDQ(reg.RAX, k.mem("residualNow"))
	Label("bare")
	DECQ(k.mem("countNow"))
	JNE(operand.LabelRef("product"))
	VZEROUPPER()
	RET()
}

// epilogue scales the sums, adds what is to be added, applies the activation
// and stores.
func (k *tileKernel) epilogue() {
	x := k.bReg(0)
	accs := k.rows * k.columns

	MOVL(k.mem("alpha"), reg.EAX)
	CMPL(reg.EAX, operand.U32(0x3f800000)) // 1
	JEQ(operand.LabelRef("scaled"))
	VBROADCASTSS(k.mem("alpha"), x)
	for i := range accs {
		VMULPS(x, k.register(i), k.register(i))
	}
	Label("scaled")
	k.multiples("cRow")

	addFrom := func(acc reg.VecPhysical, at operand.Mem, last bool) {
		if k.masked && last {
			VADDPS(at, acc, reg.K1, acc)
		} else {
			VADDPS(at, acc, acc)
		}
	}
	CMPQ(k.mem("accumulate"), operand.Imm(0))
	JEQ(operand.LabelRef("accumulated"))
	k.each(reg.RDX, addFrom)
	Label("accumulated")

	MOVQ(k.mem("biasKind"), reg.RAX)
	MOVQ(k.mem("biasNow"), reg.RCX)
	CMPQ(reg.RAX, operand.Imm(1))
	JLT(operand.LabelRef("biased"))
	JEQ(operand.LabelRef("rowbias"))
	for c := range k.columns {
		m := operand.Mem{Base: reg.RCX, Disp: c * k.width * 4}
		if k.masked && c == k.columns-1 {
			VMOVUPS_Z(m, reg.K1, x)
		} else {
			VMOVUPS(m, x)
		}
		for r := range k.rows {
			VADDPS(x, k.acc(r, c), k.acc(r, c))
		}
	}
	JMP(operand.LabelRef("biased"))
	Label("rowbias")
	for r := range k.rows {
		VBROADCASTSS(operand.Mem{Base: reg.RCX, Disp: r * 4}, x)
		for c := range k.columns {
			VADDPS(x, k.acc(r, c), k.acc(r, c))
		}
	}
	Label("biased")

	TESTQ(reg.R12, reg.R12)
	JEQ(operand.LabelRef("added"))
	k.each(reg.R12, addFrom)
	Label("added")
	k.activate()
	k.each(reg.RDX, func(acc reg.VecPhysical, at operand.Mem, last bool) {
		if k.masked && last {
			VMOVUPS(acc, reg.K1, at)
		} else {
			VMOVUPS(acc, at)
		}
	})
}

// activate applies the activation to the sums.
func (k *tileKernel) activate() {
	x, y := k.bReg(0), k.bReg(1)
	accs := k.rows * k.columns
	// MAXPS and MINPS return their last operand in Intel's order, Go's first,
	// if either is a NaN: the sum comes first here, so that a NaN stays one.
	MOVQ(k.mem("activation"), reg.RCX)
	TESTQ(reg.RCX, reg.RCX)
	JEQ(operand.LabelRef("store"))
	CMPQ(reg.RCX, operand.Imm(1))
	JNE(operand.LabelRef("hard"))
	VBROADCASTSS(k.mem("low"), x)
	VBROADCASTSS(k.mem("high"), y)
	for i := range accs {
		VMAXPS(k.register(i), x, k.register(i))
		VMINPS(k.register(i), y, k.register(i))
	}
	JMP(operand.LabelRef("store"))

	Label("hard")
	z := k.register(k.sum + 2)
	CMPQ(reg.RCX, operand.Imm(2))
	JNE(operand.LabelRef("hardsigmoid"))
	for i := range accs {
		k.hardSigmoid(k.register(i), z)
		VMULPS(z, k.register(i), k.register(i))
	}
	JMP(operand.LabelRef("store"))
	Label("hardsigmoid")
	for i := range accs {
		k.hardSigmoid(k.register(i), k.register(i))
	}

	Label("store")
}

// hardSigmoid sets y to clamp(x+3, low, high)/6.
func (k *tileKernel) hardSigmoid(x, y reg.VecPhysical) {
	t := k.bReg(0)
	VBROADCASTSS(k.three, t)
	VADDPS(t, x, y)
	VBROADCASTSS(k.mem("low"), t)
	VMAXPS(y, t, y)
	VBROADCASTSS(k.mem("high"), t)
	VMINPS(y, t, y)
	VBROADCASTSS(k.sixth, t)
	VMULPS(t, y, y)
}
