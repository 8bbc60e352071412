#include "go_asm.h"
#include "textflag.h"

// Int8 tile kernels: see type int8Tile in int8_tile.go for what they compute
// and int8TilePortable for the same in Go. Products are of signed bytes, hence
// 128 is taken off the bytes of A, which flips their highest bit. The sums of
// a tile go through the stack to int8Finish, a row after the other.
//
// Registers that last through a call:
//   R0  the tile          R20 sums             R21 bytes of C before the product
//   R22 row sums          R23 rows of a group, as a power of two
//   R24 A of the product  R25 products left

// The assembler lacks these instructions. By element: d += n * m[i], four
// bytes at a time.
#define SDOT(d, n, m, i) WORD $(0x4F80E000 | ((i)&1)<<21 | (m)<<16 | ((i)>>1)<<11 | (n)<<5 | (d))
// Signed products of bytes, of the low and of the high halves.
#define SMULL(d, n, m) WORD $(0x0E20C000 | (m)<<16 | (n)<<5 | (d))
#define SMULL2(d, n, m) WORD $(0x4E20C000 | (m)<<16 | (n)<<5 | (d))
// d.4S += sums of neighbours in n.8H
#define SADALP(d, n) WORD $(0x4E606800 | (n)<<5 | (d))
#define MULS(d, n, m) WORD $(0x4EA09C00 | (m)<<16 | (n)<<5 | (d))
#define SCVTF(d, n) WORD $(0x4E21D800 | (n)<<5 | (d))
// To the nearest integer, the even one of two.
#define FCVTNS(d, n) WORD $(0x4E21A800 | (n)<<5 | (d))
#define FADD(d, n, m) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
#define FMUL(d, n, m) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
// A NaN in either operand gives a NaN; with NM, the other operand.
#define FMAX(d, n, m) WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d))
#define FMIN(d, n, m) WORD $(0x4EA0F400 | (m)<<16 | (n)<<5 | (d))
#define FMAXNM(d, n, m) WORD $(0x4E20C400 | (m)<<16 | (n)<<5 | (d))
#define FMINNM(d, n, m) WORD $(0x4EA0C400 | (m)<<16 | (n)<<5 | (d))
// Bytes to words and words to dwords, low and high half, unsigned.
#define UXTL8(d, n) WORD $(0x2F08A400 | (n)<<5 | (d))
#define UXTL16(d, n) WORD $(0x2F10A400 | (n)<<5 | (d))
#define UXTL16H(d, n) WORD $(0x6F10A400 | (n)<<5 | (d))
// Back, without saturation.
#define XTN32(d, n) WORD $(0x0E612800 | (n)<<5 | (d))
#define XTN32H(d, n) WORD $(0x4E612800 | (n)<<5 | (d))
#define XTN16(d, n) WORD $(0x0E212800 | (n)<<5 | (d))

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

// LOAD loads what lasts through a call; shift is R23.
#define LOAD(shift) \
	MOVD t+0(FP), R0 \
	MOVD int8Tile_count(R0), R25 \
	MOVD int8Tile_a(R0), R24 \
	MOVD $0, R21 \
	MOVD int8Tile_rowSums(R0), R22 \
	MOVD $shift, R23

// FINISH turns the sums at R20 into C and moves on.
#define FINISH \
	MOVD $sums-256(SP), R20 \
	BL   int8Finish<>(SB) \
	MOVD int8Tile_aStep(R0), R1 \
	ADD  R1, R24, R24 \
	MOVD int8Tile_cStep(R0), R1 \
	ADD  R1, R21, R21 \
	SUBS $1, R25

// ROWS sets R1, R2 and R3 to the distances from the first row to the others,
// or to 0 where there are none: the first is computed in their place.
#define ROWS \
	MOVD int8Tile_rows(R0), R10 \
	MOVD int8Tile_aRow(R0), R1 \
	MOVD int8Tile_aGroup(R0), R2 \
	ADD  R1, R2, R3 \
	CMP  $2, R10 \
	CSEL LT, ZR, R1, R1 \
	CMP  $3, R10 \
	CSEL LT, ZR, R2, R2 \
	CMP  $4, R10 \
	CSEL LT, ZR, R3, R3 \
	MOVD int8Tile_segments(R0), R11 \
	MOVD int8Tile_offsets(R0), R12 \
	MOVD int8Tile_b(R0), R9

// SEGMENT sets R5 to R8 to the rows of the next segment.
#define SEGMENT \
	MOVD.P 8(R12), R5 \
	ADD    R24, R5, R5 \
	ADD    R1, R5, R6 \
	ADD    R2, R5, R7 \
	ADD    R3, R5, R8 \
	MOVD   int8Tile_steps(R0), R10

// FLIP takes 128 off the bytes of A.
#define FLIP \
	VEOR V24.B16, V20.B16, V20.B16 \
	VEOR V24.B16, V21.B16, V21.B16 \
	VEOR V24.B16, V22.B16, V22.B16 \
	VEOR V24.B16, V23.B16, V23.B16

