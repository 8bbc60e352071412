#include "go_asm.h"
#include "textflag.h"
#include "vector_arm64.h"

// Depthwise convolution in blocks of 8 channels: see type depthwiseStrip, and
// depthwiseColumnsPortable and depthwiseTapsPortable for the same in Go.
//
// Registers:
//   R0  the strip            R1  span          R2  spans left
//   R3  image of the row     R4  rows left     R5  weights of the row
//   R6  first of the span    R7  its end       R8  srcRow
//   R9  scratch              R10 distance in dst
//   R11 lines left           R12 line          R13 dstAt
// The sums of output t are in V(2t) and V(2t+1), position s of a row of the
// kernel in V(14+2s) and V(15+2s), and a pixel of the image in V28 and V29 or
// V30 and V31.

// BEGIN opens the loops over lines and spans.
#define BEGIN \
	MOVD t+0(FP), R0; \
	MOVD depthwiseStrip_lineCount(R0), R11; \
	MOVD depthwiseStrip_srcRow(R0), R8; \
	MOVD depthwiseStrip_lines(R0), R12; \
	MOVD ZR, R13; \
line: \
	MOVD depthwiseStrip_spans(R0), R1; \
	MOVD depthwiseStrip_spanCount(R0), R2; \
span: \
	MOVD depthwiseStrip_src(R0), R3; \
	MOVD depthwiseLine_src(R12), R9; \
	ADD  R9, R3; \
	MOVD depthwiseSpan_src(R1), R9; \
	ADD  R9, R3; \
	MOVD depthwiseStrip_weight(R0), R5; \
	MOVD depthwiseLine_weight(R12), R9; \
	ADD  R9, R5; \
	MOVD depthwiseLine_rows(R12), R4; \
	MOVD depthwiseSpan_dst(R1), R10; \
	ADD  R13, R10

// END closes them.
#define END \
	ADD  $depthwiseSpan__size, R1; \
	SUB  $1, R2; \
	CBNZ R2, span; \
	ADD  $depthwiseLine__size, R12; \
	MOVD depthwiseStrip_dstLine(R0), R9; \
	ADD  R9, R13; \
	SUB  $1, R11; \
	CBNZ R11, line; \
	RET

#define START1 \
	MOVD  depthwiseStrip_bias(R0), R9; \
	FLDPQ (R9), (F0, F1)

// START7 sets the sums of 7 outputs to the bias.
#define START7 \
	START1; \
	MOVE(2, 0); \
	MOVE(3, 1); \
	MOVE(4, 0); \
	MOVE(5, 1); \
	MOVE(6, 0); \
	MOVE(7, 1); \
	MOVE(8, 0); \
	MOVE(9, 1); \
	MOVE(10, 0); \
	MOVE(11, 1); \
	MOVE(12, 0); \
	MOVE(13, 1)

// ADD2 adds a pixel of the residual to the sums i and i+1.
#define ADD2(i) \
	VLD1.P 32(R9), [V28.S4, V29.S4]; \
	FADD(i, i, 28); \
	FADD((i+1), (i+1), 29)

#define CLAMP2(i) \
	FMAX(i, i, 30); \
	FMIN(i, i, 31); \
	FMAX((i+1), (i+1), 30); \
	FMIN((i+1), (i+1), 31)

// HARD sets V14 to clamp(V(i)+3, low, high)/6.
#define HARD(i) \
	FADD(14, i, 29); \
	FMAX(14, 14, 30); \
	FMIN(14, 14, 31); \
	FMUL(14, 14, 28)

#define SWISH2(i) \
	HARD(i); \
	FMUL(i, i, 14); \
	HARD((i+1)); \
	FMUL((i+1), (i+1), 14)

#define SIGMOID2(i) \
	HARD(i); \
	MOVE(i, 14); \
	HARD((i+1)); \
	MOVE((i+1), 14)

#define ONE(F) F(0)
#define SEVEN(F) \
	F(0); \
	F(2); \
	F(4); \
	F(6); \
	F(8); \
	F(10); \
	F(12)

// FINISH adds the residual to the sums, applies the activation, and stores
// them; ALL is ONE or SEVEN, and labels begin with L.
#define FINISH(ALL, added, hard, sigmoid, store) \
	MOVD  depthwiseStrip_residual(R0), R9; \
	CBZ   R9, added; \
	ADD   R10, R9; \
	ALL(ADD2); \
