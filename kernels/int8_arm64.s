#include "go_asm.h"
#include "textflag.h"
#include "int8_arm64.h"

// Int8 tile kernels: see type int8Tile in int8_tile.go for what they compute
// and int8TilePortable for the same in Go. Products are of signed bytes, hence
// 128 is taken off the bytes of A, which flips their highest bit. The sums of
// a tile go through the stack to int8Finish, a row after the other.
//
// Registers that last through a call:
//   R0  the tile          R20 sums             R21 bytes of C before the product
//   R22 row sums          R23 rows of a group, as a power of two
//   R24 A of the product  R25 products left

// int8Finish is finish in int8_tile.go for all rows of a product. It changes
// R1 to R10 and moves R20 and R22 on.
TEXT int8Finish<>(SB), NOSPLIT|NOFRAME, $0
	ADD   $int8Tile_low, R0, R10
	VLD1R (R10), [V30.S4]
	ADD   $int8Tile_high, R0, R10
	VLD1R (R10), [V31.S4]
	ADD   $int8Tile_zero, R0, R10
	VLD1R (R10), [V29.S4]
	ADD   $int8Tile_residualZero, R0, R10
	VLD1R (R10), [V28.S4]
	ADD   $int8Tile_residualScale, R0, R10
	VLD1R (R10), [V27.S4]
	ADD   $int8Tile_residualFlip, R0, R10
	VLD1R (R10), [V26.S4]
	MOVD  $0, R1

row:
	// Bytes of C before the row.
	LSR  R23, R1, R2
	LSL  R23, R2, R3
	SUB  R3, R1, R3
	MOVD int8Tile_cGroup(R0), R4
	MUL  R4, R2, R2
	MOVD int8Tile_cRow(R0), R4
	MUL  R4, R3, R3
	ADD  R3, R2, R2
	ADD  R21, R2, R2
	MOVD int8Tile_c(R0), R3
	ADD  R2, R3, R3
	MOVD int8Tile_residual(R0), R4
	ADD  R2, R4, R5
	MOVD int8Tile_vectors(R0), R6
	MOVD int8Tile_columnZero(R0), R7
	MOVD int8Tile_scale(R0), R8
	MOVD int8Tile_bias(R0), R9

vector:
	VLD1.P 32(R20), [V0.S4, V1.S4]
	CBZ    R7, symmetric
	VLD1.P 32(R7), [V2.S4, V3.S4]
	VLD1R  (R22), [V4.S4]
	MULS(2, 2, 4)
	MULS(3, 3, 4)
	VSUB   V2.S4, V0.S4, V0.S4
	VSUB   V3.S4, V1.S4, V1.S4

symmetric:
	MOVD   int8Tile_kind(R0), R10
	CBZ    R10, store
	VLD1.P 32(R8), [V2.S4, V3.S4]
	SCVTF(0, 0)
	SCVTF(1, 1)
	FMUL(0, 0, 2)
	FMUL(1, 1, 3)
	CMP    $1, R10
	BNE    bytes
	CBZ    R9, biased
	VLD1.P 32(R9), [V2.S4, V3.S4]
	FADD(0, 0, 2)
	FADD(1, 1, 3)

biased:
	FMAX(0, 0, 30)
	FMAX(1, 1, 30)
	FMIN(0, 0, 31)
	FMIN(1, 1, 31)

store:
	VST1.P [V0.S4, V1.S4], 32(R3)
	B      next

bytes:
	CBZ     R4, added
	FMOVD.P 8(R5), F2
	UXTL8(2, 2)
	UXTL16H(3, 2)
	UXTL16(2, 2)
	VEOR    V26.B16, V2.B16, V2.B16
	VEOR    V26.B16, V3.B16, V3.B16
	VSUB    V28.S4, V2.S4, V2.S4
	VSUB    V28.S4, V3.S4, V3.S4
	SCVTF(2, 2)
	SCVTF(3, 3)
	FMUL(2, 2, 27)
	FMUL(3, 3, 27)
	FADD(0, 0, 2)
	FADD(1, 1, 3)

