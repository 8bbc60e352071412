#include "go_asm.h"
#include "textflag.h"
#include "gemm_amd64.h"

// 12 rows of 32 columns: row i in Z(2i) and Z(2i+1), B in Z24 and Z25, an
// element of A in Z26.

#define B32 \
	VMOVUPS (BX), Z24   \
	VMOVUPS 64(BX), Z25 \
	ADDQ    R8, BX

#define B16Z \
	VMOVUPS (BX), Z24 \
	ADDQ    R8, BX

#define ROW32(at, left, right) \
	VBROADCASTSS at(AX), Z26       \
	VFMADD231PS  Z24, Z26, left  \
	VFMADD231PS  Z25, Z26, right

#define ROW16Z(at, left) \
	VBROADCASTSS at(AX), Z26      \
	VFMADD231PS  Z24, Z26, left

#define STEP32X1(at) \
	B32 \
	ROW32(at+0, Z0, Z1)

#define STEP32X2(at) \
	STEP32X1(at) \
	ROW32(at+4, Z2, Z3)

#define STEP32X3(at) \
	STEP32X2(at) \
	ROW32(at+8, Z4, Z5)

#define STEP32X4(at) \
	STEP32X3(at) \
	ROW32(at+12, Z6, Z7)

#define STEP32X5(at) \
	STEP32X4(at) \
	ROW32(at+16, Z8, Z9)

#define STEP32X6(at) \
	STEP32X5(at) \
	ROW32(at+20, Z10, Z11)

#define STEP32X7(at) \
	STEP32X6(at) \
	ROW32(at+24, Z12, Z13)

#define STEP32X8(at) \
	STEP32X7(at) \
	ROW32(at+28, Z14, Z15)

#define STEP32X9(at) \
	STEP32X8(at) \
	ROW32(at+32, Z16, Z17)

#define STEP32X10(at) \
	STEP32X9(at) \
	ROW32(at+36, Z18, Z19)

#define STEP32X11(at) \
	STEP32X10(at) \
	ROW32(at+40, Z20, Z21)

#define STEP32X12(at) \
	STEP32X11(at) \
	ROW32(at+44, Z22, Z23)

#define STEP16ZX1(at) \
	B16Z \
	ROW16Z(at+0, Z0)

#define STEP16ZX2(at) \
	STEP16ZX1(at) \
	ROW16Z(at+4, Z2)

#define STEP16ZX3(at) \
	STEP16ZX2(at) \
	ROW16Z(at+8, Z4)

#define STEP16ZX4(at) \
	STEP16ZX3(at) \
	ROW16Z(at+12, Z6)

#define STEP16ZX5(at) \
	STEP16ZX4(at) \
	ROW16Z(at+16, Z8)

#define STEP16ZX6(at) \
	STEP16ZX5(at) \
	ROW16Z(at+20, Z10)

#define STEP16ZX7(at) \
	STEP16ZX6(at) \
	ROW16Z(at+24, Z12)

#define STEP16ZX8(at) \
	STEP16ZX7(at) \
	ROW16Z(at+28, Z14)

#define STEP16ZX9(at) \
	STEP16ZX8(at) \
	ROW16Z(at+32, Z16)

#define STEP16ZX10(at) \
	STEP16ZX9(at) \
	ROW16Z(at+36, Z18)

#define STEP16ZX11(at) \
	STEP16ZX10(at) \
	ROW16Z(at+40, Z20)

#define STEP16ZX12(at) \
	STEP16ZX11(at) \
	ROW16Z(at+44, Z22)

#define FETCH512(at) \
	PREFETCHT0 (at)    \
	PREFETCHT0 64(at)  \
	PREFETCHT0 124(at) \
	ADDQ       R9, at

#define FROM512(P, left, right) \
	VADDPS (P), left, left     \
	VADDPS 64(P), right, right \
	ADDQ   R9, P

#define BIAS512(at, left, right) \
	VBROADCASTSS at(R10), Z26 \
	VADDPS Z26, left, left    \
	VADDPS Z26, right, right