added: \
	MOVD  depthwiseStrip_activation(R0), R9; \
	CBZ   R9, store; \
	FMOVS depthwiseStrip_low(R0), F30; \
	FMOVS depthwiseStrip_high(R0), F31; \
	VDUP  V30.S[0], V30.S4; \
	VDUP  V31.S[0], V31.S4; \
	CMP   $const_tileClamp, R9; \
	BNE   hard; \
	ALL(CLAMP2); \
	B     store; \
hard: \
	MOVW  $0x40400000, R14; \
	VDUP  R14, V29.S4; \
	MOVW  $0x3e2aaaab, R14; \
	VDUP  R14, V28.S4; \
	CMP   $const_tileHardSwish, R9; \
	BNE   sigmoid; \
	ALL(SWISH2); \
	B     store; \
sigmoid: \
	ALL(SIGMOID2); \
store: \
	MOVD  depthwiseStrip_dst(R0), R9; \
	ADD   R10, R9

#define STORE7 \
	FSTPQ (F0, F1), (R9); \
	FSTPQ (F2, F3), 32(R9); \
	FSTPQ (F4, F5), 64(R9); \
	FSTPQ (F6, F7), 96(R9); \
	FSTPQ (F8, F9), 128(R9); \
	FSTPQ (F10, F11), 160(R9); \
	FSTPQ (F12, F13), 192(R9)

// SPAN loads what the kernels for columns need of a span.
#define SPAN \
	MOVD depthwiseSpan_first(R1), R6; \
	MOVD depthwiseSpan_end(R1), R7; \
	START7; \
	CBZ  R4, summed

#define WEIGHTS3 \
	FLDPQ (R5), (F14, F15); \
	FLDPQ 32(R5), (F16, F17); \
	FLDPQ 64(R5), (F18, F19); \
	ADD   $96, R5

#define WEIGHTS5 \
	FLDPQ (R5), (F14, F15); \
	FLDPQ 32(R5), (F16, F17); \
	FLDPQ 64(R5), (F18, F19); \
	FLDPQ 96(R5), (F20, F21); \
	FLDPQ 128(R5), (F22, F23); \
	ADD   $160, R5

#define WEIGHTS7 \
	FLDPQ (R5), (F14, F15); \
	FLDPQ 32(R5), (F16, F17); \
	FLDPQ 64(R5), (F18, F19); \
	FLDPQ 96(R5), (F20, F21); \
	FLDPQ 128(R5), (F22, F23); \
	FLDPQ 160(R5), (F24, F25); \
	FLDPQ 192(R5), (F26, F27); \
	ADD   $224, R5

// NEXT goes on to the next row of the kernel.
#define NEXT \
	ADD  R8, R3; \
	SUB  $1, R4; \
	CBNZ R4, row

// LEFT skips a column that is missing at the left.
#define LEFT(column, next) \
	CMP $column, R6; \
	BGT next

// RIGHT ends a row where columns are missing at the right.
#define RIGHT(column) \
	CMP $column, R7; \
	BLE next

#define EVEN(column) FLDPQ (32*column)(R3), (F28, F29)
#define ODD(column) FLDPQ (32*column)(R3), (F30, F31)

// E adds position s of the kernel times the even pixel to output t, D the odd
// one.
#define E(t, s) \
	FMLA((2*t), 28, (14+2*s)); \
	FMLA((2*t+1), 29, (15+2*s))
#define D(t, s) \
	FMLA((2*t), 30, (14+2*s)); \
	FMLA((2*t+1), 31, (15+2*s))

// func depthwiseColumns3s1NEON(t *depthwiseStrip)
TEXT ·depthwiseColumns3s1NEON(SB), NOSPLIT, $0-8
	BEGIN
	SPAN

row:
	WEIGHTS3
	LEFT(0, column1)
	EVEN(0)
	E(0, 0)