added:
	FMAXNM(0, 0, 30)
	FMAXNM(1, 1, 30)
	FMINNM(0, 0, 31)
	FMINNM(1, 1, 31)
	FCVTNS(0, 0)
	FCVTNS(1, 1)
	VADD    V29.S4, V0.S4, V0.S4
	VADD    V29.S4, V1.S4, V1.S4
	XTN32(2, 0)
	XTN32H(2, 1)
	XTN16(2, 2)
	FMOVD.P F2, 8(R3)

next:
	SUBS $1, R6
	BNE  vector
	ADD  $32, R22
	ADD  $1, R1
	MOVD int8Tile_rows(R0), R10
	CMP  R10, R1
	BLT  row
	RET

// func int8Tile2NEONDot(t *int8Tile)
TEXT ·int8Tile2NEONDot(SB), NOSPLIT, $256-8
	LOAD(1)

product:
	VMOVI $128, V24.B16
	MOVD  int8Tile_start(R0), R9
	VLD1  (R9), [V0.S4, V1.S4, V2.S4, V3.S4]
	VMOV  V0.B16, V4.B16
	VMOV  V1.B16, V5.B16
	VMOV  V2.B16, V6.B16
	VMOV  V3.B16, V7.B16
	VMOV  V0.B16, V8.B16
	VMOV  V1.B16, V9.B16
	VMOV  V2.B16, V10.B16
	VMOV  V3.B16, V11.B16
	VMOV  V0.B16, V12.B16
	VMOV  V1.B16, V13.B16
	VMOV  V2.B16, V14.B16
	VMOV  V3.B16, V15.B16
	ROWS

segment:
	SEGMENT
	SUBS $4, R10
	BLT  rest

four:
	A16
	DOT4(0)
	DOT4(1)
	DOT4(2)
	DOT4(3)
	SUBS $4, R10
	BGE  four

rest:
	ADDS $4, R10
	BEQ  next

one:
	A4
	DOT4(0)
	SUBS $1, R10
	BNE  one

next:
	SUBS $1, R11
	BNE  segment

	MOVD $sums-256(SP), R20
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R20)
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R20)
	VST1.P [V8.S4, V9.S4, V10.S4, V11.S4], 64(R20)
	VST1.P [V12.S4, V13.S4, V14.S4, V15.S4], 64(R20)
	FINISH
	BNE  product
	RET

// func int8Tile2NEON(t *int8Tile)
TEXT ·int8Tile2NEON(SB), NOSPLIT, $256-8
	LOAD(0)

product:
	VMOVI $128, V24.B16
	VEOR  V0.B16, V0.B16, V0.B16
	VEOR  V1.B16, V1.B16, V1.B16
	VEOR  V2.B16, V2.B16, V2.B16
	VEOR  V3.B16, V3.B16, V3.B16
	VEOR  V4.B16, V4.B16, V4.B16
	VEOR  V5.B16, V5.B16, V5.B16
	VEOR  V6.B16, V6.B16, V6.B16
	VEOR  V7.B16, V7.B16, V7.B16
	VEOR  V8.B16, V8.B16, V8.B16
	VEOR  V9.B16, V9.B16, V9.B16
	VEOR  V10.B16, V10.B16, V10.B16
	VEOR  V11.B16, V11.B16, V11.B16
	VEOR  V12.B16, V12.B16, V12.B16
	VEOR  V13.B16, V13.B16, V13.B16
	VEOR  V14.B16, V14.B16, V14.B16
	VEOR  V15.B16, V15.B16, V15.B16
	MOVD int8Tile_rows(R0), R10
	MOVD int8Tile_aGroup(R0), R1
	CMP  $2, R10
	CSEL LT, ZR, R1, R1
	MOVD int8Tile_segments(R0), R11
	MOVD int8Tile_offsets(R0), R12
	MOVD int8Tile_b(R0), R9

segment:
	MOVD.P 8(R12), R5
	ADD    R24, R5, R5
	ADD    R1, R5, R6
	MOVD   int8Tile_steps(R0), R10

