#include "go_asm.h"
#include "textflag.h"

// Inner kernel of matrix multiplication: see type tile in gemm.go for what it
// computes and portableTile for the same in Go.
//
// Registers:
//   R0  the tile             R1  packed A         R2  B
//   R3  bStride              R4  steps of k       R5  4*rows
//   R6  C                    R7  cStride          R8  residual or 0
//   R9  bias or 0            R10 rows             R11 panels left
//   R12 A of the panel
// Row i of the tile is held in V(2i) and V(2i+1), B in V16 and V17, a column
// of A in V18 and V19. Of A, whole vectors are read: see packSlack. The loops
// are written out for every number of rows, and for the left half of the
// columns alone.

// The assembler lacks these instructions for vectors of float32; by element:
// d += n * m[2*h + l].
#define FMLA(d, n, m, h, l) WORD $(0x4F801000 | (l)<<21 | (m)<<16 | (h)<<11 | (n)<<5 | (d))
#define FADD(d, n, m) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
#define FMUL(d, n, m) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
// A NaN in either operand gives a NaN.
#define FMAX(d, n, m) WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d))
#define FMIN(d, n, m) WORD $(0x4EA0F400 | (m)<<16 | (n)<<5 | (d))

#define ROW8(row, a, h, l) \
	FMLA(2*row, 16, a, h, l)   \
	FMLA(2*row+1, 17, a, h, l)

#define ROW4(row, a, h, l) \
	FMLA(2*row, 16, a, h, l)

#define STEP8X1 \
	FMOVS.P 4(R1), F18 \
	VLD1.P (R2)(R3), [V16.S4, V17.S4] \
	ROW8(0, 18, 0, 0)

#define STEP8X2 \
	VLD1.P (R1)(R5), [V18.S4] \
	VLD1.P (R2)(R3), [V16.S4, V17.S4] \
	ROW8(0, 18, 0, 0) \
	ROW8(1, 18, 0, 1)

#define STEP8X3 \
	VLD1.P (R1)(R5), [V18.S4] \
	VLD1.P (R2)(R3), [V16.S4, V17.S4] \
	ROW8(0, 18, 0, 0) \
	ROW8(1, 18, 0, 1) \
	ROW8(2, 18, 1, 0)

#define STEP8X4 \
	VLD1.P (R1)(R5), [V18.S4] \
	VLD1.P (R2)(R3), [V16.S4, V17.S4] \
	ROW8(0, 18, 0, 0) \
	ROW8(1, 18, 0, 1) \
	ROW8(2, 18, 1, 0) \
	ROW8(3, 18, 1, 1)

#define STEP8X5 \
	VLD1.P (R1)(R5), [V18.S4, V19.S4] \
	VLD1.P (R2)(R3), [V16.S4, V17.S4] \
	ROW8(0, 18, 0, 0) \
	ROW8(1, 18, 0, 1) \
	ROW8(2, 18, 1, 0) \
	ROW8(3, 18, 1, 1) \
	ROW8(4, 19, 0, 0)

#define STEP8X6 \
	VLD1.P (R1)(R5), [V18.S4, V19.S4] \
	VLD1.P (R2)(R3), [V16.S4, V17.S4] \
	ROW8(0, 18, 0, 0) \
	ROW8(1, 18, 0, 1) \
	ROW8(2, 18, 1, 0) \
	ROW8(3, 18, 1, 1) \
	ROW8(4, 19, 0, 0) \
	ROW8(5, 19, 0, 1)

#define STEP8X7 \
	VLD1.P (R1)(R5), [V18.S4, V19.S4] \
	VLD1.P (R2)(R3), [V16.S4, V17.S4] \
	ROW8(0, 18, 0, 0) \
	ROW8(1, 18, 0, 1) \
	ROW8(2, 18, 1, 0) \
	ROW8(3, 18, 1, 1) \
	ROW8(4, 19, 0, 0) \
	ROW8(5, 19, 0, 1) \
	ROW8(6, 19, 1, 0)

#define STEP8X8 \
	VLD1.P (R1)(R5), [V18.S4, V19.S4] \
	VLD1.P (R2)(R3), [V16.S4, V17.S4] \
	ROW8(0, 18, 0, 0) \
	ROW8(1, 18, 0, 1) \
	ROW8(2, 18, 1, 0) \
	ROW8(3, 18, 1, 1) \
	ROW8(4, 19, 0, 0) \
	ROW8(5, 19, 0, 1) \
	ROW8(6, 19, 1, 0) \
	ROW8(7, 19, 1, 1)