column1:
	ODD(1)
	D(1, 0)
	D(0, 1)
	EVEN(2)
	E(2, 0)
	E(1, 1)
	E(0, 2)
	ODD(3)
	D(3, 0)
	D(2, 1)
	D(1, 2)
	EVEN(4)
	E(4, 0)
	E(3, 1)
	E(2, 2)
	ODD(5)
	D(5, 0)
	D(4, 1)
	D(3, 2)
	EVEN(6)
	E(6, 0)
	E(5, 1)
	E(4, 2)
	ODD(7)
	D(6, 1)
	D(5, 2)
	RIGHT(8)
	EVEN(8)
	E(6, 2)

next:
	NEXT

summed:
	FINISH(SEVEN, added, hard, sigmoid, store)
	STORE7
	END

// func depthwiseColumns3s2NEON(t *depthwiseStrip)
TEXT ·depthwiseColumns3s2NEON(SB), NOSPLIT, $0-8
	BEGIN
	SPAN

row:
	WEIGHTS3
	LEFT(0, column1)
	EVEN(0)
	E(0, 0)

column1:
	ODD(1)
	D(0, 1)
	EVEN(2)
	E(1, 0)
	E(0, 2)
	ODD(3)
	D(1, 1)
	EVEN(4)
	E(2, 0)
	E(1, 2)
	ODD(5)
	D(2, 1)
	EVEN(6)
	E(3, 0)
	E(2, 2)
	ODD(7)
	D(3, 1)
	EVEN(8)
	E(4, 0)
	E(3, 2)
	ODD(9)
	D(4, 1)
	EVEN(10)
	E(5, 0)
	E(4, 2)
	ODD(11)
	D(5, 1)
	EVEN(12)
	E(6, 0)
	E(5, 2)
	ODD(13)
	D(6, 1)
	RIGHT(14)
	EVEN(14)
	E(6, 2)

next:
	NEXT

summed:
	FINISH(SEVEN, added, hard, sigmoid, store)
	STORE7
	END

// func depthwiseColumns5s1NEON(t *depthwiseStrip)
TEXT ·depthwiseColumns5s1NEON(SB), NOSPLIT, $0-8
	BEGIN
	SPAN

row:
	WEIGHTS5
	LEFT(0, column1)
	EVEN(0)
	E(0, 0)

column1:
	LEFT(1, column2)
	ODD(1)
	D(1, 0)
	D(0, 1)

column2:
	EVEN(2)
	E(2, 0)
	E(1, 1)
	E(0, 2)
	ODD(3)
	D(3, 0)
	D(2, 1)
	D(1, 2)
	D(0, 3)
	EVEN(4)
	E(4, 0)
	E(3, 1)
	E(2, 2)
	E(1, 3)
	E(0, 4)
	ODD(5)
	D(5, 0)
	D(4, 1)
	D(3, 2)
	D(2, 3)
	D(1, 4)
	EVEN(6)
	E(6, 0)
	E(5, 1)
	E(4, 2)
	E(3, 3)
	E(2, 4)
	ODD(7)
	D(6, 1)
	D(5, 2)
	D(4, 3)
	D(3, 4)
	EVEN(8)
	E(6, 2)
	E(5, 3)
	E(4, 4)
	RIGHT(9)
	ODD(9)
	D(6, 3)
	D(5, 4)
	RIGHT(10)
	EVEN(10)
	E(6, 4)

next:
	NEXT

summed:
	FINISH(SEVEN, added, hard, sigmoid, store)
	STORE7
	END

// func depthwiseColumns5s2NEON(t *depthwiseStrip)
TEXT ·depthwiseColumns5s2NEON(SB), NOSPLIT, $0-8
	BEGIN
	SPAN

row:
	WEIGHTS5
	LEFT(0, column1)
	EVEN(0)
	E(0, 0)

column1:
	LEFT(1, column2)
	ODD(1)
	D(0, 1)

column2:
	EVEN(2)
	E(1, 0)
	E(0, 2)
	ODD(3)
	D(1, 1)
	D(0, 3)
	EVEN(4)
	E(2, 0)
	E(1, 2)
	E(0, 4)
	ODD(5)
	D(2, 1)
	D(1, 3)
	EVEN(6)
	E(3, 0)
	E(2, 2)
	E(1, 4)
	ODD(7)
	D(3, 1)
	D(2, 3)
	EVEN(8)
	E(4, 0)
	E(3, 2)
	E(2, 4)
	ODD(9)
	D(4, 1)
	D(3, 3)
	EVEN(10)
	E(5, 0)
	E(4, 2)
	E(3, 4)
	ODD(11)
	D(5, 1)
	D(4, 3)
	EVEN(12)
	E(6, 0)
	E(5, 2)
	E(4, 4)
	ODD(13)
	D(6, 1)
	D(5, 3)
	EVEN(14)
	E(6, 2)
	E(5, 4)
	RIGHT(15)
	ODD(15)
	D(6, 3)
	RIGHT(16)
	EVEN(16)
	E(6, 4)