step:
	VLD1R.P 4(R5), [V20.S4]
	VLD1R.P 4(R6), [V21.S4]
	VEOR    V24.B16, V20.B16, V20.B16
	VEOR    V24.B16, V21.B16, V21.B16
	VLD1.P  64(R9), [V16.B16, V17.B16, V18.B16, V19.B16]
	PRODUCTS4(20, 0)
	PRODUCTS4(21, 8)
	SUBS    $1, R10
	BNE     step
	SUBS    $1, R11
	BNE     segment

	MOVD int8Tile_start(R0), R9
	VLD1 (R9), [V16.S4, V17.S4, V18.S4, V19.S4]
	VADDP V1.S4, V0.S4, V0.S4
	VADD  V16.S4, V0.S4, V0.S4
	VADDP V3.S4, V2.S4, V1.S4
	VADD  V17.S4, V1.S4, V1.S4
	VADDP V5.S4, V4.S4, V2.S4
	VADD  V18.S4, V2.S4, V2.S4
	VADDP V7.S4, V6.S4, V3.S4
	VADD  V19.S4, V3.S4, V3.S4
	VADDP V9.S4, V8.S4, V8.S4
	VADD  V16.S4, V8.S4, V8.S4
	VADDP V11.S4, V10.S4, V9.S4
	VADD  V17.S4, V9.S4, V9.S4
	VADDP V13.S4, V12.S4, V10.S4
	VADD  V18.S4, V10.S4, V10.S4
	VADDP V15.S4, V14.S4, V11.S4
	VADD  V19.S4, V11.S4, V11.S4
	MOVD  $sums-256(SP), R20
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R20)
	VST1.P [V8.S4, V9.S4, V10.S4, V11.S4], 64(R20)
	FINISH
	BNE  product
	RET

// func int8Tile1NEONDot(t *int8Tile)
TEXT ·int8Tile1NEONDot(SB), NOSPLIT, $256-8
	LOAD(1)

product:
	VMOVI $128, V24.B16
	MOVD  int8Tile_start(R0), R9
	VLD1  (R9), [V0.S4, V1.S4]
	VMOV  V0.B16, V4.B16
	VMOV  V1.B16, V5.B16
	VMOV  V0.B16, V8.B16
	VMOV  V1.B16, V9.B16
	VMOV  V0.B16, V12.B16
	VMOV  V1.B16, V13.B16
	ROWS

segment:
	SEGMENT
	SUBS $4, R10
	BLT  rest

four:
	A16
	DOT2(0)
	DOT2(1)
	DOT2(2)
	DOT2(3)
	SUBS $4, R10
	BGE  four

rest:
	ADDS $4, R10
	BEQ  next

one:
	A4
	DOT2(0)
	SUBS $1, R10
	BNE  one

next:
	SUBS $1, R11
	BNE  segment

	MOVD $sums-256(SP), R20
	VST1.P [V0.S4, V1.S4], 32(R20)
	VST1.P [V4.S4, V5.S4], 32(R20)
	VST1.P [V8.S4, V9.S4], 32(R20)
	VST1.P [V12.S4, V13.S4], 32(R20)
	FINISH
	BNE  product
	RET

// func int8Tile1NEON(t *int8Tile)
TEXT ·int8Tile1NEON(SB), NOSPLIT, $256-8
	LOAD(0)

product:
	VMOVI $128, V24.B16
	VEOR  V0.B16, V0.B16, V0.B16
	VEOR  V1.B16, V1.B16, V1.B16
	VEOR  V2.B16, V2.B16, V2.B16
	VEOR  V3.B16, V3.B16, V3.B16
	VEOR  V8.B16, V8.B16, V8.B16
	VEOR  V9.B16, V9.B16, V9.B16
	VEOR  V10.B16, V10.B16, V10.B16
	VEOR  V11.B16, V11.B16, V11.B16
	MOVD int8Tile_rows(R0), R10
	MOVD int8Tile_aGroup(R0), R1
	CMP  $2, R10
	CSEL LT, ZR, R1, R1
	MOVD int8Tile_segments(R0), R11
	MOVD int8Tile_offsets(R0), R12
	MOVD int8Tile_b(R0), R9

segment:
	MOVD.P 8(R12), R5
	ADD    R24, R5, R5
	ADD    R1, R5, R6
	MOVD   int8Tile_steps(R0), R10

