#include "textflag.h"
#include "vector_arm64.h"

// NEXT_TAP loads a weight into V16 and the address it applies to into R9.
#define NEXT_TAP \
	MOVD.P  8(R7), R9;      \
	FMOVS.P 4(R8), F16;     \
	ADD     R9<<2, R1, R9

#define CLAMP(i) \
	FMAX(i, i, 29); \
	FMIN(i, i, 30)

#define CLAMP4(i) \
	CLAMP(i);   \
	CLAMP(i+1); \
	CLAMP(i+2); \
	CLAMP(i+3)

// FIRST_TAP starts a block with the bias in V0 to V3.
#define FIRST_TAP \
	MOVE(0, 31); \
	MOVE(1, 31); \
	MOVE(2, 31); \
	MOVE(3, 31); \
	MOVD R3, R7; \
	MOVD R5, R8; \
	MOVD R4, R6

// func convolveNEON(dst, src []float32, n int, offsets []int, weights []float32, bias, lo, hi float32)
TEXT ·convolveNEON(SB), NOSPLIT, $0-116
	MOVD  dst_base+0(FP), R0
	MOVD  src_base+24(FP), R1
	MOVD  n+48(FP), R2
	MOVD  offsets_base+56(FP), R3
	MOVD  offsets_len+64(FP), R4
	MOVD  weights_base+80(FP), R5
	FMOVS bias+104(FP), F31
	FMOVS lo+108(FP), F29
	FMOVS hi+112(FP), F30
	VDUP  V31.S[0], V31.S4
	VDUP  V29.S[0], V29.S4
	VDUP  V30.S[0], V30.S4

eight:
	CMP $24, R2
	BLE four
	FIRST_TAP
	MOVE(4, 31)
	MOVE(5, 31)
	MOVE(6, 31)
	MOVE(7, 31)
	CBZ R6, eightStore

eightTap:
	NEXT_TAP
	VLD1.P 64(R9), [V17.S4, V18.S4, V19.S4, V20.S4]
	VLD1   (R9), [V21.S4, V22.S4, V23.S4, V24.S4]
	FMLA0(0, 17, 16)
	FMLA0(1, 18, 16)
	FMLA0(2, 19, 16)
	FMLA0(3, 20, 16)
	FMLA0(4, 21, 16)
	FMLA0(5, 22, 16)
	FMLA0(6, 23, 16)
	FMLA0(7, 24, 16)
	SUB    $1, R6
	CBNZ   R6, eightTap

eightStore:
	CLAMP4(0)
	CLAMP4(4)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R0)
	ADD    $128, R1
	SUB    $32, R2
	B      eight

four:
	CMP $0, R2
	BLE done
	FIRST_TAP
	CBZ R6, fourStore

fourTap:
	NEXT_TAP
	VLD1 (R9), [V17.S4, V18.S4, V19.S4, V20.S4]
	FMLA0(0, 17, 16)
	FMLA0(1, 18, 16)
	FMLA0(2, 19, 16)
	FMLA0(3, 20, 16)
	SUB  $1, R6
	CBNZ R6, fourTap

fourStore:
	CLAMP4(0)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	ADD    $64, R1
	SUB    $16, R2
	B      four

done:
	RET

// OFFSET sets R to the address of src at the next of the nine offsets.
#define OFFSET(R) \
	MOVD.P 8(R13), R;      \
	ADD    R<<2, R14, R

#define MULTIPLY(R, i) \
	VLD1.P 16(R), [V17.S4]; \
	FMLA(i, 16, 17)

// func correlateNEON(sums *[9]float32, grad, src []float32, n int, offsets *[9]int)
TEXT ·correlateNEON(SB), NOSPLIT, $0-72
	MOVD sums+0(FP), R0
	MOVD grad_base+8(FP), R1
	MOVD src_base+32(FP), R14
	MOVD n+56(FP), R2
	MOVD offsets+64(FP), R13
	OFFSET(R3)
	OFFSET(R4)
	OFFSET(R5)
	OFFSET(R6)
	OFFSET(R7)
	OFFSET(R8)
	OFFSET(R9)
	OFFSET(R10)
	OFFSET(R11)
	VEOR V0.B16, V0.B16, V0.B16
	MOVE(1, 0)
	MOVE(2, 0)
	MOVE(3, 0)
	MOVE(4, 0)
	MOVE(5, 0)
	MOVE(6, 0)
	MOVE(7, 0)
	MOVE(8, 0)