next:
	NEXT

summed:
	FINISH(SEVEN, added, hard, sigmoid, store)
	STORE7
	END

// func depthwiseColumns7s1NEON(t *depthwiseStrip)
TEXT ·depthwiseColumns7s1NEON(SB), NOSPLIT, $0-8
	BEGIN
	SPAN

row:
	WEIGHTS7
	LEFT(0, column1)
	EVEN(0)
	E(0, 0)

column1:
	LEFT(1, column2)
	ODD(1)
	D(1, 0)
	D(0, 1)

column2:
	LEFT(2, column3)
	EVEN(2)
	E(2, 0)
	E(1, 1)
	E(0, 2)

column3:
	ODD(3)
	D(3, 0)
	D(2, 1)
	D(1, 2)
	D(0, 3)
	EVEN(4)
	E(4, 0)
	E(3, 1)
	E(2, 2)
	E(1, 3)
	E(0, 4)
	ODD(5)
	D(5, 0)
	D(4, 1)
	D(3, 2)
	D(2, 3)
	D(1, 4)
	D(0, 5)
	EVEN(6)
	E(6, 0)
	E(5, 1)
	E(4, 2)
	E(3, 3)
	E(2, 4)
	E(1, 5)
	E(0, 6)
	ODD(7)
	D(6, 1)
	D(5, 2)
	D(4, 3)
	D(3, 4)
	D(2, 5)
	D(1, 6)
	EVEN(8)
	E(6, 2)
	E(5, 3)
	E(4, 4)
	E(3, 5)
	E(2, 6)
	ODD(9)
	D(6, 3)
	D(5, 4)
	D(4, 5)
	D(3, 6)
	RIGHT(10)
	EVEN(10)
	E(6, 4)
	E(5, 5)
	E(4, 6)
	RIGHT(11)
	ODD(11)
	D(6, 5)
	D(5, 6)
	RIGHT(12)
	EVEN(12)
	E(6, 6)

next:
	NEXT

summed:
	FINISH(SEVEN, added, hard, sigmoid, store)
	STORE7
	END

// func depthwiseColumns7s2NEON(t *depthwiseStrip)
TEXT ·depthwiseColumns7s2NEON(SB), NOSPLIT, $0-8
	BEGIN
	SPAN

row:
	WEIGHTS7
	LEFT(0, column1)
	EVEN(0)
	E(0, 0)

column1:
	LEFT(1, column2)
	ODD(1)
	D(0, 1)

column2:
	LEFT(2, column3)
	EVEN(2)
	E(1, 0)
	E(0, 2)

column3:
	ODD(3)
	D(1, 1)
	D(0, 3)
	EVEN(4)
	E(2, 0)
	E(1, 2)
	E(0, 4)
	ODD(5)
	D(2, 1)
	D(1, 3)
	D(0, 5)
	EVEN(6)
	E(3, 0)
	E(2, 2)
	E(1, 4)
	E(0, 6)
	ODD(7)
	D(3, 1)
	D(2, 3)
	D(1, 5)
	EVEN(8)
	E(4, 0)
	E(3, 2)
	E(2, 4)
	E(1, 6)
	ODD(9)
	D(4, 1)
	D(3, 3)
	D(2, 5)
	EVEN(10)
	E(5, 0)
	E(4, 2)
	E(3, 4)
	E(2, 6)
	ODD(11)
	D(5, 1)
	D(4, 3)
	D(3, 5)
	EVEN(12)
	E(6, 0)
	E(5, 2)
	E(4, 4)
	E(3, 6)
	ODD(13)
	D(6, 1)
	D(5, 3)
	D(4, 5)
	EVEN(14)
	E(6, 2)
	E(5, 4)
	E(4, 6)
	ODD(15)
	D(6, 3)
	D(5, 5)
	RIGHT(16)
	EVEN(16)
	E(6, 4)
	E(5, 6)
	RIGHT(17)
	ODD(17)
	D(6, 5)
	RIGHT(18)
	EVEN(18)
	E(6, 6)

