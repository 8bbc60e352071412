package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

// constant declares a read-only float32 that kernels broadcast.
func constant(name string, x float32) operand.Mem {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	DATA(0, operand.F32(x))
	return m
}

var tailMaskTable *operand.Mem

// tailMasks is eight words of ones and as many zeros, side by side: at
// 4*(8-n) lies the AVX2 mask of the first n elements.
func tailMasks() operand.Mem {
	if tailMaskTable == nil {
		m := GLOBL("tailMasks", attr.RODATA|attr.NOPTR)
		for i := range 16 {
			DATA(4*i, operand.U32(0xffffffff*uint32(1-i/8)))
		}
		tailMaskTable = &m
	}
	return *tailMaskTable
}
