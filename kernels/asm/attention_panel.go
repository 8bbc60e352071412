package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Rows of the tiles of attention by panels: any number from the first of these
// on can be cut into tiles of so many rows.
const (
	panelRowsLow  = 7
	panelRowsHigh = 14
)

// attentionPanels writes the kernels of attention by panels of queries: see
// attention_panel.go in package kernels.
func attentionPanels() {
	for rows := panelRowsLow; rows <= panelRowsHigh; rows++ {
		for columns := 1; columns <= 2; columns++ {
			k := panelTile{rows: rows, columns: columns}
			k.scores()
			k.values()
		}
	}
}

// panelTile generates the kernels of tiles of rows and vectors of queries. Sums
// of row i are in registers i*columns and on. A panel has room for two vectors
// of each row.
type panelTile struct{ rows, columns int }

const (
	panelVector = 64 // bytes of a vector
	panelRow    = 2 * panelVector
)

func (k *panelTile) acc(row, column int) reg.VecPhysical { return zmm(row*k.columns + column) }

// each calls f with every sum and the vector of a panel that belongs to it.
func (k *panelTile) each(base reg.Register, f func(acc reg.VecPhysical, at operand.Mem, column int)) {
	for r := range k.rows {
		for c := range k.columns {
			f(k.acc(r, c), operand.Mem{Base: base, Disp: r*panelRow + c*panelVector}, c)
		}
	}
}

// step adds the products of the elements at a(row) and a row of a panel.
func (k *panelTile) step(panel operand.Mem, a func(row int) operand.Mem) {
	for c := range k.columns {
		VMOVUPS(operand.Mem{Base: panel.Base, Disp: panel.Disp + c*panelVector}, zmm(28+c))
	}
	for r := range k.rows {
		if k.columns == 1 {
			VFMADD231PS_BCST(a(r), zmm(28), k.acc(r, 0))
			continue
		}
		VBROADCASTSS(a(r), zmm(30))
		for c := range k.columns {
			VFMADD231PS(zmm(28+c), zmm(30), k.acc(r, c))
		}
	}
}

