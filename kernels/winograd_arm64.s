#include "go_asm.h"
#include "textflag.h"

// The transforms of Winograd convolution: see winogradInput and
// winogradOutput. A tile is transformed down its columns into a scratch area
// on the stack, and from there along its rows; four channels at a time.
//
// Registers:
//   R0  the transform    R1 to R6  rows of the image; or R1 source
//   R7  destination      R8  distance of matrices   R9  distance of tiles
//   R10 tiles left       R11 vectors of a block     R12 bytes of a block
//   R13 vectors left     R16 scratch area           R17 rows or columns left
//   R19 to R26 pointers and distances of the output
// Elements are in V0 to V5, their transforms in V16 to V21; V30 and V31 hold
// the factors.

// The points a = 5/8 and b = 3/2.
DATA winogradFactors<>+0(SB)/4, $0.625       // a
DATA winogradFactors<>+4(SB)/4, $1.5         // b
DATA winogradFactors<>+8(SB)/4, $0.390625    // a^2
DATA winogradFactors<>+12(SB)/4, $2.25       // b^2
DATA winogradFactors<>+16(SB)/4, $2.640625   // a^2 + b^2
DATA winogradFactors<>+20(SB)/4, $0.87890625 // a^2 b^2
DATA winogradFactors<>+24(SB)/4, $0.244140625 // a^3
DATA winogradFactors<>+28(SB)/4, $3.375      // b^3
DATA winogradFactors<>+32(SB)/4, $3.0
DATA winogradFactors<>+36(SB)/4, $0.16666667163372039794921875
GLOBL winogradFactors<>(SB), RODATA|NOPTR, $40

// The assembler lacks these instructions for vectors of float32; by element
// 2*h + l of m: d += n*m, d -= n*m, d = n*m.
#define FMLA(d, n, m, h, l) WORD $(0x4F801000 | (l)<<21 | (m)<<16 | (h)<<11 | (n)<<5 | (d))
#define FMLS(d, n, m, h, l) WORD $(0x4F805000 | (l)<<21 | (m)<<16 | (h)<<11 | (n)<<5 | (d))
#define FMULE(d, n, m, h, l) WORD $(0x4F809000 | (l)<<21 | (m)<<16 | (h)<<11 | (n)<<5 | (d))
#define FADD(d, n, m) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
#define FSUB(d, n, m) WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d))
#define FMUL(d, n, m) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
// A NaN in either operand gives a NaN.
#define FMAX(d, n, m) WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d))
#define FMIN(d, n, m) WORD $(0x4EA0F400 | (m)<<16 | (n)<<5 | (d))

// B^T of F(4, 3): winogradInput4.
#define INPUT4 \
	VMOV V4.B16, V16.B16   \
	VMOV V5.B16, V21.B16   \
	VMOV V4.B16, V17.B16   \
	VMOV V3.B16, V22.B16   \
	VMOV V4.B16, V19.B16   \
	VMOV V3.B16, V23.B16   \
	FMLS(16, 2, 31, 0, 0)  \
	FMLS(21, 3, 31, 0, 0)  \
	FMLS(17, 2, 30, 1, 1)  \
	FMLS(22, 1, 30, 1, 1)  \
	FMLS(19, 2, 30, 1, 0)  \
	FMLS(23, 1, 30, 1, 0)  \
	FMLA(16, 0, 31, 0, 1)  \
	FMLA(21, 1, 31, 0, 1)  \
	VMOV V17.B16, V18.B16  \
	VMOV V19.B16, V20.B16  \
	FMLA(17, 22, 30, 0, 0) \
	FMLS(18, 22, 30, 0, 0) \
	FMLA(19, 23, 30, 0, 1) \
	FMLS(20, 23, 30, 0, 1)

// A^T of F(4, 3): winogradOutput4.
#define OUTPUT4 \
	FADD(20, 1, 2)         \
	FSUB(21, 1, 2)         \
	FADD(22, 3, 4)         \
	FSUB(23, 3, 4)         \
	VMOV V5.B16, V19.B16   \
	FADD(16, 0, 20)        \
	FMULE(17, 21, 30, 0, 0) \
	FMULE(18, 20, 30, 1, 0) \
	FMLA(19, 21, 31, 1, 0) \
	FADD(16, 16, 22)       \
	FMLA(17, 23, 30, 0, 1) \
	FMLA(18, 22, 30, 1, 1) \
	FMLA(19, 23, 31, 1, 1)

