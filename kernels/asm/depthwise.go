package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// depthwise writes the kernels of depthwise convolution: of flat planes, and in
// blocks of channels, for which see type depthwiseStrip in package kernels.
func depthwise() {
	depthwisePlanes()
	three, sixth := constant("depthwise3", 3), constant("depthwise6th", 1.0/6)
	for _, set := range []vectors{
		{name: "AVX512", width: 16, register: zmm, sum: 32, masked: true},
		{name: "AVX2", width: 8, register: ymm, sum: 16},
	} {
		for _, size := range []int{3, 5, 7} {
			// Sums, a row of weights and an element of the image fill the
			// registers of AVX2.
			outputs := min(14, set.sum-size-1)
			for stride := 1; stride <= 2; stride++ {
				k := depthwiseKernel{vectors: set, size: size, stride: stride, outputs: outputs, three: three, sixth: sixth}
				k.columns()
			}
		}
		k := depthwiseKernel{vectors: set, outputs: 7, three: three, sixth: sixth}
		k.taps()
		k.spread()
	}
}

// Sizes of a depthwiseSpan and a depthwiseLine.
const (
	spanSize = 7 * 8
	lineSize = 3 * 8
)

// depthwiseKernel generates a kernel that makes up to outputs elements of a
// row at a time. Registers:
//
//	DI  the strip     R8, CX  span, spans left             AX  distance in dst
//	R11 image of the row      R9, R10 first and end of the span
//	R12 kernel rows left      R13 weights of the row       BX  scratch
//	R14 srcRow                R15 outputs of the span
//
// Sums are in registers 0 and on, behind them a row of weights.
type depthwiseKernel struct {
	vectors
	size, stride int
	outputs      int
	three, sixth operand.Mem
}

func (k *depthwiseKernel) mem(name string) operand.Mem  { return field("depthwiseStrip", name, reg.RDI) }
func (k *depthwiseKernel) span(name string) operand.Mem { return field("depthwiseSpan", name, reg.R8) }

// pixel is element i of a row of pixels.
func (k *depthwiseKernel) pixel(base reg.Register, i int) operand.Mem {
	return operand.Mem{Base: base, Disp: 4 * k.width * i}
}

// begin opens the loops over lines and spans.
func (k *depthwiseKernel) begin() {
	Load(Param("t"), reg.RDI)
	Label("line")
	MOVQ(k.mem("spans"), reg.R8)
	MOVQ(k.mem("spanCount"), reg.RCX)
	Label("span")
	MOVQ(k.mem("lines"), reg.RBX)
	ADDQ(k.mem("lineAt"), reg.RBX)
	MOVQ(k.span("src"), reg.R11)
	ADDQ(field("depthwiseLine", "src", reg.RBX), reg.R11)
	ADDQ(k.mem("src"), reg.R11)
	MOVQ(field("depthwiseLine", "weight", reg.RBX), reg.R13)
	ADDQ(k.mem("weight"), reg.R13)
	MOVQ(field("depthwiseLine", "rows", reg.RBX), reg.R12)
	MOVQ(k.span("dst"), reg.RAX)
	ADDQ(k.mem("dstAt"), reg.RAX)
}

// start sets count sums to the bias.
func (k *depthwiseKernel) start(count int) {
	MOVQ(k.mem("bias"), reg.RBX)
	for i := range count {
		if i == 0 {
			VMOVUPS(operand.Mem{Base: reg.RBX}, k.register(0))
		} else {
			VMOVAPS(k.register(0), k.register(i))
		}
	}
}

// end closes the loops.
func (k *depthwiseKernel) end() {
	ADDQ(operand.U8(spanSize), reg.R8)
	DECQ(reg.RCX)
	JNE(operand.LabelRef("span"))
	ADDQ(operand.U8(lineSize), k.mem("lineAt"))
	MOVQ(k.mem("dstLine"), reg.RAX)
	ADDQ(reg.RAX, k.mem("dstAt"))
	DECQ(k.mem("lineCount"))
	JNE(operand.LabelRef("line"))
	VZEROUPPER()
	RET()
}

// columns generates the kernel for one width and stride: every column of the
// image under a span is loaded once in a kernel row, and added to the sums of
// the outputs that it meets.
func (k *depthwiseKernel) columns() {
	name := fmt.Sprintf("depthwiseColumns%ds%d%s", k.size, k.stride, k.name)
	text(name, "func(t *depthwiseStrip)",
		fmt.Sprintf("%s is depthwiseColumnsPortable(t, %d, %d, %d), for spans of up to %d outputs.",
			name, k.width, k.size, k.stride, k.outputs))
	k.begin()
	MOVQ(k.span("first"), reg.R9)
	MOVQ(k.span("end"), reg.R10)
	MOVQ(k.mem("srcRow"), reg.R14)
	MOVQ(k.span("count"), reg.R15)
	// Two lengths of spans, with no more padding than keeps the size of the
	// image, have code of their own: branches cost as much as arithmetic here.
	pad := k.size / 2
	for _, count := range []int{k.outputs, 7} {
		next := fmt.Sprintf("not%d", count)
		CMPQ(reg.R15, operand.I32(count))
		JNE(operand.LabelRef(next))
		CMPQ(reg.R9, operand.I32(pad))
		JGT(operand.LabelRef(next))
		CMPQ(reg.R10, operand.I32(k.reach(count)-pad))
		JLT(operand.LabelRef(next))
		k.body(fmt.Sprintf("exact%d", count), count, pad, k.reach(count)-pad, false)
		Label(next)
	}
	k.body("any", k.outputs, k.size-1, 0, true)
	Label("done")
	k.end()
}

