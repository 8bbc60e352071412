#include "go_asm.h"
#include "textflag.h"

// The tile kernels: see type tile and tilePortable in tile.go for what they
// compute. A vector is 8 elements, two registers; a group has three rows.
//
// Registers:
//   R0  the tile              R1 to R6 rows of A, later of C
//   R7  B, first vector       R8  B, second vector    R9  bRow
//   R10 steps left            R11 segments left       R12 offsets
//   R13 products left         R14 to R16 scratch      R19 A of the product
//   R20 B of the product      R21 bias of the product R22 C  R23 residual or 0
// Row i of the tile is held in V(4i) to V(4i+3), V24 to V29 hold four elements
// of each row of A, V30 and V31 a vector of B.
//
// Four steps of the largest kernel are 96 FMLA and 14 loads, 6 of A and 8 of
// B, which is the least that there can be without keeping B, and 2
// instructions of the loop: 112, where 110 would be ideal.

// The assembler lacks these instructions for vectors of float32; by element:
// d += n * m[2*h + l].
#define FMLA(d, n, m, h, l) WORD $(0x4F801000 | (l)<<21 | (m)<<16 | (h)<<11 | (n)<<5 | (d))
#define FADD(d, n, m) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
#define FMUL(d, n, m) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
// A NaN in either operand gives a NaN.
#define FMAX(d, n, m) WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d))
#define FMIN(d, n, m) WORD $(0x4EA0F400 | (m)<<16 | (n)<<5 | (d))

DATA tileSixth<>+0(SB)/4, $0.16666667
GLOBL tileSixth<>(SB), RODATA|NOPTR, $4

// EACHn applies F to n rows: number, pointer, register of A, registers of sums.
#define EACH1(F) F(0, R1, V24, F24, V0, V1, V2, V3)
#define EACH2(F) \
	EACH1(F) \
	F(1, R2, V25, F25, V4, V5, V6, V7)
#define EACH3(F) \
	EACH2(F) \
	F(2, R3, V26, F26, V8, V9, V10, V11)
#define EACH4(F) \
	EACH3(F) \
	F(3, R4, V27, F27, V12, V13, V14, V15)
#define EACH5(F) \
	EACH4(F) \
	F(4, R5, V28, F28, V16, V17, V18, V19)
#define EACH6(F) \
	EACH5(F) \
	F(5, R6, V29, F29, V20, V21, V22, V23)

#define ZERO(i, p, a, f, c0, c1, c2, c3) \
	VEOR c0.B16, c0.B16, c0.B16 \
	VEOR c1.B16, c1.B16, c1.B16 \
	VEOR c2.B16, c2.B16, c2.B16 \
	VEOR c3.B16, c3.B16, c3.B16

#define LOADFOUR(i, p, a, f, c0, c1, c2, c3) VLD1.P 16(p), [a.S4]
#define LOADONE(i, p, a, f, c0, c1, c2, c3) FMOVS.P 4(p), f

// Fvl multiplies element l of each row of A by vector v of B.
#define F00(i, p, a, f, c0, c1, c2, c3) \
	FMLA(4*i, 30, 24+i, 0, 0) \
	FMLA(4*i+1, 31, 24+i, 0, 0)
#define F01(i, p, a, f, c0, c1, c2, c3) \
	FMLA(4*i, 30, 24+i, 0, 1) \
	FMLA(4*i+1, 31, 24+i, 0, 1)
#define F02(i, p, a, f, c0, c1, c2, c3) \
	FMLA(4*i, 30, 24+i, 1, 0) \
	FMLA(4*i+1, 31, 24+i, 1, 0)
#define F03(i, p, a, f, c0, c1, c2, c3) \
	FMLA(4*i, 30, 24+i, 1, 1) \
	FMLA(4*i+1, 31, 24+i, 1, 1)
#define F10(i, p, a, f, c0, c1, c2, c3) \
	FMLA(4*i+2, 30, 24+i, 0, 0) \
	FMLA(4*i+3, 31, 24+i, 0, 0)