#define STEP4X2 \
	VLD1.P (R1)(R5), [V18.S4] \
	VLD1.P (R2)(R3), [V16.S4] \
	ROW4(0, 18, 0, 0) \
	ROW4(1, 18, 0, 1)

#define STEP4X3 \
	VLD1.P (R1)(R5), [V18.S4] \
	VLD1.P (R2)(R3), [V16.S4] \
	ROW4(0, 18, 0, 0) \
	ROW4(1, 18, 0, 1) \
	ROW4(2, 18, 1, 0)

#define STEP4X4 \
	VLD1.P (R1)(R5), [V18.S4] \
	VLD1.P (R2)(R3), [V16.S4] \
	ROW4(0, 18, 0, 0) \
	ROW4(1, 18, 0, 1) \
	ROW4(2, 18, 1, 0) \
	ROW4(3, 18, 1, 1)

#define STEP4X5 \
	VLD1.P (R1)(R5), [V18.S4, V19.S4] \
	VLD1.P (R2)(R3), [V16.S4] \
	ROW4(0, 18, 0, 0) \
	ROW4(1, 18, 0, 1) \
	ROW4(2, 18, 1, 0) \
	ROW4(3, 18, 1, 1) \
	ROW4(4, 19, 0, 0)

#define STEP4X6 \
	VLD1.P (R1)(R5), [V18.S4, V19.S4] \
	VLD1.P (R2)(R3), [V16.S4] \
	ROW4(0, 18, 0, 0) \
	ROW4(1, 18, 0, 1) \
	ROW4(2, 18, 1, 0) \
	ROW4(3, 18, 1, 1) \
	ROW4(4, 19, 0, 0) \
	ROW4(5, 19, 0, 1)

#define STEP4X7 \
	VLD1.P (R1)(R5), [V18.S4, V19.S4] \
	VLD1.P (R2)(R3), [V16.S4] \
	ROW4(0, 18, 0, 0) \
	ROW4(1, 18, 0, 1) \
	ROW4(2, 18, 1, 0) \
	ROW4(3, 18, 1, 1) \
	ROW4(4, 19, 0, 0) \
	ROW4(5, 19, 0, 1) \
	ROW4(6, 19, 1, 0)

#define STEP4X8 \
	VLD1.P (R1)(R5), [V18.S4, V19.S4] \
	VLD1.P (R2)(R3), [V16.S4] \
	ROW4(0, 18, 0, 0) \
	ROW4(1, 18, 0, 1) \
	ROW4(2, 18, 1, 0) \
	ROW4(3, 18, 1, 1) \
	ROW4(4, 19, 0, 0) \
	ROW4(5, 19, 0, 1) \
	ROW4(6, 19, 1, 0) \
	ROW4(7, 19, 1, 1)

#define LOOP(STEP, loop) \
	CBZ  R4, finish \
loop:              \
	STEP            \
	SUBS $1, R4, R4 \
	BNE  loop       \
	B    finish

// FROM adds a row at (from) to a row of the tile.
#define FROM(from, row) \
	VLD1.P (from)(R7), [V16.S4, V17.S4] \
	FADD(2*row, 2*row, 16)           \
	FADD(2*row+1, 2*row+1, 17)

#define BIAS(row) \
	VLD1R.P 4(R9), [V16.S4]    \
	FADD(2*row, 2*row, 16)     \
	FADD(2*row+1, 2*row+1, 16)

#define CLAMP(x) \
	FMAX(x, x, 20) \
	FMIN(x, x, 21)

#define HARDSIGMOID(x) \
	FADD(x, x, 22) \
	FMAX(x, x, 20) \
	FMIN(x, x, 21) \
	FMUL(x, x, 23)

#define HARDSWISH(x) \
	FADD(24, x, 22)  \
	FMAX(24, 24, 20) \
	FMIN(24, 24, 21) \
	FMUL(24, 24, 23) \
	FMUL(x, x, 24)

// func gemmNEON(t *oldTile)
TEXT ·gemmNEON(SB), NOSPLIT, $0-8
	MOVD t+0(FP), R0
	MOVD oldTile_a(R0), R12
	MOVD oldTile_bStride(R0), R3
	MOVD oldTile_cStride(R0), R7
	MOVD oldTile_c(R0), R6
	MOVD oldTile_residual(R0), R8
	MOVD oldTile_bias(R0), R9
	MOVD oldTile_rows(R0), R10
	MOVD oldTile_count(R0), R11
	LSL  $2, R10, R5