// scores writes the kernel that computes weights. Registers: DI the work, BX
// queries, SI a row of keys, R11 the seventh row after it, R8, R9, R10 keyRow
// times 1, 3, 5, R13 keys of the tile, DX weights, CX steps left, R12 tiles
// left, R14 shift, R15 keys that are fetched, AX what is wanted next.
func (k *panelTile) scores() {
	const half = panelRowsHigh / 2
	name := fmt.Sprintf("panelScores%dx%dAVX512", k.rows, k.columns)
	text(name, "func(t *panelScores)", fmt.Sprintf("%s is panelScoresPortable(t) with t.rows = %d and t.vectors = %d.", name, k.rows, k.columns))
	mem := func(name string) operand.Mem { return field("panelScores", name, reg.RDI) }
	Load(Param("t"), reg.RDI)
	MOVQ(mem("keyRow"), reg.R8)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 2}, reg.R9)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 4}, reg.R10)
	MOVQ(mem("keys"), reg.R13)
	MOVQ(mem("weights"), reg.RDX)
	MOVQ(mem("count"), reg.R12)
	MOVQ(mem("shift"), reg.R14)
	MOVQ(mem("next"), reg.RAX)
	key := func(disp int) func(row int) operand.Mem {
		return func(row int) operand.Mem {
			if row >= half {
				return rowAt(reg.R11, reg.R8, reg.R9, reg.R10, row-half, disp)
			}
			return rowAt(reg.RSI, reg.R8, reg.R9, reg.R10, row, disp)
		}
	}

	Label("tile")
	MOVQ(reg.R13, reg.RSI)
	LEAQ(operand.Mem{Base: reg.RSI, Index: reg.R9, Scale: 2}, reg.R11)
	ADDQ(reg.R8, reg.R11)
	IMUL3Q(operand.U32(uint32(k.rows)), reg.R8, reg.R15)
	ADDQ(reg.R13, reg.R15)
	MOVQ(mem("queries"), reg.RBX)
	MOVQ(mem("dim"), reg.RCX)
	for r := range k.rows {
		for c := range k.columns {
			VMOVUPS(operand.Mem{Base: reg.R14, Disp: c * panelVector}, k.acc(r, c))
		}
	}
	SUBQ(operand.Imm(4), reg.RCX)
	JLT(operand.LabelRef("rest"))
	align()
	Label("four")
	for i := range 4 {
		k.step(operand.Mem{Base: reg.RBX, Disp: i * panelRow}, key(4*i))
	}
	PREFETCHT1(operand.Mem{Base: reg.RAX})
	ADDQ(mem("nextStep"), reg.RAX)
	for i := range 4 {
		PREFETCHT0(operand.Mem{Base: reg.R15, Disp: 64 * i})
	}
	ADDQ(reg.R8, reg.R15)
	ADDQ(operand.U32(4*panelRow), reg.RBX)
	ADDQ(operand.Imm(16), reg.RSI)
	ADDQ(operand.Imm(16), reg.R11)
	SUBQ(operand.Imm(4), reg.RCX)
	JGE(operand.LabelRef("four"))
	Label("rest")
	ADDQ(operand.Imm(4), reg.RCX)
	JEQ(operand.LabelRef("summed"))
	Label("one")
	k.step(operand.Mem{Base: reg.RBX}, key(0))
	ADDQ(operand.U32(panelRow), reg.RBX)
	ADDQ(operand.Imm(4), reg.RSI)
	ADDQ(operand.Imm(4), reg.R11)
	DECQ(reg.RCX)
	JNE(operand.LabelRef("one"))
	Label("summed")

	CMPQ(mem("first"), operand.Imm(0))
	JEQ(operand.LabelRef("shifted"))
	MOVQ(operand.U32(0), mem("first"))
	for c := range k.columns {
		largest := zmm(28 + c)
		VMOVAPS(k.acc(0, c), largest)
		for r := 1; r < k.rows; r++ {
			VMAXPS(k.acc(r, c), largest, largest)
		}
		VPXORD(zmm(31), zmm(31), zmm(31))
		VSUBPS(largest, zmm(31), largest)
		VMOVUPS(largest, operand.Mem{Base: reg.R14, Disp: c * panelVector})
		for r := range k.rows {
			VADDPS(largest, k.acc(r, c), k.acc(r, c))
		}
	}
	Label("shifted")

	MOVQ(mem("sum"), reg.R15)
	sums := []reg.VecPhysical{zmm(30), zmm(31)}
	for c := range k.columns {
		VMOVUPS(operand.Mem{Base: reg.R15, Disp: c * panelVector}, sums[c])
	}
	k.exponentials(sums)
	for c := range k.columns {
		VMOVUPS(sums[c], operand.Mem{Base: reg.R15, Disp: c * panelVector})
	}
	ADDQ(operand.U32(uint32(k.rows*panelRow)), reg.RDX)
	IMUL3Q(operand.U32(uint32(k.rows)), reg.R8, reg.RCX)
	ADDQ(reg.RCX, reg.R13)
	DECQ(reg.R12)
	JNE(operand.LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// exponentials replaces the sums, which it stores and adds up, by 2^x as in
// exp.go: several side by side, as far as there are registers, as each is a
// long chain. What is in memory does not take the units that multiply.
func (k *panelTile) exponentials(sums []reg.VecPhysical) {
	const most = 6 // side by side
	number := func(i int) operand.Mem { return vectorConstant(math.Float32bits(float32(exp2Coefficients[i]))) }
	last := len(exp2Coefficients) - 1
	free := []reg.VecPhysical{zmm(28), zmm(29)}
	for from := 0; from < k.rows*k.columns; {
		n := min(len(free)/2, most, k.rows*k.columns-from)
		for i := range n {
			VREDUCEPS(operand.U8(9), zmm(from+i), free[2*i])
			VBROADCASTSS(number(last), free[2*i+1])
		}
		for c := last - 1; c >= 0; c-- {
			for i := range n {
				VFMADD213PS_BCST(number(c), free[2*i], free[2*i+1])
			}
		}
		for i := range n {
			VSCALEFPS(zmm(from+i), free[2*i+1], zmm(from+i))
		}
		for i := range n {
			row, c := (from+i)/k.columns, (from+i)%k.columns
			VADDPS(zmm(from+i), sums[c], sums[c])
			VMOVUPS(zmm(from+i), operand.Mem{Base: reg.RDX, Disp: row*panelRow + c*panelVector})
			free = append(free, zmm(from+i))
		}
		from += n
	}
}

// values writes the kernel that adds values up. Registers: DI the work, BX
// weights, SI a row of values, R8, R9 valueRow times 1 and 3, R13 the tile's
// elements of values, DX results, CX keys left, R12 tiles left, R14 factor,
// R15 the row of values that is fetched, AX what is wanted next.
func (k *panelTile) values() {
	name := fmt.Sprintf("panelValues%dx%dAVX512", k.rows, k.columns)
	text(name, "func(t *panelValues)", fmt.Sprintf("%s is panelValuesPortable(t) with t.rows = %d and t.vectors = %d.", name, k.rows, k.columns))
	mem := func(name string) operand.Mem { return field("panelValues", name, reg.RDI) }
	Load(Param("t"), reg.RDI)
	MOVQ(mem("valueRow"), reg.R8)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 2}, reg.R9)
	MOVQ(mem("values"), reg.R13)
	MOVQ(mem("out"), reg.RDX)
	MOVQ(mem("count"), reg.R12)
	MOVQ(mem("factor"), reg.R14)

	Label("tile")
	MOVQ(reg.R13, reg.RSI)
	MOVQ(reg.R13, reg.R15)
	MOVQ(mem("next"), reg.RAX)
	ADDQ(operand.Imm(64), mem("next"))
	MOVQ(mem("weights"), reg.RBX)
	MOVQ(mem("keys"), reg.RCX)
	CMPQ(mem("accumulate"), operand.Imm(0))
	JNE(operand.LabelRef("accumulate"))
	k.each(reg.RDX, func(acc reg.VecPhysical, _ operand.Mem, _ int) { VPXORD(acc, acc, acc) })
	JMP(operand.LabelRef("begin"))
	Label("accumulate")
	k.each(reg.RDX, func(acc reg.VecPhysical, at operand.Mem, _ int) { VMOVUPS(at, acc) })
	Label("begin")
	SUBQ(operand.Imm(4), reg.RCX)
	JLT(operand.LabelRef("rest"))
	align()
	Label("four")
	for i := range 4 {
		PREFETCHT0(operand.Mem{Base: reg.R15, Index: reg.R8, Scale: 8})
		PREFETCHT0(operand.Mem{Base: reg.R15, Index: reg.R8, Scale: 8, Disp: 4 * (k.rows - 1)})
		ADDQ(reg.R8, reg.R15)
		k.step(operand.Mem{Base: reg.RBX, Disp: i * panelRow}, func(row int) operand.Mem {
			m := operand.Mem{Base: reg.RSI, Disp: 4 * row}
			switch i {
			case 1, 2:
				m.Index, m.Scale = reg.R8, uint8(i)
			case 3:
				m.Index, m.Scale = reg.R9, 1
			}
			return m
		})
	}
	PREFETCHT1(operand.Mem{Base: reg.RAX})
	ADDQ(mem("nextStep"), reg.RAX)
	CMPQ(reg.RAX, mem("nextLast"))
	CMOVQHI(mem("nextLast"), reg.RAX)
	ADDQ(operand.U32(4*panelRow), reg.RBX)
	LEAQ(operand.Mem{Base: reg.RSI, Index: reg.R8, Scale: 4}, reg.RSI)
	SUBQ(operand.Imm(4), reg.RCX)
	JGE(operand.LabelRef("four"))
	Label("rest")
	ADDQ(operand.Imm(4), reg.RCX)
	JEQ(operand.LabelRef("summed"))
	Label("one")
	k.step(operand.Mem{Base: reg.RBX}, func(row int) operand.Mem { return operand.Mem{Base: reg.RSI, Disp: 4 * row} })
	ADDQ(operand.U32(panelRow), reg.RBX)
	ADDQ(reg.R8, reg.RSI)
	DECQ(reg.RCX)
	JNE(operand.LabelRef("one"))
	Label("summed")

	TESTQ(reg.R14, reg.R14)
	JEQ(operand.LabelRef("scaled"))
	for c := range k.columns {
		VMOVUPS(operand.Mem{Base: reg.R14, Disp: c * panelVector}, zmm(28+c))
	}
	k.each(reg.RDX, func(acc reg.VecPhysical, _ operand.Mem, c int) { VMULPS(zmm(28+c), acc, acc) })
	Label("scaled")
	k.each(reg.RDX, func(acc reg.VecPhysical, at operand.Mem, _ int) { VMOVUPS(acc, at) })
	ADDQ(operand.U32(uint32(k.rows*panelRow)), reg.RDX)
	ADDQ(operand.U32(uint32(4*k.rows)), reg.R13)
	ADDQ(operand.Imm(64), mem("nextLast"))
	DECQ(reg.R12)
	JNE(operand.LabelRef("tile"))
	VZEROUPPER()
	RET()
}