step:
	VLD1R.P 4(R5), [V20.S4]
	VLD1R.P 4(R6), [V21.S4]
	VEOR    V24.B16, V20.B16, V20.B16
	VEOR    V24.B16, V21.B16, V21.B16
	VLD1.P  32(R9), [V16.B16, V17.B16]
	PRODUCTS2(20, 0)
	PRODUCTS2(21, 8)
	SUBS    $1, R10
	BNE     step
	SUBS    $1, R11
	BNE     segment

	MOVD int8Tile_start(R0), R9
	VLD1 (R9), [V16.S4, V17.S4]
	VADDP V1.S4, V0.S4, V0.S4
	VADD  V16.S4, V0.S4, V0.S4
	VADDP V3.S4, V2.S4, V1.S4
	VADD  V17.S4, V1.S4, V1.S4
	VADDP V9.S4, V8.S4, V8.S4
	VADD  V16.S4, V8.S4, V8.S4
	VADDP V11.S4, V10.S4, V9.S4
	VADD  V17.S4, V9.S4, V9.S4
	MOVD  $sums-256(SP), R20
	VST1.P [V0.S4, V1.S4], 32(R20)
	VST1.P [V8.S4, V9.S4], 32(R20)
	FINISH
	BNE  product
	RET

// Depthwise: see int8DepthwisePortable. A has been flipped when its rows were
// interleaved.

// func int8DepthwiseNEONDot(t *int8Tile)
TEXT ·int8DepthwiseNEONDot(SB), NOSPLIT, $256-8
	LOAD(3)

product:
	MOVD int8Tile_start(R0), R9
	VLD1 (R9), [V0.S4, V1.S4]
	VMOV V0.B16, V2.B16
	VMOV V1.B16, V3.B16
	VMOV V0.B16, V4.B16
	VMOV V1.B16, V5.B16
	VMOV V0.B16, V6.B16
	VMOV V1.B16, V7.B16
	PIXELS

segment:
	PIXEL
	VLD1 (R5), [V20.B16, V21.B16]
	VLD1 (R6), [V22.B16, V23.B16]
	VLD1 (R7), [V24.B16, V25.B16]
	VLD1 (R8), [V26.B16, V27.B16]
	SDOTV(0, 16, 20)
	SDOTV(1, 17, 21)
	SDOTV(2, 16, 22)
	SDOTV(3, 17, 23)
	SDOTV(4, 16, 24)
	SDOTV(5, 17, 25)
	SDOTV(6, 16, 26)
	SDOTV(7, 17, 27)
	SUBS $1, R11
	BNE  segment

	MOVD   $sums-256(SP), R20
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R20)
	VST1   [V4.S4, V5.S4, V6.S4, V7.S4], (R20)
	FINISH
	BNE    product
	RET

// func int8DepthwiseNEON(t *int8Tile)
TEXT ·int8DepthwiseNEON(SB), NOSPLIT, $256-8
	LOAD(3)

product:
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
	PIXELS

segment:
	PIXEL
	CHANNELS8(R5, 0)
	CHANNELS8(R6, 4)
	CHANNELS8(R7, 8)
	CHANNELS8(R8, 12)
	SUBS $1, R11
	BNE  segment

	MOVD int8Tile_start(R0), R9
	VLD1 (R9), [V16.S4, V17.S4]
	PAIRS(V0, V1, V16, V0)
	PAIRS(V2, V3, V17, V1)
	PAIRS(V4, V5, V16, V2)
	PAIRS(V6, V7, V17, V3)
	PAIRS(V8, V9, V16, V4)
	PAIRS(V10, V11, V17, V5)
	PAIRS(V12, V13, V16, V6)
	PAIRS(V14, V15, V17, V7)
	MOVD   $sums-256(SP), R20
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R20)
	VST1   [V4.S4, V5.S4, V6.S4, V7.S4], (R20)
	FINISH
	BNE    product
	RET

// func interleaveNEON(dst *uint8, rows *[4]*uint8, n int, flip uint8)
TEXT ·interleaveNEON(SB), NOSPLIT, $0-25
	MOVD  dst+0(FP), R0
	MOVD  rows+8(FP), R1
	MOVD  n+16(FP), R2
	MOVBU flip+24(FP), R3
	VDUP  R3, V4.B16
	MOVD  0(R1), R4
	MOVD  8(R1), R5
	MOVD  16(R1), R6
	MOVD  24(R1), R7