loop:
	VLD1.P 16(R1), [V16.S4]
	MULTIPLY(R3, 0)
	MULTIPLY(R4, 1)
	MULTIPLY(R5, 2)
	MULTIPLY(R6, 3)
	MULTIPLY(R7, 4)
	MULTIPLY(R8, 5)
	MULTIPLY(R9, 6)
	MULTIPLY(R10, 7)
	MULTIPLY(R11, 8)
	SUBS   $4, R2
	BGT    loop
	FADDP(0, 0, 1)
	FADDP(2, 2, 3)
	FADDP(4, 4, 5)
	FADDP(6, 6, 7)
	FADDP(8, 8, 8)
	FADDP(0, 0, 2)
	FADDP(4, 4, 6)
	FADDP2(8, 8)
	LOAD(0, 0, 16)
	LOAD(16, 0, 17)
	FMOVS  32(R0), F18
	FADD(0, 0, 16)
	FADD(4, 4, 17)
	FADDS  F18, F8, F8
	STORE(0, 0, 0)
	STORE(4, 16, 0)
	FMOVS  F8, 32(R0)
	RET

// func copyPlaneNEON(dst, src []float32, rows, dstStep, srcStep, width int)
//
// A row ends with a vector that overlaps the one before.
TEXT ·copyPlaneNEON(SB), NOSPLIT, $0-80
	MOVD dst_base+0(FP), R0
	MOVD src_base+24(FP), R1
	MOVD rows+48(FP), R2
	MOVD dstStep+56(FP), R3
	MOVD srcStep+64(FP), R4
	MOVD width+72(FP), R5
	LSL  $2, R3
	LSL  $2, R4
	CMP  $4, R5
	BLT  narrow
	SUB  $4, R5, R6
	LSL  $2, R6       // bytes to the last vector
	LSR  $2, R5       // vectors

row:
	CBZ  R2, done
	MOVD R0, R7
	MOVD R1, R8
	MOVD R5, R9
	ADD  R1, R6, R10
	ADD  R0, R6, R11
	VLD1 (R10), [V1.S4]

vector:
	VLD1.P 16(R8), [V0.S4]
	VST1.P [V0.S4], 16(R7)
	SUB    $1, R9
	CBNZ   R9, vector
	VST1   [V1.S4], (R11)
	ADD    R3, R0
	ADD    R4, R1
	SUB    $1, R2
	B      row

narrow:
	CBZ  R2, done
	MOVD R0, R7
	MOVD R1, R8
	MOVD R5, R9

single:
	FMOVS.P 4(R8), F0
	FMOVS.P F0, 4(R7)
	SUB     $1, R9
	CBNZ    R9, single
	ADD     R3, R0
	ADD     R4, R1
	SUB     $1, R2
	B       narrow

done:
	RET

// func addPlaneNEON(dst, src []float32, rows, dstStep, srcStep, width int)
TEXT ·addPlaneNEON(SB), NOSPLIT, $0-80
	MOVD dst_base+0(FP), R0
	MOVD src_base+24(FP), R1
	MOVD rows+48(FP), R2
	MOVD dstStep+56(FP), R3
	MOVD srcStep+64(FP), R4
	MOVD width+72(FP), R5
	LSL  $2, R3
	LSL  $2, R4
	CMP  $4, R5
	BLT  narrow
	SUB  $4, R5, R6
	LSL  $2, R6
	LSR  $2, R5

row:
	CBZ  R2, done
	MOVD R0, R7
	MOVD R1, R8
	MOVD R5, R9
	ADD  R1, R6, R10
	ADD  R0, R6, R11
	VLD1 (R10), [V1.S4]
	VLD1 (R11), [V2.S4]
	FADD(1, 1, 2)

