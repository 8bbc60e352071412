package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The points of F(4x4, 3x3) are 0, a, -a, b, -b and infinity: as in package
// kernels.
const (
	winogradA = 0.625
	winogradB = 1.5
)

// winogradFactors are the factors of the transforms, each a vector in memory.
// Those of the weights have the size of the tiles in their names.
var winogradFactors = map[string]float32{
	"a": winogradA, "a2": winogradA * winogradA, "a3": winogradA * winogradA * winogradA,
	"b": winogradB, "b2": winogradB * winogradB, "b3": winogradB * winogradB * winogradB,
	"sum":     winogradA*winogradA + winogradB*winogradB,
	"product": winogradA * winogradA * winogradB * winogradB,

	"w4zero": 1 / (winogradA * winogradA * winogradB * winogradB),
	"w4a0":   1 / (2 * winogradA * winogradA * (winogradA*winogradA - winogradB*winogradB)),
	"w4a1":   1 / (2 * winogradA * (winogradA*winogradA - winogradB*winogradB)),
	"w4a2":   1 / (2 * (winogradA*winogradA - winogradB*winogradB)),
	"w4b0":   1 / (2 * winogradB * winogradB * (winogradB*winogradB - winogradA*winogradA)),
	"w4b1":   1 / (2 * winogradB * (winogradB*winogradB - winogradA*winogradA)),
	"w4b2":   1 / (2 * (winogradB*winogradB - winogradA*winogradA)),
	"w2zero": -1, "w2a0": 0.5, "w2a1": 0.5, "w2a2": 0.5,
}

// winograd writes the transforms of Winograd convolution: see winogradInput
// and winogradOutput in package kernels.
func winograd() {
	table := map[string]operand.Mem{}
	for _, name := range slices.Sorted(maps.Keys(winogradFactors)) {
		table[name] = GLOBL("winograd_"+name, attr.RODATA|attr.NOPTR)
		for i := range 8 {
			DATA(4*i, operand.F32(winogradFactors[name]))
		}
	}
	three, sixth := constant("winograd3", 3), constant("winograd6th", 1.0/6)
	for _, set := range []vectors{
		{name: "AVX512", width: 16, register: zmm, masked: true},
		{name: "AVX2", width: 8, register: ymm},
	} {
		for _, size := range []int{4, 2} {
			w := winogradTransform{vectors: set, size: size, points: size + 2, table: table, three: three, sixth: sixth}
			w.weights()
			w.input()
			w.output()
		}
	}
	// Weights come from beyond the second-level cache, in the order in which
	// they lie. A prefetch 16 rows ahead hides that where the processor's own
	// stops, at the ends of pages.
	avx512 := vectors{name: "AVX512", width: 16, rows: 14, register: zmm, sum: 28, masked: true}
	for rows := 1; rows <= avx512.rows; rows++ {
		k := tileKernel{vectors: avx512, rows: rows, columns: 2, ahead: 2048, three: three, sixth: sixth}
		k.generate()
	}
}

// winogradTransform generates the transforms of tiles of size*size outputs and
// points*points inputs. Both go through the rows of their result in pairs:
// the first pass, down the columns, leaves a pair in registers 0 and on, and
// the second works along the rows. 12 and 13 are scratch; with AVX-512 the
// factors are in 16 and on.
type winogradTransform struct {
	vectors
	size, points int
	table        map[string]operand.Mem
	loaded       map[string]reg.VecPhysical
	three, sixth operand.Mem
	labels       int
}

func (w *winogradTransform) bytes() int { return w.width * 4 }

// row is the registers of the first or second row of a pair.
func (w *winogradTransform) row(i int) []reg.VecPhysical {
	var r []reg.VecPhysical
	for j := range w.points {
		r = append(r, w.register(i*w.points+j))
	}
	return r
}