next:
	VLD1.P 16(R4), [V0.B16]
	VLD1.P 16(R5), [V1.B16]
	VLD1.P 16(R6), [V2.B16]
	VLD1.P 16(R7), [V3.B16]
	VEOR   V4.B16, V0.B16, V0.B16
	VEOR   V4.B16, V1.B16, V1.B16
	VEOR   V4.B16, V2.B16, V2.B16
	VEOR   V4.B16, V3.B16, V3.B16
	VST4.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	SUBS   $16, R2
	BNE    next
	RET

// With I8MM, of bytes eight at a time, B being packed in pairs of steps: the
// unsigned bytes of A are taken as they are.

// func int8Tile2NEONMatrix(t *int8Tile)
TEXT ·int8Tile2NEONMatrix(SB), NOSPLIT, $256-8
	LOAD(1)

product:
	MOVD int8Tile_start(R0), R9
	VLD1 (R9), [V16.S4, V17.S4, V18.S4, V19.S4]
	VZIP1 V16.D2, V16.D2, V0.D2
	VZIP2 V16.D2, V16.D2, V1.D2
	VZIP1 V17.D2, V17.D2, V2.D2
	VZIP2 V17.D2, V17.D2, V3.D2
	VZIP1 V18.D2, V18.D2, V4.D2
	VZIP2 V18.D2, V18.D2, V5.D2
	VZIP1 V19.D2, V19.D2, V6.D2
	VZIP2 V19.D2, V19.D2, V7.D2
	VMOV  V0.B16, V8.B16
	VMOV  V1.B16, V9.B16
	VMOV  V2.B16, V10.B16
	VMOV  V3.B16, V11.B16
	VMOV  V4.B16, V12.B16
	VMOV  V5.B16, V13.B16
	VMOV  V6.B16, V14.B16
	VMOV  V7.B16, V15.B16
	ROWS

segment:
	SEGMENT
	SUBS $4, R10
	BLT  rest

four:
	VLD1.P 16(R5), [V26.B16]
	VLD1.P 16(R6), [V27.B16]
	VLD1.P 16(R7), [V28.B16]
	VLD1.P 16(R8), [V29.B16]
	A8PAIRS
	MATRIX8
	A8HIGH
	MATRIX8
	SUBS   $4, R10
	BGE    four

rest:
	ADDS    $2, R10
	BLT     odd
	FMOVD.P 8(R5), F26
	FMOVD.P 8(R6), F27
	FMOVD.P 8(R7), F28
	FMOVD.P 8(R8), F29
	A8PAIRS
	MATRIX8
	SUB     $2, R10

odd:
	// R10 is -1 if a step is left, -2 if none: the second half of its pair
	// is 0.
	ADDS  $2, R10
	BEQ   next
	FMOVS (R5), F26
	FMOVS (R6), F27
	FMOVS (R7), F28
	FMOVS (R8), F29
	A8PAIRS
	MATRIX8

next:
	SUBS $1, R11
	BNE  segment

	MOVD $sums-256(SP), R20
	VZIP1 V1.D2, V0.D2, V16.D2
	VZIP1 V3.D2, V2.D2, V17.D2
	VZIP1 V5.D2, V4.D2, V18.D2
	VZIP1 V7.D2, V6.D2, V19.D2
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R20)
	VZIP2 V1.D2, V0.D2, V16.D2
	VZIP2 V3.D2, V2.D2, V17.D2
	VZIP2 V5.D2, V4.D2, V18.D2
	VZIP2 V7.D2, V6.D2, V19.D2
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R20)
	VZIP1 V9.D2, V8.D2, V16.D2
	VZIP1 V11.D2, V10.D2, V17.D2
	VZIP1 V13.D2, V12.D2, V18.D2
	VZIP1 V15.D2, V14.D2, V19.D2
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R20)
	VZIP2 V9.D2, V8.D2, V16.D2
	VZIP2 V11.D2, V10.D2, V17.D2
	VZIP2 V13.D2, V12.D2, V18.D2
	VZIP2 V15.D2, V14.D2, V19.D2
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R20)
	FINISH
	BNE  product
	RET