#define CLAMP512(x) \
	VMAXPS x, Z27, x \
	VMINPS x, Z28, x

#define HARDSIGMOID512(x) \
	VADDPS x, Z29, x \
	VMAXPS x, Z27, x \
	VMINPS x, Z28, x \
	VMULPS x, Z30, x

#define HARDSWISH512(x) \
	VADDPS x, Z29, Z31   \
	VMAXPS Z31, Z27, Z31 \
	VMINPS Z31, Z28, Z31 \
	VMULPS Z30, Z31, Z31 \
	VMULPS Z31, x, x

#define STORE512(left, right) \
	VMOVUPS left, (DX)    \
	VMOVUPS right, 64(DX) \
	ADDQ    R9, DX

// func gemmAVX512(t *oldTile)
TEXT ·gemmAVX512(SB), NOSPLIT, $0-8
	MOVQ t+0(FP), DI
	MOVQ oldTile_a(DI), R13
	MOVQ oldTile_bStride(DI), R8
	MOVQ oldTile_cStride(DI), R9
	MOVQ oldTile_c(DI), DX
	MOVQ oldTile_residual(DI), SI
	MOVQ oldTile_bias(DI), R10
	MOVQ oldTile_rows(DI), R11
	MOVQ oldTile_count(DI), R12

panel:
	MOVQ   R13, AX
	ADDQ   oldTile_aStride(DI), R13
	CMPQ   oldTile_accumulate(DI), $0
	JEQ    fetched
	MOVQ   DX, CX
	FETCH512(CX)
	FETCH512(CX)
	FETCH512(CX)
	FETCH512(CX)
	FETCH512(CX)
	FETCH512(CX)
	FETCH512(CX)
	FETCH512(CX)
	FETCH512(CX)
	FETCH512(CX)
	FETCH512(CX)
	FETCH512(CX)

fetched:
	MOVQ   oldTile_b(DI), BX
	MOVQ   oldTile_k(DI), CX
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	VPXORD Z8, Z8, Z8
	VPXORD Z9, Z9, Z9
	VPXORD Z10, Z10, Z10
	VPXORD Z11, Z11, Z11
	VPXORD Z12, Z12, Z12
	VPXORD Z13, Z13, Z13
	VPXORD Z14, Z14, Z14
	VPXORD Z15, Z15, Z15
	VPXORD Z16, Z16, Z16
	VPXORD Z17, Z17, Z17
	VPXORD Z18, Z18, Z18
	VPXORD Z19, Z19, Z19
	VPXORD Z20, Z20, Z20
	VPXORD Z21, Z21, Z21
	VPXORD Z22, Z22, Z22
	VPXORD Z23, Z23, Z23
	CMPQ   R11, $1
	JEQ    single
	CMPQ   oldTile_narrow(DI), $0
	JNE    narrow
	CMPQ   R11, $12
	JEQ    wide12
	CMPQ   R11, $11
	JEQ    wide11
	CMPQ   R11, $10
	JEQ    wide10
	CMPQ   R11, $9
	JEQ    wide9
	CMPQ   R11, $8
	JEQ    wide8
	CMPQ   R11, $7
	JEQ    wide7
	CMPQ   R11, $6
	JEQ    wide6
	CMPQ   R11, $5
	JEQ    wide5
	CMPQ   R11, $4
	JEQ    wide4
	CMPQ   R11, $3
	JEQ    wide3
	JMP    wide2

	// A single row, all columns: four steps at once, to have enough sums under
	// way.
single:
	LEAQ (R8)(R8*2), R15
	SUBQ $4, CX
	JLT  singlerest

