#include "go_asm.h"
#include "textflag.h"

// Kernels of quantisation: see types quantizer and extent in quantize.go.
//
// Registers:
//   R0  the quantizer   R1  elements left   R2  numbers   R3  bytes
//   R4  scales          R5  zero points     R6  step

// The assembler lacks these instructions.
#define SCVTF(d, n) WORD $(0x4E21D800 | (n)<<5 | (d))
// To the nearest integer, the even one of two.
#define FCVTNS(d, n) WORD $(0x4E21A800 | (n)<<5 | (d))
#define FSUB(d, n, m) WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d))
#define FMUL(d, n, m) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
#define FDIV(d, n, m) WORD $(0x6E20FC00 | (m)<<16 | (n)<<5 | (d))
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

#define BEGIN \
	MOVD q+0(FP), R0 \
	MOVD quantizer_n(R0), R1 \
	MOVD quantizer_floats(R0), R2 \
	MOVD quantizer_bytes(R0), R3 \
	MOVD quantizer_scale(R0), R4 \
	MOVD quantizer_zero(R0), R5 \
	MOVD quantizer_step(R0), R6

// CHANNELS loads scales to V4 and V5 and zero points to V6 and V7.
#define CHANNELS \
	VLD1 (R4), [V4.S4, V5.S4] \
	VLD1 (R5), [V6.S4, V7.S4] \
	ADD  R6, R4, R4 \
	ADD  R6, R5, R5

// func quantizeNEON(q *quantizer)
TEXT ·quantizeNEON(SB), NOSPLIT, $0-8
	BEGIN
	ADD   $quantizer_low, R0, R7
	VLD1R (R7), [V30.S4]
	ADD   $quantizer_high, R0, R7
	VLD1R (R7), [V31.S4]

loop:
	VLD1.P  32(R2), [V0.S4, V1.S4]
	CHANNELS
	FDIV(0, 0, 4)
	FDIV(1, 1, 5)
	SCVTF(16, 6)
	SCVTF(17, 7)
	FSUB(18, 30, 16)
	FSUB(19, 30, 17)
	FSUB(16, 31, 16)
	FSUB(17, 31, 17)
	FMAXNM(0, 0, 18)
	FMAXNM(1, 1, 19)
	FMINNM(0, 0, 16)
	FMINNM(1, 1, 17)
	FCVTNS(0, 0)
	FCVTNS(1, 1)
	VADD    V6.S4, V0.S4, V0.S4
	VADD    V7.S4, V1.S4, V1.S4
	XTN32(2, 0)
	XTN32H(2, 1)
	XTN16(2, 2)
	FMOVD.P F2, 8(R3)
	SUBS    $8, R1
	BNE     loop
	RET

// func dequantizeNEON(q *quantizer)
TEXT ·dequantizeNEON(SB), NOSPLIT, $0-8
	BEGIN
	ADD   $quantizer_flip, R0, R7
	VLD1R (R7), [V30.S4]

loop:
	FMOVD.P 8(R3), F1
	CHANNELS
	UXTL8(1, 1)
	UXTL16(0, 1)
	UXTL16H(1, 1)
	VEOR    V30.B16, V0.B16, V0.B16
	VEOR    V30.B16, V1.B16, V1.B16
	VSUB    V30.S4, V0.S4, V0.S4
	VSUB    V30.S4, V1.S4, V1.S4
	VSUB    V6.S4, V0.S4, V0.S4
	VSUB    V7.S4, V1.S4, V1.S4
	SCVTF(0, 0)
	SCVTF(1, 1)
	FMUL(0, 0, 4)
	FMUL(1, 1, 5)
	VST1.P  [V0.S4, V1.S4], 32(R2)
	SUBS    $8, R1
	BNE     loop
	RET

// func extentNEON(e *extent)
TEXT ·extentNEON(SB), NOSPLIT, $0-8
	MOVD e+0(FP), R0
	MOVD extent_n(R0), R1
	MOVD extent_floats(R0), R2
	ADD  $extent_low, R0, R3
	ADD  $extent_high, R0, R4
	VLD1 (R3), [V0.S4, V1.S4]
	VLD1 (R4), [V2.S4, V3.S4]

loop:
	VLD1.P 32(R2), [V4.S4, V5.S4]
	FMIN(0, 0, 4)
	FMIN(1, 1, 5)
	FMAX(2, 2, 4)
	FMAX(3, 3, 5)
	SUBS   $8, R1
	BNE    loop
	VST1   [V0.S4, V1.S4], (R3)
	VST1   [V2.S4, V3.S4], (R4)
	RET