next:
	NEXT

summed:
	FINISH(SEVEN, added, hard, sigmoid, store)
	STORE7
	END

// TAP adds the pixel at R20, which goes on to the next output, times the
// weights in V14 and V15 to sum i.
#define TAP(i) \
	VLD1.P (R20)(R15), [V28.S4, V29.S4]; \
	FMLA(i, 28, 14); \
	FMLA((i+1), 29, 15)

// TAPS does the rows of the kernel for the outputs ALL, a tap at a time: R17
// weights, R19 image and R16 number left of the taps of the row.
#define TAPS(ALL, row, tap, summed) \
	CBZ    R4, summed; \
row: \
	MOVD   R5, R17; \
	MOVD   R3, R19; \
	MOVD   depthwiseSpan_taps(R1), R16; \
tap: \
	VLD1.P 32(R17), [V14.S4, V15.S4]; \
	MOVD   R19, R20; \
	ADD    R24, R19; \
	ALL(TAP); \
	SUB    $1, R16; \
	CBNZ   R16, tap; \
	ADD    R23, R5; \
	ADD    R8, R3; \
	SUB    $1, R4; \
	CBNZ   R4, row; \
summed:

// func depthwiseTapsNEON(t *depthwiseStrip)
//
// R6 rows, R25 weights, R15 srcOutput, R21 outputs left, R22 image of the run,
// R23 weightRow, R24 srcTap.
TEXT ·depthwiseTapsNEON(SB), NOSPLIT, $0-8
	MOVD t+0(FP), R0
	MOVD depthwiseStrip_srcOutput(R0), R15
	MOVD depthwiseStrip_weightRow(R0), R23
	MOVD depthwiseStrip_srcTap(R0), R24
	BEGIN
	MOVD depthwiseSpan_count(R1), R21
	MOVD R3, R22
	MOVD depthwiseSpan_weight(R1), R9
	ADD  R9, R5, R25
	MOVD depthwiseSpan_taps(R1), R9
	CMP  $0, R9
	CSEL EQ, R9, R4, R6

run:
	MOVD R22, R3
	MOVD R25, R5
	MOVD R6, R4
	CMP  $7, R21
	BLT  one
	START7
	TAPS(SEVEN, row7, tap7, summed7)
	FINISH(SEVEN, added7, hard7, sigmoid7, store7)
	STORE7
	MOVD $7, R9
	B    next

one:
	START1
	TAPS(ONE, row1, tap1, summed1)
	FINISH(ONE, added1, hard1, sigmoid1, store1)
	FSTPQ (F0, F1), (R9)
	MOVD $1, R9

next:
	ADD  R9<<5, R10
	MADD R9, R22, R15, R22
	SUB  R9, R21
	CBNZ R21, run
	END

// func depthwiseSpreadNEON(dst, src *float32, lanes *int32, pixels int)
TEXT ·depthwiseSpreadNEON(SB), NOSPLIT, $0-32
	MOVD  dst+0(FP), R0
	MOVD  src+8(FP), R1
	MOVD  lanes+16(FP), R2
	MOVD  pixels+24(FP), R3
	VLD1  (R2), [V0.S4, V1.S4]
	MOVW  $0x04040404, R4 // numbers of lanes to those of their bytes
	VDUP  R4, V2.S4
	MOVW  $0x03020100, R4
	VDUP  R4, V3.S4
	WORD  $0x4EA29C00 // MUL V0.4S, V0.4S, V2.4S
	WORD  $0x4EA29C21 // MUL V1.4S, V1.4S, V2.4S
	VADD  V3.S4, V0.S4, V0.S4
	VADD  V3.S4, V1.S4, V1.S4

pixel:
	VLD1.P 32(R1), [V4.S4, V5.S4]
	VTBL   V0.B16, [V4.B16, V5.B16], V6.B16
	VTBL   V1.B16, [V4.B16, V5.B16], V7.B16
	VST1.P [V6.S4, V7.S4], 32(R0)
	SUB    $1, R3
	CBNZ   R3, pixel
	RET