#define F11(i, p, a, f, c0, c1, c2, c3) \
	FMLA(4*i+2, 30, 24+i, 0, 1) \
	FMLA(4*i+3, 31, 24+i, 0, 1)
#define F12(i, p, a, f, c0, c1, c2, c3) \
	FMLA(4*i+2, 30, 24+i, 1, 0) \
	FMLA(4*i+3, 31, 24+i, 1, 0)
#define F13(i, p, a, f, c0, c1, c2, c3) \
	FMLA(4*i+2, 30, 24+i, 1, 1) \
	FMLA(4*i+3, 31, 24+i, 1, 1)

#define STEP1(EACH, F0, F1) \
	VLD1.P (R7)(R9), [V30.S4, V31.S4] \
	EACH(F0)
#define STEP2(EACH, F0, F1) \
	VLD1.P (R7)(R9), [V30.S4, V31.S4] \
	EACH(F0) \
	VLD1.P (R8)(R9), [V30.S4, V31.S4] \
	EACH(F1)

#define SCALE(i, p, a, f, c0, c1, c2, c3) \
	FMUL(4*i, 4*i, 30) \
	FMUL(4*i+1, 4*i+1, 30) \
	FMUL(4*i+2, 4*i+2, 30) \
	FMUL(4*i+3, 4*i+3, 30)

// ADDv adds what lies at the row pointers to vector v, COLUMNv V30 and V31.
#define ADD0(i, p, a, f, c0, c1, c2, c3) \
	VLD1 (p), [V30.S4, V31.S4] \
	FADD(4*i, 4*i, 30) \
	FADD(4*i+1, 4*i+1, 31)
#define ADD1(i, p, a, f, c0, c1, c2, c3) \
	VLD1 (p), [V30.S4, V31.S4] \
	FADD(4*i+2, 4*i+2, 30) \
	FADD(4*i+3, 4*i+3, 31)
#define COLUMN0(i, p, a, f, c0, c1, c2, c3) \
	FADD(4*i, 4*i, 30) \
	FADD(4*i+1, 4*i+1, 31)
#define COLUMN1(i, p, a, f, c0, c1, c2, c3) \
	FADD(4*i+2, 4*i+2, 30) \
	FADD(4*i+3, 4*i+3, 31)
#define ROWBIAS(i, p, a, f, c0, c1, c2, c3) \
	FMOVS 4*i(R21), F30 \
	VDUP V30.S[0], V30.S4 \
	FADD(4*i, 4*i, 30) \
	FADD(4*i+1, 4*i+1, 30) \
	FADD(4*i+2, 4*i+2, 30) \
	FADD(4*i+3, 4*i+3, 30)

#define CLAMP(i, p, a, f, c0, c1, c2, c3) \
	FMAX(4*i, 4*i, 25) \
	FMAX(4*i+1, 4*i+1, 25) \
	FMAX(4*i+2, 4*i+2, 25) \
	FMAX(4*i+3, 4*i+3, 25) \
	FMIN(4*i, 4*i, 26) \
	FMIN(4*i+1, 4*i+1, 26) \
	FMIN(4*i+2, 4*i+2, 26) \
	FMIN(4*i+3, 4*i+3, 26)

// HARD sets t to clamp(x+3, low, high)/6.
#define HARD(x, t) \
	FADD(t, x, 24) \
	FMAX(t, t, 25) \
	FMIN(t, t, 26) \
	FMUL(t, t, 27)
#define HARDSIGMOID(i, p, a, f, c0, c1, c2, c3) \
	HARD(4*i, 4*i) \
	HARD(4*i+1, 4*i+1) \
	HARD(4*i+2, 4*i+2) \
	HARD(4*i+3, 4*i+3)
#define HARDSWISH(i, p, a, f, c0, c1, c2, c3) \
	HARD(4*i, 30) \
	FMUL(4*i, 4*i, 30) \
	HARD(4*i+1, 31) \
	FMUL(4*i+1, 4*i+1, 31) \
	HARD(4*i+2, 30) \
	FMUL(4*i+2, 4*i+2, 30) \
	HARD(4*i+3, 31) \
	FMUL(4*i+3, 4*i+3, 31)

