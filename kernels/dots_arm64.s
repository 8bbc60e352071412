#include "go_asm.h"
#include "textflag.h"
#include "vector_arm64.h"

// The dot kernels for NEON: see type dots and dotsPortable.
//
//   R0  the work     R1, R2, R3, R4    rows of A
//   R5  elements     R6, R7, R8, R9    columns of B
//   R10 segments     R11, R12          offset of the segment in A and in B
// The sum of row i and column j is in V(4i+j), B in V16 to V19, A in V20.

// ROW multiplies the element or vector of A in V20 by those of B.
#define ROW(s0, s1, s2, s3) \
	FMLA(s0, 20, 16) \
	FMLA(s1, 20, 17) \
	FMLA(s2, 20, 18) \
	FMLA(s3, 20, 19)

#define COLUMNS \
	FMOVQ.P 16(R6), F16 \
	FMOVQ.P 16(R7), F17 \
	FMOVQ.P 16(R8), F18 \
	FMOVQ.P 16(R9), F19

// Scalar loads clear the rest of the register.
#define COLUMNS1 \
	FMOVS.P 4(R6), F16 \
	FMOVS.P 4(R7), F17 \
	FMOVS.P 4(R8), F18 \
	FMOVS.P 4(R9), F19

#define ROWS1 \
	FMOVQ.P 16(R1), F20 \
	ROW(0, 1, 2, 3)
#define ROWS2 \
	ROWS1 \
	FMOVQ.P 16(R2), F20 \
	ROW(4, 5, 6, 7)
#define ROWS3 \
	ROWS2 \
	FMOVQ.P 16(R3), F20 \
	ROW(8, 9, 10, 11)
#define ROWS4 \
	ROWS3 \
	FMOVQ.P 16(R4), F20 \
	ROW(12, 13, 14, 15)

#define SINGLE1 \
	FMOVS.P 4(R1), F20 \
	ROW(0, 1, 2, 3)
#define SINGLE2 \
	SINGLE1 \
	FMOVS.P 4(R2), F20 \
	ROW(4, 5, 6, 7)
#define SINGLE3 \
	SINGLE2 \
	FMOVS.P 4(R3), F20 \
	ROW(8, 9, 10, 11)
#define SINGLE4 \
	SINGLE3 \
	FMOVS.P 4(R4), F20 \
	ROW(12, 13, 14, 15)

// STORE4 adds the sums of a row to C at R1, as many as there are columns.
#define STORE4(s0, s1, s2, s3, skip) \
	FADDP(s0, s0, s1) \
	FADDP(s2, s2, s3) \
	FADDP(s0, s0, s2) \
	MOVD  R1, R2      \
	MOVE(16, s0)      \
	MOVD  R13, R4     \
skip: \
	FMOVS (R2), F17   \
	FADDS F16, F17, F17 \
	FMOVS.P F17, 4(R2) \
	VEXT  $4, V16.B16, V16.B16, V16.B16 \
	SUBS  $1, R4      \
	BNE   skip        \
	ADD   R5, R1

#define ZERO4(a, b, c, d) \
	VEOR a.B16, a.B16, a.B16 \
	VEOR b.B16, b.B16, b.B16 \
	VEOR c.B16, c.B16, c.B16 \
	VEOR d.B16, d.B16, d.B16

// BEGIN goes to the next segment, LOOP through it.
#define BEGIN \
	MOVD t+0(FP), R0 \
	MOVD dots_segments(R0), R10 \
	MOVD $0, R11 \
	MOVD $0, R12 \
	ZERO4(V0, V1, V2, V3) \
	ZERO4(V4, V5, V6, V7) \
	ZERO4(V8, V9, V10, V11) \
	ZERO4(V12, V13, V14, V15)

#define LOOP(ROWS, SINGLE) \
segment: \
	MOVD dots_a(R0), R1 \
	MOVD dots_aRow(R0), R5 \
	ADD  R11, R1 \
	ADD  R5, R1, R2 \
	ADD  R5, R2, R3 \
	ADD  R5, R3, R4 \
	MOVD dots_b(R0), R5 \
	ADD  R12, R5 \
	MOVD dots_bColumn(R0), R6 \
	MOVD (dots_bColumn+8)(R0), R7 \
	MOVD (dots_bColumn+16)(R0), R8 \
	MOVD (dots_bColumn+24)(R0), R9 \
	ADD  R5, R6 \
	ADD  R5, R7 \
	ADD  R5, R8 \
	ADD  R5, R9 \
	MOVD dots_length(R0), R5 \
	SUBS $4, R5 \
	BLT  rest \
loop: \
	COLUMNS \
	ROWS \
	SUBS $4, R5 \
	BGE  loop \
rest: \
	ADDS $4, R5 \
	BEQ  next \
one: \
	COLUMNS1 \
	SINGLE \
	SUBS $1, R5 \
	BNE  one \
next: \
	MOVD dots_aSegment(R0), R5 \
	ADD  R5, R11 \
	MOVD dots_bSegment(R0), R5 \
	ADD  R5, R12 \
	SUBS $1, R10 \
	BNE  segment \
	MOVD dots_c(R0), R1 \
	MOVD dots_cRow(R0), R5 \
	MOVD dots_columns(R0), R13

// func dots1NEON(t *dots)
TEXT ·dots1NEON(SB), NOSPLIT, $0-8
	BEGIN
	LOOP(ROWS1, SINGLE1)
	STORE4(0, 1, 2, 3, store0)
	RET

// func dots2NEON(t *dots)
TEXT ·dots2NEON(SB), NOSPLIT, $0-8
	BEGIN
	LOOP(ROWS2, SINGLE2)
	STORE4(0, 1, 2, 3, store0)
	STORE4(4, 5, 6, 7, store1)
	RET

// func dots3NEON(t *dots)
TEXT ·dots3NEON(SB), NOSPLIT, $0-8
	BEGIN
	LOOP(ROWS3, SINGLE3)
	STORE4(0, 1, 2, 3, store0)
	STORE4(4, 5, 6, 7, store1)
	STORE4(8, 9, 10, 11, store2)
	RET

// func dots4NEON(t *dots)
// The inner loop takes 16 FMLA, 8 loads and 2 others for 64 multiply-adds.
TEXT ·dots4NEON(SB), NOSPLIT, $0-8
	BEGIN
	LOOP(ROWS4, SINGLE4)
	STORE4(0, 1, 2, 3, store0)
	STORE4(4, 5, 6, 7, store1)
	STORE4(8, 9, 10, 11, store2)
	STORE4(12, 13, 14, 15, store3)
	RET