vector:
	VLD1.P 16(R8), [V0.S4]
	VLD1   (R7), [V2.S4]
	FADD(0, 0, 2)
	VST1.P [V0.S4], 16(R7)
	SUB    $1, R9
	CBNZ   R9, vector
	VST1   [V1.S4], (R11)
	ADD    R3, R0
	ADD    R4, R1
	SUB    $1, R2
	B      row

narrow:
	CBZ  R2, done
	MOVD R0, R7
	MOVD R1, R8
	MOVD R5, R9

single:
	FMOVS.P 4(R8), F0
	FMOVS   (R7), F1
	FADDS   F1, F0, F0
	FMOVS.P F0, 4(R7)
	SUB     $1, R9
	CBNZ    R9, single
	ADD     R3, R0
	ADD     R4, R1
	SUB     $1, R2
	B       narrow

done:
	RET

// func splitPlaneNEON(even, odd, src []float32, rows, dstStep, srcStep, width int)
TEXT ·splitPlaneNEON(SB), NOSPLIT, $0-104
	MOVD even_base+0(FP), R0
	MOVD odd_base+24(FP), R1
	MOVD src_base+48(FP), R2
	MOVD rows+72(FP), R3
	MOVD dstStep+80(FP), R4
	MOVD srcStep+88(FP), R5
	MOVD width+96(FP), R6
	LSL  $2, R4
	LSL  $2, R5

row:
	CBZ  R3, done
	MOVD R0, R7
	MOVD R1, R8
	MOVD R2, R9
	MOVD R6, R10

vectors:
	CMP    $8, R10
	BLT    pair
	VLD2.P 32(R9), [V0.S4, V1.S4]
	VST1.P [V0.S4], 16(R7)
	VST1.P [V1.S4], 16(R8)
	SUB    $8, R10
	B      vectors

pair:
	CMP     $2, R10
	BLT     last
	FMOVS.P 4(R9), F0
	FMOVS.P 4(R9), F1
	FMOVS.P F0, 4(R7)
	FMOVS.P F1, 4(R8)
	SUB     $2, R10
	B       pair

last:
	CBZ   R10, next
	FMOVS (R9), F0
	FMOVS F0, (R7)

next:
	ADD R4, R0
	ADD R4, R1
	ADD R5, R2
	SUB $1, R3
	B   row

done:
	RET

// func mergePlaneNEON(dst, even, odd []float32, rows, dstStep, srcStep, width int)
TEXT ·mergePlaneNEON(SB), NOSPLIT, $0-104
	MOVD dst_base+0(FP), R0
	MOVD even_base+24(FP), R1
	MOVD odd_base+48(FP), R2
	MOVD rows+72(FP), R3
	MOVD dstStep+80(FP), R4
	MOVD srcStep+88(FP), R5
	MOVD width+96(FP), R6
	LSL  $2, R4
	LSL  $2, R5

row:
	CBZ  R3, done
	MOVD R0, R7
	MOVD R1, R8
	MOVD R2, R9
	MOVD R6, R10

vectors:
	CMP    $8, R10
	BLT    pair
	VLD1.P 16(R8), [V0.S4]
	VLD1.P 16(R9), [V1.S4]
	VZIP1  V1.S4, V0.S4, V2.S4
	VZIP2  V1.S4, V0.S4, V3.S4
	VLD1   (R7), [V4.S4, V5.S4]
	FADD(2, 2, 4)
	FADD(3, 3, 5)
	VST1.P [V2.S4, V3.S4], 32(R7)
	SUB    $8, R10
	B      vectors

pair:
	CMP     $2, R10
	BLT     last
	FMOVS.P 4(R8), F0
	FMOVS.P 4(R9), F1
	FMOVS   (R7), F2
	FMOVS   4(R7), F3
	FADDS   F2, F0, F0
	FADDS   F3, F1, F1
	FMOVS.P F0, 4(R7)
	FMOVS.P F1, 4(R7)
	SUB     $2, R10
	B       pair

last:
	CBZ   R10, next
	FMOVS (R8), F0
	FMOVS (R7), F1
	FADDS F1, F0, F0
	FMOVS F0, (R7)

next:
	ADD R4, R0
	ADD R5, R1
	ADD R5, R2
	SUB $1, R3
	B   row

done:
	RET