#define STORE0(i, p, a, f, c0, c1, c2, c3) VST1 [c0.S4, c1.S4], (p)
#define STORE1(i, p, a, f, c0, c1, c2, c3) VST1 [c2.S4, c3.S4], (p)

// ROWPOINTERS points R1 to R6 to the rows from base on.
#define ROWPOINTERS(base, row, group) \
	MOVD row(R0), R14    \
	MOVD group(R0), R15  \
	MOVD base, R1        \
	ADD  R14, R1, R2     \
	ADD  R14, R2, R3     \
	ADD  R15, R1, R4     \
	ADD  R14, R4, R5     \
	ADD  R14, R5, R6

// EACHVECTORn applies F0, and for two vectors F1, to rows that lie as those
// of C do.
#define EACHVECTOR1(EACH, base, F0, F1) \
	ROWPOINTERS(base, tile_cRow, tile_cGroup) \
	EACH(F0)
#define EACHVECTOR2(EACH, base, F0, F1) \
	ROWPOINTERS(base, tile_cRow, tile_cGroup) \
	EACH(F0) \
	MOVD tile_cVector(R0), R16 \
	ADD  base, R16, R16 \
	ROWPOINTERS(R16, tile_cRow, tile_cGroup) \
	EACH(F1)

#define COLUMNBIAS1(EACH) \
	VLD1 (R21), [V30.S4, V31.S4] \
	EACH(COLUMN0)
#define COLUMNBIAS2(EACH) \
	VLD1 (R21), [V30.S4, V31.S4] \
	EACH(COLUMN0) \
	ADD  $32, R21, R14 \
	VLD1 (R14), [V30.S4, V31.S4] \
	EACH(COLUMN1)

#define TILE(EACH, STEP, EACHVECTOR, COLUMNBIAS) \
	MOVD t+0(FP), R0           \
	MOVD tile_count(R0), R13   \
	MOVD tile_a(R0), R19       \
	MOVD tile_b(R0), R20       \
	MOVD tile_bias(R0), R21    \
	MOVD tile_c(R0), R22       \
	MOVD tile_residual(R0), R23 \
	MOVD tile_bRow(R0), R9     \
product: \
	EACH(ZERO) \
	MOVD R20, R7               \
	ADD  $32, R20, R8          \
	MOVD tile_segments(R0), R11 \
	MOVD tile_offsets(R0), R12 \
segment: \
	MOVD.P 8(R12), R16         \
	ADD  R19, R16, R16         \
	ROWPOINTERS(R16, tile_aRow, tile_aGroup) \
	MOVD tile_k(R0), R10       \
	SUBS $4, R10               \
	BLT  rest                  \
four: \
	EACH(LOADFOUR)             \
	STEP(EACH, F00, F10)       \
	STEP(EACH, F01, F11)       \
	STEP(EACH, F02, F12)       \
	STEP(EACH, F03, F13)       \
	SUBS $4, R10               \
	BGE  four                  \
rest: \
	ADDS $4, R10               \
	BEQ  next                  \
one: \
	EACH(LOADONE)              \
	STEP(EACH, F00, F10)       \
	SUBS $1, R10               \
	BNE  one                   \
next: \
	SUBS $1, R11               \
	BNE  segment               \
	FMOVS tile_alpha(R0), F30  \
	FMOVS $1.0, F31            \
	FCMPS F30, F31             \
	BEQ  scaled                \
	VDUP V30.S[0], V30.S4      \
	EACH(SCALE)                \
scaled: \
	MOVD tile_accumulate(R0), R14 \
	CBZ  R14, accumulated      \
	EACHVECTOR(EACH, R22, ADD0, ADD1) \
accumulated: \
	MOVD tile_biasKind(R0), R14 \
	CBZ  R14, biased           \
	CMP  $1, R14               \
	BNE  columns               \
	EACH(ROWBIAS)              \
	B    biased                \
columns: \
	COLUMNBIAS(EACH)           \
