#include "textflag.h"
#include "go_asm.h"
#include "vector_arm64.h"

// func transposeRowsNEON(t *transposeRows)
TEXT ·transposeRowsNEON(SB), NOSPLIT, $0-8
	MOVD t+0(FP), R0
	MOVD transposeRows_src(R0), R1
	MOVD transposeRows_stride(R0), R5
	MOVD transposeRows_dst(R0), R6
	MOVD transposeRows_width(R0), R7
	MOVD transposeRows_fours(R0), R8
	ADD  R5, R1, R2
	ADD  R5, R2, R3
	ADD  R5, R3, R4

four:
	VLD1.P 16(R1), [V0.S4]
	VLD1.P 16(R2), [V1.S4]
	VLD1.P 16(R3), [V2.S4]
	VLD1.P 16(R4), [V3.S4]
	VTRN1  V1.S4, V0.S4, V4.S4
	VTRN2  V1.S4, V0.S4, V5.S4
	VTRN1  V3.S4, V2.S4, V6.S4
	VTRN2  V3.S4, V2.S4, V7.S4
	VTRN1  V6.D2, V4.D2, V0.D2
	VTRN1  V7.D2, V5.D2, V1.D2
	VTRN2  V6.D2, V4.D2, V2.D2
	VTRN2  V7.D2, V5.D2, V3.D2
	VST1   [V0.S4], (R6)
	ADD    R7, R6
	VST1   [V1.S4], (R6)
	ADD    R7, R6
	VST1   [V2.S4], (R6)
	ADD    R7, R6
	VST1   [V3.S4], (R6)
	ADD    R7, R6
	SUBS   $1, R8
	BNE    four
	RET

// func dotRowsNEON(t *dotRows)
// R1 a, R2 to R5 rows of b, R6 bRow, R7 dst, R8 rows left, R9 elements left.
TEXT ·dotRowsNEON(SB), NOSPLIT, $0-8
	MOVD t+0(FP), R0
	MOVD dotRows_b(R0), R10
	MOVD dotRows_bRow(R0), R6
	MOVD dotRows_dst(R0), R7
	MOVD dotRows_rows(R0), R8
	MOVD dotRows_prefetch(R0), R11
	MOVD dotRows_prefetchRow(R0), R12

row:
	// Fewer than four rows: the last is worked on several times.
	MOVD R10, R2
	MOVD R6, R13
	CMP  $2, R8
	CSEL GE, R6, ZR, R13
	ADD  R13, R2, R3
	CMP  $3, R8
	CSEL GE, R6, ZR, R13
	ADD  R13, R3, R4
	CMP  $4, R8
	CSEL GE, R6, ZR, R13
	ADD  R13, R4, R5
	MOVD R11, R14
	ADD  R12, R14, R15
	ADD  R12, R15, R16
	ADD  R12, R16, R17
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16
	MOVD dotRows_a(R0), R1
	MOVD dotRows_n(R0), R9
	SUBS $4, R9
	BLT  rest

four:
	VLD1.P 16(R1), [V4.S4]
	VLD1.P 16(R2), [V5.S4]
	VLD1.P 16(R3), [V6.S4]
	VLD1.P 16(R4), [V7.S4]
	VLD1.P 16(R5), [V8.S4]
	FMLA(0, 4, 5)
	FMLA(1, 4, 6)
	FMLA(2, 4, 7)
	FMLA(3, 4, 8)
	PRFM   (R14), PLDL1KEEP
	PRFM   (R15), PLDL1KEEP
	PRFM   (R16), PLDL1KEEP
	PRFM   (R17), PLDL1KEEP
	ADD    $16, R14
	ADD    $16, R15
	ADD    $16, R16
	ADD    $16, R17
	SUBS   $4, R9
	BGE    four

rest:
	ADDS $4, R9
	BEQ  sum

one:
	FMOVS.P 4(R1), F4
	FMOVS.P 4(R2), F5
	FMOVS.P 4(R3), F6
	FMOVS.P 4(R4), F7
	FMOVS.P 4(R5), F8
	FMLA(0, 4, 5)
	FMLA(1, 4, 6)
	FMLA(2, 4, 7)
	FMLA(3, 4, 8)
	SUBS    $1, R9
	BNE     one

sum:
	FADDP(0, 0, 1)
	FADDP(2, 2, 3)
	FADDP(0, 0, 2)
	SUBS $4, R8
	BLT  few
	VST1.P [V0.S4], 16(R7)
	ADD  R6<<2, R10
	ADD  R12<<2, R11
	BNE  row
	RET

few:
	ADD $4, R8

store:
	FMOVS.P F0, 4(R7)
	VEXT $4, V0.B16, V0.B16, V0.B16
	SUBS $1, R8
	BNE  store
	RET