singlefour:
	VBROADCASTSS (AX), Z24
	VBROADCASTSS 4(AX), Z25
	VBROADCASTSS 8(AX), Z26
	VBROADCASTSS 12(AX), Z27
	VFMADD231PS  (BX), Z24, Z0
	VFMADD231PS  64(BX), Z24, Z1
	VFMADD231PS  (BX)(R8*1), Z25, Z2
	VFMADD231PS  64(BX)(R8*1), Z25, Z3
	VFMADD231PS  (BX)(R8*2), Z26, Z4
	VFMADD231PS  64(BX)(R8*2), Z26, Z5
	VFMADD231PS  (BX)(R15*1), Z27, Z6
	VFMADD231PS  64(BX)(R15*1), Z27, Z7
	LEAQ         (BX)(R8*4), BX
	ADDQ         $16, AX
	SUBQ         $4, CX
	JGE          singlefour
	VADDPS       Z2, Z0, Z0
	VADDPS       Z3, Z1, Z1
	VADDPS       Z6, Z4, Z4
	VADDPS       Z7, Z5, Z5
	VADDPS       Z4, Z0, Z0
	VADDPS       Z5, Z1, Z1

singlerest:
	ADDQ $4, CX
	JEQ  finish

singleone:
	STEP32X1(0)
	ADDQ $4, AX
	DECQ CX
	JNE  singleone
	JMP  finish

wide2:
	LOOP(STEP32X2, 2, wide2four, wide2rest, wide2one)

wide3:
	LOOP(STEP32X3, 3, wide3four, wide3rest, wide3one)

wide4:
	LOOP(STEP32X4, 4, wide4four, wide4rest, wide4one)

wide5:
	LOOP(STEP32X5, 5, wide5four, wide5rest, wide5one)

wide6:
	LOOP(STEP32X6, 6, wide6four, wide6rest, wide6one)

wide7:
	LOOP(STEP32X7, 7, wide7four, wide7rest, wide7one)

wide8:
	LOOP(STEP32X8, 8, wide8four, wide8rest, wide8one)

wide9:
	LOOP(STEP32X9, 9, wide9four, wide9rest, wide9one)

wide10:
	LOOP(STEP32X10, 10, wide10four, wide10rest, wide10one)

wide11:
	LOOP(STEP32X11, 11, wide11four, wide11rest, wide11one)

wide12:
	LOOP(STEP32X12, 12, wide12four, wide12rest, wide12one)

narrow:
	CMPQ R11, $12
	JEQ  narrow12
	CMPQ R11, $11
	JEQ  narrow11
	CMPQ R11, $10
	JEQ  narrow10
	CMPQ R11, $9
	JEQ  narrow9
	CMPQ R11, $8
	JEQ  narrow8
	CMPQ R11, $7
	JEQ  narrow7
	CMPQ R11, $6
	JEQ  narrow6
	CMPQ R11, $5
	JEQ  narrow5
	CMPQ R11, $4
	JEQ  narrow4
	CMPQ R11, $3
	JEQ  narrow3

narrow2:
	LOOP(STEP16ZX2, 2, narrow2four, narrow2rest, narrow2one)

narrow3:
	LOOP(STEP16ZX3, 3, narrow3four, narrow3rest, narrow3one)

narrow4:
	LOOP(STEP16ZX4, 4, narrow4four, narrow4rest, narrow4one)

narrow5:
	LOOP(STEP16ZX5, 5, narrow5four, narrow5rest, narrow5one)

narrow6:
	LOOP(STEP16ZX6, 6, narrow6four, narrow6rest, narrow6one)

narrow7:
	LOOP(STEP16ZX7, 7, narrow7four, narrow7rest, narrow7one)

narrow8:
	LOOP(STEP16ZX8, 8, narrow8four, narrow8rest, narrow8one)

narrow9:
	LOOP(STEP16ZX9, 9, narrow9four, narrow9rest, narrow9one)

narrow10:
	LOOP(STEP16ZX10, 10, narrow10four, narrow10rest, narrow10one)

narrow11:
	LOOP(STEP16ZX11, 11, narrow11four, narrow11rest, narrow11one)

narrow12:
	LOOP(STEP16ZX12, 12, narrow12four, narrow12rest, narrow12one)