// B^T of F(2, 3): winogradInput2.
#define INPUT2 \
	FSUB(16, 2, 0) \
	FADD(17, 2, 1) \
	FSUB(18, 2, 1) \
	FSUB(19, 3, 1)

// A^T of F(2, 3): winogradOutput2.
#define OUTPUT2 \
	FADD(20, 1, 2)  \
	FSUB(21, 1, 2)  \
	FADD(16, 0, 20) \
	FADD(17, 3, 21)

#define LOAD_FACTORS \
	MOVD $winogradFactors<>(SB), R16 \
	VLD1 (R16), [V30.S4, V31.S4]

#define LOAD_INPUT \
	MOVD t+0(FP), R0                 \
	MOVD winogradInput_rows(R0), R1    \
	MOVD winogradInput_rows+8(R0), R2  \
	MOVD winogradInput_rows+16(R0), R3 \
	MOVD winogradInput_rows+24(R0), R4 \
	MOVD winogradInput_dst(R0), R7     \
	MOVD winogradInput_plane(R0), R8   \
	MOVD winogradInput_dstStep(R0), R9 \
	MOVD winogradInput_count(R0), R10  \
	MOVD winogradInput_vectors(R0), R11 \
	LSL  $4, R11, R12

// func winogradInput4NEON(t *winogradInput)
TEXT ·winogradInput4NEON(SB), 0, $576-8
	LOAD_INPUT
	MOVD winogradInput_rows+32(R0), R5
	MOVD winogradInput_rows+40(R0), R6
	LOAD_FACTORS
	MOVD $6, R20
	MUL  R20, R12, R20
	SUB  $16, R20, R20 // back to the first column, next channels
	LSL  $2, R12, R21
	SUB  R12, R21, R21 // to the next tile from the channels after the block

tile:
	MOVD R11, R13
	MOVD R7, R22

vector:
	MOVD $scratch-576(SP), R16
	MOVD $6, R17

column:
	VLD1.P (R1)(R12), [V0.S4]
	VLD1.P (R2)(R12), [V1.S4]
	VLD1.P (R3)(R12), [V2.S4]
	VLD1.P (R4)(R12), [V3.S4]
	VLD1.P (R5)(R12), [V4.S4]
	VLD1.P (R6)(R12), [V5.S4]
	INPUT4
	FMOVQ F16, 0(R16)
	FMOVQ F17, 96(R16)
	FMOVQ F18, 192(R16)
	FMOVQ F19, 288(R16)
	FMOVQ F20, 384(R16)
	FMOVQ F21, 480(R16)
	ADD  $16, R16
	SUBS $1, R17
	BNE  column
	SUB  R20, R1
	SUB  R20, R2
	SUB  R20, R3
	SUB  R20, R4
	SUB  R20, R5
	SUB  R20, R6

	MOVD $scratch-576(SP), R16
	MOVD $6, R17
	MOVD R22, R19

row:
	VLD1.P 64(R16), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 32(R16), [V4.S4, V5.S4]
	INPUT4
	VST1.P [V16.S4], (R19)(R8)
	VST1.P [V17.S4], (R19)(R8)
	VST1.P [V18.S4], (R19)(R8)
	VST1.P [V19.S4], (R19)(R8)
	VST1.P [V20.S4], (R19)(R8)
	VST1.P [V21.S4], (R19)(R8)
	SUBS $1, R17
	BNE  row

	ADD  $16, R22
	SUBS $1, R13
	BNE  vector
	ADD  R21, R1
	ADD  R21, R2
	ADD  R21, R3
	ADD  R21, R4
	ADD  R21, R5
	ADD  R21, R6
	ADD  R9, R7
	SUBS $1, R10
	BNE  tile
	RET

// func winogradInput2NEON(t *winogradInput)
TEXT ·winogradInput2NEON(SB), 0, $256-8
	LOAD_INPUT
	LSL  $2, R12, R20
	SUB  $16, R20, R20 // back to the first column, next channels

tile:
	MOVD R11, R13
	MOVD R7, R22

vector:
	MOVD $scratch-256(SP), R16
	MOVD $4, R17

column:
	VLD1.P (R1)(R12), [V0.S4]
	VLD1.P (R2)(R12), [V1.S4]
	VLD1.P (R3)(R12), [V2.S4]
	VLD1.P (R4)(R12), [V3.S4]
	INPUT2
	FMOVQ F16, 0(R16)
	FMOVQ F17, 64(R16)
	FMOVQ F18, 128(R16)
	FMOVQ F19, 192(R16)
	ADD  $16, R16
	SUBS $1, R17
	BNE  column
	SUB  R20, R1
	SUB  R20, R2
	SUB  R20, R3
	SUB  R20, R4

	MOVD $scratch-256(SP), R16
	MOVD $4, R17
	MOVD R22, R19