// A16 and A4 load the next bytes of four rows.
#define A16 \
	VLD1.P 16(R5), [V20.B16] \
	VLD1.P 16(R6), [V21.B16] \
	VLD1.P 16(R7), [V22.B16] \
	VLD1.P 16(R8), [V23.B16] \
	FLIP

#define A4 \
	FMOVS.P 4(R5), F20 \
	FMOVS.P 4(R6), F21 \
	FMOVS.P 4(R7), F22 \
	FMOVS.P 4(R8), F23 \
	FLIP


// DOT4 adds the products of four bytes, number i of V20 to V23, and 16 columns.
#define DOT4(i) \
	VLD1.P 64(R9), [V16.B16, V17.B16, V18.B16, V19.B16] \
	SDOT(0, 16, 20, i) \
	SDOT(1, 17, 20, i) \
	SDOT(2, 18, 20, i) \
	SDOT(3, 19, 20, i) \
	SDOT(4, 16, 21, i) \
	SDOT(5, 17, 21, i) \
	SDOT(6, 18, 21, i) \
	SDOT(7, 19, 21, i) \
	SDOT(8, 16, 22, i) \
	SDOT(9, 17, 22, i) \
	SDOT(10, 18, 22, i) \
	SDOT(11, 19, 22, i) \
	SDOT(12, 16, 23, i) \
	SDOT(13, 17, 23, i) \
	SDOT(14, 18, 23, i) \
	SDOT(15, 19, 23, i)

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

// PRODUCTS4 adds to s and the sums after it the products of bytes of a row in
// a and 16 columns, two sums a column.
#define PRODUCTS4(a, s) \
	SMULL(22, 16, a) \
	SMULL2(23, 16, a) \
	SADALP(s+0, 22) \
	SADALP(s+1, 23) \
	SMULL(22, 17, a) \
	SMULL2(23, 17, a) \
	SADALP(s+2, 22) \
	SADALP(s+3, 23) \
	SMULL(22, 18, a) \
	SMULL2(23, 18, a) \
	SADALP(s+4, 22) \
	SADALP(s+5, 23) \
	SMULL(22, 19, a) \
	SMULL2(23, 19, a) \
	SADALP(s+6, 22) \
	SADALP(s+7, 23)

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

// DOT2 adds the products of four bytes, number i of V20 to V23, and 8 columns.
#define DOT2(i) \
	VLD1.P 32(R9), [V16.B16, V17.B16] \
	SDOT(0, 16, 20, i) \
	SDOT(1, 17, 20, i) \
	SDOT(4, 16, 21, i) \
	SDOT(5, 17, 21, i) \
	SDOT(8, 16, 22, i) \
	SDOT(9, 17, 22, i) \
	SDOT(12, 16, 23, i) \
	SDOT(13, 17, 23, i)

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

// PRODUCTS2 adds to s and the sums after it the products of bytes of a row in
// a and 8 columns, two sums a column.
#define PRODUCTS2(a, s) \
	SMULL(22, 16, a) \
	SMULL2(23, 16, a) \
	SADALP(s+0, 22) \
	SADALP(s+1, 23) \
	SMULL(22, 17, a) \
	SMULL2(23, 17, a) \
	SADALP(s+2, 22) \
	SADALP(s+3, 23)

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

// d += n * m, four bytes at a time.
#define SDOTV(d, n, m) WORD $(0x4E809400 | (m)<<16 | (n)<<5 | (d))

// PIXELS sets what the segments of a tile of four pixels, or one, need.
#define PIXELS \
	MOVD int8Tile_rows(R0), R10 \
	MOVD int8Tile_aRow(R0), R1 \
	CMP  $2, R10 \
	CSEL LT, ZR, R1, R1 \
	MOVD int8Tile_segments(R0), R11 \
	MOVD int8Tile_offsets(R0), R12 \
	MOVD int8Tile_b(R0), R9

// PIXEL sets R5 to R8 to the pixels of the next segment, and loads its weights.
#define PIXEL \
	MOVD.P 8(R12), R5 \
	ADD    R24, R5, R5 \
	ADD    R1, R5, R6 \
	ADD    R1, R6, R7 \
	ADD    R1, R7, R8 \
	VLD1.P 32(R9), [V16.B16, V17.B16]

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

// CHANNELS8 adds the products of eight channels of the pixel at r to s and the
// sums after it, two sums a channel.
#define CHANNELS8(r, s) \
	VLD1 (r), [V20.B16, V21.B16] \
	SMULL(22, 16, 20) \
	SMULL2(23, 16, 20) \
	SMULL(24, 17, 21) \
	SMULL2(25, 17, 21) \
	SADALP(s, 22) \
	SADALP(s+1, 23) \
	SADALP(s+2, 24) \
	SADALP(s+3, 25)

// The sums of vectors i and j are those of neighbours, to which the start is
// added.
#define PAIRS(i, j, start, to) \
	VADDP j.S4, i.S4, to.S4 \
	VADD  start.S4, to.S4, to.S4

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