// loadFactors puts factors into registers, if there are enough.
func (w *winogradTransform) loadFactors(names ...string) {
	w.loaded = map[string]reg.VecPhysical{}
	if !w.masked {
		return
	}
	for i, name := range names {
		w.loaded[name] = w.register(16 + i)
		VBROADCASTSS(w.table[name], w.loaded[name])
	}
}

// factor is the operand of a factor.
func (w *winogradTransform) factor(name string) operand.Op {
	if r, ok := w.loaded[name]; ok {
		return r
	}
	return w.table[name]
}

// fma adds to acc the product of x, a register or in memory, and a factor.
func (w *winogradTransform) fma(name string, x operand.Op, acc reg.VecPhysical) {
	f, x := w.operands(name, x)
	VFMADD231PS(f, x, acc)
}

// fnma subtracts from acc the product of x and a factor.
func (w *winogradTransform) fnma(name string, x operand.Op, acc reg.VecPhysical) {
	f, x := w.operands(name, x)
	VFNMADD231PS(f, x, acc)
}

// operands orders the factors of a product so that the second is in a
// register.
func (w *winogradTransform) operands(name string, x operand.Op) (operand.Op, operand.Op) {
	f := w.factor(name)
	if _, ok := x.(operand.Mem); !ok {
		return f, x
	}
	if _, ok := f.(operand.Mem); !ok {
		return x, f
	}
	VMOVUPS(x, w.register(13))
	return f, w.register(13)
}

// inputRow sets out to row i of the product of the input matrix and the
// column d, whose elements are in memory or registers.
func (w *winogradTransform) inputRow(i int, d []operand.Op, out reg.VecPhysical) {
	last := w.points - 1
	if w.size == 2 {
		switch i {
		case 0:
			VMOVUPS(d[2], out)
			VSUBPS(d[0], out, out)
		case last:
			VMOVUPS(d[3], out)
			VSUBPS(d[1], out, out)
		}
		return
	}
	k := 4 // of the highest power
	if i == last {
		k = 5
	}
	VMOVUPS(d[k], out)
	w.fnma("sum", d[k-2], out)
	w.fma("product", d[k-4], out)
}

// inputPair sets plus and minus to rows i and i+1, which belong to a point and
// to its negative. scratch may be the register of an element besides d[1] to
// d[4].
func (w *winogradTransform) inputPair(i int, d []operand.Op, plus, minus, scratch reg.VecPhysical) {
	if w.size == 2 {
		VMOVUPS(d[2], plus)
		VSUBPS(d[1], plus, minus)
		VADDPS(d[1], plus, plus)
		return
	}
	point, other := "a", "b2"
	if i == 3 {
		point, other = "b", "a2"
	}
	VMOVUPS(d[4], plus)
	w.fnma(other, d[2], plus)
	VMOVUPS(d[3], scratch)
	w.fnma(other, d[1], scratch)
	VMOVAPS(plus, minus)
	w.fma(point, scratch, plus)
	w.fnma(point, scratch, minus)
}

// registers are operands.
func registers(r []reg.VecPhysical) []operand.Op {
	var ops []operand.Op
	for _, x := range r {
		ops = append(ops, x)
	}
	return ops
}