// reach is the number of columns that count outputs meet.
func (k *depthwiseKernel) reach(count int) int { return (count-1)*k.stride + k.size }

// body makes a span of count outputs, fewer if partial, of which up to left
// columns may be missing at the left, and those from right on at the right.
func (k *depthwiseKernel) body(label string, count, left, right int, partial bool) {
	k.start(count)
	TESTQ(reg.R12, reg.R12)
	JEQ(operand.LabelRef(label + "summed"))
	Label(label + "row")
	for s := range k.size {
		VMOVUPS(k.pixel(reg.R13, s), k.register(k.outputs+s))
	}
	for column := range k.reach(count) {
		Label(fmt.Sprintf("%scolumn%d", label, column))
		if column < left {
			CMPQ(reg.R9, operand.I32(column))
			JGT(operand.LabelRef(fmt.Sprintf("%scolumn%d", label, column+1)))
		}
		if column >= right {
			CMPQ(reg.R10, operand.I32(column))
			JLE(operand.LabelRef(label + "next"))
		}
		x := k.register(k.sum - 1 - column%min(k.sum-k.outputs-k.size, 4))
		VMOVUPS(k.pixel(reg.R11, column), x)
		for s := range k.size {
			if t := column - s; t >= 0 && t%k.stride == 0 && t/k.stride < count {
				VFMADD231PS(x, k.register(k.outputs+s), k.register(t/k.stride))
			}
		}
	}
	Label(label + "next")
	ADDQ(operand.I32(4*k.width*k.size), reg.R13)
	ADDQ(reg.R14, reg.R11)
	DECQ(reg.R12)
	JNE(operand.LabelRef(label + "row"))
	Label(label + "summed")
	k.finish(label, count, partial)
	JMP(operand.LabelRef("done"))
}

// taps generates the kernel for every other shape: the weights of one position
// of the kernel meet several outputs, which are any distance apart.
func (k *depthwiseKernel) taps() {
	name := "depthwiseTaps" + k.name
	text(name, "func(t *depthwiseStrip)", fmt.Sprintf("%s is depthwiseTapsPortable(t, %d).", name, k.width))
	// R9 outputs left; R14, R15 and R10 one, three and five times the distance
	// of outputs; BX image, SI weights and AX number left of the taps of a row.
	k.begin()
	ADDQ(k.span("weight"), reg.R13)
	CMPQ(k.span("taps"), operand.Imm(0))
	JNE(operand.LabelRef("some"))
	XORL(reg.R12L, reg.R12L)
	Label("some")
	MOVQ(reg.R13, k.mem("runWeight"))
	MOVQ(reg.R12, k.mem("runRows"))
	MOVQ(k.span("count"), reg.R9)
	MOVQ(k.mem("srcTap"), reg.RDX)
	Label("run")
	MOVQ(reg.R11, k.mem("runSrc"))
	MOVQ(reg.RAX, k.mem("runDst"))
	k.start(k.outputs)
	MOVQ(k.mem("srcOutput"), reg.R14)
	LEAQ(operand.Mem{Base: reg.R14, Index: reg.R14, Scale: 2}, reg.R15)
	LEAQ(operand.Mem{Base: reg.R14, Index: reg.R14, Scale: 4}, reg.R10)
	MOVQ(k.mem("runWeight"), reg.R13)
	MOVQ(k.mem("runRows"), reg.R12)
	CMPQ(reg.R9, operand.I32(k.outputs))
	JLT(operand.LabelRef("one"))
	k.run("many", k.outputs)
	Label("one")
	k.run("one", 1)
	Label("done")
	k.end()
}