finish:
	CMPQ oldTile_accumulate(DI), $0
	JEQ  bias
	MOVQ DX, AX
	FROM512(AX, Z0, Z1)
	CMPQ R11, $1
	JEQ  bias
	FROM512(AX, Z2, Z3)
	CMPQ R11, $2
	JEQ  bias
	FROM512(AX, Z4, Z5)
	CMPQ R11, $3
	JEQ  bias
	FROM512(AX, Z6, Z7)
	CMPQ R11, $4
	JEQ  bias
	FROM512(AX, Z8, Z9)
	CMPQ R11, $5
	JEQ  bias
	FROM512(AX, Z10, Z11)
	CMPQ R11, $6
	JEQ  bias
	FROM512(AX, Z12, Z13)
	CMPQ R11, $7
	JEQ  bias
	FROM512(AX, Z14, Z15)
	CMPQ R11, $8
	JEQ  bias
	FROM512(AX, Z16, Z17)
	CMPQ R11, $9
	JEQ  bias
	FROM512(AX, Z18, Z19)
	CMPQ R11, $10
	JEQ  bias
	FROM512(AX, Z20, Z21)
	CMPQ R11, $11
	JEQ  bias
	FROM512(AX, Z22, Z23)

bias:
	TESTQ R10, R10
	JEQ   residual
	BIAS512(0, Z0, Z1)
	CMPQ R11, $1
	JEQ  biased
	BIAS512(4, Z2, Z3)
	CMPQ R11, $2
	JEQ  biased
	BIAS512(8, Z4, Z5)
	CMPQ R11, $3
	JEQ  biased
	BIAS512(12, Z6, Z7)
	CMPQ R11, $4
	JEQ  biased
	BIAS512(16, Z8, Z9)
	CMPQ R11, $5
	JEQ  biased
	BIAS512(20, Z10, Z11)
	CMPQ R11, $6
	JEQ  biased
	BIAS512(24, Z12, Z13)
	CMPQ R11, $7
	JEQ  biased
	BIAS512(28, Z14, Z15)
	CMPQ R11, $8
	JEQ  biased
	BIAS512(32, Z16, Z17)
	CMPQ R11, $9
	JEQ  biased
	BIAS512(36, Z18, Z19)
	CMPQ R11, $10
	JEQ  biased
	BIAS512(40, Z20, Z21)
	CMPQ R11, $11
	JEQ  biased
	BIAS512(44, Z22, Z23)

biased:
	LEAQ (R10)(R11*4), R10

residual:
	TESTQ SI, SI
	JEQ   activation
	FROM512(SI, Z0, Z1)
	CMPQ R11, $1
	JEQ  activation
	FROM512(SI, Z2, Z3)
	CMPQ R11, $2
	JEQ  activation
	FROM512(SI, Z4, Z5)
	CMPQ R11, $3
	JEQ  activation
	FROM512(SI, Z6, Z7)
	CMPQ R11, $4
	JEQ  activation
	FROM512(SI, Z8, Z9)
	CMPQ R11, $5
	JEQ  activation
	FROM512(SI, Z10, Z11)
	CMPQ R11, $6
	JEQ  activation
	FROM512(SI, Z12, Z13)
	CMPQ R11, $7
	JEQ  activation
	FROM512(SI, Z14, Z15)
	CMPQ R11, $8
	JEQ  activation
	FROM512(SI, Z16, Z17)
	CMPQ R11, $9
	JEQ  activation
	FROM512(SI, Z18, Z19)
	CMPQ R11, $10
	JEQ  activation
	FROM512(SI, Z20, Z21)
	CMPQ R11, $11
	JEQ  activation
	FROM512(SI, Z22, Z23)

