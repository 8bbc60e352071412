#include "textflag.h"

// A row of n elements, 8 at most, is copied as two pieces, which overlap
// unless n is a power of two.

#define VECTOR2 \
	VLD1 (R9), [V0.S4]  \
	ADD  R6, R9, R10    \
	VLD1 (R10), [V1.S4] \
	VST1 [V0.S4], (R0)  \
	ADD  R6, R0, R10    \
	VST1 [V1.S4], (R10)

#define QUAD2 \
	MOVD (R9), R10      \
	MOVD (R9)(R6), R11  \
	MOVD R10, (R0)      \
	MOVD R11, (R0)(R6)

#define LONG1 \
	MOVWU (R9), R10 \
	MOVW  R10, (R0)

#define ROWS(COPY, loop) \
loop:           \
	COPY         \
	ADD  R3, R9  \
	ADD  R2, R0  \
	SUBS $1, R5  \
	BNE  loop    \
	RET

#define LISTED(COPY, loop) \
loop:                    \
	MOVD.P 8(R4), R9      \
	ADD    R9<<2, R1, R9  \
	COPY                  \
	ADD    R2, R0         \
	SUBS   $1, R5         \
	BNE    loop           \
	RET

// func copyRowsNEON(dst, src *float32, width, ld int, offsets *int, count, n int)
TEXT ·copyRowsNEON(SB), NOSPLIT, $0-56
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD width+16(FP), R2
	MOVD ld+24(FP), R3
	MOVD offsets+32(FP), R4
	MOVD count+40(FP), R5
	MOVD n+48(FP), R7
	LSL  $2, R2
	LSL  $2, R3
	LSL  $2, R7, R6
	CBNZ R4, listed
	MOVD R1, R9
	CMP  $4, R7
	BGE  rows4
	CMP  $2, R7
	BGE  rows2
	ROWS(LONG1, rows1)

rows4:
	SUB $16, R6
	ROWS(VECTOR2, rows4loop)

rows2:
	SUB $8, R6
	ROWS(QUAD2, rows2loop)

listed:
	CMP $4, R7
	BGE listed4
	CMP $2, R7
	BGE listed2
	LISTED(LONG1, listed1)

listed4:
	SUB $16, R6
	LISTED(VECTOR2, listed4loop)

listed2:
	SUB $8, R6
	LISTED(QUAD2, listed2loop)

// func transpose4NEON(dst, r0, r1, r2, r3 *float32, width, n int)
TEXT ·transpose4NEON(SB), NOSPLIT, $0-56
	MOVD dst+0(FP), R0
	MOVD r0+8(FP), R1
	MOVD r1+16(FP), R2
	MOVD r2+24(FP), R3
	MOVD r3+32(FP), R4
	MOVD width+40(FP), R5
	MOVD n+48(FP), R6
	LSL  $2, R5
	SUBS $4, R6
	BLT  rest

four:
	VLD1.P 16(R1), [V0.S4]
	VLD1.P 16(R2), [V1.S4]
	VLD1.P 16(R3), [V2.S4]
	VLD1.P 16(R4), [V3.S4]
	VZIP1  V2.S4, V0.S4, V4.S4
	VZIP2  V2.S4, V0.S4, V5.S4
	VZIP1  V3.S4, V1.S4, V6.S4
	VZIP2  V3.S4, V1.S4, V7.S4
	VZIP1  V6.S4, V4.S4, V0.S4
	VZIP2  V6.S4, V4.S4, V1.S4
	VZIP1  V7.S4, V5.S4, V2.S4
	VZIP2  V7.S4, V5.S4, V3.S4
	VST1.P [V0.S4], (R0)(R5)
	VST1.P [V1.S4], (R0)(R5)
	VST1.P [V2.S4], (R0)(R5)
	VST1.P [V3.S4], (R0)(R5)
	SUBS   $4, R6
	BGE    four

rest:
	ADDS $4, R6
	BEQ  done

one:
	MOVWU.P 4(R1), R7
	MOVW    R7, (R0)
	MOVWU.P 4(R2), R7
	MOVW    R7, 4(R0)
	MOVWU.P 4(R3), R7
	MOVW    R7, 8(R0)
	MOVWU.P 4(R4), R7
	MOVW    R7, 12(R0)
	ADD     R5, R0
	SUBS    $1, R6
	BNE     one

done:
	RET