// input generates the input transform. Registers:
//
//	DI  the transform     AX, BX, CX, DX, SI, R8  rows of the image
//	R9  destination       R10 row of the destination
//	R11, R12, R13         distance of matrices times 1, 3, 5
//	R14 the same times points                      R15 tiles left
func (w *winogradTransform) input() {
	name := fmt.Sprintf("winogradInput%d%s", w.size, w.name)
	text(name, "func(t *winogradInput)",
		fmt.Sprintf("%s is winogradInput%dPortable(t, %d).", name, w.size, w.width))
	mem := func(name string) operand.Mem { return field("winogradInput", name, reg.RDI) }
	image := []reg.Register{reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.R8}[:w.points]
	Load(Param("t"), reg.RDI)
	for i, r := range image {
		m := mem("rows")
		m.Disp += 8 * i
		MOVQ(m, r)
	}
	MOVQ(mem("dst"), reg.R9)
	MOVQ(mem("plane"), reg.R11)
	w.planes()
	MOVQ(mem("count"), reg.R15)
	if w.size == 4 {
		w.loadFactors("a", "b", "a2", "b2", "sum", "product")
	}

	Label("tile")
	MOVQ(reg.R9, reg.R10)
	column := func(j int) []operand.Op {
		var ops []operand.Op
		for _, r := range image {
			ops = append(ops, operand.Mem{Base: r, Disp: j * w.bytes()})
		}
		return ops
	}
	for i := 0; i < w.points; {
		if i == 0 || i == w.points-1 {
			for j, r := range w.row(0) {
				w.inputRow(i, column(j), r)
			}
			w.inputAlong(w.row(0))
			i++
			continue
		}
		for j := range w.points {
			w.inputPair(i, column(j), w.row(0)[j], w.row(1)[j], w.register(12))
		}
		w.inputAlong(w.row(0))
		w.inputAlong(w.row(1))
		i += 2
	}
	for _, r := range image {
		ADDQ(operand.U32(w.size*w.bytes()), r)
	}
	ADDQ(mem("dstStep"), reg.R9)
	DECQ(reg.R15)
	JNE(operand.LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// inputAlong transforms a row and stores it.
func (w *winogradTransform) inputAlong(row []reg.VecPhysical) {
	store := func(x reg.VecPhysical, j int) {
		VMOVUPS(x, rowAt(reg.R10, reg.R11, reg.R12, reg.R13, j, 0))
	}
	d, x, y := registers(row), w.register(12), w.register(13)
	w.inputRow(0, d, x)
	store(x, 0)
	if w.size == 2 {
		w.inputPair(1, d, x, y, nil)
		store(x, 1)
		store(y, 2)
		VSUBPS(row[1], row[3], row[3])
		store(row[3], 3)
	} else {
		// What is no longer needed makes room.
		w.fnma("sum", row[3], row[5])
		w.fma("product", row[1], row[5])
		store(row[5], 5)
		w.inputPair(1, d, row[0], x, row[5])
		store(row[0], 1)
		store(x, 2)
		w.inputPair(3, d, row[0], x, row[5])
		store(row[0], 3)
		store(x, 4)
	}
	ADDQ(reg.R14, reg.R10)
}

// weightRow sets out to the first or last row of the product of the weight
// matrix and the column d.
func (w *winogradTransform) weightRow(i int, d []operand.Op, out reg.VecPhysical) {
	if i > 0 {
		VMOVUPS(d[2], out)
		return
	}
	VMOVUPS(d[0], out)
	VMULPS(w.factor(w.weightFactor("zero")), out, out)
}

// weightPair sets plus and minus to rows i and i+1.
func (w *winogradTransform) weightPair(i int, d []operand.Op, plus, minus reg.VecPhysical) {
	point := "a"
	if i == 3 {
		point = "b"
	}
	VMOVUPS(d[0], plus)
	VMULPS(w.factor(w.weightFactor(point+"0")), plus, plus)
	w.fma(w.weightFactor(point+"2"), d[2], plus)
	VMOVAPS(plus, minus)
	w.fma(w.weightFactor(point+"1"), d[1], plus)
	w.fnma(w.weightFactor(point+"1"), d[1], minus)
}

func (w *winogradTransform) weightFactor(name string) string {
	return fmt.Sprintf("w%d%s", w.size, name)
}

// weights generates the transform of the weights. Registers:
//
//	DI  the transform     SI, BX, CX  columns of the weights
//	R8, R9                distance of elements times 1, 3
//	DX  destination       AX  row of the destination
//	R11, R12, R13         distance of matrices times 1, 3, 5
//	R14 the same times points
//	R10 vectors of a row left                      R15 rows left
func (w *winogradTransform) weights() {
	name := fmt.Sprintf("winogradWeights%d%s", w.size, w.name)
	text(name, "func(t *winogradFilter)",
		fmt.Sprintf("%s is winogradWeights%dPortable(t, %d).", name, w.size, w.width))
	mem := func(name string) operand.Mem { return field("winogradFilter", name, reg.RDI) }
	columns := []reg.Register{reg.RSI, reg.RBX, reg.RCX}
	Load(Param("t"), reg.RDI)
	MOVQ(mem("row"), reg.R8)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 2}, reg.R9)
	MOVQ(mem("src"), reg.RSI)
	LEAQ(operand.Mem{Base: reg.RSI, Index: reg.R8, Scale: 1}, reg.RBX)
	LEAQ(operand.Mem{Base: reg.RSI, Index: reg.R8, Scale: 2}, reg.RCX)
	MOVQ(mem("dst"), reg.RDX)
	MOVQ(mem("plane"), reg.R11)
	w.planes()
	MOVQ(mem("count"), reg.R15)
	names := []string{"zero", "a0", "a1", "a2"}
	if w.size == 4 {
		names = append(names, "b0", "b1", "b2")
	}
	for i, name := range names {
		names[i] = w.weightFactor(name)
	}
	w.loadFactors(names...)

	Label("row")
	MOVQ(mem("vectors"), reg.R10)
	Label("vector")
	MOVQ(reg.RDX, reg.RAX)
	column := func(j int) []operand.Op {
		var ops []operand.Op
		for i := range 3 {
			ops = append(ops, rowAt(columns[j], reg.R8, reg.R9, nil, 3*i, 0))
		}
		return ops
	}
	for i := 0; i < w.points; {
		if i == 0 || i == w.points-1 {
			for j := range 3 {
				w.weightRow(i, column(j), w.row(0)[j])
			}
			w.weightsAlong(w.row(0))
			i++
			continue
		}
		for j := range 3 {
			w.weightPair(i, column(j), w.row(0)[j], w.row(1)[j])
		}
		w.weightsAlong(w.row(0))
		w.weightsAlong(w.row(1))
		i += 2
	}
	ADDQ(operand.Imm(uint64(w.bytes())), reg.RDX)
	for _, r := range columns {
		ADDQ(operand.Imm(uint64(w.bytes())), r)
	}
	DECQ(reg.R10)
	JNE(operand.LabelRef("vector"))
	// The other eight elements of the weights lie behind the first.
	for _, r := range columns {
		LEAQ(operand.Mem{Base: r, Index: reg.R8, Scale: 8}, r)
	}
	DECQ(reg.R15)
	JNE(operand.LabelRef("row"))
	VZEROUPPER()
	RET()
}

