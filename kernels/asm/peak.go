package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// peak writes loops of nothing but multiply-adds that do not wait for each
// other: see peakPortable in package kernels.
func peak() {
	half := constant("peakHalf", .5)
	peakLoop("peakFMAAVX512", 24, zmm, half, func(sum reg.VecPhysical) { VFMADD231PS(zmm(30), zmm(31), sum) })
	peakLoop("peakFMAAVX2", 12, ymm, half, func(sum reg.VecPhysical) { VFMADD231PS(ymm(14), ymm(15), sum) })
	peakLoop("peakDot8AVX512", 24, zmm, half, func(sum reg.VecPhysical) { VPDPBUSD(zmm(30), zmm(31), sum) })
}

// peakLoop writes a loop of one instruction for each of sums registers, whose
// operands are the two last registers.
func peakLoop(name string, sums int, register func(i int) reg.VecPhysical, half operand.Mem, step func(sum reg.VecPhysical)) {
	text(name, "func(loops int)",
		fmt.Sprintf("%s does %d multiply-adds of vectors in each of loops", name, sums),
		"rounds, as peakPortable does of single numbers.")
	Load(Param("loops"), reg.RCX)
	last := 15
	if register(0) == reg.Z0 {
		last = 31
	}
	for i := range sums {
		if last == 31 {
			VPXORD(register(i), register(i), register(i))
		} else {
			VXORPS(register(i), register(i), register(i))
		}
	}
	VBROADCASTSS(half, register(last))
	VBROADCASTSS(half, register(last-1))
	Label("loop")
	for i := range sums {
		step(register(i))
	}
	DECQ(reg.RCX)
	JNZ(operand.LabelRef("loop"))
	VZEROUPPER()
	RET()
}