panel:
	MOVD R12, R1
	MOVD oldTile_aStride(R0), R13
	ADD  R13, R12
	MOVD oldTile_b(R0), R2
	MOVD oldTile_k(R0), R4
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16
	VEOR V4.B16, V4.B16, V4.B16
	VEOR V5.B16, V5.B16, V5.B16
	VEOR V6.B16, V6.B16, V6.B16
	VEOR V7.B16, V7.B16, V7.B16
	VEOR V8.B16, V8.B16, V8.B16
	VEOR V9.B16, V9.B16, V9.B16
	VEOR V10.B16, V10.B16, V10.B16
	VEOR V11.B16, V11.B16, V11.B16
	VEOR V12.B16, V12.B16, V12.B16
	VEOR V13.B16, V13.B16, V13.B16
	VEOR V14.B16, V14.B16, V14.B16
	VEOR V15.B16, V15.B16, V15.B16
	CMP  $1, R10
	BEQ  single
	MOVD oldTile_narrow(R0), R13
	CBNZ R13, narrow
	CMP  $8, R10
	BEQ  wide8
	CMP  $7, R10
	BEQ  wide7
	CMP  $6, R10
	BEQ  wide6
	CMP  $5, R10
	BEQ  wide5
	CMP  $4, R10
	BEQ  wide4
	CMP  $3, R10
	BEQ  wide3
	B    wide2

	// A single row, all columns: four steps at once, to have enough sums under
	// way.
single:
	SUBS $4, R4, R4
	BLT  singlerest

singlefour:
	VLD1.P 16(R1), [V18.S4]
	VLD1.P (R2)(R3), [V16.S4, V17.S4]
	VLD1.P (R2)(R3), [V20.S4, V21.S4]
	VLD1.P (R2)(R3), [V22.S4, V23.S4]
	VLD1.P (R2)(R3), [V24.S4, V25.S4]
	FMLA(0, 16, 18, 0, 0)
	FMLA(1, 17, 18, 0, 0)
	FMLA(2, 20, 18, 0, 1)
	FMLA(3, 21, 18, 0, 1)
	FMLA(4, 22, 18, 1, 0)
	FMLA(5, 23, 18, 1, 0)
	FMLA(6, 24, 18, 1, 1)
	FMLA(7, 25, 18, 1, 1)
	SUBS   $4, R4, R4
	BGE    singlefour
	FADD(0, 0, 2)
	FADD(1, 1, 3)
	FADD(4, 4, 6)
	FADD(5, 5, 7)
	FADD(0, 0, 4)
	FADD(1, 1, 5)

singlerest:
	ADD $4, R4
	LOOP(STEP8X1, singleone)

wide2:
	LOOP(STEP8X2, wide2one)

wide3:
	LOOP(STEP8X3, wide3one)

wide4:
	LOOP(STEP8X4, wide4one)

wide5:
	LOOP(STEP8X5, wide5one)

wide6:
	LOOP(STEP8X6, wide6one)

wide7:
	LOOP(STEP8X7, wide7one)

wide8:
	LOOP(STEP8X8, wide8one)

narrow:
	CMP  $8, R10
	BEQ  narrow8
	CMP  $7, R10
	BEQ  narrow7
	CMP  $6, R10
	BEQ  narrow6
	CMP  $5, R10
	BEQ  narrow5
	CMP  $4, R10
	BEQ  narrow4
	CMP  $3, R10
	BEQ  narrow3

narrow2:
	LOOP(STEP4X2, narrow2one)

narrow3:
	LOOP(STEP4X3, narrow3one)

narrow4:
	LOOP(STEP4X4, narrow4one)

narrow5:
	LOOP(STEP4X5, narrow5one)

narrow6:
	LOOP(STEP4X6, narrow6one)

narrow7:
	LOOP(STEP4X7, narrow7one)

narrow8:
	LOOP(STEP4X8, narrow8one)

finish:
	MOVD oldTile_accumulate(R0), R13
	CBZ  R13, bias
	MOVD R6, R13
	FROM(R13, 0)
	CMP  $1, R10
	BEQ  bias
	FROM(R13, 1)
	CMP  $2, R10
	BEQ  bias
	FROM(R13, 2)
	CMP  $3, R10
	BEQ  bias
	FROM(R13, 3)
	CMP  $4, R10
	BEQ  bias
	FROM(R13, 4)
	CMP  $5, R10
	BEQ  bias
	FROM(R13, 5)
	CMP  $6, R10
	BEQ  bias
	FROM(R13, 6)
	CMP  $7, R10
	BEQ  bias
	FROM(R13, 7)