activation:
	MOVQ         oldTile_activation(DI), CX
	CMPQ         CX, $const_oldTileLinear
	JEQ          store
	VBROADCASTSS oldTile_low(DI), Z27
	VBROADCASTSS oldTile_high(DI), Z28
	CMPQ         CX, $const_oldTileClamp
	JEQ          clamp
	VBROADCASTSS three<>(SB), Z29
	VBROADCASTSS sixth<>(SB), Z30
	CMPQ         CX, $const_oldTileHardSwish
	JEQ          hardswish
	HARDSIGMOID512(Z0)
	HARDSIGMOID512(Z1)
	HARDSIGMOID512(Z2)
	HARDSIGMOID512(Z3)
	HARDSIGMOID512(Z4)
	HARDSIGMOID512(Z5)
	HARDSIGMOID512(Z6)
	HARDSIGMOID512(Z7)
	HARDSIGMOID512(Z8)
	HARDSIGMOID512(Z9)
	HARDSIGMOID512(Z10)
	HARDSIGMOID512(Z11)
	HARDSIGMOID512(Z12)
	HARDSIGMOID512(Z13)
	HARDSIGMOID512(Z14)
	HARDSIGMOID512(Z15)
	HARDSIGMOID512(Z16)
	HARDSIGMOID512(Z17)
	HARDSIGMOID512(Z18)
	HARDSIGMOID512(Z19)
	HARDSIGMOID512(Z20)
	HARDSIGMOID512(Z21)
	HARDSIGMOID512(Z22)
	HARDSIGMOID512(Z23)
	JMP store

hardswish:
	HARDSWISH512(Z0)
	HARDSWISH512(Z1)
	HARDSWISH512(Z2)
	HARDSWISH512(Z3)
	HARDSWISH512(Z4)
	HARDSWISH512(Z5)
	HARDSWISH512(Z6)
	HARDSWISH512(Z7)
	HARDSWISH512(Z8)
	HARDSWISH512(Z9)
	HARDSWISH512(Z10)
	HARDSWISH512(Z11)
	HARDSWISH512(Z12)
	HARDSWISH512(Z13)
	HARDSWISH512(Z14)
	HARDSWISH512(Z15)
	HARDSWISH512(Z16)
	HARDSWISH512(Z17)
	HARDSWISH512(Z18)
	HARDSWISH512(Z19)
	HARDSWISH512(Z20)
	HARDSWISH512(Z21)
	HARDSWISH512(Z22)
	HARDSWISH512(Z23)
	JMP store

clamp:
	CLAMP512(Z0)
	CLAMP512(Z1)
	CLAMP512(Z2)
	CLAMP512(Z3)
	CLAMP512(Z4)
	CLAMP512(Z5)
	CLAMP512(Z6)
	CLAMP512(Z7)
	CLAMP512(Z8)
	CLAMP512(Z9)
	CLAMP512(Z10)
	CLAMP512(Z11)
	CLAMP512(Z12)
	CLAMP512(Z13)
	CLAMP512(Z14)
	CLAMP512(Z15)
	CLAMP512(Z16)
	CLAMP512(Z17)
	CLAMP512(Z18)
	CLAMP512(Z19)
	CLAMP512(Z20)
	CLAMP512(Z21)
	CLAMP512(Z22)
	CLAMP512(Z23)

store:
	STORE512(Z0, Z1)
	CMPQ R11, $1
	JEQ  stored
	STORE512(Z2, Z3)
	CMPQ R11, $2
	JEQ  stored
	STORE512(Z4, Z5)
	CMPQ R11, $3
	JEQ  stored
	STORE512(Z6, Z7)
	CMPQ R11, $4
	JEQ  stored
	STORE512(Z8, Z9)
	CMPQ R11, $5
	JEQ  stored
	STORE512(Z10, Z11)
	CMPQ R11, $6
	JEQ  stored
	STORE512(Z12, Z13)
	CMPQ R11, $7
	JEQ  stored
	STORE512(Z14, Z15)
	CMPQ R11, $8
	JEQ  stored
	STORE512(Z16, Z17)
	CMPQ R11, $9
	JEQ  stored
	STORE512(Z18, Z19)
	CMPQ R11, $10
	JEQ  stored
	STORE512(Z20, Z21)
	CMPQ R11, $11
	JEQ  stored
	STORE512(Z22, Z23)

stored:
	DECQ R12
	JNE  panel
	VZEROUPPER
	RET