// func int8Tile1NEONMatrix(t *int8Tile)
TEXT ·int8Tile1NEONMatrix(SB), NOSPLIT, $256-8
	LOAD(1)

product:
	MOVD int8Tile_start(R0), R9
	VLD1 (R9), [V16.S4, V17.S4]
	VZIP1 V16.D2, V16.D2, V0.D2
	VZIP2 V16.D2, V16.D2, V1.D2
	VZIP1 V17.D2, V17.D2, V2.D2
	VZIP2 V17.D2, V17.D2, V3.D2
	VMOV  V0.B16, V8.B16
	VMOV  V1.B16, V9.B16
	VMOV  V2.B16, V10.B16
	VMOV  V3.B16, V11.B16
	ROWS

segment:
	SEGMENT
	SUBS $4, R10
	BLT  rest

four:
	VLD1.P 16(R5), [V26.B16]
	VLD1.P 16(R6), [V27.B16]
	VLD1.P 16(R7), [V28.B16]
	VLD1.P 16(R8), [V29.B16]
	A8PAIRS
	MATRIX4
	A8HIGH
	MATRIX4
	SUBS   $4, R10
	BGE    four

rest:
	ADDS    $2, R10
	BLT     odd
	FMOVD.P 8(R5), F26
	FMOVD.P 8(R6), F27
	FMOVD.P 8(R7), F28
	FMOVD.P 8(R8), F29
	A8PAIRS
	MATRIX4
	SUB     $2, R10

odd:
	// R10 is -1 if a step is left, -2 if none: the second half of its pair
	// is 0.
	ADDS  $2, R10
	BEQ   next
	FMOVS (R5), F26
	FMOVS (R6), F27
	FMOVS (R7), F28
	FMOVS (R8), F29
	A8PAIRS
	MATRIX4

next:
	SUBS $1, R11
	BNE  segment

	MOVD $sums-256(SP), R20
	VZIP1 V1.D2, V0.D2, V16.D2
	VZIP1 V3.D2, V2.D2, V17.D2
	VST1.P [V16.S4, V17.S4], 32(R20)
	VZIP2 V1.D2, V0.D2, V16.D2
	VZIP2 V3.D2, V2.D2, V17.D2
	VST1.P [V16.S4, V17.S4], 32(R20)
	VZIP1 V9.D2, V8.D2, V16.D2
	VZIP1 V11.D2, V10.D2, V17.D2
	VST1.P [V16.S4, V17.S4], 32(R20)
	VZIP2 V9.D2, V8.D2, V16.D2
	VZIP2 V11.D2, V10.D2, V17.D2
	VST1.P [V16.S4, V17.S4], 32(R20)
	FINISH
	BNE  product
	RET

// func int8DepthwiseNEONMatrix(t *int8Tile)
TEXT ·int8DepthwiseNEONMatrix(SB), NOSPLIT, $256-8
	LOAD(3)

product:
	MOVD int8Tile_start(R0), R9
	VLD1 (R9), [V0.S4, V1.S4]
	VMOV V0.B16, V2.B16
	VMOV V1.B16, V3.B16
	VMOV V0.B16, V4.B16
	VMOV V1.B16, V5.B16
	VMOV V0.B16, V6.B16
	VMOV V1.B16, V7.B16
	PIXELS

segment:
	PIXEL
	VLD1 (R5), [V20.B16, V21.B16]
	VLD1 (R6), [V22.B16, V23.B16]
	VLD1 (R7), [V24.B16, V25.B16]
	VLD1 (R8), [V26.B16, V27.B16]
	USDOTV(0, 20, 16)
	USDOTV(1, 21, 17)
	USDOTV(2, 22, 16)
	USDOTV(3, 23, 17)
	USDOTV(4, 24, 16)
	USDOTV(5, 25, 17)
	USDOTV(6, 26, 16)
	USDOTV(7, 27, 17)
	SUBS $1, R11
	BNE  segment

	MOVD   $sums-256(SP), R20
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R20)
	VST1   [V4.S4, V5.S4, V6.S4, V7.S4], (R20)
	FINISH
	BNE    product
	RET