// weightsAlong transforms a row and stores it.
func (w *winogradTransform) weightsAlong(row []reg.VecPhysical) {
	store := func(x reg.VecPhysical, j int) {
		VMOVUPS(x, rowAt(reg.RAX, reg.R11, reg.R12, reg.R13, j, 0))
	}
	d, x, y := registers(row[:3]), w.register(12), w.register(13)
	w.weightRow(0, d, x)
	store(x, 0)
	for i := 1; i < w.points-1; i += 2 {
		w.weightPair(i, d, x, y)
		store(x, i)
		store(y, i+1)
	}
	store(row[2], w.points-1)
	ADDQ(reg.R14, reg.RAX)
}

// planes sets R12, R13 and R14 to R11 times 3, 5 and points.
func (w *winogradTransform) planes() {
	LEAQ(operand.Mem{Base: reg.R11, Index: reg.R11, Scale: 2}, reg.R12)
	LEAQ(operand.Mem{Base: reg.R11, Index: reg.R11, Scale: 4}, reg.R13)
	LEAQ(operand.Mem{Base: reg.R11, Index: reg.R12, Scale: 1}, reg.R14)
	if w.size == 4 {
		LEAQ(operand.Mem{Base: reg.R11, Index: reg.R13, Scale: 1}, reg.R14)
	}
}