row:
	VLD1.P 64(R16), [V0.S4, V1.S4, V2.S4, V3.S4]
	INPUT2
	VST1.P [V16.S4], (R19)(R8)
	VST1.P [V17.S4], (R19)(R8)
	VST1.P [V18.S4], (R19)(R8)
	VST1.P [V19.S4], (R19)(R8)
	SUBS $1, R17
	BNE  row

	ADD  $16, R22
	SUBS $1, R13
	BNE  vector
	ADD  R12, R1 // two columns on, of which the channels are one
	ADD  R12, R2
	ADD  R12, R3
	ADD  R12, R4
	ADD  R9, R7
	SUBS $1, R10
	BNE  tile
	RET

#define LOAD_OUTPUT \
	MOVD t+0(FP), R0                     \
	MOVD winogradOutput_src(R0), R1      \
	MOVD winogradOutput_plane(R0), R8    \
	MOVD winogradOutput_srcStep(R0), R9  \
	MOVD winogradOutput_dst(R0), R7      \
	MOVD winogradOutput_residual(R0), R2 \
	MOVD winogradOutput_dstRow(R0), R3   \
	MOVD winogradOutput_count(R0), R10   \
	MOVD winogradOutput_bias(R0), R4     \
	MOVD winogradOutput_activation(R0), R5 \
	MOVD winogradOutput_vectors(R0), R11 \
	LSL  $4, R11, R12                    \
	MOVD $winogradOutput_low(R0), R16    \
	VLD1R (R16), [V24.S4]                \
	MOVD $winogradOutput_high(R0), R16   \
	VLD1R (R16), [V25.S4]                \
	MOVD $winogradFactors<>+32(SB), R16  \
	VLD1R.P 4(R16), [V26.S4]             \
	VLD1R (R16), [V27.S4]

// x = x * clamp(x+3, low, high)/6, or without the first factor, with y as
// scratch.
#define SIGMOID(x, y) \
	FADD(y, x, 26) \
	FMAX(y, y, 24) \
	FMIN(y, y, 25) \
	FMUL(y, y, 27)

// func winogradOutput4NEON(t *winogradOutput)
TEXT ·winogradOutput4NEON(SB), 0, $384-8
	LOAD_OUTPUT
	LOAD_FACTORS
	MOVD $6, R20
	MUL  R20, R8, R20 // distance of rows of the source

tile:
	MOVD R11, R13
	MOVD R1, R22  // source
	MOVD R7, R23  // destination
	MOVD R2, R24  // residual
	MOVD R4, R25  // bias

vector:
	MOVD $scratch-384(SP), R16
	MOVD $6, R17
	MOVD R22, R21

column:
	MOVD R21, R19
	VLD1.P (R19)(R20), [V0.S4]
	VLD1.P (R19)(R20), [V1.S4]
	VLD1.P (R19)(R20), [V2.S4]
	VLD1.P (R19)(R20), [V3.S4]
	VLD1.P (R19)(R20), [V4.S4]
	VLD1.P (R19)(R20), [V5.S4]
	OUTPUT4
	FMOVQ F16, 0(R16)
	FMOVQ F17, 96(R16)
	FMOVQ F18, 192(R16)
	FMOVQ F19, 288(R16)
	ADD  $16, R16
	ADD  R8, R21
	SUBS $1, R17
	BNE  column

	MOVD $scratch-384(SP), R16
	MOVD $4, R17
	VLD1.P 16(R25), [V28.S4]
	MOVD R23, R19
	MOVD R24, R21

row:
	VLD1.P 64(R16), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 32(R16), [V4.S4, V5.S4]
	OUTPUT4
	FADD(16, 16, 28)
	FADD(17, 17, 28)
	FADD(18, 18, 28)
	FADD(19, 19, 28)
	CBZ  R2, added
	MOVD R21, R26
	VLD1.P (R26)(R12), [V0.S4]
	VLD1.P (R26)(R12), [V1.S4]
	VLD1.P (R26)(R12), [V2.S4]
	VLD1.P (R26)(R12), [V3.S4]
	ADD  R3, R21
	FADD(16, 16, 0)
	FADD(17, 17, 1)
	FADD(18, 18, 2)
	FADD(19, 19, 3)