bias:
	CBZ  R9, residual
	BIAS(0)
	CMP  $1, R10
	BEQ  residual
	BIAS(1)
	CMP  $2, R10
	BEQ  residual
	BIAS(2)
	CMP  $3, R10
	BEQ  residual
	BIAS(3)
	CMP  $4, R10
	BEQ  residual
	BIAS(4)
	CMP  $5, R10
	BEQ  residual
	BIAS(5)
	CMP  $6, R10
	BEQ  residual
	BIAS(6)
	CMP  $7, R10
	BEQ  residual
	BIAS(7)

residual:
	CBZ  R8, activation
	FROM(R8, 0)
	CMP  $1, R10
	BEQ  activation
	FROM(R8, 1)
	CMP  $2, R10
	BEQ  activation
	FROM(R8, 2)
	CMP  $3, R10
	BEQ  activation
	FROM(R8, 3)
	CMP  $4, R10
	BEQ  activation
	FROM(R8, 4)
	CMP  $5, R10
	BEQ  activation
	FROM(R8, 5)
	CMP  $6, R10
	BEQ  activation
	FROM(R8, 6)
	CMP  $7, R10
	BEQ  activation
	FROM(R8, 7)

activation:
	MOVD  oldTile_activation(R0), R13
	CMP   $const_oldTileLinear, R13
	BEQ   store
	MOVWU oldTile_low(R0), R14
	VDUP  R14, V20.S4
	MOVWU oldTile_high(R0), R14
	VDUP  R14, V21.S4
	CMP   $const_oldTileClamp, R13
	BEQ   clamp
	MOVW  $0x40400000, R14 // 3
	VDUP  R14, V22.S4
	MOVW  $0x3E2AAAAB, R14 // 1/6
	VDUP  R14, V23.S4
	CMP   $const_oldTileHardSwish, R13
	BEQ   hardswish
	HARDSIGMOID(0)
	HARDSIGMOID(1)
	HARDSIGMOID(2)
	HARDSIGMOID(3)
	HARDSIGMOID(4)
	HARDSIGMOID(5)
	HARDSIGMOID(6)
	HARDSIGMOID(7)
	HARDSIGMOID(8)
	HARDSIGMOID(9)
	HARDSIGMOID(10)
	HARDSIGMOID(11)
	HARDSIGMOID(12)
	HARDSIGMOID(13)
	HARDSIGMOID(14)
	HARDSIGMOID(15)
	B    store

hardswish:
	HARDSWISH(0)
	HARDSWISH(1)
	HARDSWISH(2)
	HARDSWISH(3)
	HARDSWISH(4)
	HARDSWISH(5)
	HARDSWISH(6)
	HARDSWISH(7)
	HARDSWISH(8)
	HARDSWISH(9)
	HARDSWISH(10)
	HARDSWISH(11)
	HARDSWISH(12)
	HARDSWISH(13)
	HARDSWISH(14)
	HARDSWISH(15)
	B    store

clamp:
	CLAMP(0)
	CLAMP(1)
	CLAMP(2)
	CLAMP(3)
	CLAMP(4)
	CLAMP(5)
	CLAMP(6)
	CLAMP(7)
	CLAMP(8)
	CLAMP(9)
	CLAMP(10)
	CLAMP(11)
	CLAMP(12)
	CLAMP(13)
	CLAMP(14)
	CLAMP(15)

store:
	VST1.P [V0.S4, V1.S4], (R6)(R7)
	CMP  $1, R10
	BEQ  stored
	VST1.P [V2.S4, V3.S4], (R6)(R7)
	CMP  $2, R10
	BEQ  stored
	VST1.P [V4.S4, V5.S4], (R6)(R7)
	CMP  $3, R10
	BEQ  stored
	VST1.P [V6.S4, V7.S4], (R6)(R7)
	CMP  $4, R10
	BEQ  stored
	VST1.P [V8.S4, V9.S4], (R6)(R7)
	CMP  $5, R10
	BEQ  stored
	VST1.P [V10.S4, V11.S4], (R6)(R7)
	CMP  $6, R10
	BEQ  stored
	VST1.P [V12.S4, V13.S4], (R6)(R7)
	CMP  $7, R10
	BEQ  stored
	VST1.P [V14.S4, V15.S4], (R6)(R7)

stored:
	SUBS $1, R11, R11
	BNE  panel
	RET