// output generates the output transform. Registers:
//
//	DI  the transform     BX  source             SI  column of the source
//	R8, R9, R10           distance of its rows times 1, 3, 5
//	R11 distance of matrices                     R12 bias
//	DX  destination       R13 residual or 0      R14 distance of rows
//	AX, CX scratch        R15 tiles left
func (w *winogradTransform) output() {
	name := fmt.Sprintf("winogradOutput%d%s", w.size, w.name)
	text(name, "func(t *winogradOutput)",
		fmt.Sprintf("%s is winogradOutput%dPortable(t, %d).", name, w.size, w.width))
	mem := func(name string) operand.Mem { return field("winogradOutput", name, reg.RDI) }
	Load(Param("t"), reg.RDI)
	MOVQ(mem("src"), reg.RBX)
	MOVQ(mem("plane"), reg.R11)
	if w.size == 4 {
		LEAQ(operand.Mem{Base: reg.R11, Index: reg.R11, Scale: 2}, reg.R8)
		ADDQ(reg.R8, reg.R8)
	} else {
		MOVQ(reg.R11, reg.R8)
		SHLQ(operand.Imm(2), reg.R8)
	}
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 2}, reg.R9)
	LEAQ(operand.Mem{Base: reg.R8, Index: reg.R8, Scale: 4}, reg.R10)
	MOVQ(mem("bias"), reg.R12)
	MOVQ(mem("dst"), reg.RDX)
	MOVQ(mem("residual"), reg.R13)
	MOVQ(mem("dstRow"), reg.R14)
	MOVQ(mem("count"), reg.R15)
	if w.size == 4 {
		w.loadFactors("a", "b", "a2", "b2", "a3", "b3")
	}

	Label("tile")
	at := func(i int) operand.Mem { return rowAt(reg.RSI, reg.R8, reg.R9, reg.R10, i, 0) }
	u, z := w.register(12), w.register(13)
	for parity := range 2 {
		MOVQ(reg.RBX, reg.RSI)
		for j := range w.points {
			first, second := w.row(0)[j], w.row(1)[j]
			VMOVUPS(at(1), u)
			switch {
			case w.size == 2 && parity == 0:
				VADDPS(at(2), u, first)
				VADDPS(at(0), first, first)
			case w.size == 2:
				VSUBPS(at(2), u, first)
				VADDPS(at(3), first, first)
			case parity == 0:
				VMOVUPS(at(3), z)
				VADDPS(at(2), u, u)
				VADDPS(at(4), z, z)
				VADDPS(at(0), u, first)
				VADDPS(z, first, first)
				VMULPS(w.factor("a2"), u, second)
				w.fma("b2", z, second)
			default:
				VMOVUPS(at(3), z)
				VSUBPS(at(2), u, u)
				VSUBPS(at(4), z, z)
				VMULPS(w.factor("a"), u, first)
				w.fma("b", z, first)
				VMOVUPS(at(5), second)
				w.fma("a3", u, second)
				w.fma("b3", z, second)
			}
			if j < w.points-1 {
				ADDQ(reg.R11, reg.RSI)
			}
		}
		for i := range w.size / 2 {
			// Row parity + 2*i of the tile.
			MOVQ(reg.R14, reg.RCX)
			switch {
			case parity+2*i == 0:
				XORL(reg.ECX, reg.ECX)
			case parity+2*i == 2:
				ADDQ(reg.RCX, reg.RCX)
			case parity+2*i == 3:
				LEAQ(operand.Mem{Base: reg.R14, Index: reg.R14, Scale: 2}, reg.RCX)
			}
			w.outputAlong(w.row(i), mem)
		}
	}
	ADDQ(mem("srcStep"), reg.RBX)
	ADDQ(operand.U32(w.size*w.bytes()), reg.RDX)
	TESTQ(reg.R13, reg.R13)
	JEQ(operand.LabelRef("bare"))
	ADDQ(operand.U32(w.size*w.bytes()), reg.R13)
	Label("bare")
	DECQ(reg.R15)
	JNE(operand.LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// outputAlong transforms a row, adds what is to be added, applies the
// activation and stores the row CX bytes after that of the first row.
func (w *winogradTransform) outputAlong(t []reg.VecPhysical, mem func(string) operand.Mem) {
	u := w.register(12)
	var y []reg.VecPhysical
	VADDPS(t[2], t[1], u)
	VSUBPS(t[2], t[1], t[1])
	if w.size == 2 {
		VADDPS(u, t[0], t[0])
		VADDPS(t[1], t[3], t[3])
		y = []reg.VecPhysical{t[0], t[3]}
	} else {
		VADDPS(t[4], t[3], t[2])
		VSUBPS(t[4], t[3], t[3])
		VADDPS(u, t[0], t[0])
		VADDPS(t[2], t[0], t[0])
		VMULPS(w.factor("a2"), u, t[4])
		w.fma("b2", t[2], t[4])
		VMULPS(w.factor("a"), t[1], t[2])
		w.fma("b", t[3], t[2])
		w.fma("a3", t[1], t[5])
		w.fma("b3", t[3], t[5])
		y = []reg.VecPhysical{t[0], t[2], t[4], t[5]}
	}
	label := func(name string) string { return fmt.Sprintf("%s%d", name, w.labels) }
	w.labels++
	for _, x := range y {
		VADDPS(operand.Mem{Base: reg.R12}, x, x)
	}
	TESTQ(reg.R13, reg.R13)
	JEQ(operand.LabelRef(label("added")))
	for j, x := range y {
		VADDPS(operand.Mem{Base: reg.R13, Index: reg.RCX, Scale: 1, Disp: j * w.bytes()}, x, x)
	}
	Label(label("added"))

	// The order of the operands lets a NaN stay one: see tileKernel.epilogue.
	low, high := u, w.register(13)
	MOVQ(mem("activation"), reg.RAX)
	TESTQ(reg.RAX, reg.RAX)
	JEQ(operand.LabelRef(label("store")))
	CMPQ(reg.RAX, operand.Imm(1))
	JNE(operand.LabelRef(label("hard")))
	VBROADCASTSS(mem("low"), low)
	VBROADCASTSS(mem("high"), high)
	for _, x := range y {
		VMAXPS(x, low, x)
		VMINPS(x, high, x)
	}
	JMP(operand.LabelRef(label("store")))
	Label(label("hard"))
	CMPQ(reg.RAX, operand.Imm(2))
	JNE(operand.LabelRef(label("sigmoid")))
	for _, x := range y {
		w.hardSigmoid(x, w.register(13), mem)
		VMULPS(w.register(13), x, x)
	}
	JMP(operand.LabelRef(label("store")))
	Label(label("sigmoid"))
	for _, x := range y {
		w.hardSigmoid(x, x, mem)
	}
	Label(label("store"))
	for j, x := range y {
		VMOVUPS(x, operand.Mem{Base: reg.RDX, Index: reg.RCX, Scale: 1, Disp: j * w.bytes()})
	}
}

// hardSigmoid sets y to clamp(x+3, low, high)/6.
func (w *winogradTransform) hardSigmoid(x, y reg.VecPhysical, mem func(string) operand.Mem) {
	f := w.register(12)
	VBROADCASTSS(w.three, f)
	VADDPS(f, x, y)
	VBROADCASTSS(mem("low"), f)
	VMAXPS(y, f, y)
	VBROADCASTSS(mem("high"), f)
	VMINPS(y, f, y)
	VBROADCASTSS(w.sixth, f)
	VMULPS(f, y, y)
}