biased: \
	CBZ  R23, added            \
	EACHVECTOR(EACH, R23, ADD0, ADD1) \
	MOVD tile_cStep(R0), R14   \
	ADD  R14, R23              \
added: \
	MOVD tile_activation(R0), R14 \
	CBZ  R14, store            \
	FMOVS tile_low(R0), F25    \
	VDUP V25.S[0], V25.S4      \
	FMOVS tile_high(R0), F26   \
	VDUP V26.S[0], V26.S4      \
	CMP  $1, R14               \
	BNE  hard                  \
	EACH(CLAMP)                \
	B    store                 \
hard: \
	FMOVS $3.0, F24            \
	VDUP V24.S[0], V24.S4      \
	MOVD $tileSixth<>(SB), R15 \
	FMOVS (R15), F27           \
	VDUP V27.S[0], V27.S4      \
	CMP  $2, R14               \
	BNE  hardsigmoid           \
	EACH(HARDSWISH)            \
	B    store                 \
hardsigmoid: \
	EACH(HARDSIGMOID)          \
store: \
	EACHVECTOR(EACH, R22, STORE0, STORE1) \
	MOVD tile_aStep(R0), R14   \
	ADD  R14, R19              \
	MOVD tile_bStep(R0), R14   \
	ADD  R14, R20              \
	MOVD tile_biasStep(R0), R14 \
	ADD  R14, R21              \
	MOVD tile_cStep(R0), R14   \
	ADD  R14, R22              \
	SUBS $1, R13               \
	BNE  product               \
	RET

// func tile1x1NEON(t *tile)
TEXT ·tile1x1NEON(SB), NOSPLIT, $0-8
	TILE(EACH1, STEP1, EACHVECTOR1, COLUMNBIAS1)

// func tile1x2NEON(t *tile)
TEXT ·tile1x2NEON(SB), NOSPLIT, $0-8
	TILE(EACH1, STEP2, EACHVECTOR2, COLUMNBIAS2)

// func tile2x1NEON(t *tile)
TEXT ·tile2x1NEON(SB), NOSPLIT, $0-8
	TILE(EACH2, STEP1, EACHVECTOR1, COLUMNBIAS1)

// func tile2x2NEON(t *tile)
TEXT ·tile2x2NEON(SB), NOSPLIT, $0-8
	TILE(EACH2, STEP2, EACHVECTOR2, COLUMNBIAS2)

// func tile3x1NEON(t *tile)
TEXT ·tile3x1NEON(SB), NOSPLIT, $0-8
	TILE(EACH3, STEP1, EACHVECTOR1, COLUMNBIAS1)

// func tile3x2NEON(t *tile)
TEXT ·tile3x2NEON(SB), NOSPLIT, $0-8
	TILE(EACH3, STEP2, EACHVECTOR2, COLUMNBIAS2)

// func tile4x1NEON(t *tile)
TEXT ·tile4x1NEON(SB), NOSPLIT, $0-8
	TILE(EACH4, STEP1, EACHVECTOR1, COLUMNBIAS1)

// func tile4x2NEON(t *tile)
TEXT ·tile4x2NEON(SB), NOSPLIT, $0-8
	TILE(EACH4, STEP2, EACHVECTOR2, COLUMNBIAS2)

// func tile5x1NEON(t *tile)
TEXT ·tile5x1NEON(SB), NOSPLIT, $0-8
	TILE(EACH5, STEP1, EACHVECTOR1, COLUMNBIAS1)

// func tile5x2NEON(t *tile)
TEXT ·tile5x2NEON(SB), NOSPLIT, $0-8
	TILE(EACH5, STEP2, EACHVECTOR2, COLUMNBIAS2)

// func tile6x1NEON(t *tile)
TEXT ·tile6x1NEON(SB), NOSPLIT, $0-8
	TILE(EACH6, STEP1, EACHVECTOR1, COLUMNBIAS1)

// func tile6x2NEON(t *tile)
TEXT ·tile6x2NEON(SB), NOSPLIT, $0-8
	TILE(EACH6, STEP2, EACHVECTOR2, COLUMNBIAS2)