// run makes count outputs and goes on to the next run.
func (k *depthwiseKernel) run(label string, count int) {
	w := k.register(k.sum - 1)
	TESTQ(reg.R12, reg.R12)
	JEQ(operand.LabelRef(label + "summed"))
	Label(label + "row")
	MOVQ(reg.R11, reg.RBX)
	MOVQ(reg.R13, reg.RSI)
	MOVQ(k.span("taps"), reg.RAX)
	Label(label + "tap")
	VMOVUPS(k.pixel(reg.RSI, 0), w)
	ADDQ(operand.I32(4*k.width), reg.RSI)
	for t := range count {
		VFMADD231PS(rowAt(reg.RBX, reg.R14, reg.R15, reg.R10, t, 0), w, k.register(t))
	}
	ADDQ(reg.RDX, reg.RBX)
	DECQ(reg.RAX)
	JNE(operand.LabelRef(label + "tap"))
	ADDQ(k.mem("weightRow"), reg.R13)
	ADDQ(k.mem("srcRow"), reg.R11)
	DECQ(reg.R12)
	JNE(operand.LabelRef(label + "row"))
	Label(label + "summed")
	MOVQ(k.mem("runDst"), reg.RAX)
	k.finish(label, count, false)
	MOVQ(k.mem("runDst"), reg.RAX)
	ADDQ(operand.I32(4*k.width*count), reg.RAX)
	MOVQ(k.mem("srcOutput"), reg.R11)
	IMUL3Q(operand.U8(count), reg.R11, reg.R11)
	ADDQ(k.mem("runSrc"), reg.R11)
	SUBQ(operand.I32(count), reg.R9)
	JNE(operand.LabelRef("run"))
	JMP(operand.LabelRef("done"))
}

// finish adds the residual to count sums, applies the activation, and stores
// them AX bytes into dst: if partial, the first R15 only. It changes AX and BX.
func (k *depthwiseKernel) finish(label string, count int, partial bool) {
	each := func(done string, f func(i int)) {
		for i := range count {
			if partial && i > 0 {
				CMPQ(reg.R15, operand.I32(i))
				JLE(operand.LabelRef(label + done))
			}
			f(i)
		}
		Label(label + done)
	}
	MOVQ(k.mem("residual"), reg.RBX)
	TESTQ(reg.RBX, reg.RBX)
	JEQ(operand.LabelRef(label + "added"))
	ADDQ(reg.RAX, reg.RBX)
	each("added", func(i int) { VADDPS(k.pixel(reg.RBX, i), k.register(i), k.register(i)) })

	// The sum comes first in MAXPS and MINPS, so that a NaN stays one.
	x, y, z := k.register(k.sum-1), k.register(k.sum-2), k.register(k.sum-3)
	MOVQ(k.mem("activation"), reg.RBX)
	TESTQ(reg.RBX, reg.RBX)
	JEQ(operand.LabelRef(label + "activated"))
	VBROADCASTSS(k.mem("low"), x)
	VBROADCASTSS(k.mem("high"), y)
	CMPQ(reg.RBX, operand.Imm(1))
	JNE(operand.LabelRef(label + "hard"))
	for i := range count {
		VMAXPS(k.register(i), x, k.register(i))
		VMINPS(k.register(i), y, k.register(i))
	}
	JMP(operand.LabelRef(label + "activated"))
	Label(label + "hard")
	hard := func(from, to reg.VecPhysical) {
		VBROADCASTSS(k.three, z)
		VADDPS(z, from, to)
		VMAXPS(to, x, to)
		VMINPS(to, y, to)
		VBROADCASTSS(k.sixth, z)
		VMULPS(z, to, to)
	}
	CMPQ(reg.RBX, operand.Imm(2))
	JNE(operand.LabelRef(label + "hardsigmoid"))
	for i := range count {
		h := k.register(k.sum - 4)
		hard(k.register(i), h)
		VMULPS(h, k.register(i), k.register(i))
	}
	JMP(operand.LabelRef(label + "activated"))
	Label(label + "hardsigmoid")
	for i := range count {
		hard(k.register(i), k.register(i))
	}
	Label(label + "activated")
	ADDQ(k.mem("dst"), reg.RAX)
	each("stored", func(i int) { VMOVUPS(k.register(i), k.pixel(reg.RAX, i)) })
}

// spread generates what copies pixels with their channels permuted.
func (k *depthwiseKernel) spread() {
	name := "depthwiseSpread" + k.name
	text(name, "func(dst, src *float32, lanes *int32, pixels int)",
		fmt.Sprintf("%s is depthwiseSpreadPortable(dst, src, lanes, pixels, %d).", name, k.width))
	Load(Param("dst"), reg.RDI)
	Load(Param("src"), reg.RSI)
	Load(Param("lanes"), reg.RAX)
	Load(Param("pixels"), reg.RCX)
	lanes, x := k.register(0), k.register(1)
	VMOVUPS(operand.Mem{Base: reg.RAX}, lanes)
	Label("pixel")
	VPERMPS(k.pixel(reg.RSI, 0), lanes, x)
	VMOVUPS(x, k.pixel(reg.RDI, 0))
	ADDQ(operand.I32(4*k.width), reg.RSI)
	ADDQ(operand.I32(4*k.width), reg.RDI)
	DECQ(reg.RCX)
	JNE(operand.LabelRef("pixel"))
	VZEROUPPER()
	RET()
}