added:
	CBZ  R5, store
	CMP  $const_tileClamp, R5
	BNE  hard
	FMAX(16, 16, 24)
	FMAX(17, 17, 24)
	FMAX(18, 18, 24)
	FMAX(19, 19, 24)
	FMIN(16, 16, 25)
	FMIN(17, 17, 25)
	FMIN(18, 18, 25)
	FMIN(19, 19, 25)
	B    store

hard:
	SIGMOID(16, 0)
	SIGMOID(17, 1)
	SIGMOID(18, 2)
	SIGMOID(19, 3)
	CMP  $const_tileHardSwish, R5
	BNE  sigmoid
	FMUL(16, 16, 0)
	FMUL(17, 17, 1)
	FMUL(18, 18, 2)
	FMUL(19, 19, 3)
	B    store

sigmoid:
	VMOV V0.B16, V16.B16
	VMOV V1.B16, V17.B16
	VMOV V2.B16, V18.B16
	VMOV V3.B16, V19.B16

store:
	MOVD R19, R26
	VST1.P [V16.S4], (R26)(R12)
	VST1.P [V17.S4], (R26)(R12)
	VST1.P [V18.S4], (R26)(R12)
	VST1.P [V19.S4], (R26)(R12)
	ADD  R3, R19
	SUBS $1, R17
	BNE  row

	ADD  $16, R22
	ADD  $16, R23
	ADD  $16, R24
	SUBS $1, R13
	BNE  vector
	ADD  R9, R1
	ADD  R12<<2, R7
	CBZ  R2, bare
	ADD  R12<<2, R2

bare:
	SUBS $1, R10
	BNE  tile
	RET

// func winogradOutput2NEON(t *winogradOutput)
TEXT ·winogradOutput2NEON(SB), 0, $128-8
	LOAD_OUTPUT
	LSL $2, R8, R20 // distance of rows of the source

tile:
	MOVD R11, R13
	MOVD R1, R22  // source
	MOVD R7, R23  // destination
	MOVD R2, R24  // residual
	MOVD R4, R25  // bias

vector:
	MOVD $scratch-128(SP), R16
	MOVD $4, R17
	MOVD R22, R21

column:
	MOVD R21, R19
	VLD1.P (R19)(R20), [V0.S4]
	VLD1.P (R19)(R20), [V1.S4]
	VLD1.P (R19)(R20), [V2.S4]
	VLD1.P (R19)(R20), [V3.S4]
	OUTPUT2
	FMOVQ F16, 0(R16)
	FMOVQ F17, 64(R16)
	ADD  $16, R16
	ADD  R8, R21
	SUBS $1, R17
	BNE  column

	MOVD $scratch-128(SP), R16
	MOVD $2, R17
	VLD1.P 16(R25), [V28.S4]
	MOVD R23, R19
	MOVD R24, R21

row:
	VLD1.P 64(R16), [V0.S4, V1.S4, V2.S4, V3.S4]
	OUTPUT2
	FADD(16, 16, 28)
	FADD(17, 17, 28)
	CBZ  R2, added
	MOVD R21, R26
	VLD1.P (R26)(R12), [V0.S4]
	VLD1.P (R26)(R12), [V1.S4]
	ADD  R3, R21
	FADD(16, 16, 0)
	FADD(17, 17, 1)

added:
	CBZ  R5, store
	CMP  $const_tileClamp, R5
	BNE  hard
	FMAX(16, 16, 24)
	FMAX(17, 17, 24)
	FMIN(16, 16, 25)
	FMIN(17, 17, 25)
	B    store

hard:
	SIGMOID(16, 0)
	SIGMOID(17, 1)
	CMP  $const_tileHardSwish, R5
	BNE  sigmoid
	FMUL(16, 16, 0)
	FMUL(17, 17, 1)
	B    store

sigmoid:
	VMOV V0.B16, V16.B16
	VMOV V1.B16, V17.B16

store:
	MOVD R19, R26
	VST1.P [V16.S4], (R26)(R12)
	VST1.P [V17.S4], (R26)(R12)
	ADD  R3, R19
	SUBS $1, R17
	BNE  row

	ADD  $16, R22
	ADD  $16, R23
	ADD  $16, R24
	SUBS $1, R13
	BNE  vector
	ADD  R9, R1
	ADD  R12<<1, R7
	CBZ  R2, bare
	ADD  R12<<1, R2

bare:
	SUBS $1, R10
	BNE  tile
	RET
